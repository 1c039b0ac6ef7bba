"""1 x 1 convolutions in steps of one: products of the weights, a matrix, with each image, read as it lies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import fused, products

LEAST = 16  # channels, outputs and places of an image from which its product fills the tiles of `gemm.py`


def fits(weight: Any, places: tuple, stride: tuple, padding: tuple, groups: int) -> bool:
    """Whether weights of a shape (O, C, ...), on images of so many places, make such a convolution of a good size."""
    one = groups == 1 and max(weight[2:]) == max(stride) == 1 and not any(padding)
    return one and min(*weight[:2], math.prod(places)) >= LEAST


def _images(x: np.ndarray) -> np.ndarray:
    return x.reshape(*x.shape[:2], -1)


def convolution(x: np.ndarray, w: np.ndarray, bias: Any) -> Any:
    """The results for images x (N, C, ...) and weights w (O, C, ...); None where there is no kernel for them."""
    out = np.empty((x.shape[0], w.shape[0], *x.shape[2:]), x.dtype)
    column = None if bias is None else bias[:, None]
    return None if products.matmul(w.reshape(w.shape[:2]), _images(x), _images(out), column) is None else out


def gradient_of_input(g: np.ndarray, w: np.ndarray) -> Any:
    """The gradient of x, from that of the results."""
    out = np.empty((g.shape[0], w.shape[1], *g.shape[2:]), g.dtype)
    return None if products.matmul(w.reshape(w.shape[:2]).T, _images(g), _images(out)) is None else out


def gradient_of_weight(g: np.ndarray, x: np.ndarray) -> Any:
    """The gradient of w (without its dimensions of size one): the sum of a product for each image.

    None also where these would take more memory than the images.
    """
    n, outs, channels = g.shape[0], g.shape[1], x.shape[1]
    if n * outs * channels > max(g.size, x.size):
        return None
    each = products.matmul(_images(g), _images(x).swapaxes(1, 2))
    return None if each is None else fused.total(each, 0)
