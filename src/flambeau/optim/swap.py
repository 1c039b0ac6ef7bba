"""Let an optimizer step other tensors than its own for a while."""

from __future__ import annotations

import contextlib
from collections import defaultdict

from ..errors import ArgumentError
from .optimizer import Optimizer


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(optimizer: Optimizer, swapin_parameters: dict, swapin_optim_state: dict):
    """Within the block, `optimizer` updates `swapin_parameters` with the state and options of `swapin_optim_state`.

    Arguments:
        optimizer: its parameters and state come back at the end of the block.
        swapin_parameters: name -> tensor, in the order of the optimizer's parameters.
        swapin_optim_state: shaped like `optimizer.state_dict()`. Its tensors are updated in place.

    >>> import flambeau as torch
    >>> w, other = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = torch.optim.SGD([w], lr=1.0)
    >>> other.grad = torch.ones(1)
    >>> with torch.optim.swap_in_optimizer_params_and_state(optimizer, {"w": other}, optimizer.state_dict()):
    ...     optimizer.step()
    >>> w.item(), other.item()
    (1.0, -1.0)
    """
    groups = swapin_optim_state["param_groups"]
    params = list(swapin_parameters.values())
    sizes = [len(g["params"]) for g in groups]
    if [len(g["params"]) for g in optimizer.param_groups] != sizes or len(params) != sum(sizes):
        raise ArgumentError(
            "the swapped-in parameters do not match the optimizer's parameter groups",
            why=f"groups of {sizes} parameters in the state, {len(params)} parameters given",
            fix="swap in the parameters and the state of an optimizer made in the same way",
        )
    mine = optimizer.state, optimizer.param_groups
    by_number = dict(zip([number for g in groups for number in g["params"]], params))
    state: defaultdict = defaultdict(dict)
    for number, kept in swapin_optim_state["state"].items():
        state[by_number.get(number, number)] = dict(kept) if isinstance(kept, dict) else kept
    optimizer.state = state
    optimizer.param_groups = [{**g, "params": [by_number[number] for number in g["params"]]} for g in groups]
    try:
        yield
    finally:
        optimizer.state, optimizer.param_groups = mine
