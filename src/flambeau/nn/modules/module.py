"""`Module`: a function with parameters, made of other modules."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ...autograd.engine import next_number
from ...autograd.mode import state
from ...checks import memory
from ...checks import modules as rules
from ...checks.log import log
from ...checks.modes import WATCHED, evaluated
from ...errors import ArgumentError, ArgumentTypeError, MissingAttribute, MissingKey, NotSupported, StateError
from ...language import warn
from ...mistakes.modules import no_such_attribute
from ...tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Buffer, Parameter
from . import hooks
from .conversion import Conversion
from .hooks import *  # noqa: F403  the global hooks belong to this namespace
from .registry import Registry
from .state import IncompatibleKeys as _IncompatibleKeys  # noqa: F401  its name in PyTorch's namespace
from .state import StateDict

__all__ = [*hooks.__all__, "Module"]

_REGISTRIES = ("_parameters", "_buffers", "_modules")
_HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_globally = hooks._Active


class Module(StateDict, Conversion):
    """Base class of all layers and models.

    A subclass creates its parts in `__init__`, after `super().__init__()`, and computes in `forward`. Parameters,
    buffers and modules that are assigned to attributes register themselves.

    >>> import flambeau as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = torch.nn.Linear(2, 8)
    ...         self.out = torch.nn.Linear(8, 1)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> Net()
    Net(
      (hidden): Linear(in_features=2, out_features=8, bias=True)
      (out): Linear(in_features=8, out_features=1, bias=True)
    )
    """

    dump_patches = False
    _version = 1
    call_super_init = False
    training: bool
    _compiled_call_impl = None
    _hooked = False  # True once a call hook was registered here; __call__ looks no further while it is False

    def __init__(self, *args, **kwargs) -> None:
        if not self.call_super_init:
            if kwargs:
                raise ArgumentTypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'",
                    why=f"{type(self).__name__} has no __init__ of its own that takes it"
                    if type(self).__init__ is Module.__init__
                    else f"{type(self).__name__}.__init__ passes it on to nn.Module, which takes no arguments",
                    fix="call `super().__init__()` without arguments, and keep the value yourself",
                )
            if args:
                raise ArgumentTypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given",
                    why=f"{type(self).__name__} has no __init__ of its own that takes arguments"
                    if type(self).__init__ is Module.__init__
                    else f"{type(self).__name__}.__init__ passes them on to nn.Module, which takes no arguments",
                    fix="call `super().__init__()` without arguments, and keep the values yourself",
                )
        attributes = self.__dict__
        attributes["training"] = True
        for name in _REGISTRIES:
            attributes[name] = Registry(self)
        attributes["_non_persistent_buffers_set"] = set()
        attributes["_is_full_backward_hook"] = None
        for name in _HOOK_TABLES:
            attributes[name] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ------------------------------------------------------------ calling

    def forward(self, *input: Any):
        """The computation; every subclass defines its own."""
        raise NotSupported(
            f'Module [{type(self).__name__}] is missing the required "forward" function',
            why=f"calling the module runs its forward, and {type(self).__name__} defines none",
            fix=f"define `def forward(self, x):` in {type(self).__name__}, at the level of its `__init__`",
        )

    def __call__(self, *args, **kwargs):
        if self._hooked or _globally.flag:
            return self._call_impl(*args, **kwargs)
        return self.forward(*args, **kwargs)

    def _call_impl(self, *args, **kwargs):
        """A call with hooks: before, around and after `forward`; or of what `compile` has made of this."""
        if self._hooked is WATCHED and not _globally.flag:
            result = self.forward(*args, **kwargs)
            if state.grad and not self.training:
                evaluated(self, args, result)
            return result
        compiled = self._compiled_call_impl
        if compiled is not None and not compiled.running:
            return compiled(*args, **kwargs)
        called = set()
        try:
            return self._call_with_hooks(args, kwargs, called)
        except Exception:
            # Hooks that asked to be called always still are; the first error is the one that counts.
            for key, hook, with_kwargs in self._after_hooks(always=True):
                if key in called:
                    continue
                try:
                    hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
                except Exception as error:
                    warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                        f"another error was raised in forward: {error}",
                        stacklevel=2,
                    )
            raise

    def _call_with_hooks(self, args, kwargs, called):
        if hooks.forward_pre:
            args, kwargs = hooks.call_pre_hooks(self, args, kwargs, list(hooks.forward_pre.items()), ())
        if self._forward_pre_hooks:
            pre_hooks = list(self._forward_pre_hooks.items())
            args, kwargs = hooks.call_pre_hooks(self, args, kwargs, pre_hooks, self._forward_pre_hooks_with_kwargs)
        full, old = self._backward_hook_lists()
        pre = [*hooks.backward_pre.values(), *self._backward_pre_hooks.values()]
        watch = hooks.FullBackward(self, full, pre) if full or pre else None
        if watch is not None:
            args = watch.watch_inputs(args)
        result = self.forward(*args, **kwargs)
        if state.grad and not self.training and log.on:
            evaluated(self, args, result, 4)
        for key, hook, with_kwargs in self._after_hooks():
            called.add(key)
            found = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if found is not None:
                result = found
        if watch is not None:
            if not isinstance(result, (Tensor, tuple, list)):
                warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but "
                    f"received {type(result)}",
                    stacklevel=3,
                )
            else:
                result = watch.watch_output(result)
        if old:
            hooks.old_backward_hooks(self, old, result)
        return result

    def _after_hooks(self, always=False):
        """(key, hook, takes kwargs) of the forward hooks, the global ones first."""
        tables = (
            (hooks.forward, hooks.forward_with_kwargs, hooks.forward_always),
            (self._forward_hooks, self._forward_hooks_with_kwargs, self._forward_hooks_always_called),
        )
        for table, with_kwargs, called_always in tables:
            for key, hook in list(table.items()):
                if not always or key in called_always:
                    yield key, hook, key in with_kwargs

    def _backward_hook_lists(self):
        """The full backward hooks, and the deprecated ones."""
        everywhere, own = list(hooks.backward.values()), list(self._backward_hooks.values())
        full = (everywhere if hooks.backward_kind["full"] is True else []) + (
            own if self._is_full_backward_hook is True else []
        )
        old = (everywhere if hooks.backward_kind["full"] is False else []) + (
            own if self._is_full_backward_hook is False else []
        )
        return full, old

    # ------------------------------------------------------- hooks: registration

    def _add_hook(self, table, hook, prepend=False, extra=()):
        handle = RemovableHandle(table, extra_dict=list(extra))
        table[handle.id] = hook
        if prepend:
            table.move_to_end(handle.id, last=False)
        self.__dict__["_hooked"] = True
        if log.on:
            rules.hooked(self)
            memory.hooked(self, table, handle.id, next_number())
        return handle

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before `forward`; it may return other arguments.

        Arguments:
            prepend: run before the hooks that are already there.
            with_kwargs: call `hook(module, args, kwargs)`, which may return `(args, kwargs)`.

        Returns a handle whose `remove()` takes the hook off again.
        """
        handle = self._add_hook(self._forward_pre_hooks, hook, prepend, [self._forward_pre_hooks_with_kwargs])
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after `forward`; it may return another output.

        Arguments:
            prepend: run before the hooks that are already there.
            with_kwargs: call `hook(module, args, kwargs, output)`.
            always_call: call it even when `forward` raised; output is then None.

        >>> import flambeau as torch
        >>> layer, shapes = torch.nn.Linear(2, 3), []
        >>> handle = layer.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
        >>> _ = layer(torch.ones(5, 2)); handle.remove(); shapes
        [torch.Size([5, 3])]
        """
        tables = [self._forward_hooks_with_kwargs, self._forward_hooks_always_called]
        handle = self._add_hook(self._forward_hooks, hook, prepend, tables)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` before this module's backward; it may return another grad_output."""
        return self._add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are known; it may return
        another grad_input."""
        return self._add_backward_hook(hook, True, prepend)

    def register_backward_hook(self, hook):
        """The deprecated form of `register_full_backward_hook`, which sees only the last node of `forward`."""
        return self._add_backward_hook(hook, False)

    def _add_backward_hook(self, hook, full, prepend=False):
        if self._is_full_backward_hook is (not full):
            raise StateError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. "
                "Please use only one of them.",
                why="the two kinds see different gradients",
                fix="use `register_full_backward_hook` for all of them",
            )
        self._is_full_backward_hook = full
        return self._add_hook(self._backward_hooks, hook, prepend)

    # ------------------------------------------------------------ attributes

    def register_parameter(self, name: str, param) -> None:
        """Add a parameter under a name. None reserves the name for a parameter that is not there."""
        self._check_name(name, "parameter", self._parameters, "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise ArgumentTypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or "
                    "None required)",
                    why="only parameters are learned and listed in `model.parameters()`",
                    fix=f"use `self.{name} = torch.nn.Parameter(value)`",
                )
            if param.grad_fn is not None:
                raise ArgumentError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    "explicitly. "
                    f"To express '{name}' as a function of another Tensor, compute the value in the forward() method.",
                    why=f"it was computed by {type(param.grad_fn).__name__}, so its gradient goes to what it was "
                    "computed from",
                    fix="use `nn.Parameter(value.detach())` if the value itself is to be learned",
                )
        self._parameters[name] = hooks.registered(hooks.parameter_registration, self, name, param)

    def register_buffer(self, name: str, tensor, persistent: bool = True) -> None:
        """Add a tensor that moves and is saved with the module but is not learnt.

        Arguments:
            tensor: its value; None reserves the name.
            persistent: whether `state_dict` contains it.
        """
        self._check_name(name, "buffer", self.__dict__.get("_buffers"), "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)",
                why="buffers are tensors that are saved and moved with the module",
                fix=f"use `torch.tensor(value)`, or `self.{name} = value` for a plain attribute",
            )
        self._buffers[name] = hooks.registered(hooks.buffer_registration, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module) -> None:
        """Add a child module under a name."""
        if not isinstance(module, Module) and module is not None:
            raise ArgumentTypeError(
                f"{typename(module)} is not a Module subclass",
                why="child modules are instances of nn.Module",
                fix=f"use `{module.__name__}()` to make a module of the class"
                if isinstance(module, type)
                else "wrap a function in a module, e.g. `nn.Flatten()`, `nn.ReLU()`",
            )
        if not isinstance(name, str):
            raise ArgumentTypeError(
                f"module name should be a string. Got {typename(name)}",
                why="children are found by name",
                fix=f"use `str({name!r})`",
            )
        if hasattr(self, name) and name not in self._modules:
            raise MissingKey(
                f"attribute '{name}' already exists",
                why="a child of that name would hide the attribute",
                fix=f"choose another name than '{name}'",
            )
        if "." in name:
            raise MissingKey(
                f'module name can\'t contain ".", got: {name}',
                why="a dot separates the levels in names such as `encoder.0.weight`",
                fix=f"use '{name.replace('.', '_')}'",
            )
        if name == "":
            raise MissingKey(
                'module name can\'t be empty string ""', why="children are found by name", fix="give it a name"
            )
        self._modules[name] = hooks.registered(hooks.module_registration, self, name, module)

    def register_module(self, name: str, module) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def _check_name(self, name, kind, table, registry):
        if registry not in self.__dict__:
            raise MissingAttribute(
                f"cannot assign {kind} before Module.__init__() call",
                why="the module's tables of parameters, buffers and children are made by nn.Module's constructor",
                fix=f"call `super().__init__()` first in the `__init__` of {type(self).__name__}",
            )
        if not isinstance(name, str):
            raise ArgumentTypeError(
                f"{kind} name should be a string. Got {typename(name)}",
                why=f"it is the key of the {kind} in the state_dict",
                fix=f"use `str({name!r})`",
            )
        if "." in name:
            raise MissingKey(
                f'{kind} name can\'t contain "."',
                why="a dot separates the levels in names such as `encoder.0.weight`",
                fix=f"use '{name.replace('.', '_')}'",
            )
        if name == "":
            raise MissingKey(
                f'{kind} name can\'t be empty string ""',
                why=f"it is the key of the {kind} in the state_dict",
                fix="give it a name",
            )
        if hasattr(self, name) and name not in table:
            raise MissingKey(
                f"attribute '{name}' already exists",
                why=f"a {kind} of that name would hide the attribute",
                fix=f"choose another name than '{name}', or `del self.{name}` first",
            )

    def __setattr__(self, name, value):
        attributes = self.__dict__
        if isinstance(value, Parameter):
            self._before_init("_parameters", "parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._before_init("_modules", "module")
            self._forget(name, "_parameters", "_buffers")
            self._modules[name] = hooks.registered(hooks.module_registration, self, name, value)
        elif isinstance(value, Buffer):
            self._before_init("_buffers", "buffer")
            self._forget(name, "_parameters", "_modules", "_buffers")
            self.register_buffer(name, value, value.persistent)
        elif "_modules" not in attributes:
            object.__setattr__(self, name, value)
        elif name in self._parameters:
            if value is not None:
                raise ArgumentTypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)",
                    why=f"'{name}' is a parameter, and its values are learned in place",
                    fix=f"use `self.{name} = torch.nn.Parameter(value)`, or `self.{name}.copy_(value)` under "
                    "`torch.no_grad()` to change its values",
                )
            self.register_parameter(name, None)
        elif name in self._modules:
            if value is not None:
                raise ArgumentTypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)",
                    why=f"'{name}' is a child module",
                    fix=f"choose another name for the value, or `del self.{name}` first",
                )
            self._modules[name] = hooks.registered(hooks.module_registration, self, name, None)
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise ArgumentTypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or "
                    "None expected)",
                    why=f"'{name}' was registered as a buffer, which holds a tensor",
                    fix=f"use `torch.tensor(value)`, or `del self.{name}` first to make it a plain attribute",
                )
            self._buffers[name] = hooks.registered(hooks.buffer_registration, self, name, value)
        elif name in _REGISTRIES and type(value) is not Registry:
            attributes[name].clear()
            attributes[name] = Registry(self, value)
        else:
            object.__setattr__(self, name, value)
            if (value.__class__ in rules.WATCHED or name in rules.METHODS) and log.on:
                rules.assigned(self, name, value)

    def _before_init(self, registry, what):
        if registry not in self.__dict__:
            raise MissingAttribute(
                f"cannot assign {what} before Module.__init__() call",
                why="the module's tables of parameters, buffers and children are made by nn.Module's constructor",
                fix=f"call `super().__init__()` first in the `__init__` of {type(self).__name__}",
            )
        if not Registry.is_of(self, self.__dict__[registry]):
            self._own_registries()

    def _own_registries(self):
        """Replace plain dicts, and another module's registries: a `__setstate__` of its own may leave them here."""
        for name in _REGISTRIES:
            table = self.__dict__.get(name, {})
            if not Registry.is_of(self, table):
                self.__dict__[name] = Registry(self, table)

    def _forget(self, name, *registries):
        """Take a name out of the other registries and the plain attributes."""
        for registry in registries:
            self.__dict__[registry].pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        if not any(name in self.__dict__[r] for r in _REGISTRIES):
            self.__dict__.pop(name, None)

    def __getattr__(self, name):
        # Only for names that are no attribute; the registries are asked for modules restored in unusual ways.
        for registry in _REGISTRIES:
            table = self.__dict__.get(registry)
            if table is not None and name in table:
                return table[name]
        if name.startswith("_"):  # a protocol asks whether there is such a thing
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)
        raise no_such_attribute(self, name)

    def __delattr__(self, name):
        for registry in _REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[:1].isdigit())

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_hooked", None)
        state.pop("_compiled_call_impl", None)
        for registry in _REGISTRIES:
            table = state.get(registry, {})
            for name, value in table.items():
                if state.get(name) is value:
                    state.pop(name, None)
            state[registry] = dict(table)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        for name in _HOOK_TABLES:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)
        self._own_registries()
        calls = (self._forward_hooks, self._forward_pre_hooks, self._backward_hooks, self._backward_pre_hooks)
        if any(calls):
            self.__dict__["_hooked"] = True

    # ------------------------------------------------------------ printing

    def extra_repr(self) -> str:
        """What stands in the brackets when the module is printed; override it."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({name}): " + indent(repr(module), 2) for name, module in self._modules.items()]
        lines = extra_lines + children
        if not lines:
            body = ""
        elif len(extra_lines) == 1 and not children:
            body = extra_lines[0]
        else:
            body = "\n  " + "\n  ".join(lines) + "\n"
        return f"{self._get_name()}({body})"

    def _replicate_for_data_parallel(self):
        replica = self.__new__(type(self))
        replica.__setstate__(self.__getstate__())
        return replica


def indent(text, spaces):
    """All lines but the first moved to the right."""
    return text.replace("\n", "\n" + " " * spaces)


def typename(x):
    """The name of an object's type as PyTorch's messages give it."""
    if isinstance(x, Tensor):
        return x.type()
    cls = type(x)
    return cls.__name__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__name__}"
