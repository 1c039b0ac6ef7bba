"""Where in the user's own code something happens: the file and line, and the path to the module that runs.

Frames are walked only when an error or a finding is made. Files are told apart by where they lie: this package, NumPy
and the standard library are never to blame; installed packages only where no file of the user's is further out.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from types import FrameType
from typing import Any

import numpy as np

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# What stands between a function and its caller: the doctor's twins of PyTorch's operations, and a profiler.
_BETWEEN = (os.path.join(_HERE, "doctor", "pytorch") + os.sep, os.path.join(_HERE, "profiler", "exchange.py"))
_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
_STANDARD = tuple({os.path.realpath(sysconfig.get_path(k)) + os.sep for k in ("stdlib", "platstdlib")})
_GENERATED = ("<frozen ", "<flambeau", "<__array_function__", "<attrs ")
NEVER, INSTALLED, USER = 0, 1, 2
_kinds: dict[str, int] = {}
_hidden: list[str] = []
foreign: list[type] = []  # classes of modules that are not flambeau's
foreign_tensors: list[type] = []  # and of tensors, parameters
LIBRARY = ("flambeau.", "torch.")  # how the names of modules begin whose classes are not the user's


def hide(folder: str) -> None:
    """Treat the files of a folder as this package's own: never to blame (PyTorch's, when the doctor looks at it)."""
    _hidden.append(os.path.abspath(folder) + os.sep)
    _kinds.clear()


def kind_of(file: str) -> int:
    """Whose code a file is: NEVER to blame (this package, NumPy, Python's own), INSTALLED, or the USER's."""
    kind = _kinds.get(file)
    if kind is None:
        kind = _kinds[file] = _kind_of(file)
    return kind


def _kind_of(file):
    if file.startswith("<"):
        return NEVER if file.startswith(_GENERATED) else USER
    path = os.path.abspath(file)
    if path.startswith((_HERE, _NUMPY, *_hidden)):
        return NEVER
    if f"{os.sep}site-packages{os.sep}" in path or f"{os.sep}dist-packages{os.sep}" in path:
        return INSTALLED
    return NEVER if os.path.realpath(path).startswith(_STANDARD) else USER


def user_frame(start: FrameType | None) -> FrameType | None:
    """The first frame of the user's code from `start` outwards; one of an installed package if there is no other."""
    installed = None
    frame = start
    while frame is not None:
        kind = kind_of(frame.f_code.co_filename)
        if kind == USER:
            return frame
        if kind == INSTALLED and installed is None:
            installed = frame
        frame = frame.f_back
    return installed


def is_tensor(x: Any) -> bool:
    """Whether an object is a tensor, of flambeau's or, while the doctor follows it, of PyTorch's.

    Its class is asked: objects of the user's may do anything when they are asked for an attribute.
    """
    return hasattr(type(x), "_rg")


def past(frame: FrameType | None) -> Any:
    """A frame, or where it was called from if it only stands between a function and its caller."""
    while frame is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        frame = frame.f_back
    return frame


class Place:
    """A line of the user's code, and the module that ran there.

    Attributes: file, line, function, source (the text of the line), module (such as `Net.head = Linear(...)`); what is
    not known is empty.

    >>> from flambeau.place import Place
    >>> print(Place("train.py", 12, "forward", "return self.head(x)", "Net.head = Linear"))
    train.py:12 in forward: `return self.head(x)`; module Net.head = Linear
    """

    __slots__ = ("file", "function", "line", "module", "source")

    def __init__(self, file: str, line: int, function: str = "", source: str = "", module: str = ""):
        self.file, self.line, self.function, self.source, self.module = file, line, function, source, module

    @classmethod
    def of_frame(cls, frame: FrameType, module: str = "") -> Place:
        """The place where a frame is now."""
        return cls._at(frame.f_code, frame.f_lineno, frame.f_globals, module)

    @classmethod
    def _at(cls, code, line, namespace, module):
        function = "" if code.co_name == "<module>" else code.co_name
        source = linecache.getline(code.co_filename, line, namespace).strip()
        return cls(code.co_filename, line, function, source, module)

    def where(self) -> str:
        """File and line, the file from the working directory on if it lies there."""
        file = self.file
        if os.path.isabs(file):
            try:
                inside = os.path.relpath(file)
            except (OSError, ValueError):  # no working directory any more, or another drive
                inside = os.pardir
            file = file if inside.startswith(os.pardir) else inside
        return f"{file}:{self.line}"

    def __str__(self) -> str:
        text = self.where()
        if self.function:
            text += f" in {self.function}"
        if self.source:
            text += f": `{self.source}`"
        return f"{text}; module {self.module}" if self.module else text

    def __repr__(self) -> str:
        return (
            f"Place({', '.join(f'{name}={getattr(self, name)!r}' for name in ('file', 'line', 'function', 'module'))})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __reduce__(self):
        return Place, (self.file, self.line, self.function, self.source, self.module)


# ------------------------------------------------------------------------------------------------ modules


def running(start: FrameType | None) -> list[Any]:
    """The modules whose `forward` is running at a frame, the innermost first."""
    loaded = sys.modules.get(f"{__package__}.nn.modules.module")
    kinds = (*foreign, *([] if loaded is None else [loaded.Module]))
    found: list[Any] = []
    frame = start if kinds else None
    while frame is not None:
        code = frame.f_code
        if code.co_name in ("forward", "__call__") and code.co_argcount and code.co_varnames[0] == "self":
            module = frame.f_locals.get("self")
            if isinstance(module, kinds) and (not found or found[-1] is not module):
                found.append(module)
        frame = frame.f_back
    return found


def path_of(modules: list[Any]) -> tuple[Any, str]:
    """(root, dotted path of the first module in it), for modules that run inside each other, the innermost first."""
    root, path = modules[0], ""
    for outer in modules[1:]:
        name = next((n for n, m in outer.named_modules() if m is root), "")
        if name:
            root, path = outer, f"{name}.{path}" if path else name
    return root, path


def module_path(start: FrameType | None) -> str:
    """The module that runs at a frame, as a path from the outermost one: `Net.head = Linear(...)`; empty if none."""
    modules = running(start)
    if not modules:
        return ""
    root, path = path_of(modules)
    what = describe(modules[0])
    return f"{type(root).__name__}.{path} = {what}" if path else what


def describe(module: Any) -> str:
    """A layer as it prints; a module with parts, or of the user's own class, by its class."""
    if not module._modules and type(module).__module__.startswith((f"{__package__}.", "torch.nn.")):
        text = repr(module)
        if "\n" not in text and len(text) < 200:
            return text
    return type(module).__name__
