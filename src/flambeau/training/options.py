"""What `fit` is given: checked before the first step, and put into words for those who write it down."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, NotSupported
from ..nn.modules.module import Module
from ..optim import LBFGS
from .checkpoints import Checkpoint
from .stopping import EarlyStopping

EVENTS = ("on_start", "on_step", "on_epoch", "on_end", "on_error")  # the methods of a callback
OWN_COLUMNS = ("loss", "lr", "seconds", "epoch")  # of the history


def check_parts(model, train_loader, loss_fn, optimizer, step, name: str = "fit", need_optimizer: bool = True) -> None:
    """An explained error unless these are a model, a loader, a loss and an optimizer that can train together."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"{name}() takes a module as model, not {type(model).__name__}",
            why="it trains the parameters of a module",
            fix=f"pass the model first: `{name}(model, loader, loss_fn, optimizer)`",
        )
    if not isinstance(train_loader, Iterable):
        raise ArgumentTypeError(
            f"{name}() takes something that gives batches, not {type(train_loader).__name__}",
            why="it goes through it: `for batch in loader`",
            fix="use `DataLoader(dataset, batch_size=32, shuffle=True)`, or a list of batches",
        )
    if step is None and not callable(loss_fn):
        raise ArgumentTypeError(
            f"{name}() takes a function as loss_fn, not {type(loss_fn).__name__}",
            why="it calls the loss with the model's output and the target",
            fix="pass `nn.CrossEntropyLoss()`, or `step=lambda model, batch: ...` that returns the loss",
        )
    if not hasattr(optimizer, "param_groups") and (need_optimizer or optimizer is not None):
        raise ArgumentTypeError(
            f"{name}() takes an optimizer, not {type(optimizer).__name__}",
            why="it makes the steps: `optimizer.step()`",
            fix="pass one made with the parameters: `optim.Adam(model.parameters())`",
        )
    mine = {id(p) for p in model.parameters()}
    if step is None and optimizer is not None and mine:
        if not any(id(p) in mine for group in optimizer.param_groups for p in group["params"]):
            raise ArgumentError(
                f"the optimizer given to {name}() has none of the model's parameters",
                why="it would change something else, and the model would stay as it is",
                fix=f"make it with them: `optim.{type(optimizer).__name__}(model.parameters(), ...)`",
            )
    if isinstance(optimizer, LBFGS):
        raise NotSupported(
            f"{name}() cannot train with LBFGS",
            why="it evaluates the loss several times a step, through a closure",
            fix="write the loop yourself, with `optimizer.step(closure)`; `fit.plain(...)` shows one to begin with",
        )


def check_numbers(name: str, **given: Any) -> None:
    """ArgumentTypeError unless all are numbers; `steps` has to be a whole one. None stands for one left out."""
    for key, value in given.items():
        kind: Any = int if key == "steps" else (int, float)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ArgumentTypeError(
                f"{name}({key}={value!r}) is not a whole number"
                if key == "steps"
                else f"{name}({key}={value!r}) is not a number",
                why="it is counted or multiplied with",
                fix=f"look at the documentation: `help({name})`, or leave `{key}` out",
            )


def check_arguments(given: dict[str, Any]) -> None:
    """An explained error for arguments of `fit` that cannot be meant."""
    check_parts(*(given[name] for name in ("model", "train_loader", "loss_fn", "optimizer", "step")))
    if given["val_loader"] is not None and not isinstance(given["val_loader"], Iterable):
        raise ArgumentTypeError(
            f"fit() takes something that gives batches as val_loader, not {type(given['val_loader']).__name__}",
            why="it goes through it after each epoch",
            fix="use `DataLoader(dataset, batch_size=512)`, or a list of batches",
        )
    for name, kind, fix in (
        ("early_stopping", (int, EarlyStopping, type(None)), "use `early_stopping=5`"),
        ("checkpoint", (str, os.PathLike, Checkpoint, type(None)), "use `checkpoint='runs/first.pt'`"),
        ("resume", (bool, str, os.PathLike), "use `resume=True`"),
        ("metrics", (Mapping, type(None)), 'use `metrics={"accuracy": flambeau.training.accuracy}`'),
    ):
        if not isinstance(given[name], kind):
            raise ArgumentTypeError(
                f"fit() cannot take {type(given[name]).__name__} as {name}",
                why="the arguments may be in another order",
                fix=fix,  # not a message: code
            )
    for name in ("epochs", "accumulate", "max_steps"):
        value = given[name]
        if not isinstance(value, int) and not (name == "max_steps" and value is None) or isinstance(value, bool):
            raise ArgumentTypeError(
                f"fit({name}={value!r}) is not a whole number", why="it counts", fix=f"use `{name}=1`"
            )
        if value is not None and value < 1:
            raise ArgumentError(
                f"fit({name}={value}) is less than 1", why="nothing would be trained", fix=f"use `{name}=1` or more"
            )
    for name in ("clip_norm", "clip_value"):
        check_numbers("fit", **{name: given[name]})
        if given[name] is not None and not given[name] > 0:
            raise ArgumentError(
                f"fit({name}={given[name]}) is not more than 0",
                why="gradients of that size would be nothing",
                fix=f"use `{name}=1.0`, or leave it out",
            )
    if given["scheduler_every"] not in (None, "step", "epoch"):
        raise ArgumentError(
            f"fit(scheduler_every={given['scheduler_every']!r}) is neither 'step' nor 'epoch'",
            why="it says after what the scheduler is stepped",
            fix="use `scheduler_every='epoch'`, or leave it out",
        )
    if given["on_nan"] not in ("raise", "stop", "ignore"):
        raise ArgumentError(
            f"fit(on_nan={given['on_nan']!r}) is neither 'raise', 'stop' nor 'ignore'",
            why="it says what to do when the loss is not finite",
            fix="leave it out for an error that says where it began",
        )
    if given["resume"] is True and given["checkpoint"] is None:
        raise ArgumentError(
            "fit(resume=True) does not know from which file",
            why="there is no `checkpoint=`",
            fix="use `checkpoint='runs/first.pt', resume=True`, or name the file: `resume='runs/first.pt'`",
        )
    if given["seed"] is not None and (not isinstance(given["seed"], int) or isinstance(given["seed"], bool)):
        raise ArgumentTypeError(
            f"fit(seed={given['seed']!r}) is not a whole number",
            why="random numbers begin with it",
            fix="use `seed=0`, or leave it out",
        )
    for name in ("compile", "doctor", "progress"):
        if not isinstance(given[name], bool):
            raise ArgumentTypeError(
                f"fit({name}={given[name]!r}) is neither True nor False",
                why="it switches something on or off",
                fix=f"use `{name}=True` or `{name}=False`",
            )
    if given["step"] is not None and not callable(given["step"]):
        raise ArgumentTypeError(
            f"fit() takes a function as step, not {type(given['step']).__name__}",
            why="it is called with the model and a batch, and returns the loss",
            fix="use `step=lambda model, batch: ...`",
        )
    _check_metrics(given["metrics"] or {})
    _check_callbacks(given["callbacks"])
    _check_pairs(given)


def _check_metrics(metrics: Mapping) -> None:
    """Metrics are functions by name, and the history has names of its own."""
    for name, metric in metrics.items():
        if not isinstance(name, str) or not callable(metric):
            raise ArgumentTypeError(
                f"metrics={{{name!r}: {metric!r}}} is not a name and a function",
                why="the function is called with the model's outputs and the targets",
                fix='use `metrics={"accuracy": flambeau.training.accuracy}`',
            )
        if name in OWN_COLUMNS or name.startswith("val_"):
            raise ArgumentError(
                f"a metric cannot be called {name!r}",
                why="the history has a column of this name: loss, lr, seconds, and val_... for validation",
                fix=f'use another name, such as `"my_{name}"`',
            )


def _check_callbacks(callbacks: Any) -> None:
    """Callbacks are called: each has to be a function or have one of the methods."""
    if isinstance(callbacks, str) or not isinstance(callbacks, Iterable):
        raise ArgumentTypeError(
            f"fit() takes a list of callbacks, not {type(callbacks).__name__}",
            why="there may be several",
            fix="use `callbacks=[callback]`",
        )
    for callback in callbacks:
        if isinstance(callback, type):
            raise ArgumentTypeError(
                f"the callback {callback.__name__} is a class, not an object",
                why="its methods are called with the training",
                fix=f"make one: `callbacks=[{callback.__name__}(...)]`",
            )
        if not callable(callback) and not any(callable(getattr(callback, event, None)) for event in EVENTS):
            raise ArgumentTypeError(
                f"{callback!r} cannot be called back",
                why=f"it is neither a function nor has it one of the methods {', '.join(EVENTS)}",
                fix="use `callbacks=[lambda training: print(training.epoch)]`, or an object with `on_epoch(training)`",
            )


def _check_pairs(given: dict[str, Any]) -> None:
    """Arguments that exclude or need each other."""
    if given["step"] is not None and given["metrics"]:
        raise ArgumentError(
            "fit() cannot measure metrics= of a custom step=",
            why="only the step knows the outputs and targets",
            fix='return them from the step beside the loss: `return {"loss": loss, "accuracy": accuracy}`',
        )
    scheduler, optimizer = given["scheduler"], given["optimizer"]
    if scheduler is not None and (isinstance(scheduler, type) or not callable(getattr(scheduler, "step", None))):
        raise ArgumentTypeError(
            f"fit() takes a scheduler, not {scheduler!r}",
            why="it calls `scheduler.step()`",
            fix="make one with the optimizer: `optim.lr_scheduler.StepLR(optimizer, 10)`",
        )
    if scheduler is not None and getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ArgumentError(
            "the scheduler given to fit() belongs to another optimizer",
            why="it would change learning rates that nobody uses",
            fix=f"make it with the one that trains: `{type(scheduler).__name__}(optimizer, ...)`",
        )


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments as plain values: what a report shows, without what was left at its default."""
    model, loader, optimizer = given["model"], given["train_loader"], given["optimizer"]
    options = {
        k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, (int, float, tuple)) and k != "params"
    }
    settings: dict[str, Any] = {
        "model": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": _named(given["loss_fn"]),
        "optimizer": type(optimizer).__name__,
        **{name: list(v) if isinstance(v, tuple) else v for name, v in options.items() if v is not False},
        "epochs": given["epochs"],
    }
    if getattr(loader, "batch_size", None) is not None:
        settings["batch_size"] = loader.batch_size
    with contextlib.suppress(TypeError, AttributeError, NotImplementedError):  # what has no length
        settings["samples"] = len(loader.dataset)
    if given["scheduler"] is not None:
        settings["scheduler"] = type(given["scheduler"]).__name__
    if given["metrics"]:
        settings["metrics"] = list(given["metrics"])
    for name in ("clip_norm", "clip_value", "max_steps", "seed"):
        if given[name] is not None:
            settings[name] = given[name]
    if given["accumulate"] > 1:
        settings["accumulate"] = given["accumulate"]
    stopping = given["early_stopping"]
    if stopping is not None:
        settings["patience"] = stopping if isinstance(stopping, int) else stopping.patience
    settings["compile"] = given["compile"]
    return settings


def _named(function: Any) -> str:
    if isinstance(function, Module):
        return repr(function) if "\n" not in repr(function) else type(function).__name__
    return getattr(function, "__name__", type(function).__name__)
