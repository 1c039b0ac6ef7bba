"""Statistics: quantiles, covariance, numerical gradient."""

from __future__ import annotations

import builtins

import numpy as np

from .. import dtypes
from ..errors import ArgumentError, DtypeError, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import conj
from .entry import public
from .join import cat, narrow_to
from .linalg import matmul
from .scatter import gather
from .shape import need_tensor, normal_dim, reshape
from .sort import _sort

# ---------------------------------------------------------------------- quantiles

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(input, q, dim, keepdim, interpolation, ignore_nan, name):
    need_tensor(input, name)
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise ShapeError(
                f"{name}() q must be in the range [0, 1] but got {q}",
                why=f"`q` is a share of the sorted values, and {q} lies outside 0 to 1",
                fix="pass a number between 0 and 1, such as 0.5 for the median",
            )
        q = wrap(np.asarray(q, input._array.dtype if input.dtype.category == 2 else np.float32))
    if not input.numel():
        raise ShapeError(
            f"{name}() input tensor must be non-empty",
            why=f"there is no quantile of no values: the shape is {tuple(input.shape)}",
            fix="test `x.numel() > 0` first",
        )
    if q.ndim > 1:
        raise ShapeError(
            f"{name}() q must be a scalar or 1D tensor",
            why=f"`q` has shape {tuple(q.shape)}",
            fix="pass a number or a vector: `q.flatten()`",
        )
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise DtypeError(
            f"{name}() input tensor must be either float or double dtype",
            why=f"`input` is {input.dtype.name}, and quantiles are interpolated in float32 or float64",
            fix="convert it: `x.float()`",
        )
    if q.dtype is not input.dtype:
        raise DtypeError(
            f"{name}() q tensor must be same dtype as the input tensor",
            why=f"`q` is {q.dtype.name}, `input` is {input.dtype.name}",
            fix="convert it: `q.to(x.dtype)`",
        )
    if interpolation not in _INTERPOLATIONS:
        raise ShapeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but "
            f"got {interpolation}",
            why="it says which value to take between two elements",
            fix='pass `interpolation="linear"`',
        )
    if q.numel() and not (0 <= q._array.min() and q._array.max() <= 1):
        raise ShapeError(
            f"{name}() q values must be in the range [0, 1]",
            why=f"`q` goes from {q._array.min()} to {q._array.max()}, and each is a share of the sorted values",
            fix="pass numbers between 0 and 1: a percentage is `q / 100`",
        )
    if dim is None:
        rows, kept = reshape(input, (-1,)), (1,) * input.ndim if keepdim else ()
    else:
        dim = normal_dim(dim, input.ndim)
        rows = input.movedim(dim, -1) if input.ndim else reshape(input, (1,))
        kept = tuple(input.shape)
        kept = kept[:dim] + ((1,) if keepdim else ()) + kept[dim + 1 :] if input.ndim else ()
    ordered = _sort(rows, dim=rows.ndim - 1, descending=False)[0]
    n = ordered.shape[-1]
    a = ordered._array
    nans = np.isnan(a)
    flat_q = reshape(q, (-1,))
    if ignore_nan:
        place = flat_q * wrap((n - 1 - nans.sum(-1, keepdims=True)).clip(0).astype(a.dtype))
    else:  # a row with NaN answers NaN: its last element
        place = (flat_q * (n - 1)).expand((*a.shape[:-1], q.numel()))
        place = place.masked_fill(wrap(nans.any(-1, keepdims=True)), n - 1)
    ranks = place._array
    if interpolation == "lower":
        ranks = np.floor(ranks)
    elif interpolation == "higher":
        ranks = np.ceil(ranks)
    elif interpolation == "nearest":
        ranks = np.round(ranks)
    below = np.floor(ranks).astype(np.int64)
    values = gather(ordered, -1, wrap(below))
    if interpolation in ("linear", "midpoint"):
        weight = 0.5 if interpolation == "midpoint" else place - wrap(below.astype(a.dtype))
        above = gather(ordered, -1, wrap(np.ceil(ranks).astype(np.int64)))
        values = values + (above - values) * weight
    values = values.movedim(-1, 0)
    return reshape(values, (*q.shape, *kept))


@public(method=True, out=True)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-th quantiles of all elements, or along a dimension; several `q` make a leading dimension.

    interpolation between the two nearest elements: "linear", "lower", "higher", "midpoint", "nearest".

    >>> import flambeau as torch
    >>> torch.quantile(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.25, 0.5]))
    tensor([1.5000, 2.0000])
    """
    return _quantile(input, q, dim, keepdim, interpolation, False, "quantile")


@public(method=True, out=True)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """As `quantile`, without the NaN.

    >>> import flambeau as torch
    >>> torch.nanquantile(torch.tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, True, "nanquantile")


# ---------------------------------------------------------------------- covariance


@public(method=True)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """Covariance matrix of variables in rows, observations in columns.

    >>> import flambeau as torch
    >>> torch.cov(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    need_tensor(input, "cov")
    if input.ndim > 2:
        raise ShapeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions",
            why="rows are variables and columns are observations",
            fix="bring it to two dimensions: `x.flatten(1)`",
        )
    if input.dtype is dtypes.bool:
        raise DtypeError(
            "cov(): bool dtype is not supported for input",
            why="a covariance is computed from numbers",
            fix="convert it: `x.float()`",
        )
    x = reshape(input, (1, -1)) if input.ndim < 2 else input
    count = x.shape[1]
    w = None
    for t, name in ((fweights, "fweights"), (aweights, "aweights")):
        if t is None:
            continue
        if t.ndim > 1:
            raise ShapeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with {t.ndim} dimensions",
                why=f"there is one weight for each of the {count} observations",
                fix=f"pass a vector of {count} numbers",
            )
        if name == "fweights" and t.dtype.category != 1:
            raise DtypeError(
                f"cov(): expected fweights to have integral dtype but got fweights with {t.dtype} dtype",
                why="`fweights` counts how often each observation was seen",
                fix="convert it: `fweights.long()`",
            )
        if name == "aweights" and t.dtype.category != 2:
            raise DtypeError(
                f"cov(): expected aweights to have floating point dtype but got aweights with {t.dtype} dtype",
                why="`aweights` holds the weight of each observation",
                fix="convert it: `aweights.float()`",
            )
        if t.numel() != count:
            raise ShapeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input "
                f"but got {t.numel()} != {count}",
                why="there is one weight for each observation, that is for each column of the input",
                fix=f"pass {count} weights",
            )
        if count and t._array.min() < 0:
            raise ShapeError(
                f"cov(): {name} cannot be negative",
                why=f"the smallest weight is {t._array.min()}",
                fix=f"pass weights of 0 or more: `{name}.clamp(min=0)`",
            )
        w = t if w is None else w * t
    if w is None:
        total, average = count, x.sum(1, True) / count if count else x.sum(1, True) / count
    else:
        total = w.sum()
        average = (x * w).sum(1, True) / total
        if count and float(total) == 0:
            raise ShapeError(
                "cov(): weights sum to zero, can't be normalized",
                why="the average divides by the sum of the weights",
                fix="pass at least one weight above 0",
            )
    if w is not None and aweights is not None and correction:
        norm = total - correction * (w * aweights).sum() / total
    else:
        norm = total - correction
    apart = x - average
    scaled = apart if w is None else apart * w
    norm = norm.clamp(min=0) if isinstance(norm, Tensor) else builtins.max(norm, 0)
    made = matmul(apart, conj(scaled).mT.to(apart.dtype))
    if isinstance(norm, Tensor):
        norm = norm.to(dtypes.float64).item() if not norm._rg else norm
    made = made / (norm if isinstance(norm, Tensor) else wrap(np.asarray(norm, made._array.real.dtype)))
    return reshape(made, ()) if made.numel() == 1 and input.ndim < 2 or made.shape == (1, 1) else made


@public(method=True)
def corrcoef(input):
    """Pearson correlations of variables in rows.

    >>> import flambeau as torch
    >>> torch.corrcoef(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    need_tensor(input, "corrcoef")
    if input.ndim > 2:
        raise ShapeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions",
            why="rows are variables and columns are observations",
            fix="bring it to two dimensions: `x.flatten(1)`",
        )
    c = cov(input)
    if not c.ndim:
        return c / c
    d = c.diagonal()
    size = (d.real if c.is_complex() else d).sqrt()
    c = c / size.unsqueeze(1) / size.unsqueeze(0)
    if c.is_complex():
        from_parts = c.real.clamp(-1, 1) + c.imag.clamp(-1, 1) * 1j
        return from_parts
    return c.clamp(-1, 1)


# ---------------------------------------------------------------------- numerical gradient


@public()
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """Derivatives along dimensions by central differences (second order inside, `edge_order` at the ends).

    spacing: a number, one per dimension, or the coordinates (a tensor) of each dimension.

    >>> import flambeau as torch
    >>> torch.gradient(torch.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    need_tensor(input, "gradient")
    if edge_order not in (1, 2):
        raise ShapeError(
            "torch.gradient only supports edge_order=1 and edge_order=2.",
            why=f"`edge_order` is the order of accuracy at the two ends, and {edge_order} was given",
            fix="pass `edge_order=1` or `edge_order=2`",
        )
    spacing = 1 if spacing is None else spacing
    many = isinstance(spacing, (tuple, list))
    if dim is None:
        dims = list(range(input.ndim))
        if many and len(spacing) != input.ndim and not (len(spacing) == 1):
            raise ShapeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
                f"equal to 'self.dim() - 1', but got a list of length {len(spacing)}",
                why=f"the tensor has {input.ndim} dimension(s), and each has its own spacing",
                fix=f"pass one number, or {input.ndim} of them, or name the dimensions with `dim=`",
            )
    else:
        dims = [normal_dim(d, input.ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
        if len(set(dims)) != len(dims):
            raise ShapeError(
                "dim must be unique in torch.gradient",
                why=f"`dim` is {dim}, which names one dimension twice",
                fix="name each dimension once",
            )
        if many and len(spacing) != len(dims):
            raise ShapeError(
                "torch.gradient expected spacing and dim to have the same length",
                why=f"there are {len(spacing)} spacings for {len(dims)} dimension(s)",
                fix=f"pass {len(dims)} of them, or one number for all",
            )
    steps = list(spacing) if many else [spacing] * len(dims)
    if len(steps) == 1 and len(dims) > 1:
        steps = steps * len(dims)
    for d in dims:
        if input.shape[d] < edge_order + 1:
            raise ShapeError(
                "torch.gradient expected each dimension size to be at least edge_order+1",
                why=f"dimension {d} has size {input.shape[d]}, and a difference takes {edge_order + 1} neighbours",
                fix="leave it out with `dim=`, or use a longer tensor",
            )
    return tuple([_derivative(input, d, h, edge_order) for d, h in zip(dims, steps)])


def _derivative(x, d, h, order):
    n = x.shape[d]
    part = lambda a, b: narrow_to(x, d, a, b - a)
    column = lambda t: reshape(t, [-1 if i == d else 1 for i in range(x.ndim)])
    if isinstance(h, Tensor) and h.ndim:
        if h.ndim != 1 or h.numel() != n:
            raise ShapeError(
                "torch.gradient expected each element of `spacing` to have one dimension and the size of the dimension",
                why=f"the coordinates have shape {tuple(h.shape)}, and the dimension has size {n}",
                fix=f"pass a vector of {n} coordinates",
            )
        gaps = h.diff()
        one, two = column(narrow_to(gaps, 0, 0, n - 2)), column(narrow_to(gaps, 0, 1, n - 2))
        inner = (part(0, n - 2) * (-two / (one * (one + two))) + part(1, n - 1) * ((two - one) / (one * two))
                 + part(2, n) * (one / (two * (one + two))))  # fmt: skip
        if order == 1:
            left = (part(1, 2) - part(0, 1)) / gaps[0]
            right = (part(n - 1, n) - part(n - 2, n - 1)) / gaps[n - 2]
        else:
            a, b = gaps[0], gaps[1]
            left = (part(0, 1) * (-(2 * a + b) / (a * (a + b))) + part(1, 2) * ((a + b) / (a * b))
                    + part(2, 3) * (-a / (b * (a + b))))  # fmt: skip
            a, b = gaps[n - 3], gaps[n - 2]
            right = (part(n - 3, n - 2) * (b / (a * (a + b))) + part(n - 2, n - 1) * (-(a + b) / (a * b))
                     + part(n - 1, n) * ((2 * b + a) / (b * (a + b))))  # fmt: skip
        return cat([left, inner, right], d)
    inner = (part(2, n) - part(0, n - 2)) / (2 * h)
    if order == 1:
        left, right = (part(1, 2) - part(0, 1)) / h, (part(n - 1, n) - part(n - 2, n - 1)) / h
    else:
        left = (part(0, 1) * -1.5 + part(1, 2) * 2 + part(2, 3) * -0.5) / h
        right = (part(n - 1, n) * 1.5 + part(n - 2, n - 1) * -2 + part(n - 3, n - 2) * 0.5) / h
    return cat([left, inner, right], d)


@public()
def unravel_index(indices, shape):
    """The coordinates, in a tensor of `shape`, of flat indices: one tensor per dimension.

    >>> import flambeau as torch
    >>> torch.unravel_index(torch.tensor([3, 5]), (2, 3))
    (tensor([1, 1]), tensor([0, 2]))
    """
    need_tensor(indices, "unravel_index", "indices")
    if indices.dtype.category != 1:
        raise ArgumentError(
            f"expected 'indices' to be integer dtype, but got {indices.dtype}",
            why="an index counts elements",
            fix="convert it: `indices.long()`",
        )
    shape = shape.tolist() if isinstance(shape, Tensor) else shape
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
    if builtins.any(n < 0 for n in shape):
        raise ArgumentError(
            f"'shape' cannot have negative values, but got {shape}",
            why="sizes count elements",
            fix="pass sizes of 0 or more",
        )
    made, rest = [], indices._array.astype(np.int64)
    for n in reversed(shape):
        made.append(wrap(np.asarray(rest % n)))
        rest = np.asarray(rest // n)
    return tuple(made[::-1])
