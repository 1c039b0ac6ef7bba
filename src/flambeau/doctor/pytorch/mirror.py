"""A PyTorch program, followed operation by operation: each tensor has a flambeau twin with a graph and an origin.

A `TorchFunctionMode` sees every operation. It is run again on the twins by flambeau's function of the same name, where
all checks look on; the twin of a result then takes over PyTorch's own values (the same memory). What flambeau has no
function for gives a twin without history, and the mirror says that it is `incomplete`: rules about gradients are not
believed then.
"""

from __future__ import annotations

import contextlib
import inspect
import weakref
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

import flambeau as fb

from ...autograd.mode import state
from ...calls import text_of
from ...checks.log import Cut, log
from ...checks.sites import user_site
from ...errors import FlambeauError
from ...nn import functional
from ...nn.parameter import Parameter
from ...tensor import Tensor, wrap

_TWIN = "_fb_twin"
# Looked at without computing anything.
_PASSIVE = {
    "__get__", "__set__", "__len__", "size", "dim", "numel", "stride", "is_floating_point", "is_complex", "item",
    "tolist", "numpy", "data_ptr", "storage_offset", "is_contiguous", "__repr__", "__format__", "__hash__", "grad",
    "requires_grad_", "backward", "register_hook", "retain_grad", "is_pinned", "element_size", "nelement", "type",
    "get_device", "__bool__", "__float__", "__int__", "__index__", "__contains__", "untyped_storage", "_is_view",
    "equal", "allclose", "is_same_size", "__deepcopy__", "set_", "_typed_storage", "share_memory_", "is_shared",
    "ndimension",
}  # fmt: skip
_CUTS = {"item", "tolist", "numpy", "detach"}
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


def real_of(twin: Any) -> Any:
    """The PyTorch tensor of a twin; other things as they are."""
    return getattr(twin, "_fb_real", twin) if isinstance(twin, Tensor) else twin


class Mirror(TorchFunctionMode):
    """Follows the PyTorch operations that run within its `with` block.

    incomplete: names of functions that could not be followed though a gradient goes through them.
    explained: the explained error for the last operation that failed in PyTorch, if flambeau has one.
    """

    def __init__(self):
        super().__init__()
        self.following = True
        self.incomplete: set[str] = set()
        self.explained: FlambeauError | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if not self.following:
            return function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        try:
            result = function(*args, **kwargs)
        except Exception:
            self._explain(function, name, args, kwargs)
            raise
        if name in _CUTS and args and isinstance(args[0], torch.Tensor) and args[0].requires_grad:
            with torch._C.DisableTorchFunction():
                log.cuts.append(Cut(name, user_site(), weakref.ref(self.twin(args[0])), tuple(args[0].shape),
                                    result if name == "item" else None))  # fmt: skip
        if name not in _PASSIVE and not name.startswith("_has_"):
            self._follow(function, name, args, kwargs, result)
        return result

    # ------------------------------------------------------------------ twins

    def twin(self, t: torch.Tensor) -> Tensor:
        """The twin of a tensor: the one it has, or a new one over the same memory."""
        found = getattr(t, _TWIN, None)
        if found is not None:
            return found
        made = self._over(t)
        if isinstance(t, torch.nn.Parameter):
            made = Parameter(made, requires_grad=t.requires_grad)
        elif t.requires_grad and t.is_leaf:
            made._rg = True
        elif t.requires_grad:  # made where nobody was following
            made._rg = True
            self.incomplete.add("a tensor made before")
        return self._bind(t, made)

    @staticmethod
    def _bind(t: torch.Tensor, twin: Tensor) -> Tensor:
        with contextlib.suppress(AttributeError, RuntimeError):
            setattr(t, _TWIN, twin)
        twin._fb_real = t  # type: ignore[attr-defined]  # the pair lives and dies together
        return twin

    def _twins(self, value: Any, depth: int = 4) -> Any:
        if isinstance(value, torch.Tensor):
            return self.twin(value)
        if isinstance(value, torch.dtype):
            return _DTYPES.get(value, fb.float32)
        if isinstance(value, torch.device):
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
        if (
            name.endswith("_")
            and not name.endswith("__")
            or name in ("__setitem__",)
            or name.startswith("__i")
            or "out" in kwargs
        ):
            self._changed(name, args, kwargs)
            return
        pairs = list(_pairs(result))
        if not pairs:
            return
        made = self._again(function, name, args, kwargs)
        outs = [made] if isinstance(result, torch.Tensor) else list(made) if isinstance(made, (tuple, list)) else []
        outs = [o for o in _flat(outs) if isinstance(o, Tensor)]
        if len(outs) != len(pairs) or any(o.shape != tuple(r.shape) for o, r in zip(outs, pairs)):
            for r in pairs:
                if r.requires_grad and not r.is_leaf and getattr(r, _TWIN, None) is None:
                    self.incomplete.add(name)
                    self._bind(r, self._unknown(r))
            return
        for o, r in zip(outs, pairs):
            if getattr(r, _TWIN, None) is not None:  # the same object came back
                continue
            array = array_of(r)
            if array is not None:
                o._array = array
            self._bind(r, o)
            if r.requires_grad and not o.requires_grad:
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
        """The operation on the twins; None where flambeau does not have it or refuses."""
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
        if "training" in options and name in ("dropout", "batch_norm", "instance_norm"):
            options["training"] = bool(options["training"])
        before, state.grad = state.grad, torch.is_grad_enabled()
        try:
            return ours(*arguments, **options)
        except (FlambeauError, TypeError, ValueError, RuntimeError, IndexError, NotImplementedError, AttributeError):
            return None
        finally:
            state.grad = before

    def _changed(self, name, args, kwargs):
        """An in-place operation: the memory is shared already; the twin's history ends, as what follows is unknown."""
        target = kwargs.get("out") if "out" in kwargs else args[0] if args else None
        if isinstance(target, torch.Tensor):
            twin = self.twin(target)
            twin._bump()
            if target.requires_grad and not target.is_leaf:
                self.incomplete.add(name)
            array = array_of(target)
            if array is not None:
                twin._array = array

    def _explain(self, function, name, args, kwargs):
        """Run the operation that failed on the twins: flambeau's error has the reason and the remedy."""
        self.explained = None
        ours = self._function(function, name)
        if ours is not None:
            before, state.grad = state.grad, torch.is_grad_enabled()
            try:
                ours(*self._twins(args), **self._twins(kwargs))
            except FlambeauError as error:
                error.call = _call(ours, name, self._twins(args), self._twins(kwargs))
                self.explained = error
            except Exception:  # flambeau's function takes other arguments: PyTorch's error stands
                pass
            finally:
                state.grad = before


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
