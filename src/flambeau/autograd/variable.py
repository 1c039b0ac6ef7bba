"""Variable: the name that tensors with a gradient had before PyTorch 0.4."""

from __future__ import annotations

from ..tensor import Tensor


class _VariableType(type):
    """Old code asks isinstance(x, Variable) of tensors."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableType):
    """`Variable(tensor, requires_grad=False)` is the tensor, detached.

    >>> import flambeau as torch
    >>> torch.autograd.Variable(torch.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """

    def __new__(cls, data, requires_grad=False, volatile=None):
        return data.detach().requires_grad_(requires_grad)
