"""New tensors from sizes: zeros, ones, full, empty, eye, and their `*_like` and `new_*` forms."""

from __future__ import annotations

import builtins
import math
import operator

import numpy as np

from .. import devices, dtypes
from ..arrays import as_strided, meta_empty
from ..arrays import empty as _uninitialised
from ..autograd.mode import inference_depth, state
from ..checks.log import log
from ..checks.sites import user_site
from ..constants import strided
from ..devices import CPU
from ..dtypes import dtype as _dtype
from ..errors import ArgumentTypeError, DtypeError, GradientError, NotSupported, ShapeError
from ..generator import memory_order
from ..kernels.record import constant
from ..tensor import Tensor, wrap
from .entry import public, write_out
from .shape import channels_last, channels_last_3d, contiguous_format, in_format, need_tensor, preserve_format

_PYTHON_TYPES = {builtins.float: dtypes.float64, builtins.int: dtypes.int64, builtins.bool: dtypes.bool,
                 builtins.complex: dtypes.complex128}  # fmt: skip


def _empty_array(*given) -> np.ndarray:
    """An uninitialised array, which a compiled step may make anew."""
    return constant(_uninitialised(*given))


# ---------------------------------------------------------------------- arguments


def dtype_of(given, default, name="tensor") -> _dtype:
    """A `dtype=` argument as a dtype; Python's number types stand for theirs."""
    if given is None:
        return default or dtypes.get_default_dtype()
    if given.__class__ is not _dtype:
        try:
            return _PYTHON_TYPES[given]
        except (KeyError, TypeError):
            raise ArgumentTypeError(
                f"{name}(): argument 'dtype' must be torch.dtype, not {type(given).__name__}",
                why="a dtype says what kind of number each element is",
                fix="pass one such as `torch.float32`",
            ) from None
    return given


def check_layout(layout):
    """Only dense tensors are implemented."""
    if layout is not None and layout is not strided:
        raise NotSupported(
            f"flambeau has dense tensors only, got layout={layout}",
            why="only dense tensors are implemented",
            fix="leave out `layout=`",
        )


def check_names(names):
    """Dimensions have no names here."""
    if names is not None:
        raise NotSupported(
            "named tensors are not implemented",
            why="dimensions have no names here",
            fix="leave out `names=`, and refer to dimensions by number",
        )


def finish(array, requires_grad=False) -> Tensor:
    """A tensor over a new array, as a leaf that requires grad if asked."""
    t = wrap(array)
    if requires_grad:
        if array.dtype.kind in "iub":
            raise GradientError(
                "Only Tensors of floating point and complex dtype can require gradients",
                why=f"this tensor is {t.dtype.name}: a derivative needs numbers that can change a little",
                fix="write `1.0` instead of `1`, or pass a floating point dtype, such as `dtype=torch.float32`",
                code="FB-DTYPE-02",
                cause="integers",
            )
        t._rg = True
        log.made += 1
    if inference_depth and state.inference:
        t._inference = True
    return t


def sizes(name, size, named=None) -> tuple:
    """The sizes of `f(2, 3)`, `f((2, 3))` or `f(size=(2, 3))`."""
    if named is not None:
        size = (named,)
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    elif not size:
        raise ArgumentTypeError(
            f'{name}() missing 1 required positional arguments: "size"',
            why="a new tensor needs its sizes",
            fix=f"pass them: `{name}(2, 3)`",
        )
    try:
        found = tuple([operator.index(s) for s in size])
    except (TypeError, ShapeError):
        bad = next((s for s in size if not hasattr(s, "__index__")), size)
        raise ArgumentTypeError(
            f"{name}(): argument 'size' (position 1) must be tuple of ints, not {type(bad).__name__}",
            why="sizes are whole numbers",
            fix="convert it: `int(size)`; a tensor like another has `x.shape` as its size",
        ) from None
    if found and min(found) < 0:
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(found)}: {list(found)}",
            why="a size counts elements",
            fix="pass sizes of 0 or more",
        )
    return found


def check_fits(value, dt, name=None):
    """RuntimeError unless a number can be stored in a dtype."""
    fits = True
    if isinstance(value, builtins.complex) and not dt.is_complex:
        fits = value.imag == 0
    elif dt.category == 1:
        info = np.iinfo(dt.numpy)
        low = info.min if info.min else -info.max - 1  # negative numbers wrap around in unsigned dtypes, as in C
        fits = math.isfinite(value) and low <= int(value) <= info.max
    elif dt.category == 2 and isinstance(value, builtins.int):
        fits = abs(value) <= 1 << 1023
    if not fits:
        raise DtypeError(
            f"value cannot be converted to type {name or dt.name} without overflow",
            why=f"{value} is not a number that {dt.name} holds",
            fix="pass another number, or a wider dtype such as `torch.float64`",
        )


def filled(shape, value, dt: _dtype, dev) -> np.ndarray:
    """An array of `value`s."""
    made = _empty_array(shape, dt.numpy, dev)
    if dev is CPU:
        if dt.category == 1 and not -1 < value <= np.iinfo(dt.numpy).max:
            value = np.array(int(value)).astype(dt.numpy)
        elif dt.category < 3 and isinstance(value, builtins.complex):
            value = value.real
        made.fill(value)
    return constant(made)


def number(value, name, argument="fill_value", position=2):
    """A Python number, from a number or a tensor of no dimension."""
    if isinstance(value, Tensor) and value.ndim == 0:
        return value.item()
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, (builtins.int, builtins.float, builtins.complex)):
        raise ArgumentTypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Number, not {type(value).__name__}",
            why="one number is expected",
            fix="pass a number, or `x.item()` for the number in a tensor",
        )
    return value


# ---------------------------------------------------------------------- from sizes


@public()
def empty(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
          memory_format=contiguous_format, names=None, **named):  # fmt: skip
    """A tensor of the given size with whatever its memory holds.

    >>> import flambeau as torch
    >>> torch.empty(2, 3).shape
    torch.Size([2, 3])
    """
    check_names(names)
    return _make("empty", None, size, named, out, dtype, layout, device, requires_grad, memory_format)


@public()
def zeros(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None,
          **named):  # fmt: skip
    """A tensor of zeros.

    >>> import flambeau as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    check_names(names)
    return _make("zeros", 0, size, named, out, dtype, layout, device, requires_grad)


@public()
def ones(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None,
         **named):  # fmt: skip
    """A tensor of ones.

    >>> import flambeau as torch
    >>> torch.ones(2)
    tensor([1., 1.])
    """
    check_names(names)
    return _make("ones", 1, size, named, out, dtype, layout, device, requires_grad)


def _make(name, value, size, named, out, dtype, layout, device, requires_grad, form=contiguous_format):
    if named and (named.keys() != {"size"} or size):
        raise ArgumentTypeError(
            f"{name}() got an unexpected keyword argument '{next(iter(named.keys() - {'size'}), 'size')}'",
            why="the sizes are given either by position or as `size=`",
            fix=f"leave it out, and pass sizes as `{name}(2, 3)`",
        )
    shape = sizes(name, size, named.get("size"))
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    if layout is not None:
        check_layout(layout)
    dt = dtype_of(dtype, None, name)
    dev = devices.usable(device)
    if value == 0 and dev is CPU:
        array = _zeros(shape, dt)
    else:
        array = filled(shape, value, dt, dev) if value is not None else _empty_array(shape, dt.numpy, dev)
    if form in (channels_last, channels_last_3d):
        array = in_format(array, form)
    made = finish(array, requires_grad)
    if value is None and log.on and dt.is_floating_point:
        made._fb_empty = user_site(), id(array)
    return made if out is None else write_out(made, out, name)


def _zeros(shape, dt):
    try:
        return constant(np.zeros(shape, dt.numpy))  # pages that are never written are never touched
    except (MemoryError, ValueError):
        return _empty_array(shape, dt.numpy)  # raises the explained error


@public()
def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
         names=None):  # fmt: skip
    """A tensor filled with one value; its dtype follows from the value unless given.

    >>> import flambeau as torch
    >>> torch.full((2,), 3)
    tensor([3, 3])
    """
    check_names(names)
    if not isinstance(size, (tuple, list)):
        raise ArgumentTypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}",
            why="sizes are a sequence, which is followed by the number to fill with",
            fix=f"pass `({size},)` for a vector",
        )
    shape = sizes("full", (size,))
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    if dtype is None and isinstance(fill_value, Tensor):
        dtype = fill_value.dtype
    value = number(fill_value, "full")
    dt = dtype_of(dtype, dtype_of_number(value), "full")
    check_fits(value, dt, f"{dt.name}_t")
    made = finish(filled(shape, value, dt, devices.usable(device)), requires_grad)
    return made if out is None else write_out(made, out, "full")


def dtype_of_number(value) -> _dtype:
    """The dtype that a Python number gets in a tensor of its own."""
    if isinstance(value, (builtins.bool, np.bool_)):
        return dtypes.bool
    if isinstance(value, builtins.int):
        return dtypes.int64
    default = dtypes.get_default_dtype()
    return default.to_complex() if isinstance(value, builtins.complex) else default


@public()
def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """The identity matrix of n rows (and m columns): ones on the diagonal, zeros elsewhere.

    >>> import flambeau as torch
    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    m = n if m is None else m
    for letter, count in (("n", n), ("m", m)):
        if not hasattr(count, "__index__"):
            raise ArgumentTypeError(
                f"eye(): argument '{letter}' must be int, not {type(count).__name__}",
                why="it counts rows or columns",
                fix=f"convert it: `int({letter})`",
            )
        if count < 0:
            raise ShapeError(
                f"{letter} must be greater or equal to 0, got {count}",
                why="it counts rows or columns",
                fix="pass 0 or more",
            )
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    dt, dev = dtype_of(dtype, None, "eye"), devices.usable(device)
    made = constant(np.eye(n, m, dtype=dt.numpy)) if dev is CPU else meta_empty((n, m), dt.numpy)
    made = finish(made, requires_grad)
    return made if out is None else write_out(made, out, "eye")


@public()
def scalar_tensor(s, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor of no dimension holding a number.

    >>> import flambeau as torch
    >>> torch.scalar_tensor(3)
    tensor(3.)
    """
    dt = dtype_of(dtype, None)
    return finish(filled((), number(s, "scalar_tensor", "s", 1), dt, devices.usable(device)), requires_grad)


@public()
def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """An uninitialised tensor with the given strides.

    >>> import flambeau as torch
    >>> torch.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    size, stride = tuple(map(operator.index, size)), tuple(map(operator.index, stride))
    if len(size) != len(stride):
        raise ShapeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})",
            why="each dimension has a size and a stride",
            fix=f"pass {len(size)} strides for the sizes {size}",
        )
    if any(s < 0 for s in stride):
        raise ShapeError(
            f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}",
            why=f"the strides are {stride}, and elements are not walked backwards",
            fix="pass strides of 0 or more",
        )
    if any(s < 0 for s in size):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(size)}: {list(size)}",
            why="a size counts elements",
            fix="pass sizes of 0 or more",
        )
    dt = dtype_of(dtype, None).numpy
    count = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if math.prod(size) else 0
    memory = _empty_array((count,), dt, devices.usable(device))
    return finish(as_strided(memory, size, stride), requires_grad)


@public()
def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None, requires_grad=False,
                   pin_memory=False):  # fmt: skip
    """An uninitialised tensor whose dimensions lie in memory in the given order, outermost first.

    >>> import flambeau as torch
    >>> torch.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
    """
    size, order = sizes("empty_permuted", (tuple(size),)), tuple(physical_layout)
    if len(size) != len(order):
        raise ShapeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(size)} is not equal to len(physical_layout) = {len(order)}",
            why="the layout names each dimension once, the outermost in memory first",
            fix=f"pass {len(size)} numbers",
        )
    for i, d in enumerate(order):
        if not 0 <= d < len(size):
            raise ShapeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {d} at "
                f"index {i}).  NB: negative dims not currently supported; file an issue if you want it.",
                why="the layout names each dimension once, the outermost in memory first",
                fix="count from 0",
            )
        if d in order[:i]:
            raise ShapeError(
                "Duplicate dim not allowed",
                why=f"dimension {d} is named twice",
                fix=f"name each dimension from 0 to {len(size) - 1} once",
            )
    made = _empty_array(tuple(size[d] for d in order), dtype_of(dtype, None).numpy, devices.usable(device))
    return finish(made.transpose(np.argsort(order)), requires_grad)


# ---------------------------------------------------------------------- like another tensor


def like(name, input, dtype, layout, device, form) -> np.ndarray:
    """An uninitialised array in the shape and (by default) memory order of a tensor."""
    if input.__class__ is not Tensor:
        need_tensor(input, name)
    check_layout(layout)
    a = input._array
    dt = dtype_of(dtype, input.dtype, name).numpy
    dev = input.device if device is None else devices.usable(device)
    if dev is not CPU:
        if form is not preserve_format or a.flags.c_contiguous:
            return meta_empty(a.shape, dt)
        order = memory_order(a)
        return meta_empty(tuple(a.shape[d] for d in order), dt).transpose(np.argsort(order))
    if form is preserve_format or form is None:
        return np.empty_like(a, dt, subok=False)
    return in_format(np.empty(a.shape, dt), form)


@public()
def empty_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
               memory_format=preserve_format):  # fmt: skip
    """An uninitialised tensor in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.empty_like(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    return finish(like("empty_like", input, dtype, layout, device, memory_format), requires_grad)


@public()
def zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
               memory_format=preserve_format, out=None):  # fmt: skip
    """Zeros in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.zeros_like(torch.tensor([1, 2]))
    tensor([0, 0])
    """
    a = like("zeros_like", input, dtype, layout, device, memory_format)
    a.fill(0)
    return finish(a, requires_grad) if out is None else write_out(finish(a), out, "zeros_like")


@public()
def ones_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
              memory_format=preserve_format, out=None):  # fmt: skip
    """Ones in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.ones_like(torch.tensor([1.5, 2.5]))
    tensor([1., 1.])
    """
    a = like("ones_like", input, dtype, layout, device, memory_format)
    a.fill(1)
    return finish(a, requires_grad) if out is None else write_out(finish(a), out, "ones_like")


@public()
def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
              memory_format=preserve_format, out=None):  # fmt: skip
    """`fill_value` in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.full_like(torch.tensor([1, 2]), 7)
    tensor([7, 7])
    """
    a = like("full_like", input, dtype, layout, device, memory_format)
    value = number(fill_value, "full_like")
    dt = dtypes.from_numpy_dtype(a.dtype)
    check_fits(value, dt, f"{dt.name}_t" if dt.category == 1 else None)
    a[...] = filled((), value, dt, CPU)
    return finish(a, requires_grad) if out is None else write_out(finish(a), out, "full_like")


def _new(self, name, value, size, dtype, device, layout, requires_grad):
    check_layout(layout)
    shape = sizes(name, size)
    dt = dtype_of(dtype, self.dtype, name)
    dev = self.device if device is None else devices.usable(device)
    if value == 0 and dev is CPU:
        return finish(_zeros(shape, dt), requires_grad)
    if value is not None:
        return finish(filled(shape, value, dt, dev), requires_grad)
    made = finish(_empty_array(shape, dt.numpy, dev), requires_grad)
    if log.on and dt.is_floating_point:
        made._fb_empty = user_site(), id(made._array)
    return made


def _only_size(name, size, named) -> tuple:
    """The sizes of `f(2, 3)` or `f(size=(2, 3))`; TypeError for any other keyword."""
    given = named.pop("size", None)
    if named:
        raise ArgumentTypeError(
            f"{name}() got an unexpected keyword argument '{next(iter(named))}'",
            why="the sizes are given either by position or as `size=`",
            fix=f"leave it out, and pass sizes as `{name}(2, 3)`",
        )
    if given is not None:
        return (given,)
    if not size:
        raise ArgumentTypeError(
            f'{name}() missing 1 required positional arguments: "size"',
            why="a new tensor needs its sizes",
            fix=f"pass them: `{name}(2, 3)`",
        )
    return size


@public(method=True, function=False)
def new_empty(self, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """An uninitialised tensor of the given size with this tensor's dtype and device.

    >>> import flambeau as torch
    >>> torch.ones(2).new_empty(2, 3).shape
    torch.Size([2, 3])
    """
    return _new(self, "new_empty", None, _only_size("new_empty", size, named), dtype, device, layout, requires_grad)


@public(method=True, function=False)
def new_zeros(self, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """Zeros of the given size with this tensor's dtype and device.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2]).new_zeros(3)
    tensor([0, 0, 0])
    """
    return _new(self, "new_zeros", 0, _only_size("new_zeros", size, named), dtype, device, layout, requires_grad)


@public(method=True, function=False)
def new_ones(self, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """Ones of the given size with this tensor's dtype and device.

    >>> import flambeau as torch
    >>> torch.tensor([1.0, 2.0]).new_ones(2)
    tensor([1., 1.])
    """
    return _new(self, "new_ones", 1, _only_size("new_ones", size, named), dtype, device, layout, requires_grad)


@public(method=True, function=False)
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False,
             names=None):  # fmt: skip
    """`fill_value` in the given size with this tensor's dtype and device.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2]).new_full((2,), 7)
    tensor([7, 7])
    """
    check_names(names)
    value = number(fill_value, "new_full")
    dt = dtype_of(dtype, self.dtype)
    check_fits(value, dt)
    return _new(self, "new_full", value, (size,), dt, device, layout, requires_grad)


@public(method=True, function=False)
def new_empty_strided(self, size, stride, *, dtype=None, device=None, requires_grad=False, layout=None,
                      pin_memory=False):  # fmt: skip
    """An uninitialised tensor of the given size and strides with this tensor's dtype and device."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device or self.device,
                         requires_grad=requires_grad)  # fmt: skip
