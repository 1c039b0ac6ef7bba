"""What an operation is: a primitive (array-level forward, gradient rules on tensors) and its public name.

    _sinh = primitive("sinh", np.sinh, vjp={"input": lambda g, input: g * input.cosh()})

The names that a rule asks for decide what is kept for backward: `g` is the gradient of the result, a name of a
forward argument is that tensor, `out` the result, an option's name its value, `<arg>_shape` and `<arg>_dtype` what
they say. Rules are written with the same functions as user code, so gradients of gradients cost nothing more.
"""

from __future__ import annotations

import functools
import inspect
import weakref

import numpy as np

from ..arrays import as_array
from ..autograd.engine import FREED, LEAF, Node, edge_of, next_number
from ..autograd.mode import state
from ..dtypes import from_numpy_dtype
from ..errors import ArgumentTypeError, FlambeauError, GradientError, ShapeError
from ..tensor import Tensor, attach, wrap
from .misuse import explained, guarded

REGISTRY: dict[str, object] = {}  # public name ("sin", "special.erf") -> function
PRIMITIVES: dict[str, Primitive] = {}
METHODS: dict[str, object] = {}  # name of a Tensor method -> function

_new = object.__new__
_OUT = ("out", 0)


class OpNode(Node):
    """A recorded primitive. `saved`: position of an input (or "out") -> what was kept of it."""

    op: Primitive
    saved: dict | None = None
    options: dict = {}
    shapes: list | None = None

    def release(self):
        self.saved = None

    def pull(self, g, wanted):
        op = self.op
        if self.saved is None and op.keeps:
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
                raise TypeError("Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                                f"{type(t).__name__}")
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


INFERENCE = ("Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
             "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
             "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.")


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
    made = pack[0](t)
    if t._version != before:
        raise GradientError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
            "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you "
            "need to perform in-place operations on the input to a pack hook."
        )
    return made, 0, pack[1]


class Primitive:
    """An operation with its own array-level forward and gradient rules. Called with tensors and keyword options."""

    def __init__(self, name, forward, vjp=None, node=None, names=None):
        self.name = name
        self.forward = forward
        names, self.defaults, self.variadic = _parameters(forward) if names is None else (tuple(names), {}, False)
        self.positions = {n: i for i, n in enumerate(names)}
        self.rules = []  # (positions, rule, parameter names, joint)
        if callable(vjp):
            vjp = {names[0]: vjp}
        for arg, rule in (vjp or {}).items():
            wants = _names(rule)
            joint = isinstance(arg, tuple) or arg.startswith("*")
            where = (
                None if joint and not isinstance(arg, tuple)
                else tuple(self.positions[a] for a in (arg if joint else (arg,)))
            )  # fmt: skip
            self.rules.append((where, rule, wants, joint))
        self.keeps_out = any("out" in wants or "aux" in wants for _, _, wants, _ in self.rules)
        self.keeps = self.keeps_out or any(
            w in self.positions or w == "tensors" for _, _, wants, _ in self.rules for w in wants
        )
        self.multi = False
        self.plans: dict = {}
        # Bit i: input i has a rule.
        self.differentiable = -1 if any(w is None for w, *_ in self.rules) else sum(
            1 << i for w, *_ in self.rules for i in w
        )
        title = node or "".join(p.title() for p in name.rstrip("_").replace(".", "_").split("_")) + "Backward0"
        self.node = type(title, (OpNode,), {"op": self})
        PRIMITIVES[name] = self

    def __call__(self, *tensors, **options):
        try:
            made = self.forward(*[t if t is None else t._array for t in tensors], **options)
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


def _names(function) -> tuple[str, ...]:
    """Names of a function's parameters. Read from its code: a thousand calls of inspect.signature would slow import."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _STARRED or hasattr(function, "__wrapped__"):
        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _parameters(forward):
    """(names in order, defaults, whether variadic) of a forward function; ufuncs take input and other."""
    if isinstance(forward, np.ufunc):
        return ("input", "other")[: forward.nin], {}, False
    code = getattr(forward, "__code__", None)
    if code is not None and not forward.__defaults__ and not forward.__kwdefaults__ and not code.co_flags & _STARRED:
        return _names(forward), {}, False
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


# ---------------------------------------------------------------------- public names


def public(name=None, *, method=False, function=True, inplace=False, out=False, aliases=(), property=False):
    """Give a function its public name, its method, its in-place form, its `out=` and its other names.

    name: default the function's own; "special.erf" puts it in a submodule.
    """

    def register(fn):
        full = name or fn.__name__
        short = full.rsplit(".", 1)[-1]
        called = _with_out(fn) if out else fn
        parameters = _names(fn)
        if "dim" in parameters or "keepdim" in parameters:
            called = _numpy_names(called)
        if called is fn and full not in _SHORT_CALLS and not isinstance(fn, type):
            called = guarded(fn)
        called.__flambeau_name__ = full
        for n in (full, *aliases):
            if function:
                REGISTRY[n] = called
        for n in dict.fromkeys((short, *(a.rsplit(".", 1)[-1] for a in aliases))):
            if method:
                METHODS[n] = called
                attach(n, called)
            if inplace:
                METHODS[n + "_"] = changed = _in_place(fn, n)
                attach(n + "_", changed)
                if function and "." not in full and inplace != "method":
                    REGISTRY[n + "_"] = changed
        return called

    return register


# Called so often that one more call around them would be felt; they say themselves what is wrong.
_SHORT_CALLS = frozenset(("reshape", "permute", "transpose", "t", "flatten", "view", "clone", "expand", "contiguous",
                          "to", "empty", "zeros", "ones", "matmul", "copy_", "fill_", "zero_", "conv2d"))  # fmt: skip


def _numpy_names(fn):
    """Accept NumPy's `axis` and `keepdims` for `dim` and `keepdim`, as PyTorch does."""

    @functools.wraps(fn)
    def renamed(*args, **kwargs):
        if kwargs:
            if "axis" in kwargs:
                kwargs["dim"] = kwargs.pop("axis")
            if "keepdims" in kwargs:
                kwargs["keepdim"] = kwargs.pop("keepdims")
            keepdim = kwargs.get("keepdim", False)
            if keepdim is not False and keepdim is not True and not isinstance(keepdim, np.bool_):
                raise ArgumentTypeError(f"{fn.__name__}(): argument 'keepdim' must be bool, not {type(keepdim).__name__}")
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            better = explained(fn, fn.__name__, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    return renamed


def _with_out(fn):
    @functools.wraps(fn)
    def with_out(*args, out=None, **kwargs):
        try:
            if out is None:
                return fn(*args, **kwargs)
            return write_out(fn(*args, **kwargs), out, fn.__name__)
        except Exception as error:
            better = explained(fn, fn.__name__, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    with_out.__flambeau_out__ = True
    return with_out


def write_out(result, out, name):
    """Store a result in the tensor(s) given as `out=`, resized if need be; returns `out`."""
    if isinstance(result, tuple):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise TypeError(f"{name}() expected a tuple of {len(result)} tensors for argument 'out'")
        made = [write_out(r, o, name) for r, o in zip(result, out)]
        return type(result)(made) if hasattr(result, "_fields") else tuple(made)
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if state.grad and (out._rg or result._rg):
        raise GradientError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad.",
            fix="drop out=, or call it inside torch.no_grad()",
        )
    check_castable(result.dtype, out.dtype)
    if out.device != result.device:
        raise ShapeError(f"Expected all tensors to be on the same device, but found at least two devices, "
                         f"{result.device} and {out.device}!")
    if out._inference and not state.inference:
        raise GradientError("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
                            "to get a normal tensor before doing inplace update.")
    if out._array.shape != result._array.shape:
        resize(out, result._array.shape)
    if out._array.size:
        out._array[...] = result._array
    out._bump()
    return out


def resize(t: Tensor, shape):
    """Give `t` another shape in place; new elements are uninitialised."""
    t._array = np.empty(shape, t._array.dtype)


def check_castable(source, target):
    """Error when a result of dtype `source` may not be stored in a tensor of dtype `target`."""
    if source is target:
        return
    if source.category > target.category and not (source.category == 1 and target.category == 1):
        titles = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "int16": "Short",
                  "int8": "Char", "uint8": "Byte", "bool": "Bool", "float16": "Half", "bfloat16": "BFloat16",
                  "complex64": "ComplexFloat", "complex128": "ComplexDouble"}  # fmt: skip
        raise GradientError(
            f"result type {titles.get(source.name, source.name)} can't be cast to the desired output type "
            f"{titles.get(target.name, target.name)}",
            fix=f"convert the tensor first: x = x.to({source})",
        )


def _in_place(fn, name):
    @functools.wraps(fn)
    def changed(self, *args, **kwargs):
        try:
            check_writable(self)
            return assign(self, fn(self, *args, **kwargs))
        except Exception as error:
            better = explained(fn, name + "_", (self, *args), kwargs, error)
            if better is None:
                raise
            raise better from error

    changed.__name__ = name + "_"
    return changed


def check_writable(t: Tensor):
    """Errors of changing `t` in place: leaves that require grad, expanded memory."""
    base = t._base
    if base is None:
        if t._rg and t._node is None and state.grad:
            raise GradientError(
                "a leaf Variable that requires grad is being used in an in-place operation.",
                why="the graph refers to this leaf's value; changing it would make its gradient wrong",
                fix="with torch.no_grad(): w -= lr * w.grad",
            )
    elif state.grad and (base._rg or t.requires_grad):
        if t._made:
            raise forbidden_view(t)
        if base._node is None:
            raise GradientError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation.",
                fix="wrap the change in `with torch.no_grad():`",
            )
    a = t._array
    if a.size and 0 in a.strides and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape)):
        raise ShapeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
            why=f"the tensor of shape {list(t.shape)} was expanded: its strides are {list(t.stride())}",
        )
    if not a.flags.writeable and a.size and a.__class__ is np.ndarray:  # a meta tensor has nothing to write
        raise ShapeError("the memory of this tensor is read-only", why="it belongs to a NumPy array or buffer that may not "
                         "be written to", fix="x = x.clone()")
    if t._inference and not state.inference:
        raise GradientError("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
                            "to get a normal tensor before doing inplace update.")


_WHERE = {
    "no_grad": ("no_grad mode", "no_grad block", "with grad mode enabled"),
    "inference": ("inference mode", "inference_mode block", "in normal mode"),
}


def forbidden_view(t: Tensor, indirect=False) -> GradientError:
    """The error of a tracked in-place change of a view whose history could not be derived from its base's."""
    what = "its base or another view of its base has been" if indirect else "is being"
    if t._made == "multi":
        node = t._node.name().rstrip("0123456789").removesuffix("Backward") if t._node is not None else ""
        fact = f"Output {t._index} of {node} is a view and {what} modified inplace." if node else (
            f"A view was created in no_grad mode and {what} modified inplace with grad mode enabled.")
        return GradientError(
            f"{fact} This view is the output of a function that returns multiple views. Such functions do not allow the "
            "output views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
            fix="index the tensor instead (x[i] is a view that may be modified)",
        )
    mode, block, now = _WHERE[t._made]
    return GradientError(
        f"A view was created in {mode} and {what} modified inplace {now}. Given that this use case is ambiguous and "
        f"error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either both "
        f"inside the {block} (if you don't want the inplace to be tracked) or both outside (if you want the inplace to "
        "be tracked)."
    )


def _refresh(t: Tensor):
    """Derive a view's history anew: a tracked in-place operation has given its base another one."""
    base = t._base
    if base._rg:
        if t._made:
            raise forbidden_view(t, indirect=True)
        before, state.grad = state.grad, True  # the history exists, whoever looks at it and wherever
        try:
            again = base
            for op, options in t._chain:
                again = op(again, **options)
        finally:
            state.grad = before
        set_history(t, again._node, again._index, again._rg)
    t._seen = base._rebases


attach("_refresh", _refresh)


def set_history(t: Tensor, node, index, rg):
    """Give `t` another place in the graph; what it was told to retain goes with it."""
    if t._retains and t._node is not None:
        (t._node.retained or {}).pop(t._index, None)
        if node is not None:
            node.retained = {**(node.retained or {}), index: weakref.ref(t)}
    t._node, t._index, t._rg = node, index, rg


def assign(t: Tensor, result: Tensor) -> Tensor:
    """Store an operation's result in `t`, in place: memory, version, history; returns `t`."""
    a = t._array
    if t._made and result._rg and state.grad:
        raise forbidden_view(t)
    check_castable(result.dtype, t.dtype)
    if result._array.shape != a.shape:
        try:
            same = np.broadcast_shapes(result._array.shape, a.shape) == a.shape
        except ValueError:
            same = False
        if not same:
            raise ShapeError(
                f"output with shape {list(a.shape)} doesn't match the broadcast shape {list(result._array.shape)}",
                fix="use the out-of-place form: its result may be larger than its first argument",
            )
    if result._rg and state.grad:
        keep_original(t, result._node)
    if a.size:
        a[...] = result._array
    t._bump()
    if result._rg and state.grad:
        if result._array.dtype != a.dtype or result._array.shape != a.shape:
            result = _convert(result, shape=a.shape, dtype=a.dtype)
        rebase(t, result)
    elif t._node is not None and state.grad and not result._rg:
        # A value without history has replaced all of it: gradients end here.
        rebase(t, result)
    return t


def keep_original(t: Tensor, node):
    """Before `t` is overwritten by the result of `node`: if the node kept `t`, let it keep the old values instead."""
    saved = getattr(node, "saved", None) or {}
    for key, (kept, _, unpack) in list(saved.items()):
        if unpack is None and (kept is t or (t._cell is not None and kept._cell is t._cell)):
            twin = wrap(kept._array.copy())
            twin._node, twin._index, twin._rg = kept._node, kept._index, kept._rg
            saved[key] = (twin, 0, None)


_convert = primitive(
    "to_copy",
    lambda input, shape, dtype: np.broadcast_to(input, shape).astype(dtype),
    vjp={"input": lambda g: g},
    node="ToCopyBackward0",
)


def rebase(t: Tensor, result: Tensor):
    """Give `t` the history of `result`; for a view, its base too."""
    base = t._base
    if base is None:
        set_history(t, result._node, result._index, result._rg)
        t._rebases += 1
        return
    if not result._rg and not base._rg:
        return
    edge, new = edge_of(base), edge_of(result)
    node = CopySlices((edge, new))
    node.chain = t._chain
    set_history(base, node, 0, True)
    base._rebases += 1
    t._refresh()


class CopySlices(Node):
    """The history of a base after a part of it was written through a view."""

    chain: tuple = ()

    def pull(self, g, wanted):
        rest = part = None
        if wanted[1]:
            part = g
            for op, options in self.chain:
                part = op(part, **options)
        if wanted[0]:
            rest = g.clone()
            hole = rest
            for op, options in self.chain:
                hole = op(hole, **options)
            hole.zero_()
        return rest, part


def namespace(prefix: str) -> dict:
    """The public functions below a prefix: {"norm": ...} for "linalg"."""
    return {n[len(prefix) + 1 :]: f for n, f in REGISTRY.items() if n.startswith(prefix + ".") and
            "." not in n[len(prefix) + 1 :]}  # fmt: skip
