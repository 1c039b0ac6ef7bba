"""Evaluates a function on changed copies of a batch, several copies in one call."""

from __future__ import annotations

import math
from numbers import Integral

import flambeau as torch

from ..errors import ArgumentError, ArgumentTypeError, FailedAssertion
from ..told import tell
from .arguments import check_targets, repeat_args, repeat_target
from .features import Features
from .forward import run_forward

Tensor = torch.Tensor

MANY = 50_000  # calls that a user should know of


class Evaluations:
    """What a function makes of changed copies of its inputs. A context manager, for the progress bar.

    Arguments:
        method: the attribution method; its function is evaluated, its name is shown.
        inputs: the batch that is changed.
        target, args: see `FeatureAblation.attribute`; they are repeated for the copies.
        per_eval: how many copies go into one call, at most.
        show_progress: draw a bar, once `expect` has said how many calls there will be.
    """

    def __init__(self, method, inputs: tuple[Tensor, ...], target, args: tuple, per_eval: int, show_progress: bool):
        self.per_eval = positive(per_eval, "perturbations_per_eval")
        check_targets(target, inputs)
        self.function, self.examples, self.target, self.args = method.forward_func, len(inputs[0]), target, args
        self.repeated = (1, target, args)  # target and arguments for so many copies
        self.shape = torch.Size()  # of the output for one copy, from the first call on
        self.seen = self.lost = 0  # outputs; those of them that are not finite
        self.method, self.show_progress = method, show_progress
        self.bar = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()
        if self.lost and error[0] is None:
            tell(
                f"{self.lost} of the function's {self.seen} outputs are nan or infinite, and so are the attributions "
                "that come from them. Look at the model's output for the inputs and for the baselines"
            )

    def expect(self, calls: int) -> None:
        """Begin the progress bar of so many calls, and say so if they are very many."""
        if calls > MANY and not self.show_progress:
            tell(
                f"the function will be called {calls} times. Group features with a `feature_mask`, evaluate more of "
                "them in a call with `perturbations_per_eval`, or see how far it is with `show_progress=True`"
            )
        self.bar = progress_bar(self.method, calls, self.show_progress)

    def __call__(self, inputs: tuple[Tensor, ...], copies: int) -> Tensor:
        """The outputs (copies, outputs) for so many changed copies of the batch, one after the other in `inputs`.

        The first call, for one copy, says how many outputs there are.
        """
        if copies != self.repeated[0]:
            self.repeated = (copies, repeat_target(self.target, copies), repeat_args(self.args, copies))
        _, target, args = self.repeated
        output = as_tensor(run_forward(self.function, inputs, target, args))
        if not self.seen:
            self.shape = output.shape
        self.seen += output.numel()
        if not math.isfinite(float(output.sum().abs())):  # the sum is as good as all of them, and cheaper to look at
            self.lost += output.numel() - int(torch.isfinite(output).sum())
        self._check_shape(output, copies)
        if self.bar is not None:
            self.bar.update()
        return output.reshape(copies, -1)

    def per_example(self) -> bool:
        """Whether outputs belong to single examples."""
        return bool(self.shape) and self.shape[0] == self.examples

    def _check_shape(self, output: Tensor, copies: int) -> None:
        """Raise unless the output is as many times as large as the first one as there are copies."""
        if copies == 1 and output.shape == self.shape:
            return
        if (
            self.shape
            and output.ndim
            and output.shape[0] == copies * self.shape[0]
            and output.shape[1:] == self.shape[1:]
        ):
            return
        raise FailedAssertion(
            "When perturbations_per_eval > 1, forward_func's output should be a tensor whose 1st dim grow with the "
            f"input batch size: when input batch size is {self.examples}, the output shape is {self.shape}; when input "
            f"batch size is {self.examples * copies}, the output shape is {output.shape}",
            why="several changed copies of the batch are evaluated at once, and each needs its own outputs",
            fix="use `perturbations_per_eval=1` for a function with one result for the whole batch, such as a loss",
        )

    def check_features(self, features: Features) -> None:
        """Raise if examples have features of their own and the function has outputs for the whole batch only."""
        if features.differ() and not self.per_example():
            raise FailedAssertion(
                "Cannot provide different masks for each example when function returns a scalar.",
                why=f"the output has shape {tuple(self.shape)} for {self.examples} examples",
                fix="use one mask for all examples: its first dimension is 1",
            )


def as_tensor(output) -> Tensor:
    """The result of a forward function, which may be a plain number, as a tensor."""
    if isinstance(output, Tensor):
        return output.long() if output.dtype is torch.bool else output  # truth values have no difference
    if not isinstance(output, int | float):
        raise ArgumentTypeError(
            f"the return of forward_func must be a tensor, int, or float, received: {type(output).__name__}",
            why="its change is the attribution",
            fix="explain a function that returns a tensor: `lambda x: model(x)[0]`, or `.logits`",
        )
    return torch.tensor(output, dtype=torch.float64 if isinstance(output, float) else torch.int64)


def progress_bar(method, calls: int, show: bool):
    """tqdm's bar of so many calls of a method's function, or None."""
    if not show:
        return None
    from tqdm.auto import tqdm  # noqa: PLC0415 - takes a while to import

    return tqdm(total=calls, desc=f"{method.get_name()} attribution")


def positive(number, name: str) -> int:
    """A whole number that is at least 1, or an error with the argument's name."""
    if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
        raise ArgumentError(
            f"{name} is {number!r}, and has to be a whole number that is at least 1",
            why="it says how often something is done",
            fix=f"use for instance `{name}=1`",
        )
    return int(number)
