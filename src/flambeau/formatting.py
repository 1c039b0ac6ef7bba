"""How a tensor prints: PyTorch's layout, character for character, over NumPy arrays.

A tensor prints with one width for all its elements. Floats print as integers with a point when all of them are
whole, in scientific notation when they are very large, very small or far apart, and otherwise with four digits.
Above 1000 elements only the first and last three of each dimension are shown, and only they decide the format.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np

from .checks.empties import shown
from .checks.log import log
from .dtypes import bool as bool_
from .dtypes import get_default_dtype, int64
from .errors import ArgumentError
from .tensor import attach

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


class PrintOptions:
    """How tensors print now."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = PrintOptions()


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Change how tensors print.

    Arguments:
        precision: digits after the point. Default: 4.
        threshold: above this number of elements, print a summary. Default: 1000.
        edgeitems: elements shown at each end of a summarised dimension. Default: 3.
        linewidth: characters per line. Default: 80.
        profile: "default", "short" or "full"; the arguments above override it.
        sci_mode: always (True) or never (False) scientific notation; None lets the values decide.

    >>> import flambeau as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.12345])
    tensor([1.12])
    >>> torch.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ArgumentError(
                f"unknown profile {profile!r}",
                why="a profile is a set of options for printing",
                fix=f"use one of {', '.join(_PROFILES)}",
            )
        vars(PRINT_OPTS).update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    vars(PRINT_OPTS).update({k: v for k, v in given.items() if v is not None})
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict:
    """How tensors print now, as arguments for `set_printoptions`."""
    return {k: getattr(PRINT_OPTS, k) for k in ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")}


@contextlib.contextmanager
def printoptions(**options):
    """Change how tensors print inside a `with` block."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


class Formatter:
    """Decides from all values shown how each of them prints."""

    def __init__(self, values: np.ndarray):
        values = values.ravel()
        self.floating = values.dtype.kind == "f"
        self.whole, self.sci, self.width = True, False, 1
        if not self.floating:
            self.width = max([1, *(len(str(v)) for v in values.tolist())])
            return
        values = values.astype(np.float64)
        values = values[np.isfinite(values) & (values != 0)]
        if not values.size:
            return
        low, high = np.abs(values).min(), np.abs(values).max()
        self.whole = bool((values == np.ceil(values)).all())
        with np.errstate(over="ignore"):
            self.sci = bool(high / low > 1000.0 or high > 1.0e8 or (not self.whole and low < 1.0e-4))
        if PRINT_OPTS.sci_mode is not None:
            self.sci = PRINT_OPTS.sci_mode
        self.width = max(1, *(len(self.plain(v)) for v in values.tolist()))

    def plain(self, value) -> str:
        """One value, not padded."""
        if not self.floating:
            return str(value)
        if self.sci:
            return f"{value:.{PRINT_OPTS.precision}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{PRINT_OPTS.precision}f}"

    def __call__(self, value) -> str:
        return self.plain(value).rjust(self.width)


class ComplexFormatter:
    """Real and imaginary parts, each with its own format."""

    def __init__(self, values: np.ndarray):
        self.real, self.imag = Formatter(values.real), Formatter(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value) -> str:
        imag = (self.imag(value.imag) + "j").lstrip()
        return self.real(value.real) + ("" if imag[0] in "+-" else "+") + imag


def _edges(array):
    """The part of a summarised array that is shown."""
    keep = PRINT_OPTS.edgeitems
    for axis in range(array.ndim):
        n = array.shape[axis]
        if n > 2 * keep:
            array = array.take([*range(keep), *range(n - keep, n)], axis)
    return array


def _lines(array, indent, summarise, form) -> str:
    """The nested brackets of an array; `indent`: column at which its bracket stands."""
    if array.ndim == 0:
        return form(array.item())
    keep, n = PRINT_OPTS.edgeitems, array.shape[0]
    short = summarise and n > 2 * keep
    head, tail = (array[:keep], array[n - keep :]) if short else (array, array[:0])
    if array.ndim > 1:
        inner = [_lines(a, indent + 1, summarise, form) for a in head]
        inner += ["..."] * short + [_lines(a, indent + 1, summarise, form) for a in tail]
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(inner) + "]"
    shown = [form(v) for v in head.tolist()]
    if short:
        shown += [" ..." if keep else "..."] + [form(v) for v in tail.tolist()]
    per_line = max(1, (PRINT_OPTS.linewidth - indent) // (form.width + 2))
    rows = [", ".join(shown[i : i + per_line]) for i in range(0, len(shown), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(rows) + "]"


def array_text(array: np.ndarray, indent: int = 0) -> str:
    """The elements of an array in brackets, as they print in a tensor that starts at column `indent`."""
    if array.size == 0:
        return "[]"
    if array.dtype.kind not in "fciub":  # bfloat16 and float8, which NumPy knows as opaque
        array = array.astype(np.float32)
    summarise = array.size > PRINT_OPTS.threshold
    shown = _edges(array) if summarise else array
    form = ComplexFormatter(shown) if array.dtype.kind == "c" else Formatter(shown)
    return _lines(array, indent, summarise, form)


def tensor_text(t, contents: str | None = None) -> str:
    """The text of a tensor: values, then whatever is not the default (device, dtype, size, gradient)."""
    name = type(t).__name__
    prefix = ("tensor" if name in ("Tensor", "Parameter") else name) + "("
    notes = []
    array, dt = t._array, t.dtype
    default = get_default_dtype()
    if t.device.type != "cpu":
        notes.append(f"device='{t.device}'")
    if t.is_meta:
        notes.append(f"size={tuple(array.shape)}")
        if dt is not default:
            notes.append(f"dtype={dt}")
        text = "..."
    elif array.size == 0:
        if array.ndim != 1:
            notes.append(f"size={tuple(array.shape)}")
        if dt is not default:
            notes.append(f"dtype={dt}")
        text = "[]"
    else:
        if PRINT_OPTS.edgeitems == 0:  # nothing may be left of the values to tell the size from
            notes.append(f"size={tuple(array.shape)}")
        if dt not in (default, default.to_complex(), int64, bool_):
            notes.append(f"dtype={dt}")
        text = array_text(array, len(prefix))
    if contents is not None:
        text = contents
    node = t.grad_fn
    if node is not None:
        notes.append(f"grad_fn=<{type(node).__name__}>")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    return _with_notes(prefix + text, notes, len(prefix))


def _with_notes(text, notes, indent) -> str:
    """Append ", note" for each note, on a new line where it would not fit."""
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text + ")"


def _repr(self, *, tensor_contents=None):
    if log.on and self._array.dtype.kind == "f":
        shown(self)
    return tensor_text(self, tensor_contents)


attach("__repr__", _repr)
