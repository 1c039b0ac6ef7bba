"""Lime: fit a linear model to what the network says of changed copies of one example."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import flambeau as torch

from ..errors import ArgumentError, ArgumentTypeError, FailedAssertion
from ..nn import functional as F
from ..told import tell
from ..utils.data import DataLoader, TensorDataset
from .arguments import (
    as_args,
    as_baselines,
    as_tuple,
    check_targets,
    like_inputs,
    repeat_args,
    repeat_target,
)
from .base import PerturbationAttribution, leaves_no_trace
from .features import Features, mixed
from .forward import run_forward
from .linear_models import Lasso
from .perturbed import as_tensor, positive, progress_bar

Tensor = torch.Tensor


class LimeBase(PerturbationAttribution):
    """Lime in general: changed examples, what the network says of them, and a readable model fitted to that.

    For features of the input that are there or not, use `Lime`.

    Arguments:
        forward_func: the model, or any function of tensors: one number for each example, or one for a whole batch.
        interpretable_model: what is fitted: an object with `fit(loader)`, for batches of features (N, F), outputs (N,)
            and weights (N,), and `representation()`, which `attribute` returns. `LinearRegression`, `Ridge`, `Lasso`.
        similarity_func: `(original_input, changed_input, features, **kwargs)` to the weight of a changed example.
        perturb_func: `(original_input, **kwargs)` to one changed example; or a generator of them. Its result is a
            vector (1, F) of features, or an input, as the next argument says.
        perturb_interpretable_space: whether `perturb_func` makes features; else it makes inputs.
        from_interp_rep_transform: `(features, original_input, **kwargs)` to an input; needed in the first case.
        to_interp_rep_transform: `(changed_input, original_input, **kwargs)` to features; needed in the second.
    Source: Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016, arxiv.org/abs/1602.04938.

    >>> import flambeau as torch
    >>> from flambeau.attr import LimeBase, LinearRegression
    >>> method = LimeBase(
    ...     lambda x: (2 * x).sum(1), LinearRegression(), lambda *args, **kwargs: 1.0,
    ...     lambda x, **kwargs: x + torch.randn_like(x), False, None, lambda changed, x, **kwargs: changed)
    >>> method.attribute(torch.zeros(1, 2))
    tensor([[2., 2.]])
    """

    def __init__(
        self,
        forward_func: Callable,
        interpretable_model,
        similarity_func: Callable,
        perturb_func: Callable,
        perturb_interpretable_space: bool,
        from_interp_rep_transform: Any,
        to_interp_rep_transform: Any,
    ):
        super().__init__(forward_func)
        self.interpretable_model = interpretable_model
        self.similarity_func = similarity_func
        self.perturb_func = perturb_func
        self.perturb_interpretable_space = perturb_interpretable_space
        self.from_interp_rep_transform = from_interp_rep_transform
        self.to_interp_rep_transform = to_interp_rep_transform
        if perturb_interpretable_space and from_interp_rep_transform is None:
            raise FailedAssertion(
                "Must provide transform from interpretable space to original input space when sampling from "
                "interpretable space.",
                why="`perturb_func` makes features, and the model takes inputs",
                fix="give `from_interp_rep_transform`",
            )
        if not perturb_interpretable_space and to_interp_rep_transform is None:
            raise FailedAssertion(
                "Must provide transform from original input space to interpretable space",
                why="`perturb_func` makes inputs, and the readable model is fitted to features",
                fix="give `to_interp_rep_transform`",
            )
        if not hasattr(interpretable_model, "fit") or not hasattr(interpretable_model, "representation"):
            raise ArgumentTypeError(
                f"interpretable_model is {type(interpretable_model).__name__}: it lacks `fit` or `representation`",
                why="it is fitted, and then its coefficients are asked for",
                fix="use `Lasso(alpha=0.01)`, `Ridge()` or `LinearRegression()` of `flambeau.attr`",
            )

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        target=None,
        additional_forward_args=None,
        n_samples: int = 50,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        **kwargs,
    ):
        """Fit the readable model to the network near the inputs.

        Arguments:
            inputs: one example, as a batch of one; or a batch, if `forward_func` returns one number for all of it.
            target, additional_forward_args, show_progress: see `FeatureAblation.attribute`.
            n_samples: how many changed examples.
            perturbations_per_eval: how many of them are evaluated in one call of `forward_func`; more are faster.
            kwargs: given to the functions that the constructor took.
        Returns: what the readable model's `representation()` gives, (1, F) for the linear ones.
        """
        return self._fit(
            inputs, target, additional_forward_args, n_samples, perturbations_per_eval, show_progress, **kwargs
        )

    def _fit(self, inputs, target, args, n_samples, per_eval, show_progress, **kwargs):
        positive(n_samples, "n_samples")
        positive(per_eval, "perturbations_per_eval")
        as_tuple(inputs)
        samples = self._samples(inputs, **kwargs)
        features, weights, outputs = [], [], []
        bar = progress_bar(self, math.ceil(n_samples / per_eval), show_progress)
        try:
            for start in range(0, n_samples, per_eval):
                some = list(itertools.islice(samples, min(per_eval, n_samples - start)))
                if not some:
                    tell("Generator completed prior to given n_samples iterations!")
                    break
                rows, changed = self._both_forms(some, inputs, **kwargs)
                features += rows
                weights.append(self._weights(inputs, changed, rows, **kwargs))
                outputs.append(self._evaluate(changed, len(rows), target, as_args(args)))
                if bar is not None:
                    bar.update()
        finally:
            if bar is not None:
                bar.close()
        if not features:
            raise ArgumentError(
                "perturb_func is a generator that yields nothing",
                why="the readable model is fitted to what it yields",
                fix="yield at least one changed example",
            )
        data = TensorDataset(torch.cat(features).float(), torch.cat(outputs).float(), torch.cat(weights).float())
        self.interpretable_model.fit(DataLoader(data, batch_size=len(features)))
        return self.interpretable_model.representation()

    def _samples(self, inputs, **kwargs) -> Iterator:
        """What `perturb_func` makes, without end, or as much as a generator yields."""
        if inspect.isgeneratorfunction(self.perturb_func):
            return iter(self.perturb_func(inputs, **kwargs))
        return (self.perturb_func(inputs, **kwargs) for _ in itertools.count())

    def _both_forms(self, samples: list, inputs, **kwargs) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Samples as vectors of features, and as inputs, joined along the first dimension."""
        if self.perturb_interpretable_space:
            rows, changed = samples, [self.from_interp_rep_transform(s, inputs, **kwargs) for s in samples]
        else:
            rows, changed = [self.to_interp_rep_transform(s, inputs, **kwargs) for s in samples], samples
        return rows, tuple(torch.cat(column) for column in zip(*(as_tuple(one) for one in changed)))

    def _weights(self, inputs, changed: tuple[Tensor, ...], rows: list[Tensor], **kwargs) -> Tensor:
        """The weights of some samples."""
        if hasattr(self.similarity_func, "of_many"):
            return self.similarity_func.of_many(inputs, changed, len(rows))
        each = zip(*(tensor.chunk(len(rows)) for tensor in changed))
        return torch.cat([
            torch.as_tensor(self.similarity_func(inputs, like_inputs(inputs, one), row, **kwargs)).reshape(1)
            for one, row in zip(each, rows)
        ])  # fmt: skip

    def _evaluate(self, changed: tuple[Tensor, ...], copies: int, target, args: tuple) -> Tensor:
        """What the function says of some changed inputs, one number for each."""
        target, args = repeat_target(target, copies), repeat_args(args, copies)
        output = as_tensor(run_forward(self.forward_func, changed, target, args))
        if output.numel() != copies:
            raise FailedAssertion(
                "Number of outputs is not appropriate, must return one output per perturbed input",
                why=f"the output has shape {tuple(output.shape)} for {copies} changed inputs",
                fix="say which output is explained: `attribute(inputs, target=3)`; for a function that returns one "
                "number for a whole batch use `perturbations_per_eval=1`",
            )
        return output.flatten()


def get_exp_kernel_similarity_function(distance_mode: str = "cosine", kernel_width: float = 1.0) -> Callable:
    """A similarity function for Lime: exp(-distance² / (2 · kernel_width²)) between an input and a changed one.

    Arguments:
        distance_mode: "cosine" or "euclidean".
        kernel_width: how far it reaches.

    >>> import flambeau as torch
    >>> from flambeau.attr import get_exp_kernel_similarity_function
    >>> similarity = get_exp_kernel_similarity_function("euclidean", kernel_width=2.0)
    >>> round(similarity(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), None), 4)
    0.0439
    """
    if distance_mode not in ("cosine", "euclidean"):
        raise ArgumentError(
            "distance_mode must be either cosine or euclidean.",
            why=f"it is {distance_mode!r}",
            fix="use `distance_mode='cosine'` or `'euclidean'`",
        )
    if not kernel_width > 0:
        raise ArgumentError(
            f"kernel_width is {kernel_width}, and has to be above 0",
            why="distances are divided by it",
            fix="use for instance `kernel_width=1.0`",
        )

    def of_many(original_inp, changed: tuple[Tensor, ...], copies: int) -> Tensor:
        """The similarities of so many changed inputs, joined along the first dimension, to the original one."""
        original = torch.cat([tensor.reshape(1, -1).float() for tensor in as_tuple(original_inp)], dim=1)
        others = torch.cat([tensor.reshape(copies, -1).float() for tensor in changed], dim=1)
        if distance_mode == "cosine":
            distance = 1 - F.cosine_similarity(original, others, dim=1)
        else:
            distance = (original - others).norm(dim=1)
        return torch.exp(-(distance**2) / (2 * kernel_width**2))

    def similarity(original_inp, perturbed_inp, _features, **kwargs) -> float:
        return float(of_many(original_inp, as_tuple(perturbed_inp), 1))

    similarity.of_many = of_many  # type: ignore[attr-defined]  # LimeBase calls it for a batch
    return similarity


def default_perturb_func(original_inp, **kwargs) -> Tensor:
    """A sample of `Lime`: each feature is there or not, with equal chances."""
    return torch.bernoulli(torch.full((1, kwargs["num_interp_features"]), 0.5)).long()


def default_from_interp_rep_transform(curr_sample: Tensor, original_inputs, **kwargs):
    """The input with the features that are not in the sample exchanged for their baselines. Each row is a sample."""
    mask, baselines = kwargs["feature_mask"], kwargs["baselines"]
    if isinstance(original_inputs, Tensor):
        return mixed((curr_sample != 0)[:, mask], original_inputs, baselines, original_inputs)
    return tuple(
        mixed((curr_sample != 0)[:, places], input, baseline, input)
        for input, places, baseline in zip(original_inputs, mask, baselines)
    )


class Lime(LimeBase):
    """How much each feature contributes, by a linear model of which features are there and which are exchanged.

    Arguments:
        forward_func: the model, or any function of tensors: one number for each example, or one for a whole batch.
        interpretable_model: what is fitted, see `LimeBase`. Default: `Lasso(alpha=0.01)`.
        similarity_func: the weight of a changed example, see `LimeBase`. Default: an exponential kernel of cosine
            distances, `get_exp_kernel_similarity_function()`.
        perturb_func: makes vectors (1, F) of zeros and ones, or is a generator of them. Default: with equal chances.
    Source: Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016, arxiv.org/abs/1602.04938.

    >>> import flambeau as torch
    >>> from flambeau.attr import Lime, LinearRegression
    >>> _ = torch.manual_seed(0)
    >>> method = Lime(lambda x: 2 * x[:, 0] - x[:, 1], interpretable_model=LinearRegression())
    >>> method.attribute(torch.tensor([[3.0, 5.0]]))
    tensor([[ 6., -5.]])
    """

    def __init__(
        self,
        forward_func: Callable,
        interpretable_model=None,
        similarity_func: Callable | None = None,
        perturb_func: Callable | None = None,
    ):
        super().__init__(
            forward_func,
            Lasso(alpha=0.01) if interpretable_model is None else interpretable_model,
            similarity_func or get_exp_kernel_similarity_function(),
            perturb_func or default_perturb_func,
            True,
            default_from_interp_rep_transform,
            None,
        )

    def _both_forms(self, samples, inputs, **kwargs):
        changed = default_from_interp_rep_transform(torch.cat(samples), inputs, **kwargs)
        return samples, changed if isinstance(changed, tuple) else (changed,)

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
        """The linear model's coefficients, as attributions of the inputs.

        Arguments:
            inputs: best one example, as a batch of one: each is explained by a model of its own.
            baselines, target, additional_forward_args, feature_mask, show_progress: see `FeatureAblation.attribute`.
                A mask that groups features makes the linear model smaller, and so better with the same samples.
            n_samples: how many changed examples the linear model is fitted to.
            perturbations_per_eval: how many of them are evaluated in one call of `forward_func`; more are faster.
            return_input_shape: False: return the coefficients themselves, (N, F).
        Returns: attributions in the form of the inputs; for a function that returns one number for the whole batch,
        their first dimension is 1.
        """
        return self._attribute(
            inputs, baselines, target, additional_forward_args, feature_mask, n_samples, perturbations_per_eval,
            return_input_shape, show_progress,
        )  # fmt: skip

    def _attribute(
        self, inputs, baselines, target, args, feature_mask, n_samples, per_eval, input_shape, show_progress, **kwargs
    ):
        tensors = as_tuple(inputs)
        baselines = as_baselines(baselines, tensors)
        features = Features(feature_mask, tensors)
        n, args = len(tensors[0]), as_args(args)
        check_targets(target, tensors)
        if features.count > 10000:
            tell(
                f"the linear model has {features.count} features, and {n_samples} samples: that is slow and says "
                "little. Group the features with `feature_mask`"
            )
        outputs = 1 if n == 1 else as_tensor(run_forward(self.forward_func, tensors, target, args)).numel()
        if outputs not in (1, n):
            raise FailedAssertion(
                "Invalid number of outputs, forward function should return a scalar per example or a scalar per input "
                "batch.",
                why=f"there are {outputs} outputs for {n} examples",
                fix="say which output is explained: `attribute(inputs, target=3)`",
            )
        found = []
        for i in range(outputs):
            row = slice(i, i + 1) if outputs > 1 else slice(None)
            of_row = tuple(tensor[row] for tensor in tensors)
            places = tuple(mask[row] if len(mask) == n else mask for mask in features.places)
            replacements = tuple(b[row] if isinstance(b, Tensor) and len(b) == n else b for b in baselines)
            coefficients = self._fit(
                like_inputs(inputs, of_row),
                target_of(target, row),
                tuple(arg[row] if isinstance(arg, Tensor) and arg.ndim and len(arg) == n else arg for arg in args),
                n_samples,
                per_eval,
                show_progress,
                baselines=like_inputs(inputs, replacements),
                feature_mask=like_inputs(inputs, places),
                num_interp_features=features.count,
                **kwargs,
            )
            found.append(coefficients.reshape(1, -1).float())
        if not input_shape:
            return torch.cat(found)
        return like_inputs(inputs, features.spread(torch.cat(found).t().contiguous(), tensors))


def target_of(target, row: slice):
    """The target of one example, or of all."""
    if isinstance(target, list) or (isinstance(target, Tensor) and target.numel() > 1):
        return target[row]
    return target
