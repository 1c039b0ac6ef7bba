"""What looking must not change: modes, parameters, buffers, gradients and random states, put back also after errors."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks.log import log
from ..generator import default_generator


@contextmanager
def random_states() -> Iterator[None]:
    """The random numbers of flambeau, NumPy and Python go on afterwards as if nothing had been drawn."""
    own, numpys, pythons = default_generator.get_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        default_generator.set_state(own)
        np.random.set_state(numpys)
        random.setstate(pythons)


@contextmanager
def unnoticed() -> Iterator[None]:
    """The checks for silent mistakes do not take looking for training."""
    on, log.on = log.on, False
    try:
        yield
    finally:
        log.on = on


@contextmanager
def modes(model: Any, training: bool | None = None) -> Iterator[None]:
    """Every module's `training` comes back as it is; `training` sets it for all of them until then."""
    kept = [(module, module.training) for module in model.modules()]
    try:
        if training is not None:
            model.train(training)
        yield
    finally:
        for module, mode in kept:
            module.training = mode


@contextmanager
def memory(tensors: Iterable[Any]) -> Iterator[None]:
    """Parameters and buffers are copies until the end: whatever is written into them is forgotten."""
    kept = [(tensor, tensor.data) for tensor in tensors]
    try:
        for tensor, data in kept:
            tensor.data = data.clone()
        yield
    finally:
        for tensor, data in kept:
            tensor.data = data
