"""Tensors from data: Python sequences, NumPy arrays, buffers, DLPack."""

from __future__ import annotations

import builtins

import numpy as np

from .. import devices, dtypes
from ..arrays import MetaArray, meta_empty
from ..checks.buffers import shared
from ..checks.halves import half_number
from ..checks.log import log
from ..checks.sites import user_site
from ..checks.tags import FROM_INTEGERS, tag
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DeviceError,
    DtypeError,
    ExportError,
    MissingAttribute,
)
from ..kernels.record import constant
from ..language import warn
from ..tensor import Tensor, attach, wrap
from .creation import dtype_of, dtype_of_number, finish
from .entry import public

_NUMBERS = {builtins.bool: 0, builtins.int: 1, builtins.float: 2, builtins.complex: 3}


# ---------------------------------------------------------------------- arrays


def check_array(a: np.ndarray) -> np.ndarray:
    """The array, if its memory can be a tensor's; ValueError or TypeError says why it cannot."""
    if a.dtype not in dtypes.FROM_NUMPY:
        if a.dtype.newbyteorder("=") in dtypes.FROM_NUMPY:
            raise ArgumentError(
                "given numpy array has byte order different from the native byte order. Conversion between byte orders "
                "is currently not supported.",
                why=f"its dtype is {a.dtype.str}, read from a machine or file with the other byte order",
                fix='use `array.astype(array.dtype.newbyteorder("="))`',
            )
        raise ArgumentTypeError(
            f"can't convert np.ndarray of type {a.dtype.type.__module__}.{a.dtype.type.__name__}. The only supported "
            "types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, "
            "uint16, uint8, and bool.",
            why="strings and mixed objects have no numeric value" if a.dtype.kind in "OUS" else "",
            fix="convert it first: `array.astype(np.float32)`",
        )
    for s in a.strides:
        if s < 0:
            raise ArgumentError(
                "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
                "currently supported. (You can probably work around this by making a copy of your array  with "
                "array.copy().) ",
                why=f"its strides are {a.strides} bytes: it was reversed, as by `array[::-1]`",
                fix="use `array.copy()`",
            )
        if s % a.itemsize:
            raise ArgumentError(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy array "
                "to reallocate the memory.",
                why=f"its strides are {a.strides} bytes, its elements have {a.itemsize}: it is a field of a "
                "structured array",
                fix="use `array.copy()`",
            )
    usual = dtypes.FROM_NUMPY[a.dtype].numpy
    if a.dtype is not usual:  # equal, but an object of its own, as unpickled arrays have it
        a = a.view(usual)
    return a if type(a) is np.ndarray or isinstance(a, MetaArray) else a.view(np.ndarray)


@public()
def from_numpy(ndarray):
    """A tensor over the memory of a NumPy array: a change to one shows in the other.

    Raises TypeError for dtypes without a counterpart, ValueError for negative strides.

    >>> import flambeau as torch, numpy as np
    >>> a = np.zeros(2)
    >>> torch.from_numpy(a)[0] = 1.0
    >>> float(a[0])
    1.0
    """
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentTypeError(
            f"expected np.ndarray (got {_type_name(ndarray)})",
            why="the memory of a NumPy array is shared, and this is none",
            fix="use `torch.tensor(data)`, which copies any data",
        )
    if not ndarray.flags.writeable:
        warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. Writing to this "
            "tensor raises an error; copy the array first if you mean to write to it.",
            UserWarning,
            stacklevel=2,
        )
    return _over(ndarray)


def _over(ndarray):
    """A tensor over an array's memory."""
    made = wrap(check_array(ndarray).view())
    if ndarray.dtype == np.float64 and log.on:
        tag(made, "numpy", user_site())
    if log.on and log.arrays > 0:
        log.arrays -= 1
        shared(ndarray, made)
    return made


def _type_name(x):
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


# ---------------------------------------------------------------------- sequences


def _shape_of(data) -> list:
    """The shape that the first elements of nested sequences suggest."""
    shape = []
    while _is_sequence(data):
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]
    return shape


def _is_sequence(x) -> builtins.bool:
    if isinstance(x, (list, tuple)):
        return True
    if isinstance(x, Tensor):
        return x.ndim > 0
    if isinstance(x, np.ndarray):
        return x.ndim > 0
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, (str, bytes, dict, np.generic))


def _explain(data, shape, dim=0):
    """Raise the error for nested sequences that do not have one shape."""
    if dim == len(shape):
        if _is_sequence(data):
            raise ArgumentTypeError(
                f"'{type(data).__name__}' object cannot be interpreted as an integer",
                why=f"a number is expected {dim} level(s) deep, as in the first element",
                fix="make all rows equally deep and equally long",
            )
        return
    if not _is_sequence(data):
        raise ArgumentTypeError(
            "not a sequence",
            why=f"sequences are nested {len(shape)} deep, but one is a number",
            fix="make all rows equally deep and equally long",
        )
    if len(data) != shape[dim]:
        raise ArgumentError(
            f"expected sequence of length {shape[dim]} at dim {dim} (got {len(data)})",
            why="the rows of a tensor have one length",
            fix="pad them, for example with `torch.nn.utils.rnn.pad_sequence`, or keep a list of tensors",
        )
    for item in data:
        _explain(item, shape, dim + 1)


def _leaves(data, found: set, others: list):
    """Collect the types of the numbers in nested sequences, and what is not a plain number."""
    kinds = set(map(type, data))
    plain = kinds & _NUMBERS.keys()
    found |= plain
    if len(plain) != len(kinds):
        for x in data:
            if type(x) in _NUMBERS:
                continue
            if isinstance(x, (list, tuple)):
                _leaves(x, found, others)
            elif isinstance(x, (Tensor, np.ndarray, np.generic)):
                others.append(x)
            elif isinstance(x, str):
                raise ArgumentError(
                    f"too many dimensions '{type(x).__name__}'",
                    why=f"a tensor holds numbers, and {x!r} is text",
                    fix="turn text into numbers first: `float(x)`, or a table of class numbers",
                )
            elif isinstance(x, tuple(_NUMBERS)):
                found.add(next(k for k in _NUMBERS if isinstance(x, k)))
            elif _is_sequence(x):
                _leaves(list(x), found, others)
            else:
                raise DtypeError(
                    f"Could not infer dtype of {type(x).__name__}",
                    why="a tensor holds numbers",
                    fix="turn each element into a number, or stack tensors with `torch.stack`",
                )


def _plain(data):
    """Nested lists in which one-element tensors and foreign sequences are replaced by what they hold."""
    if isinstance(data, Tensor):
        if data.numel() == 1:
            if data._rg and log.on:
                log.cut("tensor", data)
            return data.item()
        if data._array.dtype.kind == "f":
            raise ArgumentError("only one element tensors can be converted to Python scalars",
                                why=f"the list holds a tensor of shape {tuple(data.shape)}",
                                fix="use `torch.stack(tensors)`")  # fmt: skip
        raise ArgumentTypeError("only integer tensors of a single element can be converted to an index",
                                why=f"the list holds a tensor of shape {tuple(data.shape)}",
                                fix="use `torch.stack(tensors)`")  # fmt: skip
    if isinstance(data, np.ndarray):
        return data.tolist()
    if isinstance(data, np.generic):
        return data.item()
    return [_plain(x) for x in data] if _is_sequence(data) else data


def array_of(data, dt) -> np.ndarray:
    """A new array with the values of any data that `tensor` takes; `dt` a dtype or None to infer it."""
    kind = type(data)
    if kind in _NUMBERS:
        return constant(_numbers(data, dt or dtype_of_number(data)))
    if isinstance(data, Tensor):
        a = data._array
        return a.copy() if dt is None or dt.numpy == a.dtype else data.detach().to(dt)._array
    if isinstance(data, np.ndarray):
        a = check_array(data)
        return a.copy() if dt is None or dt.numpy == a.dtype else wrap(a).to(dt)._array
    if isinstance(data, np.generic):
        return array_of(np.asarray(data), dt)
    if isinstance(data, (str, bytes)):
        raise ArgumentTypeError(
            f"new(): invalid data type '{kind.__name__}'",
            why="a tensor holds numbers, not text",
            fix="turn text into numbers first: `float(x)`, or a table of class numbers",
        )
    if not _is_sequence(data):
        if isinstance(data, tuple(_NUMBERS)):
            return _numbers(data, dt or dtype_of_number(data))
        if hasattr(data, "__array__"):
            return array_of(np.asarray(data), dt)
        raise DtypeError(
            f"Could not infer dtype of {kind.__name__}",
            why="a tensor is made of numbers, or of sequences of them",
            fix="turn it into a list first: `list(x)`",
        )
    if not isinstance(data, (list, tuple)):
        data = list(data)
    kinds: set[type] = set()
    others: list = []
    _leaves(data, kinds, others)
    if others:
        if dt is None:
            given = [x.dtype if isinstance(x, Tensor) else dtypes.from_numpy_dtype(x.dtype) for x in others]
            given += [dtype_of_number(k()) for k in kinds]
            dt = given[0]
            for g in given[1:]:
                dt = dtypes.promote_types(dt, g)
        if all(isinstance(x, np.ndarray) and x.shape == others[0].shape for x in data):
            return np.stack(data).astype(dt.numpy)
        data = _plain(data)
    if dt is None:
        dt = dtype_of_number(max(kinds, key=_NUMBERS.__getitem__)()) if kinds else dtypes.get_default_dtype()
    made = _numbers(data, dt)
    return made if others else constant(made)


def _numbers(data, dt) -> np.ndarray:
    """An array of Python numbers, with PyTorch's errors for what does not fit."""
    np_dtype = dt.numpy
    try:
        if np_dtype.kind not in "biufc":
            return np.array(np.array(data, np.float64), np_dtype)
        with np.errstate(over="ignore"):
            return np.array(data, np_dtype)
    except OverflowError:
        return _overflowing(data, dt)
    except (ValueError, TypeError) as error:
        _explain(data, _shape_of(data))
        if dt.category < 2 and "convert float" in str(error):
            raise DtypeError(
                f"value cannot be converted to type {dt.name} without overflow",
                why="nan and infinity are no integers",
                fix="use `dtype=torch.float32`, or remove them first",
            ) from None
        if isinstance(error, TypeError):
            raise ArgumentTypeError(
                "must be real number, not complex",
                why=f"the dtype is {dt.name}, which has no imaginary part",
                fix="pass `dtype=torch.complex64`",
            ) from None
        raise


def _overflowing(data, dt):
    if dt.category == 2:
        return np.array(np.array(data, object).astype(np.float64), dt.numpy)
    try:
        wide = np.array(data, np.int64)
    except OverflowError:
        if any(isinstance(x, float) for x in np.ravel(np.array(data, object))):
            raise DtypeError(
                f"value cannot be converted to type {dt.name} without overflow",
                why=f"a number is outside the range of {dt.name}",
                fix="pass `dtype=torch.float64`",
            ) from None
        raise ArgumentError(
            "Overflow when unpacking long long",
            why="a number does not fit in 64 bits",
            fix="pass `dtype=torch.float64`",
        ) from None
    info = np.iinfo(dt.numpy)
    if wide.size and wide.max() > info.max or info.min and wide.min() < info.min:
        worst = int(wide.max() if wide.max() > info.max else wide.min())
        raise DtypeError(
            f"value cannot be converted to type {dt.name} without overflow",
            why=f"{worst} is outside {info.min} to {info.max}",
            fix="pass `dtype=torch.int64`, or no dtype at all",
        )
    return wide.astype(dt.numpy)


@public()
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of `data`: a number, nested sequences of numbers, or an array.

    dtype: inferred by default: bool, int64, the default dtype for floats; an array keeps its own.
    Raises ValueError for rows of different lengths, TypeError or RuntimeError for what is not a number.

    >>> import flambeau as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, Tensor):
        warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        device = data.device if device is None else device
        if data._rg and log.on:
            log.cut("tensor", data)
    made = finish(_placed(array_of(data, None if dtype is None else dtype_of(dtype, None)), device), requires_grad)
    if isinstance(data, np.ndarray) and log.on:
        if made._array.dtype == np.float64:
            tag(made, "numpy", user_site())
        elif data.dtype.kind in "iu" and made._array.dtype.kind == "f":
            made._tag = FROM_INTEGERS
    elif isinstance(data, float) and made._array.dtype == np.float16 and log.on:
        half_number(data, made)
    return made


def _placed(array, device):
    if device is None and len(devices._defaults) == 1 and devices._defaults[0] is devices.CPU:
        return array
    dev = devices.usable(device)
    return array if dev is devices.CPU else meta_empty(array.shape, array.dtype)


@public()
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, sharing memory (and history) where dtype and device allow it.

    >>> import flambeau as torch
    >>> x = torch.ones(2)
    >>> torch.as_tensor(x) is x
    True
    """
    dt = None if dtype is None else dtype_of(dtype, None)
    if isinstance(data, Tensor):
        made = data
        if device is not None:
            made = made.to(devices.usable(device))
        return made if dt is None else made.to(dt)
    if isinstance(data, np.ndarray):
        made = _over(data) if dt is None or dt.numpy == data.dtype else wrap(check_array(data).view())
        made = made if dt is None else made.to(dt)
        return made if device is None else made.to(devices.usable(device))
    return wrap(_placed(array_of(data, dt), device))


@public()
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor from a tensor, an array, a buffer, a DLPack capsule's owner or a sequence; shares memory if it can.

    copy: True always copies; False raises ValueError when a copy is needed.

    >>> import flambeau as torch
    >>> torch.asarray([1, 2.5])
    tensor([1.0000, 2.5000])
    """
    dt = None if dtype is None else dtype_of(dtype, None)
    if isinstance(obj, Tensor):
        made = obj
    elif isinstance(obj, np.ndarray):
        made = wrap(check_array(obj).view())
    elif hasattr(obj, "__dlpack__") and not isinstance(obj, np.generic):
        made = from_dlpack(obj)
    elif _has_buffer(obj):
        made = frombuffer(obj, dtype=dt or dtypes.get_default_dtype())
    else:
        if copy is False:
            raise ArgumentError(
                "can't alias arbitrary sequence into a tensor.",
                why=f"`copy=False` asks to share memory, and a {type(obj).__name__} has none that a tensor could use",
                fix="leave out `copy=False`",
            )
        return finish(_placed(array_of(obj, dt), device), requires_grad)
    source = made
    if device is not None:
        made = made.to(devices.usable(device))
    if dt is not None and made.dtype is not dt:
        made = made.to(dt)
    if made is not source and copy is False:
        raise ArgumentError(
            f"can't alias tensor with dtype '{source.dtype}' into dtype '{dt}'.",
            why="another dtype needs another memory",
            fix=f"leave out `copy=False`, or ask for `dtype=torch.{source.dtype.name}`",
        )
    if copy and made is source:
        made = made.clone()
    if isinstance(obj, Tensor):
        if requires_grad != made.requires_grad or (made.grad_fn is not None and not requires_grad):
            made = made.detach()
        return made.requires_grad_() if requires_grad and not made.requires_grad else made
    return made.requires_grad_(requires_grad)


def _has_buffer(obj):
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


@public()
def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A one-dimensional tensor over the memory of a Python buffer.

    count: how many elements, -1 for all. offset: bytes to skip at the start.

    >>> import flambeau as torch
    >>> torch.frombuffer(bytearray([1, 2, 3]), dtype=torch.uint8)
    tensor([1, 2, 3], dtype=torch.uint8)
    """
    if not _has_buffer(buffer):
        raise ArgumentError(
            "object does not implement Python buffer protocol.",
            why=f"a {type(buffer).__name__} does not share its memory",
            fix="pass bytes, a bytearray or an array, or use `torch.tensor(data)`",
        )
    size, item = memoryview(buffer).nbytes, dtype.itemsize
    if size == 0 or count == 0:
        raise ArgumentError(
            f"both buffer length ({size}) and count ({count}) must not be 0",
            why="there is nothing to read",
            fix="pass data, and `count=-1` to read all of it",
        )
    if not 0 <= offset < size:
        raise ArgumentError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1",
            why=f"reading begins at byte {offset} of {size}",
            fix=f"pass `offset` between 0 and {size - 1}",
        )
    if count < 0 and (size - offset) % item:
        raise ArgumentError(
            f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of "
            f"element size ({item})",
            why=f"{(size - offset) % item} byte(s) would be left over",
            fix=f"pass `count={(size - offset) // item}`, or another dtype",
        )
    if count * item + offset > size:
        raise ArgumentError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must not be "
            f"greater than actual buffer length ({size} bytes)",
            why=f"only {(size - offset) // item} elements of {item} byte(s) are there",
            fix=f"pass `count={(size - offset) // item}`, or -1 for all",
        )
    if memoryview(buffer).readonly:
        warn("The given buffer is not writable, and PyTorch does not support non-writable tensors. Writing to "
                      "this tensor raises an error.", UserWarning, stacklevel=2)  # fmt: skip
    return finish(np.frombuffer(buffer, dtype.numpy, count, offset), requires_grad)


@public()
def from_file(filename, shared=None, size=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """A tensor of `size` elements over a file mapped into memory.

    shared: whether changes are written to the file, which is then made or grown as needed.
    """
    dt = dtype_of(dtype, None)
    if size == 0:
        return wrap(np.empty(0, dt.numpy))
    if shared:
        with open(filename, "a+b") as file:
            file.truncate(max(size * dt.itemsize, file.seek(0, 2)))
    return wrap(np.memmap(filename, dt.numpy, "r+" if shared else "c", shape=(size,)).view(np.ndarray))


@public(method=True, function=False)
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """A tensor with a copy of `data` in this tensor's dtype and device.

    >>> import flambeau as torch
    >>> torch.tensor([1.5]).new_tensor([1, 2])
    tensor([1., 2.])
    """
    array = array_of(data, dtype_of(dtype, self.dtype))
    return finish(_placed(array, self.device if device is None else device), requires_grad)


# ---------------------------------------------------------------------- DLPack


class _Capsule:
    """An object with the DLPack methods around a bare capsule, which is what NumPy wants to see."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, **options):
        return self.capsule

    def __dlpack_device__(self):
        return (1, 0)


def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    if self.requires_grad:
        raise ExportError(
            "Can't export tensors that require gradient, use tensor.detach()",
            why="changes made by another library would not be recorded for differentiation",
            fix="use `x.detach()`",
        )
    if type(self._array) is not np.ndarray:
        raise ExportError(
            f"Unsupported device type {self.device}",
            why=f"memory of `{self.device}` cannot be handed to another library",
            fix="use `x.cpu()` first",
        )
    if self._array.dtype.kind not in "biufc":
        raise ExportError(
            f"NumPy, which makes the capsule, has no {self.dtype}",
            why=f"another library would not know how to read {self.dtype.name}",
            fix="convert it: `x.float()`",
        )
    options = {"max_version": max_version} if max_version is not None else {}
    return self._array.__dlpack__(**options)


def __dlpack_device__(self):
    if type(self._array) is not np.ndarray:
        raise ArgumentError(
            f"Unknown device type {self.device} for Dlpack",
            why=f"memory of `{self.device}` cannot be handed to another library",
            fix="use `x.cpu()` first",
        )
    return (1, 0)


attach("__dlpack__", __dlpack__)
attach("__dlpack_device__", __dlpack_device__)


@public(aliases=("utils.dlpack.from_dlpack",))
def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor over the memory of an object with `__dlpack__`, or of a DLPack capsule.

    >>> import flambeau as torch, numpy as np
    >>> torch.from_dlpack(np.ones(2))
    tensor([1., 1.], dtype=torch.float64)
    """
    if device is not None and devices.usable(device).type != "cpu":
        raise DeviceError(
            f"from_dlpack() cannot bring memory to device '{device}'",
            why="memory is shared where it lies, on the CPU",
            fix=f'leave out `device=`, then use `x.to("{device}")`',
        )
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise MissingAttribute(
            f"'{type(ext_tensor).__name__}' object has no attribute '__dlpack_device__'",
            why="memory is shared with objects that have the methods of DLPack",
            fix="use `torch.as_tensor(x)`, which takes arrays and lists",
        )
    if ext_tensor.__dlpack_device__()[0] != 1:
        raise DeviceError(
            f"Unsupported device_type: {ext_tensor.__dlpack_device__()[0]}",
            why="only the memory of the CPU can be shared",
            fix="bring it to the CPU first, in the library that made it",
        )
    made = wrap(check_array(np.from_dlpack(ext_tensor)))
    return made.clone() if copy else made


@public("utils.dlpack.to_dlpack", aliases=("to_dlpack",))
def to_dlpack(tensor):
    """A DLPack capsule of a tensor's memory, to be used once."""
    return tensor.__dlpack__()
