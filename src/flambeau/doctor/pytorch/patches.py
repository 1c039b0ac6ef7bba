"""PyTorch's functions with the events that flambeau's tell of themselves: modules, loaders, schedulers, files.

Each function here takes the original and gives what is put in its place while a program is followed. What a rule cannot
cope with is kept from the program (`Following.safely`).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch

from ... import nn
from ...autograd.engine import next_number
from ...checks import distributed, events, findings, memory, modules, schedules
from ...checks.log import log
from ...errors import FlambeauError
from ...mistakes import checkpoints, samples
from ...mistakes import modules as module_mistakes
from ...optim.lr_scheduler.plateau import no_metric
from ...place import NEVER, kind_of
from ..report import of_error

_CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList)


def of_modules(me: Any) -> list[tuple]:
    """(owner, name, maker) for modules."""
    Module = torch.nn.Module

    def assigns(original):
        def __setattr__(self, name, value):
            original(self, name, value)
            kind = value.__class__
            if kind in modules.CONTAINERS or kind is torch.Tensor or name in modules.METHODS:
                with me.safely:
                    modules.assigned(self, name, value)

        return __setattr__

    def lacks(original):
        def __getattr__(self, name):
            try:
                return original(self, name)
            except AttributeError as error:
                if not name.startswith("_") and kind_of(sys._getframe(1).f_code.co_filename) != NEVER:
                    me.explain(error, lambda: module_mistakes.no_such_attribute(self, name))
                raise

        return __getattr__

    def moded(original):
        def train(self, mode=True):
            with me.safely:
                events.sets_mode(self, mode)
            return original(self, mode)

        return train

    def cleared(original):
        def zero_grad(self, *args, **kwargs):
            with me.safely:
                events.zeroes_module(_WithTwins(self, me.mirror))
            original(self, *args, **kwargs)
            for p in self.parameters():
                me.gradient(p)

        return zero_grad

    def listed(original):
        def parameters(self, recurse=True):
            yield from original(self, recurse)
            if recurse and "holders" in log.notes:
                with me.safely:
                    modules.listed(self)

        return parameters

    def taken(original):
        def state_dict(self, *args, **kwargs):
            state = original(self, *args, **kwargs)
            if not args and kwargs.get("destination") is None:
                with me.safely:
                    me.share(self, state)
                    events.takes_state(self, state)
            return state

        return state_dict

    def loaded(original):
        def load_state_dict(self, state_dict, strict=True, *args, **kwargs):
            if isinstance(state_dict, dict):
                with me.safely:
                    events.loading_state(self, state_dict)
            try:
                keys = original(self, state_dict, strict, *args, **kwargs)
            except (RuntimeError, TypeError) as error:
                me.explain(error, lambda text=str(error): _does_not_fit(me, self, state_dict, text))
                raise
            with me.safely:
                events.loads_state(self, state_dict, strict, keys)
            return keys

        return load_state_dict

    def hooks(name, table):
        def made(original):
            def register(self, *args, **kwargs):
                handle = original(self, *args, **kwargs)
                with me.safely:
                    modules.hooked(self)
                    memory.hooked(self, getattr(self, table), handle.id, next_number())
                return handle

            register.__name__ = name
            return register

        return name, made

    def filled(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            held = list(self._modules.values())
            if len({id(m) for m in held}) < len(held):
                with me.safely:
                    modules.repeated(self)

        return __init__

    found: list[tuple] = [
        (Module, "__setattr__", assigns), (Module, "__getattr__", lacks), (Module, "train", moded),
        (Module, "zero_grad", cleared), (Module, "parameters", listed), (Module, "state_dict", taken),
        (Module, "load_state_dict", loaded),
    ]  # fmt: skip
    for name, table in (
        ("register_forward_hook", "_forward_hooks"), ("register_forward_pre_hook", "_forward_pre_hooks"),
        ("register_full_backward_hook", "_backward_hooks"),
        ("register_full_backward_pre_hook", "_backward_pre_hooks"),
    ):  # fmt: skip
        found.append((Module, *hooks(name, table)))
    return found + [(kind, "__init__", filled) for kind in _CONTAINERS]


class _WithTwins:
    """A module whose parameters are given as twins."""

    def __init__(self, real, mirror):
        self._real, self._mirror = real, mirror

    def parameters(self):
        with torch._C.DisableTorchFunction():
            return [self._mirror.twin(p) for p in self._real.parameters()]


def _does_not_fit(me, module, state, text) -> FlambeauError | None:
    if not isinstance(state, dict):
        return checkpoints.not_a_state(state)
    own = module.state_dict()
    errors = [line.strip() for line in text.splitlines()[1:]]
    twins = {k: me.mirror._twins(v) for k, v in state.items()}
    missing, unexpected = [k for k in own if k not in state], [k for k in state if k not in own]
    return checkpoints.does_not_fit(module, twins, missing, unexpected, errors)


def of_tensors(me: Any) -> list[tuple]:
    """(owner, name, maker) for tensors and arrays."""

    def hooked(original):
        def register_hook(self, hook):
            handle = original(self, hook)
            if self.is_leaf and not me.mirror.busy:
                with me.safely:
                    memory.hooked(me.mirror.twin(self), self._backward_hooks, handle.id, next_number())
            return handle

        return register_hook

    def over(original):
        def from_numpy(array):
            made = original(array)
            with me.safely, torch._C.DisableTorchFunction():
                from ...ops.from_data import from_numpy as ours

                me.mirror.pairs.bind(made, ours(array))
            return made

        return from_numpy

    def saved(original):
        def save(obj, f, *args, **kwargs):
            original(obj, f, *args, **kwargs)
            with me.safely:
                events.saves(obj, f)

        return save

    def read(original):
        def load(f, *args, **kwargs):
            thing = original(f, *args, **kwargs)
            with me.safely:
                events.loads(thing, f)
            return thing

        return load

    return [
        (torch.Tensor, "register_hook", hooked), (torch, "from_numpy", over), (torch, "save", saved),
        (torch, "load", read),
    ]  # fmt: skip


def of_loaders(me: Any) -> list[tuple]:
    """(owner, name, maker) for loaders and data sets."""
    data = torch.utils.data
    from torch.utils.data._utils.fetch import _MapDatasetFetcher
    from torch.utils.data.dataloader import _BaseDataLoaderIter

    def made(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            with me.safely:
                events.made_loader(self)

        return __init__

    def begun(original):
        def __iter__(self):
            iterator = original(self)
            with me.safely:
                if "_fb_site" not in self.__dict__:
                    events.made_loader(self)
                iterator.__dict__["_fb_loader"] = self
                events.starts_loader(self, iterator)
            return iterator

        return __iter__

    def given(original):
        def __next__(self):
            began = time.perf_counter()
            batch = original(self)
            loader = self.__dict__.get("_fb_loader")
            if loader is not None:
                with me.safely:
                    events.gives(loader, self, me.mirror._twins(batch), time.perf_counter() - began)
            return batch

        return __next__

    def fetched(original):
        def fetch(self, indices):
            own, held = self.collate_fn, []

            def collate(batch):
                held.append(batch)
                return own(batch)

            self.collate_fn = collate
            try:
                return original(self, indices)
            except Exception as error:
                if held:
                    me.explain(
                        error, lambda: samples.uncollatable(self.dataset, me.mirror._twins(held[0]), list(indices))
                    )
                raise
            finally:
                self.collate_fn = own

        return fetch

    def paired(original):
        def __init__(self, *tensors):
            original(self, *tensors)
            with me.safely:
                from ...checks.data import meet

                meet(me.mirror._twins(tensors))

        return __init__

    return [
        (data.DataLoader, "__init__", made), (data.DataLoader, "__iter__", begun),
        (_BaseDataLoaderIter, "__next__", given), (_MapDatasetFetcher, "fetch", fetched),
        (data.TensorDataset, "__init__", paired),
    ]  # fmt: skip


def of_losses(me: Any) -> list[tuple]:
    """(owner, name, maker) for loss modules: whether they are built with the data."""
    home = torch.nn.modules.loss

    def made(original):
        def __init__(self, *args, **kwargs):
            reason = None
            ours = getattr(nn, type(self).__name__, None)
            if ours is not None and any(isinstance(a, torch.Tensor) for a in args):
                with me.safely, torch._C.DisableTorchFunction():
                    try:
                        ours(*me.mirror._twins(args), **me.mirror._twins(kwargs))
                    except FlambeauError as error:
                        reason = error
            try:
                original(self, *args, **kwargs)
            except Exception as error:
                me.mirror.explain(error, reason)
                raise
            finding = None if reason is None else of_error(reason)
            if finding is not None:
                findings.add(finding)

        return __init__

    kinds = [k for k in vars(home).values() if isinstance(k, type) and issubclass(k, torch.nn.Module)]
    return [(k, "__init__", made) for k in kinds if "__init__" in vars(k) and not k.__name__.startswith("_")]


def of_parallel(me: Any) -> list[tuple]:
    """(owner, name, maker) for DistributedDataParallel."""
    kind = torch.nn.parallel.DistributedDataParallel

    def made(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            with me.safely:
                distributed.wrapped(self)

        return __init__

    def called(original):
        def forward(self, *args, **kwargs):
            began = next_number()
            result = original(self, *args, **kwargs)
            with me.safely:
                distributed.passed(self, began, next_number())
            return result

        return forward

    return [(kind, "__init__", made), (kind, "forward", called)]


def of_schedulers(me: Any) -> list[tuple]:
    """(owner, name, maker) for learning-rate schedulers."""
    home = torch.optim.lr_scheduler
    kinds = [k for k in vars(home).values() if isinstance(k, type) and issubclass(k, home.LRScheduler)]

    def made(original):
        def __init__(self, *args, **kwargs):
            me.inside += 1
            try:
                original(self, *args, **kwargs)
            finally:
                me.inside -= 1
            if not me.inside:
                with me.safely:
                    events.made_scheduler(self)

        return __init__

    def stepped(original):
        def step(self, *args, **kwargs):
            if me.inside:
                return original(self, *args, **kwargs)
            me.inside += 1
            count, optimizer = getattr(self, "_step_count", 0), self.optimizer
            before = [g["lr"] for g in optimizer.param_groups]
            try:
                with me.safely:
                    events.schedules(self)
                result = original(self, *args, **kwargs)
            except TypeError as error:
                if isinstance(self, home.ReduceLROnPlateau):
                    me.explain(error, no_metric)
                raise
            finally:
                me.inside -= 1
            if count == 1 and not getattr(optimizer, "_opt_called", False):
                if not isinstance(self, home.ReduceLROnPlateau):
                    with me.safely:
                        schedules.too_early(self, before)
            return result

        return step

    return [
        (k, name, maker) for k in kinds for name, maker in (("__init__", made), ("step", stepped)) if name in vars(k)
    ]
