"""The affine map y = x Wᵀ + b as one primitive."""

from __future__ import annotations

import math

import numpy as np

from ..autograd.mode import autocasting, state
from ..checks.tags import LINEAR
from ..errors import ShapeError
from ..kernels import fused as kernels
from ..kernels.record import listeners
from ..mistakes.dtypes import mixed_dtypes
from ..mistakes.products import wrong_features
from ..tensor import Tensor
from .elementwise import F32, F64
from .entry import primitive, write_out
from .fused import fused, in_single, title
from .linalg import c_name, matmul
from .precision import lower
from .promotion import check_devices
from .shape import need_tensor


def _affine(input, weight, bias):
    n, k = weight.shape
    if input.ndim == 2:
        return kernels.matmul(input, weight.T, bias=bias)
    rows = input.reshape(math.prod(input.shape[:-1]), k)
    return kernels.matmul(rows, weight.T, bias=bias).reshape(*input.shape[:-1], n)


_linear_array = in_single(_affine)


@in_single
def _linear_input_array(g, weight, input_shape):
    if g.ndim == 2:
        return kernels.matmul(g, weight.conj())
    n, k = weight.shape
    return kernels.matmul(g.reshape(math.prod(input_shape[:-1]), n), weight.conj()).reshape(input_shape)


@in_single
def _linear_weight_array(g, input):
    rows = math.prod(input.shape[:-1])
    return kernels.matmul(g.reshape(rows, g.shape[-1]).T, input.reshape(rows, input.shape[-1]).conj())


@in_single
def _linear_bias_array(g, bias_shape):
    if len(bias_shape) != 1 or bias_shape[0] != g.shape[-1]:
        return g
    rows = g.reshape(math.prod(g.shape[:-1]), g.shape[-1])
    made = kernels.total(rows, 0)
    return rows.sum(axis=0) if made is None else made


@fused(_linear_input_array)
def _linear_input(g, weight, input_shape):
    return matmul(g, _conj(weight))


@fused(_linear_weight_array)
def _linear_weight(g, input):
    rows = math.prod(input.shape[:-1])
    return matmul(g.reshape(rows, g.shape[-1]).mT, _conj(input.reshape(rows, input.shape[-1])))


@fused(_linear_bias_array)
def _linear_bias(g, bias_shape):
    return g


def _conj(x):
    return x.conj() if x.is_complex() else x


_linear = primitive(
    "linear", _linear_array, vjp={"input": _linear_input, "weight": _linear_weight, "bias": _linear_bias},
    node="AddmmBackward0",
)  # fmt: skip


def linear(input, weight, bias=None, *, out=None):
    """y = x Wᵀ + b over the last dimension.

    Shapes: input (*, in), weight (out, in) or (in,), bias (out,) -> (*, out).
    Raises RuntimeError when the sizes or dtypes do not fit.
    """
    if autocasting:
        input, weight, bias = lower(input, weight, bias)
    try:
        a, w = input._array, weight._array
    except AttributeError:
        need_tensor(input, "linear")
        need_tensor(weight, "linear", "weight", 2)
        raise
    if w.ndim != 2 or not a.ndim:
        return _linear_vector(input, weight, bias)
    if a.shape[-1] != w.shape[1]:
        raise wrong_features(input, weight, w.shape[1], w.shape[0])
    if a.dtype != w.dtype or (bias is not None and bias._array.dtype != w.dtype):
        raise _dtypes(input, weight, bias)
    if bias is not None:
        b = bias._array.shape
        if b != w.shape[:1]:
            _check_bias(b, a.shape, w.shape)
    if type(a) is not np.ndarray or type(w) is not np.ndarray:
        check_devices(input, weight, bias)
    elif (a.dtype is F32 or a.dtype is F64) and out is None and not listeners:
        # By far the commonest: one object to make.
        made = _new(Tensor)
        made._array = _affine(a, w, None if bias is None else bias._array)
        if state.grad:
            _linear.record((input, weight, bias), (made,), {})
        else:
            made._tag = LINEAR
            if state.inference:
                made._inference = True
        return made
    made = _linear(input, weight, bias)
    if made._node is None:
        made._tag = LINEAR
    return made if out is None else write_out(made, out, "linear")


_new = object.__new__


def _linear_vector(input, weight, bias):
    if weight.ndim > 2:
        raise ShapeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {weight.ndim}D",
            why="the weight of linear has shape (out_features, in_features) or (in_features,), and this "
            f"one {tuple(weight.shape)}",
            fix="use `x @ weight.mT` for a batch of weights",
        )
    if not input.ndim or not weight.ndim:
        raise ShapeError(
            f"both arguments to linear need to be at least 1D, but they are {input.ndim}D and {weight.ndim}D",
            why="the product adds up along the last dimension, and a single number has none",
            fix="use `x * weight`",
        )
    if bias is not None and weight.ndim == 1:
        raise ShapeError(
            "mat2 must be a matrix, got 1-D tensor",
            why="with a bias the weight has shape (out_features, in_features)",
            fix="use `weight.unsqueeze(0)`",
        )
    out = matmul(input, weight.t())
    return out if bias is None else out + bias


def _check_bias(bias, input, weight):
    out = (*input[:-1], weight[0])
    try:
        fits = np.broadcast_shapes(bias, out) == out
    except ValueError:
        fits = False
    if not fits:
        size = bias[-1] if bias else 1
        raise ShapeError(
            f"The expanded size of the tensor ({weight[0]}) must match the existing size ({size}) at non-singleton "
            f"dimension {len(out) - 1}.  Target sizes: {list(out)}.  Tensor sizes: {list(bias)}",
            why=f"the bias has {size} element(s), the weight {list(weight)} makes {weight[0]} output feature(s)",
            fix=f"a bias of shape [{weight[0]}]",
        )


def _dtypes(input, weight, bias):
    if weight.dtype is input.dtype:
        fact, other = f"self and mat2 must have the same dtype, but got {title(bias)} and {title(weight)}", bias
    else:
        other = weight
        fact = f"mat1 and mat2 must have the same dtype, but got {title(input)} and {title(weight)}"
        if bias is None:
            fact = (
                f"expected m1 and m2 to have the same dtype, but got: {c_name(input._array)} != {c_name(weight._array)}"
            )
    return mixed_dtypes(fact, input, other, ids=True)
