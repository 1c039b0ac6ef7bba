"""autocast: within it, matrix products and convolutions run in bfloat16 or float16."""

from __future__ import annotations

import functools

from .. import dtypes
from ..autograd.mode import autocasting, state
from ..devices import device as _device
from ..errors import ArgumentError, DeviceError
from ..language import warn
from ..tensor import Tensor

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocast for this kind of device."""
    _device(device_type)
    return device_type == "cpu"


_default = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}


def get_autocast_dtype(device_type: str):
    """The dtype that autocast uses when none is given."""
    return _default.get(_device(device_type).type, dtypes.float16)


def set_autocast_dtype(device_type: str, dtype) -> None:
    """Set the dtype that autocast uses when none is given."""
    _default[_device(device_type).type] = dtype


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for this kind of device."""
    return _device(device_type).type == "cpu" and state.autocast is not None


def set_autocast_enabled(device_type, enabled: bool | None = None) -> None:
    """Switch autocast on or off, until it is switched again; `with torch.autocast(...)` is the better form."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    if _device(device_type).type != "cpu":
        return
    if enabled and state.autocast is None:
        autocasting.append(None)
    elif not enabled and state.autocast is not None:
        autocasting.pop()
    state.autocast = get_autocast_dtype("cpu").numpy if enabled else None


class autocast:
    """Run the block (or the decorated function) in mixed precision.

    Matrix products, linear layers, convolutions and recurrent layers convert their float32 arguments to `dtype`; losses
    that need the precision convert theirs to float32; everything else takes what it gets. Gradients have the dtype of
    their tensor.

    Arguments:
        device_type: "cpu".
        dtype: torch.bfloat16 (default) or torch.float16.
        enabled: False switches an outer autocast off.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(2, 2)
    >>> with torch.autocast("cpu"):
    ...     y = layer(torch.ones(1, 2))
    >>> y.dtype
    torch.bfloat16
    """

    def __init__(self, device_type: str, dtype=None, enabled: bool = True, cache_enabled: bool | None = None):
        if not isinstance(device_type, str):
            raise ArgumentError(
                f"Expected `device_type` of type `str`, got: `{type(device_type)}`",
                why="it is the name of a device",
                fix='use `torch.autocast("cpu")`',
            )
        self.device = _device(device_type).type
        self.fast_dtype = get_autocast_dtype(self.device) if dtype is None else dtype
        if enabled and self.device == "cpu" and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only "
                "supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        if enabled and self.device == "cuda":
            warn("CUDA is not available. Disabling autocast.", stacklevel=2)
            enabled = False
        elif enabled and self.device not in ("cpu", "cuda"):
            raise DeviceError(
                f"User specified an unsupported autocast device_type '{self.device}'",
                why="flambeau computes on the CPU",
                fix='use `torch.autocast("cpu")`',
            )
        self._enabled = enabled
        self._before: list = []

    def __enter__(self):
        self._before.append(state.autocast)
        autocasting.append(None)
        if self.device == "cpu":
            state.autocast = self.fast_dtype.numpy if self._enabled else None
        return self

    def __exit__(self, *exc):
        state.autocast = self._before.pop()
        autocasting.pop()
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return decorated


def custom_fwd(fwd=None, *, device_type: str, cast_inputs=None):
    """Decorator of the forward of a `torch.autograd.Function` that is used under autocast.

    Arguments:
        cast_inputs: a dtype that floating-point arguments are converted to; then forward runs without autocast.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(*args, **kwargs):
        ctx = args[0]
        ctx._dtype = state.autocast
        if cast_inputs is None:
            ctx._fwd_used_autocast = state.autocast is not None
            return fwd(*args, **kwargs)
        ctx._fwd_used_autocast = False
        if state.autocast is None:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            args = [_converted(a, cast_inputs) for a in args]
            return fwd(*args, **{k: _converted(v, cast_inputs) for k, v in kwargs.items()})

    return decorated


def custom_bwd(bwd=None, *, device_type: str):
    """Decorator of the backward that belongs to `custom_fwd`: it runs in the mode that forward ran in."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(*args, **kwargs):
        before = state.autocast
        state.autocast = args[0]._dtype if args[0]._fwd_used_autocast else None
        try:
            return bwd(*args, **kwargs)
        finally:
            state.autocast = before

    return decorated


def _converted(value, dtype):
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() and value.dtype is not dtypes.float64 else value
    if isinstance(value, (list, tuple)):
        return type(value)([_converted(v, dtype) for v in value])
    return value
