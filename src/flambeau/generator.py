"""Random numbers: a Mersenne Twister that gives the numbers of PyTorch's CPU generator, array by array.

PyTorch draws 32-bit words from MT19937 and turns them into numbers with rules of its own; the rules below were
found by experiment and are tested against recorded numbers. NumPy's `MT19937` supplies the words.
"""

from __future__ import annotations

import math
import os
import struct
import sys
from typing import Any

import numpy as np

from .devices import CPU
from .devices import device as _device
from .errors import ArgumentError, ArgumentTypeError, DeviceError, DtypeError
from .kernels import twister
from .kernels.random import keep, shuffle
from .kernels.record import effect, problem, source
from .normal import box_muller64, fma, libm, normals32, words_to_units

DEFAULT_SEED = 67280421310721
STATE_SIZE = 5056  # bytes of PyTorch's CPU generator state
_HEAD = struct.Struct("<Qiiq")  # seed, words left, seeded, next word
_TAIL = struct.Struct("<3dixxxxf?xxx")  # x, y, rho, y is valid; float normal and whether it is valid
_WIDE = 1 << 28  # ranges from here on take 64-bit draws, which keeps the bias of the modulo small
_U53 = 2.0**-53
SMALL = 8192  # draws below it are left to NumPy as long as no larger one was made: loading LLVM would take longer


class Generator:
    """A source of random numbers with a state of its own.

    Arguments:
        device: only the CPU has a generator.

    >>> import flambeau as torch
    >>> torch.rand(2, generator=torch.Generator().manual_seed(0))
    tensor([0.4963, 0.7682])

    Source: Matsumoto and Nishimura, "Mersenne Twister" (1998).
    """

    # What `get_state` hands out. Tensors are defined later than this file, and replace it.
    state_type: Any = staticmethod(np.asarray)

    def __init__(self, device="cpu"):
        device = _device(device)
        if device.type != "cpu":
            raise DeviceError(
                f"{device.type.upper()} device type not an accelerator.",
                why="random numbers are drawn on the CPU",
                fix="use `torch.Generator()`",
            )
        self._reset(DEFAULT_SEED)

    # ------------------------------------------------------------------ seed and state

    @property
    def device(self):
        """The device it draws for."""
        return CPU

    def _reset(self, seed):
        effect("seed", self._reset, seed)
        self._seed = seed
        self._words: Any = None  # NumPy's twister, made at the first draw: importing numpy.random takes a while
        self._state: Any = None  # in its place once the kernel has drawn: 624 words, and how many of them are used up
        self._fresh = True  # no word drawn since the seed
        self._normal = None  # second number of the last pair of normals

    def _source(self):
        """NumPy's twister in this generator's state."""
        if self._words is None:
            self._words = np.random.MT19937(0)
            self._words._legacy_seeding(self._seed & 0xFFFFFFFF)
        return self._words

    def _twister(self):
        """(the 624 words of the state, how many of them are used up)"""
        if self._state is not None:
            return self._state[:624].view(np.uint32), int(self._state[624])
        inner = self._source().state["state"]
        return np.asarray(inner["key"], np.uint32), inner["pos"]

    def manual_seed(self, seed):
        """Start again from `seed`, an integer of 64 bits; returns the generator."""
        self._reset(check_seed(seed))
        return self

    def seed(self):
        """Start again from a seed that the system picks, and return it."""
        problem("a seed is picked by the system")
        self._reset(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self):
        """The seed it was last started from."""
        return self._seed

    def state_bytes(self) -> np.ndarray:
        """The whole state, as the uint8 array that PyTorch's `get_state` gives."""
        problem("the state of a generator is looked at")
        key, pos = self._twister()
        next_, left = (0, 1) if self._fresh else (pos, 625 - pos)
        words = key.astype("<u8")
        y, valid = (0.0, 0) if self._normal is None else (self._normal, 1)
        raw = _HEAD.pack(self._seed, left, 1, next_) + words.tobytes() + _TAIL.pack(0.0, y, 0.0, valid, 0.0, False)
        return np.frombuffer(bytearray(raw), np.uint8)

    def get_state(self):
        """The state as a ByteTensor, to be given back to `set_state`; PyTorch's own layout."""
        return self.state_type(self.state_bytes())

    def set_state(self, new_state):
        """Continue from a state that `get_state` returned."""
        problem("the state of a generator is set")
        array = getattr(new_state, "_array", new_state)
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            raise ArgumentTypeError(
                "RNG state must be a torch.ByteTensor",
                why="the state is a tensor of bytes",
                fix="pass what `get_rng_state()` or `Generator.get_state()` returned",
            )
        if array.size != STATE_SIZE:
            raise DtypeError(
                f"Expected a CPUGeneratorImplState of size {STATE_SIZE} but found the input RNG state size to be "
                f"{array.size}",
                why="the state was taken from another kind of generator",
                fix="pass what `get_rng_state()` or `Generator.get_state()` returned",
            )
        raw = np.ascontiguousarray(array).tobytes()
        seed, left, seeded, next_ = _HEAD.unpack_from(raw)
        if not (seeded and 0 < left <= 624 and 0 <= next_ <= 624):
            raise DtypeError(
                "Invalid mt19937 state",
                why="its counters are out of range",
                fix="pass what `get_rng_state()` or `Generator.get_state()` returned",
            )
        key = np.frombuffer(raw, "<u8", 624, _HEAD.size).astype(np.uint32)
        _, y, _, valid, _, _ = _TAIL.unpack_from(raw, _HEAD.size + 624 * 8)
        self._fresh = left == 1 and next_ == 0
        self._state = None
        self._source().state = {"bit_generator": "MT19937", "state": {"key": key, "pos": 624 if left == 1 else next_}}
        self._seed = seed
        self._normal = y if valid else None
        return self

    graphsafe_get_state = get_state
    graphsafe_set_state = set_state

    def clone_state(self):
        """A second generator in the same state."""
        made = Generator()
        made.set_state(self.state_bytes())
        return made

    def get_offset(self):
        raise DtypeError(
            "CPU Generator does not use offset",
            why="its numbers follow one after another, without a position to jump to",
            fix="use `get_state()`",
        )

    def set_offset(self, offset):
        raise DtypeError(
            "CPU Generator does not use offset",
            why="its numbers follow one after another, without a position to jump to",
            fix="use `set_state(state)`",
        )

    def __reduce__(self):
        return (_restore, (self.state_bytes().tobytes(),))

    def __deepcopy__(self, memo):
        return self.clone_state()

    def __repr__(self):
        return f"<flambeau.Generator device='cpu' seed={self._seed}>"

    # ------------------------------------------------------------------ raw draws

    def words32(self, n: int) -> np.ndarray:
        """The next `n` words of 32 bits, as uint32."""
        if n:
            self._fresh = False
        if n < SMALL and self._state is None:
            return (self._words or self._source()).random_raw(n).astype(np.uint32)
        run = twister.words.get()
        if run is None:
            return np.random.Generator(self._source()).integers(0, 1 << 32, n, dtype=np.uint32)
        if self._state is None:
            key, used = self._twister()
            self._state, self._words = np.append(key.view(np.int32), np.int32(used)), None
        made = np.empty(n, np.int32)
        run(self._state, made, n, 1)
        return made.view(np.uint32)

    def words64(self, n: int) -> np.ndarray:
        """The next `n` draws of 64 bits, as uint64: the first word is the upper half."""
        pair = self.words32(2 * n).reshape(n, 2)
        if sys.byteorder == "little":
            return np.ascontiguousarray(pair[:, ::-1]).view(np.uint64).reshape(n)
        return pair.view(np.uint64).reshape(n)

    def random(self) -> int:
        """One word of 32 bits."""
        return int(self.words32(1)[0])

    def random64(self) -> int:
        """One draw of 64 bits."""
        high, low = self.words32(2).tolist()
        return high << 32 | low

    def unit32(self, n: int) -> np.ndarray:
        """`n` numbers of [0, 1) with 24 random bits, float32."""
        return words_to_units(self.words32(n))

    def unit64(self, n: int) -> np.ndarray:
        """`n` numbers of [0, 1) with 53 random bits, float64."""
        words = self.words64(n)
        np.bitwise_and(words, np.uint64((1 << 53) - 1), out=words)
        made = words.view(np.int64).astype(np.float64)
        made *= _U53
        return made

    # ------------------------------------------------------------------ distributions (flat arrays of n numbers)

    @source
    def uniform(self, n: int, low=0.0, high=1.0, dtype=np.float32) -> np.ndarray:
        """Uniform on [low, high); a number that rounding puts on `high` becomes `low`."""
        dtype = np.dtype(dtype)
        wide = dtype == np.float64
        if dtype == np.float32 and n >= SMALL and (run := twister.uniform.get()) is not None:
            made, first, last = np.empty(n, np.float32), np.float32(low), np.float32(high)
            run(self.words32(n).view(np.int32), made, n, float(last - first), float(first), float(last))
            return made
        made = self.unit64(n) if wide else self.unit32(n)
        kind = made.dtype.type
        if low == 0 and high == 1:
            if made.dtype == dtype:
                return made
        else:
            made = fma(made, kind(high) - kind(low), kind(low))
        made = made.astype(dtype, copy=False)
        made[made == dtype.type(high)] = dtype.type(low)
        return made

    @source
    def normal(self, n: int, mean=0.0, std=1.0, dtype=np.float32, contiguous=True) -> np.ndarray:
        """Normally distributed numbers.

        contiguous: whether they go to contiguous memory. PyTorch then fills 16 or more of them by another rule
        than it uses for few or scattered ones, with other numbers.
        """
        dtype = np.dtype(dtype)
        if n < 16 or not contiguous:
            made = self._normal_pairs(n)
            if mean != 0 or std != 1:
                made = fma(made, std, mean)
            return made.astype(dtype, copy=False)
        if dtype == np.float64:
            return box_muller64(self.unit64(n), self.unit64(16) if n % 16 else None, mean, std)
        if dtype == np.float32:
            return normals32(self.words32, n, mean, std)
        # In half precision the rest of the last block is not drawn twice.
        whole = n - n % 16
        made = np.empty(n, np.float32)
        made[:whole] = normals32(self.words32, whole, mean, std)
        if whole != n:
            made[-16:] = normals32(self.words32, 16, mean, std)
        return made.astype(dtype)

    def _normal_pairs(self, n):
        """Standard normals drawn in pairs (Box and Muller 1958), the second kept for the next call."""
        made = []
        if n and self._normal is not None:
            made.append(self._normal)
            self._normal = None
        pairs = (n - len(made) + 1) // 2
        units = self.unit64(2 * pairs).tolist()
        for u1, u2 in zip(units[::2], units[1::2]):
            radius = math.sqrt(-2.0 * math.log1p(-u2))
            theta = 2.0 * math.pi * u1
            made.append(radius * math.cos(theta))
            made.append(radius * math.sin(theta))
        if len(made) > n:
            self._normal = made.pop()
        return np.array(made, np.float64)

    @source
    def integers(self, n: int, low: int, high: int) -> np.ndarray:
        """Integers of [low, high), int64 (or uint64 where they do not fit)."""
        span = high - low
        if span < _WIDE and n >= SMALL and high < 1 << 63 and (run := twister.integers.get()) is not None:
            made = np.empty(n, np.int64)
            run(self.words32(n).view(np.int32), made, n, int(span), np.array([low], np.int64))
            return made
        if span >= _WIDE:
            words = self.words64(n)
            if span < 1 << 64:
                words %= np.uint64(span)
        else:
            words = (self.words32(n) % np.uint32(span)).astype(np.uint64)
        if high > 1 << 63:
            return words + np.uint64(low) if low else words
        return (words + np.uint64(low % (1 << 64))).view(np.int64)

    @source
    def full_range(self, n: int, dtype) -> np.ndarray:
        """What `random_()` draws: every value of an integer dtype from 0, every integer a float holds exactly."""
        dtype = np.dtype(dtype)
        if dtype.kind == "b":
            return (self.words32(n) & np.uint32(1)).astype(bool)
        if dtype.kind in "iu":
            top = np.iinfo(dtype).max
            words = self.words64(n) if dtype.itemsize == 8 else self.words32(n)
            if top + 1 < 1 << 8 * words.itemsize:
                words %= words.dtype.type(top + 1)
            return words.astype(dtype)
        digits = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[dtype.name]
        words = self.words64(n) if digits == 53 else self.words32(n)
        words %= words.dtype.type((1 << digits) + 1)
        return words.astype(dtype)

    @source
    def permutation(self, n: int) -> np.ndarray:
        """The integers from 0 to n - 1 in random order (Fisher and Yates), int64."""
        if n < 2:
            return np.arange(n)
        if n < 0xFFFFFFFF // 20:
            steps = self.words32(n - 1) % np.arange(n, 1, -1, dtype=np.uint32)
        else:
            steps = self.words64(n - 1) % np.arange(n, 1, -1, dtype=np.uint64)
        run = shuffle.get("f4")
        if run is not None:
            made = np.arange(n)
            run(made, steps.astype(np.int64), n, n - 1, 1)
            return made
        order = list(range(n))
        for i, j in enumerate((steps + np.arange(n - 1, dtype=steps.dtype)).tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)

    @source
    def bernoulli(self, n: int, p) -> np.ndarray:
        """True with probability `p`: one number (drawn with 53 bits) or an array of n (drawn in its precision)."""
        if not isinstance(p, np.ndarray):
            # u < p for u = k / 2**53, without making u.
            bits = self.words64(n)
            np.bitwise_and(bits, np.uint64((1 << 53) - 1), out=bits)
            return bits < np.uint64(math.ceil(p * (1 << 53)))
        return (self.unit64(n) if p.dtype == np.float64 else self.unit32(n)) < p

    @source
    def keep(self, n: int, p: float, value: float, dtype) -> np.ndarray:
        """`value` with probability `p`, else 0: what dropout multiplies by. Draws what `bernoulli` draws."""
        run = keep.get(dtype.str[1:]) if dtype.kind == "f" and dtype.itemsize > 2 else None
        if run is None:
            return self.bernoulli(n, p) * dtype.type(value)
        made = np.empty(n, dtype)
        run(self.words32(2 * n).view(np.int32), made, 2, n, math.ceil(p * (1 << 53)), float(value))
        return made

    @source
    def exponential(self, n: int, rate=1.0, dtype=np.float64) -> np.ndarray:
        """Exponentially distributed, float64; `dtype` is what it is for: below float64 the last bit is no matter."""
        u = -self.unit64(n)
        u = libm(math.log1p, u) if dtype == np.float64 else np.log1p(u, out=u)
        u *= -1.0 / rate
        return u

    @source
    def geometric(self, n: int, p) -> np.ndarray:
        """Number of trials up to the first success, float64."""
        u = self.unit64(n)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.ceil(np.log(u) / np.log1p(-p))

    @source
    def cauchy(self, n: int, median=0.0, sigma=1.0) -> np.ndarray:
        """Cauchy distributed, float64."""
        return fma(libm(math.tan, math.pi * (self.unit64(n) - 0.5)), sigma, median)

    @source
    def log_normal(self, n: int, mean=1.0, std=2.0) -> np.ndarray:
        """The exponential of normal numbers, float64."""
        return np.fromiter((_exp(x) for x in fma(self._normal_pairs(n), std, mean).tolist()), np.float64, n)


def _exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _restore(raw):
    made = Generator()
    made.set_state(np.frombuffer(raw, np.uint8))
    return made


def check_seed(seed) -> int:
    """`seed` as the unsigned number of 64 bits that PyTorch makes of it."""
    if not isinstance(seed, (int, np.integer)):
        raise DtypeError(
            f"manual_seed expected a long, but got {type(seed).__name__}",
            why="a seed is a whole number",
            fix=f"use `manual_seed({seed:.0f})`" if isinstance(seed, float) else "use an int such as `manual_seed(0)`",
        )
    seed = int(seed)
    if not -(1 << 63) <= seed < 1 << 64:
        raise ArgumentError(
            "Overflow when unpacking long long",
            why=f"the seed {seed} needs more than 64 bits",
            fix="use a number below `2**64`",
        )
    return seed % (1 << 64)


def memory_order(array: np.ndarray) -> list[int]:
    """The axes of an array by stride, largest first: the order in which PyTorch fills it."""
    return sorted(range(array.ndim), key=lambda d: -array.strides[d] if array.shape[d] > 1 else -math.inf)


default_generator = Generator()
