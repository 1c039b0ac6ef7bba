"""Random tensors. With the same seed they hold the numbers of PyTorch's CPU generator."""

from __future__ import annotations

import math
import operator

import numpy as np

from .. import devices, dtypes
from ..arrays import meta_empty
from ..checks import events
from ..checks.log import log
from ..devices import CPU
from ..errors import ArgumentError, ArgumentTypeError, DtypeError, NotSupported, ShapeError
from ..generator import Generator, default_generator
from ..tensor import wrap
from .creation import check_layout, dtype_of, finish, sizes
from .entry import public, write_out

Generator.state_type = staticmethod(wrap)

TITLES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}
_C_NAMES = {"int64": "long", "int32": "int", "int16": "short", "int8": "signed char", "uint8": "unsigned char",
            "float32": "float", "float64": "double"}  # fmt: skip


def generator_of(given) -> Generator:
    """The generator given, or the default one."""
    if given is None:
        return default_generator
    if not isinstance(given, Generator):
        raise ArgumentTypeError(
            f"argument 'generator' must be torch.Generator, not {type(given).__name__}",
            why="it draws the numbers",
            fix="pass `torch.Generator().manual_seed(seed)`",
        )
    return given


def need_float(name, dt, kernel):
    """Error for dtypes that hold no fractions."""
    if dt.category < 2:
        raise NotSupported(
            f"\"{kernel}\" not implemented for '{TITLES.get(dt.name, dt.name)}'",
            why=f"{name} gives fractions, and {dt.name} holds none",
            fix="use a floating dtype such as `torch.float32`, or `torch.randint` for whole numbers",
        )


def _draw(shape, dt, flat) -> np.ndarray:
    """An array of a dtype from `flat(count, real NumPy dtype)`: complex numbers take two each."""
    count = math.prod(shape)
    if dt.is_complex:
        return flat(2 * count, dt.to_real().numpy).view(dt.numpy).reshape(shape)
    return flat(count, dt.numpy).reshape(shape)


def _sized(name, size, named, dtype, out, layout, device, generator, requires_grad, kernel, flat):
    shape = sizes(name, size, named.pop("size", None))
    if named:
        raise ArgumentTypeError(
            f"{name}() got an unexpected keyword argument '{next(iter(named))}'",
            why="the sizes are given by position or as `size=`",
            fix="leave it out",
        )
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    dt, dev, g = dtype_of(dtype, None, name), devices.usable(device), generator_of(generator)
    need_float(name, dt, kernel)
    made = _draw(shape, dt, lambda n, d: flat(g, n, d)) if dev is CPU else meta_empty(shape, dt.numpy)
    made = finish(made, requires_grad)
    return made if out is None else write_out(made, out, name)


@public()
def rand(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
         **named):  # fmt: skip
    """Uniform random numbers from [0, 1).

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    return _sized("rand", size, named, dtype, out, layout, device, generator, requires_grad, "check_uniform_bounds",
                  lambda g, n, d: g.uniform(n, dtype=d))  # fmt: skip


@public()
def randn(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
          **named):  # fmt: skip
    """Normally distributed random numbers of mean 0 and variance 1.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    std = 1.0
    if (
        dtype is not None
        and getattr(dtype, "is_complex", False)
        or dtype is None
        and out is not None
        and out.is_complex()
    ):
        std = math.sqrt(0.5)
    return _sized("randn", size, named, dtype, out, layout, device, generator, requires_grad, "normal_kernel_cpu",
                  lambda g, n, d: g.normal(n, 0.0, std, d))  # fmt: skip


def _integer_bounds(low, high, dt):
    """Check that the integers of [low, high) exist and fit in a dtype."""
    low, high = operator.index(low), operator.index(high)
    if low >= high:
        raise ShapeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}",
            why="the upper end is not included",
            fix=f"pass an upper end above {low}",
        )
    if high > 1 << 63 or low < -(1 << 63):  # 2**63 itself stands for "all of int64"
        raise ArgumentError(
            "Overflow when unpacking long long",
            why=f"the ends are {low} and {high}",
            fix="pass ends within 64 bits: -2**63 to 2**63",
        )
    if dt is dtypes.bool:
        smallest, largest = 0, 1
    elif dt.category == 1:
        smallest, largest = np.iinfo(dt.numpy).min, np.iinfo(dt.numpy).max
    else:
        return low, high
    name = _C_NAMES.get(dt.name, dt.name)
    if not low >= smallest:
        raise ShapeError(
            f"from is out of bounds for {name}",
            why=f"the dtype goes from {smallest} to {largest}",
            fix=f"pass a lower end of {smallest} or more",
        )
    if not high - 1 <= largest:
        raise ShapeError(
            f"to - 1 is out of bounds for {name}",
            why=f"the largest number of the dtype is {largest}",
            fix=f"pass an upper end of at most {largest + 1}",
        )
    return low, high


@public()
def randint(*args, low=None, high=None, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
            requires_grad=False, pin_memory=False):  # fmt: skip
    """Random integers: `randint(high, size)` from [0, high), `randint(low, high, size)` from [low, high).

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(10, (3,))
    tensor([4, 9, 3])
    """
    rest = list(args)
    if size is None and rest and isinstance(rest[-1], (tuple, list)):
        size = rest.pop()
    if high is None:
        high = rest.pop() if rest else None
    if low is None:
        low = rest.pop() if rest else 0
    if size is None and high is not None and len(args) == 2:
        got = type(args[1]).__name__
        raise ArgumentTypeError(
            f"randint(): argument 'size' (position 2) must be tuple of ints, not {got}",
            why="sizes are a tuple",
            fix=f"use `torch.randint({args[0]}, ({args[1]},))`",
        )
    if size is None or high is None or rest:
        raise ArgumentTypeError(
            "randint() received an invalid combination of arguments - got "
            f"({', '.join(type(a).__name__ for a in args)})",
            why="the upper end and the sizes are needed",
            fix="use `torch.randint(high, size)` or `torch.randint(low, high, size)`, with a tuple as `size`",
        )
    shape = sizes("randint", (tuple(size),))
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    dt, dev, g = dtype_of(dtype, dtypes.int64, "randint"), devices.usable(device), generator_of(generator)
    if max(low, high) >= 1 << 63:
        raise ArgumentError(
            "Overflow when unpacking long long",
            why=f"{max(low, high)} does not fit in int64",
            fix="pass numbers below 2**63",
        )
    low, high = _integer_bounds(low, high, dt)
    if dev is CPU:
        made = g.integers(math.prod(shape), low, high).astype(dt.numpy, copy=False).reshape(shape)
    else:
        made = meta_empty(shape, dt.numpy)
    made = finish(made, requires_grad)
    return made if out is None else write_out(made, out, "randint")


@public()
def randperm(
    n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """The integers from 0 to n - 1 in random order.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    if not hasattr(n, "__index__"):
        raise ArgumentTypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}",
            why="it is the number of elements to shuffle",
            fix="pass `len(x)` for the order of x",
        )
    n = operator.index(n)
    if n < 0:
        raise ShapeError(
            f"Trying to create tensor with negative dimension {n}: [{n}]",
            why="`n` is the number of elements to shuffle",
            fix="pass 0 or more",
        )
    check_layout(layout)
    if out is not None:
        dtype, device = dtype or out.dtype, out.device
    dt, dev = dtype_of(dtype, dtypes.int64, "randperm"), devices.usable(device)
    if dt.category == 1 and n - 1 > np.iinfo(dt.numpy).max:
        raise DtypeError(
            f"value cannot be converted to type {dt.name}_t without overflow",
            why=f"{dt.name} ends at {np.iinfo(dt.numpy).max}",
            fix="pass `dtype=torch.int64`",
        )
    made = meta_empty((n,), dt.numpy) if dev is not CPU else generator_of(generator).permutation(n)
    made = finish(made.astype(dt.numpy, copy=False), requires_grad)
    return made if out is None else write_out(made, out, "randperm")


# ---------------------------------------------------------------------- the default generator


@public()
def manual_seed(seed):
    """Start the default generator from `seed`; returns it.

    >>> import flambeau as torch
    >>> torch.manual_seed(0).initial_seed()
    0
    """
    if log.on:
        events.seeds(seed)
    return default_generator.manual_seed(int(seed))


@public()
def seed():
    """Start the default generator from a seed that the system picks; returns the seed."""
    return default_generator.seed()


@public()
def initial_seed():
    """The seed that the default generator was last started from.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(7)
    >>> torch.initial_seed()
    7
    """
    return default_generator.initial_seed()


@public()
def get_rng_state():
    """The state of the default generator, a ByteTensor for `set_rng_state`.

    >>> import flambeau as torch
    >>> torch.get_rng_state().dtype
    torch.uint8
    """
    return default_generator.get_state()


@public()
def set_rng_state(new_state):
    """Continue the default generator from a state that `get_rng_state` returned.

    >>> import flambeau as torch
    >>> state = torch.get_rng_state()
    >>> a = torch.rand(2)
    >>> torch.set_rng_state(state)
    >>> bool((torch.rand(2) == a).all())
    True
    """
    default_generator.set_state(new_state)
