"""Feature ablation: exchange a feature, for its baseline or between examples, and see how the output changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import flambeau as torch

from ..errors import ArgumentTypeError, FailedAssertion
from .arguments import as_args, as_baselines, as_tuple, like_inputs, repeat
from .base import PerturbationAttribution, leaves_no_trace
from .features import Features, mixed
from .perturbed import Evaluations

Tensor = torch.Tensor


class FeatureAblation(PerturbationAttribution):
    """How much the output falls when a feature is exchanged for its baseline, one feature after the other.

    Arguments:
        forward_func: the model, or any function of tensors. It returns one or several numbers for each example, or
            some for the whole batch (a loss): then the attributions' first dimension counts these numbers.

    >>> import flambeau as torch
    >>> from flambeau.attr import FeatureAblation
    >>> method = FeatureAblation(lambda x: 2 * x[:, 0] - x[:, 1])
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
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each feature the output, less the output without it.

        Arguments:
            inputs: a tensor whose first dimension counts examples, or a tuple of them.
            baselines: what features are exchanged for: a number, a tensor like the input or for one example, or a
                tuple with one of these for each input. Default: 0.
            target: which output: an index for all examples, a list of one for each; tuples where an example's output
                has several dimensions.
            additional_forward_args: what `forward_func` takes after the inputs.
            feature_mask: whole numbers, in the shape of the input or broadcast to it: elements with the same number
                are exchanged together, and each gets the attribution of all. Default: each element alone.
            perturbations_per_eval: how many features are evaluated in one call of `forward_func`; more are faster.
            show_progress: draw a progress bar.
        Returns: attributions, in the form of the inputs.
        Raises AssertionError where masks, baselines or targets do not fit.
        """
        tensors = as_tuple(inputs)
        replacements = as_baselines(baselines, tensors)
        features = Features(feature_mask, tensors)

        def ablated(chosen: Sequence[int]) -> tuple[Tensor, ...]:
            return tuple(
                mixed(features.select(i, chosen), new, old, old) if i in concerned(features, chosen)
                else repeat(old, len(chosen))
                for i, (old, new) in enumerate(zip(tensors, replacements))
            )  # fmt: skip

        falls = self._falls(
            tensors, range(features.count), ablated, target, additional_forward_args, perturbations_per_eval,
            show_progress, features,
        )  # fmt: skip
        return like_inputs(inputs, features.spread(falls, tensors))

    def _falls(
        self,
        tensors: tuple[Tensor, ...],
        units: Sequence,
        changed: Callable[[Sequence], tuple[Tensor, ...]],
        target,
        args,
        per_eval: int,
        show_progress: bool,
        features: Features | None = None,
    ) -> Tensor:
        """By how much each output falls when a unit is changed: (units, outputs).

        Arguments:
            units: what is changed, one after the other.
            changed: makes of some units as many changed copies of the inputs.
            features: what the units are, to be checked against the outputs.
        """
        with Evaluations(self, tensors, target, as_args(args), per_eval, show_progress) as evaluate:
            evaluate.expect(1 + math.ceil(len(units) / per_eval))
            before = evaluate(tensors, 1)
            if features is not None:
                evaluate.check_features(features)
            falls = []
            for start in range(0, len(units), per_eval):
                some = units[start : start + per_eval]
                falls.append(before - evaluate(changed(some), len(some)))
        return torch.cat(falls)


def concerned(features: Features, chosen: Sequence[int]) -> set[int]:
    """The inputs that some features have a part of."""
    return {i for feature in chosen for i in features.members[feature]}


def permute_feature(x: Tensor, feature_mask: Tensor) -> Tensor:
    """The batch with the elements of a feature exchanged between examples, at random, but not left as they were.

    >>> import flambeau as torch
    >>> from flambeau.attr.ablation import permute_feature
    >>> permute_feature(torch.tensor([[1, 5], [2, 6]]), torch.tensor([[True, False]]))
    tensor([[2, 5],
            [1, 6]])
    """
    n = len(x)
    if n < 2:
        raise FailedAssertion(
            "cannot permute features with batch_size = 1",
            why="a feature's values are exchanged between examples",
            fix="pass a batch of examples, or use `FeatureAblation` with a baseline",
        )
    order = torch.randperm(n)
    while bool((order == torch.arange(n)).all()):
        order = torch.randperm(n)
    return torch.where(feature_mask, x[order], x)


class FeaturePermutation(FeatureAblation):
    """How much the output falls when a feature's values are exchanged between the examples of a batch.

    Arguments:
        forward_func: the model, or any function of tensors; the loss of a batch is a good one.
        perm_func: makes of a batch and a feature's mask (of bool) the batch with that feature permuted.
            Default: a random permutation.
    Source: Breiman, "Random Forests", Machine Learning 45, 2001.

    >>> import flambeau as torch
    >>> from flambeau.attr import FeaturePermutation
    >>> x = torch.tensor([[1.0, 5.0], [2.0, 6.0]])
    >>> FeaturePermutation(lambda x: x[:, 0]).attribute(x)
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    """

    def __init__(self, forward_func: Callable, perm_func: Callable[[Tensor, Tensor], Tensor] = permute_feature):
        super().__init__(forward_func)
        self.perm_func = perm_func

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        target=None,
        additional_forward_args=None,
        feature_mask=None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each feature the output, less the output with the feature permuted.

        Arguments: see `FeatureAblation.attribute`; there are no baselines, and the batch needs two examples at least.
        """
        tensors = as_tuple(inputs)
        features = Features(feature_mask, tensors)

        def permuted(chosen: Sequence[int]) -> tuple[Tensor, ...]:
            copies = []
            for i, old in enumerate(tensors):
                if i not in concerned(features, chosen):
                    copies.append(repeat(old, len(chosen)))
                else:
                    copies.append(torch.cat([self._permuted(old, mask) for mask in features.select(i, chosen)]))
            return tuple(copies)

        falls = self._falls(
            tensors, range(features.count), permuted, target, additional_forward_args, perturbations_per_eval,
            show_progress, features,
        )  # fmt: skip
        return like_inputs(inputs, features.spread(falls, tensors))

    def _permuted(self, x: Tensor, mask: Tensor) -> Tensor:
        made = self.perm_func(x, mask)
        if not isinstance(made, Tensor) or made.shape != x.shape:
            got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise ArgumentTypeError(
                f"perm_func returned {got} for a batch of shape {tuple(x.shape)}",
                why="it returns the batch with one feature permuted",
                fix="return a tensor of the shape of its first argument",
            )
        return made
