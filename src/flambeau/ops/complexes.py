"""Complex tensors: making them, their parts, conjugate, modulus and angle.

>>> import flambeau as torch
>>> z = torch.complex(torch.tensor([3.0]), torch.tensor([4.0]))
>>> z.abs(), z.conj(), torch.view_as_real(z)
(tensor([5.]), tensor([3.-4.j]), tensor([[3., 4.]]))
"""

from __future__ import annotations

import math

import numpy as np

from ..dtypes import FROM_NUMPY
from ..errors import DtypeError, ShapeError
from ..tensor import Tensor, attach, wrap
from .elementwise import conj, cos, kind_name, not_implemented, sin, unary, with_example
from .entry import METHODS, REGISTRY, in_place, primitive, public, view_primitive, write_out
from .promotion import broadcast_error
from .shape import need_tensor

# ---------------------------------------------------------------------------------------------- parts

_as_complex = primitive(
    "real_backward",
    lambda g, factor: g * np.asarray(factor, np.result_type(g.dtype, np.complex64)),
    vjp={"g": lambda g, factor: (g * factor.conjugate()).real},
)


_real = view_primitive("real", lambda input: input.real, vjp={"input": lambda g: _as_complex(g, factor=1 + 0j)})
_imag = view_primitive("imag", lambda input: input.imag, vjp={"input": lambda g: _as_complex(g, factor=1j)})


def _real_part(input):
    """The real part: a view of complex tensors, real tensors as they are.

    >>> import flambeau as torch
    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    need_tensor(input, "real")
    return _real(input) if input._array.dtype.kind == "c" else input


def _imag_part(input):
    """The imaginary part of a complex tensor, a view; RuntimeError for real tensors.

    >>> import flambeau as torch
    >>> torch.imag(torch.tensor([1 + 2j]))
    tensor([2.])
    """
    need_tensor(input, "imag")
    if input._array.dtype.kind != "c":
        raise DtypeError(
            "imag is not implemented for tensors with non-complex dtypes.",
            why=f"a {input.dtype.name} tensor has no imaginary part",
            fix="use `torch.zeros_like(x)` for it",
        )
    return _imag(input)


real = public("real")(_real_part)
imag = public("imag")(_imag_part)


def _set_part(part):
    def store(self, value):
        part(self).copy_(value if isinstance(value, Tensor) else wrap(np.asarray(value)))

    return store


attach("real", property(_real_part, _set_part(_real_part), doc=_real_part.__doc__))
attach("imag", property(_imag_part, _set_part(_imag_part), doc=_imag_part.__doc__))

_conj = primitive("conj", np.conjugate, vjp={"input": lambda g: conj(g)}, names=("input",))


@public("conj", method=True)
def conj_(input):
    """The complex conjugate of each element; real tensors are returned as they are.

    >>> import flambeau as torch
    >>> torch.conj(torch.tensor([1 + 2j])).resolve_conj()
    tensor([1.-2.j])
    """
    need_tensor(input, "conj")
    return _conj(input) if input._array.dtype.kind == "c" else input


_conj_physical = primitive("conj_physical", np.conjugate, vjp={"input": lambda g: conj(g)}, names=("input",))


@public(method=True, inplace=True, out=True)
def conj_physical(input):
    """The complex conjugate of each element, in new memory; real tensors are returned as they are.

    >>> import flambeau as torch
    >>> torch.conj_physical(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    need_tensor(input, "conj_physical")
    return _conj_physical(input) if input._array.dtype.kind == "c" else input


@public(method=True)
def resolve_conj(input):
    """The tensor with its conjugation carried out: conjugates are never delayed here, so the tensor itself.

    >>> import flambeau as torch
    >>> torch.tensor([1 + 2j]).conj().resolve_conj()
    tensor([1.-2.j])
    """
    need_tensor(input, "resolve_conj")
    return input


@public(method=True)
def resolve_neg(input):
    """The tensor with its negation carried out: negation is never delayed here, so the tensor itself.

    >>> import flambeau as torch
    >>> torch.resolve_neg(torch.tensor([1.0]))
    tensor([1.])
    """
    need_tensor(input, "resolve_neg")
    return input


@public(method=True)
def is_conj(input):
    """Whether a tensor is a delayed conjugate: conjugation is never delayed here, so False.

    >>> import flambeau as torch
    >>> torch.is_conj(torch.tensor([1 + 2j]))
    False
    """
    need_tensor(input, "is_conj")
    return False


@public(method=True)
def is_neg(input):
    """Whether a tensor is a delayed negative: negation is never delayed here, so False.

    >>> import flambeau as torch
    >>> torch.is_neg(torch.tensor([1.0]))
    False
    """
    need_tensor(input, "is_neg")
    return False


_view_as_real = view_primitive(
    "view_as_real",
    lambda input: input[..., None].view(FROM_NUMPY[input.dtype].to_real().numpy),
    vjp={"input": lambda g: _view_as_complex(g.contiguous())},
)
_view_as_complex = view_primitive(
    "view_as_complex",
    lambda input: input.view(FROM_NUMPY[input.dtype].to_complex().numpy)[..., 0],
    vjp={"input": lambda g: _view_as_real(g)},
)


@public()
def view_as_real(input):
    """A view of a complex tensor with a last dimension of size 2: real and imaginary parts.

    >>> import flambeau as torch
    >>> torch.view_as_real(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    need_tensor(input, "view_as_real")
    if input._array.dtype.kind != "c":
        raise DtypeError(
            "view_as_real is only supported for complex tensors",
            why=f"the tensor is {input.dtype.name}",
            fix="use the tensor itself: it is real already",
        )
    return _view_as_real(input)


@public()
def view_as_complex(input):
    """A complex view of a float32 or float64 tensor whose last dimension holds real and imaginary part.

    >>> import flambeau as torch
    >>> torch.view_as_complex(torch.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    need_tensor(input, "view_as_complex")
    a = input._array
    if a.dtype.kind != "f" or a.itemsize < 4:
        raise DtypeError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of "
            f"scalar type: {kind_name(input.dtype)}",
            why="pairs of real numbers are read as complex ones",
            fix="convert it: `x.float()`",
        )
    if not a.ndim:
        raise ShapeError(
            "Input tensor must have one or more dimensions",
            why="a pair of numbers makes one complex number",
            fix="pass a tensor whose last dimension has size 2",
        )
    if a.shape[-1] != 2:
        raise ShapeError(
            "Tensor must have a last dimension of size 2",
            why=f"its shape is {tuple(a.shape)}, and a pair of numbers makes one complex number",
            fix="stack both parts: `torch.stack((real, imag), -1)`",
        )
    if a.strides[-1] != a.itemsize:
        raise ShapeError(
            "Tensor must have a last dimension with stride 1",
            why=f"the two numbers of a pair do not lie side by side: the strides are {input.stride()}",
            fix="use `x.contiguous()`",
        )
    if any(s % (2 * a.itemsize) for s, n in zip(a.strides[:-1], a.shape) if n > 1):
        raise ShapeError(
            "Tensor must have a stride divisible by 2 for all but last dimension",
            why=f"a pair of numbers begins in the middle of another: the strides are {input.stride()}",
            fix="use `x.contiguous()`",
        )
    return _view_as_complex(input)


@public()
def view_as_real_copy(input):
    """`view_as_real` in new memory.

    >>> import flambeau as torch
    >>> torch.view_as_real_copy(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    return view_as_real(input).clone()


@public()
def view_as_complex_copy(input):
    """`view_as_complex` in new memory.

    >>> import flambeau as torch
    >>> torch.view_as_complex_copy(torch.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    return view_as_complex(input).clone()


# ---------------------------------------------------------------------------------------------- making


def _complex_array(real, imag):
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), FROM_NUMPY[real.dtype].to_complex().numpy)
    if type(real) is not np.ndarray or type(imag) is not np.ndarray:
        return np.add(real, imag).astype(out.dtype)
    out.real = real
    out.imag = imag
    return out


_complex = primitive("complex", _complex_array, vjp={"real": lambda g: g.real, "imag": lambda g: g.imag})


def _check_parts(first, second):
    need_tensor(first, "complex")
    need_tensor(second, "complex", "imag", 2)
    for t in (first, second):
        if t._array.dtype.kind != "f" and not t.dtype.is_floating_point or t._array.itemsize < 4:
            raise DtypeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{kind_name(first.dtype)} and {kind_name(second.dtype)}",
                why="complex numbers have two floating point parts",
                fix="convert both: `x.float()`",
            )
    if first._array.dtype != second._array.dtype:
        raise DtypeError(
            f"Expected object of scalar type {kind_name(first.dtype)} but got scalar type "
            f"{kind_name(second.dtype)} for second argument",
            why="both parts of a complex number have one dtype",
            fix=f"convert one: `x.to(torch.{first.dtype.name})`",
        )
    a, b = first._array.shape, second._array.shape
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise broadcast_error(a, b) from None


def _exact_out(out, like, name):
    if out is not None and out.dtype is not like.dtype.to_complex():
        raise DtypeError(
            f"Expected object of scalar type {kind_name(like.dtype.to_complex())} but got scalar type "
            f"{kind_name(out.dtype)} for argument 'out'",
            why=f"`out` is {out.dtype.name}",
            fix=f"pass `torch.empty(0, dtype=torch.{like.dtype.to_complex().name})`",
        )


@public()
def complex(real, imag, *, out=None):
    """The complex tensor with this real and this imaginary part (float32 or float64, both the same).

    >>> import flambeau as torch
    >>> torch.complex(torch.tensor([1.0]), torch.tensor([2.0]))
    tensor([1.+2.j])
    """
    _check_parts(real, imag)
    _exact_out(out, real, "complex")
    made = _complex(real, imag)
    return made if out is None else write_out(made, out, "complex")


@public()
def polar(abs, angle, *, out=None):
    """The complex tensor with this modulus and this angle in radians.

    >>> import flambeau as torch
    >>> torch.polar(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor([2.+0.j])
    """
    _check_parts(abs, angle)
    _exact_out(out, abs, "polar")
    made = _complex(abs * cos(angle), abs * sin(angle))
    return made if out is None else write_out(made, out, "polar")


# ---------------------------------------------------------------------------------------------- modulus, angle


def _abs_array(a):
    if a.dtype.kind == "b":
        raise not_implemented("abs_cpu", FROM_NUMPY[a.dtype])
    return np.abs(a)


_abs = unary("abs", _abs_array, lambda g, input: g * input.sgn(), integers=_abs_array, function=False, method=False,
             inplace=False)  # fmt: skip


def _modulus_(self):
    """The absolute value, in place."""
    need_tensor(self, "abs_")
    if self._array.dtype.kind == "c":
        raise DtypeError(
            "In-place abs is not supported for complex tensors.",
            why="the absolute value is real, and the tensor stays complex",
            fix="use `x = x.abs()`",
        )
    return _abs_in_place(self)


_abs_in_place = in_place(_abs, "abs")
for _name in ("abs", "absolute"):
    REGISTRY[_name] = METHODS[_name] = _abs
    attach(_name, _abs)
    METHODS[_name + "_"] = _modulus_
    attach(_name + "_", _modulus_)
REGISTRY["abs_"] = _modulus_
_abs.__doc__ = with_example("The absolute value of each element; the modulus of complex ones, a real tensor."
                            "\n>>> torch.abs(torch.tensor([3 + 4j]))\ntensor([5.])")  # fmt: skip
_abs.__flambeau_name__ = "abs"


def _angle_array(a):
    if a.dtype.kind == "c":
        return np.angle(a)
    return np.where(np.isnan(a), a, np.where(a < 0, a.dtype.type(math.pi), a.dtype.type(0)))


def _angle_vjp(g, input):
    if input._array.dtype.kind != "c":
        return wrap(np.zeros_like(g._array))
    square = input.real * input.real + input.imag * input.imag
    zero = square == 0
    along = g / square.masked_fill(zero, 1)
    return _complex((-along * input.imag).masked_fill(zero, 0), (along * input.real).masked_fill(zero, 0))


angle = unary("angle", _angle_array, _angle_vjp, floats=True, inplace=False,
              doc="The angle of each element in radians: of real ones, pi where negative and else 0."
              "\n>>> torch.angle(torch.tensor([1 + 1j, -1 + 0j]))\ntensor([0.7854, 3.1416])")  # fmt: skip
