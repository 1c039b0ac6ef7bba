"""torch.testing: comparing tensors in tests."""

from __future__ import annotations

import numpy as np

from .dtypes import promote_types
from .errors import ArgumentError, ArgumentTypeError, FailedAssertion
from .tensor import Tensor

# Relative and absolute tolerances by dtype; everything else must be equal.
_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
               "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}  # fmt: skip


def assert_close(actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True,
                 check_dtype=True, check_layout=True, check_stride=False, msg=None):  # fmt: skip
    """AssertionError unless two tensors, numbers, or (nested) sequences or mappings of them are close.

    |actual - expected| <= atol + rtol * |expected|; the default tolerances depend on the dtype.

    >>> import flambeau as torch
    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(
            "rtol and atol must both be specified or both be unspecified",
            why="both say how far numbers may lie apart",
            fix="use `rtol=1.3e-6, atol=1e-5`",
        )
    options = dict(rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=check_device, check_dtype=check_dtype,
                   check_stride=check_stride)  # fmt: skip
    _compare(actual, expected, "", options, msg)


def _compare(actual, expected, where, options, msg):
    if isinstance(actual, dict) and isinstance(expected, dict):
        if actual.keys() != expected.keys():
            _fail(f"The keys of the mappings do not match: {sorted(map(str, actual))} != {sorted(map(str, expected))}",
                  where, msg)  # fmt: skip
        for key in actual:
            _compare(actual[key], expected[key], f"{where}[{key!r}]", options, msg)
    elif isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        if len(actual) != len(expected):
            _fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", where, msg)
        for i, (a, e) in enumerate(zip(actual, expected)):
            _compare(a, e, f"{where}[{i}]", options, msg)
    elif isinstance(actual, (Tensor, np.ndarray, int, float, complex)):
        _compare_values(actual, expected, where, options, msg)
    elif actual != expected:
        _fail(f"{actual!r} is not {expected!r}", where, msg)


def _compare_values(actual, expected, where, options, msg):
    if isinstance(actual, Tensor) != isinstance(expected, Tensor):
        raise ArgumentTypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.",
            why="a tensor is compared with a tensor",
            fix="use `torch.as_tensor(value)` for the other",
        )
    if isinstance(actual, Tensor):
        if actual.shape != expected.shape:
            _fail(f"The values for attribute 'shape' do not match: {actual.shape} != {expected.shape}.", where, msg)
        for name, wanted in (("dtype", options["check_dtype"]), ("device", options["check_device"])):
            a, e = getattr(actual, name), getattr(expected, name)
            if wanted and a != e:
                _fail(f"The values for attribute '{name}' do not match: {a} != {e}.", where, msg)
        if options["check_stride"] and actual.stride() != expected.stride():
            _fail(
                f"The values for attribute 'stride()' do not match: {actual.stride()} != {expected.stride()}.",
                where,
                msg,
            )
        kind = promote_types(actual.dtype, expected.dtype).name
        wide = np.complex128 if actual.is_complex() or expected.is_complex() else None
        a, e = (t.detach()._array for t in (actual, expected))
        if kind in _TOLERANCES:
            a, e = a.astype(wide or np.float64), e.astype(wide or np.float64)
    else:
        a, e = np.asarray(actual), np.asarray(expected)
        kind = "float64" if a.dtype.kind in "fc" or e.dtype.kind in "fc" else "int64"
    rtol, atol = _TOLERANCES.get(kind, (0.0, 0.0)) if options["rtol"] is None else (options["rtol"], options["atol"])
    with np.errstate(all="ignore"):
        close = np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=options["equal_nan"])
        if close.all():
            return
        difference = np.abs(a.astype(np.float64) - e) if a.dtype.kind == "b" else np.abs(a - e)
        difference = np.where(close, 0, difference)
        at = np.unravel_index(np.argmax(np.nan_to_num(difference, nan=np.inf)), difference.shape)
        relative = difference / np.abs(e)
    count = int((~close).sum())
    if a.ndim == 0:
        text = (
            f"Scalars are not close!\n\nExpected {e} but got {a}.\n"
            f"Absolute difference: {difference} (up to {atol} allowed)\n"
            f"Relative difference: {relative} (up to {rtol} allowed)"
            if rtol or atol
            else f"Scalars are not equal!\n\nExpected {e} but got {a}.\n"
            f"Absolute difference: {difference} (up to {atol} allowed)\n"
            f"Relative difference: {relative} (up to {rtol} allowed)"
        )
    else:
        place, largest, percent = tuple(int(i) for i in at), np.nanmax(relative[~close]), 100 * count / a.size
        text = (
            f"Tensor-likes are not close!\n\nMismatched elements: {count} / {a.size} ({percent:.1f}%)\n"
            f"Greatest absolute difference: {difference[at]} at index {place} (up to {atol} allowed)\n"
            f"Greatest relative difference: {largest} (up to {rtol} allowed)"
            if rtol or atol
            else f"Tensor-likes are not equal!\n\nMismatched elements: {count} / {a.size} ({percent:.1f}%)\n"
            f"Greatest absolute difference: {difference[at]} at index {place} (up to {atol} allowed)\n"
            f"Greatest relative difference: {largest} (up to {rtol} allowed)"
        )
    _fail(text, where, msg)


def _fail(text, where, msg):
    """The error for a comparison that failed; the caller's own message, or function of the message, comes first."""
    if msg is None:
        raise FailedAssertion(
            f"{text}\n\nThe failure occurred for item {where}" if where else text,
            why="actual and expected are compared element by element, within the tolerances",
            fix="look at what computed actual, or allow larger differences with `rtol=` and `atol=`",
        )
    raise AssertionError(
        msg(f"{text}\n\nThe failure occurred for item {where}" if where else text) if callable(msg) else msg
    )
