"""Random numbers in the shape of another tensor, in place of its elements, or with a probability for each."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .. import devices
from ..arrays import meta_empty
from ..autograd.mode import state
from ..devices import CPU
from ..errors import ArgumentTypeError, DtypeError, ShapeError
from ..generator import memory_order
from ..kernels.record import into, unchanged
from ..tensor import Tensor, wrap
from .creation import check_layout, dtype_of, finish, like, sizes
from .entry import assign, check_writable, primitive, public, write_out
from .random import _C_NAMES, TITLES, _integer_bounds, generator_of, need_float
from .shape import need_tensor, preserve_format


def _like(name, input, dtype, layout, device, form, requires_grad, fill):
    made = wrap(like(name, input, dtype, layout, device, form))
    if made._array.size == 0 or not made.is_meta:
        fill(made)
    return finish(made._array, requires_grad)


@public()
def rand_like(input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
              memory_format=preserve_format):  # fmt: skip
    """Uniform random numbers from [0, 1) in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.rand_like(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    return _like("rand_like", input, dtype, layout, device, memory_format, requires_grad,
                 lambda t: uniform_(t, generator=generator))  # fmt: skip


@public()
def randn_like(input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
               memory_format=preserve_format):  # fmt: skip
    """Standard normal random numbers in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.randn_like(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    return _like("randn_like", input, dtype, layout, device, memory_format, requires_grad,
                 lambda t: normal_(t, generator=generator))  # fmt: skip


@public()
def randint_like(input, *bounds, low=None, high=None, generator=None, dtype=None, layout=None, device=None,
                 requires_grad=False, pin_memory=False, memory_format=preserve_format):  # fmt: skip
    """Random integers from [0, high) or [low, high) in the shape, dtype and device of `input`.

    >>> import flambeau as torch
    >>> torch.randint_like(torch.ones(2, 3), 10).shape
    torch.Size([2, 3])
    """
    bounds = list(bounds)
    high = bounds.pop() if high is None else high
    low = (bounds.pop() if bounds else 0) if low is None else low
    return _like("randint_like", input, dtype, layout, device, memory_format, requires_grad,
                 lambda t: random_(t, low, high, generator=generator))  # fmt: skip


# ---------------------------------------------------------------------- in place


# A tensor with history that is overwritten by random numbers passes no gradient on.
_NODES = {
    name: primitive(f"{name.lower()}_", lambda input, drawn: drawn, vjp={"input": lambda g: g * 0},
                    node=f"{name}Backward{number}")
    for name, number in (("Uniform", 0), ("Normal", 0), ("Random", 2), ("Exponential", 0), ("Cauchy", 0),
                         ("LogNormal", 0), ("Geometric", 0), ("Bernoulli", 2))
}  # fmt: skip


def _fill(t, flat, name):
    """Fill a tensor with `flat(count)`, in the order of its memory."""
    a = t._array
    if type(a) is not np.ndarray or not a.size:
        return t
    check_writable(t)
    np_dtype = a.dtype
    made = flat(2 * a.size if np_dtype.kind == "c" else a.size)
    if np_dtype.kind == "c":
        made = made.view(np_dtype)
    elif made.dtype != np_dtype:
        drawn, made = made, np.empty(made.shape, np_dtype)
        into("to", made, unchanged, drawn, new=True)
    if not a.flags.c_contiguous:
        order = memory_order(a)
        made = made.reshape([a.shape[d] for d in order]).transpose(np.argsort(order))
    made = wrap(made.reshape(a.shape))
    return assign(t, _NODES[name](t, made) if t.requires_grad and state.grad else made)


def _real(t):
    """The real NumPy dtype of a tensor's numbers."""
    return t.dtype.to_real().numpy if t.is_complex() else t._array.dtype


@public(method=True, function=False)
def uniform_(self, *bounds, generator=None, to=None, **named):
    """Fill with uniform random numbers from [from, to), by default [0, 1).

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(3).uniform_()
    tensor([0.4963, 0.7682, 0.0885])
    """
    low = bounds[0] if bounds else named.pop("from", 0.0)
    high = bounds[1] if len(bounds) > 1 else 1.0 if to is None else to
    if named:
        raise ArgumentTypeError(
            f"uniform_() got an unexpected keyword argument '{next(iter(named))}'",
            why="the ends are called `from` and `to`",
            fix="pass them by position: `x.uniform_(0, 1)`",
        )
    need_float("uniform_", self.dtype, "check_uniform_bounds")
    limit = float(np.finfo(_real(self)).max) if _real(self).kind == "f" else 3.3895314e38
    name = _C_NAMES.get(self.dtype.name, self.dtype.name)
    if not -limit <= low <= limit:
        raise ShapeError(
            f"from is out of bounds for {name}",
            why=f"the dtype goes from {-limit} to {limit}",
            fix=f"pass ends between {-limit} and {limit}",
        )
    if not -limit <= high <= limit:
        raise ShapeError(
            f"to is out of bounds for {name}",
            why=f"the largest number of the dtype is {limit}",
            fix=f"pass ends between {-limit} and {limit}",
        )
    if not low <= high:
        raise ShapeError(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}",
            why="the lower end comes first",
            fix=f"swap them: `x.uniform_({high}, {low})`",
        )
    g = generator_of(generator)
    return _fill(self, lambda n: g.uniform(n, low, high, _real(self)), "Uniform")


@public(method=True, function=False)
def normal_(self, mean=0, std=1, *, generator=None):
    """Fill with normally distributed random numbers.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(3).normal_()
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    need_float("normal_", self.dtype, "normal_kernel_cpu")
    if not std >= 0:
        raise ShapeError(
            f"normal expects std >= 0.0, but found std {std}",
            why="a standard deviation is a distance from the mean",
            fix="pass 0 or more",
        )
    g = generator_of(generator)
    if self.is_complex():
        _fill(self, lambda n: g.normal(n, 0.0, std * math.sqrt(0.5), _real(self), self.is_contiguous()), "Normal")
        return self if not mean else self.add_(mean)
    return _fill(
        self, lambda n: g.normal(n, float(mean), float(std), _real(self), self._array.flags.c_contiguous), "Normal"
    )


@public(method=True, function=False)
def random_(self, *bounds, generator=None, to=None, **named):
    """Fill with random integers: `random_()` all that the dtype holds exactly, `random_(to)`, `random_(from, to)`.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).random_(10)
    tensor([4., 9., 3.])
    """
    g = generator_of(generator)
    low = bounds[0] if len(bounds) > 1 else named.pop("from", None)
    high = bounds[-1] if bounds else to
    if named:
        unknown = next(iter(named))
        raise ArgumentTypeError(
            f"random_() got an unexpected keyword argument '{unknown}'",
            why="the ends are called `from` and `to`",
            fix="pass them by position: `x.random_(0, 10)`",
        )
    if high is None and low is None:
        return _fill(self, lambda n: g.full_range(n, self._array.dtype), "Random")
    if high is None:
        top = np.iinfo(self._array.dtype).max if self.dtype.category == 1 else 1 << 24
        high = top + 1
    low, high = _integer_bounds(low or 0, high, self.dtype)
    return _fill(self, lambda n: g.integers(n, low, high).astype(self._array.dtype, copy=False), "Random")


@public(method=True, function=False)
def exponential_(self, lambd=1, *, generator=None):
    """Fill with exponentially distributed random numbers of rate `lambd`.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(3).exponential_()
    tensor([3.5083, 1.2304, 0.6150])
    """
    _continuous(self, "Exponential")
    if not lambd > 0:
        raise ShapeError(
            f"exponential_ expects lambda > 0.0, but found lambda={lambd}",
            why="it is the rate of events",
            fix="pass a number above 0",
        )
    g = generator_of(generator)
    return _fill(self, lambda n: g.exponential(n, lambd, self._array.dtype), "Exponential")


@public(method=True, function=False)
def cauchy_(self, median=0, sigma=1, *, generator=None):
    """Fill with Cauchy distributed random numbers."""
    _continuous(self, "Cauchy")
    if not sigma > 0:
        raise ShapeError(
            f"cauchy_ expects sigma > 0.0, but found sigma={sigma}",
            why="it is the width of the distribution",
            fix="pass a number above 0",
        )
    g = generator_of(generator)
    return _fill(self, lambda n: g.cauchy(n, median, sigma), "Cauchy")


@public(method=True, function=False)
def log_normal_(self, mean=1, std=2, *, generator=None):
    """Fill with numbers whose logarithm is normally distributed with this mean and deviation."""
    need_float("log_normal_", self.dtype, "log_normal_cpu")
    if not std > 0:
        raise ShapeError(
            f"log_normal_ expects std > 0.0, but found std={std}",
            why="it is the standard deviation of the logarithm",
            fix="pass a number above 0",
        )
    g = generator_of(generator)
    return _fill(self, lambda n: g.log_normal(n, mean, std), "LogNormal")


@public(method=True, function=False)
def geometric_(self, p, *, generator=None):
    """Fill with the number of trials until the first success, each successful with probability `p`."""
    if not 0 < p < 1:
        raise ShapeError(
            f"geometric_ expects p to be in (0, 1), but got p={p}",
            why="it is the probability of success",
            fix="pass a number between 0 and 1",
        )
    g = generator_of(generator)
    return _fill(self, lambda n: g.geometric(n, p), "Geometric")


def _continuous(t, name):
    if not t.is_floating_point():
        raise DtypeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {TITLES.get(t.dtype.name, t.dtype.name)}",
            why=f"{t.dtype.name} has no place for fractions",
            fix="use `x = x.float()`",
        )


# ---------------------------------------------------------------------- drawn with a probability per element

# The draws do not depend smoothly on the probabilities: PyTorch defines their gradient as zero.
_bernoulli = primitive("bernoulli", lambda input, generator: _bernoulli_array(input, generator),
                       vjp={"input": lambda g: g * 0})  # fmt: skip


def _bernoulli_array(p, generator):
    if type(p) is not np.ndarray:
        return p
    return generator.bernoulli(p.size, np.ascontiguousarray(p).ravel()).astype(p.dtype).reshape(p.shape)


@public(method=True)
def bernoulli(input, p=None, *, generator=None, out=None):
    """Ones with the probabilities that `input` holds (or with probability `p`), else zeros.

    >>> import flambeau as torch
    >>> torch.bernoulli(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    need_tensor(input, "bernoulli")
    if out is not None:
        check_writable(out)
        return write_out(bernoulli(input, p, generator=generator), out, "bernoulli")
    if p is not None:
        return bernoulli_(wrap(np.empty_like(input._array, subok=False)), p, generator=generator)
    need_float("bernoulli", input.dtype, "bernoulli_tensor_cpu_p_")
    if type(input._array) is np.ndarray and not ((input._array >= 0) & (input._array <= 1)).all():
        raise ShapeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
                         why="probabilities lie between 0 and 1",
                         fix="use `torch.sigmoid(x)`, which makes scores probabilities")  # fmt: skip
    return _bernoulli(input, generator=generator_of(generator))


@public(method=True, function=False)
def bernoulli_(self, p=0.5, *, generator=None):
    """Fill with ones with probability `p` (a number or a tensor of probabilities), else zeros.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(3).bernoulli_(0.5)
    tensor([0., 0., 1.])
    """
    g = generator_of(generator)
    if isinstance(p, Tensor) and p.ndim == 0:
        p = p.item()
    if isinstance(p, Tensor):
        need_float("bernoulli_", p.dtype, "bernoulli_tensor_cpu_p_")
        probabilities = p.expand(self.shape)._array
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ShapeError(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
                why=f"the probabilities go from {probabilities.min()} to {probabilities.max()}",
                fix="map them first: `torch.sigmoid(p)`",
            )
        check_writable(self)
        drawn = _bernoulli_array(np.ascontiguousarray(probabilities).reshape(self.shape), g)
        return assign(self, wrap(drawn.astype(self._array.dtype)))
    if not 0 <= p <= 1:
        raise ShapeError(
            f"bernoulli_ expects p to be in [0, 1], but got p={p}",
            why="it is the probability of 1",
            fix="pass a number between 0 and 1",
        )
    return _fill(self, lambda n: g.bernoulli(n, float(p)), "Bernoulli")


@public()
def normal(mean=None, std=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
           requires_grad=False, pin_memory=False):  # fmt: skip
    """Normal random numbers: `normal(mean, std)` with tensors, one number per element; `normal(mean, std, size)`.

    >>> import flambeau as torch
    >>> torch.normal(torch.zeros(3), 0.0)
    tensor([0., 0., 0.])
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        mean, std = 0.0 if mean is None else mean, 1.0 if std is None else std
        if isinstance(std, Tensor):
            if std.is_complex():
                raise ShapeError(
                    "normal expects standard deviation to be non-complex",
                    why=f"a standard deviation is a distance from the mean, and it is {std.dtype.name}",
                    fix="use `std.real` or `std.abs()`",
                )
            if not (std.is_meta or not (std._array < 0).any()):
                raise ShapeError(
                    "normal expects all elements of std >= 0.0",
                    why=f"the smallest is {std._array.min()}",
                    fix="map it first: `std.abs()` or `std.exp()`",
                )
        else:
            if not std >= 0:
                raise ShapeError(
                    f"normal expects std >= 0.0, but found std {std}",
                    why="a standard deviation is a distance from the mean",
                    fix="pass 0 or more",
                )
        for t in (mean, std):
            if isinstance(t, Tensor):
                need_float("normal", t.dtype, "normal_kernel_cpu")
        kind = mean if isinstance(mean, Tensor) else std
        try:
            shape = np.broadcast_shapes(np.shape(getattr(mean, "_array", 0)), np.shape(getattr(std, "_array", 0)))
        except ValueError:
            a, b = mean.shape, std.shape
            d = next(
                i for i in builtins.range(1, min(len(a), len(b)) + 1) if a[-i] != b[-i] and 1 not in (a[-i], b[-i])
            )
            raise ShapeError(
                f"The size of tensor a ({a[-d]}) must match the size of tensor b ({b[-d]}) at non-singleton "
                f"dimension {max(len(a), len(b)) - d}",
                why=f"`mean` has shape {tuple(a)}, `std` {tuple(b)}",
                fix="bring them to one shape with `unsqueeze` or `expand`",
            ) from None
        drawn = normal_(wrap(np.empty(shape, kind._array.dtype)) if not kind.is_meta else
                        wrap(meta_empty(shape, kind._array.dtype)), generator=generator)  # fmt: skip
        made = drawn * std.detach() if isinstance(std, Tensor) else drawn * std
        made = _around(made + (mean.detach() if isinstance(mean, Tensor) else mean), mean, std)
        return made if out is None else write_out(made, out, "normal")
    if size is None or mean is None:
        got = f"({type(mean).__name__}, {type(std).__name__})"
        raise ArgumentTypeError(
            f"normal() received an invalid combination of arguments - got {got}",
            why="with numbers alone the shape is not known",
            fix="use `torch.normal(mean, std, size)` for numbers, `torch.normal(mean, std)` for tensors",
        )
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    dt, shape = dtype_of(dtype, None, "normal"), sizes("normal", (tuple(size) if not isinstance(size, int) else size,))
    made = wrap(np.empty(shape, dt.numpy) if devices.usable(device) is CPU else meta_empty(shape, dt.numpy))
    made = finish(normal_(made, mean, 1.0 if std is None else std, generator=generator)._array, requires_grad)
    return made if out is None else write_out(made, out, "normal")


_normal = primitive("normal", lambda input, mean=None, std=None: input, node="NormalBackward3",
                    vjp={"mean": lambda g: g * 0, "std": lambda g: g * 0})  # fmt: skip


def _around(drawn, mean, std):
    """`drawn` as a result of mean and std, through which no gradient flows."""
    tensors = [t if isinstance(t, Tensor) and t.requires_grad else None for t in (mean, std)]
    return _normal(drawn, *tensors) if any(t is not None for t in tensors) else drawn
