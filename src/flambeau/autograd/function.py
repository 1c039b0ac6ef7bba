"""`Function`: an operation whose gradient the user writes."""

from __future__ import annotations

import functools
import weakref

import numpy as np

from ..checks.log import log
from ..errors import ArgumentTypeError, GradientError, NotSupported, StateError
from ..tensor import Tensor, wrap
from .engine import FREED, Node, edge_of
from .mode import state


class FunctionCtx:
    """What `forward` hands over to `backward`."""

    def __init__(self):
        self._to_save = ()
        self._kept = None
        self._non_differentiable = ()
        self._dirty = ()
        self._materialize = True
        self.needs_input_grad = ()

    def save_for_backward(self, *tensors):
        """Keep input or output tensors (or None) for `backward`, where they are `ctx.saved_tensors`."""
        self._to_save = tensors

    save_for_forward = save_for_backward

    def mark_non_differentiable(self, *tensors):
        """Say that these outputs have no gradient."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors):
        """Say that these inputs were changed in place."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool):
        """Whether gradients that are missing arrive in `backward` as zeros (default) or as None."""
        self._materialize = value

    def _freeze(self, node, inputs, outputs):
        kept = []
        for t in self._to_save:
            if t is None:
                kept.append(None)
                continue
            if not isinstance(t, Tensor):
                raise ArgumentTypeError(
                    f"save_for_backward can only save variables, but argument {len(kept)} is of type "
                    f"{type(t).__name__}",
                    why="saved tensors are checked for changes in place",
                    fix="use `ctx.value = value` for anything that is not a tensor",
                )
            index = next((i for i, o in enumerate(outputs) if o is t), None)
            if state.pack is not None:
                kept.append((state.pack[0](t), None, None, state.pack[1]))
            elif index is not None and t._node is node:
                twin = wrap(t._array)
                if t._cell is None:
                    t._cell = [0]
                twin._cell = t._cell
                kept.append((twin, t._cell[0], index, None))
            else:
                kept.append((t, t._version, None, None))
        self._kept, self._to_save = kept, ()

    @property
    def saved_tensors(self):
        """The tensors given to `save_for_backward`."""
        if self._kept is None:
            if self._to_save:
                return tuple(self._to_save)
            raise GradientError(FREED)
        found = []
        for entry in self._kept:
            if entry is None:
                found.append(None)
                continue
            t, version, index, unpack = entry
            if unpack is not None:
                found.append(unpack(t))
                continue
            if t._version != version:
                from ..checks.inplace import overwritten  # only needed for the error

                now = t._version
                raise overwritten(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"[tensor of shape {list(t.shape)}] is at version {now}; expected version {version} instead.",
                    type(self._node_ref()).__name__.removesuffix("Backward"),
                    t,
                    index is not None,
                )
            if index is not None:
                again = wrap(t._array)
                again._node, again._index, again._rg = self._node_ref(), index, True
                t = again
            found.append(t)
        return tuple(found)

    saved_variables = saved_tensors


class _FunctionNode(Node):
    """The node of a custom Function; it is what `backward` gets as `ctx`'s graph side."""

    function: type

    def release(self):
        self.ctx._kept = None

    def __getattr__(self, name):
        if name in ("saved_tensors", "needs_input_grad"):
            return getattr(self.ctx, name)
        ctx = object.__getattribute__(self, "ctx")
        try:
            return ctx.__dict__[name]
        except KeyError:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'") from None

    def pull(self, g, wanted):
        grads = [g] if self.outputs == 1 else list(g)
        if self.ctx._materialize:
            for i, d in enumerate(grads):
                if d is None and self.metas[i] is not None:
                    grads[i] = wrap(np.zeros(*self.metas[i]))
        found = self.function.backward(self.ctx, *grads)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) > len(self.edges) and all(d is None for d in found[len(self.edges) :]):
            found = found[: len(self.edges)]
        if len(found) != len(self.edges):
            raise GradientError(
                f"function {self.name()} returned an incorrect number of gradients (expected {len(self.edges)}, got "
                f"{len(found)})",
                why="backward must return one gradient (or None) for each argument of forward",
                fix=f"return {len(self.edges)} values, with None for arguments that need no gradient",
            )
        for i, (d, e) in enumerate(zip(found, self.edges)):
            if d is None or e is None:
                continue
            if not isinstance(d, Tensor):
                raise GradientError(
                    f"expected Variable or None (got {type(d).__name__})",
                    why=f"it is what backward of {self.name()} returned at index {i}",
                    fix="return a tensor, or None for an argument that needs no gradient",
                )
            if d._array.shape != e[2]:
                lead = d.ndim - len(e[2])
                fits = lead >= 0 and all(n in (1, m) for n, m in zip(e[2], d._array.shape[lead:]))
                if not fits:
                    raise GradientError(
                        f"Function {self.name()} returned an invalid gradient at index {i} - got {list(d.shape)} but "
                        f"expected shape compatible with {list(e[2])}",
                        why=f"argument {i} of forward has shape {tuple(e[2])}, and so has its gradient",
                        fix="sum or reshape it in backward to that shape",
                        code="FB-GRAD-07",
                        cause="shape",
                    )
        return found


class _FunctionMeta(type):
    """Gives each Function its node class, so that grad_fn prints under the function's name."""

    def __init__(cls, name, bases, attrs):
        super().__init__(name, bases, attrs)
        cls._node_class = type(name + "Backward", (_FunctionNode,), {"function": cls})


class Function(metaclass=_FunctionMeta):
    """Base of operations with a hand-written gradient: static `forward(ctx, ...)` and `backward(ctx, *grads)`.

    Called through `apply`. `backward` returns one gradient, or None, for each argument of `forward`; it is itself
    differentiable when it uses differentiable operations.

    >>> import flambeau as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x ** 2 * g
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    generate_vmap_rule = False

    def __init__(self, *args, **kwargs):
        raise StateError(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so "
            "you should invoke them on the class itself. Instantiating an autograd function will raise "
            "an error in a future version of PyTorch.",
            why="forward and backward are static methods",
            fix=f"use `{type(self).__name__}.apply(...)`",
        )

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the result; the first argument is the context unless `setup_context` is defined."""
        raise NotSupported(
            "You must implement the forward function for custom autograd.Function.",
            why="apply calls it to compute the result",
            fix="define `@staticmethod def forward(ctx, ...)`",
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Keep what backward needs, when `forward` takes no context."""
        raise NotSupported(
            "setup_context is not implemented.",
            why="forward takes no ctx, so setup_context is called to save what backward needs",
            fix="define `@staticmethod def setup_context(ctx, inputs, output)`",
        )

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of the arguments."""
        raise NotSupported(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD.",
            why="the result of this function is differentiated",
            fix="define `@staticmethod def backward(ctx, *grad_outputs)`",
        )

    vjp = backward

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run `forward` and record it."""
        ctx = FunctionCtx()
        if log.customs is not None and not kwargs:
            log.customs.setdefault(cls, args)
        recording = state.grad
        edges = tuple(edge_of(a) if isinstance(a, Tensor) else None for a in args)
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        separate = cls.setup_context is not Function.setup_context
        state.grad = False
        try:
            result = cls.forward(*args, **kwargs) if separate else cls.forward(ctx, *args, **kwargs)
            if separate:
                cls.setup_context(ctx, args, result)
        finally:
            state.grad = recording
        for t in ctx._dirty if recording else ():
            if t._node is None and t.requires_grad:
                raise GradientError("a leaf Variable that requires grad has been used in an in-place operation.")
        many = isinstance(result, (tuple, list))
        outs = list(result) if many else [result]
        if not recording or not any(edges):
            return result
        node = cls._node_class(edges, len(outs))
        node.ctx = ctx
        ctx._node_ref = weakref.ref(node)  # the node holds the context: no cycle
        node.metas = [(o._array.shape, o._array.dtype) if isinstance(o, Tensor) else None for o in outs]
        skip = {id(t) for t in ctx._non_differentiable}
        dirty = {id(t) for t in ctx._dirty}
        made = []
        for i, o in enumerate(outs):
            if isinstance(o, Tensor) and id(o) not in skip and o._array.dtype.kind in "fcV":
                if id(o) not in dirty and (any(o is a for a in args) or o._node is not None or o._rg):
                    twin = wrap(o._array)  # an input returned as it is must not change its history
                    twin._cell = o._cell
                    o = twin
                if id(o) in dirty:
                    o._bump()
                o._node, o._index, o._rg = node, i, True
            made.append(o)
        # A context may be asked for its tensors by outputs that were replaced above.
        ctx._to_save = tuple(made[j] if (j := _find(outs, t)) is not None else t for t in ctx._to_save)
        ctx._freeze(node, args, made)
        return type(result)(made) if many and not hasattr(result, "_fields") else made[0] if not many else tuple(made)


def _find(items, x):
    return next((i for i, o in enumerate(items) if o is x and x is not None), None)


class InplaceFunction(Function):
    """A Function with an `inplace` option, kept for old code."""


def once_differentiable(backward):
    """Say that a `backward` cannot itself be differentiated: doing so raises instead of giving wrong values.

    >>> import flambeau as torch
    >>> from flambeau.autograd.function import once_differentiable
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> x = torch.ones(1, requires_grad=True)
    >>> torch.autograd.grad(Double.apply(x), x)
    (tensor([2.]),)
    """

    @functools.wraps(backward)
    def wrapper(ctx, *grads):
        recording = state.grad
        state.grad = False
        try:
            found = backward(ctx, *grads)
        finally:
            state.grad = recording
        if not recording or not any(isinstance(g, Tensor) and g._rg for g in grads):
            return found
        many = isinstance(found, (tuple, list))
        made = []
        for d in found if many else [found]:
            if d is not None:
                d = wrap(d._array)
                d._node, d._rg = _Once(()), True
            made.append(d)
        return tuple(made) if many else made[0]

    return wrapper


class _Once(Node):
    def pull(self, g, wanted):
        raise GradientError(
            "trying to differentiate twice a function that was marked with @once_differentiable",
            why="its gradients are computed without being recorded",
            fix="leave @once_differentiable out if backward uses tensor operations only",
        )
