"""Less common relatives: fill, fill_diagonal_, frobenius_norm, nuclear_norm, hash_tensor, segment_reduce."""

from __future__ import annotations

import operator

import numpy as np

from ..errors import DtypeError, ShapeError
from ..language import warn
from ..tensor import Tensor, attach, wrap
from .arguments import need_tensor
from .arrange import flip
from .entry import REGISTRY, check_writable, public
from .join import narrow_to, stack
from .linalg_norms import matrix_norm, vector_norm
from .padding import _pad_constant
from .reduce import _axes
from .resizing import resize_


@public()
def fill(input, value):
    """A copy of the tensor's shape with every element `value`.

    >>> import flambeau as torch
    >>> torch.fill(torch.tensor([1, 2]), 7)
    tensor([7, 7])
    """
    need_tensor(input, "fill")
    return input.clone().fill_(value)


@public()
def constant_pad_nd(input, pad, value=0):
    """A copy with a border of `value`; `pad`: (before, after) of the last dimension, then of the one before it, ...

    >>> import flambeau as torch
    >>> torch.constant_pad_nd(torch.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    need_tensor(input, "constant_pad_nd")
    pad = [operator.index(p) for p in pad]
    if len(pad) % 2:
        raise ShapeError(
            f"Length of pad must be even but instead it equals {len(pad)}",
            why="each dimension, from the last one on, has two numbers: before and after",
            fix="pass 2, 4 or 6 numbers",
        )
    if len(pad) > 2 * input.ndim:
        raise ShapeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad "
            f"length is {len(pad)} while the input has {input.ndim} dimensions.",
            why="each dimension, from the last one on, has two numbers",
            fix=f"pass at most {2 * input.ndim} numbers",
        )
    widths = [(0, 0)] * (input.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))[::-1]
    for n, (a, b) in zip(input.shape, widths):
        if n + a + b < 0:
            raise ShapeError(
                f"The input size {n}, plus negative padding {a} and {b}, resulted in a negative output "
                "size, which is invalid.",
                why=f"negative padding cuts elements off, and only {n} are there",
                fix=f"cut off at most {n} in all",
            )
    return _pad_constant(input, widths=tuple(widths), value=value)


@public(method=True, function=False)
def fill_diagonal_(self, fill_value, wrap=False):
    """Set the main diagonal to a number, in place; `wrap` starts again below it in tall matrices.

    >>> import flambeau as torch
    >>> torch.zeros(2, 2).fill_diagonal_(1)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if self.ndim < 2:
        raise ShapeError(
            "dimensions must larger than 1",
            why=f"the tensor has shape {tuple(self.shape)}, and a matrix has a diagonal",
            fix="use `x.fill_(value)` for a vector",
        )
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise ShapeError(
            "all dimensions of input must be of equal length",
            why=f"the sizes are {tuple(self.shape)}",
            fix="fill one part at a time, or use `torch.diagonal(x).fill_(value)`",
        )
    check_writable(self)
    mask = np.zeros(self.shape, np.bool_)
    np.fill_diagonal(mask, True, wrap=bool(wrap))
    return self.masked_fill_(Tensor.wrap(mask), fill_value)


attach("__reversed__", lambda self: flip(self, 0) if self.ndim else self)


def _deprecated(name, function):
    def old(self, *sizes):
        warn(f"non-inplace {name} is deprecated", stacklevel=2)
        return function(self.clone(), *sizes)

    old.__name__ = name
    old.__doc__ = f"A copy after `{name}_` (deprecated)."
    attach(name, old)


_deprecated("resize", resize_)
_deprecated("resize_as", lambda t, other: resize_(t, other.shape))
REGISTRY["addmv_"] = Tensor.addmv_


@public(out=True)
def frobenius_norm(input, dim, keepdim=False):
    """Square root of the sum of squares over one or two dimensions.

    >>> import flambeau as torch
    >>> torch.frobenius_norm(torch.tensor([[3.0, 4.0]]), dim=1)
    tensor([5.])
    """
    return vector_norm(input, 2, dim, keepdim)


@public(out=True)
def nuclear_norm(input, dim=(0, 1), keepdim=False):
    """Sum of the singular values of matrices.

    >>> import flambeau as torch
    >>> torch.nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(7.)
    """
    return matrix_norm(input, "nuc", dim, keepdim)


@public()
def norm_except_dim(v, pow=2, dim=0):
    """The norm over all dimensions but one, which keeps its size.

    >>> import flambeau as torch
    >>> torch.norm_except_dim(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    tensor([[5.],
            [2.]])
    """
    rest = [d for d in range(v.ndim) if d != dim % v.ndim]
    return vector_norm(v, pow, rest if dim != -1 else None, True)


@public(method=True, out=True)
def hash_tensor(input, dim=(), keepdim=False, mode=0):
    """The exclusive or of the 64-bit patterns of all elements, or over dimensions `dim`, as uint64."""
    need_tensor(input, "hash_tensor")
    if mode != 0:
        raise DtypeError(
            f"hash_tensor: unsupported mode {mode}: only 0 (exclusive or) exists",
            why="it names the way in which elements are joined",
            fix="pass `mode=0`",
        )
    a = input._array
    if a.dtype.kind == "c":
        raise DtypeError(
            "hash_tensor does not take complex tensors",
            why=f"the tensor is {input.dtype.name}",
            fix="hash both parts: `torch.view_as_real(x)`",
        )
    if a.dtype.kind in "fV":
        bits = np.ascontiguousarray(a.astype(np.float64)).view(np.uint64).reshape(a.shape)
    else:
        bits = np.ascontiguousarray(a.astype(np.int64)).view(np.uint64).reshape(a.shape)
    return wrap(np.asarray(np.bitwise_xor.reduce(bits, axis=_axes(dim, a.ndim), keepdims=bool(keepdim))))


@public()
def segment_reduce(data, reduce, *, lengths=None, indices=None, offsets=None, axis=0, unsafe=False, initial=None):
    """Each of consecutive segments of dimension `axis` reduced: "sum", "mean", "max", "min" or "prod".

    >>> import flambeau as torch
    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([2, 1]))
    tensor([3., 3.])
    """
    need_tensor(data, "segment_reduce", "data")
    if reduce not in ("sum", "mean", "max", "min", "prod"):
        raise DtypeError(
            f"segment_reduce: unsupported reduction {reduce}",
            why="it says how the elements of a segment are joined",
            fix='pass "sum", "mean", "max", "min" or "prod"',
        )
    if lengths is None and offsets is None:
        raise ShapeError(
            "segment_reduce(): Either lengths or offsets must be defined.",
            why="they say where one segment ends and the next begins",
            fix="pass `lengths=torch.tensor([2, 3])`, the sizes of the segments",
        )
    if lengths is None:
        cuts = offsets.tolist()
    else:
        if lengths.ndim != 1 or axis != 0:
            raise ShapeError(
                "segment_reduce: flambeau takes lengths of one dimension, along axis 0",
                why=f"`lengths` has shape {tuple(lengths.shape)}, `axis` is {axis}",
                fix="move the axis to the front: `x.movedim(axis, 0)`",
            )
        cuts = [0, *np.cumsum(lengths._array).tolist()]
        if not unsafe and cuts[-1] != data.shape[axis]:
            raise ShapeError(
                f"segment_reduce(): Expected all rows of lengths along axis to sum to data.size(axis) "
                f"({data.shape[axis]}), got {cuts[-1]}",
                why="the segments cover the whole axis",
                fix=f"pass lengths that add up to {data.shape[axis]}, or `unsafe=True`",
            )
    join = {"sum": lambda a, b: a + b, "mean": lambda a, b: a + b, "prod": lambda a, b: a * b,
            "max": lambda a, b: REGISTRY["maximum"](a, b), "min": lambda a, b: REGISTRY["minimum"](a, b)}  # fmt: skip
    nothing = {"sum": 0.0, "mean": float("nan"), "prod": 1.0, "max": -float("inf"), "min": float("inf")}
    parts = []
    for a, b in zip(cuts, cuts[1:]):
        a, b = operator.index(a), operator.index(b)
        part = narrow_to(data, axis, a, b - a)
        if a == b:
            rest = data.new_zeros(part.sum(axis).shape)
            parts.append(rest + (nothing[reduce] if initial is None else initial))
            continue
        made = {"sum": part.sum, "mean": part.sum, "prod": part.prod, "max": part.amax, "min": part.amin}[reduce](axis)
        if initial is not None:
            made = join[reduce](made, made.new_zeros(made.shape) + initial)
        parts.append(made / (b - a) if reduce == "mean" else made)
    return stack(parts, axis)
