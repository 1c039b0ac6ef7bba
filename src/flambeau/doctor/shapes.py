"""The shapes of one batch through the whole model, without computing: every layer that would fail, not only the first.

Parameters and inputs become arrays of the `meta` device for the time of one forward pass. Where a layer gets what it
cannot take, the result it would give is put in its place, and the pass goes on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import meta_empty
from ..autograd.mode import no_grad
from ..checks.findings import Finding, allow
from ..place import describe
from ..tensor import Tensor
from .batches import Parts, tensors_in
from .failures import finding_of


class Stop(Exception):
    """The pass cannot go on: what comes out of a layer is not known."""


class Propagation:
    """One forward pass for shapes: `failures` (findings), `rows` (layer, what it is, shape in, shape out)."""

    def __init__(self, model: Any, paths: dict[int, str]):
        self.model, self.paths = model, paths
        self.failures: list[Finding] = []
        self.rows: list[tuple[str, str, str, str]] = []

    def run(self, call: Callable[[Parts], Any], parts: Parts, tensors: list) -> None:
        """Go through the model. tensors: all that the model may use."""
        wrapped = []
        arrays = [(t, t._array) for t in tensors if type(t._array) is np.ndarray]
        try:
            for module in self.model.modules():
                if _is_layer(module):
                    wrapped.append((module, module.__dict__.get("forward")))
                    module.__dict__["forward"] = functools.partial(
                        self._guarded, module, self.paths[id(module)], module.forward
                    )
            for t, a in arrays:
                t._array = meta_empty(a.shape, a.dtype)
            with no_grad(), allow():
                call(parts.map(lambda t: Tensor.wrap(meta_empty(t._array.shape, t._array.dtype))))
        except Exception:  # what the meta device cannot do, or what the user's code does with the values
            pass
        finally:
            for t, a in arrays:
                t._array = a
            for module, before in wrapped:
                if before is None:
                    del module.__dict__["forward"]
                else:
                    module.__dict__["forward"] = before

    def _guarded(self, module, name, forward, *args, **kwargs):
        x = next((t for _, t in tensors_in((args, list(kwargs.values())), "")), None)
        try:
            out = forward(*args, **kwargs)
        except Exception as error:
            code, instead = replacement(module, forward, x) if x is not None else ("", None)
            if instead is None:
                raise Stop from error
            self.failures.append(finding_of(error, name, f"{name} = {describe(module)}", code))
            return instead
        made = next((t for _, t in tensors_in(out, "")), None)
        if x is not None and made is not None:
            self.rows.append((name, describe(module), str(tuple(x.shape)), str(tuple(made.shape))))
        return out


def _is_layer(module) -> bool:
    """Whether a module is one of the package's own layers, without parts."""
    own = type(module).__module__.startswith("flambeau.")
    return own and (not module._modules or type(module).__name__ == "MultiheadAttention")


def meta(*shape, like=None, dtype=None) -> Tensor:
    """A tensor of this shape without values."""
    return Tensor.wrap(meta_empty(shape, dtype or like._array.dtype))


def replacement(module: Any, forward: Any, x: Tensor) -> tuple[str, Any]:
    """(code, what a layer would give if its input fitted) where it does not fit; None if that is not known."""
    kind, shape = type(module).__name__, tuple(x.shape)
    weight = getattr(module, "weight", None)
    if weight is not None and kind != "Embedding" and x._array.dtype != weight._array.dtype:
        whole = x._array.dtype.kind in "iub"
        return "FB-DTYPE-02" if whole else "FB-DTYPE-01", _tried(forward, meta(*shape, like=weight))
    if kind in ("Linear", "NonDynamicallyQuantizableLinear") and shape and shape[-1] != module.in_features:
        flat = math.prod(shape[1:]) == module.in_features
        lead = shape[:1] if flat else shape[:-1]
        return "FB-SHAPE-01", meta(*lead, module.out_features, like=x)
    if kind.startswith("Conv") and hasattr(module, "in_channels"):
        dims, channels = len(module.kernel_size), module.in_channels
        if len(shape) == dims + 2 and shape[1] != channels:
            last = shape[-1] == channels
            inner = shape[1:-1] if last else shape[2:]
            return "FB-SHAPE-02", _tried(forward, meta(shape[0], channels, *inner, like=x))
        if len(shape) == dims + 1 and shape[0] != channels:
            inner = shape[1:-1] if shape[-1] == channels and channels > 1 else shape[1:]
            return "FB-SHAPE-02", _tried(forward, meta(shape[0], channels, *inner, like=x))
        return "", None
    if kind.startswith(("BatchNorm", "InstanceNorm")) and len(shape) > 1 and shape[1] != module.num_features:
        return "FB-SHAPE-02", meta(*shape, like=x)
    if kind == "LayerNorm" and shape[-len(module.normalized_shape) :] != tuple(module.normalized_shape):
        return "FB-SHAPE-01", meta(*shape, like=x)
    if kind in ("RNN", "LSTM", "GRU") and shape and shape[-1] != module.input_size:
        return "FB-SHAPE-01", _tried(forward, meta(*shape[:-1], module.input_size, like=x))
    if kind == "Embedding" and x._array.dtype.kind not in "iu":
        return "FB-DTYPE-02", _tried(forward, meta(*shape, dtype=np.int64))
    return "", None


def _tried(forward, x):
    try:
        return forward(x)
    except Exception:  # it fails for another reason too: nothing is known of what follows
        return None
