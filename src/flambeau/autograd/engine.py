"""The graph and its replay: `Node` (one recorded operation) and `run` (pull a gradient back to every leaf).

Nothing here knows any operation by name. A node is created after everything it depends on, so going through nodes
by falling creation number visits each one after all its consumers: no second pass is needed to count them.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import traceback
import weakref
from sys import getrefcount as _refs

import numpy as np

from ..checks.log import log
from ..dtypes import from_numpy_dtype
from ..errors import ArgumentTypeError, GradientError, ShapeError
from ..kernels.record import into, listener, listeners, unchanged
from ..language import warn
from ..tensor import Tensor, wrap
from .mode import state

next_number = itertools.count(1).__next__
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
LEAF = -1  # the output number of an edge that ends in a leaf tensor

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


class Node:
    """One recorded operation. `edges`: per input None, or (node or leaf tensor, output number, shape, NumPy dtype)."""

    # Class attributes until set: a node costs what it really holds.
    edges: tuple = ()
    outputs = 1
    pre_hooks = post_hooks = None  # id -> function
    retained = None  # output number -> weak reference to a tensor that wants its gradient
    trace = None  # in anomaly mode: the stack of the forward call

    def __init__(self, edges, outputs=1):
        self.edges = edges
        self.seq = next_number()
        if outputs != 1:
            self.outputs = outputs
        if state.anomaly:
            self.remember_line()

    def remember_line(self):
        """Keep the forward stack up to the user's own line, for anomaly mode."""
        frames = [frame for frame in traceback.extract_stack() if not frame.filename.startswith(_PACKAGE)]
        self.trace = "".join(traceback.format_list(frames))

    @functools.cached_property
    def metadata(self):
        """A dictionary for the user's own use."""
        return {}

    def pull(self, g, wanted):
        """Gradients of the inputs from the gradient(s) of the output(s); `wanted[i]` says which are needed."""
        raise NotImplementedError

    def release(self):
        """Forget what was kept for `pull`."""

    def name(self) -> str:
        """The node's name, as PyTorch prints it."""
        return type(self).__name__

    @property
    def next_functions(self):
        """((node, output number), ...) of the inputs."""
        return tuple(
            (None, 0) if e is None else (accumulator(e[0]), 0) if e[1] == LEAF else (e[0], e[1]) for e in self.edges
        )

    def register_hook(self, hook):
        """`hook(grad_inputs, grad_outputs)` runs after the node; what it returns replaces grad_inputs."""
        return _Handle.add(self, "post_hooks", hook)

    def register_prehook(self, hook):
        """`hook(grad_outputs)` runs before the node; what it returns replaces grad_outputs."""
        return _Handle.add(self, "pre_hooks", lambda grads: hook(grads))

    def __repr__(self):
        return f"<{type(self).__name__} object at {hex(id(self))}>"


class AccumulateGrad(Node):
    """Stands in `next_functions` for a leaf, whose `.grad` it adds to."""

    def __init__(self, variable):
        super().__init__(())
        self.variable = variable

    def name(self):
        """The name that PyTorch gives it."""
        return "torch::autograd::AccumulateGrad"

    def __call__(self, g):
        accumulate(self.variable, g)


def accumulator(leaf: Tensor) -> AccumulateGrad:
    """The one AccumulateGrad of a leaf, made on demand."""
    found = leaf._accumulate() if leaf._accumulate is not None else None
    if found is None:
        found = AccumulateGrad(leaf)
        leaf._accumulate = weakref.ref(found)
    return found


class _Handle:
    """Removes a hook again: `handle.remove()`, or the end of a `with` block."""

    _next = itertools.count().__next__

    def __init__(self, hooks: dict, key: int):
        self.hooks, self.id = weakref.ref(hooks) if not isinstance(hooks, dict) else hooks, key

    @staticmethod
    def add(owner, slot: str, hook):
        hooks = getattr(owner, slot)
        if hooks is None:
            hooks = {}
            setattr(owner, slot, hooks)
        key = _Handle._next()
        hooks[key] = hook
        return _Handle(hooks, key)

    def remove(self):
        """Take the hook away; a second call does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def edge_of(t: Tensor):
    """The edge that leads to a tensor, or None when it takes no part in differentiation."""
    if t._base is not None and t._seen != t._base._rebases:
        t._refresh()
    if not t._rg:
        return None
    a = t._array
    node = t._node
    if node is None:
        return (t, LEAF, a.shape, a.dtype)
    return (node, t._index, a.shape, a.dtype)


def fit(d: Tensor, shape, np_dtype) -> Tensor:
    """A gradient brought to the shape and dtype of the tensor it belongs to: broadcasting is summed away."""
    a = d._array
    if a.shape != shape:
        if a.size == 0 and 0 in shape:
            return d.new_zeros(shape)
        lead = a.ndim - len(shape)
        dims = [*range(lead), *(i + lead for i, n in enumerate(shape) if n == 1 and a.shape[i + lead] != 1)]
        if lead < 0 or [n for i, n in enumerate(a.shape[max(lead, 0) :]) if shape[i] != 1 and n != shape[i]]:
            try:
                return fit(d.expand(shape), shape, np_dtype)
            except RuntimeError:
                raise ShapeError(
                    f"got a gradient of shape {list(a.shape)} for an input of shape {list(shape)}",
                    why="the rule that made it belongs to another shape",
                    fix="return gradients of the shape of the inputs from `backward`",
                ) from None
        if dims:
            d = d.sum(dims, keepdim=True)
        if d._array.shape != shape:
            d = d.reshape(shape)
        a = d._array
    if a.dtype != np_dtype:
        if a.dtype.kind == "c" and np_dtype.kind != "c":
            d = d.real
        d = d.to(from_numpy_dtype(np_dtype))
    return d


def accumulate(leaf: Tensor, g: Tensor, keep_graph: bool = False):
    """Add `g` to `leaf.grad`."""
    if listeners:
        found = listener()
        if found is not None:
            found.accumulates(leaf)
    grad = leaf._grad
    if grad is None:
        if keep_graph or g._rg:
            leaf._grad = g.clone() if not g._rg else g
            return
        a = g._array
        # The gradient may be kept as it is only if nothing else can reach its memory: it owns it, and no one
        # but `g` (and this frame) refers to it. 3 = g.__dict__, the local `a`, the argument of getrefcount.
        if not (a.base is None and _refs(a) <= 3 and a.strides == leaf._array.strides and a.flags.writeable):
            a = _like(a, leaf._array)
        leaf._grad = wrap(a)
    elif keep_graph:
        leaf._grad = grad + g
    else:
        if 0 in grad._array.strides:  # a gradient that the user gave, expanded: its elements share memory
            leaf._grad = wrap(grad._array + g._array)
            return
        if type(grad._array) is np.ndarray:
            _add_into(grad._array, g._array)
        grad._bump()


def _add_into(a: np.ndarray, b: np.ndarray):
    """a += b, whatever their dtypes."""
    if listeners:
        into("accumulate", a, np.add, a, b)
    else:
        np.add(a, b, out=a, casting="unsafe")


def _like(a: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A copy of `a` in the memory layout of `model`."""
    if listeners:
        out = np.empty(model.shape, a.dtype) if model.flags.c_contiguous else np.empty_like(model, dtype=a.dtype)
        into("copy", out, unchanged, a, new=True)
        return out
    if model.flags.c_contiguous or type(a) is not np.ndarray:
        return a.copy()
    out = np.empty_like(model, dtype=a.dtype)
    out[...] = a
    return out


def run(roots, grads, retain_graph=False, create_graph=False, targets=None, reached=None, check=None):
    """Pull gradients back from `roots`.

    Arguments:
        roots: tensors; grads: the gradient of each (tensors of the same shape).
        targets: None to accumulate into the leaves; else the tensors whose gradients are returned, in order
            (None for those that were not reached).
        reached: a list to put the leaves in that were accumulated into.
        check: called with each node, what arrived there, and the gradients that it gave.
    """
    pending: dict = {}  # node -> gradient, or list of gradients for nodes with several outputs
    heap: list = []  # the nodes of `pending`, newest first; not filled while there is but one, as in a chain
    leaves: dict = {}  # id -> [leaf, gradient, whether it may be added to in place]
    useful = captures = None
    if targets is not None:
        useful, captures = _paths(roots, targets)
    push, pop = heapq.heappush, heapq.heappop

    def give(node, index, d):
        """Add `d` to what has arrived at one output of a node."""
        if node in pending:
            if node.outputs == 1:
                pending[node] = pending[node] + d
            else:
                slots = pending[node]
                slots[index] = d if slots[index] is None else slots[index] + d
            return
        if node.outputs == 1:
            pending[node] = d
        else:
            slots = pending[node] = [None] * node.outputs
            slots[index] = d
        if heap:
            push(heap, (-node.seq, node))
        elif len(pending) > 1:
            for node in pending:
                push(heap, (-node.seq, node))

    def give_leaf(leaf, d):
        """Add `d` to what has arrived at a leaf."""
        held = leaves.get(id(leaf))
        if held is None:
            leaves[id(leaf)] = [leaf, d, False]
        elif held[2]:
            _add_into(held[1]._array, d._array)  # a sum made here, that nobody else has
        else:
            held[1] = made = held[1] + d
            held[2] = not create_graph and type(made._array) is np.ndarray

    before, outer_callbacks = state.grad, state.callbacks
    state.grad, state.callbacks = create_graph, []
    if state.anomaly and state.check_nan:
        check = _check_nan
    done = False
    try:
        for t, g in zip(roots, grads):
            edge = edge_of(t)
            if edge is not None and (useful is None or edge[0] in useful or id(edge[0]) in captures):
                if edge[1] == LEAF:
                    give_leaf(t, g)
                else:
                    give(edge[0], edge[1], g)
        while pending:
            if heap:
                node = pop(heap)[1]
                g = pending.pop(node)
            else:
                node, g = pending.popitem()
            if node.pre_hooks or node.retained:
                g = _prepare(node, g)
            wanted = edges = node.edges  # an edge is true, a missing one false
            if captures is not None:
                if id(node) in captures:
                    for index, slot in captures[id(node)].items():
                        slot[0] = g if node.outputs == 1 else g[index]
                    if node not in useful:
                        continue
                wanted = [e is not None and (e[0] in useful or id(e[0]) in captures) for e in edges]
            try:
                found = node.pull(g, wanted)
            except RuntimeError as error:
                if node.trace and not hasattr(error, "_traced"):
                    error._traced = True
                    _warn_trace(node)
                if log.on and error.args and error.args[0] is FREED:
                    from ..checks.graphs import used_twice  # only needed for the error

                    better = used_twice(FREED, node, roots)
                    if better is not None:
                        raise better from None
                raise
            if node.post_hooks:
                found = _finish(node, g, found)
            if check is not None:
                check(node, g, found)
            if not retain_graph:
                node.release()
            if captures is not None:
                found = [d if want else None for d, want in zip(found, wanted)]
            for edge, d in zip(edges, found):
                if d is None or edge is None:
                    continue
                target, index, shape, np_dtype = edge
                a = d._array
                if a.shape != shape or a.dtype is not np_dtype:
                    d = fit(d, shape, np_dtype)
                if index == LEAF:
                    give_leaf(target, d)
                else:
                    give(target, index, d)
            a = g = found = d = None  # so that memory may be reused, and leaf gradients taken over
        done = True
        if targets is None:
            if reached is not None:
                reached += [held[0] for held in leaves.values()]
            for held in leaves.values():
                leaf, held_grad = held[:2]
                held[1] = None  # so that accumulate may take the memory over
                _finish_leaf(leaf, held_grad, create_graph)
                del held_grad
            return None
        results = []
        for t in targets:
            edge = edge_of(t)
            if edge is not None and edge[1] == LEAF:
                held = leaves.get(id(t))
                g = held and _leaf_hooks(t, held[1])
            else:
                g = edge and captures[id(edge[0])][edge[1]][0]
            results.append(g if g is not None else None)
        return results
    finally:
        state.grad = before
        callbacks, state.callbacks = state.callbacks, outer_callbacks
        if done:
            for callback in callbacks:
                callback()


def _paths(roots, targets):
    """(nodes that lead to a target, what to capture: id(node) -> {output: [gradient]})."""
    captures: dict = {}
    for t in targets:
        edge = edge_of(t)
        if edge is not None:
            slots = captures.setdefault(id(edge[0]), {})
            slots[edge[1]] = [None]
    seen, stack = set(), [e[0] for e in map(edge_of, roots) if e is not None and e[1] != LEAF]
    order = []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        order.append(node)
        stack += [e[0] for e in node.edges if e is not None and e[1] != LEAF and e[0] not in seen]
    useful = set()
    for node in sorted(order, key=lambda n: n.seq):
        if any(e is not None and (e[0] in useful or id(e[0]) in captures) for e in node.edges):
            useful.add(node)
    return useful, captures


def _prepare(node, g):
    """Hooks on the gradient of a node's output(s), then retain_grad."""
    grads = [g] if node.outputs == 1 else list(g)
    for hook in list((node.pre_hooks or {}).values()):
        new = hook(tuple(grads))
        if new is not None:
            grads = list(_returned(new, len(grads), hook))
    for index, ref in (node.retained or {}).items():
        t = ref()
        if t is not None and grads[index] is not None:
            accumulate(t, grads[index].clone() if not state.grad else grads[index], state.grad)
    return grads[0] if node.outputs == 1 else grads


def _finish(node, g, found):
    """Hooks that run after a node."""
    outputs = (g,) if node.outputs == 1 else tuple(g)
    found = tuple(found)
    for hook in list(node.post_hooks.values()):
        new = hook(found, outputs)
        if new is not None:
            found = _returned(new, len(found), hook)
    return found


def _returned(new, count, hook):
    """What a node's hook returned, if it may stand for `count` gradients."""
    if isinstance(new, Tensor) and count == 1:
        return (new,)
    if not isinstance(new, (tuple, list)):
        raise ArgumentTypeError(
            f"expected tuple, but hook returned '{type(new).__name__}'",
            why="a hook of a node replaces all gradients of the node at once",
            fix=f"return a tuple of {count}, or nothing",
        )
    if len(new) != count:
        raise GradientError(
            f"hook '{getattr(hook, '__name__', 'hook')}' has returned an incorrect number of values "
            f"(got {len(new)}, but expected {count})",
            why="a hook of a node replaces all gradients of the node at once",
            fix=f"return a tuple of {count}, or nothing",
        )
    for g in new:
        if g is not None and not isinstance(g, Tensor):
            raise ArgumentTypeError(
                f"expected Variable, but hook returned '{type(g).__name__}'",
                why="what a hook returns replaces the gradient",
                fix="return a tensor, or nothing to leave the gradient as it is",
            )
    return tuple(new)


def _leaf_hooks(leaf, g):
    for hook in list((leaf._hooks or {}).values()):
        new = hook(g)
        if new is not None:
            g = checked_hook_result(new, g, hook)
    acc = leaf._accumulate and leaf._accumulate()
    if acc is not None and acc.pre_hooks:
        for hook in list(acc.pre_hooks.values()):
            new = hook((g,))
            if new is not None:
                g = new[0] if isinstance(new, (tuple, list)) else new
    return g


def checked_hook_result(new, g, hook):
    """What a tensor hook returned, if it may stand for the gradient `g`."""
    if not isinstance(new, Tensor):
        raise ArgumentTypeError(
            f"expected Variable, but hook returned '{type(new).__name__}'",
            why="what a hook returns replaces the gradient",
            fix="return a tensor, or nothing to leave the gradient as it is",
        )
    name = getattr(hook, "__name__", "hook")
    if new._array.dtype != g._array.dtype:
        raise GradientError(
            f"hook '{name}' has changed the type of value (was {g.type()} got {new.type()})",
            why="what a hook returns replaces the gradient",
            fix=f"return `new.to({g.dtype})`",
        )
    if new._array.shape != g._array.shape:
        raise ShapeError(
            f"hook '{name}' has changed the size of value",
            why=f"the gradient has shape {tuple(g.shape)}, the hook returned {tuple(new.shape)}",
            fix="return a gradient of the same shape",
        )
    return new


def _finish_leaf(leaf, g, create_graph):
    if leaf._hooks or leaf._accumulate:
        g = _leaf_hooks(leaf, g)
    accumulate(leaf, g, create_graph)
    acc = leaf._accumulate and leaf._accumulate()
    if acc is not None and acc.post_hooks:
        for hook in list(acc.post_hooks.values()):
            hook((), (g,))
    for hook in list((leaf._post_hooks or {}).values()):
        hook(leaf)


def _check_nan(node, g, found):
    for i, d in enumerate(found):
        if d is not None and d._array.dtype.kind in "fc" and np.isnan(d._array).any():
            _warn_trace(node)
            raise GradientError(
                f"Function '{node.name()}' returned nan values in its {i}th output.",
                why="the forward call that made it is shown in the warning above",
                fix="look there for a division by zero, or a root or logarithm of zero",
            )


def _warn_trace(node):
    if node.trace:
        warn(
            f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{node.trace}",
            stacklevel=4,
        )
    else:
        warn(
            f"Error detected in {node.name()}. No forward pass information is available. Enable detect anomaly "
            "during forward pass for more information.",
            stacklevel=4,
        )
