"""torch.random: the default generator's seed and state."""

import contextlib

from .checks.log import log
from .generator import Generator, default_generator
from .ops.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state",
           "thread_safe_generator"]  # fmt: skip


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type="cuda"):
    """Draw inside a `with` block without moving the default generator on.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     _ = torch.rand(100)
    >>> torch.rand(1)
    tensor([0.4963])
    """
    if not enabled:
        yield
        return
    state = default_generator.state_bytes()
    log.forked += 1
    try:
        yield
    finally:
        log.forked -= 1
        default_generator.set_state(state)


def thread_safe_generator() -> Generator | None:
    """The generator of a DataLoader's worker thread; there are none, so None."""
    return None
