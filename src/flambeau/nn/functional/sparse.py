"""Embeddings: rows of a table chosen by number."""

from __future__ import annotations

import numpy as np

from ...autograd.mode import no_grad
from ...checks.log import log
from ...checks.targets import unrecorded
from ...errors import ArgumentError, DtypeError, FailedAssertion, NotSupported, ShapeError
from ...ops.embedding import _embedding, check_rows
from ...ops.entry import public
from ...ops.fused import title
from ...ops.promotion import check_devices
from ...ops.shape import need_tensor
from ...tensor import Tensor, wrap


def _check_indices(t, name, position=1, argument="indices"):
    need_tensor(t, name, argument, position)
    if t._array.dtype.kind != "i" or t._array.dtype.itemsize < 4:
        raise DtypeError(
            f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{title(t)}Tensor instead (while checking arguments for {name})",
            why="row numbers are integers",
            fix="use `indices.long()`",
        )


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Rows of `weight` by their numbers `input`.

    Arguments:
        padding_idx: a row that gets no gradient.
        max_norm: rows looked up are first scaled down, in place, to at most this `norm_type`-norm.
        scale_grad_by_freq: divide each row's gradient by how often it was looked up.
        sparse: accepted; gradients are dense tensors of the same values.
    Shapes: input (*), weight (V, D) -> (*, D).
    Raises IndexError for a number that is no row.

    >>> import flambeau as torch
    >>> torch.nn.functional.embedding(torch.tensor([1, 0]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    need_tensor(input, "embedding")
    need_tensor(weight, "embedding", "weight", 2)
    _check_indices(input, "embedding")
    if type(input._array) is not type(weight._array):
        check_devices(input, weight)
    if weight.ndim != 2:
        raise ShapeError(
            "'weight' must be 2-D",
            why=f"it holds one row per entry, and has shape {tuple(weight.shape)}",
            fix="use a weight of shape (num_embeddings, embedding_dim)",
        )
    rows = weight._array.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise FailedAssertion(
                "Padding_idx must be within num_embeddings",
                why=f"it is {padding_idx}, and there are {rows} rows, numbered 0 to {rows - 1}",
                fix=f"use one of these, or a weight with {padding_idx + 1} rows"
                if padding_idx >= 0
                else f"use `padding_idx={padding_idx % rows if rows else 0}`",
            )
        padding_idx %= rows
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    made = _embedding(weight, input, padding=padding_idx, by_frequency=bool(scale_grad_by_freq))
    if made._node is None and log.on:
        unrecorded(input, weight, padding_idx)
    return made


@public("embedding")
def _torch_embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """Rows of `weight` by their numbers; padding_idx -1 means none."""
    return embedding(indices, weight, None if padding_idx < 0 else padding_idx, None, 2.0, scale_grad_by_freq, sparse)


def _renorm(weight, indices, max_norm, norm_type):
    """Scale the rows in use down to `max_norm`, in place."""
    if weight.is_meta or indices.is_meta:
        return
    check_rows(indices._array, weight.shape[0])
    used = np.unique(indices._array)
    a = weight._array
    rows = a[used]
    norms = np.linalg.norm(rows.astype(np.float64), ord=float(norm_type), axis=1)
    long = norms > max_norm
    if long.any():
        with no_grad():
            a[used[long]] = rows[long] * (max_norm / (norms[long] + 1e-7)).astype(a.dtype)[:, None]
            weight._bump()


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean",
                  sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None):  # fmt: skip
    """The sum, mean or maximum of bags of rows of `weight`.

    Arguments:
        input: row numbers, (B, n) for bags of equal size, or (N,) with `offsets` where each bag begins.
        per_sample_weights: a factor for each number; mode "sum" only.
        include_last_offset: offsets end with the length of the input.
        padding_idx: numbers of this row do not count.

    >>> import flambeau as torch
    >>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> torch.nn.functional.embedding_bag(torch.tensor([0, 1, 2]), weight, offsets=torch.tensor([0, 2]), mode="sum")
    tensor([[4., 6.],
            [5., 6.]])
    """
    return _bags(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights,
                 include_last_offset, padding_idx)  # fmt: skip


def _bags(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights,
          include_last_offset, padding_idx):  # fmt: skip
    if (
        isinstance(weight, Tensor)
        and isinstance(input, Tensor)
        and input.is_floating_point()
        and not (weight.is_floating_point())
    ):
        raise ArgumentError(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ..)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            why=f"the first argument has dtype {input.dtype.name}, so it is no list of indices",
            fix="use `embedding_bag(input, weight, ...)`",
        )
    _check_indices(input, "embedding_bag")
    check_devices(input, weight, per_sample_weights)
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(
            "mode has to be one of sum, mean or max",
            why=f"it is {mode!r}, and says how the rows of a bag are put together",
            fix='use "sum", "mean" or "max"',
        )
    if per_sample_weights is not None:
        if input.size() != per_sample_weights.size():
            raise ArgumentError(
                f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, then it must "
                f"have the same shape as the input ({list(input.shape)})",
                why="each index has its own weight",
                fix=f"use `per_sample_weights.reshape({list(input.shape)})`"
                if per_sample_weights.numel() == input.numel()
                else f"give weights of shape {tuple(input.shape)}",
            )
        if mode != "sum":
            raise NotSupported(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for "
                f"mode='sum' (got mode='{mode}'). Please open a feature request on GitHub.",
                why="the rows of a bag are multiplied with the weights and added",
                fix='use `mode="sum"`',
            )
    if mode == "max" and scale_grad_by_freq:
        raise ArgumentError(
            "max mode does not support scaling the gradient by the frequency",
            why="only the largest row of a bag has a gradient",
            fix='use `scale_grad_by_freq=False`, or `mode="sum"`',
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ArgumentError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}",
                why=f"each of the {input.shape[0]} rows of input is a bag already",
                fix="leave offsets out, or use `input.flatten()` with them",
            )
        bags, size = input.shape
        starts = np.arange(bags) * size
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.ndim == 1:
        if offsets is None:
            raise ArgumentError(
                "offsets has to be a 1D Tensor but got None",
                why="nothing says where one bag ends and the next begins",
                fix="use `offsets=torch.tensor([0])` for a single bag, or a 2D input with one bag per row",
            )
        if offsets.ndim != 1:
            raise ArgumentError(
                "offsets has to be a 1D Tensor",
                why=f"it lists where the bags begin, and has shape {tuple(offsets.shape)}",
                fix="use `offsets.flatten()`",
            )
        starts = offsets._array.astype(np.int64)
        if include_last_offset:
            if not starts.size:
                raise ShapeError(
                    "include_last_offset: number of offset should be at least 1",
                    why="the last offset is the end of the last bag",
                    fix=f"use `offsets=torch.tensor([0, {input.shape[0]}])` for a single bag",
                )
            starts = starts[:-1]
        bags = starts.size
        if starts.size and starts[0] != 0:
            raise ShapeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                f"However, got {starts[0]}",
                why=f"the {starts[0]} indices before it would belong to no bag",
                fix="use 0 as the first offset",
            )
        if starts.size and starts[-1] > input.shape[0]:
            raise ShapeError(
                "offsets[-1] can not be greater than input's length, the last sequence must not start behind the "
                f"end. Got offsets[-1] = {starts[-1]} and an input of {input.shape[0]}",
                why="the offsets are positions in input",
                fix=f"use offsets of at most {input.shape[0]}",
            )
    else:
        raise ArgumentError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}",
            why="input is a vector of indices with offsets, or a matrix with one bag per row",
            fix="use `input.flatten(0, -2)`" if input.ndim > 2 else "use `input.reshape(1)`",
        )
    if input.is_meta:
        return weight[:1].expand(bags, weight.shape[1]).clone()
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise FailedAssertion(
                "Padding_idx must be within num_embeddings",
                why=f"it is {padding_idx}, and there are {rows} rows, numbered 0 to {rows - 1}",
                fix=f"use one of these, or a weight with {padding_idx + 1} rows"
                if padding_idx >= 0
                else f"use `padding_idx={padding_idx % rows if rows else 0}`",
            )
        padding_idx %= rows
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    count = input.shape[0]
    bag = np.searchsorted(starts, np.arange(count), side="right") - 1 if bags else np.zeros(0, np.int64)
    if padding_idx is not None and count:
        counted = input._array != padding_idx
        chosen = np.flatnonzero(counted)
        input, bag = input[wrap(chosen)], bag[chosen]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights[wrap(chosen)]
    kind = weight.dtype
    if kind.itemsize == 2:
        weight = weight.float()
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.float()
    looked = _embedding(weight, input, padding=None, by_frequency=bool(scale_grad_by_freq))
    if per_sample_weights is not None:
        if per_sample_weights.dtype is not weight.dtype:
            raise ShapeError(
                f"expected scalar type {title(weight)} but found {title(per_sample_weights)}",
                why="rows and their weights are multiplied with each other",
                fix=f"use `per_sample_weights.to({weight.dtype})`",
            )
        looked = looked * per_sample_weights.unsqueeze(1)
    if mode == "max":
        return _bag_max(looked, bag, bags).to(kind)
    total = looked.new_zeros((bags, weight.shape[1])).index_add(0, wrap(bag), looked)
    if mode == "mean":
        sizes = np.maximum(np.bincount(bag, minlength=bags), 1).astype(weight._array.dtype)
        total = total / wrap(sizes[:, None])
    return total.to(kind)


def _bag_max(looked, bag, bags):
    """Per bag and column, the largest value (the first of equals); 0 for empty bags."""
    a = looked._array
    if not a.shape[0]:
        return looked.new_zeros((bags, a.shape[1])) + looked.sum()
    full = np.unique(bag)
    starts = np.searchsorted(bag, full)
    top = np.zeros((bags, a.shape[1]), a.dtype)
    top[full] = np.maximum.reduceat(a, starts, axis=0)
    rows = np.where(a == top[bag], np.arange(len(bag))[:, None], len(bag) - 1)
    first = np.zeros((bags, a.shape[1]), np.int64)
    first[full] = np.minimum.reduceat(rows, starts, axis=0)
    empty = np.ones((bags, 1), bool)
    empty[full] = False
    return looked.gather(0, wrap(first)).masked_fill(wrap(empty), 0.0)


@public("embedding_bag")
def _torch_embedding_bag(weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False,
                         per_sample_weights=None, include_last_offset=False, padding_idx=None):  # fmt: skip
    """(bags, bag of each number, bag sizes, positions of maxima); mode 0 sum, 1 mean, 2 max."""
    out = embedding_bag(indices, weight, offsets, None, 2, scale_grad_by_freq, ("sum", "mean", "max")[mode], sparse,
                        per_sample_weights, include_last_offset, padding_idx)  # fmt: skip
    starts = offsets._array
    bag = np.searchsorted(starts, np.arange(indices.numel()), side="right") - 1
    sizes = np.bincount(bag, minlength=starts.size) if starts.size else np.zeros(0, np.int64)
    return out, wrap(bag), wrap(sizes), wrap(np.zeros(0, np.int64))


def one_hot(tensor, num_classes=-1):
    """A 1 at each class number, in a new last dimension of size `num_classes` (default: the largest number + 1).

    >>> import flambeau as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    need_tensor(tensor, "one_hot")
    a = tensor._array
    if tensor.is_meta and num_classes > 0:
        return tensor.unsqueeze(-1).expand(*tensor.shape, num_classes).clone()
    if a.dtype != np.int64:
        raise DtypeError(
            "one_hot is only applicable to index tensor of type LongTensor.",
            why=f"the tensor is {tensor.dtype.name}, and classes are numbered",
            fix="use `tensor.long()`",
        )
    if not a.size:
        if num_classes <= 0:
            raise ShapeError(
                "Can not infer total number of classes from empty tensor.",
                why="num_classes is -1, which takes the largest index and one more",
                fix="give num_classes",
            )
        return wrap(np.zeros((*a.shape, num_classes), np.int64))
    if a.min() < 0:
        raise ShapeError(
            "Class values must be non-negative.",
            why=f"the smallest is {a.min()}, and classes are numbered from 0",
            fix=f"use `tensor + {-a.min()}`, or leave out the entries that mean no class",
        )
    if num_classes == -1:
        num_classes = int(a.max()) + 1
    elif num_classes < 1:
        raise ShapeError(
            "num_classes should be positive",
            why=f"it is {num_classes}, the length of each row",
            fix=f"use `num_classes={int(a.max()) + 1}`, or leave it out",
        )
    elif num_classes <= a.max():
        raise ShapeError(
            "Class values must be smaller than num_classes.",
            why=f"the largest is {a.max()}, num_classes is {num_classes}, and classes are numbered from 0",
            fix=f"number the classes from 0: subtract 1, or use `num_classes={int(a.max()) + 1}`"
            if a.min() == 1 and a.max() == num_classes
            else f"use `num_classes={int(a.max()) + 1}`",
            code="FB-SHAPE-08",
            cause="one-based" if a.min() == 1 and a.max() == num_classes else "too-large",
        )
    return wrap((a[..., None] == np.arange(num_classes)).astype(np.int64))
