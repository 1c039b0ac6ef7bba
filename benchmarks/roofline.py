"""How near the kernels come to the hardware: the part of the machine's peak, in arithmetic or in memory traffic.

    python roofline.py [--only gemm,convolution,attention,lstm,memory] [--seconds S] [--json out.json]

The peaks are measured in the same run, on all threads: a loop of independent multiply-adds on registers, and loops
that read, or copy, arrays much larger than the caches. Each figure is the best of many calls in S seconds. Operations
are counted as in the plain sums (so a convolution by transformed tiles may pass the peak), traffic as each array
once. For matrix products N, T say whether a factor is stored by rows or transposed: a linear layer is NT, the
gradient of its input NN, that of its weight TN. NumPy's come last: the threads of its BLAS spin on for a
tenth of a second, and would take a processor from us.
"""

import argparse

import numpy as np
from common import best, write

import flambeau as T
from flambeau.kernels import products, threads
from flambeau.kernels.build import kernel

F = T.nn.functional
SHAPES = """1024x1024x1024 256x512x784 64x512x784 2048x512x128 512x784x64 784x512x2048 128x128x128 64x64x64 20x800x200
            64x10x512 10x512x64 1x512x784 512x1x784""".split()
BATCHES = [((64, 128, 64), (64, 64, 128)), ((512, 256, 32), (512, 32, 256)), ((256, 16, 16), (256, 16, 16))]
CONVOLUTIONS = {  # samples, channels, side, channels out, kernel, stride, padding
    "3x3 64": (16, 64, 28, 64, 3, 1, 1), "3x3 128, 8x8": (32, 128, 8, 128, 3, 1, 1),
    "3x3 32": (64, 32, 26, 64, 3, 1, 0),
    "3x3 of 1": (64, 1, 28, 32, 3, 1, 0), "3x3 stride 2": (32, 32, 32, 64, 3, 2, 1),
    "1x1 256": (16, 64, 28, 256, 1, 1, 0), "7x7 stride 2": (4, 3, 112, 64, 7, 2, 3),
}  # fmt: skip
LARGE = 1 << 24  # elements: 64 MB
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


def peak(seconds):
    """GF/s of float32 multiply-adds on registers, on all threads."""
    from flambeau.kernels import tile

    number = 8 * threads.get_num_threads()
    x = np.zeros(number + CHAINS, np.float32)
    work = 2e-9 * number * CHAINS * STEPS * tile.shape("f4").lanes
    f = multiply_adds.get("f4")
    return work / best(lambda: f(x, x.size, number), seconds)


@kernel("x:T=rows*cols y:T!=rows rows cols", work="rows", cost="cols", traced=True)
def read(k, begin, end, x, y, rows, cols):
    """The largest number of each row."""
    for r in k.range(begin, end):
        row = x.at(r * cols)
        y[r] = k.largest(cols, lambda j: row[j])


@kernel("x:T=rows*cols y:T!=rows*cols rows cols", work="rows", cost="cols", traced=True)
def copy(k, begin, end, x, y, rows, cols):
    """y = x, stored past the caches."""
    from flambeau.kernels.sweep import sweep

    for r in k.range(begin, end):
        row, out = x.at(r * cols), y.at(r * cols)
        for j, seen, past in sweep(k, out, cols):
            past(out)[j] = seen(row)[j]


def bandwidth(seconds):
    """GB/s: the faster of reading and copying arrays larger than the caches, on all threads."""
    x, y, row, cols = np.ones(LARGE, np.float32), np.zeros(LARGE, np.float32), np.zeros(64, np.float32), LARGE // 64
    reads = best(lambda: read.get("f4")(x, row, 64, cols), seconds)
    copies = best(lambda: copy.get("f4")(x, y, 64, cols), seconds)
    print(f"reading {4e-9 * LARGE / reads:.0f} GB/s, copying {8e-9 * LARGE / copies:.0f} GB/s")
    return max(4e-9 * LARGE / reads, 8e-9 * LARGE / copies)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensor(*shape, grad=False):
    return T.from_numpy(normal(*shape)).requires_grad_(grad)


def gradients(function, *leaves):
    """A function that computes the gradients of the leaves, and nothing else, at each call."""
    out = function()
    seed = T.ones_like(out)
    return lambda: T.autograd.grad(out, leaves, seed, retain_graph=True)


def gemm(seconds):
    """(name, GF/s of ours, of NumPy's)."""
    cases = []
    for shape in SHAPES:
        m, n, k = map(int, shape.split("x"))
        a, b = (normal(m, k), normal(k, m).T), (normal(k, n), normal(n, k).T)
        cases += [(f"{shape} NN", a[0], b[0]), (f"{shape} NT", a[0], b[1]), (f"{shape} TN", a[1], b[0])]
    cases += [(f"{left} {right}", normal(*left), normal(*right)) for left, right in BATCHES]
    speeds = []
    for multiply in (products.matmul, np.matmul):
        for _, a, b in cases:
            out = np.empty((*a.shape[:-1], b.shape[-1]), np.float32)
            speeds.append(2e-9 * a.size * b.shape[-1] / best(lambda: multiply(a, b, out), seconds))
    return [(name, ours, theirs) for (name, *_), ours, theirs in
            zip(cases, speeds, speeds[len(cases):], strict=False)]  # fmt: skip


def convolution(seconds):
    found = []
    for name, (n, c, h, o, r, stride, padding) in CONVOLUTIONS.items():
        x, w = tensor(n, c, h, h, grad=True), tensor(o, c, r, r, grad=True)
        run = lambda: F.conv2d(x, w, stride=stride, padding=padding)
        work = 2e-9 * run().numel() * c * r * r
        with T.no_grad():
            found.append((f"{name} forward", work / best(run, seconds)))
        found.append((f"{name} input gradient", work / best(gradients(run, x), seconds)))
        found.append((f"{name} weight gradient", work / best(gradients(run, w), seconds)))
    return found


def attention(seconds):
    found = []
    for causal in (False, True):
        for heads, length, width in ((64, 256, 64), (64, 128, 32), (8, 2048, 64)):
            q, k, v = (tensor(1, heads, length, width, grad=True) for _ in range(3))
            run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            work = 4e-9 * heads * length * length * width / (2 if causal else 1)
            name = f"{heads} x {length} x {width}{' causal' if causal else ''}"
            with T.no_grad():
                found.append((f"{name} forward", work / best(run, seconds)))
            found.append((f"{name} backward", 2.5 * work / best(gradients(run, q, k, v), seconds)))
    return found


def lstm(seconds):
    found = []
    for batch, length, width in ((20, 35, 200), (32, 50, 128), (64, 32, 512)):
        layer, x = T.nn.LSTM(width, width, batch_first=True), tensor(batch, length, width, grad=True)
        run = lambda: layer(x)[0]
        work = 2e-9 * batch * length * 8 * width * width
        name = f"{batch} x {length} x {width}"
        with T.no_grad():
            found.append((f"{name} forward", work / best(run, seconds)))
        leaves = (x, *layer.parameters())
        found.append((f"{name} backward", 2 * work / best(gradients(run, *leaves), seconds)))
    return found


def memory(seconds):
    """(name, GB/s), each array that is read or written counted once."""
    x, y = tensor(4096, LARGE // 4096), tensor(4096, LARGE // 4096)
    weight = tensor(LARGE, grad=True)
    weight.grad = T.ones_like(weight)
    adam = T.optim.AdamW([weight], lr=1e-3)
    cases = {"x + y": (3, lambda: x + y), "x.add_(y)": (3, lambda: x.add_(y)), "exp": (2, x.exp),
             "gelu": (2, lambda: F.gelu(x)), "sum": (1, x.sum), "sum of rows": (1, lambda: x.sum(1)),
             "sum of columns": (1, lambda: x.sum(0)), "softmax": (2, lambda: F.softmax(x, -1)),
             "layer norm": (2, lambda: F.layer_norm(x, x.shape[1:])),
             "transposed copy": (2, lambda: x.t().contiguous()),
             "AdamW": (7, adam.step)}  # fmt: skip
    return [(name, 4e-9 * arrays * LARGE / best(run, seconds)) for name, (arrays, run) in cases.items()]


FAMILIES = {f.__name__: f for f in (gemm, convolution, attention, lstm, memory)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FAMILIES))
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--json", help="add the parts of the peaks to this file")
    args = parser.parse_args()
    for family in args.only.split(","):
        top = bandwidth(4 * args.seconds) if family == "memory" else peak(4 * args.seconds)
        unit = "GB/s" if family == "memory" else "GF/s"
        print(f"{family}: the peak is {top:.0f} {unit}, {threads.get_num_threads()} threads, float32")
        found = {}
        for name, speed, *numpy in FAMILIES[family](args.seconds):
            found[name] = {"of_peak": speed / top} | ({"over_numpy": speed / numpy[0]} if numpy else {})
            ratio = "".join(f"  {speed / other:5.2f} of NumPy's" for other in numpy)
            print(f"  {name:34} {speed:6.0f} {unit} {speed / top:7.0%}{ratio}", flush=True)
        if args.json:
            write(args.json, {f"roofline/{family}": found})


if __name__ == "__main__":
    main()
