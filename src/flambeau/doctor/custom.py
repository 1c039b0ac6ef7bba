"""FB-GRAD-07: whether the backward of a custom Function agrees with finite differences. Asked for by the doctor."""

from __future__ import annotations

import inspect
import time
from typing import Any

import numpy as np

from ..autograd.api import grad
from ..autograd.mode import enable_grad
from ..checks.codes import LIMITS
from ..checks.findings import found
from ..checks.sites import Site
from ..generator import default_generator
from ..tensor import Tensor, wrap

MEANT = ("surrogate", "straight", "reversal", "reverse", "ste", "gradscale", "clip")  # in the name or the docstring


def check_custom(function: Any, inputs: tuple):
    """Compare a custom Function's backward with central differences, in float64; report it if they disagree.

    Arguments:
        function: the subclass of autograd.Function; inputs: what its `apply` is called with.
    Returns the finding, or None. Functions that are random, marked as a surrogate by their name or docstring, or whose
    forward does not change its input, are left alone: their backward differs by intention.

    >>> import flambeau as torch
    >>> from flambeau.doctor.custom import check_custom
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> check_custom(Double, (torch.ones(3),)) is None
    True
    """
    if _meant(function):
        return None
    state = default_generator.get_state()
    try:
        with enable_grad():
            return _compare(function, inputs)
    except Exception:  # it cannot run in float64, or needs its surroundings
        return None
    finally:
        default_generator.set_state(state)


def _meant(function) -> bool:
    words = f"{function.__name__} {function.__doc__ or ''} {function.backward.__doc__ or ''}".lower()
    return any(word in words.replace("_", "").replace("-", "") for word in MEANT)


def _compare(function, inputs):
    limits, start = LIMITS["FB-GRAD-07"], time.perf_counter()
    arrays = [t._array.astype(np.float64) if _float(t) else None for t in inputs]
    leaves = [wrap(a.copy()) if a is not None else None for a in arrays]
    for t in leaves:
        if t is not None:
            t._rg = True
    given = [t if leaf is None else leaf for t, leaf in zip(inputs, leaves)]

    def total(args):
        made = function.apply(*args)
        outs = [o for o in (made if isinstance(made, (tuple, list)) else (made,)) if _float(o)]
        return outs, sum(float((o._array * w).sum()) for o, w in zip(outs, weights(outs)))

    def weights(outs):
        draw = np.random.default_rng(0)  # a generator of its own
        return [draw.uniform(0.5, 1.5, o._array.shape) for o in outs]

    outs, first = total(given)
    if not outs or total(given)[1] != first:
        return None
    if any(a is not None and o._array.shape == a.shape and np.array_equal(o._array, a) for o in outs for a in arrays):
        return None  # an identity: what it does to the gradient is its purpose
    wanted = [t for t in leaves if t is not None]
    found_ = grad(outs, wanted, [wrap(w) for w in weights(outs)], allow_unused=True)
    places = [(i, j) for i, a in enumerate(arrays) if a is not None for j in range(a.size)]
    draw = np.random.default_rng(1)
    chosen = draw.permutation(len(places))[: int(limits["elements"])]
    slots = [i for i, a in enumerate(arrays) if a is not None]
    worst, numeric = None, []
    for index in chosen:
        i, j = places[index]
        g = found_[slots.index(i)]
        if g is None:
            continue
        x = float(arrays[i].flat[j])
        h = 1e-6 * max(1.0, abs(x))
        values = []
        for moved in (x + h, x - h):
            changed = arrays[i].copy()
            changed.flat[j] = moved
            values.append(total([wrap(changed) if n == i else t for n, t in enumerate(given)])[1])
        slope, claimed = (values[0] - values[1]) / (2 * h), float(g._array.flat[j])
        numeric.append(slope)
        error = abs(slope - claimed) / max(abs(slope), abs(claimed), 1e-6)
        if error > limits["error"] and (worst is None or error > worst[0]):
            worst = error, x, claimed, slope
        if time.perf_counter() - start > limits["seconds"]:
            break
    if worst is None or not np.any(numeric):  # a step function: its backward is a surrogate
        return None
    _, x, claimed, slope = worst
    code = inspect.unwrap(function.backward).__code__
    return found(
        "FB-GRAD-07",
        saw=f"{function.__name__}.backward disagrees with the numerical gradient: at x = {x:.4g} it returns "
        f"{claimed:.4g}, finite differences give {slope:.4g}",
        why="a gradient that does not belong to the function trains in the wrong direction, or too fast or too slow",
        fix=f"check the formula in `{function.__name__}.backward`; "
        f"`torch.autograd.gradcheck({function.__name__}.apply, (x.double().requires_grad_(),))` compares all elements",
        cause="formula",
        level="W",
        at=Site(code, 0),
        x=x,
        returned=claimed,
        numerical=slope,
    )


def _float(t) -> bool:
    return isinstance(t, Tensor) and t._array.__class__ is np.ndarray and t._array.dtype.kind == "f"
