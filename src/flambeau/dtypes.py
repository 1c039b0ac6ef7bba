"""dtypes, their promotion rules, finfo and iinfo."""

from __future__ import annotations

import builtins

import ml_dtypes
import numpy as np

from .errors import ArgumentTypeError, DtypeError


class dtype:
    """An element type. `numpy` is the NumPy dtype that stores it.

    >>> import flambeau as torch
    >>> torch.float32, torch.float32.itemsize, torch.float32.is_floating_point
    (torch.float32, 4, True)
    """

    __slots__ = ("name", "numpy", "category", "is_floating_point", "is_complex", "is_signed", "itemsize", "rank",
                 "__weakref__")  # fmt: skip

    def __init__(self, name: str, numpy_dtype, category: builtins.int, rank: builtins.int):
        self.name = name
        self.numpy = np.dtype(numpy_dtype)
        self.category = category  # 0 bool, 1 integer, 2 float, 3 complex
        self.is_floating_point = category == 2
        self.is_complex = category == 3
        self.is_signed = category >= 2 or (category == 1 and not name.startswith("u"))
        self.itemsize = self.numpy.itemsize
        self.rank = rank

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return (_by_name, (self.name,))

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this precision."""
        return _TO_COMPLEX.get(self, complex64 if self is not float64 else complex128)

    def to_real(self) -> dtype:
        """The dtype of the real part."""
        return _TO_REAL.get(self, self)


def _by_name(name):
    return BY_NAME[name]


bool = dtype("bool", np.bool_, 0, 0)
uint8 = dtype("uint8", np.uint8, 1, 1)
int8 = dtype("int8", np.int8, 1, 2)
int16 = short = dtype("int16", np.int16, 1, 3)
int32 = int = dtype("int32", np.int32, 1, 4)
int64 = long = dtype("int64", np.int64, 1, 5)
uint16 = dtype("uint16", np.uint16, 1, 3)
uint32 = dtype("uint32", np.uint32, 1, 4)
uint64 = dtype("uint64", np.uint64, 1, 5)
float8_e4m3fn = dtype("float8_e4m3fn", ml_dtypes.float8_e4m3fn, 2, 0)
float8_e5m2 = dtype("float8_e5m2", ml_dtypes.float8_e5m2, 2, 0)
float16 = half = dtype("float16", np.float16, 2, 1)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, 2, 1)
float32 = float = dtype("float32", np.float32, 2, 2)
float64 = double = dtype("float64", np.float64, 2, 3)
complex64 = cfloat = dtype("complex64", np.complex64, 3, 2)
complex128 = cdouble = dtype("complex128", np.complex128, 3, 3)

ALL = (bool, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float8_e4m3fn, float8_e5m2, float16, bfloat16,
       float32, float64, complex64, complex128)  # fmt: skip
BY_NAME = {d.name: d for d in ALL} | {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip
FROM_NUMPY = {d.numpy: d for d in ALL}
_TO_COMPLEX = {float32: complex64, float64: complex128, complex64: complex64, complex128: complex128}
_TO_REAL = {complex64: float32, complex128: float64}
HALVES = (float16, bfloat16)  # stored in 16 bits, computed in float32

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of new floating-point tensors: torch.float32 unless changed.

    >>> import flambeau as torch
    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Change the dtype of new floating-point tensors.

    Raises TypeError when `d` is not a floating-point dtype.

    >>> import flambeau as torch
    >>> torch.set_default_dtype(torch.float64)
    >>> torch.ones(1).dtype
    torch.float64
    >>> torch.set_default_dtype(torch.float32)
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point or d.itemsize < 2:
        raise ArgumentTypeError(
            "only floating-point types are supported as the default type",
            why=f"it is {d!r}, and the default is what new tensors of fractions get",
            fix="use `torch.float32` or `torch.float64`",
        )
    _default = d


def from_numpy_dtype(np_dtype) -> dtype:
    """The dtype that a NumPy dtype stores; TypeError for those PyTorch has not (strings, objects...)."""
    np_dtype = np.dtype(np_dtype)
    found = FROM_NUMPY.get(np_dtype) or FROM_NUMPY.get(np_dtype.newbyteorder("="))
    if found is None:
        raise ArgumentTypeError(
            f"can't convert np.ndarray of type {np_dtype}. The only supported types are: float64, float32, float16, "
            "complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.",
            why="tensors hold numbers" if np_dtype.kind in "OSUMmV" else "no tensor has numbers of that size",
            fix="use `array.astype(np.float32)` first",
        )
    return found


_PROMOTE: dict[tuple[dtype, dtype], dtype] = {}


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    if a.category < b.category:
        a, b = b, a
    if a.category == 3 and b.category == 2:
        return complex128 if float64 in (b, a.to_real()) else a
    if a.category != b.category:
        return a
    if a.category == 2 and a.rank == b.rank == 1:
        return float32  # float16 with bfloat16
    if a.category == 1:
        if uint8 in (a, b) and int8 in (a, b):
            return int16
        for u, s in ((a, b), (b, a)):  # wider unsigned integers promote only among themselves and with uint8
            if u.name.startswith("u") and u is not uint8 and s.is_signed:
                raise DtypeError(
                    f"Promotion for uint16, uint32, uint64 types is not supported, "
                    f"attempted to promote {u.name.title().replace('i', 'I')} and {s.name.title()}",
                    why="no integer type holds the numbers of both",
                    fix="use `x.long()` for both",
                )
    return a if a.rank >= b.rank else b


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both.

    >>> import flambeau as torch
    >>> torch.promote_types(torch.int32, torch.float16)
    torch.float16
    """
    found = _PROMOTE.get((type1, type2))
    if found is None:
        found = _PROMOTE[type1, type2] = _promote(type1, type2)
    return found


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether PyTorch's rules allow storing a result of dtype `from_` in a tensor of dtype `to`.

    >>> import flambeau as torch
    >>> torch.can_cast(torch.int64, torch.float32), torch.can_cast(torch.float32, torch.int64)
    (True, False)
    """
    if from_.category > to.category and from_.category > 1:
        return False
    if from_.category == 1 and to.category == 0:
        return False
    return True


class finfo:
    """Limits of a floating-point dtype: bits, eps, max, min, tiny, smallest_normal, resolution.

    >>> import flambeau as torch
    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None):
        type = type or _default
        if not (type.is_floating_point or type.is_complex):
            raise ArgumentTypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{type!r}'",
                why="only floating-point types have a smallest step",
                fix=f"use `torch.iinfo({type!r})`",
            )
        real = type.to_real()
        info = ml_dtypes.finfo(real.numpy)
        self.bits = info.bits
        self.eps, self.max, self.min = (np.float64(v).item() for v in (info.eps, info.max, info.min))
        self.tiny = self.smallest_normal = np.float64(info.smallest_normal).item()
        self.resolution = np.float64(info.resolution).item()
        self.dtype = real.name

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: bits, max, min.

    >>> import flambeau as torch
    >>> torch.iinfo(torch.int8).max
    127
    """

    def __init__(self, type: dtype):
        if type.category != 1:
            raise ArgumentTypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type!r}'",
                why="it tells the smallest and largest whole number",
                fix=f"use `torch.finfo({type!r})`",
            )
        info = np.iinfo(type.numpy)
        self.bits, self.max, self.min, self.dtype = info.bits, info.max, info.min, type.name

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
