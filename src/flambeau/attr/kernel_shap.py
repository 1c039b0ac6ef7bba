"""KernelShap: a linear model of the network near one example, weighted so that its coefficients are Shapley values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import flambeau as torch

from ..told import tell
from .arguments import as_tuple
from .base import leaves_no_trace
from .features import Features
from .lime import Lime
from .linear_models import LinearRegression
from .perturbed import positive

Tensor = torch.Tensor


class KernelShap(Lime):
    """Shapley values, as the coefficients of a linear model whose samples are weighted just so.

    With at least 2 to the power of the number of features as samples, all sets of features are evaluated once and the
    values are exact; with fewer, sets are drawn at random. They sum to the difference of the output and the baseline's.

    Arguments:
        forward_func: the model, or any function of tensors: one number for each example, or one for a whole batch.
    Source: Lundberg and Lee, "A unified approach to interpreting model predictions", 2017, arxiv.org/abs/1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import KernelShap
    >>> method = KernelShap(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
    >>> method.attribute(torch.tensor([[2.0, 3.0, 4.0]])).round(decimals=3)
    tensor([[3., 3., 4.]])
    """

    inf_weight = 1e6  # of the empty and of the full set, whose outputs the linear model has to give exactly

    def __init__(self, forward_func: Callable):
        super().__init__(forward_func, LinearRegression(), shapley_weight, shapley_samples)

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        baselines=None,
        target=None,
        additional_forward_args=None,
        feature_mask=None,
        n_samples: int = 25,
        perturbations_per_eval: int = 1,
        return_input_shape: bool = True,
        show_progress: bool = False,
    ):
        """Shapley values of the features.

        Arguments: see `Lime.attribute`. `n_samples` should be a few times the number of features.
        """
        positive(n_samples, "n_samples")
        count = Features(feature_mask, as_tuple(inputs)).count
        everything = count < 40 and 2**count <= n_samples
        sizes = None  # of random sets: how likely each is
        if everything:
            n_samples = 2**count
        else:
            some = torch.arange(1, count, dtype=torch.float)
            sizes = torch.cat([torch.zeros(1), (count - 1) / (some * (count - some))])
            if n_samples < count + 2:
                tell(
                    f"there are {count} features and only {n_samples} samples, which leave most attributions open. Use "
                    f"`n_samples={4 * count}` or more, or group features with `feature_mask`"
                )
        return self._attribute(
            inputs, baselines, target, additional_forward_args, feature_mask, n_samples, perturbations_per_eval,
            return_input_shape, show_progress, num_select_distribution=sizes,
        )  # fmt: skip


def shapley_weight(_original, _changed, features: Tensor, **kwargs) -> float:
    """The weight of a set of features in the least squares of `KernelShap`."""
    size, count = int(features.sum()), kwargs["num_interp_features"]
    if size in (0, count):
        return KernelShap.inf_weight
    if kwargs["num_select_distribution"] is None:  # each set comes once
        return (count - 1) / (math.comb(count, size) * size * (count - size))
    return 1.0  # sets come as often as their weight says


def shapley_samples(_original, **kwargs):
    """Sets of features for `KernelShap`: the full and the empty one, then all others or random ones, without end."""
    count, sizes = kwargs["num_interp_features"], kwargs["num_select_distribution"]
    yield torch.ones(1, count, dtype=torch.long)
    yield torch.zeros(1, count, dtype=torch.long)
    if sizes is None:
        for number in range(1, 2**count - 1):
            yield torch.tensor([[number >> f & 1 for f in range(count)]])
        return
    while True:
        size = int(torch.multinomial(sizes, 1))
        order = torch.randn(1, count)
        yield (order > float(np.partition(order.numpy()[0], count - size - 1)[count - size - 1])).long()
