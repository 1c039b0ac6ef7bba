"""torch.distributed: not part of this build; scripts that ask before they use it find out here."""


def is_available() -> bool:
    """Whether training over several processes is there: never."""
    return False


def is_initialized() -> bool:
    """Whether a process group is running: never."""
    return False
