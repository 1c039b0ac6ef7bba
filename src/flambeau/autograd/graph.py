"""torch.autograd.graph: hooks on saved tensors and on groups of gradients, and a look at the graph itself."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ..errors import ArgumentError, GradientError, StateError
from ..tensor import Tensor
from .engine import LEAF, Node, accumulator, edge_of
from .mode import refresh_special, state

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """Where a gradient arrives: a node, and which of its outputs."""

    node: Node
    output_nr: int
    ownership_token: Node | None = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge at which the gradient of `tensor` arrives.

    Raises RuntimeError for a tensor that does not require grad.

    >>> import flambeau as torch
    >>> edge = torch.autograd.graph.get_gradient_edge(torch.ones(1, requires_grad=True) * 2)
    >>> edge.node.name(), edge.output_nr
    ('MulBackward0', 0)
    """
    edge = edge_of(tensor)
    if edge is None:
        raise GradientError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients",
            why="no operation that is differentiated made it",
            fix="use `x.requires_grad_()` on the inputs before the forward pass",
        )
    if edge[1] == LEAF:
        return GradientEdge(accumulator(tensor), 0)
    return GradientEdge(edge[0], edge[1])


def increment_version(tensor) -> None:
    """Tell autograd that the tensor's memory was changed by other means.

    >>> import flambeau as torch
    >>> x = torch.ones(1)
    >>> torch.autograd.graph.increment_version(x)
    >>> x._version
    1
    """
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        t._bump()


class saved_tensors_hooks:
    """Within it, what operations keep for backward is replaced by `pack_hook(tensor)`; backward asks `unpack_hook`.

    Arguments:
        pack_hook: called with each tensor when it is kept; returns anything.
        unpack_hook: called with what pack_hook returned; returns a tensor of the same values.

    >>> import flambeau as torch
    >>> x = torch.tensor([2.0], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy(), torch.from_numpy):
    ...     y = x * x
    >>> y.backward()
    >>> x.grad
    tensor([4.])
    """

    def __init__(self, pack_hook, unpack_hook):
        self.hooks = (pack_hook, unpack_hook)

    def __enter__(self):
        if state.saving_disabled is not None:
            raise StateError(
                f"{state.saving_disabled}",  # the program's own text
                why="saved_tensors_hooks are switched off here by `disable_saved_tensors_hooks`",
                fix="leave that block first",
            )
        self.before = state.pack
        state.pack = self.hooks
        refresh_special()

    def __exit__(self, *exc):
        state.pack = self.before
        refresh_special()


class save_on_cpu(saved_tensors_hooks):
    """Keep saved tensors in main memory; on the CPU they are there already.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.autograd.graph.save_on_cpu():
    ...     y = x * x
    >>> torch.autograd.grad(y, x)
    (tensor([2.]),)
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(lambda t: (t.device, t.cpu()), lambda kept: kept[1].to(kept[0]))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str):
    """Within it, entering `saved_tensors_hooks` raises RuntimeError(error_message).

    >>> import flambeau as torch
    >>> with torch.autograd.graph.disable_saved_tensors_hooks("no hooks here"):
    ...     y = torch.ones(1) * 2
    """
    before = state.saving_disabled
    state.saving_disabled = error_message
    try:
        yield
    finally:
        state.saving_disabled = before


class _Mutation:
    """What `allow_mutation_on_saved_tensors` hands out."""

    def clear(self):
        """Nothing is kept here: the graph holds its own copies."""


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Within it, tensors kept for backward may be changed in place: the graph keeps copies.

    >>> import flambeau as torch
    >>> x, w = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = (x * 1).sin()
    ...     y.backward()
    >>> round(float(x.grad), 4)
    0.5403
    """
    with saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        yield _Mutation()


class _MultiHandle:
    """Removes the hooks of `register_multi_grad_hook`."""

    def __init__(self, handles):
        self.handles = handles

    def remove(self):
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Call `fn` when the gradients of several tensors are there.

    Arguments:
        tensors: which require grad.
        fn: with mode "all", called once per backward with the list of gradients (None for tensors that it did not
            reach); with mode "any", called with the first gradient computed.
    Returns a handle with `remove()`.

    >>> import flambeau as torch
    >>> a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook([a, b], lambda grads: print(grads))
    >>> (2 * a + 3 * b).backward()
    [tensor([2.]), tensor([3.])]
    """
    if mode not in ("all", "any"):
        raise ArgumentError(
            f"Expects mode to be one of ('all', 'any') but got {mode}",
            why="the hook runs when all gradients are there, or at the first of them",
            fix='use `mode="all"` or `mode="any"`',
        )
    arrived: dict[int, Tensor] = {}
    fired = False

    def finish():
        nonlocal fired
        grads = [arrived.get(i) for i in range(len(tensors))]
        arrived.clear()
        if mode == "all":
            fn(grads)
        fired = False

    def hook_of(i):
        def hook(g):
            nonlocal fired
            if not arrived:
                state.callbacks.append(finish)
            arrived[i] = g
            if mode == "any" and not fired:
                fired = True
                fn(g)

        return hook

    return _MultiHandle([t.register_hook(hook_of(i)) for i, t in enumerate(tensors)])
