"""Storage: what a tensor's elements live in, and the device that follows from it.

On the CPU an array is a plain `np.ndarray`: strides, views, shared memory, DLPack and the NumPy bridge come for
free. On the `meta` device it is a `MetaArray`: real shape and strides over virtual memory that is never touched,
so that a whole model can be run for its shapes alone. The device is the type of the array; nothing else says it,
and NumPy's own dispatch on that type keeps devices from being mixed at no cost to the CPU path.
"""

from __future__ import annotations

import math
import mmap
import warnings

import numpy as np

from .devices import CPU, META, device
from .errors import DeviceError, OutOfMemoryError, ShapeError
from .holders import out_of_memory

ndarray = np.ndarray

# inf and nan are ordinary results here, as in PyTorch; NumPy's warnings about them are silenced for our own calls
# only, so that a user's NumPy code goes on warning.
warnings.filterwarnings("ignore", r".*encountered in", RuntimeWarning, r"flambeau\.")


class MetaArray(np.ndarray):
    """Shape, strides and dtype without data: element-wise functions on it compute shapes only."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        for x in (*inputs, *(out or ())):
            if type(x) is np.ndarray and x.ndim > 0:
                raise mixed(META, CPU)
        if method == "__call__" and ufunc.signature is None and not kwargs.get("where", None):
            shape = np.broadcast_shapes(*(np.shape(x) for x in inputs))
            # One element is enough to learn the dtype of the result.
            probe = ufunc(*(_one(x) for x in inputs), **{k: v for k, v in kwargs.items() if k != "where"})
            if out:
                return out if len(out) > 1 else out[0]
            if isinstance(probe, tuple):
                return tuple(meta_empty(shape, p.dtype) for p in probe)
            return meta_empty(shape, probe.dtype)
        if ufunc is np.matmul and method == "__call__":
            return _matmul_shape(*inputs)
        inputs = [x.view(np.ndarray) if isinstance(x, MetaArray) else x for x in inputs]
        if out:
            return out if len(out) > 1 else out[0]
        return _as_meta(getattr(ufunc, method)(*inputs, **kwargs))

    def __array_function__(self, func, types, args, kwargs):
        # Everything that is not element-wise runs on the zeros behind the array.
        if kwargs.get("out") is not None:
            return kwargs["out"]
        if func is np.where and len(args) == 3:  # element-wise all but in name
            return meta_empty(np.broadcast_shapes(*map(np.shape, args)), np.result_type(*args[1:]))
        if func in (np.zeros_like, np.ones_like, np.full_like, np.empty_like) and kwargs.get("shape") is None:
            return meta_empty(args[0].shape, kwargs.get("dtype") or args[0].dtype)
        found = super().__array_function__(func, types, _strip(args), _strip(kwargs))
        return _as_meta(found)

    def __setitem__(self, key, value):
        np.broadcast_to(np.empty((), bool), self.view(np.ndarray)[key].shape)  # an index error still shows

    def fill(self, value):
        pass

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        return self if not copy and self.dtype == dtype else meta_empty(self.shape, dtype)

    def copy(self, order="C"):
        return meta_empty(self.shape, self.dtype)


def _one(x):
    return np.ones((), x.dtype) if isinstance(x, np.ndarray) else x


def _strip(x):
    if isinstance(x, MetaArray):
        return x.view(np.ndarray)
    if isinstance(x, (list, tuple)):
        return type(x)(_strip(v) for v in x)
    if isinstance(x, dict):
        return {k: _strip(v) for k, v in x.items()}
    return x


def _as_meta(x):
    if isinstance(x, np.ndarray):
        return meta_empty(x.shape, x.dtype) if x.base is None else x.view(MetaArray)
    if isinstance(x, np.generic):
        return meta_empty((), x.dtype)
    if isinstance(x, (list, tuple)):
        return type(x)(_as_meta(v) for v in x)
    return x


def _matmul_shape(a, b):
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError("matmul: inner sizes differ")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = batch + a.shape[-2:-1] + (b.shape[-1:] if b.ndim > 1 else ())
    return meta_empty(shape, np.result_type(a.dtype, b.dtype))


def meta_empty(shape, dtype) -> MetaArray:
    """An array of this shape on the meta device; takes no memory however large."""
    dtype = np.dtype(dtype)
    count = max(math.prod(shape), 1)
    # Anonymous, unreserved, read-only: the kernel maps one zero page if anything reads it at all.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, count * dtype.itemsize, flags=flags, prot=mmap.PROT_READ)
    return np.frombuffer(memory, dtype=dtype, count=math.prod(shape)).reshape(shape).view(MetaArray)


def device_of(array: np.ndarray) -> device:
    """The device that an array lives on."""
    return META if isinstance(array, MetaArray) else CPU


def mixed(a: device, b: device) -> DeviceError:
    """The error for operands on two devices."""
    from .mistakes.devices import mixed_devices  # stands above this module, and is only needed for the message

    return mixed_devices(a, b)


def as_array(x) -> np.ndarray:
    """`x` as an array: NumPy returns a scalar object instead of a 0-dimensional array, and this undoes it."""
    return x if isinstance(x, np.ndarray) else np.asarray(x)


def empty(shape, dtype, dev: device = CPU) -> np.ndarray:
    """An uninitialised array of a NumPy dtype; OutOfMemoryError names the size asked for."""
    if dev is META:
        return meta_empty(shape, dtype)
    try:
        return np.empty(shape, dtype)
    except MemoryError:
        raise no_memory(shape, dtype) from None
    except ValueError as error:
        if "negative" in str(error):
            raise ShapeError(
                f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}",
                why="a size counts elements",
                fix="look at how the size is computed: something is subtracted from too small a number",
            ) from None
        raise no_memory(shape, dtype) from None


def no_memory(shape, dtype) -> OutOfMemoryError:
    """The error for an array that does not fit."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return out_of_memory(
        f"[enforce fail at alloc_cpu] DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes.",
        shape,
        dtype,
    )


def element_strides(array: np.ndarray) -> tuple[int, ...]:
    """Strides in elements, as PyTorch counts them."""
    size = array.itemsize
    if size == 1:
        return array.strides
    return tuple([s // size for s in array.strides])


def address(array: np.ndarray) -> int:
    """Address of the first element."""
    return array.__array_interface__["data"][0]


def owner(array: np.ndarray):
    """The array at the bottom of a chain of views: the one that owns the memory, or the foreign object that does."""
    while True:
        base = array.base
        if not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # np.lib.stride_tricks puts an object of its own in between
            if not isinstance(base, np.ndarray):
                return array
        array = base


def as_strided(array: np.ndarray, shape, strides, offset: int = 0) -> np.ndarray:
    """A view with any geometry over the memory that `array` lives in; ShapeError if it would leave that memory.

    shape, strides, offset: in elements; the offset counts from the start of the storage.
    """
    base = owner(array)
    item = array.itemsize
    start = offset * item
    reach = start + item + sum((n - 1) * s * item for n, s in zip(shape, strides)) if math.prod(shape) else start
    if offset < 0 or any(s < 0 for s in strides):
        raise ShapeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(strides)}, offset {offset}",
            why="a tensor's elements lie in ascending order in memory",
            fix="use `x.flip(dim)` for the reverse order",
        )
    span = base.nbytes if base.flags.c_contiguous else _span(base)
    if reach > span:
        raise ShapeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset}, and itemsize {item} "
            f"requiring a storage size of {reach} are out of bounds for storage of size {span}",
            why="elements beyond the memory of the tensor would be read",
            fix="use smaller sizes or strides, or `x.unfold(dim, size, step)` for sliding windows",
        )
    # A flat byte view of the owner; 0-dimensional owners have no byte view of their own.
    flat = base.reshape(-1) if base.flags.c_contiguous else _flat(base)
    raw = flat.view(np.ndarray).view(np.uint8)[start:] if flat.size else np.empty(0, np.uint8)
    if math.prod(shape) == 0:
        return np.ndarray(shape, array.dtype, strides=[s * item for s in strides], buffer=raw).view(type(array))
    made = np.ndarray(shape, array.dtype, buffer=raw, strides=[s * item for s in strides])
    return made.view(MetaArray) if isinstance(array, MetaArray) else made


def _span(array):
    return array.itemsize + sum((n - 1) * abs(s) for n, s in zip(array.shape, array.strides)) if array.size else 0


def _flat(array):
    return np.lib.stride_tricks.as_strided(array, (_span(array) // array.itemsize,), (array.itemsize,))


def storage_offset(array: np.ndarray) -> int:
    """Elements from the start of the storage to the first element."""
    base = owner(array)
    return (address(array) - address(base)) // max(array.itemsize, 1) if base is not array else 0
