"""Tensor: an array, and its place in the autograd graph. Its methods are attached by the files that define them.

A tensor is an `_array` (NumPy on the CPU) plus what autograd knows about it. Everything but the array is a class
attribute until it is set: making a result costs one object and one store, which is what keeps small calls cheap.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import devices, dtypes
from .arrays import address, device_of, element_strides, storage_offset
from .checks.log import log
from .checks.sites import user_site
from .checks.tags import pass_on
from .dtypes import FROM_NUMPY, dtype, from_numpy_dtype
from .errors import ArgumentError, ArgumentTypeError, GradientError, NotSupported, ShapeError
from .kernels.record import listener, listeners

_new = object.__new__
_new_tuple = tuple.__new__
_PYTHON_NUMBERS = (float, int, bool, complex)


class Size(tuple):
    """The shape of a tensor: a tuple that prints as torch.Size([2, 3]).

    >>> import flambeau as torch
    >>> torch.ones(2, 3).shape
    torch.Size([2, 3])
    >>> torch.Size([2, 3]).numel()
    6
    """

    __slots__ = ()

    def __new__(cls, sizes=()):
        made = tuple.__new__(cls, sizes)
        for s in made:
            if s.__class__ is not int and not hasattr(s, "__index__"):
                raise ArgumentTypeError(
                    f"torch.Size() takes an iterable of 'int' (item 0 is '{type(s).__name__}')",
                    why="sizes are whole numbers",
                    fix="convert them with `int()`",
                )
        return made

    def __repr__(self):
        return f"torch.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """Number of elements of a tensor of this shape.

        >>> import flambeau as torch
        >>> torch.Size([2, 3]).numel()
        6
        """
        return math.prod(self)

    def __getitem__(self, key):
        got = tuple.__getitem__(self, key)
        return tuple.__new__(Size, got) if isinstance(key, slice) else got

    def __add__(self, other):
        return tuple.__new__(Size, tuple.__add__(self, tuple(other)))

    def __radd__(self, other):
        return tuple.__new__(Size, tuple(other) + tuple(self))

    def __mul__(self, times):
        return tuple.__new__(Size, tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return (Size, (tuple(self),))


class Tensor:
    """A multi-dimensional array whose operations are recorded for differentiation.

    Made by `torch.tensor(data)`, `torch.zeros(size)`, `torch.from_numpy(array)` and the like.

    >>> import flambeau as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    _array: np.ndarray
    _rg = False  # takes part in differentiation: a leaf that requires grad, or the result of a recorded operation
    _node = None  # the operation that made it; None for leaves
    _index = 0  # which output of that operation it is
    _grad = None
    _cell = None  # version counter: a list of one int (and where it was changed), shared by all views of a memory
    _aside = ""  # ".data" or ".detach()" if it was made by that: changes to it are not recorded
    _base = None  # for views: the tensor viewed
    _chain: tuple | None = None  # for views: (chain before, view operation, options) that led here from the base
    _rebases = 0  # how often in-place operations gave this tensor a new history
    _seen = 0  # for views: the base's `_rebases` when this tensor's history was last derived from it
    _made = ""  # for views: "no_grad", "inference" or "multi" (one of several views) forbids tracked in-place changes
    _hooks = None  # on leaves: functions called with the gradient before it is accumulated
    _post_hooks = None  # on leaves: functions called after accumulation
    _accumulate = None  # on leaves: weak reference to the AccumulateGrad that stands for it in the graph
    _retains = False
    _inference = False
    _tag: object = None  # what made its values, where the graph does not know: checks/tags.py
    _fb_looks = 0  # how often it was a first layer's weight; which rows it holds; made by `empty`: checks/data.py
    _fb_rows: Any = None
    _fb_empty: Any = None

    __array_priority__ = 1000  # NumPy's functions on tensors: `__array_ufunc__` in ops/to_numpy.py

    def __new__(cls, *args, **kwargs):
        return _new(cls)

    def __init__(self, *data, device=None):
        build = Tensor._legacy
        self._array = build(data, dtypes.get_default_dtype(), device)
        if log.on and data and isinstance(data[0], (int, Size)):
            self._fb_empty = user_site(), id(self._array)

    @staticmethod
    def _legacy(data, dt, device=None) -> np.ndarray:
        """The array of `Tensor(...)`: sizes make an uninitialised tensor, a sequence makes its values."""
        if len(data) == 1 and isinstance(data[0], Tensor):
            return data[0]._array
        if len(data) == 1 and not isinstance(data[0], (int, np.integer)) and not isinstance(data[0], Size):
            return np.array(data[0], dtype=dt.numpy)
        sizes = data[0] if len(data) == 1 and isinstance(data[0], Size) else data
        return np.empty(tuple(operator.index(s) for s in sizes) if data else (0,), dt.numpy)

    @staticmethod
    def wrap(array: np.ndarray) -> Tensor:
        """A tensor over an array, without history."""
        t = _new(Tensor)
        t._array = array
        return t

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return _new_tuple(Size, self._array.shape)

    def size(self, dim: int | None = None):
        """The shape, or the size of one dimension.

        Raises IndexError for a dimension that is not there.

        >>> import flambeau as torch
        >>> torch.ones(2, 3).size(-1)
        3
        """
        if dim is None:
            return tuple.__new__(Size, self._array.shape)
        return self._array.shape[self._dim(dim)]

    def _dim(self, dim) -> int:
        """A dimension number made non-negative; IndexError when there is no such dimension."""
        n = self._array.ndim or 1
        dim = operator.index(dim)
        if not -n <= dim < n:
            from .mistakes.batches import no_such_dim  # stands above this module, and is only needed here

            fact = f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
            raise no_such_dim(fact, self._array.ndim, n)
        return dim + n if dim < 0 else dim

    @property
    def dtype(self) -> dtype:
        """The element type."""
        found = FROM_NUMPY.get(self._array.dtype)
        return found if found is not None else from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> devices.device:
        """Where the elements live."""
        return devices.CPU if type(self._array) is np.ndarray else device_of(self._array)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._array.ndim

    def dim(self) -> int:
        """Number of dimensions.

        >>> import flambeau as torch
        >>> torch.ones(2, 3).dim()
        2
        """
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """Number of elements.

        >>> import flambeau as torch
        >>> torch.ones(2, 3).numel()
        6
        """
        return self._array.size

    nelement = numel

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._array.itemsize

    element_size = lambda self: self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    def stride(self, dim: int | None = None):
        """Elements to skip in memory from one index to the next, per dimension.

        >>> import flambeau as torch
        >>> torch.ones(2, 3).stride(), torch.ones(2, 3).T.stride()
        ((3, 1), (1, 3))
        """
        strides = element_strides(self._array)
        return strides if dim is None else strides[self._dim(dim)]

    def storage_offset(self) -> int:
        """Elements between the start of the storage and the first element.

        >>> import flambeau as torch
        >>> torch.arange(6)[2:].storage_offset()
        2
        """
        return storage_offset(self._array)

    def data_ptr(self) -> int:
        """Address of the first element."""
        return address(self._array) if self._array.size else 0

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating-point one."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self._array.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Whether the dtype holds negative numbers."""
        return self.dtype.is_signed

    is_cuda = is_mps = is_xpu = is_sparse = is_quantized = is_mkldnn = is_nested = is_vulkan = is_xla = False
    is_sparse_csr = is_mtia = is_hpu = is_ipu = is_maia = False
    names = property(lambda self: (None,) * self._array.ndim)

    @property
    def is_cpu(self) -> bool:
        """Whether it lives on the CPU."""
        return type(self._array) is np.ndarray

    @property
    def is_meta(self) -> bool:
        """Whether it has a shape only."""
        return self.device.type == "meta"

    def get_device(self) -> int:
        """Index of the accelerator it lives on; -1 on the CPU."""
        return -1

    # ------------------------------------------------------------------ its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded for differentiation."""
        if self._base is not None and self._seen != self._base._rebases:
            self._refresh()
        return self._rg

    @requires_grad.setter
    def requires_grad(self, value):
        if not isinstance(value, (bool, np.bool_, int)):
            raise GradientError(
                "requires_grad must be a bool", why=f"it is {type(value).__name__}", fix="use True or False"
            )
        if self._node is not None:
            if not value:
                raise GradientError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                    "in a subgraph that doesn't require differentiation use var_no_grad = var.detach().",
                    why=f"this tensor was made by {self._node.name()}, and requires grad as what it was made from does",
                    fix="use `x = x.detach()`",
                )
            raise GradientError(
                "you can only change requires_grad flags of leaf variables.",
                why=f"this tensor was made by {self._node.name()} and requires grad already",
                fix="use `x.retain_grad()` to have its gradient kept",
            )
        if value and self._array.dtype.kind not in "fcV":
            raise GradientError(
                "only Tensors of floating point and complex dtype can require gradients",
                why=f"this tensor is {self.dtype.name}: a derivative needs numbers that can change a little",
                fix="use `x = x.float().requires_grad_()`",
                code="FB-DTYPE-02",
                cause="integers",
            )
        if value and self._inference:
            raise GradientError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
                why="what is made in inference mode is not tracked",
                fix="use `x.clone()` outside of it",
            )
        self._rg = bool(value)

    @property
    def is_leaf(self) -> bool:
        """Whether it was not made by a recorded operation."""
        return self.grad_fn is None

    @property
    def grad_fn(self):
        """The operation that made it; None for leaves."""
        if self._base is not None and self._seen != self._base._rebases:
            self._refresh()
        return self._node

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` it is."""
        return self._index

    @property
    def grad(self):
        """The accumulated gradient: a tensor of the same shape, or None."""
        found = self._grad
        if found is None and self._node is not None and not self._retains and log.on:
            from .checks.leaves import read  # only where there is something to say

            read(self)
        return found

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor):
                raise ArgumentTypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}",
                    why="a gradient is a tensor of the parameter's shape",
                    fix="use None to clear it, or `torch.as_tensor(value)`",
                )
            if value is self:
                raise GradientError(
                    "can't assign Variable as its own grad",
                    why="each step would change both at once",
                    fix="use `p.grad = p.detach().clone()`",
                )
            if value.device != self.device:
                raise GradientError(
                    f"attempting to assign a gradient with device type '{value.device.type}' to a tensor with device "
                    f"type '{self.device.type}'. Please ensure that the gradient and the tensor are on the same device",
                    why="the optimizer computes with both",
                    fix=f"use `p.grad = g.to('{self.device}')`",
                )
            if value._array.dtype != self._array.dtype:
                raise GradientError(
                    f"attempting to assign a gradient with dtype '{value.dtype.name}' to a tensor with dtype "
                    f"'{self.dtype.name}'. The gradient must match the tensor's dtype",
                    why="the optimizer computes with both",
                    fix=f"use `p.grad = g.to({self.dtype})`",
                )
            if value._array.shape != self._array.shape:
                raise ShapeError(
                    f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
                    f"'{list(self.shape)}'. Please ensure that the gradient and the tensor are the same size",
                    why="it holds one number for each element",
                    fix=f"use `g.reshape({list(self.shape)})`"
                    if value._array.size == self._array.size
                    else f"use a gradient of shape {tuple(self.shape)}",
                )
        if listeners:
            found = listener()
            if found is not None:
                found.clear(self, value)
        self._grad = value

    @grad.deleter
    def grad(self):
        self._grad = None

    @property
    def _version(self) -> int:
        cell = self._cell
        return cell[0] if cell else 0

    def _bump(self):
        """Count one in-place change of the memory, for all views of it."""
        if listeners:
            found = listener()
            if found is not None:
                found.changed(self)
        cell = self._cell
        if cell is None:
            self._cell = [1]
        else:
            cell[0] += 1

    def _wrote(self):
        """Count an in-place change that a call of the user's makes, and remember where."""
        self._bump()
        if log.on and (self._rg or self._aside or self._base is not None):
            log.wrote(self._cell, self._aside)

    def _is_view(self) -> bool:
        return self._base is not None

    @property
    def data(self) -> Tensor:
        """The same memory without history; backward refuses kept values that were changed through it."""
        t = _new(Tensor)
        t._array = self._array
        cell = self._cell
        if cell is None:
            cell = self._cell = [0]
        t._cell, t._aside = cell, ".data"
        if log.on:
            if self._rg:
                log.cut("data", self)
            if self._tag is not None or self._rg or self._base is not None:
                pass_on(self, t)
        return t

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(
                f"Variable data has to be a tensor, but got {type(value).__name__}",
                why="its memory becomes this tensor's",
                fix="use `torch.as_tensor(value)`",
            )
        if self._rg and value._array.dtype.kind not in "fcV":
            raise GradientError(
                "data set to a tensor that requires gradients must be floating point or complex dtype",
                why=f"the data is {value.dtype.name}",
                fix="use `data.float()`",
            )
        self._array = value._array

    # ------------------------------------------------------------------ as a Python value

    def __len__(self):
        if not self._array.ndim:
            raise ArgumentTypeError(
                "len() of a 0-d tensor",
                why="it holds a single number, without a dimension to count along",
                fix="use `x.numel()`, or `x.unsqueeze(0)` for a tensor of one element",
            )
        return self._array.shape[0]

    def __hash__(self):
        return id(self)

    def item(self):
        """The value of a tensor of one element, as a Python number.

        Raises RuntimeError when it has another number of elements.

        >>> import flambeau as torch
        >>> torch.tensor([2.5]).item()
        2.5
        """
        a = self._array
        if a.size == 1 and a.__class__ is np.ndarray and not listeners:
            value = a.item()
            if self._rg and log.on:
                log.cut("item", self, value)
            if log.watches:
                log.reads(self, value)
            return value if value.__class__ in _PYTHON_NUMBERS else float(value)
        if listeners:
            self._observed("item()")
        if a.size != 1:
            raise ShapeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar",
                why=f"its shape is {tuple(self._array.shape)}",
                fix="reduce it first with `x.mean()` or `x.sum()`, or use `x.tolist()`",
            )
        if self.is_meta:
            raise ShapeError(
                "Tensor.item() cannot be called on meta tensors",
                why="tensors on the meta device have a shape, and no numbers",
                fix="make the tensor on the CPU",
            )
        value = a.item()
        return value if value.__class__ in _PYTHON_NUMBERS else float(value)

    def tolist(self):
        """The elements as (nested lists of) Python numbers.

        >>> import flambeau as torch
        >>> torch.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        if listeners:
            self._observed("tolist()")
        if self.is_meta:
            raise NotSupported(
                "Cannot copy out of meta tensor; no data!",
                why="tensors on the meta device have a shape, and no numbers",
                fix="make the tensor on the CPU",
            )
        if self._rg and log.on:
            log.cut("tolist", self)
        if self._array.dtype.kind == "V":
            return self._array.astype(np.float32).tolist()
        return self._array.tolist()

    def _observed(self, what):
        """Tell who listens that Python reads a value."""
        found = listener()
        if found is not None:
            found.observe(self, what)

    def __bool__(self):
        if listeners:
            self._observed("bool()")
        if self._array.size != 1:
            if self._array.size == 0:
                raise ShapeError(
                    "Boolean value of Tensor with no values is ambiguous",
                    why=f"it has shape {tuple(self._array.shape)}",
                    fix="use `x.numel() > 0`",
                )
            raise ShapeError(
                "Boolean value of Tensor with more than one value is ambiguous",
                why=f"it has shape {tuple(self._array.shape)}, and each element may be true or false",
                fix="use `.any()` or `.all()`, or `x.numel() > 0`",
            )
        return bool(self._array.item() if type(self._array) is np.ndarray else self.item())

    def _scalar(self):
        if self._array.size != 1:
            raise ArgumentError(
                "only one element tensors can be converted to Python scalars",
                why=f"the tensor has shape {tuple(self._array.shape)}",
                fix="use `x.tolist()`, or reduce it first",
            )
        return self.item()

    def __float__(self):
        return float(self._scalar())

    def __int__(self):
        return int(self._scalar())

    def __complex__(self):
        return complex(self._scalar())

    def __index__(self):
        if listeners:
            self._observed("int()")
        if self._array.size != 1 or self._array.dtype.kind not in "iub":
            raise ArgumentTypeError(
                "only integer tensors of a single element can be converted to an index",
                why=f"it is {self.dtype.name} of shape {tuple(self._array.shape)}",
                fix="use `int(x)`" if self._array.size == 1 else "use `x.tolist()` for its numbers",
            )
        return int(self._array.item())

    def __format__(self, spec):
        if self._array.ndim == 0 and not self.is_meta:
            return format(self.item(), spec)
        return object.__format__(str(self), spec) if spec else str(self)

    def __iter__(self):
        if not self._array.ndim:
            raise ArgumentTypeError(
                "iteration over a 0-d tensor",
                why="it holds a single number, without a dimension to go along",
                fix="use `x.item()`, or `x.unsqueeze(0)` for a tensor of one element",
            )
        return iter(self.unbind(0))

    def __contains__(self, element):
        return bool((self == element).any())

    def __dir__(self):
        return sorted(set(object.__dir__(self)))


wrap = Tensor.wrap


def attach(name: str, function) -> None:
    """Make `function` a method (or property) of Tensor."""
    if name in Tensor.__dict__ and name not in ("__eq__", "__hash__", "__repr__"):
        raise TypeError(f"Tensor.{name} is defined twice")
    setattr(Tensor, name, function)


def is_tensor(obj) -> bool:
    """Whether `obj` is a Tensor.

    >>> import flambeau as torch
    >>> torch.is_tensor(torch.ones(1)), torch.is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Tensor)
