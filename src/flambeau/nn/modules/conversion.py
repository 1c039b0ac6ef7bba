"""Changing a module as a whole: training mode, gradients on or off, device and dtype."""

from __future__ import annotations

from ...autograd import no_grad
from ...checks import events
from ...checks.log import log
from ...devices import device as Device
from ...dtypes import bfloat16, float16, float32, float64
from ...dtypes import dtype as Dtype
from ...errors import ArgumentError, ArgumentTypeError, NotSupported
from ...tensor import Tensor
from ..parameter import Parameter
from .traversal import Traversal


class Conversion(Traversal):
    """The part of `Module` that changes mode, device and dtype."""

    def train(self, mode: bool = True):
        """Set training mode here and in all submodules: dropout drops, batch norm uses its batch."""
        if not isinstance(mode, bool):
            raise ArgumentError(
                "training mode is expected to be boolean",
                why=f"it is {mode!r}",
                fix="use `model.train()` or `model.eval()`",
            )
        if log.on:
            events.sets_mode(self, mode)
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Set evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True):
        """Whether the parameters collect gradients: `requires_grad_(False)` freezes a module."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop (or, with set_to_none=False, zero) the gradients of all parameters."""
        if log.on and events.module_zeroed:
            events.zeroes_module(self)
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p.grad.detach().zero_()

    def apply(self, fn):
        """Call `fn` on every submodule and then on this module; returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn, recurse=True):
        """Replace every parameter, its gradient, and every buffer by `fn` of it; parameters stay the same objects."""
        if recurse:
            for module in self.children():
                module._apply(fn, recurse)
        self._own_registries()
        for name, param in self._parameters.items():
            if param is None:
                continue
            with no_grad():
                changed = fn(param.data)
            if changed.device.type == param.device.type:
                param.data = changed
                kept = param
            else:
                kept = self._parameters[name] = Parameter(changed, param.requires_grad)
            if param.grad is not None:
                with no_grad():
                    grad = fn(param.grad.detach())
                kept.grad = grad.requires_grad_(param.grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        """Move to a device, convert floating-point parameters and buffers to a dtype, or both; in place.

        `to(device=None, dtype=None, non_blocking=False)`, `to(dtype)`, `to(tensor)`, `to(memory_format=...)`
        """
        device, dtype, non_blocking, memory_format = parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise ArgumentTypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}",
                why="parameters need gradients, which integers do not have",
                fix="use `model.to(torch.float32)`, or convert the data instead",
            )

        def convert(t):
            if t.is_meta and device is not None and device.type != "meta":
                raise NotSupported(
                    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device.",
                    why="the module was made on the meta device, where tensors have shapes only",
                    fix=f"use `model.to_empty(device='{device}')`, then load or initialise the parameters",
                )
            wanted = dtype if t.is_floating_point() or t.is_complex() else None
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(device, wanted, non_blocking, memory_format=memory_format)
            return t.to(t.device if device is None else device, t.dtype if wanted is None else wanted, non_blocking)

        return self._apply(convert)

    def to_empty(self, *, device, recurse: bool = True):
        """Move to a device without copying: the values are undefined."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device), recurse=recurse)

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def _floats(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        """Convert floating-point parameters and buffers to float32."""
        return self._floats(float32)

    def double(self):
        """Convert floating-point parameters and buffers to float64."""
        return self._floats(float64)

    def half(self):
        """Convert floating-point parameters and buffers to float16."""
        return self._floats(float16)

    def bfloat16(self):
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._floats(bfloat16)

    def cpu(self):
        """Move to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device=None):
        """Move to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def xpu(self, device=None):
        """Move to an XPU; flambeau has none."""
        raise NotSupported(
            "flambeau has no xpu device", why="flambeau computes on the CPU", fix="use `model.to('cpu')`"
        )

    ipu = mtia = xpu

    def share_memory(self):
        """Move all parameters and buffers to shared memory."""
        return self._apply(lambda t: t.share_memory_())

    def compile(self, *args, **kwargs):
        """Compile calls of this module in place. Arguments: those of torch.compile."""
        from ...compiler import compile as compiled  # stands above modules, which it takes apart

        self.__dict__["_compiled_call_impl"] = compiled(self._call_impl, *args, **kwargs)
        self.__dict__["_hooked"] = True  # calls look further


def parse_to(*args, **kwargs):
    """(device, dtype, non_blocking, memory_format) from the arguments of `to`."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    rest = list(args)
    if rest and isinstance(rest[0], Tensor):
        device, dtype = rest[0].device, rest[0].dtype
        del rest[0]
    else:
        if rest and (rest[0] is None or isinstance(rest[0], (str, int, Device))) and not isinstance(rest[0], bool):
            device = rest.pop(0)
        if rest and (rest[0] is None or isinstance(rest[0], Dtype)):
            dtype = rest.pop(0)
    if "tensor" in kwargs:
        tensor = kwargs.pop("tensor")
        device, dtype = tensor.device, tensor.dtype
    non_blocking = kwargs.pop("non_blocking", rest.pop(0) if rest else False)
    kwargs.pop("copy", rest.pop(0) if rest else False)
    memory_format = kwargs.pop("memory_format", None)
    if rest or kwargs or not isinstance(non_blocking, bool):
        given = ", ".join([type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()])
        raise ArgumentTypeError(
            f"to() received an invalid combination of arguments - got ({given})",
            why="it takes a device, a dtype, both, or a tensor to be like",
            fix="use `to(device)`, `to(dtype)`, `to(device, dtype)` or `to(tensor)`",
        )
    return None if device is None else Device(device), dtype, non_blocking, memory_format
