"""`DataParallel`: on one device, the module itself."""

from __future__ import annotations

from .modules.module import Module

__all__ = ["DataParallel"]


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
