"""Statistics: quantiles, histograms, counts, covariance, numerical gradient."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .. import dtypes, return_types
from ..errors import ArgumentError, DtypeError, NotSupported, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import conj, not_implemented
from .entry import public
from .join import cat, narrow_to
from .linalg import matmul
from .promotion import check_devices
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


# ---------------------------------------------------------------------- histograms


@public(method=True)
def bincount(input, weights=None, minlength=0):
    """How often each value 0, 1, 2, ... occurs in a vector of integers (or the sum of its weights).

    >>> import flambeau as torch
    >>> torch.bincount(torch.tensor([0, 1, 1, 3]))
    tensor([1, 2, 0, 1])
    """
    need_tensor(input, "bincount")
    check_devices(input, weights)
    if input.dtype.category != 1:
        raise not_implemented("bincount_cpu", input.dtype)
    if minlength < 0:
        raise ShapeError(
            "minlength should be >= 0",
            why=f"`minlength` is a number of counters, and {minlength} was given",
            fix="pass `minlength=0` or more",
        )
    if input.ndim != 1 or (input.numel() and int(input._array.min()) < 0):
        raise ShapeError(
            "bincount only supports 1-d non-negative integral inputs.",
            why=f"each element is the number of its counter: the input has shape {tuple(input.shape)} and "
            f"dtype {input.dtype.name}",
            fix="flatten it, `x.flatten()`, and shift negative numbers to start at 0",
        )
    a = input._array.astype(np.int64)
    if weights is None:
        return wrap(np.bincount(a, minlength=minlength).astype(np.int64))
    if weights.shape != input.shape:
        raise ShapeError(
            "weights should be 1-d and have the same length as input",
            why=f"`weights` has shape {tuple(weights.shape)}, `input` {tuple(input.shape)}: there is one "
            "weight for each element",
            fix="pass as many weights as elements",
        )
    kind = np.float32 if weights.dtype is dtypes.float32 else np.float64
    return wrap(np.bincount(a, weights=weights._array.astype(np.float64), minlength=minlength).astype(kind))


def _range(a, low, high, name, widen=1):
    if low == high:
        if not a.size and widen < 1:
            return 0.0, 1.0
        if a.size:
            if not np.isfinite(a).all():
                raise ShapeError(
                    f"{name}: range of [{a.min()}, {a.max()}] is not finite",
                    why="the tensor has nan or inf, so no bins can be laid over it",
                    fix="pass the range yourself, or drop them: `x[x.isfinite()]`",
                )
            low, high = float(a.min()), float(a.max())
        if low == high:
            low, high = low - widen, high + widen
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ShapeError(
            f"{name}: range of [{low}, {high}] is not finite",
            why="bins of equal width need finite ends",
            fix="pass finite numbers as the ends of the range",
        )
    if low > high:
        raise ShapeError(
            f"{name}: max must be larger than min", why=f"the range goes from {low} to {high}", fix="swap the two ends"
        )
    return low, high


@public(method=True, out=True)
def histc(input, bins=100, min=0, max=0):
    """Counts of the elements in `bins` equal bins between min and max (of the data, when both are 0).

    >>> import flambeau as torch
    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    need_tensor(input, "histc")
    if input.dtype.category != 2:
        raise not_implemented("histogram_cpu", input.dtype)
    if bins <= 0:
        raise ShapeError(
            "bins must be > 0", why=f"`bins` is the number of bins, and {bins} was given", fix="pass `bins=1` or more"
        )
    a = input._array
    low, high = _range(a, float(min), float(max), "torch.histc")
    return wrap(_counts(a.reshape(-1), bins, low, high, None).astype(a.dtype))


def _counts(a, bins, low, high, weights):
    """Counts in equal bins; the last bin includes its upper edge."""
    with np.errstate(all="ignore"):
        inside = (a >= low) & (a <= high)
        at = ((a[inside] - low) / (high - low) * bins).astype(np.int64)
    at = np.minimum(at, bins - 1)
    return np.bincount(at, weights=None if weights is None else weights.reshape(-1)[inside], minlength=bins)


@public(method=True)
def histogram(input, bins, *, range=None, weight=None, density=False, out=None):
    """(counts, bin edges): `bins` equal bins over `range`, or bins between the edges given.

    >>> import flambeau as torch
    >>> hist, edges = torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=3, range=(0.0, 3.0))
    >>> hist, edges
    (tensor([0., 2., 1.]), tensor([0., 1., 2., 3.]))
    """
    need_tensor(input, "histogram")
    if input.dtype.category != 2:
        raise not_implemented("histogram_cpu", input.dtype)
    a = input._array.reshape(-1)
    w = None
    if weight is not None:
        if weight.shape != input.shape:
            raise ShapeError(
                "torch.histogram: if weight tensor is provided it should have the same shape as the "
                "input tensor excluding its innermost dimension",
                why=f"`weight` has shape {tuple(weight.shape)}, `input` {tuple(input.shape)}: there is one "
                "weight for each element",
                fix="pass as many weights as elements",
            )
        if weight.dtype is not input.dtype:
            raise DtypeError(
                "torch.histogram: if weight tensor is provided, input tensor and weight tensor should "
                "have the same dtype",
                why=f"`weight` is {weight.dtype.name}, `input` is {input.dtype.name}",
                fix="convert it: `weight.to(x.dtype)`",
            )
        w = weight._array.reshape(-1)
    hist, edges = _one_histogram(a, bins, range, w, density, "torch.histogram")
    made = return_types.histogram((wrap(hist), wrap(edges)))
    if out is not None:
        for t, o in zip(made, out):
            o.resize_(t.shape).copy_(t)
        return return_types.histogram(out)
    return made


def _edges(a, bins, bounds, name):
    if isinstance(bins, Tensor):
        if bins.ndim != 1:
            raise ShapeError(
                f"{name}: bins tensor should have one dimension, but got {bins.ndim} dimensions",
                why=f"the tensor holds the edges of the bins, and its shape is {tuple(bins.shape)}",
                fix="pass a vector: `bins.flatten()`",
            )
        if bins._array.dtype != a.dtype:
            raise DtypeError(
                f"{name}: input tensor and bins tensors should have the same dtype, but got input with "
                f"dtype {a.dtype} and bins with dtype {bins.dtype}",
                why="elements are compared with the edges of the bins",
                fix="convert the edges: `bins.to(x.dtype)`",
            )
        if bins.numel() < 1:
            raise ShapeError(
                f"{name}: bins tensor should have at least 1 element",
                why="the tensor holds the edges of the bins, and it is empty",
                fix="pass at least two edges, such as `torch.linspace(0, 1, 11)`",
            )
        return bins._array
    if bins <= 0:
        raise ShapeError(
            f"{name}: bins must be > 0, but got {bins}", why="`bins` is the number of bins", fix="pass 1 or more"
        )
    if bounds is None:
        low, high = _range(a, 0.0, 0.0, name, 0.5)
    else:
        low, high = bounds
        if low > high:
            raise ShapeError(
                f"{name}: min should not exceed max, but got min {low} max {high}",
                why="the lower end comes first",
                fix=f"swap the two ends: `({high}, {low})`",
            )
        low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ShapeError(
                f"{name}: range [{low}, {high}] is not finite",
                why="bins of equal width need finite ends",
                fix="pass finite numbers as the ends of the range",
            )
    return np.linspace(low, high, bins + 1).astype(a.dtype)


def _place(a, edges):
    """The bin of each value; -1 outside."""
    if np.all(edges[1:] >= edges[:-1]):
        at = np.searchsorted(edges, a, "right") - 1
    else:  # no order to search in: the same steps as a binary search gives the same bins as PyTorch
        first, count = np.zeros(a.shape, np.int64), np.full(a.shape, len(edges))
        while (count > 0).any():
            half = count // 2
            right = (count > 0) & ~(a < edges[np.minimum(first + half, len(edges) - 1)])
            first = np.where(right, first + half + 1, first)
            count = np.where(count > 0, np.where(right, count - half - 1, half), 0)
        at = first - 1
    at = np.minimum(at, len(edges) - 2)
    return np.where((a >= edges[0]) & (a <= edges[-1]), at, -1)


def _one_histogram(a, bins, bounds, w, density, name):
    edges = _edges(a, bins, bounds, name)
    at = _place(a, edges)
    inside = at >= 0
    hist = np.bincount(at[inside], weights=None if w is None else w[inside], minlength=len(edges) - 1).astype(a.dtype)
    if density:
        hist = hist / hist.sum() / np.diff(edges)
    return hist.astype(a.dtype), edges


@public()
def histogramdd(input, bins, *, range=None, weight=None, density=False, out=None):
    """(counts, tuple of bin edges) of points (rows of `input`) in several dimensions."""
    need_tensor(input, "histogramdd")
    if out is not None:
        raise NotSupported(
            "histogramdd() takes no out=",
            why="the result is a histogram and a list of edges",
            fix="assign the result: `hist, edges = torch.histogramdd(...)`",
        )
    if input.ndim < 2:
        raise ShapeError(
            f"torch.histogramdd: input tensor should have at least 2 dimensions, but got {input.ndim}",
            why="the last dimension holds the coordinates of one point",
            fix="use `torch.histogram` for single numbers, or `x.unsqueeze(-1)`",
        )
    n = input.shape[-1]
    points = input._array.reshape(-1, n)
    if isinstance(bins, int):
        bins = [bins] * n
    bins = list(bins)
    if len(bins) != n:
        raise ShapeError(
            "torch.histogramdd: The size of bins must be equal to the innermost dimension of the input.",
            why=f"there are {len(bins)} numbers of bins for points with {n} coordinates",
            fix=f"pass {n} of them",
        )
    if range is not None and len(range) != 2 * n:
        raise ShapeError(
            f"torch.histogramdd: for a {n}-dimensional histogram range should have {2 * n} elements, "
            f"but got {len(range)}",
            why="each coordinate has a lower and an upper end",
            fix=f"pass {2 * n} numbers: low, high, low, high, ...",
        )
    bounds = [None if range is None else tuple(range[2 * i : 2 * i + 2]) for i in builtins.range(n)]
    edges = [_edges(points[:, i], bins[i], bounds[i], "torch.histogramdd") for i in builtins.range(n)]
    shape = [len(e) - 1 for e in edges]
    places = [_place(points[:, i], e) for i, e in enumerate(edges)]
    inside = np.logical_and.reduce([p >= 0 for p in places]) if places else np.ones(len(points), bool)
    flat = np.ravel_multi_index([p[inside] for p in places], shape) if inside.any() else np.zeros(0, np.int64)
    w = None if weight is None else weight._array.reshape(-1)[inside]
    hist = np.bincount(flat, weights=w, minlength=math.prod(shape)).reshape(shape).astype(points.dtype)
    if density:
        volume = np.ones((), points.dtype)
        for e in edges:
            volume = np.multiply.outer(volume, np.diff(e))
        hist = (hist / hist.sum() / volume).astype(points.dtype)
    return return_types.histogramdd((wrap(hist), tuple([wrap(e) for e in edges])))


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
