"""What losses share: the reduction, and weights of classes."""

from __future__ import annotations

from ...mistakes.modules import built_with_data
from ...tensor import Tensor
from .. import _reduction as _Reduction
from .module import Module

_LOSSES = __name__.rpartition(".")[0]


class _Loss(Module):
    reduction: str

    def __new__(cls, *args, **kwargs):
        if args and isinstance(args[0], Tensor) and cls.__module__.startswith(_LOSSES):
            if args[0].requires_grad or len(args) > 1 and isinstance(args[1], Tensor):
                raise built_with_data(cls, args)
        return super().__new__(cls)

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        super().__init__()
        if size_average is not None or reduce is not None:
            self.reduction = _Reduction.legacy_get_string(size_average, reduce)
        else:
            self.reduction = reduction


class _WeightedLoss(_Loss):
    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
