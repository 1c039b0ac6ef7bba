"""Dropout: elements, or whole channels, set to 0 at random in training (Hinton et al. 2012)."""

from __future__ import annotations

import math

import numpy as np

from ...autograd.mode import state
from ...checks import modes
from ...checks.log import log
from ...checks.modes import UNSAID
from ...errors import ArgumentError, DtypeError
from ...generator import default_generator, memory_order
from ...language import warn
from ...ops.entry import assign, check_writable, public
from ...ops.fused import title
from ...ops.shape import need_tensor
from ...tensor import wrap


def _check(input, p, name):
    need_tensor(input, name)
    if p < 0.0 or p > 1.0:
        raise ArgumentError(
            f"dropout probability has to be between 0 and 1, but got {p}",
            why="p is the share of elements that become zero",
            fix=f"use `p={p / 100:g}` if {p:g} percent are meant"
            if 1 < p <= 100
            else "use a number between 0 and 1, such as `p=0.5`",
        )


def _look(name, p, training):
    """Dropout is on: is it meant?"""
    if training is UNSAID:
        modes.unsaid(name, p)
    if not state.grad:
        modes.unrecorded()
    if log.drops < 16:
        log.drops += 1
        modes.by_hand()


def keep_mask(shape, p, dtype, value=1.0):
    """`value` with probability 1 - p, else 0, as an array."""
    return default_generator.keep(math.prod(shape), 1 - p, value, dtype).reshape(shape)


def factors(input, p, shape=None):
    """What dropout multiplies by: 1 / (1 - p) or 0, as a tensor."""
    a = input._array
    shape = a.shape if shape is None else shape
    if type(a) is not np.ndarray:
        return input[tuple(slice(0, n) for n in shape)].detach()
    if a.dtype.kind not in "fcV":
        raise DtypeError(
            f"result type Float can't be cast to the desired output type {title(input)}",
            why="the elements that are kept are scaled by a fraction",
            fix="use `x.float()`",
        )
    scale = 1 / (1 - p) if p < 1 else 0.0
    log.masks += 1
    if shape == a.shape and not a.flags.c_contiguous:  # the mask lies in memory as its input does
        order = memory_order(a)
        mask = keep_mask([shape[d] for d in order], p, a.dtype, scale).transpose(np.argsort(order))
    else:
        mask = keep_mask(shape, p, a.dtype, scale)
    return wrap(mask)


def _dropped(input, p, inplace, shape=None):
    if inplace:
        check_writable(input)
    made = input * factors(input, p, shape)
    return assign(input, made) if inplace else made


def dropout(input, p=0.5, training=UNSAID, inplace=False):
    """In training, zeros with probability `p`, and everything else times 1 / (1 - p), so that the mean stays.

    Raises ValueError unless p is between 0 and 1.

    >>> import flambeau as torch
    >>> torch.nn.functional.dropout(torch.ones(2), training=False)
    tensor([1., 1.])
    """
    _check(input, p, "dropout")
    if log.on and training and p:
        _look("dropout", p, training)
    if not training or p == 0:
        return input if inplace or not training else input * 1
    return _dropped(input, p, inplace)


@public("dropout")
def _torch_dropout(input, p, train):
    """In training (`train`), zeros with probability `p`, and everything else times 1 / (1 - p)."""
    return dropout(input, p, train)


@public("dropout_")
def _torch_dropout_(input, p, train):
    """In-place dropout."""
    return dropout(input, p, train, True)


def _channels(input, p, training, inplace):
    """Dropout of whole channels: dimensions 0 and 1 are drawn, the rest follow."""
    if not training or p == 0:
        return input
    shape = (*input.shape[:2], *[1] * (input.ndim - 2))
    return _dropped(input, p, inplace, shape)


@public("feature_dropout")
def _torch_feature_dropout(input, p, train):
    """Dropout of whole channels."""
    return _channels(input, p, train, False)


@public("feature_dropout_")
def _torch_feature_dropout_(input, p, train):
    """In-place dropout of whole channels."""
    return _channels(input, p, train, True)


def dropout1d(input, p=0.5, training=UNSAID, inplace=False):
    """Dropout of whole channels of (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.dropout1d(torch.ones(1, 100, 2), 0.5).unique()
    tensor([0., 2.])
    """
    _check(input, p, "dropout1d")
    if log.on and training and p:
        _look("dropout1d", p, training)
    if input.ndim not in (2, 3):
        raise DtypeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that dropout1d exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs).",
            why=f"whole channels are dropped from (N, C, L) or (C, L); the input has shape {tuple(input.shape)}",
            fix="use `F.dropout` to drop single elements"
            if input.ndim < 2
            else f"use `F.dropout{min(input.ndim - 2, 3)}d` for this input",
        )
    return _batched(input, 3, p, training, inplace)


def _batched(input, ndim, p, training, inplace):
    if input.ndim == ndim:
        return _channels(input, p, training, inplace)
    made = _channels(input.unsqueeze(0), p, training, False).squeeze(0)
    if not inplace:
        return made
    check_writable(input)
    return assign(input, made) if training and p else input


def dropout2d(input, p=0.5, training=UNSAID, inplace=False):
    """Dropout of whole channels of (N, C, H, W) (Tompson et al. 2015).

    >>> import flambeau as torch
    >>> torch.nn.functional.dropout2d(torch.ones(1, 100, 2, 2), 0.5).unique()
    tensor([0., 2.])
    """
    _check(input, p, "dropout2d")
    if log.on and training and p:
        _look("dropout2d", p, training)
    if input.ndim not in (3, 4):
        warn(
            f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is deprecated and will result in an "
            "error in a future release. To retain the behavior and silence this warning, please use dropout "
            "instead. Note that dropout2d exists to provide channel-wise dropout on inputs with 2 spatial "
            "dimensions, a channel dimension, and an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.ndim == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is "
            "desired - input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will "
            "change in a future release to interpret the input as one without a batch dimension, i.e. shape (C, H, "
            "W). To maintain the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _channels(input, p, training, inplace)


def dropout3d(input, p=0.5, training=UNSAID, inplace=False):
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.dropout3d(torch.ones(1, 100, 2, 2, 2), 0.2).unique()
    tensor([0.0000, 1.2500])
    """
    _check(input, p, "dropout3d")
    if log.on and training and p:
        _look("dropout3d", p, training)
    if input.ndim not in (4, 5):
        warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated and will result in an "
            "error in a future release. To retain the behavior and silence this warning, please use dropout instead.",
            stacklevel=2,
        )
    return _batched(input, input.ndim if input.ndim != 4 else 5, p, training, inplace)


_SELU_LOW = -1.7580993408473766  # what selu tends to for x -> -inf


def _alpha(input, p, training, inplace, shape):
    if not training or p == 0:
        return input
    if inplace:
        check_writable(input)
    a = input._array
    if a.dtype.kind not in "fV":
        raise DtypeError(
            f"result type Float can't be cast to the desired output type {title(input)}",
            why="the elements that are kept are scaled by a fraction",
            fix="use `x.float()`",
        )
    if p == 1:
        made = input * 0
        return assign(input, made) if inplace else made
    keep = 1 - p
    scale = (keep + p * keep * _SELU_LOW**2) ** -0.5
    mask = keep_mask(shape, p, a.dtype) if type(a) is np.ndarray else a[tuple(slice(0, n) for n in shape)]
    kind = mask.dtype.type
    fill = (1 - mask) * kind(_SELU_LOW * scale) + kind(-p * _SELU_LOW * scale)
    made = input * wrap(mask * kind(scale)) + wrap(fill)
    return assign(input, made) if inplace else made


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean and variance of selu's outputs (Klambauer et al. 2017).

    >>> import flambeau as torch
    >>> torch.nn.functional.alpha_dropout(torch.tensor([1.0, -1.0]), 0.2, training=False)
    tensor([ 1., -1.])
    """
    _check(input, p, "alpha_dropout")
    return _alpha(input, p, training, inplace, input.shape)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """alpha_dropout of whole channels.

    >>> import flambeau as torch
    >>> torch.nn.functional.feature_alpha_dropout(torch.ones(1, 1, 2), training=False)
    tensor([[[1., 1.]]])
    """
    _check(input, p, "feature_alpha_dropout")
    if input.ndim < 2 and training and p:
        raise DtypeError(
            "Feature dropout requires at least 2 dimensions in the input",
            why="whole features are dropped, and dimension 1 tells them apart",
            fix="use `F.alpha_dropout` to drop single elements",
        )
    return _alpha(input, p, training, inplace, (*input.shape[:2], *[1] * (input.ndim - 2)))


@public("alpha_dropout")
def _torch_alpha_dropout(input, p, train):
    """Dropout that keeps mean and variance of selu's outputs."""
    return alpha_dropout(input, p, train)


@public("alpha_dropout_")
def _torch_alpha_dropout_(input, p, train):
    """In-place alpha_dropout."""
    return alpha_dropout(input, p, train, True)


@public("feature_alpha_dropout")
def _torch_feature_alpha_dropout(input, p, train):
    """alpha_dropout of whole channels."""
    return feature_alpha_dropout(input, p, train)


@public("feature_alpha_dropout_")
def _torch_feature_alpha_dropout_(input, p, train):
    """In-place feature_alpha_dropout."""
    return feature_alpha_dropout(input, p, train, True)
