"""Devices: which there are, and a clear error for one that is not there."""

from __future__ import annotations

import re

from .errors import ArgumentTypeError, DeviceError

TYPES = ("cpu", "cuda", "mps", "xpu", "mtia", "meta", "hpu", "xla", "privateuseone")
AVAILABLE = ("cpu", "meta")


class CudaMissing(DeviceError, AssertionError):
    """CUDA was asked for on a machine without it."""


class device:
    """A device by name: `device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`.

    Naming a device never fails for a known type; using one that this machine does not have does.

    >>> import flambeau as torch
    >>> torch.device("cuda:1").index
    1
    """

    __slots__ = ("type", "index")

    def __init__(self, type: str | device | int = "cpu", index: int | None = None):
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if isinstance(type, int):
            self.type, self.index = "cuda", type
            return
        if not isinstance(type, str):
            raise ArgumentTypeError(
                f"device(): argument 'type' must be str, not {type.__class__.__name__}",
                why="it is the name of a device",
                fix='use `torch.device("cpu")`',
            )
        match = re.fullmatch(r"([a-z_]+)(?::(\d+))?", type)
        if not match:
            raise DeviceError(
                f"Invalid device string: '{type}'",
                why="a device is named by its type, with a number where there are several",
                fix='use `torch.device("cpu")`',
            )
        name, number = match.groups()
        if name not in TYPES:
            raise DeviceError(
                "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, "
                f"vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {name}",
                why=f"there is no kind of device called '{name}'",
                fix='use `torch.device("cpu")`',
            )
        if number is not None and index is not None:
            raise DeviceError(
                f"type (string) must not include an index because index was passed explicitly: {type}",
                why="nothing says which of the two numbers holds",
                fix=f"use `torch.device({type!r})`",
            )
        self.type = name
        self.index = int(number) if number is not None else index

    def __repr__(self):
        return f"device(type='{self.type}'" + (f", index={self.index})" if self.index is not None else ")")

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __reduce__(self):
        return (device, (self.type, self.index) if self.index is not None else (self.type,))

    def __enter__(self):
        _defaults.append(usable(self))
        return self

    def __exit__(self, *exc):
        _defaults.pop()


CPU, META = device("cpu"), device("meta")
_defaults: list[device] = [CPU]


def get_default_device() -> device:
    """The device of new tensors.

    >>> import flambeau as torch
    >>> torch.get_default_device()
    device(type='cpu')
    """
    return _defaults[-1]


def set_default_device(d) -> None:
    """Make `d` the device of new tensors (None: the CPU)."""
    _defaults[0] = usable(d) if d is not None else CPU


def usable(d) -> device:
    """The device named by `d` (None: the default), or a DeviceError if this machine does not have it."""
    if d is None:
        return _defaults[-1]
    if not isinstance(d, device):
        d = device(d)
    if d.type == "cpu":
        return CPU
    if d.type == "meta":
        return META
    there = ", ".join(AVAILABLE)
    # PyTorch raises AssertionError for a missing CUDA build, RuntimeError for the others.
    if d.type == "cuda":
        raise CudaMissing(
            "Torch not compiled with CUDA enabled",
            why=f"'{d}' was requested, but this machine has only: {there}",
            fix='write `device = "cuda" if torch.cuda.is_available() else "cpu"`, then `.to(device)`',
            code="FB-DEV-04",
        )
    raise DeviceError(
        "The MPS backend is supported on MacOS 14.0+. Current OS version can be queried using `sw_vers`"
        if d.type == "mps"
        else f"PyTorch is not linked with support for {d.type} devices",
        why=f"'{d}' was requested, but this machine has only: {there}",
        fix='write `device = torch.accelerator.current_accelerator() or "cpu"`, then `.to(device)`',
        code="FB-DEV-04",
    )
