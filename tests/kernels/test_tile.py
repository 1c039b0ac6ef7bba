"""The register tile: every edge, any strides, nothing touched outside of C."""

import numpy as np
import pytest

from flambeau.kernels.build import backend, kernel

pytestmark = pytest.mark.skipif(backend() is None, reason="needs LLVM")

DEPTH = 64


@kernel(
    "a:T~ b:T~ c:T!~ m cols depth a_row a_depth b_depth b_col c_row more", work="1", traced=True, tile=True
)  # fmt: skip
def one_panel(k, begin, end, a, b, c, m, cols, depth, a_row, a_depth, b_depth, b_col, c_row, more):
    from flambeau.kernels import tile

    room = tile.room(k, DEPTH)
    tile.pack(k, b, b_depth, b_col, depth, cols, room)
    tile.panel(k, m, cols, depth, a, a_row, a_depth, room, tile.shape(k.real).padded(cols), c, c_row, more)


def strides(x):
    return [s // x.itemsize for s in x.strides]


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("a_turned", [False, True])
@pytest.mark.parametrize("layout", ["rows", "columns", "apart"])
def test_panel(kind, a_turned, layout):
    from flambeau.kernels import tile

    rng = np.random.default_rng(0)
    t = tile.shape(kind)
    f = one_panel.get(kind)
    edges = {1, t.lanes - 1, t.lanes, t.lanes + 1, 2 * t.lanes, t.cols - 1, t.cols}
    for cols in sorted(edges):
        for m in (1, t.rows // 2, t.rows - 1, t.rows, 2 * t.rows + 1, 3 * t.rows - 1):
            for depth in (0, 1, t.lanes, 2 * t.lanes + 3):
                a = rng.standard_normal((m, depth)).astype(kind)
                a = np.asfortranarray(a) if a_turned else a
                b = rng.standard_normal((depth, cols)).astype(kind)
                if layout == "columns":
                    b = np.asfortranarray(b)
                elif layout == "apart":
                    b = np.repeat(np.repeat(b, 2, 0), 3, 1)[::2, ::3]
                around = rng.standard_normal((m + 2, cols + 4)).astype(kind)
                expected = around.astype(np.float64)
                product = a.astype(np.float64) @ b.astype(np.float64)
                for more in (0, 1):
                    expected[1:-1, 2:-2] = product + more * expected[1:-1, 2:-2]
                    c = around[1:-1, 2:-2]
                    assert f(a, b, c, m, cols, depth, *strides(a), *strides(b), cols + 4, more)
                    np.testing.assert_allclose(around, expected, rtol=1e-5, atol=1e-4)
