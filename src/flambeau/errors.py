"""Error classes, and how one message is laid out: PyTorch's sentence, the reason, the remedy, the call, the place.

Every class derives from what PyTorch raises for the same mistake, so that programs which catch
`RuntimeError` or match on PyTorch's wording go on working.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

from .calls import call_of
from .language import both, line
from .language import text as _
from .place import Place, module_path, user_frame


class FlambeauError(Exception):
    """Base of all errors that flambeau raises itself.

    Arguments:
        fact: what happened; PyTorch's own sentence where it has one, with the actual values.
        args: further arguments of the exception, as `Exception` takes them.
        why: the reason, in one sentence.
        fix: what to do, with the actual numbers filled in.
        code: the mistake's code, such as FB-SHAPE-01, where it is one of the known mistakes.
        cause: which of the known causes of that mistake it is.

    Attributes: the arguments under their names; call: the call that failed, as text; place: where in the user's code
    (a `Place`, or None). Both are found here, from the frames on the stack.

    >>> from flambeau.errors import ShapeError
    >>> error = ShapeError("inner sizes differ: 3 and 4", why="a @ b needs them equal", fix="use `b.mT`")
    >>> print(str(error).partition("  at:")[0].rstrip())
    inner sizes differ: 3 and 4
      why: a @ b needs them equal
      fix: use `b.mT`
    """

    PARTS = ("why", "fix", "code", "cause", "call", "place")  # what may be known beside the fact
    why: str
    fix: str
    code: str
    cause: str
    call: str = ""
    place: Place | None = None

    def __init__(self, fact: Any = "", *args, why: str = "", fix: str = "", code: str = "", cause: str = ""):
        super().__init__(fact, *args)
        self.fact, self.why, self.fix, self.code, self.cause = str(fact), why, fix, code, cause
        try:
            here = sys._getframe(1)
            user = user_frame(here)
            self.call = call_of(here, user)
            if user is not None:
                self.place = Place.of_frame(user, module_path(here))
        except Exception:  # whatever objects are on the stack: what is known of the place is left out, the error stays
            pass

    def __str__(self) -> str:
        return layout(self)

    def __reduce__(self):
        return rebuild, (type(self), self.args, self.__dict__)


def rebuild(kind, args, state) -> FlambeauError:
    """An error as it was pickled or copied, without running its constructor again."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def layout(error: FlambeauError) -> str:
    """The text of an error: the fact on the first line, then what else is known, one labelled line each."""
    lines = [both(error.fact)]
    if error.why:
        lines.append(line(_("why:"), _(error.why)))
    if error.fix:
        lines.append(line(_("fix:"), _(error.fix)))
    if error.call:
        lines.append(line(_("call:"), error.call))
    if error.place is not None:
        lines.append(line(_("at:"), str(error.place)))
    if error.code:
        cause = f" ({error.cause})" if error.cause else ""
        lines.append(line(_("more:"), f"flambeau explain {error.code}{cause}"))
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


class CannotWrite(FlambeauError, OSError):
    """A file that cannot be written."""


class EndOfFile(FlambeauError, EOFError):
    """A file that ends too early."""


class ExportError(FlambeauError, BufferError):
    """Memory that cannot be handed to another library (DLPack, the buffer protocol)."""


class OutOfMemoryError(FlambeauError, RuntimeError, MemoryError):
    """The machine has no memory left for a tensor of this size. `holders`: who holds what there is, where known."""

    holders: dict[str, tuple[int, int]] = {}


class TooLarge(FlambeauError, OverflowError):
    """A number that does not fit in 64 bits."""


class DivisionByZero(FlambeauError, ZeroDivisionError):
    """Whole numbers divided by zero."""


def attr_error(module: str, name: str, names: Iterable[str] = ()) -> AttributeError:
    """The error for a PyTorch name that flambeau does not have; names: those it has, for a proposal."""
    near = [n for n in names if n[:1] == name[:1] and abs(len(n) - len(name)) < 3]
    close = difflib.get_close_matches(name, near, 1, 0.75)
    return MissingAttribute(
        f"module '{module}' has no attribute '{name}' (flambeau does not have this name)",
        fix=f"did you mean `{module}.{close[0]}`?" if close else "",
    )
