"""New tensors from data and sizes."""

from __future__ import annotations

import numpy as np

from .. import devices, dtypes
from ..arrays import device_of, empty as _empty_array
from ..tensor import Tensor, wrap
from .entry import public
from .shape import sizes_of


@public(method=True, function=False)
def new_zeros(self, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """Zeros of the given size with this tensor's dtype and device."""
    dt = (dtype or self.dtype).numpy
    dev = self.device if device is None else devices.usable(device)
    a = np.zeros(sizes_of(size), dt) if dev is devices.CPU else _empty_array(sizes_of(size), dt, dev)
    return wrap(a).requires_grad_(requires_grad)


@public()
def from_numpy(ndarray):
    """A tensor over the memory of a NumPy array."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.from_numpy_dtype(ndarray.dtype)
    return wrap(ndarray)


@public()
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of `data`."""
    a = np.array(data._array if isinstance(data, Tensor) else data)
    if dtype is None and a.dtype == np.float64 and not isinstance(data, (np.ndarray, np.generic)):
        dtype = dtypes.get_default_dtype()
    return wrap(a.astype(dtype.numpy) if dtype is not None else a).requires_grad_(requires_grad)


@public()
def ones_like(input, **kw):
    """Ones in the shape of `input`."""
    return wrap(np.ones_like(input._array))
