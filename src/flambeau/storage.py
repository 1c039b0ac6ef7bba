"""Storages: the flat memory under one or several tensors, as bytes (UntypedStorage) or as elements (TypedStorage)."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from . import dtypes
from .arrays import address, device_of, owner
from .errors import ArgumentTypeError, IndexOutOfRange, NotSupported
from .tensor import attach, wrap


def flat_bytes(array: np.ndarray) -> np.ndarray:
    """All the memory that `array` is a view of, as uint8; for a MetaArray, an array of that size on `meta`."""
    base = owner(array)
    order = sorted(range(base.ndim), key=lambda d: -base.strides[d])
    dense = base.transpose(order)
    if not dense.flags.c_contiguous:
        length = base.itemsize + sum((n - 1) * s for n, s in zip(base.shape, base.strides)) if base.size else 0
        dense = np.lib.stride_tricks.as_strided(base, (length // base.itemsize,), (base.itemsize,))
    return dense.reshape(-1).view(np.uint8)


class UntypedStorage:
    """The bytes under a tensor. Tensors that share memory have storages with the same `data_ptr()`.

    Arguments:
        source: a number of bytes, or an array whose memory it stands for.
    """

    def __init__(self, source=0, *, device=None):
        self._bytes = np.zeros(source, np.uint8) if isinstance(source, int) else flat_bytes(source)

    @classmethod
    def _over(cls, raw):
        made = cls.__new__(cls)
        made._bytes = raw
        return made

    def nbytes(self) -> int:
        """Its size."""
        return self._bytes.nbytes

    size = nbytes
    __len__ = nbytes

    def data_ptr(self) -> int:
        """Address of its first byte."""
        return address(self._bytes)

    _cdata = property(data_ptr)

    @property
    def device(self):
        """Where it lives."""
        return device_of(self._bytes)

    is_cuda = is_sparse = False

    def element_size(self) -> int:
        """1: it holds bytes."""
        return 1

    def tolist(self) -> list[int]:
        """The bytes as integers."""
        return self._bytes.tolist()

    def __getitem__(self, key):
        got = self._bytes[key]
        return UntypedStorage._over(got) if isinstance(key, slice) else int(got)

    def __setitem__(self, key, value):
        self._bytes[key] = value

    def __iter__(self):
        return iter(self._bytes.tolist())

    def clone(self):
        """A copy."""
        return UntypedStorage._over(self._bytes.copy())

    def copy_(self, source, non_blocking=None):
        """Overwrite with the bytes of another storage."""
        self._bytes[...] = source._bytes
        return self

    def fill_(self, value):
        """Set every byte."""
        self._bytes.fill(value)
        return self

    def cpu(self):
        """Itself: it is on the CPU."""
        return self

    def resize_(self, size):
        """Refused: the size of memory that tensors use is fixed here."""
        if size != self.nbytes():
            raise NotSupported(
                "a storage cannot be resized in place",
                why="tensors may share this memory",
                fix="make a new tensor, and use `copy_()` to fill it",
            )
        return self

    def is_shared(self) -> bool:
        """Whether other processes see it."""
        return False

    def untyped(self):
        """Itself."""
        return self

    def _array_of(self, dt) -> np.ndarray:
        return self._bytes[: self.nbytes() // dt.itemsize * dt.itemsize].view(dt.numpy)

    def __eq__(self, other):
        return isinstance(other, UntypedStorage) and (self.data_ptr(), self.nbytes()) == (
            other.data_ptr(),
            other.nbytes(),
        )

    def __hash__(self):
        return hash((self.data_ptr(), self.nbytes()))

    def __deepcopy__(self, memo):
        return self.clone()

    def __repr__(self):
        shown = "\n ".join(map(str, self._bytes[:1000].tolist()))
        return f" {shown}\n[torch.storage.UntypedStorage(device={self.device}) of size {self.nbytes()}]"


class TypedStorage:
    """The memory under a tensor, as a flat sequence of its elements."""

    dtype: Any = None

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        dtype = self.dtype or dtype or dtypes.get_default_dtype()
        self.dtype = dtype
        if wrap_storage is not None:
            self._untyped_storage = wrap_storage
        elif args and not isinstance(args[0], int):
            self._untyped_storage = UntypedStorage(np.array(args[0], dtype.numpy))
        else:
            self._untyped_storage = UntypedStorage((args[0] if args else 0) * dtype.itemsize)

    @property
    def _array(self):
        return self._untyped_storage._array_of(self.dtype)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped_storage

    def size(self) -> int:
        """Number of elements."""
        return self._array.size

    __len__ = size

    def nbytes(self) -> int:
        """Size in bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self._untyped_storage.data_ptr()

    _cdata = property(data_ptr)

    @property
    def device(self):
        """Where it lives."""
        return self._untyped_storage.device

    is_cuda = is_sparse = False

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return wrap(self._array).tolist()

    def __getitem__(self, index):
        if not isinstance(index, (int, np.integer)):
            raise ArgumentTypeError(
                f"can't index a {type(self).__name__} with {type(index).__name__}",
                why="elements are found by number",
                fix="use an int",
            )
        try:
            return self._array[index].item()
        except IndexError:
            raise IndexOutOfRange(
                f"index {index} out of range for storage of size {len(self)}",
                why="elements are numbered from 0",
                fix=f"use an index below {len(self)}",
            ) from None

    def __setitem__(self, index, value):
        self._array[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def fill_(self, value):
        """Set every element."""
        self._array.fill(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Overwrite with another storage's elements."""
        self._array[...] = source._array
        return self

    def clone(self):
        """A copy."""
        return type(self)(wrap_storage=self._untyped_storage.clone(), dtype=self.dtype)

    def cpu(self):
        """Itself: it is on the CPU."""
        return self

    def is_shared(self) -> bool:
        """Whether other processes see it."""
        return False

    def __deepcopy__(self, memo):
        return self.clone()

    def __eq__(self, other):
        return isinstance(other, TypedStorage) and (self.dtype, self._untyped_storage) == (
            other.dtype,
            other._untyped_storage,
        )

    def __hash__(self):
        return hash(self._untyped_storage)

    def __repr__(self):
        shown = "\n ".join(map(str, self.tolist()[:1000]))
        return f" {shown}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {len(self)}]"


STORAGE_DTYPES = {
    "FloatStorage": dtypes.float32, "DoubleStorage": dtypes.float64, "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16, "LongStorage": dtypes.int64, "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16, "CharStorage": dtypes.int8, "ByteStorage": dtypes.uint8, "BoolStorage": dtypes.bool,
    "ComplexFloatStorage": dtypes.complex64, "ComplexDoubleStorage": dtypes.complex128,
}  # fmt: skip
STORAGE_NAMES = {d: n for n, d in STORAGE_DTYPES.items()}
STORAGE_CLASSES = {n: type(n, (TypedStorage,), {"dtype": d, "__module__": __name__}) for n, d in STORAGE_DTYPES.items()}


def untyped_storage(self) -> UntypedStorage:
    """The memory under this tensor, as bytes; views of one tensor have the same."""
    return UntypedStorage(self._array)


def storage(self) -> TypedStorage:
    """The memory under this tensor, as elements of its dtype."""
    return TypedStorage(wrap_storage=UntypedStorage(self._array), dtype=self.dtype)


def share_memory_(self):
    """Move this tensor's elements to memory that forked processes share; returns the tensor."""
    if not is_shared(self) and not self.is_meta:
        a = self._array
        memory = np.frombuffer(mmap.mmap(-1, max(a.nbytes, 1)), a.dtype, a.size)
        order = sorted(range(a.ndim), key=lambda d: -a.strides[d])
        moved = memory.reshape([a.shape[d] for d in order])
        moved = moved.transpose(np.argsort(order)) if a.ndim else moved
        moved[...] = a
        self._array = moved
    return self


def is_shared(self) -> bool:
    """Whether its elements lie in memory that forked processes share."""
    base = owner(self._array).base
    return isinstance(getattr(base, "obj", base), mmap.mmap) and not self.is_meta


def pin_memory(self, device=None):
    """Itself: memory is pinned for copies to an accelerator, and there is none."""
    return self


def is_pinned(self, device=None) -> bool:
    """Whether its memory is pinned: no."""
    return False


for _name, _function in {"share_memory_": share_memory_, "is_shared": is_shared, "pin_memory": pin_memory,
                         "is_pinned": is_pinned, "untyped_storage": untyped_storage, "storage": storage,
                         "_typed_storage": storage}.items():  # fmt: skip
    attach(_name, _function)

globals().update(STORAGE_CLASSES)
Storage = STORAGE_CLASSES["FloatStorage"]
__all__ = ["Storage", "TypedStorage", "UntypedStorage", *STORAGE_CLASSES]
