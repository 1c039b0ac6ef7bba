"""Primitives: array-level forwards with gradient rules on tensors, and the nodes that record them (see entry.py)."""

from __future__ import annotations

import inspect

import numpy as np

from ..arrays import as_array
from ..autograd.engine import FREED, LEAF, Node, next_number
from ..autograd.mode import state
from ..dtypes import from_numpy_dtype
from ..errors import FlambeauError, GradientError, ShapeError
from ..kernels.record import listener, listeners
from ..tensor import Tensor, wrap

PRIMITIVES: dict[str, Primitive] = {}

_new = object.__new__
_OUT = ("out", 0)


class OpNode(Node):
    """A recorded primitive. `saved`: position of an input (or "out") -> what was kept of it."""

    op: Primitive
    saved: dict | None = None
    options: dict = {}
    shapes: list | None = None

    def release(self):
        if self.saved:  # a node that kept nothing can be used again, as in PyTorch
            self.saved = None

    def pull(self, g, wanted):
        op = self.op
        if self.saved is None:
            raise GradientError(FREED, fix="call backward() once on the sum of the losses, or pass retain_graph=True")
        return op.pull(self, g, wanted)

    def value(self, name):
        """What a rule's parameter `name` stands for."""
        op = self.op
        if name in self.options:
            return self.options[name]
        if name in op.positions:
            return self.unpack(op.positions[name])
        if name == "out":
            if self.outputs > 1 or op.multi:
                return tuple(self.unpack(("out", i)) for i in range(self.outputs))
            return self.unpack(_OUT)
        if name == "aux":
            return (None, *(self.unpack(("out", i)) for i in range(1, self.outputs)))
        if name.endswith("_shape"):
            return self.shapes[op.positions[name[:-6]]][0]
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
                raise TypeError(
                    "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                    f"{type(t).__name__}"
                )
        elif (t._cell[0] if t._cell else 0) != version:
            raise overwritten(self, key, t, version)
        if key.__class__ is tuple and state.grad:
            # The result itself was kept without its node, which would have made a cycle.
            again = wrap(t._array)
            again._node, again._index, again._rg = self, key[1], True
            return again
        return t

    def __getattr__(self, name):
        # PyTorch's names for what is kept: grad_fn._saved_self, _saved_result, _saved_dim...
        if name.startswith("_saved_") and self.saved is not None:
            wanted = {"_saved_self": "input", "_saved_result": "out"}.get(name, name[7:])
            try:
                return self.value(wanted)
            except TypeError:
                pass
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


def overwritten(node, key, t, then) -> GradientError:
    """The error for a kept tensor that an in-place operation has changed."""
    kind = "torch." + {"f4": "FloatTensor", "f8": "DoubleTensor", "i8": "LongTensor"}.get(
        t._array.dtype.str[1:], f"{t.dtype.name.title()}Tensor"
    )
    origin = ""
    if key.__class__ is tuple:
        origin = f", which is output {key[1]} of {node.name()},"
    elif t._node is not None:
        origin = f", which is output {t._index} of {t._node.name()},"
    return GradientError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{kind} {list(t.shape)}]{origin} is at version {t._version}; expected version {then} instead.",
        why=f"{node.name()} kept this tensor for its gradient, and it was changed in place since",
        fix="use the out-of-place form (x = x + 1 instead of x += 1), or clone() before changing it",
    )


INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
    "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)


def _twin(o: Tensor):
    """A result kept by its own node: memory and version counter are shared, but not the node: no reference cycle."""
    if o._cell is None:
        o._cell = [0]
    twin = _new(Tensor)
    twin._array, twin._cell = o._array, o._cell
    return twin, o._cell[0], None


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
            "you need to perform in-place operations on the input to a pack hook."
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
        self.node = type(title, (OpNode,), {"op": self})
        PRIMITIVES[name] = self

    def __call__(self, *tensors, **options):
        try:
            made = self._run([t if t is None else t._array for t in tensors], options) if listeners else (
                self.forward(*[t if t is None else t._array for t in tensors], **options))
        except FlambeauError:
            raise
        except ValueError as error:  # what a check did not foresee; PyTorch's class for bad shapes
            raise ShapeError(f"{self.name}: {error}", why=_call(self.name, tensors, options)) from error
        if made.__class__ is tuple:
            outs = tuple(None if a is None else wrap(as_array(a)) for a in made)
            self.multi = True
        else:
            out = _new(Tensor)
            out._array = made if isinstance(made, np.ndarray) else np.asarray(made)
            outs = (out,)
        if state.grad and self.rules:
            for t in tensors:
                if t is not None and (t._rg or t._base is not None and t.requires_grad):
                    self.record(tensors, outs, options)
                    break
        elif state.inference:
            for t in outs:
                t._inference = True
        return outs if made.__class__ is tuple else outs[0]

    formula = None  # for element-wise ones: the same on arrays of one dtype, for a compiled step
    float_formula = False  # whether it holds for floats only

    def _run(self, arrays, options):
        """The forward where somebody may listen."""
        found = listener()
        if found is None:
            return self.forward(*arrays, **options)
        formula = None if self.float_formula and arrays[0].dtype.kind in "iub" else self.formula
        return found.call(self.name, self.forward, arrays, options, formula)

    def record(self, tensors, outs, options):
        """Make `outs` results of a node in the graph."""
        edges, mask, bit = [], 0, 1
        for t in tensors:
            edge = None
            if t is not None:
                if t._base is not None and t._seen != t._base._rebases:
                    t._refresh()
                if t._rg and self.differentiable & bit:
                    a, node = t._array, t._node
                    edge = (t, LEAF, a.shape, a.dtype) if node is None else (node, t._index, a.shape, a.dtype)
                    mask |= bit
            edges.append(edge)
            bit += bit
        if not mask:
            return
        node = _new(self.node)
        node.edges = edges
        node.seq = next_number()
        if len(outs) != 1:
            node.outputs = len(outs)
        if options:
            node.options = options
        plan = self.plans.get(mask)
        if plan is None:
            plan = self.plans[mask] = self._plan(mask, len(tensors))
        positions, keep_out, shapes = plan
        if state.special:
            self._record_special(node, tensors, outs, positions, keep_out)
        else:
            saved = {}
            for i in positions:
                t = tensors[i]
                if t is not None:
                    if t._inference:
                        raise GradientError(INFERENCE)
                    cell = t._cell
                    saved[i] = (t, cell[0] if cell else 0, None)
            if keep_out:
                for i, o in enumerate(outs):
                    if o is not None and (i or keep_out is True):
                        saved["out", i] = _twin(o)
            node.saved = saved
        if shapes:
            node.shapes = [None if t is None else (t._array.shape, t._array.dtype) for t in tensors]
        i = 0
        for o in outs:
            if o is not None and o._array.dtype.kind in "fcV":
                o._node, o._rg = node, True
                if i:
                    o._index = i
            i += 1

    def _record_special(self, node, tensors, outs, positions, keep_out):
        """What anomaly mode and saved_tensors_hooks ask for."""
        if state.anomaly:
            node.remember_line()
        pack = state.pack
        node.saved = saved = {}
        for i in positions:
            t = tensors[i]
            if t is not None:
                saved[i] = (t, t._version, None) if pack is None else _packed(pack, t)
        if keep_out:
            for i, o in enumerate(outs):
                if o is not None and (i or keep_out is True):
                    kept = _twin(o)
                    saved["out", i] = kept if pack is None else _packed(pack, kept[0])

    def _plan(self, mask, count):
        """For a set of inputs that need gradients: which inputs to keep, whether the result, whether shapes."""
        positions, keep_out, shapes = set(), False, False
        for where, _, wants, _ in self.rules:
            if where is not None and not any(mask >> i & 1 for i in where):
                continue
            for want in wants:
                if want in self.positions:
                    positions.add(self.positions[want])
                elif want == "out":
                    keep_out = True
                elif want == "aux":  # all results but the first, which the user may overwrite (ReLU(inplace=True))
                    keep_out = keep_out or "aux"
                elif want == "tensors":
                    positions |= set(range(count))
                    shapes = True
                elif want == "shapes" or want.endswith(("_shape", "_dtype")):
                    shapes = True
        return tuple(i for i in sorted(positions) if i < count), keep_out, shapes

    def pull(self, node, g, wanted):
        """Apply the rules."""
        count = len(wanted)
        found = [None] * count
        for where, rule, wants, joint in self.rules:
            if joint:
                inputs = range(count) if where is None else where
                needs = tuple([i < count and bool(wanted[i]) for i in inputs])
                if True in needs:
                    results = rule(*[g if w == "g" else needs if w == "needs" else node.value(w) for w in wants])
                    for i, d in zip(inputs, results):
                        if i < count:
                            found[i] = d
                continue
            at = where[0]
            if at < count and wanted[at]:
                # One or two parameters are by far the commonest; no list is built for them.
                if len(wants) == 1:
                    found[at] = rule(g)
                elif len(wants) == 2:
                    second = wants[1]
                    key = self.positions.get(second)
                    found[at] = rule(g, node.value(second) if key is None or key >= count else node.unpack(key))
                else:
                    found[at] = rule(*[g if w == "g" else node.value(w) for w in wants])
        return found

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


def _call(name, tensors, options):
    shown = ["None" if t is None else f"{t.dtype.name}{list(t.shape)}" for t in tensors]
    return f"{name}({', '.join(shown + [f'{k}={v!r}' for k, v in options.items()])})"


def primitive(name, forward=None, *, vjp=None, node=None, names=None):
    """Define a primitive (see the module's docstring); also usable as a decorator of its forward."""
    if forward is None:
        return lambda f: Primitive(name, f, vjp, node, names)
    return Primitive(name, forward, vjp, node, names)


class ViewPrimitive(Primitive):
    """A primitive of one tensor whose result shares its memory."""

    def __call__(self, input, **options):
        try:
            made = self.forward(input._array, **options)
        except FlambeauError:
            raise
        except ValueError as error:
            raise ShapeError(f"{self.name}: {error}", why=_call(self.name, (input,), options)) from error
        if made.__class__ is tuple or made.__class__ is list:
            outs = tuple([wrap(a) for a in made])
            self.multi = True
            link_view(outs, input, self, options)
            if state.grad and input.requires_grad:
                self.record((input,), outs, options)
            return outs
        t = _new(Tensor)
        t._array = made
        cell = input._cell
        if cell is None:
            cell = input._cell = [0]
        t._cell = cell
        base = input._base
        if base is None:
            t._base = input
            t._chain = ((self, options),)
            if input._rebases:
                t._seen = input._rebases
            if input._rg and state.grad:
                self.record((input,), (t,), options)
        else:
            t._base = base
            t._chain = (*input._chain, (self, options))
            if input._made:
                t._made = input._made
            if state.grad:
                if input.requires_grad:
                    self.record((input,), (t,), options)
                t._seen = base._rebases
            else:
                t._seen = input._seen
        if not state.grad and not t._made:
            t._made = "inference" if state.inference else "no_grad"
        if input._inference:
            t._inference = True
        return t


def view_primitive(name, forward=None, *, vjp=None, node=None, names=None):
    """Define a primitive whose result (or results) is a view of its argument's memory."""
    if forward is None:
        return lambda f: ViewPrimitive(name, f, vjp, node, names)
    return ViewPrimitive(name, forward, vjp, node, names)


def link_view(outs, input, op, options):
    """Make `outs` views of `input`: one version counter, and the way from the base for in-place operations."""
    cell = input._cell
    if cell is None:
        cell = input._cell = [0]
    base = input._base
    if base is None:
        base, chain = input, ()
    else:
        chain = input._chain
    many = isinstance(op, ViewPrimitive) and op.multi
    made = "multi" if many else input._made or ("" if state.grad else "inference" if state.inference else "no_grad")
    for i, t in enumerate(outs):
        t._cell, t._base, t._seen = cell, base, base._rebases
        t._chain = (*chain, (_Output(op, i) if many else op, options))
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
