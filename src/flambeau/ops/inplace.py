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
from ..errors import ArgumentTypeError, GradientError, ShapeError
from ..kernels.record import into, unchanged
from ..mistakes.graphs import leaf_in_place
from ..tensor import Tensor, attach, wrap
from .primitive import primitive, replay


def check_writable(t: Tensor):
    """Errors of changing `t` in place: leaves that require grad, expanded memory."""
    base = t._base
    if base is None:
        if t._rg and t._node is None and state.grad:
            raise leaf_in_place("a leaf Variable that requires grad is being used in an in-place operation.", t)
    elif state.grad and (base._rg or t.requires_grad):
        if t._made:
            raise forbidden_view(t)
        if base._node is None:
            fact = "a view of a leaf Variable that requires grad is being used in an in-place operation."
            raise leaf_in_place(fact, t)
    a = t._array
    check_overlap(t)
    if not a.flags.writeable and a.size and a.__class__ is np.ndarray:  # a meta tensor has nothing to write
        raise ShapeError(
            "the memory of this tensor is read-only",
            why="it belongs to a NumPy array or buffer that may not be written to",
            fix="use `x = x.clone()` before it",
        )
    if t._inference and not state.inference:
        raise GradientError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
            "to get a normal tensor before doing inplace update.",
            why="the tensor was made in `torch.inference_mode()` and is not tracked",
            fix="use `x = x.clone()` first, or `torch.no_grad()` in place of `torch.inference_mode()`",
        )


def check_overlap(t: Tensor):
    """RuntimeError when several elements of `t` are one place in memory, as after `expand`."""
    a = t._array
    if 0 in a.strides and a.size and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape)):
        raise ShapeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
            why=f"the tensor of shape {tuple(t.shape)} was expanded: its strides are {tuple(t.stride())}",
            fix="use `x = x.clone()` before the change",
        )


_NO_GRAD = (
    "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case "
    "is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace "
    "either both inside the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want "
    "the inplace to be tracked)."
)
_NO_GRAD_BASE = (
    "A view was created in no_grad mode and its base or another view of its base has been modified inplace with grad "
    "mode enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code "
    "by moving both the view and the inplace either both inside the no_grad block (if you don't want the inplace to be "
    "tracked) or both outside (if you want the inplace to be tracked)."
)
_INFERENCE = (
    "A view was created in inference mode and is being modified inplace in normal mode. Given that this use case is "
    "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace "
    "either both inside the inference_mode block (if you don't want the inplace to be tracked) or both outside (if you "
    "want the inplace to be tracked)."
)
_INFERENCE_BASE = (
    "A view was created in inference mode and its base or another view of its base has been modified inplace in normal "
    "mode. Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving "
    "both the view and the inplace either both inside the inference_mode block (if you don't want the inplace to be "
    "tracked) or both outside (if you want the inplace to be tracked)."
)
_PART = (
    "A view was created in no_grad mode and is being modified inplace with grad mode enabled. This view is the output "
    "of a function that returns multiple views. Such functions do not allow the output views to be modified inplace. "
    "You should replace the inplace operation by an out-of-place one."
)
_PART_BASE = (
    "A view was created in no_grad mode and its base or another view of its base has been modified inplace with grad "
    "mode enabled. This view is the output of a function that returns multiple views. Such functions do not allow the "
    "output views to be modified inplace. You should replace the inplace operation by an out-of-place one."
)


def forbidden_view(t: Tensor, indirect=False) -> GradientError:
    """The error of a tracked in-place change of a view whose history could not be derived from its base's."""
    if t._made == "multi":
        return _one_of_several(t, indirect)
    if t._made == "no_grad":
        return GradientError(
            _NO_GRAD_BASE if indirect else _NO_GRAD,
            why="the view was made while nothing was recorded, so no gradient finds its way through it",
            fix="make the view outside of `torch.no_grad()`, or change it inside",
        )
    return GradientError(
        _INFERENCE_BASE if indirect else _INFERENCE,
        why="the view was made while nothing was recorded, so no gradient finds its way through it",
        fix="make the view outside of `torch.inference_mode()`, or change it inside",
    )


def _one_of_several(t: Tensor, indirect: bool) -> GradientError:
    node = t._node.name().rstrip("0123456789").removesuffix("Backward") if t._node is not None else ""
    if not node:
        return GradientError(
            _PART_BASE if indirect else _PART,
            why="one part of several cannot be changed on its own while gradients are recorded",
            fix="index the tensor instead: `x[i]` is a view that may be changed",
        )
    return GradientError(
        f"Output {t._index} of {node} is a view and its base or another view of its base has been modified inplace. "
        "This view is the output of a function that returns multiple views. Such functions do not allow the output "
        "views to be modified inplace. You should replace the inplace operation by an out-of-place one."
        if indirect
        else f"Output {t._index} of {node} is a view and is being modified inplace. This view is the output of a "
        "function that returns multiple views. Such functions do not allow the output views to be modified inplace. "
        "You should replace the inplace operation by an out-of-place one.",
        why=f"{node} made this and other parts, and one of them cannot be changed on its own",
        fix="index the tensor instead: `x[i]` is a view that may be changed",
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
                why="an in-place operation cannot give the tensor another shape",
                fix="use the out-of-place form, such as `x = x + y` for `x += y`",
            )
    if result._rg and state.grad:
        keep_original(t, result._node)
    if a.size:
        into("store", a, unchanged, result._array)
    t._wrote()
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
            raise ArgumentTypeError(
                f"{name}() expected a tuple of {len(result)} tensors for argument 'out'",
                why=f"the function returns {len(result)} tensors, and each is stored in one of `out`",
                fix=f"pass {len(result)} tensors",
            )
        made = [write_out(r, o, name) for r, o in zip(result, out)]
        return type(result)(made) if hasattr(result, "_fields") else tuple(made)
    if not isinstance(out, Tensor):
        raise ArgumentTypeError(
            f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}",
            why="the result is stored in it",
            fix="pass `torch.empty(0)`, or assign the result instead",
        )
    if state.grad and (out._rg or result._rg):
        raise GradientError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad.",
            why="writing into another tensor is not recorded",
            fix="leave out `out=` and assign the result, or call it inside `with torch.no_grad():`",
            code="FB-INPL-02",
            cause="out",
        )
    check_castable(result.dtype, out.dtype)
    if out.device != result.device:
        raise ShapeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{result.device} and {out.device}!",
            why=f"`out` lies on `{out.device}`, the result on `{result.device}`",
            fix="pass an `out` on that device, or assign the result instead",
        )
    if out._inference and not state.inference:
        raise GradientError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
            "to get a normal tensor before doing inplace update.",
            why="`out` was made in `torch.inference_mode()` and is not tracked",
            fix="leave out `out=` and assign the result",
        )
    if out._array.shape != result._array.shape:
        resize(out, result._array.shape)
    check_overlap(out)
    if out._array.size:
        into("store", out._array, unchanged, result._array)
    out._wrote()
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
            why=f"the result is {source.name}, and the tensor that takes it is {target.name}",
            fix=f"convert that tensor first: `x = x.to(torch.{source.name})`",
        )
