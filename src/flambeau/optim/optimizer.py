"""Optimizer: parameter groups, state, saving, loading and hooks. What one step computes is in the other files."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from .. import dtypes
from ..checks import events
from ..checks.leaves import not_optimizable
from ..checks.log import EARLY, log
from ..errors import ArgumentError, ArgumentTypeError, StateError
from ..kernels.record import listeners
from ..language import warn
from ..mistakes.modules import no_parameters, parameters_of
from ..tensor import Tensor
from ..utils.hooks import RemovableHandle

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
_step_pre_hooks: OrderedDict = OrderedDict()
_step_post_hooks: OrderedDict = OrderedDict()


class _Required:
    """Default of an option that every parameter group must set."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()


def register_optimizer_step_pre_hook(hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer.

    Returns: a handle; its `remove()` takes the hook away.

    >>> import flambeau as torch
    >>> from flambeau.optim.optimizer import register_optimizer_step_pre_hook
    >>> handle = register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: print("before"))
    >>> torch.optim.SGD([torch.zeros(1)], lr=0.1).step()
    before
    >>> handle.remove()
    """
    return _register(_step_pre_hooks, hook)


def register_optimizer_step_post_hook(hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer.

    Returns: a handle; its `remove()` takes the hook away.

    >>> import flambeau as torch
    >>> from flambeau.optim.optimizer import register_optimizer_step_post_hook
    >>> handle = register_optimizer_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
    >>> torch.optim.SGD([torch.zeros(1)], lr=0.1).step()
    stepped
    >>> handle.remove()
    """
    return _register(_step_post_hooks, hook)


def _register(table: OrderedDict, hook, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def scalar_tensor(value: float) -> Tensor:
    """A number kept in the state: float32, or float64 where that is the default dtype."""
    wide = dtypes.get_default_dtype() is dtypes.float64
    return Tensor.wrap(np.array(value, np.float64 if wide else np.float32))


def _with_hooks(step):
    """`step` between the hooks; nothing but two lookups when there are none."""

    @functools.wraps(step)
    def hooked(*args, **kwargs):
        self = args[0]
        self._opt_called = True  # read by schedulers, which warn when they are stepped first
        if self._stepping:  # a subclass may call super().step(): hooks and checks come once
            return step(*args, **kwargs)
        before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        state = None
        if log.on:
            known = self.__dict__.get("_fb_state")
            if known is None or known.steps < EARLY or events.before_step or events.after_step or events.retired:
                state = events.steps(self, args, kwargs)
            else:  # in steady state a step is counted
                log.steps += 1
                known.steps += 1
                known.backwards_at_step = log.backwards
        self._stepping = True
        try:
            if not (before or after or _step_pre_hooks or _step_post_hooks):
                return step(*args, **kwargs)
            for hook in [*_step_pre_hooks.values(), *before.values()]:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise StateError(
                            f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}.",
                            why="what a hook returns replaces the arguments of step",
                            fix="return `(args, kwargs)`, with args a tuple and kwargs a dict, or return nothing",
                        )
                    args, kwargs = changed
            result = step(*args, **kwargs)
            for hook in [*after.values(), *_step_post_hooks.values()]:
                hook(self, args, kwargs)
            return result
        finally:
            self._stepping = False
            if state is not None and (events.after_step or state.steps <= EARLY):
                events.stepped(self, state)

    return hooked


class Optimizer:
    """Base class of all optimizers.

    Arguments:
        params: tensors, (name, tensor) pairs, or dicts with "params" and the options of that group.
        defaults: options of groups that do not set them.

    A subclass defines `step(closure=None)`. `param_groups` is a list of dicts (read and changed at any time, by
    schedulers for example), `state` maps each parameter to what the optimizer remembers about it.

    >>> import flambeau as torch
    >>> w, b = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(1))
    >>> optimizer = torch.optim.SGD([{"params": [w]}, {"params": [b], "lr": 0.5}], lr=0.1)
    >>> [group["lr"] for group in optimizer.param_groups]
    [0.1, 0.5]
    """

    _opt_called = False
    _stepping = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])

    def __init__(self, params, defaults: dict):
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.type()}",
                why="a tensor alone is no list of parameters, although it can be iterated over",
                fix="use `[tensor]`, or `model.parameters()`",
            )
        self.defaults = defaults
        self._start_hooks()
        self.state: defaultdict = defaultdict(dict)
        self.param_groups: list[dict] = []
        origin = parameters_of(params)  # a generator says no more once it has been read
        groups = list(params)
        if not groups:
            raise no_parameters(type(self).__name__, origin)
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)
        if log.on:
            events.made_optimizer(self)

    def _start_hooks(self):
        self._optimizer_step_pre_hooks: OrderedDict = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict = OrderedDict()
        self._optimizer_state_dict_pre_hooks: OrderedDict = OrderedDict()
        self._optimizer_state_dict_post_hooks: OrderedDict = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: OrderedDict = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: OrderedDict = OrderedDict()

    # ------------------------------------------------------------------ use

    def step(self, closure=None):
        """Update the parameters once. `closure` computes the loss again where an optimizer needs it."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or fill them with zeros when `set_to_none` is False."""
        if log.on and (log.of(self).steps <= EARLY or events.zeroed):
            events.zeroes(self)
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none and not listeners:
                    p._grad = None
                elif p.grad is None and (not listeners or not set_to_none):
                    continue
                elif set_to_none:
                    p.grad = None
                else:
                    if p.grad.grad_fn is not None:
                        p.grad.detach_()
                    else:
                        p.grad.requires_grad_(False)
                    p.grad.zero_()

    def add_param_group(self, param_group: dict) -> None:
        """Let the optimizer also update `param_group["params"]`, with the options in that dict."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(
                f"param_group must be a dict, but got {type(param_group)}",
                why="a group holds parameters and their own options",
                fix="use `{'params': [...], 'lr': 0.01}`",
            )
        params, names = _named(param_group["params"])
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for param in params:
            if not isinstance(param, Tensor):
                raise ArgumentTypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {_typename(param)}",
                    why="the values of parameters are changed in place",
                    fix="use `model.parameters()`; for options per group write `[{'params': ..., 'lr': ...}, "
                    "{'params': ...}]`",
                )
            if not self.defaults.get("differentiable", None) and not (param.is_leaf or param.retains_grad):
                raise not_optimizable(param)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ArgumentError(
                    f"parameter group didn't specify a value of required optimization parameter {name}",
                    why=f"{type(self).__name__} has no default for it",
                    fix=f"use `{{'params': ..., '{name}': value}}`",
                )
            param_group.setdefault(name, default)
        if len(params) != len(set(params)):
            warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an "
                "error; see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        if self.param_groups and ("param_names" in param_group) != ("param_names" in self.param_groups[0]):
            raise ArgumentError(
                "all optimizer param groups should be with/without names. "
                "cannot add param group with names to the optimizer"
                if "param_names" in param_group
                else "all optimizer param groups should be with/without names. "
                "cannot add param group without names to the optimizer",
                why="the names are saved with the state, for all parameters or for none",
                fix="use `named_parameters()` for all groups, or `parameters()` for all",
            )
        held = {p for group in self.param_groups for p in group["params"]}
        if not held.isdisjoint(params):
            raise ArgumentError(
                "some parameters appear in more than one parameter group",
                why="each parameter is updated once per step, with the options of one group",
                fix="leave them out of one group, e.g. by their ids: `ids = {id(p) for p in head}`, `[p for p in "
                "model.parameters() if id(p) not in ids]`",
            )
        self.param_groups.append(param_group)

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict:
        """What `load_state_dict` needs to go on: "state" by parameter number, and "param_groups"."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        number: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            for i, p in enumerate(group["params"], start):
                number.setdefault(id(p), i)
            start += len(group["params"])
            saved = {name: value for name, value in group.items() if name != "params"}
            saved["params"] = [number[id(p)] for p in group["params"]]
            groups.append(saved)
        state = {number[id(p)] if isinstance(p, Tensor) else p: kept for p, kept in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over the state and the options of `state_dict()` of an optimizer of the same parameters.

        Parameters are matched by their order. State is cast to the dtype of its parameter.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, saved_groups = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ArgumentError(
                "loaded state dict has a different number of parameter groups",
                why=f"the optimizer has {len(groups)}, the state dict {len(saved_groups)}",
                fix="make the optimizer with the groups it had when it was saved",
            )
        sizes = [len(g["params"]) for g in groups], [len(g["params"]) for g in saved_groups]
        if sizes[0] != sizes[1]:
            raise ArgumentError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
                why=f"parameters per group: {sizes[0]} in the optimizer, {sizes[1]} in the state dict",
                fix="build the optimizer from the same model, in the same way as when it was saved",
            )
        parameter = dict(
            zip(
                chain.from_iterable(g["params"] for g in saved_groups),
                chain.from_iterable(g["params"] for g in groups),
            )
        )
        state: defaultdict = defaultdict(dict)
        for number, kept in state_dict["state"].items():
            if number in parameter:
                state[parameter[number]] = _cast(parameter[number], kept, state_dict["param_groups"])
            else:
                state[number] = kept
        for group, saved in zip(groups, saved_groups):
            saved["params"] = group["params"]
            if "param_names" in group and "param_names" not in saved:
                saved["param_names"] = group["param_names"]
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._start_hooks()
        # Options and forms that older checkpoints do not have.
        self.defaults.setdefault("differentiable", False)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                if name in type(self)._added_options:
                    group.setdefault(name, value)
        for kept in self.state.values():
            if isinstance(kept, dict) and "step" in kept and not isinstance(kept["step"], Tensor):
                kept["step"] = scalar_tensor(float(kept["step"]))

    _added_options = frozenset(
        "foreach maximize capturable differentiable fused decoupled_weight_decay nesterov amsgrad".split()
    )

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other (args, kwargs)."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict()`."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` on the result of `state_dict()`; it may return another one."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return another state dict."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def __repr__(self):
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for name in sorted(group):
                if name != "params":
                    text += f"    {name}: {group[name]}\n"
        return text + ")"


def _named(params) -> tuple[list, list]:
    """The tensors and the names of a group's "params"."""
    if isinstance(params, Tensor):
        return [params], []
    if isinstance(params, set):
        raise ArgumentTypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead.",
            why="the state that is saved is found again by the order of the parameters",
            fix="use `list(model.parameters())`",
        )
    params = list(params)
    names = [entry[0] for entry in params if isinstance(entry, tuple)]
    if names and len(names) != len(params):
        raise ArgumentError(
            "all optimizer params should be with/without names. Some param names are missing",
            why=f"{len(names)} of {len(params)} have a name",
            fix="use `model.named_parameters()` for all of them",
        )
    return [entry[1] for entry in params] if names else params, names


def _typename(value) -> str:
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _cast(param: Tensor, value, groups, key=None):
    """State as its parameter needs it: same dtype and device, except for step counts."""
    if isinstance(value, Tensor):
        if key == "step":
            wanted = any(g.get("capturable") or g.get("fused") for g in groups)
            return value.to(dtypes.float32) if wanted else value
        return value.to(dtype=param.dtype, device=param.device) if param.is_floating_point() else value.to(param.device)
    if isinstance(value, dict):
        return {name: _cast(param, kept, groups, name) for name, kept in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(param, kept, groups) for kept in value)
    return value
