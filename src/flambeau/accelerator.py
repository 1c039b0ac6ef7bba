"""torch.accelerator: which accelerator there is. On a CPU: none, and the idioms built on that question work."""

from .devices import usable


def is_available() -> bool:
    """Whether there is an accelerator."""
    return False


def current_accelerator(check_available: bool = False):
    """The accelerator's device, or None."""
    return None


def device_count() -> int:
    """Number of accelerators."""
    return 0


def current_device_index() -> int:
    """Index of the current accelerator; raises without one."""
    usable("cuda")
    return -1


def synchronize(device=None) -> None:
    """Wait for the accelerator; nothing to wait for without one."""


def empty_cache() -> None:
    """Give cached memory back; nothing to do without an accelerator."""
