"""Bodies: what a fused loop computes for one element, as a hashable tuple of instructions.

Instruction i gives value number i:

    ("in", j)               element of operand j            ("const", value, kind)  a number of the body itself
    ("num", j)              number j given at run time       (op, a, b, ...)         a row of OPS on earlier values
    ("cast", a, kind)

Kinds are NumPy's (f4 f8 i8 i4 i2 i1 u1 b1), f2 and bf (float16, bfloat16), and "num": run-time numbers and constants of
kind "num" are computed in float64 among themselves and take the other operands' kind elsewhere. f2 and bf count as f4
wherever they are used; only a cast or a store narrows. All other promotion is done by casts in the body: an operation
on different kinds is refused.

`Builder` writes bodies (equal instructions once), `trace` makes one of a Python function, `kinds` tells the kind of
every value, `emit` writes LLVM instructions, for scalars or for vectors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from . import scalars

Instruction = tuple[Any, ...]
Body = tuple[Instruction, ...]

DTYPES = {kind: np.dtype(kind) for kind in ("f4", "f8", "i8", "i4", "i2", "i1", "u1", "b1", "f2")}
DTYPES["bf"] = np.dtype(ml_dtypes.bfloat16)
KINDS = {dtype: kind for kind, dtype in DTYPES.items()}
FLOATS, HALVES, INTEGERS = ("f4", "f8"), ("f2", "bf"), ("i8", "i4", "i2", "i1", "u1")
_LEAVES = ("in", "num", "const")


class Op:
    """A row of the table: how an operation is emitted, and which kinds it takes and gives."""

    def __init__(self, name: str, write: Callable[..., Any], ufunc: Any, takes: str, gives: str | None):
        self.name, self.write, self.ufunc, self.takes, self.gives = name, write, ufunc, takes, gives


OPS: dict[str, Op] = {}
_BY_UFUNC: dict[Any, str] = {}


def _row(name: str, write: Callable[..., Any], ufunc: Any = None, takes: str = "fib", gives: str | None = None) -> None:
    """Register an operation.

    Arguments:
        write: called with a kind, then values of that kind, all scalars or all vectors.
        takes: letters of what it can compute: f(loats), i(ntegers), b(ools); or "truth", where everything is
            made a bool first.
        gives: the result's kind if it is not the operands'.
    """
    OPS[name] = Op(name, write, ufunc, takes, gives)
    if ufunc is not None:
        _BY_UFUNC[ufunc] = name


def of_ufunc(ufunc: Any) -> str | None:
    """The operation that computes what a NumPy ufunc does, or None."""
    return _BY_UFUNC.get(ufunc)


# ------------------------------------------------------------------------------------------------- the table


def _compare(symbol: str) -> Callable[..., Any]:
    def write(kind: str, x: Any, y: Any) -> Any:
        if kind in ("u1", "b1"):
            return type(x)(x.k, x.k.b.icmp_unsigned(symbol, x.v, y.v))
        return x._compare(symbol, y)

    return write


def _maximum(kind: str, x: Any, y: Any) -> Any:
    above = _compare(">=")(kind, x, y)
    return scalars.where(above | (x != x) if kind in FLOATS else above, x, y)


def _minimum(kind: str, x: Any, y: Any) -> Any:
    below = _compare("<=")(kind, x, y)
    return scalars.where(below | (x != x) if kind in FLOATS else below, x, y)


def _fmax(kind: str, x: Any, y: Any) -> Any:
    return scalars.where((x >= y) | (y != y), x, y) if kind in FLOATS else _maximum(kind, x, y)


def _fmin(kind: str, x: Any, y: Any) -> Any:
    return scalars.where((x <= y) | (y != y), x, y) if kind in FLOATS else _minimum(kind, x, y)


def _absolute(kind: str, x: Any) -> Any:
    if kind in FLOATS:
        return scalars.absolute(x)
    return x if kind in ("u1", "b1") else scalars.where(x < 0, -x, x)


def _sign(kind: str, x: Any) -> Any:
    if kind in ("u1", "b1"):
        return scalars.where(x != 0, x.k.lift(1, x.type), x)
    one = x.k.lift(1, x.type)
    return scalars.where(x > 0, one, scalars.where(x < 0, -one, x))


def _positive(kind: str, x: Any) -> Any:
    return x


def _finite(kind: str, x: Any) -> Any:
    return scalars.absolute(x) < float("inf") if kind in FLOATS else x == x


def _log_add_exp(kind: str, x: Any, y: Any) -> Any:
    larger = scalars.where(x > y, x, y)
    sum_ = larger + scalars.log1p(scalars.exp(-scalars.absolute(x - y)))
    same = x + 0.6931471805599453  # infinities too, whose difference is nan
    return scalars.where(x == y, same, scalars.where(x != x, x, sum_))


def _flip(kind: str, x: Any) -> Any:
    return x ^ (1 if kind == "b1" else -1)


def _binary(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda kind, *values: f(*values)


def _or_for_bools(f: Callable[..., Any], bools: Callable[..., Any]) -> Callable[..., Any]:
    return lambda kind, *values: (bools if kind == "b1" else f)(*values)


_row("add", _or_for_bools(operator.add, operator.or_), np.add)
_row("sub", _binary(operator.sub), np.subtract, "fi")
_row("mul", _or_for_bools(operator.mul, operator.and_), np.multiply)
_row("div", _binary(operator.truediv), np.divide, "f")
_row("neg", _binary(operator.neg), np.negative, "fi")
_row("fma", _binary(scalars.fma), None, "f")
_row("positive", _positive, np.positive, "fi")
_BY_UFUNC[np.conjugate] = "positive"  # of real numbers
_row("abs", _absolute, np.absolute)
_row("fabs", _absolute, np.fabs, "f")
_row("sign", _sign, np.sign)
_row("square", lambda kind, x: x * x, np.square, "fi")
_row("reciprocal", lambda kind, x: 1.0 / x, np.reciprocal, "f")
_row("sqrt", _binary(scalars.sqrt), np.sqrt, "f")
_row("rsqrt", _binary(scalars.rsqrt), None, "f")
_row("sigmoid", _binary(scalars.sigmoid), None, "f")
_row("erf", _binary(scalars.erf), None, "f")
_row("normal_cdf", _binary(scalars.normal_cdf), None, "f")
_row("pow", _binary(scalars.power), np.power, "f")
_row("floor", _binary(scalars.floor), np.floor, "f")
_row("ceil", _binary(scalars.ceil), np.ceil, "f")
_row("trunc", _binary(scalars.trunc), np.trunc, "f")
_row("round", _binary(scalars.rint), np.rint, "f")
_row("copysign", _binary(scalars.copysign), np.copysign, "f")
_row("remainder", _binary(scalars.remainder), np.remainder, "f")
_row("fmod", _binary(scalars.fmod), np.fmod, "f")
for _name, _ufunc in (
    ("exp", np.exp), ("exp2", np.exp2), ("expm1", np.expm1), ("log", np.log), ("log2", np.log2), ("log10", np.log10),
    ("log1p", np.log1p), ("sin", np.sin), ("cos", np.cos), ("tan", np.tan), ("asin", np.arcsin), ("acos", np.arccos),
    ("atan", np.arctan), ("atan2", np.arctan2), ("sinh", np.sinh), ("cosh", np.cosh), ("tanh", np.tanh),
):  # fmt: skip
    _row(_name, _binary(getattr(scalars, _name)), _ufunc, "f")
_row("logaddexp", _log_add_exp, np.logaddexp, "f")
_row("maximum", _maximum, np.maximum)
_row("minimum", _minimum, np.minimum)
_row("fmax", _fmax, np.fmax)
_row("fmin", _fmin, np.fmin)
_row("clip", lambda kind, x, low, high: _minimum(kind, _maximum(kind, x, low), high), None)
_row("eq", _compare("=="), np.equal, gives="b1")
_row("ne", _compare("!="), np.not_equal, gives="b1")
_row("lt", _compare("<"), np.less, gives="b1")
_row("le", _compare("<="), np.less_equal, gives="b1")
_row("gt", _compare(">"), np.greater, gives="b1")
_row("ge", _compare(">="), np.greater_equal, gives="b1")
_row("isnan", lambda kind, x: x != x, np.isnan, gives="b1")
_row("isinf", lambda kind, x: (scalars.absolute(x) == float("inf")) if kind in FLOATS else x != x, np.isinf, gives="b1")
_row("isfinite", _finite, np.isfinite, gives="b1")
_row("signbit", lambda kind, x: x.bits() < 0, np.signbit, "f", "b1")
_row("and", _binary(operator.and_), np.bitwise_and, "ib")
_row("or", _binary(operator.or_), np.bitwise_or, "ib")
_row("xor", _binary(operator.xor), np.bitwise_xor, "ib")
_row("not", _flip, np.invert, "ib")
_row("logical_and", _binary(operator.and_), np.logical_and, "truth", "b1")
_row("logical_or", _binary(operator.or_), np.logical_or, "truth", "b1")
_row("logical_xor", _binary(operator.xor), np.logical_xor, "truth", "b1")
_row("logical_not", _flip, np.logical_not, "truth", "b1")
_row("where", lambda kind, c, x, y: scalars.where(c, x, y), None)


# ------------------------------------------------------------------------------------------------- kinds


def _letter(kind: str) -> str:
    return "f" if kind in FLOATS or kind == "num" else "b" if kind == "b1" else "i"


def _computed(kind: str) -> str:
    """The kind in which a value of this kind is used."""
    return "f4" if kind in HALVES else kind


def _operands(op: Op, given: Sequence[str]) -> str:
    """The one kind in which an operation on values of these kinds is computed; where's condition is not among them."""
    if op.takes == "truth":
        return "b1"
    strong = {_computed(kind) for kind in (given[1:] if op.name == "where" else given)} - {"num"}
    if len(strong) > 1:
        raise TypeError(f"a body mixes {' and '.join(sorted(strong))} in {op.name}; cast one of them")
    kind = strong.pop() if strong else "num"
    if _letter(kind) not in op.takes:
        raise TypeError(f"{op.name} is not computed in {kind}")
    return kind


def _rank(line: Instruction) -> int:
    """What a weak value needs: 0 a bool will do, 1 an integer, 2 a float."""
    if line[0] == "const":
        return 0 if isinstance(line[1], bool | np.bool_) else 1 if isinstance(line[1], int) else 2
    return 2


_ROOM = {"b": 0, "i": 1, "f": 2}


def kinds(body: Body, operands: Sequence[str]) -> tuple[str, ...]:
    """The kind of every value of a body whose operands have these kinds; TypeError where the body makes no sense."""
    return _kinds(body, tuple(operands))


@cache
def _kinds(body: Body, operands: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for name, *rest in body:
        if name == "in":
            found.append(operands[rest[0]])
        elif name == "num":
            found.append("num")
        elif name in ("const", "cast"):
            found.append(rest[1])
        else:
            op = OPS[name]
            kind = _operands(op, [found[i] for i in rest])
            for i in rest[1:] if name == "where" else rest if op.takes != "truth" else []:
                if found[i] == "num" and _rank(body[i]) > _ROOM[_letter(kind)]:
                    raise TypeError(f"{name}: a number does not fit {kind}; cast the {kind} first")
            found.append(op.gives or kind)
    return tuple(found)


# ------------------------------------------------------------------------------------------------- emission


def convert(x: Any, frm: str, to: str) -> Any:
    """A value of one kind as another; f2 and bf are as they lie in memory, bools are single bits."""
    frm, to = ("f8" if frm == "num" else frm), ("f8" if to == "num" else to)
    if frm == to:
        return x
    Value, k = type(x), x.k
    if frm == "bf":
        return convert(Value(k, (Value(k, k.b.zext(x.v, _like(x, "i4"))) << 16).bits().v), "f4", to)
    if frm == "f2":
        return convert(Value(k, k.b.fpext(x.v, _like(x, "f4"))), "f4", to)
    if to in HALVES and frm != "f4":
        return convert(convert(x, frm, "f4"), "f4", to)
    if to == "f2":
        return Value(k, k.b.fptrunc(x.v, _like(x, "f2")))
    if to == "bf":
        bits = x.bits()
        last = Value(k, k.b.lshr(bits.v, k.lift(16, bits.type).v))
        even = Value(k, k.b.lshr((bits + ((last & 1) + 0x7FFF)).v, k.lift(16, bits.type).v))
        return Value(k, k.b.trunc(scalars.where(x != x, last | 0x40, even).v, _like(x, "bf")))
    if to == "b1":
        return x != 0
    if frm == "b1":
        return Value(k, k.b.uitofp(x.v, _like(x, to)) if to in FLOATS else k.b.zext(x.v, _like(x, to)))
    if frm in FLOATS and to in ("i2", "i1", "u1"):
        x, frm = x.cast("i4"), "i4"
    if frm in INTEGERS and to in FLOATS:
        return Value(k, (k.b.uitofp if frm == "u1" else k.b.sitofp)(x.v, _like(x, to)))
    if frm == "i1" and to in ("i2", "i4", "i8"):
        return Value(k, k.b.sext(x.v, _like(x, to)))
    return x.cast(to)


def _like(x: Any, kind: str) -> Any:
    """A type with as many lanes as x."""
    from .emit import TYPES, lanes_of, vector  # llvmlite is loaded only where kernels are made

    return vector(TYPES[kind], lanes_of(x.type))


def _constant(k: Any, value: Any, kind: str) -> Any:
    from .emit import I1

    if kind == "b1":
        return k.lift(int(bool(value)), I1)
    return k.lift(value, "f8" if kind == "num" else kind)


def emit(k: Any, body: Body, operands: Sequence[str], load: Callable[[int], Any], numbers: Sequence[Any]) -> list[Any]:
    """Write a body's instructions; returns the value of each.

    Arguments:
        operands: their kinds.
        load: gives the element (or vector of elements) of an operand as it lies in memory, bools as single bits.
        numbers: float64 values.
    """
    from .emit import Value, lanes_of

    kind = kinds(body, operands)
    made: list[Any] = []
    for at, (name, *rest) in enumerate(body):
        if name == "in":
            made.append(load(rest[0]))
        elif name == "num":
            made.append(Value(k, numbers[rest[0]].v))
        elif name == "const":
            made.append(_constant(k, rest[0], rest[1]))
        elif name == "cast":
            made.append(convert(made[rest[0]], kind[rest[0]], kind[at]))
        else:
            op = OPS[name]
            to = _operands(op, [kind[i] for i in rest])
            wanted = ["b1", to, to] if name == "where" else [to] * len(rest)
            given = [_converted(k, body[i], made[i], kind[i], w) for i, w in zip(rest, wanted, strict=True)]
            wide = [lanes_of(v.type) for v in given if lanes_of(v.type)]
            if wide:
                given = [v if lanes_of(v.type) else k.splat(v, wide[0]) for v in given]
            made.append(op.write("f8" if to == "num" else to, *given))
    return made


def _converted(k: Any, instruction: Instruction, value: Any, kind: str, to: str) -> Any:
    if instruction[0] == "const" and kind == "num":
        return _constant(k, instruction[1], to)
    return convert(value, kind, to)


# ------------------------------------------------------------------------------------------------- writing bodies


_POWERS = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", 1.0: "positive"}  # exponents that need no logarithm


class Builder:
    """Writes a body; equal instructions are written once."""

    def __init__(self, kinds: tuple[str, ...] | None = None) -> None:
        self.kinds = kinds
        self.lines: list[Instruction] = []
        self._known: dict[Any, int] = {}

    def line(self, *instruction: Any) -> int:
        """The number of the value that an instruction gives."""
        if instruction[0] == "pow" and self.lines[instruction[2]][0] == "const":
            known = _POWERS.get(float(self.lines[instruction[2]][1]))
            if known:
                return self.line(known, instruction[1])
        key = instruction
        if instruction[0] == "const":  # 0.0 equals -0.0 and False, nan not itself
            key = ("const", type(instruction[1]), repr(instruction[1]), instruction[2])
        if key not in self._known:
            self._known[key] = len(self.lines)
            self.lines.append(instruction)
        return self._known[key]

    def inputs(self, count: int) -> list[int]:
        """The first elements of a body."""
        return [self.line("in", j) for j in range(count)]

    @property
    def body(self) -> Body:
        """What has been written."""
        return tuple(self.lines)


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A value of a body that is being traced: Python's operators and NumPy's functions on it write instructions.

    Where the operands' kinds are given it has a dtype, and formulas may ask for it and convert.
    """

    __hash__ = object.__hash__

    def __init__(self, builder: Builder, index: int, number: bool = False):
        self.builder, self.index, self.number = builder, index, number

    @property
    def dtype(self) -> np.dtype:
        """What NumPy's array would have."""
        if self.builder.kinds is None:
            raise TypeError("the kinds of this body's operands are not given")
        return DTYPES[kinds(self.builder.body, self.builder.kinds)[self.index]]

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        """Converted to another dtype."""
        kind = KINDS.get(np.dtype(dtype))
        if kind is None:
            raise TypeError(f"bodies do not compute in {dtype}")
        return self if self.dtype == dtype else self._made("cast", self.index, kind)

    def copy(self) -> Symbol:
        """The same value."""
        return self

    def note(self, name: str, *given: Any) -> Symbol:
        """The result of an operation of the table."""
        number = all(not isinstance(x, Symbol) or x.number for x in given)
        return self._made(name, *[self.index_of(x) for x in given], number=number)

    def index_of(self, x: Any) -> int:
        """The number of a value; numbers become constants, NumPy's scalars with the kind they have."""
        if isinstance(x, Symbol):
            return x.index
        if isinstance(x, np.generic):
            return self.builder.line("const", x.item(), KINDS[x.dtype])
        return self.builder.line("const", x if isinstance(x, bool | int) else float(x), "num")

    def _made(self, *line: Any, number: bool = False) -> Symbol:
        return Symbol(self.builder, self.builder.line(*line), number)

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, dtype: Any = None, **options: Any) -> Any:
        name = of_ufunc(ufunc)
        if name is None or method != "__call__" or options:
            raise TypeError(f"a traced body cannot use {ufunc.__name__}")
        # Run-time numbers are known not to be 0: formulas may ask `if decay != 0`.
        if self.number and name in ("eq", "ne") and any(isinstance(x, int | float) and x == 0 for x in given):
            return name == "ne"
        if dtype is not None:
            given = tuple([x.astype(dtype) if isinstance(x, Symbol) else x for x in given])
        return self.note(name, *given)

    def __array_function__(self, function: Any, kinds: Any, given: Any, options: Any) -> Any:
        if function is np.where and len(given) == 3:
            return self.note("where", *given)
        if function is np.clip and len(given) == 3:
            return self.note("clip", *given)
        if function in (np.zeros_like, np.ones_like) and not options:
            return self._made("const", int(function is np.ones_like), KINDS[self.dtype])
        raise TypeError(f"a traced body cannot use {function.__name__}")

    def __bool__(self) -> bool:
        if self.number:
            return True
        raise TypeError("a traced body cannot branch on a value; use where(condition, a, b)")


def trace(
    function: Callable[..., Any], inputs: int, numbers: int = 0, operands: tuple[str, ...] | None = None
) -> tuple[Body, tuple[int, ...]]:
    """The body of a function of elements and run-time numbers, and which of its values the function returns.

    The function may use Python's operators, NumPy's functions that are in the table, and those of `scalars`; with the
    kinds of the operands also `x.dtype` and `x.astype(...)`, and the body is refused where NumPy would promote.
    """
    builder = Builder(operands)
    elements = [Symbol(builder, i) for i in builder.inputs(inputs)]
    given = [Symbol(builder, builder.line("num", j), True) for j in range(numbers)]
    made = function(*elements, *given)
    results = made if isinstance(made, tuple | list) else (made,)
    found = tuple([(elements or given)[0].index_of(r) for r in results])
    if operands is not None:
        kinds(builder.body, operands)
    return builder.body, found
