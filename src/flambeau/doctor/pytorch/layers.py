"""What flambeau's layers tell of themselves when they run, told for PyTorch's: global hooks on their forward passes."""

from __future__ import annotations

from typing import Any

import torch

from ...checks import data, modes, shapes
from ...checks.log import log

_RECURRENT = (torch.nn.RNNBase, torch.nn.MultiheadAttention)


def before(me: Any):
    """The hook that runs before a forward pass."""

    def hook(module, args):
        if not args or not isinstance(args[0], torch.Tensor):
            return
        with me.safely:
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.track_running_stats:
                if not module.training:
                    modes.first_evaluation(module, me.mirror.twin(args[0]))
                elif not torch.is_grad_enabled():
                    modes.unrecorded()
                elif module.affine and not module.weight.requires_grad:
                    modes.frozen(module)
            elif isinstance(module, torch.nn.modules.dropout._DropoutNd):
                if module.training and module.p and not torch.is_grad_enabled():
                    modes.unrecorded()
            elif isinstance(module, _RECURRENT) and not module.batch_first and args[0].dim() == 3:
                own = isinstance(module, torch.nn.RNNBase) or len(args) > 1 and args[0] is args[1]
                if own and log.batch is not None:
                    shapes.recurrent(module, me.mirror.twin(args[0]))
            if isinstance(module, torch.nn.RNNBase) and torch.is_grad_enabled() and not args[0].requires_grad:
                data.first_layer((me.mirror.twin(args[0]), me.mirror.twin(module._flat_weights[0])))

    return hook


def after(me: Any):
    """The hook that runs after a forward pass."""

    def hook(module, args, result):
        if not module.training and me.mirror.following and torch.is_grad_enabled() and "eval" in log.notes:
            with me.safely:
                modes.evaluated(module, me.mirror._twins(args), me.mirror._twins(result))

    return hook
