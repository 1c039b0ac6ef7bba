"""What happens around the loop of `fit`: resuming, Ctrl-C, the doctor, the bar; and that all ends well."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

import flambeau as fb

from ..checks import events, numbers
from ..errors import GradientError
from ..language import warn
from ..viz.preserve import modes
from . import checkpoints
from .display import Display
from .steps import loss_of


@contextmanager
def surrounded(training: Any) -> Iterator[None]:
    """The block is the training: before it everything is made ready, after it everything is as it was."""
    with modes(training.model), ExitStack() as stack:
        try:
            begin(training)
            stack.enter_context(interruptible(training))
            stack.enter_context(finite_losses(training))
            if training.wants_doctor:
                stack.enter_context(watched(training))
            if training.wants_progress:
                training.callbacks.append(stack.enter_context(Display(training)))
            training.tell("on_start")
            with stopping_at_nan(training):
                yield
            if training.stopping is not None and training.stopping.restore_best:
                training.stopping.restore(training.model)
            training.history.stopped = training.stopped
            training.tell("on_end")
        except BaseException as error:
            training.history.step, training.history.stopped = training.step, training.stopped or type(error).__name__
            with suppress(AttributeError):  # an exception class that takes no attributes
                error.history = training.history  # type: ignore[attr-defined]
            training.tell("on_error", error)
            raise


def begin(training: Any) -> None:
    """Seed, or go on from a checkpoint; find out whether one can be written."""
    checkpoint, path = training.checkpoint, training.resume
    if checkpoint is not None:
        checkpoint.prepare()
    if path is True:
        path = checkpoint.path if checkpoint.path.exists() else False
    if path is not False:
        training.load_state_dict(checkpoints.read(path), path)
        checkpoints.warn_of_persistent_workers(training.train_loader)
    else:
        if training.seed is not None:
            fb.manual_seed(training.seed)
            random.seed(training.seed)
            np.random.seed(training.seed % 2**32)
        if checkpoint is not None:
            checkpoint.write(training.state_dict())


@contextmanager
def interruptible(training: Any) -> Iterator[None]:
    """Ctrl-C waits for the step that is running, so that what is kept is whole; a second one does not wait."""
    usual = threading.current_thread() is threading.main_thread()
    if not usual or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def interrupted(number: int, frame: Any) -> None:
        if training.interrupted:
            raise KeyboardInterrupt
        training.interrupted = True

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def finite_losses(training: Any) -> Iterator[None]:
    """An error at the first loss that is not finite, before the backward pass, with the operation it began at."""
    if training.on_nan == "ignore":
        yield
        return

    def guard(root: Any, value: float) -> None:
        error = numbers.locate(root)
        if error is not None:
            raise error

    events.not_finite.insert(0, guard)
    try:
        yield
    finally:
        events.not_finite.remove(guard)


@contextmanager
def stopping_at_nan(training: Any) -> Iterator[None]:
    """With `on_nan="stop"`, a loss that is not finite ends the training with a warning."""
    try:
        yield
    except GradientError as error:
        if training.on_nan != "stop" or error.code not in ("", "FB-NUM-01", "FB-NUM-02", "FB-NUM-03", "FB-NUM-04"):
            raise
        training.stop("the loss is not finite")
        warn(f"fit() stopped in epoch {training.epoch} after {training.step} steps: {error.fact}")


@contextmanager
def watched(training: Any) -> Iterator[None]:
    """The doctor examines before the training, and watches over it; `history.report` is what it found."""
    from ..doctor import Report, examine, watch  # noqa: PLC0415 - only where it is asked for
    from ..doctor.report import merged  # noqa: PLC0415

    step = training.training_step
    forward = None if step is None else lambda model, batch: loss_of(step(model, batch))
    before = examine(
        training.model, training.train_loader, training.loss_fn if step is None else None, training.optimizer,
        validation=training.val_loader, forward=forward,
    )  # fmt: skip
    training.report = before  # for callbacks; in the end, all that was found
    if not before.ok:
        before.show(sys.stderr)
    watching = watch(training.model, training.optimizer, quiet=True, stop_at_nan=training.on_nan != "ignore")
    try:
        with watching:
            yield
    finally:
        after = watching.report()
        training.history.report = training.report = Report(
            merged([*before.findings, *after.findings]), [*before.tables, *after.tables], after.curves,
            {**before.facts, **after.facts},
        )  # fmt: skip
