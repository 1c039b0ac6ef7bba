"""Batch normalisation: each channel to zero mean and unit variance over the batch.

Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", 2015.
"""

from __future__ import annotations

from ... import ops
from ...autograd.mode import state
from ...checks import modes
from ...checks.log import log
from ...dtypes import int64
from ...errors import ArgumentError
from ...mistakes.channels import wrong_norm
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedBuffer, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import blank

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d",
    "SyncBatchNorm",
]  # fmt: skip


class _NormBase(Module):
    """Parameters and running statistics of batch and instance norm."""

    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        kind = dict(device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(blank(num_features, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(blank(num_features, **kind)) if affine and bias else None)
        if track_running_stats:
            self.register_buffer("running_mean", ops.zeros(num_features, **kind))
            self.register_buffer("running_var", ops.ones(num_features, **kind))
            self.register_buffer("num_batches_tracked", ops.tensor(0, dtype=int64, device=device))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the running statistics: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Weight 1, bias 0, and no running statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input):
        raise NotImplementedError

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        version = local_metadata.get("version", None)
        if (version is None or version < 2) and self.track_running_stats:
            key = prefix + "num_batches_tracked"
            if key not in state_dict:
                present = self.num_batches_tracked
                known = present is not None and not present.is_meta
                state_dict[key] = present if known else ops.tensor(0, dtype=int64)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)


class _BatchNorm(_NormBase):
    def forward(self, input):
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        tracking = self.track_running_stats
        if log.on and tracking:
            if not self.training:
                modes.first_evaluation(self, input)
            elif not state.grad:
                modes.unrecorded()
            elif self.affine and not self._parameters["weight"]._rg:
                modes.frozen(self)
        if self.training and tracking and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # a plain average over all batches
                factor = 1.0 / float(self.num_batches_tracked)
        own = not self.training or tracking
        return F.batch_norm(
            input,
            self.running_mean if own else None,
            self.running_var if own else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            factor,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalises each of C channels over a batch of vectors or sequences, then scales and shifts it.

    Arguments:
        num_features: number of channels C.
        eps: added to the variance. Default: 1e-5.
        momentum: weight of the new batch in the running statistics; None for a plain average. Default: 0.1.
        affine: learn a scale and a shift per channel. Default: True.
        track_running_stats: keep running statistics for evaluation. Default: True.
        bias: learn the shift. Default: True.
    Shapes: (N, C) or (N, C, L)

    >>> import flambeau as torch
    >>> torch.nn.BatchNorm1d(100)(torch.randn(20, 100)).shape
    torch.Size([20, 100])
    """

    def _check_input_dim(self, input):
        if input.dim() not in (2, 3):
            raise wrong_norm(
                f"expected 2D or 3D input (got {input.dim()}D input)", input, self.num_features, "BatchNorm1d", 1
            )


class BatchNorm2d(_BatchNorm):
    """Normalises each channel of a batch of images (N, C, H, W); arguments as for `BatchNorm1d`.

    Shapes: (N, C, H, W) -> (N, C, H, W); ValueError for another number of dimensions

    >>> import flambeau as torch
    >>> torch.nn.BatchNorm2d(3)(torch.rand(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def _check_input_dim(self, input):
        if input.dim() != 4:
            raise wrong_norm(
                f"expected 4D input (got {input.dim()}D input)", input, self.num_features, "BatchNorm2d", 2
            )


class BatchNorm3d(_BatchNorm):
    """Normalises each channel of a batch of volumes (N, C, D, H, W); arguments as for `BatchNorm1d`.

    Shapes: (N, C, D, H, W) -> (N, C, D, H, W); ValueError for another number of dimensions

    >>> import flambeau as torch
    >>> torch.nn.BatchNorm3d(3)(torch.rand(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    def _check_input_dim(self, input):
        if input.dim() != 5:
            raise wrong_norm(
                f"expected 5D input (got {input.dim()}D input)", input, self.num_features, "BatchNorm3d", 3
            )


class SyncBatchNorm(_BatchNorm):
    """Batch norm over the batches of all processes; with one process, plain batch norm of any dimension.

    `SyncBatchNorm.convert_sync_batchnorm(model)` replaces every batch norm of a model.

    Shapes: (N, C, *) -> (N, C, *)

    >>> import flambeau as torch
    >>> torch.nn.SyncBatchNorm.convert_sync_batchnorm(torch.nn.BatchNorm2d(3))
    SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        process_group=None,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input):
        if input.dim() < 2:
            raise ArgumentError(
                f"expected at least 2D input (got {input.dim()}D input)",
                why=f"channels are dimension 1: (N, C, *); the input has shape {tuple(input.shape)}",
                fix="use `x.unsqueeze(0)` to add the batch dimension",
            )
        if input.size(1) == 0:
            raise ArgumentError(
                "SyncBatchNorm number of input channels should be non-zero",
                why=f"the input has shape {tuple(input.shape)}, with channels in dimension 1",
                fix="find the layer before that makes no channels",
            )

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """The module with every batch norm in it replaced by a `SyncBatchNorm` of the same parameters."""
        result = module
        if isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm):
            result = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            if module.affine:
                result.weight, result.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(result, name, getattr(module, name))
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalisation that learns `num_features` from its first input."""

    def __init__(
        self,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        # affine and track_running_stats are false here, so that nothing is made for zero features.
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=bias)
        self.affine = affine
        self.track_running_stats = track_running_stats
        kind = dict(device=device, dtype=dtype)
        if affine:
            self.weight = UninitializedParameter(**kind)
            if bias:
                self.bias = UninitializedParameter(**kind)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**kind)
            self.running_var = UninitializedBuffer(**kind)
            self.num_batches_tracked = ops.tensor(0, dtype=int64, device=device)

    def reset_parameters(self):
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for name in ("weight", "bias") if self.affine else ():
                if getattr(self, name) is not None:
                    getattr(self, name).materialize((self.num_features,))
            if self.track_running_stats:
                self.running_mean.materialize((self.num_features,))
                self.running_var.materialize((self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """`BatchNorm1d` that learns `num_features` from its first input.

    Shapes: (N, C) or (N, C, L) -> the same

    >>> import flambeau as torch
    >>> norm = torch.nn.LazyBatchNorm1d()
    >>> norm(torch.rand(4, 3)).shape
    torch.Size([4, 3])
    >>> norm
    BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    cls_to_become = BatchNorm1d
    _check_input_dim = BatchNorm1d._check_input_dim


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """`BatchNorm2d` that learns `num_features` from its first input.

    Shapes: (N, C, H, W) -> (N, C, H, W)

    >>> import flambeau as torch
    >>> torch.nn.LazyBatchNorm2d()(torch.rand(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    cls_to_become = BatchNorm2d
    _check_input_dim = BatchNorm2d._check_input_dim


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """`BatchNorm3d` that learns `num_features` from its first input.

    Shapes: (N, C, D, H, W) -> (N, C, D, H, W)

    >>> import flambeau as torch
    >>> torch.nn.LazyBatchNorm3d()(torch.rand(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    cls_to_become = BatchNorm3d
    _check_input_dim = BatchNorm3d._check_input_dim
