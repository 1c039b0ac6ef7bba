"""torch.cuda on a machine without CUDA: the questions get true answers, everything else a clear error."""

import importlib as _importlib

from .. import errors
from ..devices import usable
from ..errors import OutOfMemoryError as OutOfMemoryError

is_initialized = is_bf16_supported = is_current_stream_capturing = lambda *a, **k: False


def is_available() -> bool:
    """Whether a CUDA device can be used: not in this build."""
    return False


def device_count() -> int:
    """Number of CUDA devices."""
    return 0


def current_device():
    """The index of the current device; raises without one."""
    usable("cuda")


def manual_seed(seed: int) -> None:
    """Seed the current device; as in PyTorch nothing happens without one."""


def manual_seed_all(seed: int) -> None:
    """Seed all devices; as in PyTorch nothing happens without one."""


def empty_cache() -> None:
    """Give cached device memory back; nothing to do without a device."""


def synchronize(device=None) -> None:
    """Wait for a device; raises without one."""
    usable("cuda")


def memory_allocated(device=None) -> int:
    """Bytes in use on a device: 0 without one."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device=None) -> None:
    """Begin measuring peak memory anew; nothing to do without a device."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name == "amp":
        return _importlib.import_module(".amp", __name__)
    raise errors.attr_error("torch.cuda", name)
