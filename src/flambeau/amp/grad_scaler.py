"""GradScaler: losses multiplied so that float16 gradients do not vanish, and steps skipped when they overflow."""

from __future__ import annotations

import numpy as np

from ..checks import events
from ..checks.log import log
from ..errors import ArgumentError, FailedAssertion, StateError
from ..language import warn
from ..optim.optimizer import Optimizer
from ..tensor import Tensor

__all__ = ["GradScaler"]


class GradScaler:
    """Dynamic loss scaling (Micikevicius et al., 2017).

    The loss is multiplied by the scale; before the step the gradients are divided by it again. If one is inf or nan,
    the step is skipped and the scale is halved; after `growth_interval` good steps it is doubled.

    Arguments:
        device: "cpu"; with "cuda", which is not there, the scaler is disabled, as in PyTorch.
        init_scale, growth_factor, backoff_factor, growth_interval: as above.
        enabled: False makes every method do nothing but call the optimizer.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.ones(1))
    >>> optimizer = torch.optim.SGD([w], lr=0.1)
    >>> scaler = torch.amp.GradScaler("cpu")
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.detach()
    tensor([0.8000])
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ):  # fmt: skip
        self._device = device
        self._enabled = enabled
        if enabled and device != "cpu":
            warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not available.  Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled:
            if growth_factor <= 1.0:
                raise FailedAssertion(
                    "The growth factor must be > 1.0.",
                    why=f"it is {growth_factor}, by which the scale is multiplied after steps without overflow",
                    fix="use `growth_factor=2.0`",
                )
            if backoff_factor >= 1.0:
                raise FailedAssertion(
                    "The backoff factor must be < 1.0.",
                    why=f"it is {backoff_factor}, by which the scale is multiplied after an overflow",
                    fix="use `backoff_factor=0.5`",
                )
            self._init_scale = init_scale
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._growth_tracker = 0
            self._scale: float | None = None
            self._overflow: dict[int, bool] = {}  # id(optimizer) -> whether its gradients held inf or nan
            self._stepped: set[int] = set()

    def _started(self, name) -> float:
        """The scale, which the first `scale(loss)` sets."""
        if self._scale is None:
            raise FailedAssertion(
                f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration.",
                why="the scale begins with the first loss that is scaled",
                fix="use `scaler.scale(loss).backward()` before it",
            )
        return self._scale

    def scale(self, outputs):
        """A loss (or nested lists and tuples of them) times the scale."""
        if not self._enabled:
            return outputs
        log.scaled = True  # inf in a scaled loss or gradient is expected: the step is skipped
        if self._scale is None:
            self._scale = float(np.float32(self._init_scale))
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(o) for o in outputs])
        raise ArgumentError(
            "outputs must be a Tensor or an iterable of Tensors",
            why=f"it is {type(outputs).__name__}",
            fix="give the loss itself, as a tensor",
        )

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the optimizer's gradients by the scale now, to clip them before the step."""
        if not self._enabled:
            return
        scale = self._started("unscale_")
        key = id(optimizer)
        if key in self._stepped:
            raise StateError(
                "unscale_() is being called after step().",
                why="the gradients were divided by the scale in step() already",
                fix="call `scaler.unscale_(optimizer)` before `scaler.step(optimizer)`",
            )
        if key in self._overflow:
            raise StateError(
                "unscale_() has already been called on this optimizer since the last update().",
                why="dividing by the scale twice would make the gradients too small",
                fix="call it once per step, and `scaler.update()` at the end",
            )
        overflow = False
        found = False
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.dtype.name == "float16":
                    raise ArgumentError(
                        "Attempting to unscale FP16 gradients.",
                        why="float16 gradients underflow when divided by the scale",
                        fix="keep the parameters in float32, and use `torch.autocast` for the forward pass",
                    )
                found = True
                array = p.grad._array
                overflow |= not bool(np.isfinite(array).all())
                array *= 1.0 / scale
                p.grad._bump()
        if found:
            self._overflow[key] = overflow

    def step(self, optimizer: Optimizer, *args, **kwargs):
        """`optimizer.step(*args, **kwargs)`, unless its gradients hold inf or nan. Returns what the optimizer does."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise StateError(
                "Closure use is not currently supported if GradScaler is enabled.",
                why="a closure would compute gradients that are not unscaled",
                fix="use an optimizer that needs no closure, or no GradScaler",
            )
        self._started("step")
        key = id(optimizer)
        if key in self._stepped:
            raise StateError(
                "step() has already been called since the last update().",
                why="the scale may have to change in between",
                fix="call `scaler.update()` at the end of each iteration",
            )
        if key not in self._overflow:
            self.unscale_(optimizer)
        if key not in self._overflow:
            raise FailedAssertion(
                "No inf checks were recorded for this optimizer.",
                why="none of its parameters has a gradient",
                fix="call `scaler.scale(loss).backward()` first, and look whether the optimizer has the model's "
                "parameters",
            )
        self._stepped.add(key)
        if self._overflow[key]:
            if log.on:
                events.skips(optimizer)
            return None
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None) -> None:
        """Set the scale for the next iteration: by whether this one overflowed, or to `new_scale`."""
        if not self._enabled:
            return
        scale = self._started("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        else:
            if not self._overflow:
                raise FailedAssertion(
                    "No inf checks were recorded prior to update.",
                    why="no step was taken since the last update",
                    fix="call `scaler.step(optimizer)` before `scaler.update()`",
                )
            if any(self._overflow.values()):
                self._scale = scale * self._backoff_factor
                self._growth_tracker = 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    grown = scale * self._growth_factor
                    self._scale = grown if np.isfinite(np.float32(grown)) else scale
                    self._growth_tracker = 0
        self._overflow, self._stepped = {}, set()

    # ------------------------------------------------------------------ reading and saving

    def get_scale(self) -> float:
        """The scale; 1 when disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale

    def get_growth_factor(self) -> float:
        """The factor by which the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor by which the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what the scale falls."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set by what the scale falls."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def state_dict(self) -> dict:
        """What `load_state_dict` needs; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict()` returned."""
        if not self._enabled:
            return
        if not state_dict:
            raise StateError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.",
                why="a disabled scaler saves nothing",
                fix="leave it out when loading, or use `GradScaler(enabled=False)`",
            )
        self._init_scale = state_dict["scale"]
        self._scale = state_dict["scale"] if self._scale is not None else None
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
