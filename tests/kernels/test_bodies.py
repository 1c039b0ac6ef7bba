"""Bodies: the table of operations against NumPy, kinds and conversions, tracing."""

import math

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import bodies, build, pointwise, scalars
from flambeau.kernels.bodies import OPS, Builder, kinds, of_ufunc, trace
from flambeau.kernels.loops import DTYPES, Loop, Output, run

needs_llvm = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
RNG = np.random.default_rng(5)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -3.0, math.inf, -math.inf, math.nan, 1e-30, 1e30, 7.25]


def compute(body, value, arrays, out=None, numbers=()):
    """One value of a body on arrays, by a loop."""
    names = {dtype: kind for kind, dtype in DTYPES.items()}
    operands = tuple(names[a.dtype] for a in arrays)
    kind = out or kinds(body, operands)[value]
    (made,) = run(Loop(operands, body, (Output(value, "f8" if kind == "num" else kind),)), list(arrays), numbers)
    return made


def floats(kind):
    """Pairs of special and of ordinary numbers."""
    x, y = np.meshgrid(SPECIAL, SPECIAL)
    more = RNG.standard_normal((2, 300)) * 4
    return [np.concatenate([a.ravel(), b]).astype(kind) for a, b in zip((x, y), more, strict=True)]


def integers(kind):
    info = np.iinfo(kind)
    pool = [0, 1, 2, 3, 5, 100, info.max, info.max - 1, info.min, max(info.min, -1), max(info.min, -7)]
    x, y = np.meshgrid(pool, pool)
    return [a.ravel().astype(kind) for a in (x, y)]


BY_UFUNC = {name: op for name, op in OPS.items() if op.ufunc is not None}


@needs_llvm
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("name", sorted(BY_UFUNC))
def test_floats(name, kind):
    op = BY_UFUNC[name]
    if "f" not in op.takes and op.takes != "truth":
        pytest.skip("not for floats")
    arrays = floats(kind)[: op.ufunc.nin]
    body, (value,) = trace(op.ufunc, op.ufunc.nin)
    with np.errstate(all="ignore"):
        want = op.ufunc(*arrays)
        exact = op.ufunc(*[a.astype("f8") for a in arrays]).astype(kind) if name == "pow" else want
    made = compute(body, value, arrays)
    assert made.dtype == want.dtype
    if want.dtype == bool or name in ("copysign", "neg", "round", "floor", "ceil", "trunc", "remainder", "fmod"):
        np.testing.assert_array_equal(made, want)
        return np.testing.assert_array_equal(np.signbit(made[made == 0]), np.signbit(want[want == 0]))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.isnan(made), np.isnan(want))
    good = ~np.isnan(want)
    np.testing.assert_allclose(made[good], exact[good], rtol=4 * np.finfo(kind).eps, atol=0)


@needs_llvm
@pytest.mark.parametrize("kind", ["i8", "i4", "i2", "i1", "u1", "?"])
@pytest.mark.parametrize("name", sorted(BY_UFUNC))
def test_integers_and_bools(name, kind):
    op = BY_UFUNC[name]
    if ("b" if kind == "?" else "i") not in op.takes and op.takes != "truth":
        pytest.skip("not for these")
    if kind == "?":
        arrays = [np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)][: op.ufunc.nin]
    else:
        arrays = integers(kind)[: op.ufunc.nin]
    body, (value,) = trace(op.ufunc, op.ufunc.nin)
    try:
        with np.errstate(all="ignore"):
            want = op.ufunc(*arrays)
    except TypeError:
        pytest.skip("NumPy has no such loop")
    np.testing.assert_array_equal(compute(body, value, arrays), want)


@needs_llvm
@pytest.mark.parametrize("to", list(DTYPES))
@pytest.mark.parametrize("frm", list(DTYPES))
def test_casts(frm, to):
    if frm in ("f4", "f8", "f2", "bf") and to in bodies.INTEGERS:
        x = np.array([0.0, 1.5, -1.5, 100.25, -100.75, 3.0])
        x = np.abs(x) if to == "u1" else x
    elif frm == "b1":
        x = np.array([0, 1, 1, 0])
    elif frm in bodies.INTEGERS:
        x = np.iinfo(DTYPES[frm])
        x = np.array([0, 1, x.max, x.min, x.max // 3, x.min // 7])
    else:
        x = np.array([*SPECIAL, 1 + 2.0**-9, 1 + 3 * 2.0**-9, 65519.0, 65520.0, 1e-7, 2.0**-25, 3e-41])
    with np.errstate(all="ignore"):
        x = x.astype(DTYPES[frm])
        want = x.astype(np.float32) if to in bodies.HALVES and frm == "f8" else x  # by way of float32
        want = want.astype(DTYPES[to])
    made = compute(*_cast(to), [x], to)
    assert made.dtype == want.dtype
    if to not in bodies.INTEGERS:
        made, want = made.astype("f8"), want.astype("f8")
    np.testing.assert_array_equal(made, want)


def _cast(to):
    builder = Builder()
    (x,) = builder.inputs(1)
    return builder.body + (("cast", x, to),), 1


@needs_llvm
def test_every_bfloat16_is_kept():
    bits = np.arange(65536, dtype=np.uint16)
    x = bits.view(ml_dtypes.bfloat16)
    made = compute((("in", 0),), 0, [x], "bf")
    good = ~np.isnan(x.astype("f4"))
    np.testing.assert_array_equal(made.view(np.uint16)[good], bits[good])
    assert np.isnan(made[~good].astype("f4")).all()


@needs_llvm
@pytest.mark.parametrize("name", sorted(pointwise.BODIES))
def test_listed_bodies_can_be_traced(name):
    f, inputs = pointwise.BODIES[name]
    count = f.__code__.co_argcount if not hasattr(f, "__wrapped__") else 1
    numbers = (0.75,) * (count - inputs)
    body, (value,) = trace(f, inputs, count - inputs)
    arrays = [np.abs(RNG.standard_normal(300)) if name == "log" else RNG.standard_normal(300) for _ in range(inputs)]
    want = f(*arrays, *numbers)
    np.testing.assert_allclose(compute(body, value, arrays, "f8", numbers), want, rtol=1e-12, atol=1e-15)
    single = compute(body, value, [a.astype("f4") for a in arrays], "f4", numbers)
    np.testing.assert_allclose(single, want, rtol=2e-5, atol=2e-6)


def test_bodies_are_written_once_and_small():
    body, results = trace(lambda x, y: (x * y + x * y, x**2, np.where(x > 0, x, 0.0)), 2)
    assert len(body) == len(set(map(repr, body))) and len(results) == 3
    assert [line[0] for line in body].count("mul") == 1
    assert ("square", 0) in body and not any(line[0] == "pow" for line in body)
    zeros, _ = trace(lambda x: x + 0.0 + -0.0, 1)
    assert len([line for line in zeros if line[0] == "const"]) == 2
    assert trace(lambda x: x, 1) == ((("in", 0),), (0,))


def test_numbers_take_the_kind_of_what_they_meet():
    body, (value,) = trace(lambda x, decay, rate: x * (1.0 - decay * rate) if decay != 0 else x, 1, 2)
    found = kinds(body, ("f4",))
    assert found[value] == "f4" and found.count("num") == 5
    assert of_ufunc(np.add) == "add" and of_ufunc(np.gcd) is None


def test_what_makes_no_sense_is_refused():
    mixed = (("in", 0), ("in", 1), ("add", 0, 1))
    with pytest.raises(TypeError, match="mixes f4 and i8"):
        kinds(mixed, ("f4", "i8"))
    with pytest.raises(TypeError, match="not computed in i4"):
        kinds((("in", 0), ("exp", 0)), ("i4",))
    with pytest.raises(TypeError, match="cannot branch"):
        trace(lambda x: x if x > 0 else -x, 1)
    with pytest.raises(TypeError, match="cannot use gcd"):
        trace(lambda x: np.gcd(x, x), 1)
    assert kinds((("in", 0), ("in", 1), ("add", 0, 1)), ("f2", "bf"))[2] == "f4"


def test_scalar_functions_are_noted_by_name():
    body, _ = trace(lambda x: scalars.erf(x) + scalars.absolute(x) + scalars.sigmoid(x), 1)
    assert [line[0] for line in body] == ["in", "erf", "abs", "add", "sigmoid", "add"]


def test_a_traced_value_knows_its_dtype():
    def sign(a):
        return np.subtract(a > 0, a < 0, dtype=a.dtype)

    body, (value,) = trace(sign, 1, operands=("f4",))
    assert kinds(body, ("f4",))[value] == "f4"
    body, (value,) = trace(lambda a: np.maximum(a, a.dtype.type(0)).astype(np.float64), 1, operands=("i4",))
    assert kinds(body, ("i4",))[value] == "f8"
    assert trace(lambda a: np.zeros_like(a), 1, operands=("bf",))[0][-1] == ("const", 0, "bf")


def test_what_numpy_would_promote_is_refused():
    for f, operand in [(lambda x: x * 0.5, "i8"), (lambda x: x + 1, "b1"), (lambda x: x + np.float64(1), "f4"),
                       (lambda x: np.where(x > 0, x, 0.5), "i4"), (lambda x: x / 2, "i8")]:  # fmt: skip
        with pytest.raises(TypeError):
            trace(f, 1, operands=(operand,))
    with pytest.raises(TypeError):
        trace(lambda x, rate: x * rate, 1, 1, operands=("i8",))
    trace(lambda x: x * 2 + True, 1, operands=("i1",))
    trace(lambda x: x & True, 1, operands=("b1",))
