"""Choosing how scaled dot-product attention is computed. One implementation serves all choices here."""

from __future__ import annotations

import contextlib
import enum

from ...errors import ArgumentError, FailedAssertion

__all__ = [
    "SDPBackend",
    "WARN_FOR_UNFUSED_KERNELS",
    "activate_flash_attention_impl",
    "current_flash_attention_impl",
    "list_flash_attention_impls",
    "register_flash_attention_impl",
    "restore_flash_attention_impl",
    "sdpa_kernel",
]

WARN_FOR_UNFUSED_KERNELS = False


class SDPBackend(enum.Enum):
    """The implementations that PyTorch chooses among."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __repr__(self):
        return f"<SDPBackend.{self.name}: {self.value}>"


_order = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH, SDPBackend.CUDNN_ATTENTION]
_chosen = [_order]
_flash: dict = {}
_flash_active: list = []


def _cur_sdpa_kernel_backends(with_priority=False):
    """The implementations allowed at present."""
    return list(_chosen[-1])


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Allow only these implementations inside a `with` block.

    Arguments:
        backends: one, or a list.
        set_priority: prefer them in this order.

    >>> import flambeau as torch
    >>> from flambeau.nn.attention import SDPBackend, sdpa_kernel
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     out = torch.nn.functional.scaled_dot_product_attention(*[torch.ones(1, 2, 4)] * 3)
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise FailedAssertion(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}",
            why="it says which implementations may be used",
            fix="use `SDPBackend.MATH`",
        )
    wanted = [backends] if isinstance(backends, SDPBackend) else list(dict.fromkeys(backends))
    if not set_priority:
        wanted.sort(key=lambda b: b.value)
    _chosen.append(wanted)
    try:
        yield {}
    finally:
        _chosen.pop()


def register_flash_attention_impl(impl, *, register_fn):
    """Name an implementation of flash attention for accelerators."""
    _flash[impl] = register_fn


def activate_flash_attention_impl(impl):
    """Switch to a named implementation of flash attention."""
    if impl not in _flash:
        raise ArgumentError(
            f"Unknown flash attention impl '{impl}'. Available implementations: {list_flash_attention_impls()}",
            why="it names an implementation for GPUs",
            fix="leave the call out: on the CPU there is one implementation",
        )
    handle = _flash[impl]()
    _flash_active[:] = [(impl, handle)]


def restore_flash_attention_impl(_raise_warn=True):
    """Switch back to the implementation that comes first."""
    for _, handle in _flash_active:
        if handle is not None and hasattr(handle, "remove"):
            handle.remove()
    _flash_active.clear()


def list_flash_attention_impls():
    """The names known."""
    return sorted(_flash)


def current_flash_attention_impl():
    """The name of the active implementation, or None."""
    return _flash_active[0][0] if _flash_active else None
