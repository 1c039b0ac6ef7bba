"""Saving and loading a module's state: `state_dict`, `load_state_dict`, and their hooks."""

from __future__ import annotations

import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from itertools import chain

from ...autograd import no_grad
from ...checks import events, saving  # noqa: F401  the rules of saving
from ...checks.log import log
from ...errors import FailedAssertion, NotSupported, StateError
from ...language import part, warn
from ...mistakes.checkpoints import does_not_fit, not_a_state
from ...tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Parameter, is_lazy

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` did not find, and what it found without a place for it.

    >>> import flambeau as torch
    >>> torch.nn.Linear(1, 1).load_state_dict({}, strict=False)
    _IncompatibleKeys(missing_keys=['weight', 'bias'], unexpected_keys=[])
    """

    __slots__ = ()

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return "_" + super().__repr__()

    __str__ = __repr__


class LoadHook:
    """A hook before loading, with the module in front of its arguments where it asked for that."""

    def __init__(self, hook, module=None):
        self.hook = hook
        self.module = None if module is None else weakref.ref(module)

    def __call__(self, *args):
        if self.module is None:
            return self.hook(*args)
        return self.hook(self.module(), *args)

    def __getstate__(self):
        return {"hook": self.hook, "module": None if self.module is None else self.module()}

    def __setstate__(self, state):
        self.hook = state["hook"]
        self.module = None if state["module"] is None else weakref.ref(state["module"])


def _add(table, hook):
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle


class StateDict:
    """The part of `Module` that reads and writes its state."""

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers by name, as an `OrderedDict` of tensors.

        Arguments:
            destination: a dict to fill and return. Default: a new one.
            prefix: put before every name.
            keep_vars: give the parameters themselves rather than detached tensors.

        >>> import flambeau as torch
        >>> list(torch.nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            destination = args[0] if destination is None else destination
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
        whole = destination is None
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            found = hook(self, destination, prefix, local_metadata)
            if getattr(hook, "_from_public_api", False):
                if found is not None:
                    raise StateError(
                        "state_dict post-hook must return None",
                        why="the hook changes the dict that it is given",
                        fix="change state_dict in place, and return nothing",
                    )
            elif found is not None:
                destination = found
        if whole and log.on:
            events.takes_state(self, destination)
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Write this module's own parameters, persistent buffers and extra state; not its children's."""
        transient = self._non_persistent_buffers_set
        for name, value in chain(self._parameters.items(), self._buffers.items()):
            if value is not None and name not in transient:
                destination[prefix + name] = value if keep_vars else value.detach()
        if _has_extra_state(self, "get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def get_extra_state(self):
        """State beyond parameters and buffers to put into `state_dict`; override together with `set_extra_state`."""
        raise StateError(
            "Reached a code path in Module.get_extra_state() that should never be called.",
            why="the state_dict asks for it only where a class defines it",
            fix=f"define `get_extra_state(self)` in {type(self).__name__}",
        )

    def set_extra_state(self, state):
        """Take back what `get_extra_state` gave."""
        raise StateError(
            "Reached a code path in Module.set_extra_state() that should never be called.",
            why="load_state_dict has an extra state for this module, which does not say what to do with it",
            fix=f"define `set_extra_state(self, state)` in {type(self).__name__}",
        )

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy parameters and buffers from a dict made by `state_dict`.

        Arguments:
            state_dict: names and tensors.
            strict: refuse names that are missing here or there. Default: True.
            assign: take the given tensors themselves instead of copying their values into the present ones.

        Returns the missing and unexpected keys. Raises RuntimeError, naming every key and shape that does not fit.

        >>> import flambeau as torch
        >>> layer = torch.nn.Linear(2, 3)
        >>> layer.load_state_dict(torch.nn.Linear(2, 3).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise not_a_state(state_dict)
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        missing, unexpected, errors = [], [], []

        def load(module, own, prefix):
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(own, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    inner = prefix + name + "."
                    load(child, {k: v for k, v in own.items() if k.startswith(inner)}, inner)
            incompatible = IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, incompatible) is not None:
                    raise FailedAssertion(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                        "values, if incompatible_keys need to be modified, it should be done inplace.",
                        why="what it returns would be ignored",
                        fix="change incompatible_keys.missing_keys and unexpected_keys in place, and return nothing",
                    )

        if log.on:
            events.loading_state(self, state_dict)
        load(self, state_dict, "")
        if strict:
            if unexpected:
                errors.insert(0, part(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. "))
            if missing:
                errors.insert(0, part(f"Missing key(s) in state_dict: {_quoted(missing)}. "))
        if errors:
            raise does_not_fit(self, state_dict, missing, unexpected, errors)
        found = IncompatibleKeys(missing, unexpected)
        if log.on:
            events.loads_state(self, state_dict, strict, found)
        return found

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        """Take this module's own entries out of `state_dict`; not its children's."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        assign = local_metadata.get("assign_to_params_buffers", False)
        transient = self._non_persistent_buffers_set
        own = {
            name: value
            for name, value in chain(self._parameters.items(), self._buffers.items())
            if value is not None and name not in transient
        }
        for name, present in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing.append(key)
                continue
            message = _load_one(self, name, present, key, state_dict[key], assign)
            if message:
                errors.append(message)
        extra = prefix + EXTRA_STATE
        if _has_extra_state(self, "set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing.append(extra)
        elif strict and extra in state_dict:
            unexpected.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    parts = key[len(prefix) :].split(".", 1)
                    known = parts[0] in self._modules if len(parts) > 1 else parts[0] in own
                    if not known:
                        unexpected.append(key)

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before `state_dict` of this module collects anything."""
        return _add(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after `state_dict`; it may edit the dict in place."""
        hook._from_public_api = True
        return _add(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook):
        if getattr(hook, "_from_public_api", False):
            raise StateError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook",
                why="the two ways of registration call it with different rights",
                fix="register a second function",
            )
        return _add(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`
        before this module loads."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return _add(self._load_state_dict_pre_hooks, LoadHook(hook, self if with_module else None))

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` after this module has loaded; it may edit the keys in place."""
        return _add(self._load_state_dict_post_hooks, hook)


def _has_extra_state(module, method):
    return getattr(type(module), method) is not getattr(StateDict, method)


def _load_one(module, name, present, key, given, assign):
    """Put one given tensor into its place; what went wrong as text, or None."""
    if not isinstance(given, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(given)}"
        )
    lazy = is_lazy(present)
    if not lazy:
        if present.dim() == 0 and given.dim() == 1:
            given = given[0]  # checkpoints of PyTorch 0.3 held scalars as one element
        if given.shape != present.shape:
            return part(
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
                f"the shape in current model is {present.shape}."
            )
        if present.is_meta and not given.is_meta and not assign:
            warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
                "model, which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary "
                "to their corresponding key in the module instead of copying them in place?)",
                stacklevel=2,
            )
    try:
        with no_grad():
            if assign:
                if isinstance(present, Parameter):
                    if not isinstance(given, Parameter):
                        given = Parameter(given, requires_grad=present.requires_grad)
                    else:
                        given.requires_grad_(present.requires_grad)
                setattr(module, name, given)
            else:
                if given.is_meta and not present.is_meta:
                    raise NotSupported(
                        "Cannot copy out of meta tensor; no data!",
                        why=f"'{key}' was saved from the meta device, where tensors have shapes only",
                        fix="save the model after `to_empty()` and loading or initialising its parameters",
                    )
                if not present.is_meta:
                    present.copy_(given)
    except Exception as error:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model are {present.size()} and whose '
            f"dimensions in the checkpoint are {given.size()}, an exception occurred : {error.args}."
        )
    return None


def _quoted(keys):
    return ", ".join(f'"{k}"' for k in keys)
