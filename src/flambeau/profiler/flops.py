"""How many floating-point operations a call does, from its shapes: the formulas that the profiler and summaries use.

A multiplication and an addition count as two. Only what the number of operations is decided by is counted: products of
matrices, convolutions, attention, recurrent layers, and element-wise products and sums; the counts of PyTorch's
`with_flops`, and beyond it those of layers that it leaves at zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Shape = Sequence[int]


def matmul(a: Shape, b: Shape) -> int:
    """Of `a @ b`, broadcast over leading dimensions."""
    if not a or not b:
        return 0
    rows = a[-2] if len(a) > 1 else 1
    columns = b[-1] if len(b) > 1 else 1
    lead_a, lead_b = list(a[:-2]), list(b[:-2])
    count = max(len(lead_a), len(lead_b))
    lead_a, lead_b = [1] * (count - len(lead_a)) + lead_a, [1] * (count - len(lead_b)) + lead_b
    return 2 * math.prod([x if y == 1 else y for x, y in zip(lead_a, lead_b)]) * rows * a[-1] * columns


def linear(input: Shape, weight: Shape) -> int:
    """Of a linear layer; the bias is left out, as PyTorch does."""
    return 2 * math.prod(input) * (weight[0] if len(weight) > 1 else 1)


def convolution(weight: Shape, out: Shape) -> int:
    """Of a convolution of any number of dimensions: each output takes one product with its window."""
    return 2 * math.prod(out) * math.prod(weight[1:])


def transposed_convolution(input: Shape, weight: Shape) -> int:
    """Of a transposed convolution: each input gives one product with the window that it is spread over."""
    return 2 * math.prod(input) * math.prod(weight[1:])


def attention(query: Shape, key: Shape, value: Shape) -> int:
    """Of scaled dot-product attention: scores, and values weighted by them. A mask, causal or not, spares nothing."""
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def bilinear(first: Shape, second: Shape, weight: Shape) -> int:
    """Of `x1.T @ W @ x2` for each output."""
    return 2 * math.prod(first[:-1]) * weight[0] * (weight[1] * weight[2] + weight[1])


def recurrent(weights: Sequence[Shape], steps: int) -> int:
    """Of recurrent layers: each matrix once for every step of every sequence. Biases have one dimension."""
    return sum([2 * steps * math.prod(w) for w in weights if len(w) == 2])


# name of the operation -> (shapes of its tensors, shape of its result) -> operations
FORMULAS: dict[str, Callable[[list[Shape], Shape], int]] = {
    **dict.fromkeys(("matmul", "matmul_nd", "mm", "bmm", "mv", "dot", "inner"), lambda s, out: matmul(s[0], s[1])),
    **dict.fromkeys(("addmm", "addmv", "addbmm", "baddbmm"), lambda s, out: matmul(s[1], s[2])),
    "linear": lambda s, out: linear(s[0], s[1]),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), lambda s, out: convolution(s[1], out)),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution_transpose"),
        lambda s, out: transposed_convolution(s[0], s[1]),
    ),
    "scaled_dot_product_attention": lambda s, out: attention(s[0], s[1], s[2]),
    "bilinear": lambda s, out: bilinear(s[0], s[1], s[2]),
    **dict.fromkeys(("gru_layer", "rnn_layer"), lambda s, out: recurrent(s[2:], s[0][0])),
    "lstm_layer": lambda s, out: recurrent(s[3:], s[0][0]),
    **dict.fromkeys(("mul", "add"), lambda s, out: math.prod(out)),
}
# Of a node of a backward pass: which inputs' gradients take as many operations as the forward did.
_GRADIENTS = {
    **dict.fromkeys(("matmul", "matmul_nd", "bmm", "dot", "linear", "convolution", "convolution_transpose"), (0, 1)),
    "addmm": (1, 2),
}
# Of nodes that work out all gradients at once: times the forward's. Attention's scores are worked out again.
_WHOLE = {"scaled_dot_product_attention": 2.5, "lstm_layer": 2, "gru_layer": 2, "rnn_layer": 2}


def of_call(name: str, tensors: list[Shape], out: Shape) -> int:
    """Operations of a call of the operation `name` (without `aten::`); 0 where there is no formula.

    >>> from flambeau.profiler import flops
    >>> flops.of_call("linear", [(64, 784), (512, 784), (512,)], (64, 512)) == 2 * 64 * 784 * 512
    True
    """
    formula = FORMULAS.get(name)
    try:
        return formula(tensors, out) if formula is not None else 0
    except IndexError:  # called with something else than tensors
        return 0


def of_node(name: str, tensors: list[Shape], out: Shape, wanted: Sequence[Any]) -> int:
    """Operations of the gradients of an operation. `wanted`: true for each input whose gradient is worked out."""
    if name in _WHOLE:
        return int(_WHOLE[name] * of_call(name, tensors, out)) if any(wanted) else 0
    which = sum([bool(wanted[i]) for i in _GRADIENTS.get(name, ()) if i < len(wanted)])
    return which * of_call(name, tensors, out) if which else 0
