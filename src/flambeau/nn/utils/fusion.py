"""Folding a batch norm in evaluation mode into the layer before it."""

from __future__ import annotations

import copy

from ... import ops
from ...errors import FailedAssertion
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _eval_only(*modules):
    if any(m.training for m in modules):
        raise FailedAssertion(
            "Fusion only for eval!",
            why="in training, batch normalisation depends on the batch, so no fixed layer equals it",
            fix="call `model.eval()` first",
        )


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """One convolution that computes bn(conv(x)); both must be in evaluation mode.

    >>> import flambeau as torch
    >>> conv, bn = torch.nn.Conv2d(1, 2, 3).eval(), torch.nn.BatchNorm2d(2).eval()
    >>> torch.nn.utils.fuse_conv_bn_eval(conv, bn)
    Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
    """
    _eval_only(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """The weight and bias of the fused convolution."""
    kind = conv_w.dtype, conv_b.dtype if conv_b is not None else conv_w.dtype
    conv_b = ops.zeros_like(bn_rm) if conv_b is None else conv_b
    bn_w = ops.ones_like(bn_rm) if bn_w is None else bn_w
    bn_b = ops.zeros_like(bn_rm) if bn_b is None else bn_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    shape = [1, -1, *[1] * (conv_w.dim() - 2)] if transpose else [-1, 1, *[1] * (conv_w.dim() - 2)]
    weight = (conv_w * scale.reshape(shape)).to(kind[0])
    bias = ((conv_b - bn_rm) * scale + bn_b).to(kind[1])
    return Parameter(weight, conv_w.requires_grad), Parameter(bias, conv_b.requires_grad)


def fuse_linear_bn_eval(linear, bn):
    """One linear layer that computes bn(linear(x)); both must be in evaluation mode.

    Raises AssertionError when a module is in training mode.

    >>> import flambeau as torch
    >>> linear, norm = torch.nn.Linear(3, 2).eval(), torch.nn.BatchNorm1d(2).eval()
    >>> torch.nn.utils.fusion.fuse_linear_bn_eval(linear, norm)
    Linear(in_features=3, out_features=2, bias=True)
    """
    _eval_only(linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise FailedAssertion(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}",
            why="each output has its own scale and shift",
            fix="fuse the normalisation that follows the linear layer directly",
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """The weight and bias of the fused linear layer."""
    kind = linear_w.dtype, linear_b.dtype if linear_b is not None else linear_w.dtype
    linear_b = ops.zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    weight = (linear_w * scale.unsqueeze(-1)).to(kind[0])
    bias = ((linear_b - bn_rm) * scale + bn_b).to(kind[1])
    return Parameter(weight, linear_w.requires_grad), Parameter(bias, linear_b.requires_grad)
