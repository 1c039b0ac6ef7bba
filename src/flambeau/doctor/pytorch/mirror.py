"""A PyTorch program, followed operation by operation: each tensor has a flambeau twin with a graph and an origin.

A `TorchFunctionMode` sees every operation. It is run again on the twins by flambeau's function of the same name, where
all checks look on; the twin of a result then takes over PyTorch's own values (the same memory). What flambeau has no
function for gives a twin without history, and the mirror says that it is `incomplete`: rules about gradients are not
believed then.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import weakref
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

import flambeau as fb

from ...autograd.mode import state
from ...calls import text_of
from ...checks import empties, leaves
from ...checks.log import Cut, leaf_ids, log
from ...checks.sites import Site
from ...errors import FlambeauError
from ...nn import functional
from ...nn.parameter import Parameter
from ...place import NEVER, kind_of
from ...tensor import Tensor, wrap

# Looked at without computing anything.
_PASSIVE = {
    "__get__", "__set__", "__len__", "size", "dim", "numel", "stride", "is_floating_point", "is_complex", "item",
    "tolist", "numpy", "data_ptr", "storage_offset", "is_contiguous", "__repr__", "__format__", "__hash__", "grad",
    "requires_grad_", "backward", "register_hook", "retain_grad", "is_pinned", "element_size", "nelement", "type",
    "get_device", "__bool__", "__float__", "__int__", "__index__", "__contains__", "untyped_storage", "_is_view",
    "equal", "allclose", "is_same_size", "__deepcopy__", "set_", "_typed_storage", "share_memory_", "is_shared",
    "ndimension", "is_same", "__dlpack__", "type_as_", "requires_grad", "__reduce_ex__", "_make_subclass",
}  # fmt: skip
_CUTS = {"item", "tolist", "numpy", "detach", "__float__", "__int__"}
_AUGMENTED = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ifloordiv__", "__imod__", "__ipow__",
              "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__"}  # fmt: skip
_DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
_STATISTICS = {"batch_norm": (1, 2), "instance_norm": (1, 2)}  # arguments that the function changes
_DTYPES = {
    getattr(torch, n): getattr(fb, n)
    for n in ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool",
              "complex64", "complex128")
}  # fmt: skip


def array_of(t: torch.Tensor) -> np.ndarray | None:
    """The memory of a dense tensor on the CPU as an array; None for other tensors."""
    if t.device.type != "cpu" or t.layout is not torch.strided:
        return None
    try:
        return t.detach().numpy()
    except (RuntimeError, TypeError):  # a dtype that NumPy does not have
        return None


def _memory(t: torch.Tensor) -> int:
    """Where the memory of a dense tensor on the CPU begins; 0 for tensors that have none of their own."""
    try:
        return t.data_ptr() if t.layout is torch.strided and t.device.type == "cpu" else 0
    except RuntimeError:  # within torch.func's transformations
        return 0


class Pairs:
    """Which twin each tensor has, looked up by identity.

    Nothing is written on the tensors themselves: it would be saved and copied with them. With `strong`, tensors and
    twins keep each other until `forget`; otherwise a twin goes with its tensor.
    """

    def __init__(self, strong: bool):
        self.strong = strong
        self._held: dict[int, tuple] = {}

    def get(self, t) -> Any:
        """The twin of a tensor, or None."""
        entry = self._held.get(id(t))
        return entry[1] if entry is not None and entry[0]() is t else None

    def bind(self, t: torch.Tensor, twin: Any) -> Any:
        """Make these two a pair."""
        key, held = id(t), self._held

        def gone(ref):
            if key in held and held[key][0] is ref:
                del held[key]

        ref = weakref.ref(t, gone)
        held[key] = ref, twin
        twin._fb_real = t if self.strong else ref
        twin._fb_memory = _memory(t)
        return twin

    def forget(self, leaves: bool = False) -> None:
        """Let go of the twins; of leaves only where it is asked for."""
        for key, (_, twin) in list(self._held.items()):
            if leaves or twin._node is not None or not isinstance(twin, Parameter):
                self._held.pop(key, None)


class Mirror(TorchFunctionMode):
    """Follows the PyTorch operations that run within its `with` block.

    incomplete: names of functions that could not be followed though a gradient goes through them.
    explained: the explained error for the last operation that failed in PyTorch, if flambeau has one.
    strong: keep tensors as long as their twins, until `pairs.forget()`.
    """

    def __init__(self, strong: bool = False):
        super().__init__()
        self.following = True
        self.incomplete: set[str] = set()
        self.explained: FlambeauError | None = None
        self._failing = False  # whether an operation is run again because it failed
        self._failure: tuple = ()  # the error that `explained` is about
        self.pairs = Pairs(strong)
        self.busy = False  # whether an operation is being followed
        self.safely: Any = contextlib.suppress(Exception)  # keeps what goes wrong from the program
        self._losses: dict[tuple, str] = {}  # what was read at a place: the name of the loss function

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if not self.following:
            result = function(*args, **kwargs)
            if log.watches and isinstance(result, float):
                self._reads(sys._getframe(1), result)
            return result
        self.busy = True
        try:
            return self._run(function, name, args, kwargs)
        finally:
            self.busy = False

    def _run(self, function, name, args, kwargs):
        """Run an operation of PyTorch's, and follow it. What goes wrong in following it is kept from the program."""
        if name == "__get__":
            result = function(*args)
            with self.safely:
                self._read(getattr(getattr(function, "__self__", None), "__name__", ""), args[0], result)
            return result
        if name.startswith(("_foreach", "_fused", "_has_")) or name in _PASSIVE and name not in _CUTS:
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                if name != "backward":  # which explains itself
                    with self.safely:
                        self._explain(function, name, args, kwargs, error)
                raise
            if name == "__repr__" and args[0].is_floating_point():
                with self.safely:
                    empties.shown(self.twin(args[0]))
            return result
        target, made, refused = _written(name, args, kwargs), None, None
        if target is not None:
            with self.safely, self._aside(target):
                made = self._again(function, name, args, kwargs)
                refused = self._refused
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            with self.safely:
                if target is None:
                    self._explain(function, name, args, kwargs, error)
                else:
                    self.explain(error, refused)
            raise
        with self.safely:
            if name in _CUTS:
                self._cut(name, args, result)
            if target is not None:
                self._changed(name, target, made is None)
            elif name not in _PASSIVE:
                self._follow(function, name, args, kwargs, result)
        return result

    # ------------------------------------------------------------------ what the program reads

    def _read(self, attribute, t, result):
        """An attribute of a tensor is read."""
        if attribute == "grad" and result is None and t.requires_grad and not _is_leaf(t) and not t.retains_grad:
            frame = sys._getframe(3)
            if kind_of(frame.f_code.co_filename) != NEVER:
                leaves.read_at(t, frame)
        elif attribute in ("data", "T", "mT", "H", "mH", "real", "imag"):
            made = getattr(self.twin(t), attribute)
            if made.shape == tuple(result.shape):
                self._keep(result, made, same=attribute == "data")

    def _cut(self, name, args, result):
        """The program turns a tensor into something without a history, or reads a number."""
        t, frame = args[0], sys._getframe(3)
        if not isinstance(t, torch.Tensor) or kind_of(frame.f_code.co_filename) == NEVER:
            return
        if t.requires_grad and name != "detach":  # its twin tells of that itself
            twin = self.twin(t)
            log.cuts.append(Cut(name, Site(frame.f_code, frame.f_lasti), weakref.ref(twin), tuple(t.shape),
                                result if name == "item" else None,
                                None if twin._node is None else leaf_ids(twin._node)))  # fmt: skip
        if log.watches and isinstance(result, float):
            op = getattr(getattr(self.twin(t)._node, "op", None), "name", "")
            self._losses[frame.f_code, frame.f_lasti] = op if "loss" in op or "entropy" in op else ""
            self._reads(frame, result)

    def _reads(self, frame, value):
        """The program reads a number, at a place where it may be a loss."""
        if kind_of(frame.f_code.co_filename) != NEVER:
            loss = self._losses.get((frame.f_code, frame.f_lasti), "")
            log.read.append((Site(frame.f_code, frame.f_lasti), loss, value, log.steps))

    # ------------------------------------------------------------------ twins

    def twin(self, t: torch.Tensor) -> Tensor:
        """The twin of a tensor: the one it has, or a new one over the same memory."""
        found = self.pairs.get(t)
        if found is not None:
            if found._node is None and found._rg != t.requires_grad and _is_leaf(t):
                found._rg = t.requires_grad
            if found._fb_memory and found._fb_memory != t.data_ptr():  # it was given other memory
                found._array = array_of(t)
                found._fb_memory = t.data_ptr()
            return found
        made = self._over(t)
        if isinstance(t, torch.nn.Parameter):
            made = Parameter(made, requires_grad=t.requires_grad)
        elif t.requires_grad and _is_leaf(t):
            made._rg = True
        elif t.requires_grad:  # made where nobody was following
            made._rg = True
            self.incomplete.add("a tensor made before")
        return self.pairs.bind(t, made)

    def _keep(self, result, made, same=False):
        """Let `made` be the twin of a result; same: it has the very memory of what it was made from."""
        array = None if same else array_of(result)
        if array is not None:
            made._array = array
        self.pairs.bind(result, made)

    def _twins(self, value: Any, depth: int = 4) -> Any:
        if isinstance(value, torch.Tensor):
            return self.twin(value)
        if isinstance(value, torch.dtype):
            return _DTYPES.get(value, fb.float32)
        if isinstance(value, torch.device):
            if self._failing:
                return str(value)
            return fb.device("cpu" if value.type == "cpu" else "meta")
        if isinstance(value, torch.Size):
            return tuple(value)
        if depth and isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
            return type(value)(self._twins(v, depth - 1) for v in value)
        if depth and isinstance(value, dict):
            return {k: self._twins(v, depth - 1) for k, v in value.items()}
        return value

    # ------------------------------------------------------------------ operations

    def _function(self, function, name):
        """flambeau's function of the same name."""
        home = getattr(function, "__module__", None) or ""
        if home in ("torch.nn.functional", "torch._C._nn") and hasattr(functional, name):
            return getattr(functional, name)
        if getattr(function, "__objclass__", None) is not None or home == "torch._tensor":
            found = getattr(Tensor, name, None)
            if found is not None:
                return found
        for space in (fb, functional, fb.linalg, fb.special, fb.fft):
            found = space.__dict__.get(name) if space is not fb else getattr(fb, name, None)
            if callable(found):
                return found
        return getattr(Tensor, name, None)

    def _follow(self, function, name, args, kwargs, result):
        pairs = list(_pairs(result))
        if not pairs:
            return
        made = self._again(function, name, args, kwargs)
        outs = [made] if isinstance(result, torch.Tensor) else list(made) if isinstance(made, (tuple, list)) else []
        outs = [o for o in _flat(outs) if isinstance(o, Tensor)]
        if len(outs) != len(pairs) or any(o.shape != tuple(r.shape) for o, r in zip(outs, pairs)):
            for r in pairs:
                if torch.is_grad_enabled() and r.requires_grad and not _is_leaf(r) and self.pairs.get(r) is None:
                    self.incomplete.add(name)
                    self.pairs.bind(r, self._unknown(r))
            return
        for o, r in zip(outs, pairs):
            if self.pairs.get(r) is not None:  # the same object came back
                continue
            self._keep(r, o, same=name == "detach")
            if torch.is_grad_enabled() and r.requires_grad and not o.requires_grad:
                self.incomplete.add(name)

    def _unknown(self, t):
        made = self._over(t)
        made._rg = t.requires_grad
        return made

    @staticmethod
    def _over(t: torch.Tensor) -> Tensor:
        """A tensor over the same memory; one without memory where it cannot be shared."""
        array = array_of(t)
        if array is None:
            return fb.empty(tuple(t.shape), dtype=_DTYPES.get(t.dtype, fb.float32), device="meta")
        return wrap(array)

    def _again(self, function, name, args, kwargs):
        """The operation on the twins; None where flambeau does not have it or refuses (`_refused` says why)."""
        self._refused: FlambeauError | None = None
        ours = self._function(function, name)
        if ours is None:
            return None
        arguments = list(self._twins(args))
        for position in _STATISTICS.get(name, ()):
            if len(arguments) > position and isinstance(arguments[position], Tensor):
                arguments[position] = wrap(arguments[position]._array.copy())
        options = self._twins(kwargs)
        for option in ("running_mean", "running_var"):
            if isinstance(options.get(option), Tensor):
                options[option] = wrap(options[option]._array.copy())
        if "training" in options and name in _DROPOUTS and _left_out():
            del options["training"]  # the user has not given it: PyTorch has filled in the default
        elif "training" in options:
            options["training"] = bool(options["training"])
        before, state.grad = state.grad, torch.is_grad_enabled()
        try:
            return ours(*arguments, **options)
        except FlambeauError as error:
            error.call = _call(ours, name, arguments, options)
            self._refused = error
        except (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError, AttributeError):
            pass  # flambeau's function takes other arguments
        finally:
            state.grad = before
        return None

    @contextlib.contextmanager
    def _aside(self, target):
        """Let the twin of a tensor that is about to be written to have memory of its own."""
        if target is None:
            yield
            return
        twin = self.twin(target)
        held, twin._array = twin._array, twin._array.copy()
        try:
            yield
        finally:
            twin._array = held

    def _changed(self, name, target, lost):
        """A tensor was written to: its twin sees the new values; `lost`: its history ends, as the change is unknown."""
        twin = self.twin(target)
        if twin._array.shape != tuple(target.shape):
            twin = self._over(target)
            self.pairs.bind(target, twin)
        if lost:
            twin._bump()
            if target.requires_grad and not target.is_leaf:
                self.incomplete.add(name)
                twin._rg = True

    def explain(self, error: BaseException, reason: FlambeauError | None) -> None:
        """Remember why PyTorch raised an error."""
        self.explained, self._failure = reason, (type(error), str(error))

    def reason_of(self, error: BaseException) -> FlambeauError | None:
        """The explained error for one of PyTorch's, if it is the last that was explained."""
        return self.explained if self._failure == (type(error), str(error)) else None

    def _explain(self, function, name, args, kwargs, error):
        """Run the operation that failed on the twins: flambeau's error has the reason and the remedy."""
        target = _written(name, args, kwargs)
        self._failing = True
        try:
            with self._aside(target):
                self._again(function, name, args, kwargs)
        finally:
            self._failing = False
        self.explain(error, self._refused)


def _is_leaf(t) -> bool:
    try:
        return t.is_leaf
    except RuntimeError:  # a view from a no_grad block, of what was changed since
        return False


def _written(name, args, kwargs):
    """The tensor that an operation changes in place, if it does."""
    if "out" in kwargs:
        return kwargs["out"] if isinstance(kwargs["out"], torch.Tensor) else None
    plain = name.endswith("_") and not name.endswith("__") and name not in _PASSIVE
    if args and isinstance(args[0], torch.Tensor) and (plain or name == "__setitem__" or name in _AUGMENTED):
        return args[0]
    return None


def _left_out() -> bool:
    """Whether the call of the user's that runs does not say `training`."""
    frame = sys._getframe(1)
    while frame is not None and kind_of(frame.f_code.co_filename) == NEVER:
        if frame.f_code.co_name == "forward":
            return False  # a layer of PyTorch's passes its own
        frame = frame.f_back  # type: ignore[assignment]
    call = Site(frame.f_code, frame.f_lasti).expression() if frame is not None else None
    if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
        return False
    return len(call.args) < 3 and not any(k.arg in ("training", None) for k in call.keywords)


def _call(function, name, args, kwargs) -> str:
    """A call as text, with the names that flambeau's function has for the arguments."""
    try:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {f"*{i}": a for i, a in enumerate(args)} | kwargs
    return text_of(name, given)


def _flat(values):
    for v in values:
        if isinstance(v, (tuple, list)):
            yield from _flat(v)
        else:
            yield v


def _pairs(result):
    """The tensors of a result, in order."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for r in result:
            yield from _pairs(r)
