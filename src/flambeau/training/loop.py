"""`fit`: a training loop with everything around the step that a training wants, in code that can be read.

`Training.run` is the loop; what a step does is in steps.py, what is kept of it in checkpoints.py, what happens before
and after it in surroundings.py. `fit.plain` gives the program that does the same without it.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import flambeau as fb

from ..errors import ArgumentError
from ..nn.modules.module import Module
from ..optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau
from . import checkpoints
from .checkpoints import Checkpoint
from .history import History
from .means import Means
from .options import EVENTS, check_arguments, settings_of
from .program import program
from .steps import (
    Options,
    batch_size,
    check_batch,
    check_loss,
    explain,
    loss_of,
    make_step,
    not_finite,
    warn_if_not_compiled,
)
from .stopping import EarlyStopping
from .surroundings import surrounded

PER_STEP = (OneCycleLR, CyclicLR)  # schedulers that are made to be stepped after each optimizer step
LOOK = 5  # after so many steps it is known whether the step could be compiled


class Training:
    """A training while it runs: what `fit` makes, and what callbacks are given.

    A callback is a function of the training, called after each epoch; or an object with any of the methods
    `on_start(training)`, `on_step(training)`, `on_epoch(training)`, `on_end(training)`,
    `on_error(training, error)`. `stop(reason)` ends the training after the step, or epoch, that is running.

    Attributes: model, train_loader, val_loader, loss_fn, optimizer, scheduler, as given; epochs, epoch (the one that
    runs, from 1), step (optimizer steps so far), batch (batches of this epoch so far), batches (of an epoch; None if
    not known), loss (of the last step, a tensor without graph), means (of this epoch so far: "loss" and metrics),
    history, settings (the arguments of `fit` as plain values), started (time.time() of the start), stopped (why it
    ends early), report (what the doctor found).
    """

    def __init__(
        self, model, train_loader, loss_fn, optimizer, *, epochs, val_loader, metrics, scheduler, scheduler_every,
        early_stopping, checkpoint, resume, clip_norm, clip_value, accumulate, compile, doctor, callbacks, progress,
        step, max_steps, seed, on_nan,
    ):  # fmt: skip
        callbacks = list(callbacks) if isinstance(callbacks, Iterator) else callbacks  # looked at twice
        check_arguments(locals())
        self.settings = settings_of(locals())
        self.model, self.train_loader, self.val_loader = model, train_loader, val_loader
        self.loss_fn, self.optimizer, self.scheduler = loss_fn, optimizer, scheduler
        self.epochs, self.max_steps, self.metrics = epochs, max_steps, dict(metrics or {})
        self.scheduler_every = scheduler_every or ("step" if isinstance(scheduler, PER_STEP) else "epoch")
        self.stopping = EarlyStopping(early_stopping) if isinstance(early_stopping, int) else early_stopping
        self.checkpoint = Checkpoint(checkpoint) if isinstance(checkpoint, (str, os.PathLike)) else checkpoint
        self.resume, self.accumulate, self.training_step, self.on_nan = resume, accumulate, step, on_nan
        self.wants_progress, self.wants_doctor, self.seed = progress, doctor, seed
        self.options = Options(accumulate, clip_norm, clip_value, step is not None, bool(metrics), compile)
        self._take = make_step(self.options, model, loss_fn, optimizer, step)
        self.callbacks = list(callbacks)
        self.batches = length(train_loader)
        self.finished = self.epoch = self.step = self.batch = 0
        self.loss: Any = None
        self.means = Means()
        self.history = History(monitor=self.stopping.monitor if self.stopping else None)
        self.stopped, self.report = "", None
        self.started = time.time()
        self._loaders = [train_loader] + ([val_loader] if val_loader is not None else [])
        self._epoch_random: Any = None
        self._resumed: Any = None
        self.interrupted = False  # by Ctrl-C, which waits for the step that is running

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """The loop."""
        while self.finished < self.epochs and not self.stopped:
            began, self.epoch = time.perf_counter(), self.finished + 1
            self.model.train()
            batches = self.begin_epoch()
            while not self.stopped and (group := list(islice(batches, self.accumulate))):
                self.take(group)
                if self.scheduler_every == "step" and self.scheduler is not None:
                    self.scheduler.step()
                self.after_step()
            if self.batch == 0:
                raise no_batches("train_loader", self.epoch)
            row = {**self.means.values(), **self.validate(), "lr": self.rate()}
            self.end_epoch({**row, "seconds": time.perf_counter() - began})

    def begin_epoch(self) -> Iterator:
        """The batches of an epoch; those that are left of it where a checkpoint was made."""
        samplers: list[Any] = [getattr(self.train_loader, name, None) for name in ("sampler", "batch_sampler")]
        for sampler in samplers:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(self.finished)
        if self.batch:  # resumed: the order is drawn as it was, then all random states are what they were here
            checkpoints.set_random_states(self._epoch_random, self._loaders)
            states, self._resumed = self._resumed, None
            batches = checkpoints.skipped(self.train_loader, self.batch)
            checkpoints.set_random_states(states, self._loaders)
            return batches
        self._epoch_random = checkpoints.random_states(self._loaders) if self.checkpoint else None
        self.means = Means()
        return iter(self.train_loader)

    def take(self, group: list) -> None:
        """One step, on the batches of a group."""
        if self.training_step is None:
            for batch in group:
                check_batch(batch, "train_loader")
        first = group[0]
        try:
            if self.accumulate > 1:
                result = self._take(group)
            else:
                result = self._take(*first) if self.training_step is None else self._take(first)
        except Exception as error:
            explain(error)
            raise
        self.loss, seen = result if isinstance(result, tuple) else (result, None)
        sizes = [batch_size(batch if self.training_step else batch[1]) for batch in group]
        value = self.loss.item()
        self.means.add({"loss": value}, sum(sizes))
        if seen is not None:
            for batch, size, one in zip(group, sizes, seen if self.accumulate > 1 else [seen]):
                self.means.add(self.measured(batch, one), size)
        self.step += 1
        self.batch += len(group)
        if value - value != 0 and self.on_nan != "ignore":
            raise not_finite(value, self.epoch, self.step)

    def measured(self, batch: Any, seen: Any) -> dict[str, Any]:
        """The metrics of a batch, from the model's output or from what a custom step returned."""
        if self.training_step is not None:
            return {k: v for k, v in seen.items() if k != "loss"} if isinstance(seen, dict) else {}
        with fb.no_grad():
            return {name: metric(seen, batch[1]) for name, metric in self.metrics.items()}

    def validate(self) -> dict[str, float]:
        """Means over the validation data, in evaluation mode: "val_loss" and the metrics."""
        if self.val_loader is None:
            return {}
        self.model.eval()
        means = Means()
        with fb.no_grad():
            for batch in self.val_loader:
                if self.training_step is not None:
                    seen = self.training_step(self.model, batch)
                    loss, size = loss_of(seen), batch_size(batch)
                else:
                    check_batch(batch, "val_loader")
                    inputs, targets = batch
                    seen = self.model(inputs)
                    loss, size = self.loss_fn(seen, targets), batch_size(targets)
                check_loss(loss)
                means.add({"loss": loss, **self.measured(batch, seen)}, size)
        if not means.counts:
            raise ArgumentError(
                "val_loader gave no batches",
                why="there is nothing to validate on: the data set is empty, or an iterator that was used up",
                fix="give a loader over data, which can be gone through once per epoch, or leave val_loader out",
            )
        return {f"val_{name}": value for name, value in means.values().items()}

    # ------------------------------------------------------------------ what surrounds it

    def after_step(self) -> None:
        """What is due between two steps: callbacks, a checkpoint, the end."""
        self.tell("on_step")
        if self.step == self.max_steps:
            self.stop(f"max_steps={self.max_steps}")
        if self.checkpoint is not None and (self.checkpoint.due(self.step) or self.stopped or self.interrupted):
            self.checkpoint.write(self.state_dict())
        if self.interrupted:
            raise KeyboardInterrupt
        if self.step == LOOK:
            warn_if_not_compiled(self._take)

    def end_epoch(self, row: dict[str, float]) -> None:
        """An epoch has ended, perhaps early: its numbers are noted, and everybody learns of them."""
        whole = not self.stopped
        self.finished, self.batch = self.epoch, 0
        self.history.append(row)
        self.history.step = self.step
        if self.scheduler is not None and self.scheduler_every == "epoch":
            if isinstance(self.scheduler, ReduceLROnPlateau):
                self.scheduler.step(row.get("val_loss", row["loss"]))
            else:
                self.scheduler.step()
        if self.stopping is not None and self.stopping.after(row, self.epoch, self.model):
            self.stop(f"no better {self.stopping.column} for {self.stopping.waited} epochs")
        self.tell("on_epoch")
        if self.checkpoint is not None and whole:
            better = self.checkpoint.best is not None and self.checkpoint.best.improved(row, self.epoch)
            state = self.state_dict()
            self.checkpoint.write(state)
            if better:
                self.checkpoint.write(state, best=True)
        if self.interrupted:
            raise KeyboardInterrupt

    def stop(self, reason: str = "a callback") -> None:
        """End the training after what is running now; callbacks may call it. The reason is kept as `stopped`."""
        self.stopped = self.stopped or reason

    def rate(self) -> float:
        """The learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def tell(self, event: str, *details: Any) -> None:
        """Call the callbacks that want to know of an event."""
        for callback in self.callbacks:
            method = getattr(callback, event, None)
            if method is not None:
                method(self, *details)
            elif event == "on_epoch" and callable(callback) and not any(hasattr(callback, e) for e in EVENTS):
                callback(self)

    def state_dict(self) -> dict[str, Any]:
        """Everything from which the training goes on as if it had not been interrupted."""
        return {
            "kind": checkpoints.KIND,
            "version": checkpoints.VERSION,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "epoch": self.finished,
            "batch": self.batch,
            "step": self.step,
            "random": checkpoints.random_states(self._loaders),
            "epoch_random": self._epoch_random,
            "means": self.means.state_dict(),
            "history": dict(self.history.columns),
            "stopping": None if self.stopping is None else self.stopping.state_dict(),
            "best": self.checkpoint.best.state_dict() if self.checkpoint and self.checkpoint.best else None,
        }

    def load_state_dict(self, state: dict[str, Any], path: Any) -> None:
        """Go on from a state that a checkpoint held."""
        for part in ("model", "optimizer", "scheduler"):
            checkpoints.put_back(state, part, getattr(self, part), path)
        self.finished, self.batch, self.step = state["epoch"], state["batch"], state["step"]
        self._epoch_random, self._resumed = state["epoch_random"], state["random"]
        self.means.load_state_dict(state["means"])
        self.history.columns = {name: list(values) for name, values in state["history"].items()}
        self.history.step = self.step
        if self.stopping is not None and state["stopping"] is not None:
            self.stopping.load_state_dict(state["stopping"])
            if self.stopping.waited >= self.stopping.patience:
                self.stop(f"no better {self.stopping.column} for {self.stopping.waited} epochs")
        if self.checkpoint is not None and self.checkpoint.best is not None and state["best"] is not None:
            self.checkpoint.best.load_state_dict(state["best"])
        checkpoints.set_random_states(state["random"], self._loaders)


def length(loader: Any) -> int | None:
    """How many batches a loader gives; None if it does not say."""
    try:
        return len(loader)
    except (TypeError, AttributeError, NotImplementedError):
        return None


def no_batches(loader: str, epoch: int = 1) -> ArgumentError:
    """The error of a loader, named as the argument that it was, that gives nothing."""
    if epoch == 1:
        return ArgumentError(
            f"{loader} gave no batches",
            why="the data set is empty, or smaller than a batch with `drop_last=True`",
            fix="look at `len(dataset)`: the path may be wrong, or a filter too strict",
        )
    return ArgumentError(
        f"{loader} gave no batches in epoch {epoch}",
        why="it is an iterator, which can be gone through only once",
        fix="give a DataLoader or a list, which begin again in each epoch; or use `epochs=1`",
    )


def fit(
    model: Module,
    train_loader: Iterable,
    loss_fn: Callable | None,
    optimizer: Any,
    *,
    epochs: int = 1,
    val_loader: Iterable | None = None,
    metrics: Mapping[str, Callable] | None = None,
    scheduler: Any = None,
    scheduler_every: str | None = None,
    early_stopping: int | EarlyStopping | None = None,
    checkpoint: str | os.PathLike | Checkpoint | None = None,
    resume: bool | str | os.PathLike = False,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    compile: bool = False,
    doctor: bool = False,
    callbacks: Iterable[Any] = (),
    progress: bool = True,
    step: Callable | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    on_nan: str = "raise",
) -> History:
    """Train a model: the usual loop, with what one usually adds to it.

    Arguments:
        model, train_loader, loss_fn, optimizer: as in a loop of one's own. The loader gives (inputs, targets); for
            other batches see `step`.
        epochs: passes over the training data.
        val_loader: data to validate on after each epoch.
        metrics: name -> function of (outputs, targets), averaged over samples in training and validation.
        scheduler: a learning-rate scheduler. `scheduler_every`: stepped after each "epoch" or each "step"; default:
            "step" for OneCycleLR and CyclicLR, "epoch" for others. ReduceLROnPlateau gets "val_loss", or "loss".
        early_stopping: stop after so many epochs without a better "val_loss" (or "loss"), or an `EarlyStopping`.
        checkpoint: where to keep the state, or a `Checkpoint`.
        resume: True goes on from `checkpoint` if it is there; a path goes on from that file. The weights are to the
            bit those of an uninterrupted training.
        clip_norm, clip_value: limits of the norm of all gradients, and of each element.
        accumulate: batches whose gradients are added up for one step, so that all their samples count alike.
        compile: run the step through `torch.compile`; a warning says why, if it cannot be.
        doctor: examine model and data before training and watch over it; `history.report` says what was found.
        callbacks: functions of the `Training`, called after each epoch, or objects with any of the methods
            on_start, on_step, on_epoch, on_end, on_error; see `Training`.
        progress: show a bar and a line for each epoch.
        step: `step(model, batch)` returns the loss, or a dictionary of "loss" and further values to average.
        max_steps: stop after so many optimizer steps.
        seed: seeds the random numbers of flambeau, NumPy and Python before training.
        on_nan: "raise" an error that says where a loss that is not finite began, before the weights are changed by it;
            "stop" training with a warning, or "ignore" it.

    Returns: the `History`: a list for each column, a value for each epoch.

    An error that ends the training comes through as it is, with the history so far as its attribute `history`; so does
    Ctrl-C, once the step that is running has ended and a checkpoint is written (a second Ctrl-C does not wait).
    `print(fit.plain(...))` with the same arguments shows the loop that is run, as a program of its own.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> net, x = torch.nn.Linear(3, 1), torch.randn(64, 3)
    >>> loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), 16)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> history = torch.fit(net, loader, torch.nn.MSELoss(), optimizer, epochs=5, progress=False)
    >>> history.epochs, history["loss"][-1] < history["loss"][0]
    (5, True)
    """
    given = dict(locals())
    training = Training(
        given.pop("model"), given.pop("train_loader"), given.pop("loss_fn"), given.pop("optimizer"), **given
    )
    with surrounded(training):
        training.run()
    return training.history


def plain(*args: Any, **kwargs: Any) -> str:
    """The program that does what `fit` does with these arguments, to be printed, run, and changed.

    Nothing is trained. The program expects the arguments under the names of `fit`'s parameters.

    >>> import flambeau as torch
    >>> net = torch.nn.Linear(3, 1)
    >>> print(torch.fit.plain(net, [], torch.nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=0.1), epochs=5))
    # Needs: model, train_loader, loss_fn, optimizer
    import flambeau as torch
    <BLANKLINE>
    for epoch in range(1, 6):
        model.train()
        total, count = 0.0, 0
        for inputs, targets in train_loader:
            loss = loss_fn(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(targets)
            count += len(targets)
        print(f"epoch {epoch}/5  loss {total / count:.4g}")
    """
    given = inspect.signature(fit).bind(*args, **kwargs)
    given.apply_defaults()
    return program(Training(**given.arguments))


fit.plain = plain  # type: ignore[attr-defined]
