"""How many floating-point operations a node does, from its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ..arrays import address
from ..kernels.window import FIELDS
from .program import Launch, Map, Node, Region

_FREE = ("in", "num", "const", "cast")  # instructions that compute nothing


def operations(node: Node) -> int | None:
    """Additions, multiplications and functions; None for kernels whose arguments do not tell.

    Convolutions count as if computed directly, so that a transformed one shows what it is worth, not what it does.
    """
    if isinstance(node, Map):
        if all(r.dtype.kind not in "fV" for r in (*node.reads, *node.writes)):
            return 0
        return math.prod(node.shape) * (sum(line[0] not in _FREE for line in node.body) + sum(map(bool, node.reduce)))
    if not isinstance(node, Launch) or node.kernel.name not in _COUNTS:
        return None
    present = [p.name for p in node.kernel.parameters if p.name not in node.absent]
    return int(_COUNTS[node.kernel.name](SimpleNamespace(**dict(zip(present, node.args)), options=node.options)))


def _product(v: Any) -> int:
    return 2 * v.outer * v.inner * v.m * v.n * v.depth


def _plan(region: Region) -> SimpleNamespace:
    """The numbers that a convolution's plan holds: a table made from shapes."""
    table = region.buffer.owner.reshape(-1)
    first = (region.offset + region.buffer.address - address(table)) // table.itemsize
    return SimpleNamespace(**dict(zip(FIELDS, table[first : first + len(FIELDS)].tolist(), strict=True)))


def _convolution(v: Any) -> int:
    p = _plan(v.plan)
    outs = v.out.size // max(1, p.n * p.fd * p.fh * p.fw)
    return 2 * p.n * outs * p.od * p.oh * p.ow * p.cg * p.kd * p.kr * p.ks


def _correlation(v: Any) -> int:
    p = _plan(v.plan)
    return 2 * v.g.size * p.cg * p.kd * p.kr * p.ks


def _transformed(v: Any) -> int:
    """A 3 x 3 convolution by transformed tiles, which the plan counts."""
    return 2 * (v.g if hasattr(v, "g") else v.out).size * _plan(v.plan).cg * 9


def _attention(forward: bool) -> Callable[[Any], int]:
    def count(v: Any) -> int:
        # Forward: scores and results. Backward: scores, and the gradients of both factors of both products.
        width = v.width + v.value_width if forward else 3 * v.width + 2 * v.value_width
        return v.batch * v.heads * v.rows * v.keys * width * (1 if v.options.get("causal") else 2)

    return count


def _recurrence(gates: int) -> Callable[[Any], int]:
    def count(v: Any) -> int:
        hidden = getattr(v, "hidden", v.size)
        return 2 * v.rows * (gates * v.size * hidden + (v.size * hidden if hidden != v.size else 0))

    return count


_COUNTS: dict[str, Callable[[Any], int]] = {
    "gemm.product": _product, "gemm.dots": _product, "gemm_mapped.mapped": _product,
    "conv.convolve": _convolution, "winograd.winograd": _transformed,
    "conv_gradients.correlate": _correlation, "depthwise.correlate_few": _correlation,
    "winograd_gradients.correlate_tiles": _transformed,
    "attention.forward": _attention(True), "attention.backward": _attention(False),
    "recurrent.lstm": _recurrence(4), "recurrent.lstm_backward": _recurrence(4),
    "recurrent.gru": _recurrence(3), "recurrent.gru_backward": _recurrence(3),
    "recurrent.rnn": _recurrence(1), "recurrent.rnn_backward": _recurrence(1),
}  # fmt: skip
