"""Checkpoints that do not fit a module (FB-SAVE-03): a prefix, other names, other sizes, or no state dict at all."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from ..errors import ArgumentTypeError, ShapeError
from ..tensor import Tensor
from .operands import source

CODE = "FB-SAVE-03"


def _given(fallback: str) -> tuple[str, str]:
    """(module, argument) of the failing line `module.load_state_dict(argument)`, as code."""
    call = source()
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
        return ast.unparse(call.func.value), ast.unparse(call.args[0])
    return "model", fallback


def not_a_state(state: Any) -> ArgumentTypeError:
    """The error for something that is no dictionary."""
    model, given = _given("state")
    fact = f"Expected state_dict to be dict-like, got {type(state)}."
    if isinstance(state, str) or hasattr(state, "__fspath__"):
        return ArgumentTypeError(
            fact,
            why=f"`{given}` is the name of a file, not what is in it",
            fix=f"read it first: `{model}.load_state_dict(torch.load({given}))`",
            code=CODE,
            cause="path",
        )
    if hasattr(state, "state_dict"):
        return ArgumentTypeError(
            fact,
            why=f"`{given}` is a whole {type(state).__name__}, not the state of one",
            fix=f"use `{model}.load_state_dict({given}.state_dict())`",
            code=CODE,
            cause="whole-object",
        )
    return ArgumentTypeError(
        fact,
        why=f"a state dict maps names to tensors, and `{given}` is a {type(state).__name__}",
        fix=f"pass what `{model}.state_dict()` gave, for example `torch.load(path)`",
        code=CODE,
        cause="type",
    )


def does_not_fit(module: Any, state: dict, missing: list, unexpected: list, errors: list) -> ShapeError:
    """The error for a state dict with other keys or sizes than the module.

    errors: PyTorch's sentences about it, one each.
    """
    name, lines = type(module).__name__, "\n\t".join(errors)
    fact = f"Error(s) in loading state_dict for {name}:\n\t{lines}"
    _, given = _given("state")
    here, there = set(module.state_dict()), set(state)
    first = next(iter(state), "")
    for k in (first[: i + 1] for i, c in enumerate(first) if c == "."):
        if all(t.startswith(k) for t in there) and {t[len(k) :] for t in there} >= here:
            return ShapeError(
                fact,
                why=f"all {len(here)} keys match once '{k}' is removed: the file was saved from a wrapped model",
                fix=f'load `{{k.removeprefix("{k}"): v for k, v in {given}.items()}}`',
                code=CODE,
                cause="prefix",
            )
    own = next(iter(here), "")
    for k in (own[: i + 1] for i, c in enumerate(own) if c == "."):
        if all(t.startswith(k) for t in here) and {t[len(k) :] for t in here} <= there:
            return ShapeError(
                fact,
                why=f"all {len(there)} keys match once '{k}' is put before them: this model is wrapped, the saved one "
                "was not",
                fix=f'load `{{"{k}" + k: v for k, v in {given}.items()}}`',
                code=CODE,
                cause="prefix",
            )
    inside = [k for k, v in state.items() if isinstance(v, dict) and here & set(v)]
    if inside:
        return ShapeError(
            fact,
            why=f"`{given}` is a whole checkpoint; the state of the module is one of its entries",
            fix=f"load `{given}[{inside[0]!r}]`",
            code=CODE,
            cause="nested",
        )
    sizes = [
        (k, tuple(state[k].shape), tuple(t.shape))
        for k, t in module.state_dict().items()
        if isinstance(state.get(k), Tensor) and state[k].shape != t.shape
    ]
    if sizes and not missing and not unexpected:
        key, saved, wanted = sizes[0]
        layers = {k.rpartition(".")[0] for k, _, _ in sizes}
        last = [k.rpartition(".")[0] for k in module.state_dict()][-1]
        return ShapeError(
            fact,
            why=f"only the last layer, `{last}`, has another size: `{key}` is {saved} in the file and {wanted} here"
            if last and layers == {last}
            else f"{len(sizes)} entries have another size: `{key}` is {saved} in the file and {wanted} here",
            fix=f'leave its entries out, `{{k: v for k, v in {given}.items() if not k.startswith("{last}.")}}`, with '
            "`strict=False`; or build the model with the saved sizes"
            if last and layers == {last}
            else "build the model with the sizes that it was saved with",
            code=CODE,
            cause="size",
        )
    pairs = [(u, close[0]) for u in unexpected if (close := difflib.get_close_matches(u, missing, 1, 0.3))]
    if pairs:
        old, new = pairs[0]
        return ShapeError(
            fact,
            why=f"{len(missing)} key(s) are missing and {len(unexpected)} are not known: '{old}' in the file may be "
            f"'{new}' here",
            fix=f"rename the layers, or the keys: `{{k.replace({_part(old, new)!r}, {_part(new, old)!r}): v for k, v "
            f"in {given}.items()}}`",
            code=CODE,
            cause="renamed",
        )
    return ShapeError(
        fact,
        why=f"the file has {len(there)} entries, the module {len(here)}, and {len(here & there)} have the same name",
        fix="build the model as it was when it was saved; `strict=False` loads what fits and leaves the rest as it is",
        code=CODE,
        cause="keys",
    )


def _part(key: str, other: str) -> str:
    """The parts of a dotted key that another one does not have at its ends."""
    a, b = key.split("."), other.split(".")
    while len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return ".".join(a)
