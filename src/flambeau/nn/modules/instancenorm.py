"""Instance normalisation: each channel of each sample to zero mean and unit variance.

Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
"""

from __future__ import annotations

from ...language import warn
from ...mistakes.channels import wrong_norm
from .. import functional as F
from .batchnorm import _LazyNormBase, _NormBase

__all__ = [
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]  # fmt: skip


class _InstanceNorm(_NormBase):
    _spatial: int  # number of spatial dimensions

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _get_no_batch_dim(self):
        return self._spatial + 1

    def _check_input_dim(self, input):
        n = self._spatial
        if input.dim() not in (n + 1, n + 2):
            raise wrong_norm(
                f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)",
                input,
                self.num_features,
                type(self).__name__,
                n,
            )

    def forward(self, input):
        self._check_input_dim(input)
        dim = input.dim() - self._get_no_batch_dim()
        if input.size(dim) != self.num_features:
            if self.affine:
                raise wrong_norm(
                    f"expected input's size at dim={dim} to match num_features ({self.num_features}), "
                    f"but got: {input.size(dim)}.",
                    input,
                    self.num_features,
                    type(self).__name__,
                    self._spatial,
                )
            warn(
                f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing "
                "in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        if input.dim() == self._get_no_batch_dim():
            return self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)
        return self._apply_instance_norm(input)

    def _apply_instance_norm(self, input):
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sequence, (N, C, L) or (C, L).

    Arguments as for `BatchNorm1d`, with affine and track_running_stats off by default.

    >>> import flambeau as torch
    >>> torch.nn.InstanceNorm1d(100)(torch.randn(20, 100, 40)).shape
    torch.Size([20, 100, 40])
    """

    _spatial = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalises each channel of each image, (N, C, H, W) or (C, H, W).

    Raises ValueError for another number of dimensions.

    Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.

    >>> import flambeau as torch
    >>> torch.nn.InstanceNorm2d(3)(torch.rand(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    _spatial = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalises each channel of each volume, (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.InstanceNorm3d(3)(torch.rand(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    _spatial = 3


class _LazyInstanceNorm(_LazyNormBase, _InstanceNorm):
    def initialize_parameters(self, input):
        if self.has_uninitialized_params():
            super().initialize_parameters(input if input.dim() > self._get_no_batch_dim() else input.unsqueeze(0))


class LazyInstanceNorm1d(_LazyInstanceNorm):
    """`InstanceNorm1d` that learns `num_features` from its first input.

    Shapes: (N, C, L) or (C, L) -> the same

    >>> import flambeau as torch
    >>> torch.nn.LazyInstanceNorm1d()(torch.rand(2, 3, 5)).shape
    torch.Size([2, 3, 5])
    """

    cls_to_become = InstanceNorm1d
    _spatial = 1


class LazyInstanceNorm2d(_LazyInstanceNorm):
    """`InstanceNorm2d` that learns `num_features` from its first input.

    Shapes: (N, C, H, W) or (C, H, W) -> the same

    >>> import flambeau as torch
    >>> torch.nn.LazyInstanceNorm2d()(torch.rand(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    cls_to_become = InstanceNorm2d
    _spatial = 2


class LazyInstanceNorm3d(_LazyInstanceNorm):
    """`InstanceNorm3d` that learns `num_features` from its first input.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same

    >>> import flambeau as torch
    >>> torch.nn.LazyInstanceNorm3d()(torch.rand(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    cls_to_become = InstanceNorm3d
    _spatial = 3
