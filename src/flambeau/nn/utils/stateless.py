"""Calling a module with other parameters than its own."""

from __future__ import annotations

import contextlib
import warnings

from ...errors import ArgumentError, ArgumentTypeError, GradientError
from ...tensor import Tensor

__all__ = ["functional_call"]

_ABSENT = object()


@contextlib.contextmanager
def _reparametrize_module(module, values, tie_weights=False, strict=False):
    """Put tensors in the places of parameters and buffers for the length of a `with` block."""
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    if tie_weights:
        values = _tied(own, values)
    if strict:
        missing, unexpected = sorted(own.keys() - values.keys()), sorted(values.keys() - own.keys())
        if missing or unexpected:
            text = f"Error(s) in reparametrizing for {module._get_name()}:"
            if unexpected:
                text += "\n\tUnexpected key(s): " + ", ".join(map(repr, unexpected)) + "."
            if missing:
                text += "\n\tMissing key(s): " + ", ".join(map(repr, missing)) + "."
            raise GradientError(text)
    replaced = []
    try:
        for name, value in values.items():
            path, _, last = name.rpartition(".")
            try:
                owner = module.get_submodule(path)
            except AttributeError:
                continue
            replaced.append((owner, last, *_place(owner, last, value)))
        yield
    finally:
        for owner, last, table, before in reversed(replaced):
            if before is _ABSENT:
                table.pop(last, None)
            else:
                table[last] = before


def _place(owner, name, value):
    """Put a tensor into the table that has the name: that table, and what it held."""
    for table in (owner._parameters, owner._buffers, owner.__dict__):
        if name in table:
            before = table[name]
            table[name] = value
            return table, before
    owner.__dict__[name] = value
    return owner.__dict__, _ABSENT


def _tied(own, values):
    """`values` with those added that belong to the same tensor under another name."""
    names = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    result = dict(values)
    for name, value in values.items():
        if name not in own:
            continue
        for other in names[id(own[name])]:
            if other in values and values[other] is not value:
                raise ArgumentError(
                    f"functional_call got multiple values for keys {sorted(names[id(own[name])])}, which are tied. "
                    "Consider using tie_weights=False"
                )
            result[other] = value
    return result


def call(module, values, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """What `torch.func.functional_call` does, for one dict of tensors."""
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, values, tie_weights=tie_weights, strict=strict):
        return module(*args, **(kwargs or {}))


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Deprecated; use `torch.func.functional_call`."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future "
        "version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def functional_call_of_many(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Call a module with the given tensors in the places of its parameters and buffers; the module is not changed.

    Arguments:
        parameter_and_buffer_dicts: tensors by dotted name, in one dict or several.
        args, kwargs: of the call; a single argument need not be in a tuple.
        tie_weights: a tensor replaces a parameter under all its names.
        strict: demand exactly the module's names.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    >>> torch.func.functional_call(layer, zeros, torch.ones(1, 2))
    tensor([[0.]])
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, dict):
        values = given
    elif isinstance(given, (list, tuple)):
        if not all(isinstance(d, dict) for d in given):
            raise ArgumentError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for d in given for name in d]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ArgumentError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        values = {name: value for d in given for name, value in d.items()}
    else:
        raise ArgumentError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}"
        )
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"{value} is not an instance of torch.Tensor", why=f"it is given for '{name}'")
    return call(module, values, args, kwargs, tie_weights=tie_weights, strict=strict)


functional_call_of_many.__name__ = "functional_call"
