"""One training step, as source: what `fit` runs, what `torch.compile` looks into, and what the plain program shows."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flambeau as fb

from ..compiler import compile as compile_step
from ..compiler.function import Compiled
from ..errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError
from ..language import warn
from ..tensor import Tensor

OWN = "<flambeau fit: step "  # how the "file" of a step begins: the line that called fit is to blame, not this one


@dataclass(frozen=True)
class Options:
    """What a step's source depends on."""

    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    custom: bool = False  # a function of the user's makes the loss of a batch
    outputs: bool = False  # metrics want to see them
    compiled: bool = False


def step_source(o: Options) -> str:
    """The step as a function: of a batch, or of the list of batches whose gradients are added up.

    Returns: the loss, detached; and where metrics want it, what they look at.

    >>> print(step_source(Options(clip_norm=1.0)))
    def step(inputs, targets):
        loss = loss_fn(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()
    """
    seen = "values" if o.custom else "outputs.detach()" if o.compiled else "outputs"
    keep = o.custom or o.outputs
    if o.accumulate == 1:
        head = "def step(batch):" if o.custom else "def step(inputs, targets):"
        return _function(head, [*single(o), f"return loss.detach(), {seen}" if keep else "return loss.detach()"])
    each, sizes = ("batch", "size(batch)") if o.custom else ("inputs, targets", "size(targets)")
    body = [
        f"samples = sum({sizes} for {each} in group)",
        "total = 0.0",
        *(["seen = []"] if keep else []),
        "optimizer.zero_grad()",
        f"for {each} in group:",
        *("    " + line for line in forward(o)),
        f"    loss = loss * ({sizes} / samples)  # all samples of the group count alike",
        "    loss.backward()",
        "    total = total + loss.detach()",
        *([f"    seen.append({seen})"] if keep else []),
        *clipping(o),
        "optimizer.step()",
        "return total, seen" if keep else "return total",
    ]
    return _function("def step(group):", body)


def single(o: Options) -> list[str]:
    """The lines of a step on one batch."""
    return [*forward(o), "optimizer.zero_grad()", "loss.backward()", *clipping(o), "optimizer.step()"]


def forward(o: Options) -> list[str]:
    """The lines from a batch to its loss."""
    if o.custom:
        return ["values = training_step(model, batch)", 'loss = values["loss"] if isinstance(values, dict) else values']
    if o.outputs:
        return ["outputs = model(inputs)", "loss = loss_fn(outputs, targets)"]
    return ["loss = loss_fn(model(inputs), targets)"]


def clipping(o: Options) -> list[str]:
    """The lines that limit the gradients."""
    lines = []
    if o.clip_norm is not None:
        lines.append(f"nn.utils.clip_grad_norm_(model.parameters(), {o.clip_norm!r})")
    if o.clip_value is not None:
        lines.append(f"nn.utils.clip_grad_value_(model.parameters(), {o.clip_value!r})")
    return lines


def _function(head: str, body: list[str]) -> str:
    return "\n".join([head, *("    " + line for line in body)])


def make_step(o: Options, model: Any, loss_fn: Any, optimizer: Any, training_step: Any) -> Callable:
    """The function that `step_source` spells out, compiled if asked for."""
    source = step_source(o)
    file = f"{OWN}{abs(hash(source))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # tracebacks show its lines
    namespace = {"model": model, "loss_fn": loss_fn, "optimizer": optimizer, "nn": fb.nn, "size": batch_size}
    if o.custom:
        namespace["training_step"] = training_step
    exec(compile(source, file, "exec"), namespace)
    step: Callable = namespace["step"]  # type: ignore[assignment]
    return compile_step(step) if o.compiled else step


def warn_if_not_compiled(step: Any) -> None:
    """Say so, with the reasons, where a step that was to be compiled runs eagerly."""
    if not isinstance(step, Compiled) or not step.eager_calls and not step.splits:
        return
    reasons = [
        reason if not where or where.startswith(OWN) else f"{reason} ({where})" for reason, where in step.reasons
    ]
    why = "; ".join(dict.fromkeys(reasons)) or "a Recorder or hooks look into the model, or kernels cannot be made here"
    warn(
        f"fit(compile=True): the step is not compiled as a whole: {why}. It gives the same results, but not faster. "
        "`torch.compile.explain` says more; leave `compile=True` out to be rid of this warning."
    )


# ---------------------------------------------------------------------- batches


def batch_size(batch: Any) -> int:
    """How many samples a batch has: the length of the first tensor in it; 1 where there is none.

    >>> import flambeau as torch
    >>> from flambeau.training.steps import batch_size
    >>> batch_size({"x": torch.zeros(5, 2), "y": torch.zeros(5)}), batch_size(torch.tensor(1.0))
    (5, 1)
    """
    if isinstance(batch, Tensor):
        return batch._array.shape[0] if batch._array.ndim else 1
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, Sequence) and not isinstance(batch, str):
        return next((batch_size(part) for part in batch if isinstance(part, (Tensor, Mapping, list, tuple))), 1)
    return 1


def check_batch(batch: Any, loader: str) -> None:
    """ArgumentError unless a batch is a pair of inputs and targets, which the step takes without `step=`."""
    if isinstance(batch, (list, tuple)) and len(batch) == 2:
        return
    names = ", ".join(map(repr, batch)) if isinstance(batch, Mapping) else ""
    raise ArgumentError(
        f"batches are to be (inputs, targets), and {loader} gives a dictionary of {names}"
        if isinstance(batch, Mapping)
        else f"batches are to be (inputs, targets), and {loader} gives one tensor of shape {tuple(batch.shape)}"
        if isinstance(batch, Tensor)
        else f"batches are to be (inputs, targets), and {loader} gives {len(batch)} parts"
        if isinstance(batch, (list, tuple))
        else f"batches are to be (inputs, targets), and {loader} gives {type(batch).__name__}",
        why="it has to be known what goes into the model and what the loss compares the output with",
        fix='say it with `step=lambda model, batch: loss_fn(model(batch["x"]), batch["y"])`'
        if isinstance(batch, Mapping)
        else "say it with `step=lambda model, batch: loss_fn(model(batch), batch)`"
        if isinstance(batch, Tensor)
        else "say it with `step=lambda model, batch: loss_fn(model(batch[0], batch[1]), batch[2])`",
    )


def check_loss(loss: Any) -> None:
    """An explained error unless a loss is one number that a gradient can be taken of."""
    if not isinstance(loss, Tensor):
        raise ArgumentTypeError(
            f"the loss is {type(loss).__name__}, not a tensor",
            why="fit() calls `loss.backward()` on what loss_fn or step returns",
            fix="return a tensor of one element, computed from the model's output; do not call `.item()` on it",
        )
    if loss._array.size != 1:
        raise ShapeError(
            f"the loss has shape {tuple(loss.shape)}, not one element",
            why="a training step makes one number smaller",
            fix="return `loss.mean()`, or leave `reduction='none'` out of the loss",
        )


def accuracy(outputs: Any, targets: Any) -> Tensor:
    """The share of samples whose largest score is that of their class; of two classes, whose logit has its sign.

    Shapes: scores (N, C, ...) with class numbers (N, ...), or logits (N,) or (N, 1) with zeros and ones.

    >>> import flambeau as torch
    >>> from flambeau.training import accuracy
    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    tensor(0.5000)
    """
    if outputs.ndim == targets.ndim + 1 and outputs.shape[1] > 1:
        return (outputs.argmax(1) == targets).float().mean()
    if outputs.numel() != targets.numel():
        raise ShapeError(
            f"accuracy() got outputs of shape {tuple(outputs.shape)} and targets of shape {tuple(targets.shape)}",
            why="it takes scores (N, classes) and class numbers (N,), or as many logits as there are zeros and ones",
            fix="give it the model's scores and the class numbers",
        )
    return ((outputs.reshape(-1) > 0) == (targets.reshape(-1) > 0.5)).float().mean()


def loss_of(values: Any) -> Any:
    """The loss, of what a custom step returns."""
    return values["loss"] if isinstance(values, dict) else values


# ---------------------------------------------------------------------- what can go wrong in a step


def explain(error: Exception) -> None:
    """Raise the explained error for a step that has failed because of what the loss is; else do nothing."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(OWN):
        trace = trace.tb_next
    seen = {} if trace is None else trace.tb_frame.f_locals
    if "loss" in seen:
        check_loss(seen["loss"])
    elif isinstance(seen.get("values"), dict) and "loss" not in seen["values"]:
        raise ArgumentError(
            f"the dictionary that step= returned has no 'loss', but {', '.join(map(repr, seen['values']))}",
            why="it is what training makes smaller",
            fix='return `{"loss": loss, ...}`',
        ) from None


def not_finite(value: float, epoch: int, step: int) -> GradientError:
    """The error for a loss that is not finite, where no operation can be named."""
    return GradientError(
        f"the loss is {value} at step {step}, in epoch {epoch}",
        why="an operation gave a result that is not finite; the step is compiled, or the checks are switched off, so "
        "that it is not known which",
        fix="train without `compile=True` to have the operation and its line named; a smaller learning rate or "
        "`clip_norm=1.0` are common remedies",
    )
