"""Random tensors through every operation of one or two tensors, and through layers: with kernels, and without.

Two processes run the same seeded calls, one with every array going through kernels, one with NumPy alone; values and
gradients must agree. Operations are found in the registry, so new ones are tested without being named here.
"""

import inspect
import os
import pickle
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest

import flambeau as torch
from flambeau.kernels import build
from flambeau.ops.entry import REGISTRY

F = torch.nn.functional
SEED = os.environ.get("FLAMBEAU_FUZZ_SEED", "")  # other numbers, to look for what the usual ones do not show
RANDOM = ("rand", "dropout", "bernoulli", "multinomial", "normal", "poisson", "empty", "rrelu", "gumbel", "binomial")
SHAPES = [(), (1,), (0,), (7,), (33,), (3, 5), (1, 17), (0, 4), (16, 33), (2, 3, 4), (4, 1, 6), (2, 3, 5, 7)]
LAYERS = {
    "softmax": lambda x: F.softmax(x, -1), "softmax_0": lambda x: F.softmax(x, 0),
    "log_softmax": lambda x: F.log_softmax(x, -1), "logsumexp": lambda x: torch.logsumexp(x, -1),
    "sum_0": lambda x: x.sum(0), "sum_last": lambda x: x.sum(-1, keepdim=True), "mean": lambda x: x.mean(-1),
    "var": lambda x: x.var(-1), "amax": lambda x: x.amax(-1), "cumsum": lambda x: x.cumsum(-1),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]), "rms_norm": lambda x: F.rms_norm(x, x.shape[-1:]),
    "contiguous": lambda x: x.transpose(0, -1).contiguous(), "gather_rows": lambda x: x[torch.tensor([0, 0])],
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
    "elu": lambda x: F.elu(x, 0.7), "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "clamp": lambda x: x.clamp(-0.5, 0.7), "power": lambda x: x.abs() ** 1.7,
    "where": lambda x: torch.where(x > 0, x, -x),
    "row": lambda x: x + x.select(0, 0), "column": lambda x: x * x.select(-1, 0).unsqueeze(-1),
    "normalize": lambda x: F.normalize(x, dim=-1), "mse": lambda x: F.mse_loss(x, x.flip(0), reduction="none"),
}  # fmt: skip
IMAGES = {
    "max_pool": lambda x: F.max_pool2d(x, 2), "max_pool_3": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool_dilated": lambda x: F.max_pool2d(x, 2, 1, 0, 2), "avg_pool": lambda x: F.avg_pool2d(x, 2),
    "avg_pool_3": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 3),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "group_norm": lambda x: F.group_norm(x, 2), "instance_norm": lambda x: F.instance_norm(x),
    "conv": lambda x: F.conv2d(x, weight(5, 4, 3, 3)),
    "conv_pad": lambda x: F.conv2d(x, weight(6, 4, 3, 2), None, 2, 1),
    "conv_groups": lambda x: F.conv2d(x, weight(8, 2, 3, 3), None, 1, 1, 1, 2),
    "conv_depthwise": lambda x: F.conv2d(x, weight(4, 1, 3, 3), None, 1, 2, 2, 4),
    "conv_1x1": lambda x: F.conv2d(x, weight(3, 4, 1, 1)), "conv_1d": lambda x: F.conv1d(x[:, :, 0], weight(3, 4, 2)),
    "transposed": lambda x: F.conv_transpose2d(x, weight(4, 3, 3, 3), None, 2, 1, 1),
    "linear": lambda x: F.linear(x, weight(5, x.shape[-1])), "matmul": lambda x: x @ x.transpose(-1, -2),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2), "pad": lambda x: F.pad(x, (1, 2, 0, 1)),
    "unfold": lambda x: F.unfold(x, 2),
}  # fmt: skip


def weight(*shape):
    """Always the same numbers for a shape, of the dtype in use."""
    return torch.from_numpy(np.random.default_rng(len(shape)).standard_normal(shape).astype(weight.dtype))


def tensor(rng, shape, dtype):
    """Random values in a random layout: plain, transposed, every second, behind others, repeated with stride 0."""
    layout = rng.integers(0, 5) if len(shape) else 0
    make = lambda s: rng.standard_normal(s).astype(dtype) if dtype.kind == "f" else rng.integers(-9, 9, s).astype(dtype)
    if layout == 1:
        a = make(shape[::-1]).T
    elif layout == 2:
        a = make((*shape[:-1], 2 * shape[-1]))[..., ::2]
    elif layout == 3:
        a = make((shape[0] + 1, *shape[1:]))[1:]
    elif layout == 4:
        a = make((min(1, shape[0]), *shape[1:]))
    else:
        a = make(shape)
    if dtype.kind == "f" and a.size > 3 and layout != 4 and rng.random() < 0.3:
        a[tuple(n // 2 for n in shape)] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
    return torch.from_numpy(a) if layout != 4 else torch.from_numpy(a).expand(shape)


def outcome(function, tensors):
    """The results and the gradients as arrays, or the class of the error."""
    floats = [t.detach().requires_grad_() if t.is_floating_point() else t for t in tensors]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            made = function(*floats)
            made = made if isinstance(made, tuple | list) else (made,)
            outs = [o for o in made if isinstance(o, torch.Tensor)]
            arrays = [np.array(o.detach().resolve_conj().numpy()) for o in outs]
            graph = [o for o in outs if o.requires_grad and o.is_floating_point()]
            if graph:
                given = [torch.from_numpy(np.cos(np.arange(o.numel())).reshape(o.shape).astype(str(o.dtype)[6:]))
                         for o in graph]  # fmt: skip
                leaves = [t for t in floats if t.requires_grad]
                for g in torch.autograd.grad(graph, leaves, given, allow_unused=True):
                    arrays.append(np.zeros(0) if g is None else np.array(g.numpy()))
    except Exception as error:
        return type(error).__name__
    return arrays


def calls():
    """(label, function, tensors) of every call, the same in each process."""
    for name, function in sorted(REGISTRY.items()):
        if any(word in name for word in RANDOM) or name.endswith("_"):
            continue
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:
            continue
        needed = [p.name for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD]
        if needed not in (["input"], ["input", "other"]):
            continue
        for kind in ("f4", "f8", "i8"):
            rng = np.random.default_rng(zlib.crc32(f"{name}{kind}{SEED}".encode()))
            for shape in (SHAPES[i] for i in rng.choice(len(SHAPES), 4, replace=False)):
                tensors = [tensor(rng, shape, np.dtype(kind))]
                if len(needed) == 2:
                    other = tuple(1 if rng.random() < 0.2 else n for n in shape)[rng.integers(0, 2) :]
                    tensors.append(tensor(rng, other, np.dtype(kind)))
                yield f"{name} {kind} {shape}", function, tensors
    for kind in ("f4", "f8"):
        weight.dtype = kind
        for name, function in {**LAYERS, **IMAGES}.items():
            rng = np.random.default_rng(zlib.crc32(f"{name}{kind}{SEED}".encode()))
            for shape in SHAPES[3:] if name in LAYERS else [(2, 4, 5, 7), (1, 4, 8, 8), (3, 4, 9, 6)]:
                yield f"{name} {kind} {shape}", function, [tensor(rng, shape, np.dtype(kind))]


def differs(a, b):
    """Why two outcomes are not the same, or None."""
    if isinstance(a, str) or isinstance(b, str):
        return None if isinstance(a, str) and isinstance(b, str) else f"{a} / {b}"
    if [(x.shape, x.dtype) for x in a] != [(x.shape, x.dtype) for x in b]:
        return f"{[(x.shape, x.dtype) for x in a]} / {[(x.shape, x.dtype) for x in b]}"
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x.dtype.kind not in "fc":
            if not (x == y).all():
                return f"result {i}: {x} / {y}"
            continue
        finite = np.abs(y[np.isfinite(y)])
        scale = finite.max(initial=1e-30)
        close = np.isclose(x, y, rtol=2e-4 if x.dtype.itemsize == 4 else 1e-10, atol=scale * (
            2e-5 if x.dtype.itemsize == 4 else 1e-12), equal_nan=True)  # fmt: skip
        if not close.all():
            at = np.argwhere(~close)[0]
            return f"result {i} at {at}: {x[tuple(at)]} / {y[tuple(at)]}"
    return None


@pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
def test_kernels_agree_with_numpy(tmp_path):
    settings = [{"FLAMBEAU_KERNELS_FROM": "1"}, {"FLAMBEAU_BACKEND": "numpy"}]
    running = [
        subprocess.Popen([sys.executable, __file__, str(tmp_path / str(i))], env={**os.environ, **s}, text=True,
                         stderr=subprocess.PIPE) for i, s in enumerate(settings)
    ]  # fmt: skip
    errors = [p.communicate(timeout=600)[1] for p in running]
    assert [p.returncode for p in running] == [0, 0], errors
    with_kernels, without = (pickle.loads((tmp_path / str(i)).read_bytes()) for i in range(2))
    assert with_kernels.keys() == without.keys() and len(without) > 1000
    wrong = {label: differs(with_kernels[label], without[label]) for label in without}
    wrong = {label: why for label, why in wrong.items() if why}
    assert not wrong, "\n".join(f"{label}: {why}" for label, why in wrong.items())[:5000]


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        pickle.dump({label: outcome(function, tensors) for label, function, tensors in calls()}, file)
