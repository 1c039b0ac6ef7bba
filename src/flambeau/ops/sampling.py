"""Random tensors drawn with a weight, rate or probability for each element: multinomial, Poisson, binomial."""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from ..arrays import meta_empty
from ..errors import ArgumentError, DtypeError, ShapeError
from ..tensor import wrap
from .entry import primitive, public, write_out
from .random import TITLES, generator_of, need_float
from .shape import need_tensor


@public(method=True)
def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """Indices drawn from each row of `input` with probabilities in proportion to its elements.

    input: one row or a matrix of non-negative weights, which need not add up to 1.
    replacement: whether an index may be drawn again.

    >>> import flambeau as torch
    >>> torch.multinomial(torch.tensor([0.0, 1.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    need_tensor(input, "multinomial")
    if out is not None:
        if out.dtype is not dtypes.int64:
            raise DtypeError(
                f"multinomial expects Long tensor out, got: {TITLES.get(out.dtype.name, out.dtype.name)}",
                why="the result holds indices",
                fix="pass `torch.empty(0, dtype=torch.int64)`",
            )
        return write_out(multinomial(input, num_samples, replacement, generator=generator), out, "multinomial")
    g, a = generator_of(generator), input._array
    if not 0 < input.ndim <= 2:
        raise ShapeError(
            "prob_dist must be 1 or 2 dim",
            why=f"each row holds the weights of one distribution, and the shape is {tuple(input.shape)}",
            fix="flatten the batch: `x.flatten(0, -2)`",
        )
    if not input.is_floating_point():
        got = TITLES.get(input.dtype.name, input.dtype.name)
        raise DtypeError(
            f"multinomial only supports floating-point dtypes for input, got: {got}",
            why="each element is the weight of its index",
            fix="convert it: `x.float()`",
        )
    if not num_samples > 0:
        raise ShapeError(
            "cannot sample n_sample <= 0 samples",
            why=f"`num_samples` is {num_samples}",
            fix="pass 1 or more",
        )
    if not replacement and num_samples > a.shape[-1]:
        raise ShapeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
            why=f"{num_samples} different indices are asked for, and there are {a.shape[-1]}",
            fix="pass `replacement=True`, or draw fewer",
        )
    shape = (*a.shape[:-1], num_samples)
    if type(a) is not np.ndarray:
        return wrap(meta_empty(shape, np.int64))
    weights = np.atleast_2d(a)
    wide = weights if weights.dtype.kind == "f" and weights.dtype.itemsize > 2 else weights.astype(np.float32)
    if not (np.isfinite(wide).all() and (wide >= 0).all()):
        raise ShapeError(
            "probability tensor contains either `inf`, `nan` or element < 0",
            why="each element is the weight of its index",
            fix="pass probabilities, such as `torch.softmax(scores, -1)`, and look for nan with `x.isnan().any()`",
        )
    sums = wide.cumsum(-1, dtype=wide.dtype)
    if not (sums[:, -1] > 0).all():
        raise ShapeError(
            "invalid multinomial distribution (sum of probabilities <= 0)",
            why="all weights of a row are 0, so no index can be drawn",
            fix="give each row at least one weight above 0",
        )
    if replacement and num_samples > 1:
        cumulated = sums / sums[:, -1:]
        draws = g.uniform(len(weights) * num_samples, dtype=np.float64).reshape(len(weights), num_samples)
        found = np.stack([np.searchsorted(c, u) for c, u in zip(cumulated, draws)])
        found = np.minimum(found, a.shape[-1] - 1)
    else:
        # The first arrivals of exponential clocks: a race that element i wins in proportion to its weight.
        clocks = g.exponential(a.size, 1.0, a.dtype).astype(a.dtype).reshape(weights.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = (weights / clocks).astype(np.float64)
        found = np.argsort(-speed, axis=-1, kind="stable")[:, :num_samples]
    return wrap(np.ascontiguousarray(found.reshape(shape)).astype(np.int64, copy=False))


# ---------------------------------------------------------------------- Poisson and binomial


class _Uniform:
    """Doubles from [0, 1), one at a time."""

    def __init__(self, generator):
        self.generator = generator

    def __call__(self):
        return (self.generator.random64() & ((1 << 53) - 1)) * 2.0**-53


def _poisson_one(rate, uniform):
    """One Poisson number. Small rates: Knuth (1969); from 10: Hörmann's PTRS (1993)."""
    if rate == 0:
        return 0
    if rate < 10:
        limit, product, count = math.exp(-rate), uniform(), 0
        while product > limit:
            product *= uniform()
            count += 1
        return count
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accept = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= accept:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= (
            -rate + k * math.log(rate) - math.lgamma(k + 1)
        ):
            return k


def _poisson_array(input, generator):
    rates = input
    if type(rates) is not np.ndarray:
        return rates
    uniform = _Uniform(generator)
    found = [_poisson_one(r, uniform) for r in rates.astype(np.float64).ravel().tolist()]
    return np.array(found, np.float64).astype(rates.dtype).reshape(rates.shape)


# The draws do not depend smoothly on the rates: PyTorch defines their gradient as zero.
_poisson = primitive("poisson", _poisson_array, vjp={"input": lambda g: g * 0})


@public()
def poisson(input, generator=None):
    """Poisson distributed numbers, `input` holding the rate of each.

    >>> import flambeau as torch
    >>> torch.poisson(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    need_tensor(input, "poisson")
    need_float("poisson", input.dtype, "poisson_cpu")
    if not (input.is_meta or (input._array >= 0).all()):
        raise ShapeError(
            "invalid Poisson rate, expected rate to be non-negative",
            why=f"the smallest rate is {input._array.min()}",
            fix="map it first: `torch.nn.functional.softplus(x)`",
        )
    return _poisson(input, generator=generator_of(generator))


def _stirling(k):
    """What Stirling's formula lacks of log(k!)."""
    return math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi))


def _binomial_one(count, p, uniform):
    """One binomial number: inversion where few successes are expected, else Hörmann's BTRS (1993)."""
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return count
    if p > 0.5:
        return count - _binomial_one(count, 1.0 - p, uniform)
    if count * p < 10:
        total, found, scale = 0.0, 0, math.log1p(-p)
        while True:
            u = uniform()
            total += math.ceil(math.log(u) / scale) if u > 0 else math.inf
            if total > count:
                return found
            found += 1
    deviation = math.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = count * p + 0.5
    accept = 0.92 - 4.2 / b
    r = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    m = math.floor((count + 1) * p)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= accept:
            return k
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (count - m + 1)))
            + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(r * (count - k + 1) / (k + 1))
            + _stirling(m) + _stirling(count - m) - _stirling(k) - _stirling(count - k)
        )  # fmt: skip
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return k


@public()
def binomial(count, prob, generator=None):
    """Binomially distributed numbers: successes among `count` trials of probability `prob`, element by element.

    >>> import flambeau as torch
    >>> torch.binomial(torch.tensor([10.0]), torch.tensor([1.0]))
    tensor([10.])
    """
    for t, name in ((count, "count"), (prob, "prob")):
        need_tensor(t, "binomial", name)
        if not t.is_floating_point():
            raise ArgumentError(
                f"binomial only supports floating-point dtypes for {name}, got: "
                f"{TITLES.get(t.dtype.name, t.dtype.name)}",
                why=f"it is {t.dtype.name}",
                fix=f"convert it: `{name}.float()`",
            )
    a, b = np.broadcast_arrays(count._array, prob._array)
    uniform = _Uniform(generator_of(generator))
    pairs = zip(a.astype(np.float64).ravel().tolist(), b.astype(np.float64).ravel().tolist())
    found = np.array([_binomial_one(n, p, uniform) for n, p in pairs], np.float64)
    return wrap(found.astype(count._array.dtype).reshape(a.shape))


# ---------------------------------------------------------------------- gamma


def _gamma_one(shape, uniform, normal):
    """One Gamma(shape, 1) number (Marsaglia and Tsang 2000)."""
    scale = 1.0
    if shape < 1:
        if shape == 0:
            return 0.0
        scale = (1.0 - uniform()) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal()
        y = 1.0 + c * x
        while y <= 0:
            x = normal()
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - uniform()
        if u < 1.0 - 0.0331 * x**4 or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return scale * d * v


@public("_standard_gamma")
def standard_gamma(input, generator=None):
    """Numbers of the gamma distributions of rate 1 whose shapes `input` holds; no gradient flows through them."""
    need_float("_standard_gamma", input.dtype, "gamma_cpu")
    g, a = generator_of(generator), input._array
    uniform = _Uniform(g)
    found = [
        _gamma_one(s, uniform, lambda: g.normal(1, dtype=np.float64).item())
        for s in a.astype(np.float64).ravel().tolist()
    ]
    made = np.array(found, np.float64).astype(a.dtype).reshape(a.shape)
    return wrap(np.maximum(made, np.finfo(a.dtype).tiny) if a.dtype != np.float64 else made)
