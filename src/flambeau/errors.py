"""Error classes, and how one message is laid out: PyTorch's sentence, then the reason, then the remedy.

Every class derives from what PyTorch raises for the same mistake, so that programs which catch
`RuntimeError` or match on PyTorch's wording go on working.
"""

from __future__ import annotations

from typing import Any


class FlambeauError(Exception):
    """Base of all errors that flambeau raises itself.

    Arguments:
        fact: what happened; PyTorch's own sentence where it has one, with the actual values.
        args: further arguments of the exception, as `Exception` takes them.
        why: the reason, in one sentence.
        fix: what to do, with the actual numbers filled in.
        code: the mistake's code, such as FB-SHAPE-01, where it is one of the known mistakes.
        cause: which of the known causes of that mistake it is.

    >>> from flambeau.errors import ShapeError
    >>> print(ShapeError("inner sizes differ: 3 and 4", why="a @ b needs them equal", fix="use `b.mT`"))
    inner sizes differ: 3 and 4
      why: a @ b needs them equal
      fix: use `b.mT`
    """

    def __init__(self, fact: Any = "", *args, why: str = "", fix: str = "", code: str = "", cause: str = ""):
        super().__init__(fact, *args)
        self.fact, self.why, self.fix, self.code, self.cause = str(fact), why, fix, code, cause

    def __str__(self) -> str:
        return layout(self)

    def __reduce__(self):
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind, args, state):
    """An error as it was pickled or copied, without running its constructor again."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def layout(error: FlambeauError) -> str:
    """The text of an error: the fact on the first line, then what else is known, one labelled line each."""
    lines = [error.fact]
    if error.why:
        lines.append(f"  why: {error.why}")
    if error.fix:
        lines.append(f"  fix: {error.fix}")
    if error.code:
        cause = f" ({error.cause})" if error.cause else ""
        lines.append(f"  more: flambeau explain {error.code}{cause}")
    return "\n".join(lines)


class ShapeError(FlambeauError, RuntimeError):
    """Shapes that do not fit together."""


class DeviceError(FlambeauError, RuntimeError):
    """Tensors on different devices, or a device that is not there."""


class DtypeError(FlambeauError, RuntimeError):
    """A dtype that the operation does not take."""


class GradientError(FlambeauError, RuntimeError):
    """Differentiation that cannot be done: no graph, freed graph, in-place edit of what backward needs."""


class StateError(FlambeauError, RuntimeError):
    """A call that comes at the wrong time, or that an object cannot carry out as it is: any other RuntimeError."""


class IndexOutOfRange(FlambeauError, IndexError):
    """An index, or a dimension number, outside its range."""


class ArgumentError(FlambeauError, ValueError):
    """An argument of the right type with an impossible value."""


class ArgumentTypeError(FlambeauError, TypeError):
    """An argument of the wrong type, or one that the function does not have."""


class MissingKey(FlambeauError, KeyError):
    """A name or key that is not there."""


class MissingAttribute(FlambeauError, AttributeError):
    """An attribute that is not there, or that cannot be set."""


class FailedAssertion(FlambeauError, AssertionError):
    """What PyTorch checks with `assert`, and what flambeau.testing compares."""


class CompileError(FlambeauError, RuntimeError):
    """What torch.compile was told to do and cannot."""


class NotSupported(FlambeauError, NotImplementedError):
    """Something that PyTorch has and flambeau does not, or that a subclass has to define: said plainly."""


class MissingDependency(FlambeauError, ModuleNotFoundError):
    """An optional package that has to be installed for this; an ImportError."""


class MissingFile(FlambeauError, FileNotFoundError):
    """A file or folder that is not there."""


class IsAFolder(FlambeauError, IsADirectoryError):
    """A folder where a file has to be."""


class EndOfFile(FlambeauError, EOFError):
    """A file that ends too early."""


class ExportError(FlambeauError, BufferError):
    """Memory that cannot be handed to another library (DLPack, the buffer protocol)."""


class OutOfMemoryError(FlambeauError, RuntimeError, MemoryError):
    """The machine has no memory left for a tensor of this size."""


class TooLarge(FlambeauError, OverflowError):
    """A number that does not fit in 64 bits."""


class DivisionByZero(FlambeauError, ZeroDivisionError):
    """Whole numbers divided by zero."""


def attr_error(module: str, name: str) -> AttributeError:
    """The error for a PyTorch name that flambeau does not have."""
    return MissingAttribute(f"module '{module}' has no attribute '{name}' (flambeau does not have this name)")
