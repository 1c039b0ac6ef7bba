"""The events of a PyTorch program (steps, backward passes, loaders, modes, schedulers, seeds...), told to the checks.

PyTorch's own classes are patched for as long as a `Following` is open, and put back exactly as they were.
"""

from __future__ import annotations

import inspect
import os
import time
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ... import optim
from ...autograd.engine import next_number
from ...checks import events
from ...checks.log import log
from ...place import foreign, hide
from ...tensor import wrap
from .mirror import Mirror, array_of

hide(os.path.dirname(torch.__file__))
CLOSE = 8  # steps that are followed operation by operation; further ones by their events only
AGAIN = 256  # ... but for one step in so many


class Following:
    """Follows a PyTorch program within its `with` block: operations by a `Mirror`, the rest by events."""

    def __init__(self, always: bool = False):
        self.mirror = Mirror()
        self.always = always
        self._twins: dict[int, Any] = {}  # of optimizers
        self._steps = 0
        self._patches: list[tuple[Any, str, Any, bool]] = []

    def __enter__(self):
        foreign.append(torch.nn.Module)
        me, optimizer = self, torch.optim.Optimizer
        self._handles = [
            register_optimizer_step_pre_hook(self._step),
            register_optimizer_step_post_hook(self._stepped),
        ]

        def made(original):
            def __init__(self, *args, **kwargs):
                original(self, *args, **kwargs)
                if log.on:
                    events.made_optimizer(me.optimizer(self))

            return __init__

        def zeroed(original):
            def zero_grad(self, *args, **kwargs):
                events.zeroes(me.optimizer(self))
                original(self, *args, **kwargs)
                me._gradients(self)

            return zero_grad

        def backwards(original):
            def backward(self, *args, **kwargs):
                return me._backward(original, self, args, kwargs)

            return backward

        def scheduled(original):
            def step(self, *args, **kwargs):
                if not getattr(self, "_is_initial", False) and getattr(self, "_step_count", 0) > 0:
                    events.schedules(self)
                return original(self, *args, **kwargs)

            return step

        def seeded(original):
            def manual_seed(seed):
                events.seeds(seed)
                return original(seed)

            return manual_seed

        def moded(original):
            def train(self, mode=True):
                events.sets_mode(self, mode)
                return original(self, mode)

            return train

        def clipped(original):
            def clip(parameters, *args, **kwargs):
                held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
                events.clips([me.mirror.twin(p) for p in held])
                return original(held, *args, **kwargs)

            return clip

        self._patch(optimizer, "__init__", made)
        self._patch(optimizer, "zero_grad", zeroed)
        self._patch(torch.Tensor, "backward", backwards)
        self._patch(torch.optim.lr_scheduler.LRScheduler, "step", scheduled)
        self._patch(torch, "manual_seed", seeded)
        self._patch(torch.nn.Module, "train", moded)
        self._patch(torch.nn.utils, "clip_grad_norm_", clipped)
        self._patch(torch.nn.utils, "clip_grad_value_", clipped)
        self._patch(torch.utils.data.DataLoader, "__iter__", self._loaded)
        self.mirror.__enter__()
        return self

    def __exit__(self, *exc):
        self.mirror.__exit__(*exc)
        for owner, name, original, own in reversed(self._patches):
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)
        for handle in self._handles:
            handle.remove()
        foreign.remove(torch.nn.Module)

    def _patch(self, owner, name, make):
        original = getattr(owner, name)
        self._patches.append((owner, name, original, name in vars(owner)))
        setattr(owner, name, make(original))

    # ------------------------------------------------------------------ optimizers

    def optimizer(self, real) -> Any:
        """The twin of an optimizer: its class, options and parameter groups, with twins of the parameters."""
        found = self._twins.get(id(real))
        with torch._C.DisableTorchFunction():
            groups = [{**g, "params": [self.mirror.twin(p) for p in g["params"]]} for g in real.param_groups]
        if found is None or found._fb_real is not real:
            found = self._twins[id(real)] = _twin_of(real, groups)
        found.param_groups = groups
        self._gradients(real)
        return found

    def _gradients(self, real) -> None:
        """Give the twins of an optimizer's parameters the gradients that their originals have."""
        with torch._C.DisableTorchFunction():
            for group in real.param_groups:
                for p in group["params"]:
                    self._gradient(p)

    def _gradient(self, p: Any) -> None:
        twin: Any = self.mirror.twin(p)
        if p.grad is None:
            twin._grad = None
            return
        self._take_over(twin, p.grad, twin._grad)

    @staticmethod
    def _take_over(twin: Any, g: Any, held: Any) -> None:
        same = held is not None and getattr(held, "_fb_real", None) is g
        if not same:
            array = array_of(g)
            if array is not None:
                twin._grad = _marked(wrap(array), g)
        elif g._version != held._fb_version:
            held._bump()
            _marked(held, g)

    def _step(self, real, args, kwargs):
        given = args if args and args[0] is real else (real, *args)
        real.__dict__["_fb_stepping"] = events.steps(self.optimizer(real), given, kwargs)

    def _stepped(self, real, args, kwargs):
        state_of = real.__dict__.pop("_fb_stepping", None)
        if state_of is not None:
            events.stepped(self.optimizer(real), state_of)
        self._steps += 1
        self.mirror.following = self.always or self._steps < CLOSE or self._steps % AGAIN == 0

    # ------------------------------------------------------------------ backward passes, loaders

    def _backward(self, original, root, args, kwargs):
        with torch._C.DisableTorchFunction():
            if root.numel() != 1 and not args and kwargs.get("gradient") is None or not root.requires_grad:
                self.mirror._explain(torch.Tensor.backward, "backward", (root,), {})
                return original(root, *args, **kwargs)
            twin = self.mirror.twin(root) if self.mirror.following else self.mirror._over(root)
        roots = (twin,)
        events.backward_begins(roots)
        original(root, *args, **kwargs)
        with torch._C.DisableTorchFunction():
            reached = _leaves(root)
            for leaf in reached:
                self._gradient(leaf)
            leaves = [self.mirror.twin(leaf) for leaf in reached]
        events.backward_ended(roots, leaves, twin._node, next_number())

    def _loaded(self, original):
        me = self

        def __iter__(self):
            iterator = original(self)
            if getattr(self, "_fb_site", None) is None:
                events.made_loader(self)
            events.starts_loader(self, iterator)
            return _Batches(me, self, iterator)

        return __iter__


class _Batches:
    """An iterator over a loader that tells of each batch."""

    def __init__(self, following, loader, iterator):
        self.following, self.loader, self.iterator = following, loader, iterator

    def __iter__(self):
        return self

    def __len__(self):
        return len(self.iterator)

    def __getattr__(self, name):
        return getattr(self.iterator, name)

    def __next__(self):
        began = time.perf_counter()
        data = next(self.iterator)
        events.gives(self.loader, self.iterator, self.following.mirror._twins(data), time.perf_counter() - began)
        return data


def _marked(twin: Any, real: Any) -> Any:
    twin._fb_real, twin._fb_version = real, real._version
    return twin


def _twin_of(real, groups) -> Any:
    """An optimizer of flambeau's with the class name and options of another one; it can step where flambeau has it."""
    kind = getattr(optim, type(real).__name__, None)
    on, log.on = log.on, False  # not one that the program has made
    try:
        if isinstance(kind, type) and issubclass(kind, optim.Optimizer):
            known = inspect.signature(kind).parameters
            options = {k: v for k, v in real.defaults.items() if k in known and k != "params"}
            made = kind([{"params": g["params"]} for g in groups], **options)
        else:
            made = optim.Optimizer([{"params": g["params"]} for g in groups], {})
            made.__class__ = type(type(real).__name__, (optim.Optimizer,), {})
    finally:
        log.on = on
    made.__dict__.update(_fb_real=real, defaults=dict(real.defaults))
    return made


def _leaves(root) -> list:
    """The leaf tensors behind a tensor, by PyTorch's graph."""
    stack, seen, found = [root.grad_fn] if root.grad_fn is not None else [], set(), []
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found.append(variable)
        stack += [n for n, _ in node.next_functions]
    return found
