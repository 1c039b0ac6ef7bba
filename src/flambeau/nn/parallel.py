"""`DataParallel` and `DistributedDataParallel`: on one device and in one process, the module itself."""

from __future__ import annotations

import contextlib

from ..autograd.engine import next_number
from ..checks import distributed as rules
from ..checks.log import log
from .modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Wraps a module so that its batch is divided among GPUs; without any, it calls the module.

    Its state_dict has PyTorch's names: every key begins with 'module.'.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids = []
        self.dim = dim

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Wraps a module so that gradients are averaged over all processes; with one there is nothing to average.

    Needs `torch.distributed.init_process_group`. Its state_dict has PyTorch's names: every key begins with 'module.'.

    >>> import flambeau as torch
    >>> torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> ddp = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2))
    >>> ddp(torch.ones(3, 4)).shape, list(ddp.state_dict())
    (torch.Size([3, 2]), ['module.weight', 'module.bias'])
    >>> torch.distributed.destroy_process_group()
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0, broadcast_buffers=True, process_group=None,
                 bucket_cap_mb=None, find_unused_parameters=False, check_reduction=False, gradient_as_bucket_view=False,
                 static_graph=False, **options):  # fmt: skip
        super().__init__()
        from .. import distributed

        distributed.get_world_size(process_group)  # an error without a group
        self.module = module
        self.device_ids = device_ids
        self.dim = dim
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.require_backward_grad_sync = True
        if log.on:
            rules.wrapped(self)

    def forward(self, *inputs, **kwargs):
        began = next_number()
        result = self.module(*inputs, **kwargs)
        if log.on:
            rules.passed(self, began, next_number())
        return result

    @contextlib.contextmanager
    def no_sync(self):
        """Do not average within the block: for gradient accumulation."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before
