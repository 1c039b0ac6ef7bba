"""Copies of tensor objects: pickle, copy.copy, copy.deepcopy."""

from __future__ import annotations

import copy

from .. import dtypes
from ..arrays import MetaArray, as_strided, element_strides, meta_empty, owner, storage_offset
from ..errors import ArgumentTypeError, GradientError
from ..tensor import Tensor, attach, wrap

_ABSENT = object()


def own_attributes(t: Tensor) -> dict:
    """The attributes that a program has set on a tensor."""
    return {k: v for k, v in vars(t).items() if getattr(Tensor, k, _ABSENT) is _ABSENT and k != "_array"}


def _reduce_ex(self, protocol):
    """Pickle as the memory under the tensor and its geometry: tensors pickled together go on sharing memory."""
    a = self._array
    if isinstance(a, MetaArray):
        what = (None, self.dtype.name, 0, tuple(a.shape), element_strides(a))
    else:
        what = (owner(a), self.dtype.name, storage_offset(a), tuple(a.shape), element_strides(a))
    return (rebuild_tensor, (type(self), *what, self.requires_grad), own_attributes(self) or None)


def rebuild_tensor(kind, memory, name, offset, shape, strides, requires_grad):
    """A tensor from its memory and geometry (the inverse of pickling)."""
    dt = dtypes.BY_NAME[name]
    if memory is None:
        count = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if 0 not in shape else 0
        array = as_strided(meta_empty((count,), dt.numpy), shape, strides)
    elif memory.dtype == dt.numpy and memory.shape == shape and element_strides(memory) == strides:
        array = memory
    else:
        array = as_strided(memory.view(dt.numpy) if memory.ndim else memory, shape, strides, offset)
    t = wrap(array)
    if kind is not Tensor:
        t = t.as_subclass(kind)
    if requires_grad:
        t.requires_grad = True
    return t


def _setstate(self, state):
    vars(self).update({k: v for k, v in state.items() if k != "_array"})


def _deepcopy(self, memo):
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise GradientError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
            "see https://github.com/pytorch/pytorch/pull/103001",
            why=f"this tensor is the result of {self.grad_fn.name()}, and its graph is not copied",
            fix="use `copy.deepcopy(x.detach())`",
        )
    a = self._array
    if isinstance(a, MetaArray):
        array = meta_empty(a.shape, a.dtype)
    else:
        base = owner(a)
        # One copy of the memory for all tensors of this deepcopy that share it.
        key = ("flambeau storage", id(base))
        if key not in memo:
            memo[key] = base.copy(order="K")
            memo.setdefault(id(memo), []).append(base)
        array = as_strided(memo[key].view(a.dtype) if base.ndim and base.dtype != a.dtype else memo[key],
                           a.shape, element_strides(a), storage_offset(a))  # fmt: skip
    t = wrap(array)
    if type(self) is not Tensor:
        t = t.as_subclass(type(self))
    memo[id(self)] = t
    if self.requires_grad:
        t.requires_grad = True
    if self.grad is not None:
        t.grad = copy.deepcopy(self.grad, memo)
    vars(t).update(copy.deepcopy(own_attributes(self), memo))
    return t


def as_subclass(self, cls):
    """This tensor as an object of a subclass of Tensor: same memory, same place in the graph."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise ArgumentTypeError(
            f"as_subclass(): argument 'cls' must be a subclass of Tensor, not {cls!r}",
            why="a tensor stays a tensor",
            fix="pass a class such as `class MyTensor(torch.Tensor)`",
        )
    if self._cell is None:
        self._cell = [0]  # in-place changes through either are seen by both
    made = object.__new__(cls)
    vars(made).update({k: v for k, v in vars(self).items() if k not in _LEAF_STATE})
    return made


# What belongs to a leaf itself, and not to another object over the same memory.
_LEAF_STATE = {"_grad", "_hooks", "_post_hooks", "_accumulate"}

for _name, _function in {"as_subclass": as_subclass, "__reduce_ex__": _reduce_ex, "__setstate__": _setstate,
                         "__deepcopy__": _deepcopy}.items():  # fmt: skip
    attach(_name, _function)
_reduce_ex.__name__ = "__reduce_ex__"
