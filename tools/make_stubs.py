#!/usr/bin/env python3
"""Write the type stubs of the names that are made at run time: `flambeau/__init__.pyi`, `tensor.pyi`, `linalg.pyi`...

    python tools/make_stubs.py           # write
    python tools/make_stubs.py --check   # fail when they are not what would be written

Functions and methods come from the registry of operations, so no source file lists them; editors and type checkers
read them here.
"""

import inspect
import sys
import types
from pathlib import Path

import flambeau
from flambeau.ops.entry import METHODS, REGISTRY, namespace
from flambeau.tensor import Size, Tensor

NAMESPACES = ("fft", "linalg", "special", "signal.windows")  # modules that hold functions of the registry only
ROOT = Path(flambeau.__file__).parent
HEAD = "# Made by tools/make_stubs.py from the registry of operations; not to be edited.\n"
SIMPLE = {
    "bool": "_bool", "int": "_int", "float": "_float", "str": "str", "None": "None", "Tensor": "Tensor", "Size": "Size",
    "dtype": "dtype",
}  # fmt: skip
BUILTINS = "from builtins import bool as _bool, float as _float, int as _int\nfrom typing import Any\n"
CREATES = {
    "zeros", "ones", "empty", "full", "rand", "randn", "randint", "randperm", "arange", "linspace", "eye", "tensor",
    "as_tensor", "from_numpy", "cat", "stack", "matmul", "mm", "bmm", "where",
}  # fmt: skip


def annotation(text):
    """A stub annotation for what a source annotation says, where it is one of the simple ones."""
    name = text if isinstance(text, str) else getattr(text, "__name__", "")
    return SIMPLE.get(name.strip("'\""), "Any")


def default(value):
    """A default as a stub shows it."""
    return (
        repr(value)
        if isinstance(value, (bool, int, float, str, type(None))) and repr(value) not in ("nan", "inf")
        else "..."
    )


def signature(name, function, method=False):
    """`def name(parameters) -> result: ...`"""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return f"def {name}(*args: Any, **kwargs: Any) -> Any: ..."
    parts, star = [], False
    for i, p in enumerate(found.parameters.values()):
        label = p.name
        if i == 0 and method:
            parts.append("self")
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        kind = annotation(p.annotation) if p.annotation is not p.empty else "Any"
        if p.kind is p.VAR_POSITIONAL:
            star = True
            parts.append(f"*{label}: {kind}")
        elif p.kind is p.VAR_KEYWORD:
            parts.append(f"**{label}: {kind}")
        elif p.default is p.empty:
            parts.append(f"{label}: {kind}")
        else:
            value = default(p.default)
            wide = f"{kind} | None" if value == "None" and kind not in ("Any", "None") else kind
            parts.append(f"{label}: {wide} = {value}")
    if "out" not in found.parameters and getattr(function, "__flambeau_out__", False):
        extra = ([] if star else ["*"]) + ["out: Any = None"]
        at = len(parts) - bool(parts and parts[-1].startswith("**"))
        parts[at:at] = extra
    result = annotation(found.return_annotation) if found.return_annotation is not found.empty else "Any"
    if result == "Any" and (
        name in CREATES
        or name.endswith("_")
        and not name.endswith("__")
        or getattr(function, "__qualname__", "") == name
    ):
        result = "Tensor" if (name in CREATES or name.endswith("_") and not name.endswith("__")
                              or _elementwise(function)) else "Any"  # fmt: skip
    return f"def {name}({', '.join(parts)}) -> {result}: ..."


def _elementwise(function):
    return list(inspect.signature(function).parameters)[:3] in (["input", "out"], ["input", "other", "out"])


def tensor_stub():
    """The class Tensor with everything that was attached to it."""
    lines = [
        HEAD,
        "import numpy as np",
        BUILTINS,
        "from .devices import device as _device",
        "from .dtypes import dtype",
        "",
    ]
    lines += [f"class {Size.__name__}(tuple[_int, ...]):", "    def numel(self) -> _int: ...", ""]
    lines += ["class Tensor:", "    _array: np.ndarray"]
    known = {"shape": "Size", "dtype": "dtype", "device": "_device", "grad": "Tensor | None", "requires_grad": "_bool",
             "is_leaf": "_bool", "ndim": "_int", "T": "Tensor", "mT": "Tensor", "data": "Tensor", "itemsize": "_int",
             "nbytes": "_int", "real": "Tensor", "imag": "Tensor", "H": "Tensor", "mH": "Tensor"}  # fmt: skip
    settable = {"grad", "requires_grad", "data", "real", "imag"}
    for name, value in sorted(vars(Tensor).items()):
        if name in (
            "__dict__",
            "__weakref__",
            "__doc__",
            "__module__",
            "__annotations__",
            "_array",
            "__init__",
            "__new__",
        ):
            continue
        if isinstance(value, property):
            kind = known.get(name, "Any")
            if name in settable:
                lines.append(f"    {name}: {kind}")
            else:
                lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
        elif isinstance(value, staticmethod):
            lines += ["    @staticmethod", "    " + signature(name, value.__func__)]
        elif isinstance(value, types.FunctionType):
            lines.append("    " + signature(name, value, method=True))
        elif callable(value):
            lines.append(f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ...")
        else:
            lines.append(f"    {name}: Any")
    lines += ["    def __init__(self, *data: Any, device: Any = None) -> None: ..."]
    lines += ["", "wrap = Tensor.wrap", "def attach(name: str, function: Any) -> None: ...",
              "def is_tensor(obj: Any) -> _bool: ..."]  # fmt: skip
    return "\n".join(lines) + "\n"


def package_stub():
    """The names of `flambeau`."""
    lines = [HEAD, BUILTINS, "from .tensor import Size as Size, Tensor as Tensor, is_tensor as is_tensor"]
    modules, names = sorted(flambeau._LAZY_MODULES), []
    present = [m for m in modules if (ROOT / m).is_dir() or (ROOT / f"{m}.py").is_file()]
    lines.append("from . import " + ", ".join(f"{m} as {m}" for m in ["autograd", "errors", *present]))
    for name, module in sorted(flambeau._LAZY_NAMES.items()):
        lines.append(f"from .{module} import {name} as {name}")
    for name, value in sorted(vars(flambeau).items()):
        if name.startswith("__") or name in ("Tensor", "Size", "is_tensor") or name in flambeau._LAZY_NAMES:
            continue
        if isinstance(value, types.ModuleType) or name.startswith("_"):
            continue
        if name in REGISTRY:
            names.append(signature(name, value))
        elif isinstance(value, (type, types.FunctionType)) and value.__module__.startswith("flambeau."):
            short = value.__module__.removeprefix("flambeau")
            if short == ".storage" and issubclass(value, flambeau.TypedStorage) and value is not flambeau.TypedStorage:
                names.append(f"class {name}(TypedStorage): ...")  # made in a loop, one for each dtype
            else:
                lines.append(f"from {short} import {value.__name__} as {name}")
        elif isinstance(value, flambeau.dtype):
            names.append(f"{name}: dtype")
        else:
            names.append(f"{name}: Any")
    return "\n".join([*lines, "__version__: str", *names]) + "\n"


def namespace_stub(prefix):
    """The functions of one namespace, such as `flambeau.linalg`."""
    lines = [HEAD, BUILTINS, f"from {'.' * (prefix.count('.') + 1)}tensor import Tensor", ""]
    for name, value in sorted(namespace(prefix).items()):
        if isinstance(value, type):
            lines.insert(2, f"from {value.__module__.removeprefix('flambeau')} import {value.__name__} as {name}")
        else:
            lines.append(signature(name, value))
    return "\n".join(lines) + "\n"


def main():
    wanted = {ROOT / "__init__.pyi": package_stub(), ROOT / "tensor.pyi": tensor_stub()}
    wanted |= {ROOT / f"{name.replace('.', '/')}.pyi": namespace_stub(name) for name in NAMESPACES}
    stale = [p.name for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    if "--check" in sys.argv:
        return f"out of date: {', '.join(stale)}; run python tools/make_stubs.py" if stale else 0
    for path, text in wanted.items():
        path.write_text(text)
    print(f"{len(METHODS)} methods, {len(REGISTRY)} functions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
