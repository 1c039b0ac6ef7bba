"""Fused loops: any shape and strides, reductions, several outputs; memory outside of the outputs stays untouched."""

import numpy as np
import pytest

from flambeau.kernels import build, threads
from flambeau.kernels.bodies import trace
from flambeau.kernels.loops import DTYPES, Loop, Output, Unsupported, plan, run

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
RNG = np.random.default_rng(11)


def loop(f, kinds, *outputs):
    """A loop of a traced function; outputs are (which result, kind, reduction)."""
    body, results = trace(f, len(kinds))
    return Loop(tuple(kinds), body, tuple(Output(results[i], kind, op) for i, kind, op in outputs))


def numbers(shape, kind="f4"):
    x = RNG.standard_normal(shape) * 3
    return np.asarray(x > 0 if kind == "b1" else np.abs(x) * 20 if kind == "u1" else x * 20 if kind[0] in "iu" else x,
                      DTYPES[kind])  # fmt: skip


ADD = loop(lambda x, y: x + y, ("f4", "f4"), (0, "f4", ""))
SHAPES = [(), (1,), (2,), (15,), (16,), (17,), (63,), (65,), (1000,), (70_001,), (1, 1), (3, 5), (5, 1, 7), (33, 70),
          (2, 3, 4, 5), (2, 1, 3, 1, 4, 5), (300, 3), (3, 300), (0,), (4, 0, 3), (130, 64, 65)]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape):
    x, y = numbers(shape), numbers(shape)
    (made,) = run(ADD, [x, y])
    assert made.shape == shape and made.dtype == np.float32
    np.testing.assert_array_equal(made, x + y)


def views(shape):
    """Arrays of a shape whose memory is walked in different ways."""
    n = len(shape)
    yield numbers(shape)
    yield numbers(shape[::-1]).T
    yield numbers(tuple(2 * s for s in shape))[tuple(slice(None, None, 2) for _ in shape)]
    yield numbers(tuple(3 * s for s in shape))[tuple(slice(None, None, -3) for _ in shape)]
    yield numbers(shape)[..., ::-1]
    yield np.broadcast_to(numbers(()), shape)
    for d in range(n):
        yield np.broadcast_to(numbers(tuple(1 if i == d else s for i, s in enumerate(shape))), shape)
        yield np.moveaxis(numbers((*shape[:d], *shape[d + 1 :], shape[d])), -1, d)


@pytest.mark.parametrize("shape", [(7,), (40, 33), (5, 18, 19), (2, 3, 17, 4)])
def test_strides(shape):
    for x in views(shape):
        for y in views(shape):
            np.testing.assert_array_equal(run(ADD, [x, y])[0], x + y)


def test_broadcast():
    for a, b in [
        ((4, 1), (1, 5)),
        ((3,), (7, 3)),
        ((1,), (6, 4)),
        ((), (9,)),
        ((2, 1, 40), (3, 1)),
        ((20, 1, 3), (5, 1)),
    ]:
        x, y = numbers(a), numbers(b)
        np.testing.assert_array_equal(run(ADD, [x, y])[0], x + y)
    with pytest.raises(ValueError, match="broadcast"):
        run(ADD, [numbers((3,)), numbers((4,))])


def test_in_place_and_guards():
    room = np.full((60, 100), 7, np.float32)
    for part in [np.s_[10:50, 20:83], np.s_[10:50:3, 20:83:2], np.s_[50:10:-2, 83:20:-1], np.s_[5:6, 3:4], np.s_[3:3]]:
        room[:] = 7
        y = numbers(room[part].shape)
        want = room.copy()
        want[part] += y
        made = run(ADD, [room[part], y], out=(room[part],))
        assert made[0].base is room
        np.testing.assert_array_equal(room, want)


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "i4", "i2", "i1", "u1", "b1", "f2", "bf"])
def test_kinds(kind):
    add = loop(lambda x, y: np.maximum(x, y), (kind, kind), (0, kind, ""))
    for shape in [(5,), (1000,), (40, 33)]:
        x, y = numbers(shape, kind), numbers(shape, kind)
        for a in (x, x[..., ::-1], np.broadcast_to(x[..., :1], shape)):
            np.testing.assert_array_equal(run(add, [a, y])[0], np.maximum(a, y))


def test_mixed_kinds_and_several_outputs():
    f = loop(lambda c, x, y: (np.where(c, x, y), x < y, x * y), ("b1", "f8", "f8"),
             (0, "f8", ""), (1, "b1", ""), (2, "f4", ""))  # fmt: skip
    c, x, y = numbers((30, 41), "b1"), numbers((30, 41), "f8"), numbers((41,), "f8")
    picked, less, product = run(f, [c, x, y])
    np.testing.assert_array_equal(picked, np.where(c, x, y))
    np.testing.assert_array_equal(less, x < y)
    np.testing.assert_array_equal(product, (x * y).astype("f4"))


def test_numbers_are_arguments():
    body, (value,) = trace(lambda x, a, b: x * a + b, 1, 2)
    f = Loop(("f4",), body, (Output(value, "f4"),))
    x = numbers((100,))
    for a, b in [(2.0, 3.0), (-1.0, 0.5)]:
        np.testing.assert_allclose(run(f, [x], (a, b))[0], x * np.float32(a) + np.float32(b), rtol=1e-6, atol=1e-6)
    assert len(f.ready) == 1


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}


def subsets(n):
    return [tuple(d for d in range(n) if bits >> d & 1) for bits in range(1, 2**n)]


@pytest.mark.parametrize("op", list(REDUCTIONS))
@pytest.mark.parametrize("shape", [(1,), (70,), (5, 7), (33, 130), (3, 4, 70), (2, 3, 4, 5), (900, 1100), (20_000, 20)])
def test_reductions(op, shape):
    f = loop(lambda x: x, ("f4",), (0, "f4", op))
    x = numbers(shape) if op != "prod" else (1 + 0.01 * numbers(shape)).astype("f4")
    for reduced in subsets(len(shape)):
        want = REDUCTIONS[op](x.astype("f8"), axis=reduced)
        size = np.abs(x.astype("f8")).sum(reduced).max() if op == "sum" else 1
        if op == "prod" and not np.isfinite(want.astype("f4")).all():
            continue
        made = run(f, [x], reduced=reduced)[0]
        assert made.shape == want.shape
        np.testing.assert_allclose(made, want, rtol=1e-6, atol=2e-7 * size)
        kept = run(f, [x], reduced=reduced, keepdims=True)[0]
        np.testing.assert_array_equal(kept, made.reshape(REDUCTIONS[op](x, axis=reduced, keepdims=True).shape))
        turned = run(f, [np.asfortranarray(x)], reduced=reduced)[0]
        np.testing.assert_allclose(turned, want, rtol=1e-6, atol=2e-7 * size)


def test_reductions_of_other_kinds():
    for kind in ("i8", "i4", "u1", "i1"):
        x = numbers((37, 41), kind)
        for op, g in (("max", np.max), ("min", np.min)):
            f = loop(lambda x: x, (kind,), (0, kind, op))
            for reduced in subsets(2):
                np.testing.assert_array_equal(run(f, [x], reduced=reduced)[0], g(x, axis=reduced))
    x = numbers((37, 41), "i8")
    np.testing.assert_array_equal(run(loop(lambda x: x, ("i8",), (0, "i8", "sum")), [x], reduced=(1,))[0], x.sum(1))
    b = numbers((37, 41), "b1")
    for rows in (b, np.zeros_like(b), np.ones_like(b)):
        for op, g in (("any", np.any), ("all", np.all)):
            f = loop(lambda x: x, ("b1",), (0, "b1", op))
            for reduced in subsets(2):
                np.testing.assert_array_equal(run(f, [rows], reduced=reduced)[0], g(rows, axis=reduced))
    h = numbers((400, 300), "bf")
    made = run(loop(lambda x: x, ("bf",), (0, "f4", "sum")), [h], reduced=(0,))[0]
    np.testing.assert_allclose(made, h.astype("f8").sum(0), rtol=1e-6, atol=1e-4)


def test_reductions_of_nothing():
    for shape, reduced in [
        ((0,), (0,)),
        ((0, 5), (0,)),
        ((5, 0), (1,)),
        ((0, 5), (0, 1)),
        ((3, 0, 4), (1,)),
        ((5, 0), (0,)),
    ]:
        x = np.zeros(shape, np.float32)
        for op, g in (("sum", np.sum), ("prod", np.prod)):
            np.testing.assert_array_equal(run(loop(lambda x: x, ("f4",), (0, "f4", op)), [x], reduced=reduced)[0],
                                          g(x, axis=reduced))  # fmt: skip
    with pytest.raises(ValueError, match="no elements"):
        run(loop(lambda x: x, ("f4",), (0, "f4", "max")), [np.zeros((0, 2), np.float32)], reduced=(0,))


def test_nan_in_reductions():
    x = numbers((50, 90))
    x[3, 4] = x[20, 80] = np.nan
    for op, g in (("max", np.max), ("min", np.min), ("sum", np.sum)):
        f = loop(lambda x: x, ("f4",), (0, "f4", op))
        for reduced in subsets(2):
            np.testing.assert_array_equal(np.isnan(run(f, [x], reduced=reduced)[0]), np.isnan(g(x, axis=reduced)))


@pytest.mark.parametrize("shape", [(7, 9), (64, 64), (1000, 300), (20, 5000), (70_000, 3)])
def test_maps_and_reductions_in_one_pass(shape):
    f = loop(lambda g, x: (g * x, g), ("f4", "f4"), (0, "f4", ""), (0, "f4", "sum"), (1, "f8", "sum"), (1, "f4", "max"))
    g, x = numbers(shape), numbers(shape)
    for reduced in subsets(2):
        for a in (g, np.asfortranarray(g)):
            product, total, second, most = run(f, [a, x], reduced=reduced)
            np.testing.assert_array_equal(product, a * x)
            size = np.abs(a * x).astype("f8").sum(reduced).max()
            np.testing.assert_allclose(total, (a * x).astype("f8").sum(reduced), rtol=1e-6, atol=2e-7 * size)
            np.testing.assert_allclose(second, a.astype("f8").sum(reduced), rtol=1e-6, atol=2e-7 * size)
            np.testing.assert_array_equal(most, a.max(reduced))


def test_reduced_outputs_in_given_memory():
    f = loop(lambda x: x, ("f4",), (0, "f4", "sum"))
    room = np.full((700, 3), 5, np.float32)
    x = numbers((900, 700))
    run(f, [x], reduced=(0,), out=(room[:, 1],))
    np.testing.assert_allclose(room[:, 1], x.sum(0, dtype="f8"), rtol=1e-5, atol=1e-4)
    assert (room[:, ::2] == 5).all()


def test_the_same_bits_for_any_number_of_threads():
    f = loop(lambda x: (x, x), ("f4",), (0, "f4", "sum"), (1, "f4", "mean"))
    before = threads.get_num_threads()
    try:
        for shape, reduced in [
            ((3000, 700), (0,)),
            ((3000, 700), (1,)),
            ((3000, 700), (0, 1)),
            ((50, 300, 200), (0, 2)),
        ]:
            x = numbers(shape)
            found = []
            for count in (1, 2, 4):
                threads.set_num_threads(count)
                found.append(run(f, [x], reduced=reduced))
            for other in found[1:]:
                assert all((a == b).all() for a, b in zip(found[0], other, strict=True))
    finally:
        threads.set_num_threads(before)


def test_random_loops():
    rng = np.random.default_rng(2)
    ops = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, np.maximum, np.minimum,
           lambda a, b: np.where(a < b, a, b * 2.0), lambda a, b: np.abs(a) - b]  # fmt: skip
    for _ in range(60):
        count = int(rng.integers(1, 4))
        picks = [(int(rng.integers(len(ops))), int(rng.integers(99)), int(rng.integers(99))) for _ in range(4)]

        def f(*given, picks=picks):
            values = list(given)
            for op, a, b in picks:
                values.append(ops[op](values[a % len(values)], values[b % len(values)]))
            return values[-1], values[-2]

        rank = int(rng.integers(1, 5))
        shape = tuple(int(v) for v in rng.choice([1, 2, 3, 5, 8, 17, 33], rank))
        arrays = []
        for _ in range(count):
            mine = tuple(1 if rng.random() < 0.2 else s for s in shape)
            order = rng.permutation(rank)
            x = rng.standard_normal(tuple(mine[d] * 2 for d in order)).astype("f8")
            x = x[tuple(slice(None, None, 2) if rng.random() < 0.3 else slice(None, mine[d]) for d in order)]
            arrays.append(
                x.transpose(np.argsort(order))[tuple(slice(None, None, int(rng.choice([1, -1]))) for _ in shape)]
            )
        reduced = tuple(d for d in range(rank) if rng.random() < 0.5) or (0,)
        body, results = trace(f, count)
        made = run(Loop(("f8",) * count, body, (Output(results[0], "f8"), Output(results[1], "f8", "sum"))), arrays,
                   reduced=reduced)  # fmt: skip
        full = np.broadcast_shapes(*[a.shape for a in arrays])
        want = [np.broadcast_to(v, full) for v in f(*arrays)]
        np.testing.assert_allclose(made[0], want[0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(made[1], want[1].sum(reduced), rtol=1e-9, atol=1e-7)


def test_plans_say_what_a_launch_needs():
    made = plan(ADD, (1024, 4096), ((16384, 4), (0, 4), (16384, 4)))
    (task,) = made.tasks
    assert task.pointers == (0, 1, 2) and task.numbers == 0 and task.parts > 1 and not made.scratch
    small = plan(ADD, (8, 8), ((32, 4), (32, 4), (32, 4))).tasks[0]
    assert small.part == plan(ADD, (4096,), ((4,),) * 3).tasks[0].part and small.parts == 1
    two = plan(loop(lambda x: x, ("f4",), (0, "f4", "sum")), (4096, 512), ((2048, 4), (0, 4)), (0,))
    assert len(two.tasks) == 2 and len(two.scratch) == 1 and two.tasks[1].pointers == (2, 1)


def test_what_is_refused():
    with pytest.raises(Unsupported):
        plan(ADD, (4,), ((6,), (4,), (4,)))
    with pytest.raises(ValueError, match="written twice"):
        plan(ADD, (4,), ((4,), (4,), (0,)))
    with pytest.raises(ValueError, match="operands"):
        plan(ADD, (4,), ((4,), (4,)))
    with pytest.raises(TypeError, match="plain arrays"):
        run(ADD, [numbers((4,)), numbers((4,)).view(type("Other", (np.ndarray,), {}))])
