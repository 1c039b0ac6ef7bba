"""NoiseTunnel: a method's attributions over noisy copies of the input."""

from __future__ import annotations

import numpy as np

import flambeau as torch

from ..errors import ArgumentError, FailedAssertion
from .arguments import (
    NUMBERS,
    as_args,
    as_baselines,
    as_tuple,
    check_targets,
    repeat,
    repeat_args,
    repeat_target,
)
from .base import Attribution, leaves_no_trace
from .forward import check_differentiable

Tensor = torch.Tensor
SUPPORTED_NOISE_TUNNEL_TYPES = ["smoothgrad", "smoothgrad_sq", "vargrad"]


class NoiseTunnel(Attribution):
    """Mean, mean square or variance of a method's attributions when normal noise is added to the inputs.

    Arguments:
        attribution_method: any method, such as `Saliency(model)`.
    Source: Smilkov et al.: SmoothGrad, arXiv:1706.03825; Hooker et al.: A benchmark for interpretability methods,
    arXiv:1806.10758 (squares); Adebayo et al.: Local explanation methods for deep networks lack sensitivity,
    arXiv:1810.03307 (variance).

    >>> import flambeau as torch
    >>> from flambeau.attr import NoiseTunnel, Saliency
    >>> NoiseTunnel(Saliency(lambda x: 2 * x.sum(1))).attribute(torch.ones(1, 2), nt_samples=10)
    tensor([[2., 2.]])
    """

    def __init__(self, attribution_method: Attribution):
        if not isinstance(attribution_method, Attribution):
            raise ArgumentError(
                f"attribution_method is {type(attribution_method).__name__}, not a method of attribution",
                why="noise is added to the inputs of another method",
                fix="use `NoiseTunnel(Saliency(model))`",
            )
        super().__init__(attribution_method.forward_func)
        self.attribution_method = attribution_method

    @leaves_no_trace
    def attribute(
        self, inputs, nt_type="smoothgrad", nt_samples=5, nt_samples_batch_size=None, stdevs=1.0,
        draw_baseline_from_distrib=False, **kwargs,
    ):  # fmt: skip
        """The smoothed attributions; with `return_convergence_delta=True` also the delta of each noisy example.

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            nt_type: "smoothgrad" (mean), "smoothgrad_sq" (mean of squares) or "vargrad" (variance).
            nt_samples: noisy copies of each example. Default: 5.
            nt_samples_batch_size: how many of them go through the method at once. Default: all.
            stdevs: standard deviation of the noise; a tuple has one for each input. Default: 1.
            draw_baseline_from_distrib: the baselines are examples, of which one is drawn for each noisy copy; from
                NumPy's generator, as Captum does.
            kwargs: arguments of the method, such as `target`, `baselines`, `n_steps`.
        """
        tensors = as_tuple(inputs)
        check_noise(nt_type, nt_samples, nt_samples_batch_size)
        deviations = as_deviations(stdevs, tensors)
        at_once = min(nt_samples, nt_samples_batch_size or nt_samples)
        with_delta = self.has_convergence_delta() and kwargs.get("return_convergence_delta", False)
        sums: list = []
        squares: list = []
        deltas: list[Tensor] = []
        for first in range(0, nt_samples, at_once):
            n = min(at_once, nt_samples - first)
            arguments = expanded(kwargs, tensors, n, draw_baseline_from_distrib)
            noisy = tuple(with_noise(x, deviation, n) for x, deviation in zip(tensors, deviations, strict=True))
            found = self.attribution_method.attribute(noisy if isinstance(inputs, tuple) else noisy[0], **arguments)
            if with_delta:
                found, delta = found
                deltas.append(delta)
            samples = [by_example(a, n) for a in (found if isinstance(found, tuple) else (found,))]
            sums = [s + total for s, total in zip(sums or [0] * len(samples), (a.sum(1) for a in samples), strict=True)]
            squares = [
                s + total
                for s, total in zip(squares or [0] * len(samples), ((a**2).sum(1) for a in samples), strict=True)
            ]
        smoothed = tuple(smooth(nt_type, s / nt_samples, q / nt_samples) for s, q in zip(sums, squares, strict=True))
        result = smoothed if isinstance(found, tuple) else smoothed[0]
        return (result, torch.cat(deltas)) if with_delta else result

    def has_convergence_delta(self) -> bool:
        return self.attribution_method.has_convergence_delta()

    @property
    def multiplies_by_inputs(self) -> bool:
        return self.attribution_method.multiplies_by_inputs


def check_noise(nt_type: str, nt_samples: int, nt_samples_batch_size: int | None) -> None:
    """Raise for an unknown kind of noise, and for numbers of copies that are not positive."""
    if nt_type not in SUPPORTED_NOISE_TUNNEL_TYPES:
        raise FailedAssertion(
            f"Noise types must be either `smoothgrad`, `smoothgrad_sq` or `vargrad`. Given {nt_type}",
            why="it says what is made of the attributions of the noisy copies",
            fix="use 'smoothgrad' for their mean",
        )
    for name, number in (("nt_samples", nt_samples), ("nt_samples_batch_size", nt_samples_batch_size)):
        if number is not None and number < 1:
            raise ArgumentError(
                f"{name} must be positive, but got {number}",
                why="at least one noisy copy of each example is needed",
                fix=f"leave `{name}` out, or give a whole number above zero",
            )


def as_deviations(stdevs, inputs: tuple[Tensor, ...]) -> tuple:
    """A standard deviation for each input."""
    deviations = stdevs if isinstance(stdevs, tuple) else (stdevs,) * len(inputs)
    if len(deviations) != len(inputs):
        raise FailedAssertion(
            f"The number of input tensors in {len(inputs)} must be equal to the number of stdevs values "
            f"{len(deviations)}",
            why="a tuple has one standard deviation for each input",
            fix="give one number for all inputs, or as many as there are inputs",
        )
    for deviation in deviations:
        if not isinstance(deviation, NUMBERS) or not deviation >= 0:
            raise FailedAssertion(
                f"stdevs must be type float. Given: {deviation!r}",
                why="it is the standard deviation of the noise, zero or a positive number",
                fix="use about a tenth of the inputs' range",
            )
    return deviations


def with_noise(input: Tensor, deviation: float, n: int) -> Tensor:
    """`n` copies of each example in a row, each with noise of its own."""
    check_differentiable((input,))
    copies = repeat(input.detach(), n, each=True)
    return copies + torch.normal(0.0, torch.full(copies.shape, float(deviation))).to(copies)


def expanded(kwargs: dict, inputs: tuple[Tensor, ...], n: int, draw: bool) -> dict:
    """The method's arguments for `n` copies of each example."""
    found = dict(kwargs)
    if "baselines" in found:
        baselines = as_baselines(found["baselines"], inputs, distribution=draw)
        found["baselines"] = tuple(
            baseline if not isinstance(baseline, Tensor)
            else baseline[np.random.choice(len(baseline), n * len(input)).tolist()] if draw
            else repeat(baseline, n, each=True) if len(baseline) > 1 else baseline
            for input, baseline in zip(inputs, baselines, strict=True)
        )  # fmt: skip
    if found.get("additional_forward_args") is not None:
        found["additional_forward_args"] = repeat_args(as_args(found["additional_forward_args"]), n, each=True)
    if "target" in found:
        check_targets(found["target"], inputs)
        found["target"] = repeat_target(found["target"], n, each=True)
    if found.get("feature_mask") is not None:
        masks = found["feature_mask"]
        several = tuple(
            repeat(m, n, each=True) if len(m) > 1 else m for m in (masks if isinstance(masks, tuple) else (masks,))
        )
        found["feature_mask"] = several if isinstance(masks, tuple) else several[0]
    return found


def by_example(attribution: Tensor, n: int) -> Tensor:
    """The attributions of the copies of each example, (N * n, *) -> (N, n, *)."""
    return attribution.detach().reshape(-1, n, *attribution.shape[1:])


def smooth(nt_type: str, mean: Tensor, mean_square: Tensor) -> Tensor:
    """What `nt_type` stands for, from the first two moments."""
    if nt_type == "smoothgrad":
        return mean
    return mean_square if nt_type == "smoothgrad_sq" else mean_square - mean * mean
