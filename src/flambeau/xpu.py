"""torch.xpu: Intel GPUs, which this build does not use."""


def is_available() -> bool:
    """Whether the device can be used."""
    return False


def device_count() -> int:
    """Number of devices."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the device; nothing happens without one."""


def empty_cache() -> None:
    """Give cached memory back; nothing to do without a device."""
