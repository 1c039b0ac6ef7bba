"""How near matrix products come to the peak: GF/s of NumPy's and of our own, for shapes of deep learning.

    python roofline.py [--seconds S] [MxNxK ...]

The peak is measured in the same run: a loop of independent multiply-adds on registers, on every thread at once. Each
figure is the best of many calls in S seconds; N, T say whether a factor is stored by rows or transposed: a linear
layer is NT, the gradient of its input NN, that of its weight TN. Ours come first: after a product of NumPy's the
threads of its BLAS spin on for a tenth of a second, and would take a processor from us.
"""

import argparse
import time

import numpy as np

from flambeau.kernels import products, threads
from flambeau.kernels.build import kernel

SHAPES = """1024x1024x1024 256x512x784 64x512x784 2048x512x128 512x784x64 784x512x2048 128x128x128 64x64x64 20x800x200
            64x10x512 10x512x64 1x512x784 512x1x784""".split()
BATCHES = [((64, 128, 64), (64, 64, 128)), ((512, 256, 32), (512, 32, 256)), ((256, 16, 16), (256, 16, 16))]
CHAINS, STEPS = 16, 1 << 16  # independent sums, and multiply-adds of each in one task


@kernel("x:T!=n n tasks", work="tasks", cost="1048576", traced=True, tile=True)
def multiply_adds(k, begin, end, x, n, tasks):
    """Multiply-adds on registers."""
    from flambeau.kernels import tile
    from flambeau.kernels.emit import Value

    lanes = tile.shape(k.real).lanes
    for task in k.range(begin, end):
        factor = tile.splat(k, x[task], lanes)
        sums = [k.cell(Value(k, tile.splat(k, x[task + i], lanes))) for i in range(CHAINS)]
        for _ in k.range(STEPS, vectorize=False):
            for total in sums:
                total.set(Value(k, tile.fma(k, factor, total.get().v, factor)))
        for i, total in enumerate(sums):
            x[task + i] = tile.total(k, total.get().v)


def best(function, seconds):
    function()
    found, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        found = min(found, time.perf_counter() - start)
    return found


def peak(kind, seconds):
    """GF/s of multiply-adds on registers, on all threads."""
    from flambeau.kernels import tile

    number = 8 * threads.get_num_threads()
    x = np.zeros(number + CHAINS, np.dtype(kind))
    work = 2e-9 * number * CHAINS * STEPS * tile.shape(kind).lanes
    f = multiply_adds.get(kind)
    return work / best(lambda: f(x, x.size, number), seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=SHAPES)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    args = parser.parse_args()
    dtype = np.dtype(args.dtype)
    top = peak(dtype.str[1:], 4 * args.seconds)
    print(f"peak {top:.0f} GF/s, {threads.get_num_threads()} threads, {dtype}")
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    cases = []
    for shape in args.shapes:
        m, n, k = map(int, shape.split("x"))
        a, b = (normal(m, k), normal(k, m).T), (normal(k, n), normal(n, k).T)
        cases += [(shape, "NN", a[0], b[0]), (shape, "NT", a[0], b[1]), (shape, "TN", a[1], b[0])]
    if args.shapes is SHAPES:
        cases += [(f"{left} {right}", "NN", normal(*left), normal(*right)) for left, right in BATCHES]
    speeds = []
    for multiply in (products.matmul, np.matmul):
        for _, _, a, b in cases:
            out = np.empty((*a.shape[:-1], b.shape[-1]), dtype)
            speeds.append(2e-9 * a.size * b.shape[-1] / best(lambda: multiply(a, b, out), args.seconds))  # noqa: B023
    print(f"{'shape':34}      ours   of peak  NumPy's  ratio")
    for (name, layout, *_), ours, theirs in zip(cases, speeds, speeds[len(cases) :], strict=False):
        print(f"{name:34} {layout}  {ours:6.0f} {ours / top:8.0%} {theirs:8.0f} {ours / theirs:7.2f}")


if __name__ == "__main__":
    main()
