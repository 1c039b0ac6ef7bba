"""What the scalar functions of kernel bodies are written with: selection, exact sums and products, polynomials.

Everything here works on a `Value` of a kernel being written, and on a NumPy array.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

LN2_HIGH = {"f4": 0.693359375, "f8": 6.93147180369123816490e-01}  # few bits: n * LN2_HIGH is exact
LN2_LOW = {"f4": -2.12194440e-4, "f8": 1.90821492927058770002e-10}
MAGIC = {"f4": 12582912.0, "f8": 6755399441055744.0}  # 1.5 * 2^p: adding it leaves the nearest integer in the low bits


def emitted(x: Any) -> bool:
    """Whether x belongs to a kernel being written (an `emit.Value`; llvmlite is not imported to find out)."""
    return hasattr(x, "k")


def kind_of(x: Any) -> str:
    """Whose coefficients to use: f4 or f8."""
    if emitted(x):
        return x.kind
    return "f8" if np.result_type(x) == np.float64 else "f4"


def in_float64(reference: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function whose kernel code computes in float64: `formula(kind, *values)`.

    kind is what the result is rounded to: for float32 (f4) short polynomials do, and no intermediate result can
    overflow or lose digits. On anything that is not part of a kernel, `reference` (a NumPy function) is called.
    """

    def wrap(formula: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(formula)
        def function(*given: Any) -> Any:
            values = [x for x in given if emitted(x)]
            if not values:
                return reference(*given)
            k = values[0].k
            kind = "f4" if any(x.kind == "f4" for x in values) else "f8"
            wide = [plain(x.cast("f8")) if emitted(x) else k.lift(float(x), "f8") for x in given]
            return formula(kind, *wide).cast(kind)

        # Its own parameters are what callers see.
        own = list(inspect.signature(formula).parameters.values())[1:]
        function.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        return function

    return wrap


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a body that is being traced (`bodies.Symbol`) note a call by its name, instead of what the function does.

    Functions that call a NumPy ufunc outside of kernels need no such mark: the ufunc is noted.
    """

    @functools.wraps(function)
    def either(*given: Any) -> Any:
        symbol = next((x for x in given if hasattr(x, "note")), None)
        return function(*given) if symbol is None else symbol.note(function.__name__, *given)

    return either


def plain(x: Any) -> Any:
    """A number of the kernel (`emit.Number`, which formulas may ask `if x:`) as an ordinary value."""
    from .emit import Value  # needs llvmlite, which is there when a kernel is being written

    return Value(x.k, x.v)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    return condition.k.select(condition, a, b) if emitted(condition) else np.where(condition, a, b)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding in kernels."""
    if not emitted(a):
        return a * b + c
    return a.k.call_intrinsic("llvm.fma", a, a.k.lift(b, a.type), a.k.lift(c, a.type))


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's scheme, highest power first."""
    total: Any = coefficients[0]
    if emitted(x):
        total = x.k.lift(total, x.type)
    for c in coefficients[1:]:
        total = fma(total, x, c)
    return total


def exactly(name: str, x: Any, y: Any) -> Any:
    """x + y (fadd), x - y (fsub) or x * y (fmul), which nothing may contract or reorder."""
    return type(x)(x.k, getattr(x.k.b, name)(*x.pair(y)))


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """a + b as (rounded, what rounding took away)."""
    total = exactly("fadd", a, b)
    part = exactly("fsub", total, a)
    b = a.k.lift(b, a.type)
    return total, exactly("fadd", exactly("fsub", a, exactly("fsub", total, part)), exactly("fsub", b, part))


def fast_two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """two_sum where a is 0 or at least as large as b."""
    total = exactly("fadd", a, b)
    return total, exactly("fsub", b, exactly("fsub", total, a))


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """a * b as (rounded, what rounding took away)."""
    b = a.k.lift(b, a.type)
    product = exactly("fmul", a, b)
    return product, fma(a, b, -product)


def power_of_two(n: Any) -> Any:
    """2^n for an integer value within the exponents of normal numbers; n is as wide as the result."""
    bias, place = (127, 23) if n.kind == "i4" else (1023, 52)
    return ((n + bias) << place).bits()


def _unary(intrinsic: str, reference: Callable[[Any], Any], doc: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return x.k.call_intrinsic(intrinsic, x) if emitted(x) else reference(x)

    function.__name__, function.__doc__ = reference.__name__, doc
    return function


absolute = _unary("llvm.fabs", np.abs, "|x|, which clears the sign of zeros and nan too.")
sqrt = _unary("llvm.sqrt", np.sqrt, "Square root, correctly rounded.")
floor = _unary("llvm.floor", np.floor, "The largest integer that is not above x.")
ceil = _unary("llvm.ceil", np.ceil, "The smallest integer that is not below x.")
trunc = _unary("llvm.trunc", np.trunc, "x without its fraction.")
rint = _unary("llvm.nearbyint", np.rint, "The nearest integer; halves go to the even one.")


def copysign(x: Any, sign: Any) -> Any:
    """x with the sign of another number."""
    return x.k.call_intrinsic("llvm.copysign", x, sign) if emitted(x) else np.copysign(x, sign)


def greater(x: Any, y: Any) -> Any:
    """The larger of two numbers; x where y is nan, nan where x is."""
    return where(x < y, y, x)


def rsqrt(x: Any) -> Any:
    """1 / sqrt(x)."""
    return 1.0 / sqrt(x)
