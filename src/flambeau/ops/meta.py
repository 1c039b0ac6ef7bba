"""Operations that are not element-wise, on the meta device: run on zeros; only shapes and dtypes are kept."""

from __future__ import annotations

import numpy as np

from ..arrays import MetaArray, meta_empty
from ..tensor import Tensor
from .entry import Primitive, forward_parameters

_new = object.__new__


def plain(array):
    """The zeros behind a meta array; other arguments as they are."""
    return array.view(np.ndarray) if isinstance(array, MetaArray) else array


def as_meta(made):
    """Results without their values."""
    if isinstance(made, tuple):
        return tuple([as_meta(x) for x in made])
    return meta_empty(np.shape(made), np.asarray(made).dtype)


def _identity(array):
    """Matrices that can be inverted, in place of zeros."""
    a = plain(array)
    if isinstance(a, np.ndarray) and a.ndim > 1 and a.dtype.kind in "fc":
        return np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape)
    return a


def array_primitive(name, forward, *, vjp=None, node=None, names=None):
    """A primitive (see entry.py) whose forward need not know of meta arrays."""

    def anywhere(*arrays, **options):
        for a in arrays:
            if a.__class__ is MetaArray:
                try:
                    return as_meta(forward(*[plain(x) for x in arrays], **options))
                except (RuntimeError, np.linalg.LinAlgError):  # what zeros do not allow, such as an inverse
                    return as_meta(forward(*[_identity(x) for x in arrays], **options))
        return forward(*arrays, **options)

    return Primitive(name, anywhere, vjp, node, names or forward_parameters(forward)[0])


def on_device_of(array, *sources) -> Tensor:
    """A tensor over a computed array: on the meta device if one of the sources is."""
    t = _new(Tensor)
    t._array = np.asarray(array)
    for s in sources:
        if isinstance(s, Tensor) and isinstance(s._array, MetaArray):
            t._array = as_meta(t._array)
            break
    return t
