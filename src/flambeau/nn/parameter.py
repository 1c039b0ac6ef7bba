"""Parameters and buffers: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from collections import OrderedDict

from .. import ops
from ..checks import modules as rules
from ..checks.log import log
from ..dtypes import get_default_dtype
from ..errors import ArgumentError, ArgumentTypeError, StateError
from ..tensor import Tensor

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]


class Parameter(Tensor):
    """A tensor that a `Module` learns: assigned to a module's attribute, it appears in `parameters()`.

    Arguments:
        data: the initial values; shared, not copied. Default: an empty tensor.
        requires_grad: whether to collect gradients. Default: True.

    >>> import flambeau as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data=None, requires_grad=True):
        made = _adopt(cls, data, requires_grad)
        if log.on:
            log.made += 1
            rules.made_parameter(made)
        return made

    def __init__(self, data=None, requires_grad=True):
        pass

    def __repr__(self, *, tensor_contents=None):
        return "Parameter containing:\n" + super().__repr__(tensor_contents=tensor_contents)

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.detach().clone(), self.requires_grad)
        memo[id(self)] = result
        return result

    def __reduce_ex__(self, protocol):
        state = {k: v for k, v in self.__dict__.items() if k in getattr(self, "_pickled_names", ())}
        return _rebuild_parameter, (self.detach(), self.requires_grad, OrderedDict(state))


def _adopt(cls, data, requires_grad):
    """A `cls` over the same elements as `data`, outside any graph."""
    if data is None:
        data = ops.empty(0)
    if not isinstance(data, Tensor):
        raise ArgumentTypeError(
            f"Parameter() expects a tensor, got {type(data).__name__}",
            why="a parameter is a tensor that is learned",
            fix=f"use `nn.Parameter(torch.tensor({data!r}))`"
            if isinstance(data, (int, float))
            else "use `nn.Parameter(torch.tensor(values))`",
        )
    self = object.__new__(cls)
    self._array = data._array
    if data._cell is None:
        data._cell = [0]
    self._cell = data._cell  # in-place changes through either are seen by both
    if data._fb_empty is not None:
        self._fb_empty = data._fb_empty
    if requires_grad:
        self.requires_grad_(True)
    return self


def _rebuild_parameter(data, requires_grad, backward_hooks=None):
    return Parameter(data, requires_grad)


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not learnt; assigned to an attribute it registers itself.

    Arguments:
        data: the values; shared, not copied.
        persistent: whether `state_dict()` contains it. Default: True.

    >>> import flambeau as torch
    >>> class Counter(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.steps = torch.nn.Buffer(torch.zeros(1))
    >>> list(Counter().state_dict())
    ['steps']
    """

    def __new__(cls, data=None, *, persistent=True):
        self = _adopt(cls, data, False)
        self.persistent = persistent
        return self

    def __init__(self, data=None, *, persistent=True):
        pass

    def __repr__(self, *, tensor_contents=None):
        return repr(self.data)  # prints as the tensor it is


class UninitializedTensorMixin:
    """What a parameter or buffer without a shape yet can do: say so, and be given one."""

    cls_to_become: type = Tensor

    def materialize(self, shape, device=None, dtype=None):
        """Become an ordinary tensor of this shape, in place and with undefined values."""
        fresh = ops.empty(
            shape,
            device=device if device is not None else self.device,
            dtype=dtype if dtype is not None else self.dtype,
        )
        self.__class__ = self.cls_to_become
        self.data = fresh

    @property
    def shape(self):
        raise StateError(
            "Can't access the shape of an uninitialized parameter or buffer. "
            "This error usually happens in `load_state_dict` when trying to load an uninitialized parameter "
            "into an initialized one. Call `forward` to initialize the parameters before accessing their attributes.",
            why="a lazy module makes its parameters when it sees its first input",
            fix="call the model once with a batch of data first",
        )

    def share_memory_(self):
        raise StateError(
            "Can't share memory on an uninitialized parameter or buffer. "
            "Call `forward` to initialize the parameters before calling `module.share_memory()`.",
            why="a lazy module makes its parameters when it sees its first input",
            fix="call the model once with a batch of data first",
        )

    def __repr__(self, *, tensor_contents=None):
        return f"<{self.__class__.__name__}>"

    def __reduce_ex__(self, protocol):
        return self.__class__, (self.requires_grad,)

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]


def _refuse(name):
    def method(self, *args, **kwargs):
        raise ArgumentError(
            f"Attempted to use an uninitialized parameter in {name}. This error happens when you are using a "
            "`LazyModule` or explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects. When using "
            "LazyModules Call `forward` with a dummy batch to initialize the parameters before calling torch functions",
            why="a lazy module makes its parameters when it sees its first input",
            fix="call the model once with a batch of data first, before making the optimizer",
        )

    return method


for _name in ("add", "sub", "mul", "truediv", "matmul", "pow", "neg", "getitem", "radd", "rmul", "rsub"):
    setattr(UninitializedTensorMixin, f"__{_name}__", _refuse(_name))
for _name in (
    "add",
    "mul",
    "matmul",
    "sum",
    "mean",
    "clone",
    "numel",
    "view",
    "reshape",
    "t",
    "item",
    "tolist",
    "numpy",
):
    setattr(UninitializedTensorMixin, _name, _refuse(_name))


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """A parameter whose shape is not known yet; lazy modules give it one at the first call (`materialize`).

    Arguments:
        requires_grad: whether to collect gradients. Default: True.
        device, dtype: of the parameter to come.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        dtype = get_default_dtype() if dtype is None else dtype
        return _adopt(cls, ops.empty(0, device=device, dtype=dtype), requires_grad)

    def __init__(self, requires_grad=True, device=None, dtype=None):
        pass


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """A buffer whose shape is not known yet; lazy modules give it one at the first call (`materialize`)."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        dtype = get_default_dtype() if dtype is None else dtype
        self = _adopt(cls, ops.empty(0, device=device, dtype=dtype), requires_grad)
        self.persistent = persistent
        return self

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        pass


def is_lazy(param) -> bool:
    """Whether a parameter or buffer still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)
