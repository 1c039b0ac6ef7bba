"""Training over several processes: everybody reads the same data (FB-DIST-01), the wrapper is bypassed (FB-DIST-02).

How many processes there are is known from the process group, or from WORLD_SIZE, which torchrun sets: a script that
divides nothing does not need a group to be wrong.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any

from ..autograd.mode import state as grad_mode
from . import events
from .findings import found
from .follow import name_of
from .log import log
from .registry import library_class, parameters
from .safety import safe
from .sites import user_site

# ------------------------------------------------------------------ FB-DIST-01


def _world() -> int:
    """The number of processes that take part."""
    package = sys.modules.get("flambeau.distributed")
    size = package.get_world_size() if package is not None and package.is_initialized() else 1
    text = os.environ.get("WORLD_SIZE", "")
    return max(size, int(text) if text.isdigit() else 1)


class _Pass:
    """The last pass over one loader: steps of optimizers when it began and when it gave its last batch."""

    __slots__ = ("began", "epoch", "last", "recorded")

    def __init__(self, epoch):
        self.epoch = epoch
        self.began = self.last = log.steps
        self.recorded = grad_mode.grad

    def trained(self) -> bool:
        """Whether the pass was one of training; of a program that never steps, whether gradients were on."""
        return self.recorded and (self.last > self.began or log.steps == 0)


def _started(loader, iterator) -> None:
    sampler: Any = getattr(loader, "sampler", None)
    inner = getattr(loader.batch_sampler, "sampler", sampler)
    shares = next((s for s in (sampler, inner) if library_class(s) == "DistributedSampler"), None)
    if shares is None and "WORLD_SIZE" not in os.environ:
        return
    before = loader.__dict__.get("_fb_pass")
    loader.__dict__["_fb_pass"] = _Pass(shares.epoch if shares is not None else None)
    if shares is None:
        _not_shared(loader, sampler, before)
    elif shares.shuffle and before is not None and before.epoch == shares.epoch and before.trained() and grad_mode.grad:
        name = name_of(shares, "sampler")
        found(
            "FB-DIST-01",
            cause="epoch",
            saw=f"`{name_of(loader, 'loader')}` begins another pass, and its DistributedSampler is still at epoch "
            f"{shares.epoch}",
            why="the sampler shuffles by seed + epoch: without `set_epoch` each epoch has the same order",
            fix=f"call `{name}.set_epoch(epoch)` at the start of each epoch",
        )


def _not_shared(loader, sampler, before) -> None:
    """Several processes and a loader that divides nothing: does it train?"""
    world = _world()
    dataset: Any = loader.dataset
    plain = loader.batch_sampler is None or library_class(loader.batch_sampler) == "BatchSampler"
    if (
        world < 2
        or not plain
        or library_class(dataset) == "Subset"
        or not hasattr(dataset, "__getitem__")
        or not grad_mode.grad
    ):
        return  # a subset may be this rank's share
    trains = (
        library_class(sampler) == "RandomSampler"
        or library_class(sampler) == "SequentialSampler"
        and before is not None
        and before.last > before.began
    )
    if trains:
        name = name_of(loader, "loader")
        data = name_of(dataset, "data")
        found(
            "FB-DIST-01",
            cause="same data",
            saw=f"{world} processes iterate `{name}`, and it has no DistributedSampler",
            why=f"each process reads all samples, so each epoch sees every sample {world} times",
            fix=f"pass `sampler=DistributedSampler({data})` instead of shuffle, and call `sampler.set_epoch(epoch)`",
            world=world,
        )


def _given(loader, iterator, data, seconds) -> None:
    held = loader.__dict__.get("_fb_pass")
    if held is not None:
        held.last = log.steps


# ------------------------------------------------------------------ FB-DIST-02

LOOKED_AT = 50  # backward passes through a wrapped module


class _Wrapper:
    """A parallel wrapper and the graph nodes that its calls made: (first number, last number)."""

    def __init__(self, wrapper):
        self.wrapper = weakref.ref(wrapper)
        self.calls: list[tuple[int, int]] = []
        self.left = LOOKED_AT


@safe
def wrapped(wrapper) -> None:
    """A DistributedDataParallel was made."""
    log.notes.setdefault("wrappers", {})[id(wrapper)] = _Wrapper(wrapper)
    events.put(events.before_backward, _through)


@safe
def passed(wrapper, began: int, ended: int) -> None:
    """A wrapper was called: its nodes have numbers between these."""
    held = log.notes.get("wrappers", {}).get(id(wrapper))
    if held is not None:
        held.calls = [*held.calls[-63:], (began, ended)]


def _through(roots) -> None:
    """Before a backward pass: do the parameters of a wrapped module take part only past the wrapper?"""
    wrappers = log.notes.get("wrappers", {})
    if not wrappers:
        events.retire(events.before_backward, _through)
        return
    nodes = None
    for key, held in list(wrappers.items()):
        wrapper = held.wrapper()
        held.left -= 1
        if wrapper is None or held.left < 0:
            del wrappers[key]
            continue
        nodes = events.graph(roots) if nodes is None else nodes
        ids = {id(p) for p in parameters(wrapper.module)}
        users = [n for n in nodes for e in n.edges if e is not None and e[1] == -1 and id(e[0]) in ids]
        if users and not any(a < n.seq < b for n in users for a, b in held.calls):
            inner, outer = name_of(wrapper.module, "model"), name_of(wrapper, "ddp")
            found(
                "FB-DIST-02",
                level="W",
                saw=f"the loss was computed with `{inner}` itself, although `{outer}` wraps it",
                why="gradients are averaged over the processes only if the forward pass goes through the wrapper: the "
                "copies of the model drift apart",
                fix=f"call `{outer}(...)` in place of `{inner}(...)`",
                at=user_site(),
            )


events.loader_started.append(_started)
events.batch_given.append(_given)
