"""In-place operations and `out=`: storing a result in a tensor that exists, and the history it has then.

An in-place operation is the out-of-place one, whose result is stored: the memory is overwritten, the version counted,
the history taken over. Where the tensor is a view, its base has a new history too (`CopySlices`), and the other views
derive theirs from it anew when they are next looked at.
"""

from __future__ import annotations

import weakref

import numpy as np

from ..autograd.engine import Node, edge_of
from ..autograd.mode import state
from ..errors import GradientError, ShapeError
from ..kernels.record import into, unchanged
from ..tensor import Tensor, attach, wrap
from .primitive import primitive, replay


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
    check_overlap(t)
    if not a.flags.writeable and a.size and a.__class__ is np.ndarray:  # a meta tensor has nothing to write
        raise ShapeError(
            "the memory of this tensor is read-only",
            why="it belongs to a NumPy array or buffer that may not be written to",
            fix="x = x.clone()",
        )
    if t._inference and not state.inference:
        raise GradientError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
            "to get a normal tensor before doing inplace update."
        )


def check_overlap(t: Tensor):
    """RuntimeError when several elements of `t` are one place in memory, as after `expand`."""
    a = t._array
    if 0 in a.strides and a.size and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape)):
        raise ShapeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
            why=f"the tensor of shape {list(t.shape)} was expanded: its strides are {list(t.stride())}",
        )


_WHERE = {
    "no_grad": ("no_grad mode", "no_grad block", "with grad mode enabled"),
    "inference": ("inference mode", "inference_mode block", "in normal mode"),
}


def forbidden_view(t: Tensor, indirect=False) -> GradientError:
    """The error of a tracked in-place change of a view whose history could not be derived from its base's."""
    what = "its base or another view of its base has been" if indirect else "is being"
    if t._made == "multi":
        node = t._node.name().rstrip("0123456789").removesuffix("Backward") if t._node is not None else ""
        fact = (
            f"Output {t._index} of {node} is a view and {what} modified inplace."
            if node
            else (f"A view was created in no_grad mode and {what} modified inplace with grad mode enabled.")
        )
        return GradientError(
            f"{fact} This view is the output of a function that returns multiple views. Such functions do not allow "
            "the output views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
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
            again = replay(t._chain, base)
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
        into("store", a, unchanged, result._array)
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

    chain: tuple | None = None

    def pull(self, g, wanted):
        rest = part = None
        if wanted[1]:
            part = replay(self.chain, g)
        if wanted[0]:
            rest = g.clone()
            replay(self.chain, rest).zero_()
        return rest, part


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
        raise ShapeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{result.device} and {out.device}!"
        )
    if out._inference and not state.inference:
        raise GradientError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
            "to get a normal tensor before doing inplace update."
        )
    if out._array.shape != result._array.shape:
        resize(out, result._array.shape)
    check_overlap(out)
    if out._array.size:
        into("store", out._array, unchanged, result._array)
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
