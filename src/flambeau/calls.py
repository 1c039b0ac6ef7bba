"""The call that an error came from, as text: `linear(input: float32 (64, 32), weight: float32 (10, 16))`.

Read from the frames on the stack when an error is made, so it costs calls nothing. What is named is the outermost
function of this package that the user's code called, or, inside a layer, that the layer called.
"""

from __future__ import annotations

import inspect
import os
import sys
from types import FrameType
from typing import Any

from .place import NEVER, describe, kind_of

# Functions that stand around others, which are their local `fn`: (end of the file's name, name of the code object).
_AROUND = {("ops/misuse.py", "call"), ("ops/public.py", "called"), ("ops/public.py", "changed")}
# How special methods of tensors are written.
_WRITTEN = {
    "__getitem__": "{}[{}]",
    "__matmul__": "{} @ {}",
    "__rmatmul__": "{1} @ {0}",
    "__imatmul__": "{} @= {}",
}
_PLAIN = (bool, int, float, complex, str, type(None))
_LONGEST = 60
_HERE = os.path.dirname(os.path.abspath(__file__)).replace("\\", "/") + "/"
_SKIPPED = tuple(_HERE + name for name in ("errors.py", "mistakes/", "compiler/", "kernels/", "profiler/"))


def _class(module: str, name: str) -> Any:
    """A class of this package if it is loaded; this module stands below all of them."""
    loaded = sys.modules.get(f"{__package__}.{module}")
    return getattr(loaded, name, _Nothing)


class _Nothing:
    pass


def shown(x: Any) -> str:
    """An argument as text: tensors as dtype and shape, plain values as they are, other things by their class."""
    if isinstance(x, _class("tensor", "Tensor")):
        device = "" if x.is_cpu else f" on {x.device}"
        return f"{x.dtype.name} {tuple(x._array.shape)}{device}"
    if isinstance(x, _PLAIN):
        text = repr(x)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    if isinstance(x, (tuple, list)):
        parts = [shown(i) for i in x[:4]]
        if len(x) > 4:
            parts.append(f"... {len(x)} in all")
        inside = ", ".join(parts)
        if len(inside) > 3 * _LONGEST:
            return f"<{type(x).__name__} of {len(x)}>"
        return f"[{inside}]" if isinstance(x, list) else f"({inside}{',' if len(x) == 1 else ''})"
    if isinstance(x, slice):
        return ":".join("" if i is None else shown(i) for i in ((x.start, x.stop) if x.step is None else
                                                              (x.start, x.stop, x.step)))  # fmt: skip
    if x is Ellipsis:
        return "..."
    if isinstance(x, (_class("dtypes", "dtype"), _class("devices", "device"))):
        return repr(x).removeprefix("torch.")
    if isinstance(x, _class("nn.modules.module", "Module")):
        return describe(x)
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{type(x).__name__} {x.dtype} {tuple(x.shape)}"
    return f"<{x.__qualname__ if isinstance(x, type) or inspect.isroutine(x) else type(x).__name__}>"


def text_of(name: str, arguments: dict[str, Any]) -> str:
    """A call as text; names that begin with a star stand for what they hold."""
    if name in _WRITTEN and len(arguments) == 2:
        return _WRITTEN[name].format(*map(shown, arguments.values()))
    parts = []
    for key, value in arguments.items():
        tensor = isinstance(value, _class("tensor", "Tensor"))
        parts.append(shown(value) if key.startswith("*") else f"{key}: {shown(value)}" if tensor else
                     f"{key}={shown(value)}")  # fmt: skip
    return f"{name}({', '.join(parts)})"


def call_of(start: FrameType | None, user: FrameType | None) -> str:
    """The call that failed at the frame `start`, below the user's frame; empty where none is found."""
    found = failed_call(start, user)
    return text_of(*found) if found is not None else ""


def failed_call(start: FrameType | None, user: FrameType | None) -> tuple[str, dict[str, Any]] | None:
    """(name, arguments by name) of the call that failed."""
    inside: list[FrameType] = []
    frame = start
    while frame is not None and frame is not user:
        inside.append(frame)
        frame = frame.f_back
    module = _class("nn.modules.module", "Module")
    layer, at = None, len(inside)
    for i, frame in enumerate(inside):
        if frame.f_code.co_name in ("forward", "__call__") and isinstance(frame.f_locals.get("self"), module):
            layer, at = frame, i
            break
    for frame in reversed(inside[:at]):
        found = _public(frame)
        if found is not None:
            return found
    return (type(layer.f_locals["self"]).__name__, _arguments(layer)) if layer is not None else None


def called_by(start: FrameType | None, user: FrameType | None) -> dict[str, Any]:
    """The arguments of what the user's line itself called: a public function, or the `forward` of a module."""
    inside: list[FrameType] = []
    frame = start
    while frame is not None and frame is not user:
        inside.append(frame)
        frame = frame.f_back
    for frame in reversed(inside):
        if frame.f_code.co_name == "__call__" and isinstance(
            frame.f_locals.get("self"), _class("nn.modules.module", "Module")
        ):
            continue
        found = _public(frame)
        if found is not None:
            return found[1]
    return {}


def _public(frame) -> tuple[str, dict[str, Any]] | None:
    """(name, arguments) of a frame if it runs a public function of the package."""
    code = frame.f_code
    file, name = code.co_filename.replace("\\", "/"), code.co_name
    if kind_of(code.co_filename) != NEVER or not file.startswith(_HERE) or file.startswith(_SKIPPED):
        return None
    local = frame.f_locals
    if any(file.endswith(end) and name == function for end, function in _AROUND):
        fn = local["fn"]
        args = (local["self"], *local["args"]) if name == "changed" else local["args"]
        title = fn.__name__ + "_" * (name == "changed")
        return title, _bound(fn, args, local["kwargs"])
    if file.endswith("ops/elementwise.py"):
        maker = local.get("prim") or getattr(local.get("record"), "__self__", None)
        if maker is None or "input" not in local:
            return None
        return maker.name, {k: local[k] for k in ("input", "other") if k in local}
    if name.startswith(("<", "_")) and not (name.startswith("__") and name.endswith("__")):
        # A Tensor method under another name than its function's: x[...] is __getitem__.
        name = next((n for n, f in vars(_class("tensor", "Tensor")).items() if _runs(f, code)), "")
        return (name, _arguments(frame, keep=True)) if name else None
    if code.co_argcount and code.co_varnames[0] in ("self", "cls"):
        return _method(frame, name)
    return name, _arguments(frame)


def _method(frame, name):
    owner = frame.f_locals.get(frame.f_code.co_varnames[0])
    if isinstance(owner, _class("tensor", "Tensor")):
        return name, _arguments(frame, keep=True)
    if isinstance(owner, _class("ops.primitive", "Primitive")) or isinstance(owner, BaseException):
        return None
    cls = owner if isinstance(owner, type) else type(owner)
    if name in ("__init__", "__new__", "__call__"):
        return cls.__name__, _arguments(frame)
    return f"{cls.__name__}.{name}", _arguments(frame)


def _arguments(frame, keep=False) -> dict[str, Any]:
    """The arguments of a frame by name, without `self` (unless `keep`) and what has its default value."""
    code, local = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    names = list(code.co_varnames[:count])
    if names and names[0] in ("self", "cls") and not keep:
        del names[0]
    defaults = _defaults(frame)
    found = {n: local[n] for n in names[: len(names) - code.co_kwonlyargcount] if n in local}
    if code.co_flags & inspect.CO_VARARGS:
        found.update({f"*{i}": x for i, x in enumerate(local.get(code.co_varnames[count], ()))})
        count += 1
    found.update({n: local[n] for n in names if n in local})
    found = {n: x for n, x in found.items() if n not in defaults or not _same(x, defaults[n])}
    if code.co_flags & inspect.CO_VARKEYWORDS:
        found.update(local.get(code.co_varnames[count], {}))
    return found


def _runs(fn: Any, code: Any) -> bool:
    """Whether a function runs this code, itself or while a profiler watches it (profiler/exchange.py)."""
    own = getattr(fn, "__code__", None)
    return own is not None and (
        own is code or any(getattr(c[0], "__code__", None) is code for c in own.co_consts if type(c) is tuple and c)
    )


def _same(x, default) -> bool:
    """Whether an argument is the parameter's default value."""
    return x is default or type(x) is type(default) and isinstance(x, _PLAIN) and x == default


def _defaults(frame) -> dict[str, Any]:
    """The default values of the function that a frame runs, where the function can be found by its name."""
    code = frame.f_code
    fn: Any = frame.f_globals.get(code.co_name)
    if fn is None and code.co_argcount and code.co_varnames[0] in frame.f_locals:
        owner = frame.f_locals[code.co_varnames[0]]
        fn = getattr(owner if isinstance(owner, type) else type(owner), code.co_name, None)
    fn = inspect.unwrap(fn) if callable(fn) else None
    if not _runs(fn, code):
        return {}
    return {p.name: p.default for p in inspect.signature(fn).parameters.values() if p.default is not p.empty}


def _bound(fn, args, kwargs) -> dict[str, Any]:
    """Arguments by the names of their parameters; by position where they do not fit."""
    try:
        bound = inspect.signature(fn).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return {**{f"*{i}": x for i, x in enumerate(args)}, **kwargs}
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            found.update({f"*{i}": x for i, x in enumerate(value)})
        elif kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif not _same(value, bound.signature.parameters[name].default):
            found[name] = value
    return found
