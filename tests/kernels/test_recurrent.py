"""Recurrent layers as kernels against the step-by-step NumPy formulas in float64; nothing outside is touched."""

import numpy as np
import pytest

from flambeau.kernels import build, fused, recurrent, recurrent_layers, threads
from flambeau.ops import recurrent as formulas

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")

# (samples in each step, in the other layout: all steps of a sample side by side)
LAYOUTS = [((1,), False), ((3,), False), ((2, 2, 2), False), ((2, 2, 2), True), ((21,) * 4, False), ((21,) * 4, True),
           ((5, 4, 4, 1), False), ((20, 20, 9, 8, 1), False)]  # fmt: skip
SIZES = [(1, 1), (7, 5), (3, 16), (20, 50)]  # (features, size)


@pytest.fixture(params=[np.float32, np.float64], ids=["f4", "f8"])
def normal(request, monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(request.param)


def wide(*arrays):
    return [a if a is None else a.astype(np.float64) for a in arrays]


def close(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            scale = 2e-5 if a.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(a, b, rtol=scale, atol=scale * (1 + np.abs(b).max()))


def layouts():
    for sizes, by_sample in LAYOUTS:
        for reverse in (False, True):
            yield sizes, reverse, len(sizes) if by_sample else 1


@pytest.mark.parametrize("features, size", SIZES)
@pytest.mark.parametrize("bias, projection, last", [(True, None, False), (False, None, True), (True, 4, True)])
def test_lstm(normal, features, size, bias, projection, last):
    for sizes, reverse, apart in layouts():
        rows, batch, hidden = sum(sizes), max(sizes), projection or size
        x, h0, c0 = normal(rows, features), normal(batch, hidden), normal(batch, size)
        w_ih, w_hh = normal(4 * size, features) * 0.5, normal(4 * size, hidden) * 0.5
        b_ih, b_hh = (normal(4 * size), normal(4 * size)) if bias else (None, None)
        w_hr = None if projection is None else normal(projection, size)
        spans = formulas._spans(sizes, reverse, apart)
        given = (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
        made = recurrent_layers.lstm(*given, sizes, reverse, apart)
        close(made, formulas._lstm_steps(*wide(*given), spans))
        d_out = normal(rows, hidden)
        d_h, d_c = (normal(batch, hidden), normal(batch, size)) if last else (None, None)
        back = recurrent_layers.lstm_backward(d_out, d_h, d_c, made, x, h0, c0, w_hh, w_hr, sizes, reverse, apart)
        d = wide(d_out, d_h, d_c)
        close(back, formulas._lstm_steps_back(*d, wide(*made), *wide(h0, c0, w_hh, w_hr), spans))
        if last:
            back = recurrent_layers.lstm_backward(None, d_h, d_c, made, x, h0, c0, w_hh, w_hr, sizes, reverse, apart)
            d = wide(None, d_h, d_c)
            close(back, formulas._lstm_steps_back(*d, wide(*made), *wide(h0, c0, w_hh, w_hr), spans))


@pytest.mark.parametrize("features, size", SIZES)
@pytest.mark.parametrize("bias, last", [(True, False), (False, True)])
def test_gru(normal, features, size, bias, last):
    for sizes, reverse, apart in layouts():
        rows, batch = sum(sizes), max(sizes)
        x, h0 = normal(rows, features), normal(batch, size)
        w_ih, w_hh = normal(3 * size, features) * 0.5, normal(3 * size, size) * 0.5
        b_ih, b_hh = (normal(3 * size), normal(3 * size)) if bias else (None, None)
        spans = formulas._spans(sizes, reverse, apart)
        given = (x, h0, w_ih, w_hh, b_ih, b_hh)
        made = recurrent_layers.gru(*given, sizes, reverse, apart)
        close(made, formulas._gru_steps(*wide(*given), spans))
        d_out, d_h = normal(rows, size), normal(batch, size) if last else None
        back = recurrent_layers.gru_backward(d_out, d_h, made, x, h0, w_hh, sizes, reverse, apart)
        close(back, formulas._gru_steps_back(*wide(d_out, d_h), wide(*made), *wide(h0, w_hh), spans))


@pytest.mark.parametrize("features, size", SIZES)
@pytest.mark.parametrize("bias, last", [(True, False), (False, True)])
@pytest.mark.parametrize("relu", [False, True])
def test_rnn(normal, features, size, bias, last, relu):
    for sizes, reverse, apart in layouts():
        rows, batch = sum(sizes), max(sizes)
        x, h0 = normal(rows, features), normal(batch, size)
        w_ih, w_hh = normal(size, features) * 0.3, normal(size, size) * 0.3
        b_ih, b_hh = (normal(size), normal(size)) if bias else (None, None)
        spans = formulas._spans(sizes, reverse, apart)
        given = (x, h0, w_ih, w_hh, b_ih, b_hh)
        made = recurrent_layers.rnn(*given, sizes, reverse, apart, relu)
        close(made, formulas._rnn_steps(*wide(*given), spans, relu))
        d_out, d_h = normal(rows, size), normal(batch, size) if last else None
        back = recurrent_layers.rnn_backward(d_out, d_h, made[0], x, h0, w_hh, sizes, reverse, apart, relu)
        close(back, formulas._rnn_steps_back(*wide(d_out, d_h, made[0], h0, w_hh), spans, relu))


def test_weights_of_any_layout(normal):
    x, h0, w_ih, w_hh = normal(12, 9), normal(3, 5), normal(9, 15).T, normal(5, 15)[:, ::-1].T
    made = recurrent_layers.gru(x[::-1], h0, w_ih, w_hh, None, None, (3,) * 4, False, 1)
    close(made, formulas._gru_steps(*wide(x[::-1], h0, w_ih, w_hh), None, None, formulas._spans((3,) * 4, False, 1)))


def test_nan_and_infinity_stay_in_their_sample(normal):
    x, h0, c0 = normal(8, 6), np.zeros_like(normal(2, 5)), np.zeros_like(normal(2, 5))
    x[0, 0], x[2, 3] = np.nan, np.inf
    made = recurrent_layers.lstm(x, h0, c0, normal(20, 6), normal(20, 5), None, None, None, (2,) * 4, False, 1)
    assert np.isnan(made[1][0]).all() and np.isfinite(made[1][1]).all()


def test_the_number_of_threads_changes_no_bit(normal):
    given = [normal(*s) for s in ((21 * 30, 1), (21, 96), (21, 96), (384, 1), (384, 96), (384,), (384,))]
    before = threads.get_num_threads()
    try:
        found = []
        for number in (1, 2, 5):
            threads.set_num_threads(number)
            found.append(b"".join(a.tobytes() for a in recurrent_layers.lstm(*given, None, (21,) * 30, False, 30)))
    finally:
        threads.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_wrong_steps_and_weights_touch_nothing():
    batch, size, rows = 3, 5, 6
    room = {n: np.full(rows * size + 256, 7, np.float32) for n in ("output", "h")}
    output, h = room["output"][128 : 128 + rows * size], room["h"][128 : 128 + batch * size]
    h0, f = np.ones((batch, size), np.float32), recurrent.rnn.get("f4", ("b_ih", "b_hh"), relu=False)
    panels = recurrent_layers._panels("f4", np.ones((size, size), np.float32), True)
    wrong = np.array([[-1, 3], [4, 3], [6, 1], [2**62, 3], [2**63 - 1, 3], [0, -5], [-(2**62), 2**62], [0, 0]])
    assert f(output, h0, panels, wrong, h, rows, batch, size, len(wrong), 1, panels.size, 1, 1)
    assert all((a[:128] == 7).all() and (a[-98:] == 7).all() for a in room.values())
    h[...] = 7
    good = recurrent_layers.plan((3, 3), False, 1)
    assert f(output, h0, panels[0, 0], good, h, rows, batch, size, 2, 1, panels[0, 0].size, 1, 1)
    assert (h == 7).all()


def test_plans():
    assert recurrent_layers.plan((3, 2, 1), False, 1).tolist() == [[0, 3], [3, 2], [5, 1]]
    assert recurrent_layers.plan((3, 2, 1), True, 1).tolist() == [[5, 1], [3, 2], [0, 3]]
    assert recurrent_layers.plan((4, 4), False, 2).tolist() == [[0, 4], [1, 4]]
