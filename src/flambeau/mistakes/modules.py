"""Modules and optimizers used in a way that cannot work: forward without return (FB-MOD-06), names that a module does
not have (FB-MOD-04), a loss built with the data (FB-LOSS-10), an optimizer without parameters (FB-OPT-01)."""

from __future__ import annotations

import ast
import difflib
import inspect
import linecache
import textwrap
from collections.abc import Iterable
from typing import Any

from ..checks import registry
from ..errors import ArgumentError, ArgumentTypeError, MissingAttribute, ShapeError
from ..place import is_tensor
from .operands import source, user


def _package() -> str:
    return __package__.partition(".")[0]


# ---------------------------------------------------------------------- forward without return


def _forward_of(cls: type) -> ast.FunctionDef | None:
    """The source of forward of a class of modules; None where it cannot be read, or belongs to the framework."""
    forward = getattr(cls, "forward", None)
    code = getattr(forward, "__code__", None)
    if code is None or cls.__module__.startswith(f"{_package()}."):
        return None
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    try:
        tree = ast.parse(textwrap.dedent("".join(inspect.getblock(lines))))
    except (SyntaxError, IndentationError):
        return None
    return tree.body[0] if tree.body and isinstance(tree.body[0], ast.FunctionDef) else None


def _own(body):
    """The nodes of a function's statements, without those of functions inside it."""
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield node
            yield from _own(ast.iter_child_nodes(node))


def _returns_nothing(cls: type) -> str | None:
    """The variable that forward assigned last ("" if none), where it has no return with a value; else None."""
    forward = _forward_of(cls)
    if forward is None:
        return None
    nodes = list(_own(forward.body))
    if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in nodes) or _ends(forward.body):
        return None
    last = ""
    for statement in forward.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            last = statement.targets[0].id
    return last


def _ends(body: list[ast.stmt]) -> bool:
    """Whether statements always end with a value that is returned, or with an error."""
    last = body[-1] if body else None
    if isinstance(last, ast.Return):
        return last.value is not None
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    if isinstance(last, (ast.With, ast.For, ast.While)):
        return _ends(last.body)
    if isinstance(last, ast.Try):
        return _ends(last.body) and all(_ends(h.body) for h in last.handlers) or _ends(last.finalbody)
    return isinstance(last, (ast.Raise, ast.Match))


def _returns_at_times(cls: type) -> bool:
    forward = _forward_of(cls)
    return forward is not None and any(isinstance(n, ast.Return) and n.value for n in _own(forward.body))


def returned_nothing(fact: str, defined: Iterable[type] = ()) -> ArgumentTypeError | None:
    """The error for None where a tensor is needed, if a module whose forward has no return is the one that gave it.

    defined: classes of modules that may have been used, apart from those of the modules there are.
    """
    for classes in (_called_classes(), [type(m) for m in registry.modules()], defined):
        found = {c.__name__: (last, c) for c in classes if (last := _returns_nothing(c)) is not None}
        if found:
            break
    if len(found) != 1:
        return None
    name = next(iter(found))
    return ArgumentTypeError(
        fact,
        why=f"None was passed on: {name}.forward has no return statement, so calling it gives None"
        if not _returns_at_times(found[name][1])
        else f"None was passed on: one way through {name}.forward ends without a return statement, and gives None",
        fix=f"add `return {found[name][0]}` at the end of {name}.forward"
        if found[name][0]
        else f"add a `return` with the result at the end of {name}.forward",
        code="FB-MOD-06",
    )


def _called_classes() -> list[type]:
    """The classes, and those of the objects, that the failing line calls."""
    frame = user()
    if frame is None:
        return []
    classes = []
    for node in ast.walk(source() or ast.Tuple([], ast.Load())):
        if isinstance(node, ast.Call):
            function = node.func.func if isinstance(node.func, ast.Call) else node.func
            value: Any = None
            if isinstance(function, ast.Name):
                value = frame.f_locals.get(function.id, frame.f_globals.get(function.id))
            elif isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "self":
                own = getattr(frame.f_locals.get("self"), "__dict__", {})
                value = own.get("_modules", {}).get(function.attr)
            if value is not None:
                classes.append(value if isinstance(value, type) else type(value))
    return classes


# ---------------------------------------------------------------------- names that a module does not have

_MEANT = {
    "test": "eval()", "evaluate": "eval()", "infer": "eval()", "inference": "eval()", "validate": "eval()",
    "validation": "eval()", "eval_mode": "eval()", "train_mode": "train()", "mode": "training",
    "is_training": "training", "cuda_": "cuda()", "to_": "to(device)", "cpu_": "cpu()",
    "freeze": "requires_grad_(False)",
    "unfreeze": "requires_grad_()", "zero_gradients": "zero_grad()", "zero_grads": "zero_grad()",
    "params": "parameters()", "weights": "parameters()", "get_parameters": "parameters()",
    "layers": "children()", "get_weights": "state_dict()", "save_weights": "state_dict()",
    "set_weights": "load_state_dict(state)", "load_weights": "load_state_dict(state)", "load": "load_state_dict(state)",
    "init_weights": "apply(function)", "forward_pass": "forward",
}  # fmt: skip


def no_such_attribute(module: Any, name: str) -> MissingAttribute:
    """The error for an attribute that a module does not have; what may have been meant is proposed."""
    cls = type(module).__name__
    fact = f"'{cls}' object has no attribute '{name}'"
    frame = user()
    variable = next((n for n, v in (frame.f_locals if frame is not None else {}).items() if v is module), "model")
    meant = _MEANT.get(name)
    if meant == "eval()":
        error = MissingAttribute(
            fact,
            why=f"modules have no {name}(); training and evaluation differ by a mode (dropout, batch norm)",
            fix=f"for evaluation call `{variable}.eval()`, and the module inside `torch.no_grad()`",
            code="FB-MOD-04",
        )
    elif meant is not None:
        error = MissingAttribute(
            fact,
            why=f"modules have no {name}",
            fix=f"use `{variable}.{meant}`",
            code="FB-MOD-04",
        )
    elif name in ("predict", "fit", "summary", "save", "step", "backward"):
        error = MissingAttribute(
            fact,
            why=f"modules have no {name}(): it is not part of a network",
            fix=f"call the module itself, `{variable}(x)`, in eval mode under `torch.no_grad()`"
            if name == "predict"
            else f"write the loop: `loss = criterion({variable}(x), y)`, then `loss.backward()` and `optimizer.step()`"
            if name == "fit"
            else f"use `print({variable})`"
            if name == "summary"
            else f"use `torch.save({variable}.state_dict(), path)`"
            if name == "save"
            else "an optimizer steps: `optimizer.step()`"
            if name == "step"
            else "a loss is differentiated: `loss.backward()`",
            code="FB-MOD-04",
        )
    elif "_modules" not in module.__dict__:
        error = MissingAttribute(
            fact,
            why=f"{cls}.__init__ has not called `super().__init__()` yet",
            fix="call `super().__init__()` first in `__init__`",
        )
    else:
        close = difflib.get_close_matches(name, [n for n in dir(module) if not n.startswith("_")], 1, 0.75)
        owned = ", ".join([*module._modules, *module._parameters, *module._buffers][:12]) or "none of its own"
        error = MissingAttribute(
            fact,
            why=f"its layers, parameters and buffers are: {owned}",
            fix=f"did you mean `{variable}.{close[0]}`?" if close else f"assign it in `__init__`: `self.{name} = ...`",
            code="FB-MOD-04" if close else "",
        )
    error.name, error.obj = name, module
    return error


# ---------------------------------------------------------------------- a loss built with the data


def built_with_data(cls: type, args: tuple) -> ShapeError:
    """The error for a loss class that is given tensors as if it were the function."""
    call = source()
    given = [ast.unparse(a) for a in call.args] if isinstance(call, ast.Call) else []
    data = ", ".join(given) or "x, y"
    return ShapeError(
        "Boolean value of Tensor with more than one value is ambiguous",
        why=f"`nn.{cls.__name__}({data})` builds a loss object whose options are the tensors; it computes nothing",
        fix=f"build it first, then call it: `nn.{cls.__name__}()({data})`"
        if len(args) > 1
        else f"build it first, then call it with input and target: `nn.{cls.__name__}()({data}, target)`",
        code="FB-LOSS-10",
        cause="built-with-data",
    )


# ---------------------------------------------------------------------- an optimizer without parameters


def parameters_of(params: Any) -> tuple[str, Any]:
    """(what, module) that an iterable of parameters comes from, before it is read: "used" for one that is used up."""
    for _ in range(4):
        if isinstance(params, filter):
            params = params.__reduce__()[1][1]
            continue
        if not inspect.isgenerator(params):
            return "", None
        if params.gi_frame is None:
            return "used", None
        local = params.gi_frame.f_locals
        if "self" in local and hasattr(local["self"], "_modules"):
            return "module", local["self"]
        params = local.get(".0")
    return "", None


def no_parameters(optimizer: str, origin: tuple[str, Any]) -> ArgumentError:
    """The error for an optimizer that was given nothing; origin: what `parameters_of` found."""
    what, module = origin
    fact = "optimizer got an empty parameter list"
    if what == "used":
        return ArgumentError(
            fact,
            why=f"{optimizer} was given a generator that was used up before, for example by counting the parameters",
            fix="call `model.parameters()` again for the optimizer, or keep `list(model.parameters())`",
            code="FB-OPT-01",
            cause="used-up",
        )
    if module is None:
        return ArgumentError(
            fact,
            why=f"{optimizer} was given an iterable without any parameter",
            fix="pass `model.parameters()`, and keep layers in attributes or in `nn.ModuleList`",
            code="FB-OPT-01",
        )
    cls = type(module).__name__
    held = list(module.parameters())
    if held:
        return ArgumentError(
            fact,
            why=f"none of the {len(held)} parameters of {cls} was let through: {sum(p._rg for p in held)} of them "
            "require grad",
            fix="leave `requires_grad` on for the layers that are to learn, such as `model.head.requires_grad_()`",
            code="FB-OPT-01",
            cause="frozen",
        )
    for name, value in module.__dict__.items():
        kind = type(value).__name__
        items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
        layers = [i for i in items if hasattr(i, "_modules") and hasattr(i, "parameters")]
        if layers and not name.startswith("_"):
            return ArgumentError(
                fact,
                why=f"{optimizer} received no parameters: {cls}.parameters() is empty because {cls}.{name} is a plain "
                f"{kind} of {len(layers)} module(s)",
                fix=f"use `nn.ModuleDict` for `self.{name}`"
                if isinstance(value, dict)
                else f"use `nn.ModuleList` for `self.{name}`",
                code="FB-OPT-01",
                cause="plain-list",
            )
        tensors = [i for i in (items or [value]) if is_tensor(i) and i._array.dtype.kind == "f"]
        if tensors and not name.startswith("_"):
            return ArgumentError(
                fact,
                why=f"{optimizer} received no parameters: {cls}.{name} is a plain tensor, which the module does not "
                "count as a parameter",
                fix=f"make it one: `self.{name} = nn.Parameter(...)`",
                code="FB-OPT-01",
                cause="plain-tensor",
            )
    return ArgumentError(
        fact,
        why=f"{optimizer} received no parameters: {cls} has no layers or parameters of its own",
        fix="make the layers in `__init__` and keep them: `self.layer = nn.Linear(...)`; forward is too late",
        code="FB-OPT-01",
        cause="no-layers",
    )
