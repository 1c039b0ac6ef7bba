"""Modules as functions of their parameters."""

from __future__ import annotations

from ..errors import ArgumentError, StateError
from ..ops.entry import REGISTRY


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other parameters and buffers than its own.

    Arguments:
        parameter_and_buffer_dicts: name -> tensor, or several such dicts.
        args: a tuple, or one argument. kwargs: keyword arguments.
        tie_weights: a parameter that the module has under two names is replaced under both.
        strict: an error when names are missing or unknown.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(1, 1)
    >>> zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    >>> torch.func.functional_call(layer, zeros, torch.ones(1)).item()
    0.0
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        merged = {}
        for part in given:
            twice = merged.keys() & part.keys()
            if twice:
                raise ArgumentError(
                    f"{sorted(twice)} appeared in multiple dictionaries; behavior of functional call is ambiguous",
                    why="which of the values is meant is not known",
                    fix="pass each name once",
                )
            merged.update(part)
        given = merged
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    places = _places(module)
    unknown = ", ".join(map(repr, sorted(given.keys() - places.keys())))
    missing = ", ".join(map(repr, sorted(places.keys() - given.keys())))
    if strict and (unknown or missing):
        kind = type(module).__name__
        raise StateError(
            f"Error(s) in reparametrizing for {kind}:\n\tUnexpected key(s): {unknown}.\n\tMissing key(s): {missing}."
            if unknown and missing
            else f"Error(s) in reparametrizing for {kind}:\n\tUnexpected key(s): {unknown}."
            if unknown
            else f"Error(s) in reparametrizing for {kind}:\n\tMissing key(s): {missing}.",
            why="with `strict=True` exactly the module's parameters and buffers are given",
            fix="compare with `dict(module.named_parameters())`, or leave out `strict=True`",
        )
    new = {}
    for name, value in given.items():
        if name not in places:
            continue
        new[name] = value
        if tie_weights:
            mine = places[name][0][places[name][1]]
            for other, (table, key) in places.items():
                if other not in given and table[key] is mine and mine is not None:
                    new[other] = value
    before = {name: places[name][0][places[name][1]] for name in new}
    try:
        for name, value in new.items():
            table, key = places[name]
            table[key] = value
        return module(*args, **(kwargs or {}))
    finally:
        for name, value in before.items():
            table, key = places[name]
            table[key] = value


def _places(module) -> dict:
    """Qualified name -> (the dict that holds it, its key) of every parameter and buffer."""
    places = {}
    for prefix, child in module.named_modules(remove_duplicate=False):
        for table in (child._parameters, child._buffers):
            for key, value in table.items():
                if value is not None:
                    places[f"{prefix}.{key}" if prefix else key] = (table, key)
    return places


def stack_module_state(models):
    """(parameters, buffers) of several models of one class, each stacked along a new first dimension: an ensemble.

    >>> import flambeau as torch
    >>> parameters, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(4)])
    >>> parameters["weight"].shape
    torch.Size([4, 3, 2])
    """
    models = list(models)
    if not models:
        raise StateError(
            "stack_module_state: Expected at least one model, got 0.",
            why="there is nothing to stack",
            fix="pass a list of at least one model",
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise StateError(
            "stack_module_state: Expected all models to be of the same class.",
            why="parameters are stacked name by name",
            fix="make all models from one class",
        )
    if len({m.training for m in models}) > 1:
        raise StateError(
            "stack_module_state: Expected all models to have the same training/eval mode.",
            why="the stacked models run as one",
            fix="call `model.eval()` or `model.train()` on all of them",
        )
    stack = REGISTRY["stack"]

    def stacked(named):
        columns = zip(*[list(getattr(m, named)()) for m in models])
        made = {}
        for column in columns:
            t = stack([value.detach() for _, value in column])
            made[column[0][0]] = t.requires_grad_(column[0][1].requires_grad) if named == "named_parameters" else t
        return made

    return stacked("named_parameters"), stacked("named_buffers")


def replace_all_batch_norm_modules_(root):
    """Make every batch norm of a module use the statistics of the batch only; returns the module."""
    for module in root.modules():
        if hasattr(module, "track_running_stats") and hasattr(module, "num_batches_tracked"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
