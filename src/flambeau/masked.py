"""torch.masked: reductions and normalisations that leave out the elements where `mask` is False.

Each fills the masked-out elements with the identity of its operation (0 for a sum, -inf for a maximum) and then is the
ordinary operation; means and variances divide by the number of elements that are left.
"""

from __future__ import annotations

import builtins
import math

import flambeau as torch

from .dtypes import iinfo
from .errors import ArgumentError, IndexOutOfRange, NotSupported, StateError

__all__ = [
    "amax", "amin", "argmax", "argmin", "as_masked_tensor", "cumprod", "cumsum", "is_masked_tensor", "log_softmax",
    "logaddexp", "logsumexp", "masked_tensor", "MaskedTensor", "mean", "median", "norm", "normalize", "prod",
    "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip


def _dims(input, dim):
    """Dimensions to reduce, non-negative; all of them for None or ()."""
    if dim is None or dim == ():
        return tuple(range(input.ndim))
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    found = tuple(input._dim(d) for d in dims)
    if len(set(found)) != len(found):
        repeated = next(d for d in found if found.count(d) > 1)
        raise StateError(
            f"dim={repeated} appears multiple times in the list of dims",
            why=f"they are {dims}",
            fix="name each dimension once",
        )
    return found if input.ndim else ()


def _mask(input, mask):
    """The mask in the shape of the input (True everywhere if there is none)."""
    if mask is None:
        return torch.ones(input.shape, dtype=torch.bool, device=input.device)
    if mask.ndim > input.ndim:
        raise IndexOutOfRange(
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)",
            why=f"the mask has shape {tuple(mask.shape)}, the input {tuple(input.shape)}",
            fix="use a mask of the input's shape",
        )
    return mask.to(torch.bool).expand(input.shape)


def _limit(dtype, sign):
    """The most extreme value of a dtype."""
    if dtype.is_floating_point:
        return sign * math.inf
    if dtype is torch.bool:
        return sign > 0
    return iinfo(dtype).max if sign > 0 else iinfo(dtype).min


def _filled(input, mask, value, dtype=None):
    if dtype is not None:
        input = input.to(dtype)
    return input if mask is None else torch.where(_mask(input, mask), input, torch.full_like(input, value))


def _reduce(function, input, dim, keepdim):
    """Apply a one-dimension-at-a-time reduction over several."""
    dims = sorted(_dims(input, dim), reverse=True)
    for d in dims:
        input = function(input, d, keepdim)
    return input


def _wide(input, dtype):
    """The dtype that sums and products of `input` have."""
    return dtype if dtype is not None else input.dtype if input.dtype.category > 1 else torch.int64


def sum(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Sum of the elements where `mask` is True.

    >>> import flambeau as torch
    >>> torch.masked.sum(torch.tensor([1., 2., 3.]), mask=torch.tensor([True, False, True]))
    tensor(4.)
    """
    wide = _wide(input, dtype)
    dims = _dims(input, dim)
    filled = _filled(input, mask, 0, wide)
    return filled.sum(dims, keepdim=keepdim) if dims else filled.clone()


def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Product of the elements where `mask` is True."""
    filled = _filled(input, mask, 1, _wide(input, dtype))
    return _reduce(lambda x, d, k: x.prod(d, keepdim=k), filled, dim, keepdim)


def amax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Largest of the elements where `mask` is True; the smallest value of the dtype where there are none."""
    wide = dtype or input.dtype
    return _filled(input, mask, _limit(wide, -1), wide).amax(_dims(input, dim), keepdim=keepdim)


def amin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Smallest of the elements where `mask` is True; the largest value of the dtype where there are none."""
    wide = dtype or input.dtype
    return _filled(input, mask, _limit(wide, 1), wide).amin(_dims(input, dim), keepdim=keepdim)


def argmax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Index of the largest of the elements where `mask` is True."""
    wide = dtype or input.dtype
    return _filled(input, mask, _limit(wide, -1), wide).argmax(dim, keepdim=keepdim).to(wide)


def argmin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Index of the smallest of the elements where `mask` is True."""
    wide = dtype or input.dtype
    return _filled(input, mask, _limit(wide, 1), wide).argmin(dim, keepdim=keepdim).to(wide)


def _count(input, dim, keepdim, mask):
    return sum(torch.ones(input.shape, dtype=torch.int64, device=input.device), dim, keepdim=keepdim, mask=mask)


def _need_float(input, dtype, name):
    if (dtype or input.dtype).category < 2:
        raise ArgumentError(
            f"{name}(): Could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {input.dtype}",
            why="what is masked out becomes NaN or infinite, which integers do not have",
            fix="use `x.float()`",
        )


def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Mean of the elements where `mask` is True; nan where there are none."""
    _need_float(input, dtype, "mean")
    total = sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _count(input, dim, keepdim, mask)


def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """Vector norm of order `ord` of the elements where `mask` is True."""
    fill = math.inf if ord == -math.inf else 0
    if ord is not None and ord < 0 and mask is not None:
        fill = math.inf
    return torch.linalg.vector_norm(_filled(input, mask, fill, dtype), 2.0 if ord is None else ord, _dims(input, dim),
                                    keepdim=keepdim)  # fmt: skip


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """Variance of the elements where `mask` is True."""
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    wide = dtype or (input.dtype if input.dtype.category > 1 else torch.get_default_dtype())
    input = input.to(wide)
    count = _count(input, dim, True, mask)
    center = sum(input, dim, keepdim=True, mask=mask) / count
    square = (input - center).abs() ** 2 if input.is_complex() else (input - center) ** 2
    total = sum(square, dim, keepdim=keepdim, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    left = (count - correction).to(total.dtype)
    return total / torch.maximum(left, torch.zeros_like(left))


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """Standard deviation of the elements where `mask` is True."""
    return var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask).sqrt()


def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """Lower median of the elements where `mask` is True; nan where there are none."""
    wide = dtype or input.dtype
    if not wide.is_floating_point:
        if mask is not None and not _mask(input, mask).all():
            raise ArgumentError(
                "masked median expects no fully masked out rows if dtype is not floating point",
                why="the median of nothing is NaN, which integers do not have",
                fix="use `x.float()`",
            )
        return input.to(wide).median(dim, keepdim=keepdim).values
    return _filled(input, mask, math.nan, wide).nanmedian(dim, keepdim=keepdim).values


def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """log of the sum of exponentials of the elements where `mask` is True."""
    wide = dtype or input.dtype
    floating = wide if wide.category > 1 else torch.get_default_dtype()
    return _filled(input, mask, -math.inf, floating).logsumexp(_dims(input, dim), keepdim=keepdim).to(wide)


def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """log(exp(input) + exp(other)), each taken as exp(-inf) where its mask is False."""
    return torch.logaddexp(_filled(input, input_mask, -math.inf, dtype), _filled(other, other_mask, -math.inf, dtype))


def cumsum(input, dim, *, dtype=None, mask=None):
    """Running sum of the elements where `mask` is True."""
    return _filled(input, mask, 0, _wide(input, dtype)).cumsum(dim)


def cumprod(input, dim, *, dtype=None, mask=None):
    """Running product of the elements where `mask` is True."""
    return _filled(input, mask, 1, _wide(input, dtype)).cumprod(dim)


def softmax(input, dim, *, dtype=None, mask=None):
    """softmax over the elements where `mask` is True; nan where there are none."""
    return torch.softmax(_filled(input, mask, -math.inf, dtype or input.dtype), dim)


def log_softmax(input, dim, *, dtype=None, mask=None):
    """log softmax over the elements where `mask` is True."""
    return torch.log_softmax(_filled(input, mask, -math.inf, dtype or input.dtype), dim)


def softmin(input, dim, *, dtype=None, mask=None):
    """softmax of the negatives over the elements where `mask` is True."""
    return torch.softmax(-_filled(input, mask, math.inf, dtype or input.dtype), dim)


def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """`input` divided by the norm of its elements where `mask` is True; 0 elsewhere."""
    wide = dtype or input.dtype
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    bound = torch.maximum(size, torch.full_like(size, eps))
    return _filled(input, mask, 0, wide) / bound


class MaskedTensor:
    """PyTorch's prototype of a tensor with a mask: not supported; use the functions of this module."""

    def __init__(self, data, mask, requires_grad=False):
        raise NotSupported(
            "MaskedTensor is not supported",
            why="flambeau has functions that take a mask instead",
            fix="use `torch.masked.sum(x, mask=mask)` and the like",
        )


def masked_tensor(data, mask, requires_grad=False):
    """Not supported; see MaskedTensor."""
    return MaskedTensor(data, mask, requires_grad)


as_masked_tensor = masked_tensor


def is_masked_tensor(obj) -> builtins.bool:
    """Whether `obj` is a MaskedTensor: they do not exist here, so False."""
    return False
