"""Hooks: functions called before or after a module's forward and backward, and the handles that remove them."""

from __future__ import annotations

from collections import OrderedDict

from ...autograd import Function
from ...errors import GradientError, StateError
from ...language import warn
from ...tensor import Tensor
from ...utils.hooks import RemovableHandle

# Hooks on every module of the process, in order of registration.
forward_pre: OrderedDict = OrderedDict()
forward: OrderedDict = OrderedDict()
forward_with_kwargs: OrderedDict = OrderedDict()
forward_always: OrderedDict = OrderedDict()
backward_pre: OrderedDict = OrderedDict()
backward: OrderedDict = OrderedDict()
backward_kind: dict = {"full": None}
parameter_registration: OrderedDict = OrderedDict()
buffer_registration: OrderedDict = OrderedDict()
module_registration: OrderedDict = OrderedDict()


class _Active:
    """Whether any global call hook exists; read at every call of every module, so one attribute and no more."""

    flag = False


def _refresh():
    _Active.flag = bool(forward_pre or forward or backward_pre or backward)


class _GlobalHandle(RemovableHandle):
    def remove(self):
        super().remove()
        _refresh()

    def __exit__(self, *exc):
        self.remove()


def _register(table, hook, extra=()):
    handle = _GlobalHandle(table, extra_dict=list(extra))
    table[handle.id] = hook
    _refresh()
    return handle


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module; it may return other arguments.

    Returns: a handle; its `remove()` takes the hook away.

    >>> import flambeau as torch
    >>> from flambeau.nn.modules.module import register_module_forward_pre_hook
    >>> handle = register_module_forward_pre_hook(lambda module, args: (args[0] + 1,))
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 3.])
    >>> handle.remove()
    """
    return _register(forward_pre, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)` after the forward of every module; it may return another output.

    Returns: a handle; its `remove()` takes the hook away.

    >>> import flambeau as torch
    >>> from flambeau.nn.modules.module import register_module_forward_hook
    >>> handle = register_module_forward_hook(lambda module, args, output: output + 1)
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([1., 3.])
    >>> handle.remove()
    """
    handle = _register(forward, hook, [forward_with_kwargs, forward_always])
    if with_kwargs:
        forward_with_kwargs[handle.id] = True
    if always_call:
        forward_always[handle.id] = True
    return handle


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` before the backward of every module."""
    return _register(backward_pre, hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` after the backward of every module.

    Returns: a handle; its `remove()` takes the hook away.

    >>> import flambeau as torch
    >>> from flambeau.nn.modules.module import register_module_full_backward_hook
    >>> handle = register_module_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] * 10,))
    >>> x = torch.ones(1, requires_grad=True)
    >>> torch.nn.ReLU()(x).sum().backward()
    >>> handle.remove()
    >>> x.grad
    tensor([10.])
    """
    return _register_backward(hook, True)


def register_module_backward_hook(hook):
    """The deprecated form of `register_module_full_backward_hook`."""
    return _register_backward(hook, False)


def _register_backward(hook, full):
    if backward and backward_kind["full"] not in (None, full):
        raise StateError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
            "Please use only one of them.",
            why="the two kinds see different gradients",
            fix="use `register_module_full_backward_hook` for all of them",
        )
    backward_kind["full"] = full
    return _register(backward, hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, parameter)` at each registration; it may return another parameter."""
    return _register(parameter_registration, hook)


def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` at each registration; it may return another buffer."""
    return _register(buffer_registration, hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` at each registration; it may return another module."""
    return _register(module_registration, hook)


def registered(table, module, name, value):
    """`value`, or what the registration hooks made of it."""
    for hook in table.values():
        found = hook(module, name, value)
        if found is not None:
            value = found
    return value


class BackwardHookFunction(Function):
    """Identity in forward; in backward it shows the gradients to `on_grads`, which may replace them."""

    @staticmethod
    def forward(ctx, on_grads, *tensors):
        ctx.on_grads = on_grads
        ctx.set_materialize_grads(False)
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        return (None, *ctx.on_grads(grads))


class FullBackward:
    """One call of a module with full backward hooks: watches its outputs and inputs."""

    def __init__(self, module, hooks, pre_hooks):
        self.module = module
        self.hooks, self.pre_hooks = hooks, pre_hooks
        self.grad_output = None
        self.inputs = None  # positions of the watched inputs, and how many arguments there are
        self.no_inputs = ()

    def watch_inputs(self, args):
        """The arguments, with every tensor that needs gradients passed through an identity."""
        places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        if not places:
            self.no_inputs = (None,) * len(args)
            return args
        watched = BackwardHookFunction.apply(self._inputs_done, *(args[i] for i in places))
        watched = watched if isinstance(watched, tuple) else (watched,)
        self.inputs = places, len(args)
        args = list(args)
        for i, t in zip(places, watched, strict=True):
            args[i] = t
        return tuple(args)

    def watch_output(self, result):
        """The result of forward, with every tensor that has a graph passed through an identity."""
        single = not isinstance(result, (tuple, list))
        items = [result] if single else list(result)
        places = [i for i, r in enumerate(items) if isinstance(r, Tensor) and r.requires_grad]
        if not places:
            return result
        self.outputs = places, len(items)
        watched = BackwardHookFunction.apply(self._outputs_known, *(items[i] for i in places))
        watched = watched if isinstance(watched, tuple) else (watched,)
        for i, t in zip(places, watched, strict=True):
            items[i] = t
        if single:
            return items[0]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)

    def _outputs_known(self, grads):
        places, size = self.outputs
        full = _spread(grads, places, size)
        for hook in self.pre_hooks:
            found = hook(self.module, full)
            if found is not None:
                full = _as_many(found, size, "grad_output")
        self.grad_output = full
        if self.inputs is None:
            for hook in self.hooks:
                found = hook(self.module, self.no_inputs, full)
                if found is not None and not (isinstance(found, tuple) and all(g is None for g in found)):
                    raise GradientError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients.",
                        why="there is no gradient of an input that the hook could replace",
                        fix="return None, or give the module an input that requires grad",
                    )
        return tuple(full[i] for i in places)

    def _inputs_done(self, grads):
        places, size = self.inputs
        full = _spread(grads, places, size)
        if self.grad_output is None:
            raise GradientError(
                "Module backward hook for grad_input is called before the grad_output one. This "
                "happens because the gradient in your nn.Module flows to the Module's input without "
                "passing through the Module's output. Make sure that the output depends on the input "
                "and that the loss is computed based on the output.",
                why="the input of the module received its gradient by another way than through the output",
                fix="compute the loss from the output, and let the output depend on the input",
            )
        for hook in self.hooks:
            found = hook(self.module, full, self.grad_output)
            if found is not None:
                full = _as_many(found, size, "grad_input")
        self.grad_output = None
        return tuple(full[i] for i in places)


def _spread(grads, places, size):
    full = [None] * size
    for i, g in zip(places, grads, strict=True):
        full[i] = g
    return tuple(full)


def _as_many(found, size, what):
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != size:
        raise GradientError(
            f"Backward hook returned an invalid number of {what}, got {len(found)}, but expected {size}",
            why="what a hook returns replaces these gradients one by one",
            fix=f"return a tuple of {size}, with None where there is no gradient, or return nothing",
        )
    return found


def old_backward_hooks(module, hooks, result):
    """The deprecated hooks of `register_backward_hook`: they see only the node that made the result."""
    seen = result
    while not isinstance(seen, Tensor):
        seen = next((v for v in seen.values() if isinstance(v, Tensor)), None) if isinstance(seen, dict) else seen[0]
        if seen is None:
            return
    node = seen.grad_fn
    if node is None:
        return
    warn(
        "Using a non-full backward hook when the forward contains multiple autograd Nodes is deprecated and will be "
        "removed in future versions. This hook will be missing some grad_input. Please use register_full_backward_hook "
        "to get the documented behavior.",
        FutureWarning,
        stacklevel=4,
    )
    for hook in hooks:
        node.register_hook(_bound(hook, module))


def _bound(hook, module):
    def call(grad_inputs, grad_outputs):
        return hook(module, grad_inputs, grad_outputs)

    return call


def call_pre_hooks(module, args, kwargs, pre_hooks, with_kwargs):
    """Run the hooks before forward: the arguments that they leave."""
    for key, hook in pre_hooks:
        if key in with_kwargs:
            found = hook(module, args, kwargs)
            if found is not None:
                if not (isinstance(found, tuple) and len(found) == 2):
                    raise StateError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {found}.",
                        why="what a hook returns replaces the arguments of forward",
                        fix="return `(args, kwargs)`, with args a tuple and kwargs a dict, or return nothing",
                    )
                args, kwargs = found
        else:
            found = hook(module, args)
            if found is not None:
                args = found if isinstance(found, tuple) else (found,)
    return args, kwargs


__all__ = [name for name in globals() if name.startswith("register_module_")]
