"""Layers of a model: found by name or kind, and what they put out for an input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from ..autograd import no_grad
from ..compiler import set_stance
from ..errors import ArgumentError, ArgumentTypeError, StateError
from ..nn import Module
from ..tensor import Tensor
from . import preserve


def module(model: Any, function: str) -> Module:
    """The model, checked; of a compiled one, the original."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"{function}() takes a module, not {type(model).__name__}",
            why="its layers are looked for by name",
            fix="pass the model itself, an `nn.Module`",
        )
    return model._modules.get("_orig_mod", model) if hasattr(model, "_orig_mod") else model


def named(model: Module) -> list[tuple[str, Module]]:
    """All modules with their names; the model's own is its class."""
    return [(name or type(module).__name__, module) for name, module in model.named_modules()]


def find(model: Module, wanted: Any) -> list[tuple[str, Module]]:
    """(name, module) of layers that the user asked for: names, modules, or a list of these."""
    every = named(model)
    found = []
    for one in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
        match = [(name, module) for name, module in every if module is one or name == one]
        if not match:
            names = [name for name, _ in every[1:]]
            shown = ", ".join(f"`{name}`" for name in names[:20]) + (" ..." if len(names) > 20 else "")
            raise ArgumentError(
                f"the model has no layer {one!r}" if isinstance(one, str) else "the layer is not part of the model",
                why="layers are found by their names in `model.named_modules()`, or given themselves",
                fix=f"choose one of {shown}" if names else "pass the model that the layer is part of",
            )
        found += match
    return found


def spread(things: list, count: int) -> list:
    """At most so many of a list, evenly spread, both ends among them.

    >>> from flambeau.viz.capture import spread
    >>> spread(list(range(10)), 4)
    [0, 3, 6, 9]
    """
    if len(things) <= count:
        return things
    return [things[round(k * (len(things) - 1) / max(count - 1, 1))] for k in range(count)]


@contextmanager
def looking(model: Module) -> Iterator[None]:
    """Evaluation mode, no gradients, no compiled code; mode, buffers and random state come back."""
    with preserve.modes(model, False), preserve.memory(model.buffers()), preserve.random_states():
        with preserve.unnoticed(), set_stance("force_eager"), no_grad():
            yield


def call(model: Module, inputs: Any) -> Any:
    """The model called with an input: a tensor, a tuple of arguments or a dict of them."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)


def outputs(model: Module, inputs: Any, wanted: Iterable[tuple[str, Module]]) -> dict[str, Tensor]:
    """What some layers put out, by name, when the model is called; the last call of each counts.

    Raises RuntimeError if none of them was called.
    """
    wanted = list(wanted)
    found: dict[str, Tensor] = {}

    def keep(name):
        def hook(module, args, output):
            output = output[0] if isinstance(output, (tuple, list)) and output else output
            if isinstance(output, Tensor):
                found[name] = output

        return hook

    with ExitStack() as hooks:
        for name, layer in wanted:
            hooks.enter_context(layer.register_forward_hook(keep(name)))
        with looking(model):
            call(model, inputs)
    if not found:
        names = ", ".join(f"`{name}`" for name, _ in wanted)
        raise StateError(
            f"no output of {names} was seen",
            why="the model's forward did not call it, or what it returns is not a tensor",
            fix="choose a layer that `forward` calls as a module: `self.layer(x)`",
        )
    return {name: found[name] for name, _ in wanted if name in found}
