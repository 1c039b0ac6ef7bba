"""Activations and gradients, layer by layer: vanishing, exploding, dead, saturated, and values to begin with.

All is read from the graph of one recorded forward pass after its backward: each layer with weights keeps its input
there, each ReLU, tanh and sigmoid its output. So it does not matter whether layers are modules or functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks.codes import LIMITS
from ..checks.findings import found, seen
from ..checks.initial import say_uninitialised, uninitialised
from ..checks.log import log

WEIGHTED = {"linear", "convolution", "convolution_transpose"}
VIEWS = {
    "view", "reshape", "permute", "transpose", "t", "unsqueeze", "unsqueeze_key", "squeeze", "squeeze_dim", "expand",
    "clone", "contiguous", "to", "to_copy", "to_format", "select", "slice",
}  # fmt: skip
# What lies between an activation and the next layer without deciding anything.
THROUGH = VIEWS | {
    "max_pool",
    "avg_pool",
    "window_max",
    "cat",
    "constant_pad_nd",
    "pad_end",
    "index",
    "mean",
    "mean_dim",
}


def kind(node) -> str:
    """The name of the operation of a node."""
    return getattr(getattr(node, "op", None), "name", "")


def scales(node) -> bool:
    """Whether a node multiplies by something that is not learned, as dropout does."""
    return kind(node) in ("mul", "div") and sum(e is not None for e in node.edges) == 1


@dataclass
class Layer:
    """One use of a weight: the node, the parameter and its name, sizes of activations and gradients."""

    node: Any
    weight: Any
    name: str
    input_rms: float
    weight_rms: float = 0.0
    weight_std: float = 0.0
    gradient_rms: float = 0.0
    used: list[str] = field(default_factory=list)


def rms(a: np.ndarray) -> float:
    """The root of the mean square; of some elements where there are very many."""
    if a.size == 0 or a.dtype.kind not in "fiu":
        return 0.0
    flat = a.reshape(-1)
    some = flat[:: flat.size // 500_000 + 1].astype(np.float64)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(some * some)))


def kept_input(node) -> np.ndarray | None:
    """The array of the input that the node of a layer has kept."""
    saved = getattr(node, "saved", None)
    entry = saved.get(0) if saved else None
    array = entry[0]._array if entry else None
    return array if type(array) is np.ndarray else None


def layers(nodes: list, names: dict[int, str]) -> list[Layer]:
    """The layers with weights among the nodes of a graph, first to last. names: id of a parameter -> its name."""
    made = []
    for node in sorted(nodes, key=lambda n: n.seq):
        if kind(node) not in WEIGHTED or len(node.edges) < 2:
            continue
        edge, array = node.edges[1], kept_input(node)
        if edge is None or edge[1] != -1 or array is None:
            continue
        w = edge[0]
        values = w._array
        made.append(
            Layer(
                node,
                w,
                names.get(id(w), ""),
                rms(array),
                rms(values),
                float(values.reshape(-1)[: 1 << 20].astype(np.float64).std()),
            )
        )
    return made


def read_gradients(chain: list[Layer]) -> None:
    """Fill in the sizes of the gradients, after the backward pass."""
    for layer in chain:
        g = layer.weight._grad
        layer.gradient_rms = rms(g._array) if g is not None else 0.0


# ------------------------------------------------------------------------------------------------ rules


def vanishing(chain: list[Layer]) -> bool:
    """INIT-01 by gradients: the first layers get (almost) nothing of what the last one gets."""
    limits = LIMITS["FB-INIT-01"]
    chain = [c for c in chain if c.weight._rg and c.gradient_rms > 0 and c.weight_rms > 0]
    if len(chain) < limits["layers"]:
        return False
    relative = [c.gradient_rms / c.weight_rms for c in chain]
    ratio = relative[0] / relative[-1]
    if not ratio < limits["ratio"]:
        return False
    steps = [b / a for a, b in zip(relative, relative[1:])]
    if np.median(steps) < 1.3:  # one weak layer, and no decay through all of them
        return False
    worst = int(np.argmax(steps))
    shrink = ratio ** (-1 / len(steps))
    found(
        "FB-INIT-01",
        saw=f"the gradient of {chain[0].name} is {ratio:.1g} of that of {chain[-1].name}, relative to the weights",
        why=f"it shrinks about {shrink:.2g} times through each of {len(chain)} layers, most between "
        f"{chain[worst].name} and {chain[worst + 1].name}: the first layers hardly learn",
        fix="use `nn.ReLU()` or `nn.GELU()` in place of sigmoid or tanh, normalisation layers, or skip connections",
        cause="vanishing",
        place=chain[0].name,
        confidence="likely",
        ratio=ratio,
    )
    return True


def saturated(nodes: list, chain: list[Layer]) -> bool:
    """INIT-01 by activations: nearly all outputs of a hidden tanh or sigmoid are at their limits."""
    limits = LIMITS["FB-INIT-01"]
    for node in sorted(nodes, key=lambda n: n.seq):
        name = kind(node)
        if name not in ("tanh", "sigmoid") or not any(c.node.seq > node.seq for c in chain):
            continue
        out = _kept_output(node)
        before = _weighted_before(node, chain)
        if out is None or out.size < 64 or before is None or not _feeds(node, chain, nodes):
            continue
        far = np.abs(out) > limits["tanh"] if name == "tanh" else np.abs(out - 0.5) > limits["sigmoid"] - 0.5
        share = float(far.mean())
        if share > limits["saturated"]:
            found(
                "FB-INIT-01",
                saw=f"{100 * share:.0f} % of the outputs of the {name} after {before.name} are at its limits",
                why="there its slope is almost 0, so hardly any gradient passes",
                fix=f"start from smaller weights, `nn.init.xavier_uniform_({before.name})`, scale the inputs, or put a "
                "normalisation layer before it",
                cause="saturated",
                place=before.name,
                confidence="likely",
                share=share,
            )
            return True
    return False


def exploding(chain: list[Layer]) -> bool:
    """INIT-02: activations that grow from layer to layer."""
    limits = LIMITS["FB-INIT-02"]
    sizes = [c.input_rms for c in chain]
    if len(sizes) < 4 or not all(s > 0 for s in sizes[1:]):
        return False
    hidden = sizes[1:]
    growths = [b / a for a, b in zip(hidden, hidden[1:])]
    longest = run = 0
    for g in growths:
        run = run + 1 if g > limits["growth"] else 0
        longest = max(longest, run)
    total = hidden[-1] / hidden[0]
    steady = len(growths) >= 2 and np.median(growths) > 1.2
    if not (total > limits["ratio"] and steady or longest >= limits["row"]):
        return False
    mean = total ** (1 / len(growths))
    first = chain[1]
    usual = math.sqrt(2 / max(1, first.weight._array[0].size))
    found(
        "FB-INIT-02",
        saw=f"activations grow about {mean:.2g} times per layer, {total:.1g} times over {len(hidden)} layers",
        why=f"the weights have std {first.weight_std:.2g} ({first.name}) where {usual:.2g} keeps the size: outputs and "
        "gradients get out of range",
        fix="use `nn.init.kaiming_normal_` for the weights, a normalisation layer, or "
        "`nn.utils.clip_grad_norm_(model.parameters(), 1.0)`",
        place=first.name,
        confidence="likely",
        growth=mean,
        total=total,
    )
    return True


Units = dict[str, tuple[Layer, Any, int]]  # layer's name -> (layer, which units after it are ever above 0, rows)


def relu_units(nodes: list, chain: list[Layer]) -> Units:
    """The units of each ReLU that feeds another layer, and which of them are above 0 for any sample."""
    made: Units = {}
    for node in nodes:
        if kind(node) != "relu":
            continue
        out, before = _kept_output(node), _weighted_before(node, chain)
        if out is None or before is None or out.ndim < 2 or not _feeds(node, chain, nodes):
            continue
        units = out.shape[1] if out.ndim >= 4 else out.shape[-1]
        rows = np.moveaxis(out, 1, -1) if out.ndim >= 4 else out
        rows = rows.reshape(-1, units)
        if units >= 4:
            made[before.name] = before, (rows > 0).any(0), len(rows)
    return made


def add_units(units: Units, more: Units) -> None:
    """Add what another batch shows."""
    for name, (_, alive, rows) in more.items():
        if name in units and units[name][1].shape == alive.shape:
            layer, before, count = units[name]
            units[name] = layer, np.logical_or(before, alive), count + rows


def mostly_dead(units: Units) -> tuple[Layer, np.ndarray, int] | None:
    """The layer with the largest share of dead units, if that is above the limit."""
    found = [u for u in units.values() if u[2] >= 16 and (~u[1]).mean() > LIMITS["FB-INIT-03"]["share"]]
    return max(found, key=lambda u: (~u[1]).mean(), default=None)


def dead(units: Units) -> bool:
    """INIT-03: ReLU units that are 0 for every sample."""
    limits, worst = LIMITS["FB-INIT-03"], mostly_dead(units)
    if worst is None:
        return False
    layer, alive, samples = worst
    count, total = int((~alive).sum()), len(alive)
    bias = next((e[0] for e in layer.node.edges[2:3] if e is not None and e[1] == -1), None)
    low = float(bias._array.mean()) if bias is not None else 0.0
    found(
        "FB-INIT-03",
        saw=f"{count} of {total} units after {layer.name} are 0 for all {samples} samples",
        why=f"a ReLU that is 0 passes no gradient, so they stay 0; the mean bias is {low:.3g}"
        if low < -0.5
        else "a ReLU that is 0 passes no gradient, so they stay 0",
        fix="start with a bias of 0, scale the inputs, lower the learning rate, or use `nn.LeakyReLU()`",
        level="W" if samples >= limits["samples"] or _far_below(layer) else "H",
        place=layer.name,
        confidence="certain" if count == total else "likely",
        share=count / total,
        samples=samples,
    )
    return True


def _far_below(layer: Layer) -> bool:
    """Whether most sums of a Linear lie so far below 0 that no sample will ever reach it."""
    x, w = kept_input(layer.node), layer.weight._array
    edge = layer.node.edges[2] if len(layer.node.edges) > 2 else None
    if kind(layer.node) != "linear" or x is None or edge is None or edge[1] != -1 or w.size > 1 << 22:
        return False
    sums = x.reshape(-1, x.shape[-1])[:256].astype(np.float64) @ w.T.astype(np.float64) + edge[0]._array
    return len(sums) >= 16 and float((sums.mean(0) + 6 * sums.std(0) < 0).mean()) > LIMITS["FB-INIT-03"]["share"]


def _kept_output(node) -> np.ndarray | None:
    saved = getattr(node, "saved", None)
    entry = saved.get(-1) if saved else None
    if entry is not None:
        return entry[0]._array if type(entry[0]._array) is np.ndarray else None
    entry = saved.get(0) if saved else None
    if entry is None or type(entry[0]._array) is not np.ndarray:
        return None
    x = entry[0]._array
    name = node.op.name
    with np.errstate(all="ignore"):
        return np.maximum(x, 0) if name == "relu" else np.tanh(x) if name == "tanh" else 1 / (1 + np.exp(-x))


def _weighted_before(node, chain: list[Layer]) -> Layer | None:
    """The layer whose output an activation works on, directly or through a norm."""
    of = {id(c.node): c for c in chain}
    for _ in range(8):
        if id(node) in of:
            return of[id(node)]
        edge = next((e for e in node.edges if e is not None and e[1] != -1), None)
        if edge is None:
            return None
        node = edge[0]
    return None


def _feeds(node, chain: list[Layer], nodes: list) -> bool:
    """Whether what an activation gives goes into a layer with weights, and not into a product (a gate)."""
    users: dict[int, list] = {}
    for n in nodes:
        for e in n.edges:
            if e is not None and e[1] != -1:
                users.setdefault(id(e[0]), []).append(n)
    stack, met = [node], {id(node)}
    while stack:
        for user in users.get(id(stack.pop()), ()):
            name = kind(user)
            if name in WEIGHTED:
                return True
            if id(user) not in met and (name in THROUGH or "norm" in name or scales(user)):
                met.add(id(user))
                stack.append(user)
    return False


# ------------------------------------------------------------------------------------------------ values to begin with


def initial_values(model: Any, chain: list[Layer], trained: bool) -> None:
    """INIT-04: parameters that were never given a value, equal units, zero layers, weights out of scale."""
    for p in model.parameters():
        if (made := uninitialised(p)) is not None:
            say_uninitialised(p, made[0])
            return
    own = [c for i, c in enumerate(chain) if c.weight._rg and all(c.weight is not d.weight for d in chain[:i])]
    if trained or log.loaded or not own:
        return
    for first, second in zip(own, own[1:]):
        a, b = (c.weight._array.reshape(len(c.weight._array), -1) for c in (first, second))
        if not a.any() and not b.any() and first.weight_rms == second.weight_rms == 0:
            found(
                "FB-INIT-04",
                saw=f"{first.name} and {second.name} are both all zero",
                why="each of them is multiplied by the other in the gradient, so neither ever changes",
                fix=f"give them random values: `nn.init.kaiming_uniform_({first.name})`",
                cause="all-zero",
                place=first.name,
            )
            return
        equal = len(a) > 1 and bool((a == a[:1]).all()) and a.any()
        if equal and b.shape[1] == len(a) and bool((b == b[:, :1]).all()):
            found(
                "FB-INIT-04",
                saw=f"all {len(a)} units of {first.name} start with the same weights ({a[0, 0]:.3g}, ...)",
                why="they compute the same, get the same gradient, and stay identical for ever",
                fix=f"leave the default, or use `nn.init.xavier_uniform_({first.name})`",
                cause="symmetric",
                place=first.name,
            )
            return
    for c in own:
        _scale(c, own)


def _scale(c: Layer, own: list[Layer]) -> None:
    limits = LIMITS["FB-INIT-04"]
    shape, usual, ratio = c.weight._array.shape, _usual(c), c.weight_std / _usual(c)
    if c.weight_std == 0 or limits["low"] <= ratio <= limits["high"] or _narrow_said(c, own):
        return
    symptoms = seen("FB-LOOP-06", "FB-INIT-01", "FB-INIT-02", "FB-INIT-03")
    large = ratio > limits["high"] and not symptoms
    # One small layer may be meant (a head, the end of a residual branch), two in a row are not.
    small = (
        ratio < limits["tiny"]
        and (after := own[own.index(c) + 1 :])
        and after[0].weight_std / _usual(after[0]) < (limits["tiny"])
    )
    found(
        "FB-INIT-04",
        saw=f"{c.name} has std {c.weight_std:.3g}; for {math.prod(shape[1:])} inputs {usual:.2g} keeps the scale",
        why="each layer multiplies the scale of activations and gradients by what its weights are off",
        fix=f"leave the default, or use `nn.init.kaiming_normal_({c.name})`",
        cause="scale",
        level="W" if large or small else "H",
        place=c.name,
        confidence="likely",
        ratio=ratio,
    )


def _usual(c: Layer) -> float:
    """The std that keeps the scale of activations through ReLUs."""
    return math.sqrt(2 / max(1, math.prod(c.weight._array.shape[1:])))


def _narrow_said(c: Layer, own: list[Layer]) -> bool:
    """Whether the layer before is off in the same way: the first one stands for all."""
    at = own.index(c)
    before = own[at - 1] if at else None
    low, high = LIMITS["FB-INIT-04"]["low"], LIMITS["FB-INIT-04"]["high"]
    if before is None or before.weight_std == 0:
        return False
    mine, other = c.weight_std / _usual(c), before.weight_std / _usual(before)
    return mine < low and other < low or mine > high and other > high


def linear_chain(nodes: list, chain: list[Layer]) -> None:
    """MOD-07: layers with weights that follow each other with nothing in between."""
    of = {id(c.node): c for c in chain}
    pairs = []
    for c in chain:
        edge = c.node.edges[0]
        for _ in range(8):
            if edge is None or edge[1] == -1:
                break
            if id(edge[0]) in of:
                pairs.append((of[id(edge[0])], c))
                break
            if kind(edge[0]) not in VIEWS and not scales(edge[0]):
                break
            edge = next((e for e in edge[0].edges if e is not None), None)
    pairs = [(a, b) for a, b in pairs if not _factors(a, b)]
    if not pairs:
        return
    whole = len(chain) >= 2 and all(_is_linear(n) for n in nodes)
    names = list(dict.fromkeys(c.name for pair in pairs for c in pair))
    listed = ", ".join(names)
    inputs = math.prod(pairs[0][0].weight._array.shape[1:])
    found(
        "FB-MOD-07",
        saw=f"{listed} follow each other without an activation",
        why=f"together they are one linear map of {inputs} inputs: the model cannot learn more than a single layer"
        if whole
        else f"together they are one linear map of {inputs} inputs",
        fix="put `nn.ReLU()` between them",
        level="W" if whole else "H",
        place=names[0],
        confidence="certain" if whole else "possible",
        layers=len(names),
    )


def _factors(a: Layer, b: Layer) -> bool:
    """Whether two layers are meant as factors of one: narrower than both ends, or grouped convolutions."""
    first, second = a.weight._array.shape, b.weight._array.shape
    width, ends = first[0], (math.prod(first[1:]), second[0])
    groups = max(n.options.get("groups", 1) for n in (a.node, b.node))
    return groups > 1 or width < min(ends) or width <= 4


_LINEAR = VIEWS | WEIGHTED | {"add", "sub", "neg", "mean", "mean_dim", "sum", "sum_dim", "stack", "cat", "avg_pool"}


def _is_linear(node) -> bool:
    if kind(node) in ("matmul", "matmul_nd", "mv", "bmm"):
        return sum(e is not None for e in node.edges) == 1
    return kind(node) in _LINEAR or scales(node)
