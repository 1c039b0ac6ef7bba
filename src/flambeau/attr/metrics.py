"""How good attributions are: whether they foretell what changes do to the output, and whether they are stable."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator

import flambeau as torch

from ..errors import ArgumentTypeError, FailedAssertion
from ..told import tell
from .arguments import as_args, as_baselines, as_tuple, one_or_tuple, repeat, repeat_args, repeat_target
from .base import sum_rows
from .forward import run_forward
from .perturbed import as_tensor, positive

__all__ = ["infidelity", "infidelity_perturb_func_decorator", "sensitivity_max"]

Tensor = torch.Tensor


@torch.no_grad()
def _function(given: object, name: str) -> None:
    if not callable(given):
        raise ArgumentTypeError(
            f"{name} is {type(given).__name__}, which cannot be called",
            why="it is called with the inputs, changed and not changed",
            fix="give a function: a model, `method.attribute`, or one that changes inputs",
        )


def infidelity(
    forward_func: Callable,
    perturb_func: Callable,
    inputs,
    attributions,
    baselines=None,
    additional_forward_args=None,
    target=None,
    n_perturb_samples: int = 10,
    max_examples_per_batch: int | None = None,
    normalize: bool = False,
) -> Tensor:
    """Mean squared difference of what attributions foretell of a change, and what the output does. Small is good.

    Arguments:
        forward_func, inputs, target, additional_forward_args: what was explained.
        perturb_func: `(inputs)` or `(inputs, baselines)` to two things in the form of the inputs: the change, which is
            multiplied by the attributions, and the changed inputs. `infidelity_perturb_func_decorator` makes it of a
            function that returns the changed inputs alone.
        attributions: in the form of the inputs.
        baselines: given to `perturb_func`.
        n_perturb_samples: how many changes of each example.
        max_examples_per_batch: how many changed examples are evaluated in one call, at most. Default: all.
        normalize: multiply the attributions by the number that fits best.
    Returns: a number for each example.
    Source: Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", 2019, arxiv.org/abs/1901.09392.

    >>> import flambeau as torch
    >>> from flambeau.attr.metrics import infidelity
    >>> f = lambda x: 2 * x[:, 0] - x[:, 1]
    >>> def less(x):
    ...     change = torch.rand_like(x)
    ...     return change, x - change
    >>> infidelity(f, less, torch.zeros(1, 2), torch.tensor([[2.0, -1.0]])).abs() < 1e-9
    tensor([True])
    """
    _function(forward_func, "forward_func")
    _function(perturb_func, "perturb_func")
    tensors, parts, args = as_tuple(inputs), as_tuple(attributions), as_args(additional_forward_args)
    if [part.shape for part in parts] != [tensor.shape for tensor in tensors]:
        raise FailedAssertion(
            f"the attributions are {[tuple(part.shape) for part in parts]}, and the inputs "
            f"{[tuple(tensor.shape) for tensor in tensors]}",
            why="each element of the inputs has its attribution",
            fix="pass what `attribute` returned for these inputs",
        )
    n = len(tensors[0])
    before = as_tensor(run_forward(forward_func, tensors, target, args))
    if before.numel() != n:
        raise FailedAssertion(
            f"the output has shape {tuple(before.shape)} for {n} examples",
            why="the attributions are about one number of each example",
            fix="pass the `target` that they were computed for",
        )
    before = before.reshape(n, 1)
    foretold, fallen = [], []
    for samples in portions(n_perturb_samples, n, max_examples_per_batch):
        many = tuple(repeat(tensor, samples, each=True) for tensor in tensors)
        if baselines is None:
            made = perturb_func(one_or_tuple(many))
        else:
            references = tuple(
                repeat(b, samples, each=True) if isinstance(b, Tensor) and len(b) == n > 1 else b
                for b in as_baselines(baselines, tensors)
            )
            made = perturb_func(one_or_tuple(many), one_or_tuple(references))
        if not isinstance(made, (tuple, list)) or len(made) != 2:
            raise ArgumentTypeError(
                f"perturb_func returned {type(made).__name__}, not a pair of changes and changed inputs",
                why="the attributions foretell what a change does, so that it has to be known",
                fix="put `infidelity_perturb_func_decorator()` before a function that returns the changed inputs alone",
            )
        changes, changed = map(as_tuple, made)
        check_changes(changes, changed, many)
        some_targets, some_args = repeat_target(target, samples, each=True), repeat_args(args, samples, each=True)
        after = run_forward(forward_func, changed, some_targets, some_args)
        fallen.append(before - after.reshape(n, samples))
        each = [sum_rows(repeat(part, samples, each=True) * change) for part, change in zip(parts, changes)]
        foretold.append(torch.stack(each).sum(0).reshape(n, samples))
    told, fell = torch.cat(foretold, dim=1), torch.cat(fallen, dim=1)
    if normalize:
        squares = (told**2).sum(1, keepdim=True)
        told = told * ((told * fell).sum(1, keepdim=True) / torch.where(squares == 0, 1.0, squares))
    return ((told - fell) ** 2).sum(1) / n_perturb_samples


def check_changes(changes: tuple, changed: tuple, many: tuple) -> None:
    """Raise unless what `perturb_func` returned has the form of the inputs that it was given."""
    if not [c.shape for c in changes] == [c.shape for c in changed] == [m.shape for m in many]:
        raise FailedAssertion(
            f"perturb_func returned {[tuple(c.shape) for c in changes]} and {[tuple(c.shape) for c in changed]} for "
            f"inputs {[tuple(m.shape) for m in many]}",
            why="it returns the change and the changed inputs, both in the form of the inputs",
            fix="return two tensors, or two tuples, such as `noise, inputs - noise`",
        )


def infidelity_perturb_func_decorator(multiply_by_inputs: bool = True) -> Callable:
    """Decorator for `infidelity` of functions that return the changed inputs alone.

    Arguments:
        multiply_by_inputs: the attributions are contributions to the output, such as Shapley values: the change is
            taken relative to the difference of input and baseline. False: they are like gradients.

    >>> import flambeau as torch
    >>> from flambeau.attr.metrics import infidelity, infidelity_perturb_func_decorator
    >>> @infidelity_perturb_func_decorator(multiply_by_inputs=False)
    ... def noise(x):
    ...     return x - torch.rand_like(x)
    >>> infidelity(lambda x: x.sum(1), noise, torch.zeros(1, 2), torch.ones(1, 2)) < 1e-9
    tensor([True])
    """

    def decorate(perturb_func: Callable) -> Callable:
        @functools.wraps(perturb_func)
        def with_change(inputs, baselines=None):
            tensors = as_tuple(inputs)
            changed = as_tuple(perturb_func(inputs) if baselines is None else perturb_func(inputs, baselines))
            changes = []
            for input, new, reference in zip(tensors, changed, as_baselines(baselines, tensors)):
                most = input - reference if multiply_by_inputs else 1.0
                changes.append((input - new) / (torch.where(most == 0, 1.0, most) if multiply_by_inputs else 1.0))
            return tuple(changes), changed

        return with_change

    return decorate


def default_perturb_func(inputs, perturb_radius: float = 0.02) -> tuple[Tensor, ...]:
    """The inputs with each element moved by at most `perturb_radius`, at random."""
    return tuple(
        input + torch.empty(input.shape).uniform_(-perturb_radius, perturb_radius) for input in as_tuple(inputs)
    )


def sensitivity_max(
    explanation_func: Callable,
    inputs,
    perturb_func: Callable = default_perturb_func,
    perturb_radius: float = 0.02,
    n_perturb_samples: int = 10,
    norm_ord: str | float = "fro",
    max_examples_per_batch: int | None = None,
    **kwargs,
) -> Tensor:
    """How much attributions change, at most, when the inputs change a little: relative to their norm. Small is good.

    Arguments:
        explanation_func: a method's `attribute`.
        inputs: what is explained.
        perturb_func: `(inputs, perturb_radius)` or `(inputs)` to changed inputs. Default: uniform noise.
        perturb_radius: how large the noise is.
        n_perturb_samples: how many changes of each example.
        norm_ord: which norm, see `torch.norm`.
        max_examples_per_batch: how many changed examples are explained in one call, at most. Default: all.
        kwargs: given to `explanation_func`; targets, baselines and further arguments are repeated as needed.
    Returns: a number for each example.
    Source: Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", 2019, arxiv.org/abs/1901.09392.

    >>> import flambeau as torch
    >>> from flambeau.attr import Saliency
    >>> from flambeau.attr.metrics import sensitivity_max
    >>> sensitivity_max(Saliency(lambda x: 2 * x.sum(1)).attribute, torch.zeros(1, 3))
    tensor([0.])
    """
    _function(explanation_func, "explanation_func")
    _function(perturb_func, "perturb_func")
    tensors = as_tuple(inputs)
    n = len(tensors[0])
    base = rows_of(explanation_func(tensors, **kwargs), n)
    norms = torch.norm(base, p=norm_ord, dim=1)
    norms = torch.where(norms == 0, 1.0, norms)
    worst = torch.zeros(n)
    for samples in portions(n_perturb_samples, n, max_examples_per_batch):
        many = one_or_tuple(tuple(repeat(tensor, samples, each=True) for tensor in tensors))
        takes_radius = len(inspect.signature(perturb_func).parameters) > 1
        changed = as_tuple(perturb_func(many, perturb_radius) if takes_radius else perturb_func(many))
        found = rows_of(explanation_func(changed, **repeated(kwargs, tensors, samples)), n * samples)
        difference = torch.norm(repeat(base, samples, each=True) - found, p=norm_ord, dim=1).reshape(n, samples)
        worst = torch.maximum(worst, difference.max(dim=1).values / norms)
    return worst


def rows_of(attributions, n: int) -> Tensor:
    """All attributions of an example in one row."""
    return torch.cat([part.detach().reshape(n, -1) for part in as_tuple(attributions)], dim=1)


def repeated(kwargs: dict, tensors: tuple[Tensor, ...], samples: int) -> dict:
    """The arguments of `attribute` for so many times as many examples."""
    made = dict(kwargs)
    if "target" in made:
        made["target"] = repeat_target(made["target"], samples, each=True)
    if "additional_forward_args" in made:
        made["additional_forward_args"] = repeat_args(as_args(made["additional_forward_args"]), samples, each=True)
    if isinstance(made.get("baselines"), Tensor | tuple):
        baselines = made["baselines"] if isinstance(made["baselines"], tuple) else (made["baselines"],)
        made["baselines"] = tuple(
            repeat(b, samples, each=True) if isinstance(b, Tensor) and b.shape == tensor.shape and len(b) > 1 else b
            for b, tensor in zip(baselines, tensors)
        )
    return made


def portions(samples: int, examples: int, most: int | None) -> Iterator[int]:
    """How many samples of each example are dealt with at once, until all are."""
    positive(samples, "n_perturb_samples")
    at_once = samples
    if most is not None:
        if positive(most, "max_examples_per_batch") < examples:
            tell(
                f"max_examples_per_batch is {most}, fewer than the {examples} examples: one sample of each is "
                "evaluated at once"
            )
        at_once = max(1, most // examples)
    for start in range(0, samples, at_once):
        yield min(at_once, samples - start)
