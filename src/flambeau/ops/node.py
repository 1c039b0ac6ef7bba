"""The nodes that primitives record: what they keep of their tensors, and how gradients are pulled through them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..arrays import as_array
from ..autograd.engine import FREED, Node
from ..autograd.mode import state
from ..dtypes import from_numpy_dtype
from ..errors import ArgumentTypeError, GradientError, MissingAttribute
from ..kernels.record import listeners
from ..tensor import Tensor, wrap

_new = object.__new__
_ndarray = np.ndarray
_OUT = -1  # where the first result is kept; the i-th one under ~i
NOTHING: dict = {}  # what nodes hold that keep no tensor
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


class Plan:
    """What a primitive does for one set of inputs that need gradients.

    positions: the inputs that its rules want kept; keep_out: whether the results are kept (or "aux": all but the
    first); shapes: whether the inputs' shapes are noted.
    pairs: the rules for one input that ask for the gradient and one kept tensor, by far the commonest: (input number,
    key of what was kept, rule, its form on float arrays or None). others: (input number, or input numbers of a rule for
    several, or None for all; the rule; what it asks for: keys of what was kept, else names).
    """

    __slots__ = ("keep_out", "others", "pairs", "positions", "shapes")

    def __init__(self, op, mask, tensors, options):
        given = {
            name: i
            for name, i in op.positions.items()
            if i < len(tensors) and tensors[i] is not None and name != "g" and name not in options
        }
        positions, self.keep_out, self.shapes, self.pairs, self.others = set(), False, False, [], []
        for where, rule, wants, joint in op.rules:
            if where is not None and not any(mask >> i & 1 for i in where):
                continue
            for want in wants:
                if want in op.positions:
                    positions.add(op.positions[want])
                elif want == "out":
                    self.keep_out = True
                elif want == "aux":  # all results but the first, which the user may overwrite (ReLU(inplace=True))
                    self.keep_out = self.keep_out or "aux"
                elif want == "tensors":
                    positions |= set(range(len(tensors)))
                    self.shapes = True
                elif want == "shapes" or want.endswith(("_shape", "_dtype")):
                    self.shapes = True
            second = wants[1] if len(wants) == 2 and not joint else None
            if second in given:
                self.pairs.append((where[0], given[second], rule, getattr(rule, "on_floats", None)))
            elif second == "out" and not op.multi:
                self.pairs.append((where[0], _OUT, rule, getattr(rule, "on_floats", None)))
            else:
                self.others.append((where if joint else where[0], rule, [given.get(want, want) for want in wants]))
        self.positions = tuple(i for i in sorted(positions) if i < len(tensors))


class OpNode(Node):
    """A recorded primitive. `saved`: position of an input, or ~number of a result -> what was kept of it."""

    op: Any  # the primitive
    plan: Plan
    saved: dict | None = None
    options: dict = {}
    shapes: list | None = None

    def release(self):
        if self.saved:  # a node that kept nothing can be used again, as in PyTorch
            self.saved = None

    def pull(self, g, wanted):
        """Apply the rules. Forms on arrays are used unless this pass is recorded itself."""
        saved, plan, found = self.saved, self.plan, [None] * len(wanted)
        if saved is None:
            raise GradientError(
                FREED,
                why="the values kept for this gradient were freed by an earlier `backward()`",
                fix="call `backward()` once, on the sum of the losses, or pass `retain_graph=True`",
            )
        if plan.pairs:
            recorded, a = state.grad, None
            if g.__class__ is Tensor and not recorded and not listeners:
                a = g._array
                if a.dtype is not F32 and a.dtype is not F64:
                    a = None
            for at, key, rule, on_floats in plan.pairs:
                if wanted[at]:
                    kept, version, hook = saved[key]
                    if hook is not None or recorded:
                        kept = self.unpack(key)
                    else:
                        cell = kept._cell
                        if (cell[0] if cell else 0) != version:
                            raise overwritten(self, key, kept, version)
                    if a is None or on_floats is None:
                        found[at] = rule(g, kept)
                    else:
                        made = on_floats(a, kept._array)
                        found[at] = d = _new(Tensor)
                        d._array = made if made.__class__ is _ndarray else as_array(made)
        for at, rule, wants in plan.others:
            if at.__class__ is not int:
                self._pull_several(g, wanted, found, rule, wants, at)
            elif wanted[at]:
                found[at] = rule(g) if len(wants) == 1 else rule(*self._arguments(wants, g))
        return found

    def _pull_several(self, g, wanted, found, rule, wants, where):
        """Apply a rule that gives the gradients of several inputs at once."""
        count = len(wanted)
        inputs = range(count) if where is None else where
        needs = tuple([i < count and bool(wanted[i]) for i in inputs])
        if True in needs:
            results = rule(*self._arguments(wants, g, needs))
            for i, d in zip(inputs, results):
                if i < count:
                    found[i] = d

    def _arguments(self, wants, g, needs=None):
        """What a rule is to be called with."""
        return [
            g if w == "g" else self.unpack(w) if w.__class__ is int else needs if w == "needs" else self.value(w)
            for w in wants
        ]

    def value(self, name):
        """What a rule's parameter `name` stands for."""
        if name in self.options:
            return self.options[name]
        op = self.op
        if name.endswith("_shape"):
            return self.shapes[op.positions[name[:-6]]][0]
        if name in op.positions:
            return self.unpack(op.positions[name])
        if name == "out":
            if self.outputs > 1 or op.multi:
                return tuple(self.unpack(~i) for i in range(self.outputs))
            return self.unpack(_OUT)
        if name == "aux":
            return (None, *(self.unpack(~i) for i in range(1, self.outputs)))
        if name.endswith("_dtype"):
            return from_numpy_dtype(self.shapes[op.positions[name[:-6]]][1])
        if name == "shapes":
            return [s and s[0] for s in self.shapes]
        if name == "tensors":
            return [self.unpack(i) for i in range(len(self.shapes))]
        if name in op.defaults:
            return op.defaults[name]
        raise TypeError(f"{op.name}: a gradient rule asks for '{name}', which is no argument")

    def unpack(self, key):
        """A kept tensor, checked against in-place changes made since."""
        kept = self.saved.get(key)
        if kept is None:
            return None
        t, version, unpack = kept
        if unpack is not None:
            t = unpack(t)
            if not isinstance(t, Tensor):
                raise ArgumentTypeError(
                    "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                    f"{type(t).__name__}",
                    why="the hook gives back the tensor that its pack hook was given",
                    fix="return that tensor",
                )
        elif (t._cell[0] if t._cell else 0) != version:
            raise overwritten(self, key, t, version)
        if key < 0 and state.grad:
            # The result itself was kept without its node, which would have made a cycle.
            again = wrap(t._array)
            again._node, again._index, again._rg = self, ~key, True
            return again
        return t


@functools.cache
def _saved_property(name):
    """PyTorch's way to look at what a node keeps: grad_fn._saved_self, _saved_result, _saved_dim..."""

    def saved(self):
        if self.saved is not None:
            try:
                return self.value(name)
            except TypeError:
                pass
        raise MissingAttribute(
            f"'{type(self).__name__}' object keeps no '{name}'",
            why=f"`{name}` is not kept for this gradient",
            fix="see `dir(node)` for the names that are",
        )

    return property(saved)


def node_class(title, op):
    """The class of the nodes of a primitive. (A `__getattr__` would slow down every attribute of every node.)"""
    names = {**{name: name for name in op.positions}, "result": "out", "self": "input"}
    return type(title, (OpNode,), {"op": op, **{"_saved_" + n: _saved_property(v) for n, v in names.items()}})


def overwritten(node, key, t, then) -> GradientError:
    """The error for a kept tensor that an in-place operation has changed."""
    kind = "torch." + {"f4": "FloatTensor", "f8": "DoubleTensor", "i8": "LongTensor"}.get(
        t._array.dtype.str[1:], f"{t.dtype.name.title()}Tensor"
    )
    origin = ""
    if key < 0:
        origin = f", which is output {~key} of {node.name()},"
    elif t._node is not None:
        origin = f", which is output {t._index} of {t._node.name()},"
    from ..checks.inplace import overwritten as explained  # only needed for the error

    return explained(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{kind} {list(t.shape)}]{origin} is at version {t._version}; expected version {then} instead.",
        node.op.name,
        t,
        key < 0,
    )


INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
    "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)


def keep(node, plan, tensors, outs):
    """Keep what the rules will ask for, with the version it has now."""
    node.saved = saved = {}
    for i in plan.positions:
        t = tensors[i]
        if t is not None:
            if t._inference:
                raise GradientError(
                    INFERENCE,
                    why="one of the tensors was made in `torch.inference_mode()`, and nothing in that mode is tracked",
                    fix="use `x.clone()` outside of `torch.inference_mode()`, or `torch.no_grad()` in its place",
                )
            cell = t._cell
            saved[i] = (t, cell[0] if cell else 0, None)
    if plan.keep_out is True and len(outs) == 1:
        saved[_OUT] = _twin(outs[0])
    elif plan.keep_out:
        for i, o in enumerate(outs):
            if o is not None and (i or plan.keep_out is True):
                saved[~i] = _twin(o)
    if plan.shapes:
        node.shapes = [None if t is None else (t._array.shape, t._array.dtype) for t in tensors]


def keep_specially(node, plan, tensors, outs):
    """`keep` in anomaly mode and under saved_tensors_hooks."""
    if state.anomaly:
        node.remember_line()
    keep(node, plan, tensors, outs)
    pack = state.pack
    if pack is not None:
        for key, (t, _, _) in node.saved.items():
            node.saved[key] = _packed(pack, t)


def _twin(o: Tensor):
    """A result kept by its own node: memory and version counter are shared, but not the node: no reference cycle."""
    cell = o._cell
    if cell is None:
        cell = o._cell = [0]
    twin = _new(Tensor)
    twin._array, twin._cell = o._array, cell
    return twin, cell[0], None


def _packed(pack, t: Tensor):
    """What a saved_tensors_hooks pack function makes of a tensor."""
    before = t._version
    was, state.grad = state.grad, False  # so that t.numpy() is allowed, and nothing is recorded
    try:
        made = pack[0](t)
    finally:
        state.grad = was
    if t._version != before:
        raise GradientError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot "
            "be modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if "
            "you need to perform in-place operations on the input to a pack hook.",
            why="the hook changed a tensor that the program uses too",
            fix="return a changed copy: `x.clone()`",
        )
    return made, 0, _with_history(pack[1], t) if t._rg else pack[1]


def _with_history(unpack, t: Tensor):
    """An unpack function whose tensors take part in gradients of gradients, as `t` did."""
    leaf, node, index = t if t._node is None else None, t._node, t._index

    def unpacked(made):
        found = unpack(made)
        if not isinstance(found, Tensor) or not state.grad or found._rg:
            return found
        again = wrap(found._array)
        if leaf is None:
            again._node, again._index, again._rg = node, index, True
        else:
            through = leaf.view_as(leaf)
            again._node, again._index, again._rg = through._node, through._index, True
        return again

    return unpacked
