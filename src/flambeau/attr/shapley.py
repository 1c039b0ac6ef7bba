"""Shapley values: a feature's mean contribution over all orders in which features can be added, sampled or exact."""

from __future__ import annotations

import math

import numpy as np

import flambeau as torch

from ..errors import ArgumentError
from ..told import tell
from .arguments import as_args, as_baselines, as_tuple, baseline_tensors, like_inputs
from .base import PerturbationAttribution, leaves_no_trace
from .features import Features, mixed
from .perturbed import Evaluations, positive

Tensor = torch.Tensor

MANY, TOO_MANY = 16, 25  # features whose coalitions take long to evaluate; whose outputs do not fit in memory


class ShapleyValueSampling(PerturbationAttribution):
    """Shapley values, estimated from random orders of the features.

    Beginning with the baselines, features are added one after the other; a feature's attribution is the change of the
    output when it is added, as a mean over several random orders. The attributions of an example sum to the difference
    of its output and the baseline's, however few orders there are.

    Arguments:
        forward_func: the model, or any function of tensors. It returns one or several numbers for each example, or
            some for the whole batch: the attributions' first dimensions are those of its result.
    Source: Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009;
    Štrumbelj and Kononenko, "An efficient explanation of individual classifications using game theory", 2010.

    >>> import flambeau as torch
    >>> from flambeau.attr import ShapleyValueSampling
    >>> method = ShapleyValueSampling(lambda x: 2 * x[:, 0] - x[:, 1])
    >>> method.attribute(torch.tensor([[3.0, 5.0]]))
    tensor([[ 6., -5.]])
    """

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
        show_progress: bool = False,
    ):
        """For each feature, the mean change of the output when it is added.

        Arguments:
            inputs, baselines, target, additional_forward_args, feature_mask, show_progress: see
                `FeatureAblation.attribute`. The output for the baselines is where the sums begin.
            n_samples: how many random orders.
            perturbations_per_eval: how many sets of features are evaluated in one call of `forward_func`; more are
                faster.
        Returns: attributions, in the form of the inputs.
        """
        positive(n_samples, "n_samples")

        def contributions(before: Tensor, features: Features, evaluate, outputs_of) -> Tensor:
            per_eval, count = evaluate.per_eval, features.count
            together = max(1, per_eval // count)  # orders in one call
            sums = before.new_zeros(count, before.shape[1])
            for start in range(0, n_samples, together):
                orders = torch.stack([torch.randperm(count) for _ in range(min(together, n_samples - start))])
                turns = torch.argsort(orders, dim=1)  # when each feature's turn is
                steps = [(order, step) for order in range(len(orders)) for step in range(count)]
                outputs = torch.cat([
                    outputs_of([turns[order] <= step for order, step in steps[i : i + per_eval]])
                    for i in range(0, len(steps), per_eval)
                ]).reshape(len(orders), count, -1)  # fmt: skip
                earlier = torch.cat([before.expand(len(orders), 1, -1), outputs[:, :-1]], dim=1)
                gains = outputs - earlier
                for gain, turn in zip(gains, turns):
                    sums += gain[turn]
            return sums / n_samples

        def calls(count: int, per_eval: int) -> int:
            return 1 + math.ceil(n_samples / max(1, per_eval // count)) * math.ceil(count / per_eval)

        return self._values(
            inputs, baselines, target, additional_forward_args, feature_mask, perturbations_per_eval, show_progress,
            calls, contributions,
        )  # fmt: skip

    def _values(self, inputs, baselines, target, args, feature_mask, per_eval, show_progress, calls, contributions):
        """Attributions of the inputs.

        Arguments:
            calls: how many calls there will be, for so many features and so many copies in a call.
            contributions: makes a tensor (features, outputs) of: the outputs for the baselines (1, outputs), the
                features, the `Evaluations`, and a function from sets of features, as tensors of bool, to outputs.
        """
        tensors = as_tuple(inputs)
        begin = tuple(
            baseline.to(input.dtype) if input.is_floating_point() else baseline
            for baseline, input in zip(baseline_tensors(tensors, as_baselines(baselines, tensors)), tensors)
        )
        features = Features(feature_mask, tensors)
        with Evaluations(self, tensors, target, as_args(args), per_eval, show_progress) as evaluate:

            def outputs_of(sets: list[Tensor]) -> Tensor:
                present = torch.stack(sets)
                changed = tuple(
                    mixed(present[:, places], new, old, new)
                    for places, new, old in zip(features.places, tensors, begin)
                )  # fmt: skip
                return evaluate(changed, len(sets))

            evaluate.expect(calls(features.count, per_eval))
            before = evaluate(begin, 1)
            before = before if before.is_floating_point() else before.float()
            evaluate.check_features(features)
            found = contributions(before, features, evaluate, outputs_of)
        shape = evaluate.shape or (1,)  # a single number counts as an output of the batch
        spread = features.spread(found, tensors)
        return like_inputs(
            inputs, tuple(part.reshape(*shape, *input.shape[1:]) for part, input in zip(spread, tensors))
        )


class ShapleyValues(ShapleyValueSampling):
    """Shapley values, exactly: as a mean over all orders of the features.

    Every set of features is evaluated once, 2 to the power of their number times: for up to some 15 features, or groups
    of them by a `feature_mask`.

    Arguments:
        forward_func: see `ShapleyValueSampling`.
    Source: Shapley, "A value for n-person games", 1953.

    >>> import flambeau as torch
    >>> from flambeau.attr import ShapleyValues
    >>> method = ShapleyValues(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
    >>> method.attribute(torch.tensor([[2.0, 3.0, 4.0]]))
    tensor([[3., 3., 4.]])
    """

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        baselines=None,
        target=None,
        additional_forward_args=None,
        feature_mask=None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each feature, the mean change of the output when it is added.

        Arguments: see `ShapleyValueSampling.attribute`.
        Raises ValueError for more than 25 features.
        """

        def contributions(before: Tensor, features: Features, evaluate, outputs_of) -> Tensor:
            count, per_eval = features.count, evaluate.per_eval
            bits = 1 << torch.arange(count)
            parts = []
            for start in range(0, 2**count, per_eval):
                numbers = torch.arange(start, min(start + per_eval, 2**count))
                parts.append(outputs_of(list((numbers[:, None] & bits) != 0)))
            return shapley_values(torch.cat(parts), count)

        return self._values(
            inputs, baselines, target, additional_forward_args, feature_mask, perturbations_per_eval, show_progress,
            self._calls, contributions,
        )  # fmt: skip

    def _calls(self, count: int, per_eval: int) -> int:
        """How many calls it takes; warns of, or refuses, what would take too long."""
        if count > TOO_MANY:
            raise ArgumentError(
                f"there are {count} features: exact Shapley values need 2**{count} evaluations",
                why=f"every set of features is evaluated; up to {TOO_MANY} features can be waited for",
                fix="use `ShapleyValueSampling`, or group the features with `feature_mask`",
            )
        if count >= MANY:
            tell(
                f"exact Shapley values of {count} features need {2**count} evaluations. `ShapleyValueSampling`, or a "
                "`feature_mask` that groups features, takes less"
            )
        return 1 + math.ceil(2**count / per_eval)


def shapley_values(outputs: Tensor, count: int) -> Tensor:
    """Shapley values (count, outputs) from the outputs (2**count, outputs) of all sets: bit f says if feature f is in.

    >>> import flambeau as torch
    >>> from flambeau.attr.shapley import shapley_values
    >>> shapley_values(torch.tensor([[0.0], [1.0], [2.0], [5.0]]), 2)
    tensor([[2.],
            [3.]])
    """
    sets = np.arange(2**count)
    sizes = np.bitwise_count(sets)
    # How likely a set is to be what a feature finds when its turn comes: one over count * (count - 1 over its size).
    weights = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
    values = outputs.detach().double()
    found = []
    for feature in range(count):
        without = sets[(sets >> feature) & 1 == 0]
        gains = values[torch.from_numpy(without | 1 << feature)] - values[torch.from_numpy(without)]
        found.append((torch.from_numpy(weights[sizes[without]])[:, None] * gains).sum(0))
    return torch.stack(found).to(outputs.dtype if outputs.is_floating_point() else torch.float32)
