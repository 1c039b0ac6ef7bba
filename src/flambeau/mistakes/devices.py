"""Operands on different devices (FB-DEV-01, FB-DEV-02), NumPy (FB-DEV-03), devices that are not there (FB-DEV-04)."""

from __future__ import annotations

from typing import Any

from ..checks import registry
from ..errors import ArgumentTypeError, DeviceError, FlambeauError, GradientError
from ..place import running
from .operands import (
    Operand,
    assigned,
    in_forward,
    is_name,
    lost,
    object_of_method,
    operand,
    operands,
    owner,
    plain_attribute,
    user,
)

_MOVES = ("to", "cuda", "cpu", "xpu")
CODE = "FB-DEV-01"


def mixed_devices(a, b) -> DeviceError:
    """The error for a call with tensors on the devices `a` and `b`; 0-dimensional ones may be anywhere."""
    given = [o for o in operands() if o.tensor._array.ndim or not o.tensor.is_cpu]
    pair = _pair(given)
    fact = f"Expected all tensors to be on the same device, but found at least two devices, {a} and {b}!"
    if pair is None:
        return DeviceError(
            fact,
            why=f"one operand is on {a}, another on {b}",
            fix=f"move them together: `x = x.to({str(a)!r})`",
            code=CODE,
        )
    owned, x = pair
    there, here = owned.tensor.device, x.tensor.device
    for o in (x, owned):
        dropped = None if o.parameter else lost(o.tensor, o.name, _MOVES)
        if dropped is not None:
            line, text, name = dropped
            return DeviceError(
                fact,
                why=f"`{text}` on line {line} returned a new tensor that was not kept: `{name}` is still on "
                f"{o.tensor.device}, `{(owned if o is x else x).name}` on {(there if o is x else here)}",
                fix=f"use `{name} = {text}`",
                code="FB-DEV-02",
            )
    attribute = plain_attribute(x.tensor)
    if attribute is not None and not x.parameter:
        module, name = attribute
        return DeviceError(
            fact,
            why=f"`{owned.name}` is on {there}, but `self.{name}` of {type(module).__name__} is on {here}: a plain "
            "tensor attribute is not moved by `.to()`",
            fix=f"use `self.register_buffer({name!r}, ...)` in `__init__`, so that it moves with the module",
            code=CODE,
            cause="unregistered",
        )
    if x.parameter or (owned.parameter and there.type == "cpu"):
        return _module_not_moved(fact, owned, x)
    arguments = in_forward(user())
    if x.name not in arguments and _model_is_on(there):
        on = next(n for n in arguments if _device_of(n) == there)
        device = f"{on}.device"
        return DeviceError(
            fact,
            why=f"`{owned.name}` is on {there}, but `{x.name}` is on {here}: it was made in forward without a device",
            fix=f"make it where the input is: `device={device}`",
            code=CODE,
            cause="made-in-forward",
        )
    made = assigned(x.name)
    device = f"{owned.name}.device" if owned.known and is_name(owned.name) else repr(str(there))
    return DeviceError(
        fact,
        why=f"`{owned.name}` is on {there}, but `{x.name}`, assigned on line {made}, is on {here}"
        if made
        else f"`{owned.name}` is on {there}, but `{x.name}` is on {here}",
        fix=f"move it first: `{x.name} = {x.name}.to({device})`"
        if is_name(x.name)
        else f"move it first: `{x.name}.to({device})`",
        code=CODE,
        cause="input-not-moved",
    )


def _pair(given: list[Operand]) -> tuple[Operand, Operand] | None:
    """(the operand that says where things should be, the first one that is elsewhere)."""
    owned = next((o for o in given if o.parameter), None) or next((o for o in given if not o.tensor.is_cpu), None)
    if owned is None:
        return None
    # Of two that are elsewhere, one without an owner is the likelier culprit.
    others = [o for o in given if o.tensor.device != owned.tensor.device]
    others.sort(key=lambda o: o.parameter)
    return (owned, others[0]) if others else None


def _module_not_moved(fact, owned, x) -> DeviceError:
    behind, ahead = (owned, x) if owned.tensor.is_cpu else (x, owned)
    root, path = owner(behind.tensor)
    hidden = plain_attribute(root)
    if hidden is not None and not isinstance(hidden[0].__dict__[hidden[1]], type(root)):
        holder, name = hidden
        kind = type(holder.__dict__[name]).__name__
        return DeviceError(
            fact,
            why=f"`{ahead.name}` is on {ahead.tensor.device}, but `{behind.name}` is on {behind.tensor.device}: "
            f"`self.{name}` of {type(holder).__name__} is a plain {kind}, which `.to()` "
            "does not look into",
            fix=f"use `self.{name} = nn.ModuleList(...)`, so that its layers belong to the module",
            code=CODE,
            cause="module-not-moved",
        )
    module = registry.variable(root) or "model"
    part = path.rpartition(".")[0]
    if x.parameter and part:
        module = f"{module}.{part}"
    return DeviceError(
        fact,
        why=f"`{ahead.name}` is on {ahead.tensor.device}, but `{behind.name}` is on {behind.tensor.device}: the module "
        "was not moved",
        fix=f"move the module, once, after it is built: `{module}.to({str(ahead.tensor.device)!r})`",
        code=CODE,
        cause="module-not-moved",
    )


def _model_is_on(device) -> bool:
    """Whether a module of the user's is running whose parameters are on a device, and its inputs too."""
    frame = user()
    arguments = in_forward(frame)
    if not arguments or not running(frame):
        return False
    return any(_device_of(n) == device for n in arguments)


def _device_of(name: str) -> Any:
    frame = user()
    return getattr(frame.f_locals.get(name), "device", None) if frame is not None else None


def not_numpy(t) -> FlambeauError:
    """The error for a tensor that cannot become a NumPy array as it is: with everything that it needs, at once."""
    x = object_of_method("numpy") or operand(t, "x").name
    needs = f"{'.detach()' if t.requires_grad else ''}{'' if t.is_cpu else '.cpu()'}"
    fix = f"{x}{needs}.numpy()"
    if t.requires_grad:
        return GradientError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
            why="a NumPy array cannot carry the graph: what is done to it would not be differentiated"
            if t.is_cpu
            else f"a NumPy array cannot carry the graph, and lies in CPU memory: this tensor is on {t.device}",
            fix=f"use `{fix}`; for one number, `{x}.item()`",
            code="FB-DEV-03",
        )
    return ArgumentTypeError(
        f"can't convert {t.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
        "first.",
        why=f"a NumPy array lies in the memory of the CPU, and this tensor is on {t.device}",
        fix=f"use `{fix}`; for one number, `{x}.item()`",
        code="FB-DEV-03",
    )
