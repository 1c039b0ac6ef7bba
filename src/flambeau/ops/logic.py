"""Logical and bitwise operations, shifts, and tests of closeness and equality.

>>> import flambeau as torch
>>> torch.tensor([True, False]) & torch.tensor([True, True]), ~torch.tensor([5])
(tensor([ True, False]), tensor([-6]))
>>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
True
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..errors import ArgumentTypeError, DtypeError
from ..tensor import Tensor, attach
from .elementwise import binary, in_place_operator, kind_name, operator, unary
from .entry import METHODS, public
from .promotion import broadcast_error
from .shape import need_tensor

# ---------------------------------------------------------------------------------------------- logical


def _logical(name, ufunc, doc):
    def forward(a, b):
        return ufunc(a != 0, b != 0)

    return binary(name, forward, result=dtypes.bool, numbers=(), doc=doc)


logical_and = _logical("logical_and", np.logical_and, "Whether both elements are non-zero."
                       "\n>>> torch.logical_and(torch.tensor([0, 1]), torch.tensor([2, 3]))\n"
                       "tensor([False,  True])")  # fmt: skip
logical_or = _logical("logical_or", np.logical_or, "Whether at least one of two elements is non-zero."
                      "\n>>> torch.logical_or(torch.tensor([0, 0]), torch.tensor([0, 3]))\n"
                      "tensor([False,  True])")  # fmt: skip
logical_xor = _logical("logical_xor", np.logical_xor, "Whether exactly one of two elements is non-zero."
                       "\n>>> torch.logical_xor(torch.tensor([0, 1]), torch.tensor([2, 3]))\n"
                       "tensor([ True, False])")  # fmt: skip
logical_not = unary("logical_not", lambda a: np.equal(a, a.dtype.type(0)), result=dtypes.bool,
                    doc="Whether each element is zero."
                    "\n>>> torch.logical_not(torch.tensor([0, 1, 2]))\ntensor([ True, False, False])")  # fmt: skip

# ---------------------------------------------------------------------------------------------- bitwise


def _bitwise(name, ufunc, symbol, python_name, doc, refuse=(2, 3)):
    fn = binary(name, ufunc, refuse=refuse, doc=doc)
    operator(fn, python_name, symbol)
    in_place_operator(python_name, getattr(Tensor, name + "_"))
    return fn


bitwise_and = _bitwise("bitwise_and", np.bitwise_and, "&", "and", "Bits set in both integers; logical and of bools."
                       "\n>>> torch.bitwise_and(torch.tensor([6, 5]), 3)\ntensor([2, 1])")  # fmt: skip
bitwise_or = _bitwise("bitwise_or", np.bitwise_or, "|", "or", "Bits set in either integer; logical or of bools."
                      "\n>>> torch.bitwise_or(torch.tensor([6, 5]), 3)\ntensor([7, 7])")  # fmt: skip
bitwise_xor = _bitwise("bitwise_xor", np.bitwise_xor, "^", "xor", "Bits that differ; logical xor of bools."
                       "\n>>> torch.bitwise_xor(torch.tensor([6, 5]), 3)\ntensor([5, 6])")  # fmt: skip
bitwise_left_shift = _bitwise(
    "bitwise_left_shift", np.left_shift, "<<", "lshift", "`input` shifted left by `other` bits; 0 beyond its width."
    "\n>>> torch.bitwise_left_shift(torch.tensor([1, 2]), 2)\ntensor([4, 8])",
    refuse=(0, 2, 3),
)  # fmt: skip
bitwise_right_shift = _bitwise(
    "bitwise_right_shift", np.right_shift, ">>", "rshift",
    "`input` shifted right by `other` bits, filled with its sign."
    "\n>>> torch.bitwise_right_shift(torch.tensor([8, 5]), 1)\ntensor([4, 2])", refuse=(0, 2, 3),
)  # fmt: skip
bitwise_not = unary("bitwise_not", np.invert, refuse=(2, 3), doc="All bits flipped; logical not of bools."
                    "\n>>> torch.bitwise_not(torch.tensor([0, 5]))\ntensor([-1, -6])")  # fmt: skip


def _invert(self):
    if self.dtype.category > 1:
        raise ArgumentTypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors",
            why=f"the tensor is {self.dtype.name}, and bits are inverted",
            fix="make it a mask first: `~(x > 0)`, or `~x.bool()`",
        )
    return bitwise_not(self)


attach("__invert__", _invert)
METHODS["__invert__"] = _invert

# ---------------------------------------------------------------------------------------------- closeness


@public(method=True)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol |other|, element by element; infinities are close to themselves.

    >>> import flambeau as torch
    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0 + 1e-9, 2.1]))
    tensor([ True, False])
    """
    need_tensor(input, "isclose")
    need_tensor(other, "isclose", "other", 2)
    if input.dtype is not other.dtype:
        raise DtypeError(
            f"{kind_name(input.dtype)} did not match {kind_name(other.dtype)}",
            why="both are compared as they are",
            fix=f"convert it: `other.to(torch.{input.dtype.name})`",
        )
    for word, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise DtypeError(
                f"{word} must be greater than or equal to zero, but got {value}",
                why="it is how far two equal numbers may lie apart",
                fix=f"pass 0 or more, such as `{word}=1e-5`",
            )
    a, b = input._array, other._array
    try:
        close = np.equal(a, b)
    except ValueError:
        raise broadcast_error(a.shape, b.shape) from None
    if equal_nan and a.dtype.kind not in "biu":
        close = close | (np.isnan(a) & np.isnan(b))
    if rtol == 0 and atol == 0:
        return Tensor.wrap(np.asarray(close))
    if a.dtype.kind in "biu" or a.itemsize < 4:
        a, b = (x.astype(dtypes.get_default_dtype().numpy if x.itemsize < 4 else np.float64) for x in (a, b))
    gap = np.abs(a - b)
    return Tensor.wrap(np.asarray(close | (np.isfinite(gap) & (gap <= atol + np.abs(rtol * b)))))


@public(method=True)
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close (see `isclose`): a bool.

    >>> import flambeau as torch
    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-9]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


@public(method=True)
def equal(input, other):
    """Whether two tensors have the same shape and elements: a bool.

    >>> import flambeau as torch
    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    need_tensor(input, "equal")
    need_tensor(other, "equal", "other", 2)
    return input._array.shape == other._array.shape and bool(np.equal(input._array, other._array).all())
