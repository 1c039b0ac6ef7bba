"""Primitives: array-level forwards with gradient rules on tensors, and the nodes that record them (see entry.py)."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..arrays import as_array
from ..autograd.engine import LEAF, next_number
from ..autograd.mode import state
from ..checks import shapes
from ..checks.log import log
from ..checks.tags import SAME, pass_on
from ..errors import FlambeauError, GradientError, ShapeError
from ..kernels.record import listener, listeners
from ..tensor import Tensor, wrap
from .misuse import no_memory
from .node import F32, F64, INFERENCE, NOTHING, Plan, keep, keep_specially, node_class

PRIMITIVES: dict[str, Primitive] = {}

_new = object.__new__


class Primitive:
    """An operation with its own array-level forward and gradient rules. Called with tensors and keyword options."""

    def __init__(self, name, forward, vjp=None, node=None, names=None):
        self.name = name
        self.forward = forward
        names, self.defaults, self.variadic = (
            forward_parameters(forward) if names is None else (tuple(names), {}, False)
        )
        self.positions = {n: i for i, n in enumerate(names)}
        self.rules = []  # (positions, rule, parameter names, joint)
        if callable(vjp):
            vjp = {names[0]: vjp}
        for arg, rule in (vjp or {}).items():
            wants = parameter_names(rule)
            joint = isinstance(arg, tuple) or arg.startswith("*")
            where = (
                None if joint and not isinstance(arg, tuple)
                else tuple(self.positions[a] for a in (arg if joint else (arg,)))
            )  # fmt: skip
            self.rules.append((where, rule, wants, joint))
        self.multi = False
        self.plans: dict = {}
        # Bit i: input i has a rule.
        self.differentiable = (
            -1 if any(w is None for w, *_ in self.rules) else sum(1 << i for w, *_ in self.rules for i in w)
        )
        title = node or "".join(p.title() for p in name.rstrip("_").replace(".", "_").split("_")) + "Backward0"
        self.node = node_class(title, self)
        PRIMITIVES[name] = self

    def __call__(self, *tensors, **options):
        try:
            if listeners:
                made = self._run([t if t is None else t._array for t in tensors], options)
            elif len(tensors) == 1:
                made = self.forward(tensors[0]._array, **options)
            else:
                made = self.forward(*[t if t is None else t._array for t in tensors], **options)
        except FlambeauError:
            raise
        except ValueError as error:  # what a check did not foresee; PyTorch's class for bad shapes
            raise ShapeError(
                f"{self.name}: {error}",
                why="the shapes or values of the arguments do not fit together",
                fix="compare them with the example in the function's docstring",
            ) from error
        except MemoryError as error:
            raise no_memory(self.name, error) from None
        if made.__class__ is tuple:
            self.multi = True
            out, outs = None, tuple([None if a is None else wrap(as_array(a)) for a in made])
        else:
            out = _new(Tensor)
            out._array = made if isinstance(made, np.ndarray) else np.asarray(made)
            outs = (out,)
        if state.grad:
            if self.rules:
                for t in tensors:
                    if t is not None and (t._rg or t._base is not None and t.requires_grad):
                        if out is not None and len(tensors) == 1:
                            self.record_one(t, out, options)
                        else:
                            self.record(tensors, outs, options)
                        break
        elif state.inference:
            for t in outs:
                t._inference = True
        return outs if out is None else out

    formula = None  # for element-wise ones: the same on arrays of one dtype, for a compiled step
    float_formula = False  # whether it holds for floats only

    def _run(self, arrays, options):
        """The forward where somebody may listen."""
        found = listener()
        if found is None:
            return self.forward(*arrays, **options)
        formula = None if self.float_formula and arrays[0].dtype.kind in "iub" else self.formula
        return found.call(self.name, self.forward, arrays, options, formula)

    look: Any = None  # for layers with weights: told of tensors whose first takes no part in differentiation

    def record(self, tensors, outs, options):
        """Make `outs` results of a node in the graph."""
        edges, mask, bit, varies = [], 0, 1, self.variadic
        for t in tensors:
            edge = None
            if t is None:
                varies = True
            else:
                if t._base is not None and t._seen != t._base._rebases:
                    t._refresh()
                if t._rg and self.differentiable & bit:
                    a, node = t._array, t._node
                    edge = (t, LEAF, a.shape, a.dtype) if node is None else (node, t._index, a.shape, a.dtype)
                    mask |= bit
            edges.append(edge)
            bit += bit
        if not mask & 1:
            if not mask:
                return
            if self.look is not None and tensors[1]._fb_looks < 3 and log.on:
                self.look(tensors)
        node = _new(self.node)
        node.edges = edges
        node.seq = next_number()
        if len(outs) != 1:
            node.outputs = len(outs)
        if options:
            node.options = options
        key = (mask, *[t is None for t in tensors]) if varies else mask
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plans[key] = Plan(self, mask, tensors, options)
        node.plan = plan
        if state.special:
            keep_specially(node, plan, tensors, outs)
        else:
            keep(node, plan, tensors, outs)
        i = 0
        for o in outs:
            if o is not None and o._array.dtype.kind in "fcV":
                o._node, o._rg = node, True
                if i:
                    o._index = i
            i += 1

    def record_one(self, x, out, options=None):
        """`record` of one tensor and one result."""
        if x._base is not None and x._seen != x._base._rebases:
            x._refresh()
        d = out._array.dtype
        if not x._rg or not self.differentiable & 1 or d is not F32 and d is not F64 and d.kind not in "fcV":
            return
        plan = self.plans.get(1)
        if plan is None:
            plan = self.plans[1] = Plan(self, 1, (x,), options or ())
        a, made = x._array, x._node
        node = _new(self.node)
        node.edges = ((x, LEAF, a.shape, a.dtype) if made is None else (made, x._index, a.shape, a.dtype),)
        node.seq, node.plan = next_number(), plan
        if options:
            node.options = options
        if state.special:
            keep_specially(node, plan, (x,), (out,))
        elif plan.positions or plan.keep_out:
            keep(node, plan, (x,), (out,))
        else:
            node.saved = NOTHING
            if plan.shapes:
                node.shapes = ((a.shape, a.dtype),)
        out._node, out._rg = node, True

    def record_pair(self, x, y, out):
        """`record` of two tensors and one floating-point result without options, the commonest case."""
        if x._base is not None and x._seen != x._base._rebases:
            x._refresh()
        if y._base is not None and y._seen != y._base._rebases:
            y._refresh()
        left = right = None
        mask = 0
        if x._rg and self.differentiable & 1:
            a, node = x._array, x._node
            left = (x, LEAF, a.shape, a.dtype) if node is None else (node, x._index, a.shape, a.dtype)
            mask = 1
        if y._rg and self.differentiable & 2:
            a, node = y._array, y._node
            right = (y, LEAF, a.shape, a.dtype) if node is None else (node, y._index, a.shape, a.dtype)
            mask += 2
        if not mask:
            return
        plan = self.plans.get(mask)
        if plan is None:
            plan = self.plans[mask] = Plan(self, mask, (x, y), ())
        out._node = node = _new(self.node)
        out._rg = True
        node.edges, node.seq, node.plan = (left, right), next_number(), plan
        if state.special:
            keep_specially(node, plan, (x, y), (out,))
        elif plan.keep_out or plan.shapes:
            keep(node, plan, (x, y), (out,))
        else:  # as `keep` would
            node.saved = saved = {}
            for i in plan.positions:
                t = y if i else x
                if t._inference:
                    raise GradientError(
                        INFERENCE,
                        why="one of the tensors was made in `torch.inference_mode()`, where nothing is tracked",
                        fix="use `x.clone()` outside of `torch.inference_mode()`, or `torch.no_grad()` in its place",
                    )
                cell = t._cell
                saved[i] = (t, cell[0] if cell else 0, None)
        if log.deep:
            n = out._array.size
            if n > x._array.size and n > y._array.size and log.on:
                shapes.broadcast(self.name, x, y, out)

    def __repr__(self):
        return f"<primitive {self.name}>"


_STARRED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def parameter_names(function) -> tuple[str, ...]:
    """Names of a function's parameters. Read from its code: a thousand calls of inspect.signature would slow import."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _STARRED or hasattr(function, "__wrapped__"):
        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def forward_parameters(forward):
    """(names in order, defaults, whether variadic) of a forward function; ufuncs take input and other."""
    if isinstance(forward, np.ufunc):
        return ("input", "other")[: forward.nin], {}, False
    code = getattr(forward, "__code__", None)
    if code is not None and not forward.__defaults__ and not forward.__kwdefaults__ and not code.co_flags & _STARRED:
        return parameter_names(forward), {}, False
    names, defaults, variadic = [], {}, False
    for p in inspect.signature(forward).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            variadic = True
        elif p.kind is not p.VAR_KEYWORD:
            if p.default is not p.empty:
                defaults[p.name] = p.default
            if not variadic:
                names.append(p.name)
    return tuple(names), defaults, variadic


def primitive(name, forward=None, *, vjp=None, node=None, names=None):
    """Define a primitive (see the module's docstring); also usable as a decorator of its forward."""
    if forward is None:
        return lambda f: primitive(name, f, vjp=vjp, node=node, names=names)
    return (CopyPrimitive if name in SAME else Primitive)(name, forward, vjp, node, names)


class CopyPrimitive(Primitive):
    """A primitive whose result holds values of its first argument: what made those is remembered (checks/tags.py)."""

    def __call__(self, *tensors, **options):
        made = Primitive.__call__(self, *tensors, **options)
        if made._node is None and log.on:
            pass_on(tensors[0], made)
        return made


class ViewPrimitive(Primitive):
    """A primitive of one tensor whose result shares its memory."""

    def __call__(self, input, **options):
        try:
            made = self.forward(input._array, **options)
        except FlambeauError:
            raise
        except ValueError as error:
            raise ShapeError(
                f"{self.name}: {error}",
                why="the shape or a value of the arguments does not fit",
                fix="compare them with the example in the function's docstring",
            ) from error
        if made.__class__ is tuple or made.__class__ is list:
            outs = tuple([wrap(a) for a in made])
            self.multi = True
            link_view(outs, input, self, options)
            if state.grad and input.requires_grad:
                self.record((input,), outs, options)
            return outs
        return linked(input, made, self, options)


def view_primitive(name, forward=None, *, vjp=None, node=None, names=None):
    """Define a primitive whose result (or results) is a view of its argument's memory."""
    if forward is None:
        return lambda f: ViewPrimitive(name, f, vjp, node, names)
    return ViewPrimitive(name, forward, vjp, node, names)


def linked(input, made, op, options):
    """The tensor over the array `made`, which the view primitive `op` made of the memory of `input`."""
    t = _new(Tensor)
    t._array = made
    cell = input._cell
    if cell is None:
        cell = input._cell = [0]
    t._cell = cell
    base = input._base
    if base is None:
        t._base, t._chain = input, (None, op, options)
        if input._rebases:
            t._seen = input._rebases
        if state.grad:
            if input._rg:
                op.record_one(input, t, options)
        else:
            t._made = "inference" if state.inference else "no_grad"
    else:
        t._base, t._chain = base, (input._chain, op, options)
        if input._made:
            t._made = input._made
        if state.grad:
            if input.requires_grad:
                op.record_one(input, t, options)
            if base._rebases:
                t._seen = base._rebases
        else:
            t._seen = input._seen
            if not t._made:
                t._made = "inference" if state.inference else "no_grad"
    if input._inference:
        t._inference = True
    return t


def replay(chain, t):
    """The view of `t` that a view's `_chain` leads to."""
    if chain is None:
        return t
    before, op, options = chain
    return op(replay(before, t), **options)


def link_view(outs, input, op, options):
    """Make `outs` views of `input`: one version counter, and the way from the base for in-place operations."""
    cell = input._cell
    if cell is None:
        cell = input._cell = [0]
    base = input._base
    if base is None:
        base, chain = input, None
    else:
        chain = input._chain
    many = isinstance(op, ViewPrimitive) and op.multi
    made = "multi" if many else input._made or ("" if state.grad else "inference" if state.inference else "no_grad")
    for i, t in enumerate(outs):
        t._cell, t._base, t._seen = cell, base, base._rebases
        t._chain = (chain, _Output(op, i) if many else op, options)
        if made:
            t._made = made
        if input._inference:
            t._inference = True


class _Output:
    """One output of a view operation with several."""

    def __init__(self, op, index):
        self.op, self.index = op, index

    def __call__(self, t, **options):
        return self.op(t, **options)[self.index]
