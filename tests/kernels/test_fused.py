"""Every kernel against its NumPy formula: odd sizes, options left out, special values, layouts."""

import math

import numpy as np
import pytest

from flambeau.kernels import build, fused, pools, updates
from flambeau.kernels import pointwise as bodies

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@pytest.fixture(params=[np.float32, np.float64], ids=["f4", "f8"])
def dtype(request, monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    return np.dtype(request.param)


@pytest.fixture
def normal(dtype):
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(dtype)


def close(found, expected):
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert a is not None
        scale = 1e-5 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=scale, atol=scale * (1 + np.abs(b[np.isfinite(b)]).max(initial=0)))


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


SIZES = [1, 5, 16, 17, 77, 4099]


# ---------------------------------------------------------------------- element by element


@pytest.mark.parametrize("name", sorted(bodies.BODIES))
def test_pointwise_is_its_own_numpy_formula(name, normal):
    body, count = bodies.BODIES[name]
    numbers = (0.3,) * (body.__code__.co_argcount - count)
    for n in SIZES:
        arrays = [normal(n) for _ in range(count)]
        if name == "log":
            arrays = [np.abs(a) for a in arrays]
        close(fused.pointwise(name, *arrays, numbers=numbers), body(*wide(*arrays), *numbers))


@pytest.mark.parametrize(
    "name,forward", [("gelu", "gelu"), ("gelu_tanh", "gelu_tanh"), ("silu", "silu"), ("square_error", "square_error"),
                     ("bce_with_logits", "bce_with_logits"), ("leaky_relu", "leaky_relu")]
)  # fmt: skip
def test_backward_is_the_slope_of_forward(name, forward):
    forward, count = bodies.BODIES[forward]
    backward = bodies.BODIES[name + "_backward"][0]
    x, *others = np.random.default_rng(0).standard_normal((count, 50))
    numbers = (0.3,) * (forward.__code__.co_argcount - count)
    step = 1e-6
    slope = (forward(x + step, *others, *numbers) - forward(x - step, *others, *numbers)) / (2 * step)
    np.testing.assert_allclose(backward(np.ones(50), x, *others, *numbers), slope, rtol=1e-6, atol=1e-8)


def test_pointwise_specials(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30] * 4, dtype)
    with np.errstate(all="ignore"):
        for name in ("relu", "silu", "softplus", "gelu"):
            np.testing.assert_array_equal(np.isnan(fused.pointwise(name, x)), np.isnan(bodies.BODIES[name][0](x)))
    assert np.isnan(fused.pointwise("relu", x)[0]) and np.isnan(fused.pointwise("relu_backward", x, np.ones_like(x))[0])


# ---------------------------------------------------------------------- rows


def soft(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 16), (2, 9, 33), (5, 1000)])
def test_softmax(normal, shape):
    x, g = normal(*shape), normal(*shape)
    X, G = wide(x, g)
    p = soft(X)
    close(fused.softmax(x, -1), p)
    close(fused.softmax_backward(g, p.astype(x.dtype), len(shape) - 1), p * (G - (G * p).sum(-1, keepdims=True)))
    close(fused.log_softmax(x, -1), np.log(p))
    close(fused.log_softmax_backward(g, np.log(p).astype(x.dtype), -1), G - p * G.sum(-1, keepdims=True))
    top = X.max(-1, keepdims=True)
    close(fused.logsumexp(x, -1), np.log(np.exp(X - top).sum(-1)) + top[..., 0])
    if len(shape) > 2:
        assert fused.softmax(x, 0) is None


@pytest.mark.parametrize("cols", [1, 33, 48, 4096])
def test_rows_written_past_the_caches(normal, monkeypatch, cols):
    """The same numbers as otherwise, to rounding, where rows are whole vectors and where they are not."""
    x, g, w = normal(9, cols), normal(9, cols), normal(cols)

    def run():
        y, logs = fused.softmax(x, -1), fused.log_softmax(x, -1)
        normed, mean, rstd = fused.layer_norm(x, w, w, cols, 1e-5)
        plain, scale = fused.rms_norm(x, None, cols, 1e-5)
        return (
            y, fused.softmax_backward(g, y, -1), logs, fused.log_softmax_backward(g, logs, -1), normed, plain,
            *fused.layer_norm_backward(g, x, w, mean, rstd, cols),
            *fused.layer_norm_backward(g, x, None, None, scale, cols, (True, False))[:2],
        )  # fmt: skip

    usual = run()
    monkeypatch.setattr(fused, "PAST_FROM", 0)
    for got, want in zip(run(), usual, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_softmax_specials(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([[1, 2, nan], [-inf, 0, -inf], [-inf, -inf, -inf], [inf, 0, 1], [1000, 1000, 0]], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(fused.softmax(x, -1), soft(x), rtol=1e-6)
    np.testing.assert_allclose(fused.logsumexp(x, -1), [nan, 0, -inf, inf, 1000 + math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignore", [-100, 5])
@pytest.mark.parametrize("rows", [1, 40])
def test_cross_entropy(normal, reduction, ignore, rows):
    x, g = normal(rows, 13), normal(*([rows] if reduction == "none" else []))
    target = np.random.default_rng(0).integers(0, 13, rows)
    target[3:10:6] = ignore
    X, G = wide(x, np.asarray(g))
    used = target != ignore
    chosen = np.where(target < 0, 0, target)
    each = np.where(used, -np.log(soft(X))[np.arange(rows), chosen], 0)
    total = {"none": each, "sum": each.sum(), "mean": each.sum() / used.sum()}[reduction]
    loss, lse, counted = fused.cross_entropy(x, target, ignore, reduction)
    close((loss, counted), (total, np.asarray(used.sum())))
    made = fused.cross_entropy_backward(np.asarray(g), x, target, lse, counted, ignore, reduction)
    G = (G / used.sum() if reduction == "mean" else G) * used
    close(made, G[:, None] * (soft(X) - np.eye(13)[chosen]))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignore", [-100, 5])
@pytest.mark.parametrize(("weighted", "smoothing"), [(True, 0.0), (False, 0.2), (True, 0.2)])
def test_cross_entropy_with_weights_and_smoothing(normal, reduction, ignore, weighted, smoothing):
    x, g = normal(40, 13), normal(*([40] if reduction == "none" else []))
    w = np.abs(normal(13)) if weighted else None
    target = np.random.default_rng(0).integers(0, 13, 40)
    target[3:10:6] = ignore
    X, G = wide(x, np.asarray(g))
    used, chosen = target != ignore, np.where(target < 0, 0, target)
    W = np.ones(13) if w is None else w.astype(np.float64)
    if weighted:
        w[4] = W[4] = 0.0
    shares = ((1 - smoothing) * np.eye(13)[chosen] + smoothing / 13) * W * used[:, None]
    each, count = (-shares * np.log(soft(X))).sum(1), (W[chosen] * used).sum()
    total = {"none": each, "sum": each.sum(), "mean": each.sum() / count}[reduction]
    loss, lse, counted = fused.cross_entropy(x, target, ignore, reduction, w, smoothing)
    close((loss, counted), (total, np.asarray(count)))
    made = fused.cross_entropy_backward(np.asarray(g), x, target, lse, counted, ignore, reduction, w, smoothing)
    G = np.broadcast_to(G / count if reduction == "mean" else G, 40)
    close(made, G[:, None] * (shares.sum(1, keepdims=True) * soft(X) - shares))


def test_cross_entropy_of_nothing(normal):
    x, target = normal(3, 4), np.full(3, -100)
    loss, lse, counted = fused.cross_entropy(x, target, -100, "mean")
    assert np.isnan(loss) and counted == 0
    assert not fused.cross_entropy_backward(np.ones_like(loss), x, target, lse, counted, -100, "mean").any()


@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("shape", [(1, 7), (70, 33), (4, 50, 128)])
def test_layer_and_rms_norm(normal, shape, affine):
    x, g, cols = normal(*shape), normal(*shape), shape[-1]
    w, b = (normal(cols) if used else None for used in affine)
    X, G = (a.reshape(-1, cols) for a in wide(x, g))
    scaled = G if w is None else G * w
    rstd = 1 / np.sqrt(X.var(1, keepdims=True) + 1e-5)
    h = (X - X.mean(1, keepdims=True)) * rstd
    y, mean, found = fused.layer_norm(x, w, b, shape[-1], 1e-5)
    expected = h if w is None else h * w
    close((y.reshape(X.shape), mean, found), (expected if b is None else expected + b, X.mean(1), rstd[:, 0]))
    dx = rstd * (scaled - scaled.mean(1, keepdims=True) - h * (scaled * h).mean(1, keepdims=True))
    close(fused.layer_norm_backward(g, x, w, mean, found, shape[-1]), (dx.reshape(shape), (G * h).sum(0), G.sum(0)))
    rstd = 1 / np.sqrt((X * X).mean(1, keepdims=True) + 1e-5)
    y, found = fused.rms_norm(x, w, shape[-1], 1e-5)
    close((y.reshape(X.shape), found), (X * rstd if w is None else X * rstd * w, rstd[:, 0]))
    dx = rstd * (scaled - X * rstd * rstd * (scaled * X).mean(1, keepdims=True))
    made = fused.layer_norm_backward(g, x, w, None, found, cols, (True, False))
    close(made[:2], (dx.reshape(shape), (G * X * rstd).sum(0)))
    assert fused.layer_norm_backward(g, x, w, mean, found, cols, (False, False))[1:] == (None, None)


@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize(
    ("shape", "groups"), [((1, 1, 1), 1), ((2, 6, 5, 7), 3), ((3, 4, 33), 4), ((70, 12), 2), ((2, 6, 40, 40), 1)]
)
def test_group_norm(normal, shape, groups, affine):
    x, g = normal(*shape), normal(*shape)
    n, c = shape[:2]
    w, b = (normal(c) if used else None for used in affine)
    X, G = (a.reshape(n, groups, c // groups, -1) for a in wide(x, g))
    W, B = (a if v is None else v.astype(np.float64).reshape(groups, -1, 1) for a, v in ((1.0, w), (0.0, b)))
    mean = X.mean((2, 3), keepdims=True)
    rstd = 1 / np.sqrt(X.var((2, 3), keepdims=True) + 1e-5)
    h = (X - mean) * rstd
    y, found_mean, found = fused.group_norm(x, w, b, groups, 1e-5)
    close((y.reshape(X.shape), found_mean, found), (h * W + B, mean.ravel(), rstd.ravel()))
    d = G * W
    dx = rstd * (d - d.mean((2, 3), keepdims=True) - h * (d * h).mean((2, 3), keepdims=True))
    sums = ((G * h).sum((0, 3)).ravel(), G.sum((0, 3)).ravel())
    close(fused.group_norm_backward(g, x, w, found_mean, found, groups), (dx.reshape(shape), *sums))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(8, 5, 9, 13), (301, 70), (3, 130), (2, 3, 4, 2, 2), (6, 4, 1)])
def test_batch_norm(normal, shape, affine):
    x, g, c = normal(*shape), normal(*shape), shape[1]
    w, b = (normal(c), normal(c)) if affine else (None, None)
    axes, view = (0, *range(2, len(shape))), (1, c, *[1] * (len(shape) - 2))
    X, G = wide(x, g)
    mean, var = X.mean(axes), X.var(axes)
    rstd = 1 / np.sqrt(var + 1e-5)
    h = (X - mean.reshape(view)) * rstd.reshape(view)
    scale, shift = (w.reshape(view), b.reshape(view)) if affine else (1.0, 0.0)
    found = fused.batch_norm(x, w, b, 1e-5)
    close(found, (h * scale + shift, mean, var, rstd))
    d = G * scale
    dx = rstd.reshape(view) * (d - d.mean(axes).reshape(view) - h * (d * h).mean(axes).reshape(view))
    close(fused.batch_norm_backward(g, x, w, found[1], found[3]), (dx, (G * h).sum(axes), G.sum(axes)))


def test_totals(normal):
    x = normal(7, 33, 41)
    for axis in (0, 1, 2, -1, -2):
        close(fused.total(x, axis), wide(x)[0].sum(axis))
    for n in (1, 16383, 16385, 100_003):
        x = normal(n)
        close(fused.total(x, None), np.asarray(wide(x)[0].sum()))
    ones = np.ones(1 << 22, x.dtype)
    assert fused.total(ones, None) == ones.size and fused.total(ones, 0) == ones.size
    turned = normal(6, 60).T
    close(fused.total(turned, 0), wide(turned)[0].sum(0))


@pytest.mark.parametrize("axes", [None, (0,), (3,), (0, 2, 3), (2, 3), (1, 2, 3), (0, 1, 2, 3), (-1, 0), (1, 2), ()])
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
def test_reductions_over_axes(normal, ufunc, axes):
    x = normal(3, 4, 5, 6)
    for keep in (False, True):
        made = fused.reduce(ufunc, x, axes, keep)
        if axes == ():
            assert made is None
        else:
            expected = ufunc.reduce(wide(x)[0], axis=axes, keepdims=keep)
            assert made.shape == expected.shape
            close(made, expected)


def test_reductions_of_other_dtypes(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    x = np.arange(60).reshape(6, 10)
    for dtype in (np.int64, np.int32, np.uint8):
        np.testing.assert_array_equal(fused.reduce(np.maximum, x.astype(dtype), (0,)), x.astype(dtype).max(0))
    np.testing.assert_array_equal(fused.reduce(np.add, x, (1,)), x.sum(1))
    assert fused.reduce(np.add, x.astype(np.int32), (1,)) is None
    half = x.astype(np.float16)
    made = fused.reduce(np.add, half, None)
    assert made.dtype == np.float16 and made == x.sum()


# ---------------------------------------------------------------------- moving elements


def test_bad_indices_touch_nothing(normal):
    x = normal(4, 2000)
    loss, _, counted = fused.cross_entropy(x, np.array([0, -1, 2000, 2**62]))
    assert counted == 1
    assert (loss[1:] == 0).all()
    back = fused.max_pool_backward(normal(1, 1, 2, 2), np.full((1, 1, 2, 2), 255, np.uint8), (1, 1, 4, 4), *WINDOWS[5])
    assert (back == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (67, 45), (3, 16, 32), (2, 2, 100, 3)])
def test_transposed_copies(normal, shape):
    x = normal(*shape).swapaxes(-1, -2)
    made = fused.contiguous(x)
    assert (made is None and x.flags.c_contiguous) or (np.array_equal(made, x) and made.flags.c_contiguous)


WINDOWS = [
    ((3, 3), (1, 1), (1, 1), (1, 1)), ((2, 3), (2, 1), (0, 1), (1, 2)), ((5, 5), (3, 2), (2, 2), (1, 1)),
    ((1, 1), (2, 2), (0, 0), (1, 1)), ((3, 3), (1, 1), (4, 4), (2, 2)), ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 2), (1, 3), (1, 0), (3, 1)), ((11, 13), (1, 1), (0, 0), (1, 1)), ((3, 3), (5, 5), (6, 6), (1, 1)),
]  # fmt: skip


def out_size(size, kernel, stride, padding, dilation):
    each = zip(size, kernel, stride, padding, dilation)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in each)


def windows(x, kernel, stride, padding, dilation, fill=0.0):
    """(N, C, kh, kw, oh, ow) by indexing a padded copy."""
    size = out_size(x.shape[2:], kernel, stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=fill)
    rows = np.arange(kernel[0])[:, None] * dilation[0] + np.arange(size[0]) * stride[0]
    cols = np.arange(kernel[1])[:, None] * dilation[1] + np.arange(size[1]) * stride[1]
    return padded[:, :, rows[:, None, :, None], cols[None, :, None, :]]


@pytest.mark.parametrize("how", WINDOWS)
def test_pooling(normal, how):
    kernel, stride, padding, dilation = how
    x = normal(2, 3, 11, 13)
    x[0, 0, 4, 5] = np.nan
    seen = windows(x, *how, fill=-np.inf)
    size = seen.shape[-2:]
    y, winner = fused.max_pool2d(x, *how, size)
    flat = np.moveaxis(seen.reshape(2, 3, -1, *size), 2, -1)
    np.testing.assert_array_equal(y, flat.max(-1))
    np.testing.assert_array_equal(np.take_along_axis(flat, winner[..., None].astype(int), -1)[..., 0], y)
    # <max_pool'(x) d, g> = <d, max_pool_backward(g)> for every d
    g, d = normal(*y.shape), normal(*x.shape)
    moved = np.moveaxis(windows(d, *how).reshape(2, 3, -1, *size), 2, -1)
    back = fused.max_pool_backward(g, winner, x.shape, *how)
    left = (np.take_along_axis(moved, winner[..., None].astype(int), -1)[..., 0].astype(float) * g).sum()
    assert abs(left - (back.astype(float) * d).sum()) < 1e-4
    x = np.nan_to_num(x)
    geometry = tuple(zip(*how, size))
    sums = windows(x, *how).sum((2, 3))
    close(pools.mean_pool(x, geometry, 3), sums / 3)
    counts = 1.0 + np.arange(size[0] * size[1]).reshape(size)
    close(pools.mean_pool(x, geometry, counts), sums / counts)
    # <mean_pool(d), g> = <d, mean_pool_backward(g)> for every d
    back = pools.mean_pool_backward(g, geometry, counts, x.shape)
    left = (pools.mean_pool(d, geometry, counts).astype(float) * g).sum()
    assert abs(left - (back.astype(float) * d).sum()) < 1e-4


@pytest.mark.parametrize("dims", [1, 3])
def test_pooling_of_lines_and_volumes(normal, dims):
    size = (7, 6, 9)[-dims:]
    x = normal(2, 3, *size)
    geometry = ((3, 2, 1, 1, 4), (2, 3, 0, 1, 2), (4, 1, 2, 1, 10))[-dims:]
    padded = np.pad(x.astype(float), [(0, 0), (0, 0), *[(p, p) for _, _, p, _, _ in geometry]])
    expected = np.zeros((2, 3, *[out for *_, out in geometry]))
    for at in np.ndindex(expected.shape[2:]):
        place = [slice(i * s, i * s + k) for i, (k, s, *_) in zip(at, geometry)]
        expected[(..., *at)] = padded[(..., *place)].sum(tuple(range(2, 2 + dims)))
    close(pools.mean_pool(x, geometry, 2), expected / 2)
    g = normal(*expected.shape)
    back = pools.mean_pool_backward(g, geometry, 2, x.shape)
    assert abs((expected / 2 * g).sum() - (back.astype(float) * x).sum()) < 1e-3


# ---------------------------------------------------------------------- optimizers, cells, attention


def adam(xp, p, g, m, v, top=None, *, decay, decoupled, lr, beta1, beta2, eps):
    if decoupled and decay:
        p = p * (1 - lr * decay)
    elif decay != 0:
        g = g + decay * p
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    if top is None:
        return p - lr * m / (xp.sqrt(v) + eps), m, v
    top = xp.maximum(top, v)
    return p - lr * m / (xp.sqrt(top) + eps), m, v, top


def everything(xp, p, g, *, low, factor):
    sign = xp.where(xp.abs(g) > low, xp.sign(g), -(2 / factor) * p)
    return (xp.clip(p - factor * sign / (1 + low * factor), -1.5, factor),)


@pytest.mark.parametrize("options", [
    (adam, 3, dict(decay=0.1, decoupled=True)), (adam, 3, dict(decay=0.1, decoupled=False)),
    (adam, 2, dict(decay=0, decoupled=True)),
])  # fmt: skip
def test_a_traced_formula_is_the_formula(normal, monkeypatch, options):
    monkeypatch.setattr(updates, "SMALL", 1)
    formula, slots, numbers = options
    numbers = {**numbers, "lr": 1e-2, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
    for n in (1, 33, 5001):
        arrays = [normal(n), normal(n), *[np.abs(normal(n)) for _ in range(slots)]]
        g = arrays[1].copy()
        p, *kept = wide(*arrays)
        new = formula(np, p, g.astype(float), *kept[1:], **numbers)
        assert fused.update(formula, [(arrays, numbers)]) == []
        close(tuple([arrays[0], *arrays[2:]]), new)
        assert (arrays[1] == g).all()


def descend(xp, p, g, *, lr):
    return (p - lr * g,)


@pytest.mark.parametrize("sizes", [(1, 5, 0, 33), (7,), (4000, 1, 90000), (0, 0)])
def test_one_launch_updates_many_parameters(normal, monkeypatch, sizes):
    monkeypatch.setattr(updates, "SMALL", 1 if sum(sizes) else 0)
    numbers = dict(lr=0.5)
    jobs = [([normal(n), normal(n)], numbers) for n in sizes]
    doubles = [([normal(n).astype(np.float64), normal(n).astype(np.float64)], numbers) for n in sizes]
    expected = [p - 0.5 * g for (p, g), _ in jobs + doubles]
    assert fused.update(descend, jobs + doubles) == []
    for ((p, _), _), new in zip(jobs + doubles, expected):
        np.testing.assert_allclose(p, new, rtol=1e-6, atol=1e-6)


def test_parameters_that_do_not_fit_are_left_alone(normal, monkeypatch):
    monkeypatch.setattr(updates, "SMALL", 1)
    numbers = dict(lr=0.5)
    plain, strided, shared = [normal(8), normal(8)], [normal(16)[::2], normal(8)], normal(8)
    half = [normal(8).astype(np.float16), normal(8).astype(np.float16)]
    locked = [normal(8), normal(8)]
    locked[0].flags.writeable = False
    short = [normal(8), normal(7)]
    expected, before = plain[0] - 0.5 * plain[1], strided[0].copy()
    jobs = [(arrays, numbers) for arrays in (plain, strided, half, locked, short)]
    left = fused.update(descend, jobs)
    assert [job[0][0] is a[0] for job, a in zip(left, (half, strided, locked, short))] == [True] * 4
    np.testing.assert_allclose(plain[0], expected, rtol=1e-6)
    assert (strided[0] == before).all()
    # Two parameters over one memory take turns.
    start, g = shared.copy(), normal(8)
    assert fused.update(descend, [([shared, g], numbers), ([shared, g], numbers)]) == []
    np.testing.assert_allclose(shared, start - 0.5 * g - 0.5 * g, rtol=1e-5, atol=1e-6)


def test_every_function_of_formulas(normal, monkeypatch):
    monkeypatch.setattr(updates, "SMALL", 1)
    arrays = [normal(501), normal(501)]
    arrays[1][3] = np.nan
    arrays[0][7] = np.nan
    p, g = wide(*arrays)
    new = everything(np, p, g, low=0.3, factor=0.7)
    assert fused.update(everything, [(arrays, dict(low=0.3, factor=0.7))]) == []
    np.testing.assert_allclose(arrays[0], new[0], rtol=1e-5, atol=1e-5)


def test_formulas_that_branch_on_values_are_left_to_numpy(normal, monkeypatch):
    monkeypatch.setattr(updates, "SMALL", 1)

    def branches(xp, p, g, *, lr):
        return (p - lr * g if g[0] > 0 else p,)

    arrays = [normal(10), normal(10)]
    before = arrays[0].copy()
    for _ in range(2):
        job = (arrays, dict(lr=0.1))
        assert fused.update(branches, [job]) == [job]
    assert (arrays[0] == before).all() and any("branches" in name for name in updates.declined)


# ---------------------------------------------------------------------- what is declined


def test_what_kernels_do_not_take(dtype):
    class Kind(np.ndarray):
        pass

    x = np.ones((100, 100), dtype)
    assert fused.softmax(x.view(Kind), -1) is None
    assert fused.layer_norm(x.astype(np.float16), None, None, 100, 1e-5) is None
    assert fused.softmax(np.ones((0, 5), dtype), -1) is None
    assert fused.pointwise("gelu_backward", x, x[:50]) is None
    assert fused.pointwise("gelu_backward", x, x.astype(np.float16)) is None
    turned = np.arange(10_000, dtype=dtype).reshape(100, 100).T / 1e4
    close(fused.pointwise("exp", turned), np.exp(turned))
    close(fused.softmax(turned[::2, ::-1], -1), soft(turned[::2, ::-1]))
