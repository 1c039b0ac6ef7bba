"""Sequences of different lengths: padding them, packing them, and undoing both."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable

from ... import dtypes, ops
from ...dtypes import int64
from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, ShapeError
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

_Fields = namedtuple("_Fields", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


class PackedSequence(_Fields):
    """Sequences of different lengths in one tensor: all first elements, then all second ones, and so on.

    Made by `pack_padded_sequence` and `pack_sequence`; RNN, LSTM and GRU take it and give it back.

    Fields:
        data: the elements.
        batch_sizes: how many sequences have a t-th element.
        sorted_indices, unsorted_indices: the order from long to short, and back.

    >>> import flambeau as torch
    >>> packed = torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise FailedAssertion(
                    "Expected data to be a list or tuple of length 2",
                    why="without batch_sizes, data holds both",
                    fix="use `pack_sequence(sequences)`",
                )
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes.device.type != "cpu":
            raise ArgumentError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence and pack_padded_sequences in "
                "nn.utils.rnn. https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence",
                why=f"it is on {batch_sizes.device}, and the steps are counted in Python",
                fix="use `batch_sizes.cpu()`",
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __reduce__(self):
        return PackedSequence, tuple(self)

    def pin_memory(self):
        """Itself: pinned memory is for accelerators."""
        return self

    def to(self, *args, **kwargs):
        """The same sequences on another device or in another dtype; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        place = {k: v for k, v in kwargs.items() if k not in ("dtype", "copy")}
        place["device"] = data.device

        def move(t):
            return None if t is None else t.to(**{k: v for k, v in place.items() if k in ("device", "non_blocking")})

        return type(self)(data, self.batch_sizes, move(self.sorted_indices), move(self.unsorted_indices))

    def cuda(self, *args, **kwargs):
        """On a GPU."""
        return self.to(*args, device="cuda", **kwargs)

    def cpu(self, *args, **kwargs):
        """On the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def double(self):
        """In float64."""
        return self.to(dtype=dtypes.float64)

    def float(self):
        """In float32."""
        return self.to(dtype=dtypes.float32)

    def half(self):
        """In float16."""
        return self.to(dtype=dtypes.float16)

    def long(self):
        """In int64."""
        return self.to(dtype=dtypes.int64)

    def int(self):
        """In int32."""
        return self.to(dtype=dtypes.int32)

    def short(self):
        """In int16."""
        return self.to(dtype=dtypes.int16)

    def char(self):
        """In int8."""
        return self.to(dtype=dtypes.int8)

    def byte(self):
        """In uint8."""
        return self.to(dtype=dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the elements are on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the elements are in pinned memory."""
        return False


def invert_permutation(permutation):
    """The permutation that undoes one; None for None.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Packs a padded batch.

    Arguments:
        input: (L, N, ...), or (N, L, ...) with batch_first.
        lengths: the length of each sequence.
        enforce_sorted: demand that the lengths decrease; otherwise sort them here.

    >>> import flambeau as torch
    >>> from flambeau.nn.utils.rnn import pack_padded_sequence
    >>> pack_padded_sequence(torch.tensor([[1, 4], [2, 5], [3, 0]]), [3, 2]).data
    tensor([1, 4, 2, 5, 3])
    """
    if not isinstance(input, Tensor):
        kind = type(input).__name__
        raise ArgumentTypeError(
            f"_pack_padded_sequence(): argument 'input' (position 1) must be Tensor, not {kind}",
            why="it is the padded batch",
            fix="use `pad_sequence(sequences)`, or `pack_sequence(sequences)` at once",
        )
    if isinstance(lengths, Tensor):
        lengths = lengths.to(int64)
    else:
        lengths = ops.tensor([int(n) for n in lengths], dtype=int64)
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True, stable=True)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    if len(sizes) != input.shape[1]:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={input.shape[1]})",
            why=f"the input has shape {tuple(input.shape) if not batch_first else tuple(input.mT.shape)}"
            if input.ndim == 2
            else f"there are {input.shape[1]} samples in the batch, each with a length",
            fix="use `batch_first=True` when the batch is the first dimension"
            if not batch_first
            else f"give {input.shape[1]} lengths, or leave batch_first out when the steps come first",
        )
    if not sizes or sizes[-1] <= 0 and all(a >= b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
            why="an empty sequence has no step to compute" if sizes else "the batch is empty",
            fix="leave empty sequences out: `keep = lengths > 0`",
        )
    if any(a < b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if "
            "you do not need ONNX exportability.",
            why=f"the lengths are {sizes if len(sizes) <= 8 else sizes[:8]}",
            fix="use `enforce_sorted=False`",
        )
    if sizes[0] > input.shape[0]:
        raise ShapeError(
            f"Expected all lengths to be at most {input.shape[0]}, but got {sizes[0]}",
            why=f"the padded batch has {input.shape[0]} steps",
            fix="use `batch_first=True` when the batch is the first dimension"
            if not batch_first
            else "count the lengths on the padded sequences, after cutting",
        )
    batch_sizes = [sum(n > t for n in sizes) for t in range(sizes[0])]
    if batch_sizes[-1] == len(sizes):
        data = input[: sizes[0]].reshape(-1, *input.shape[2:])
    else:
        data = ops.cat([input[t, :n] for t, n in enumerate(batch_sizes)])
    return PackedSequence(data, ops.tensor(batch_sizes, dtype=int64), order, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Pads packed sequences again: (padded batch, lengths).

    Arguments:
        total_length: pad to this length at least.

    >>> import flambeau as torch
    >>> packed = torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    >>> torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    sizes = [int(n) for n in sequence.batch_sizes.tolist()]
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ArgumentError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}",
                why="no step can be left out of the padded batch",
                fix=f"use `total_length={steps}`, or leave it out",
            )
        steps = total_length
    data, batch = sequence.data, sizes[0]
    # Row t * batch + n of the padded batch is the n-th row of step t, where there is one.
    rows = ops.tensor([t * batch + n for t, size in enumerate(sizes) for n in range(size)], dtype=int64)
    padded = data.new_full((steps * batch, *data.shape[1:]), padding_value)
    padded = padded.index_copy(0, rows.to(data.device), data).view(steps, batch, *data.shape[1:])
    lengths = ops.tensor([sum(size > n for size in sizes) for n in range(batch)], dtype=int64)
    if batch_first:
        padded = padded.transpose(0, 1)
    back = sequence.unsorted_indices
    if back is not None:
        return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]
    return padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences (L_i, *) of different lengths in one padded tensor (L, N, *), or (N, L, *) with batch_first.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(3)], batch_first=True)
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    if not isinstance(sequences, Iterable):
        raise ShapeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}",
            why="it pads a list of tensors to one length",
            fix="use `[x]` for a single tensor",
        )
    sequences = list(sequences.unbind(0)) if isinstance(sequences, Tensor) else list(sequences)
    if not sequences:
        raise ShapeError(
            "received an empty list of sequences", why="there is nothing to pad to", fix="leave empty batches out"
        )
    if padding_side not in ("left", "right"):
        raise ShapeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}.",
            why="it says where the padding goes",
            fix='use `padding_side="right"`',
        )
    longest = max(s.size(0) for s in sequences)
    trailing = sequences[0].shape[1:]
    padded = []
    for i, s in enumerate(sequences):
        if s.shape[1:] != trailing:
            raise ShapeError(
                f"output with shape {[longest, *trailing]} doesn't match the broadcast shape {list(s.shape)}",
                why=f"sequence {i} has shape {tuple(s.shape)}, and only first dimensions may differ",
                fix=f"give all sequences the shape (length, {', '.join(map(str, trailing))})"
                if trailing
                else "give all sequences one dimension, e.g. `s.flatten()`",
            )
        missing = longest - s.size(0)
        if missing:
            gap = s.new_full((missing, *trailing), padding_value)
            s = ops.cat([s, gap] if padding_side == "right" else [gap, s])
        padded.append(s)
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences of a padded tensor, as a list.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.unpad_sequence(torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[:n] for s, n in zip(padded_sequences.unbind(0), _ints(lengths), strict=True)]


def _ints(lengths):
    return [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]


def pack_sequence(sequences, enforce_sorted=True):
    """Packs a list of sequences of different lengths.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5])]).batch_sizes
    tensor([2, 2, 1])
    """
    lengths = ops.tensor([s.size(0) for s in sequences], dtype=int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of sequences that were packed.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.unpack_sequence(torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
