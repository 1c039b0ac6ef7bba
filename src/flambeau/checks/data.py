"""Data that cannot be learned from: inputs out of scale or not finite, rows shuffled apart or sorted.

Inputs are looked at where they enter the first layer with weights, so that what the program does to them before
counts, in the first calls of a layer. What comes later shows in the loss: numbers.py.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np

from ..place import module_path
from . import events
from .codes import LIMITS
from .findings import found
from .log import log
from .registry import library_class, modules, owner, parameters, roots
from .sites import Site, user_site
from .tags import origin

LOOKS = 3  # calls of a layer in which its input is looked at

# ------------------------------------------------------------------------------------------------ inputs


def first_layer(tensors) -> None:
    """A layer is recorded whose input takes no part in differentiation, but whose weight `tensors[1]` does."""
    weight = tensors[1]
    n = weight._fb_looks
    if n < LOOKS:
        weight._fb_looks = n + 1
        look(tensors[0], weight, n)


def watch_layers() -> None:
    """Have the layers with weights tell of their inputs."""
    from ..ops.entry import PRIMITIVES

    for name in FIRST:
        PRIMITIVES[name].look = first_layer


def look(input, weight, n: int = 0) -> None:
    """DATA-02 and DATA-04 for the input of a first layer; n: how often its weight was used before."""
    a = input._array
    if type(a) is not np.ndarray or a.dtype.kind != "f" or a.size < 2 or weight._node is not None and n:
        return
    with np.errstate(all="ignore"):
        if not np.isfinite(np.add.reduce(a, None)) and _not_finite(input, a, weight):
            return
        if a.size >= 32:
            _scale(input, a, weight)


def _not_finite(input, a, weight) -> bool:
    bad = ~np.isfinite(a)
    count = int(bad.sum())
    if not count or not np.isfinite(weight._array).all() or not _is_data(input, weight, False):
        return False
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    value = float(a[index])
    site = user_site()
    x = _argument(site)
    found(
        "FB-DATA-04",
        saw=f"{count} of {a.size} input values of shape {tuple(a.shape)} are not finite; the first is {value} at index "
        f"{index}",
        why="all that is computed from it becomes NaN: outputs, loss, and then every weight",
        fix=f"use `torch.nan_to_num({x})` in its place, and leave what is missing out of the loss; or drop the samples",
        cause="nan" if value != value else "inf",
        at=site,
        count=count,
        index=index,
    )
    return True


def _scale(input, a, weight) -> None:
    limits = LIMITS["FB-DATA-02"]
    most = int(limits["elements"])
    some = a if a.size <= most else a.reshape(-1)[:: a.size // most + 1] if a.ndim != 2 else a[:: -(-a.size // most)]
    some = some.astype(np.float64)
    mean, std = float(some.mean()), float(some.std())
    far = std > limits["std"] or abs(mean) > limits["mean"] and std > 0 and abs(mean) > limits["mean"] * std
    uneven = 0.0
    if not far and some.ndim == 2 and len(some) >= 16 and some.shape[1] > 1:
        columns = some.std(0)
        varying = columns[columns > 1e-5 * (np.abs(some).max(0) + 1e-30)]
        if varying.size > 1:
            uneven = float(varying.max() / varying.min())
    if not (far or uneven > limits["ratio"]):
        return
    low, high = float(some.min()), float(some.max())
    pixels = low >= 0 and high <= 255 and high > 1 and bool((some == np.floor(some)).all())
    if not _is_data(input, weight, pixels):
        return
    site = user_site()
    x, layer = _argument(site), module_path(sys._getframe()) or "the first layer"
    if far:
        found(
            "FB-DATA-02",
            saw=f"{layer} receives values from {low:.4g} to {high:.4g} (mean {mean:.3g}, std {std:.3g})",
            why="layers begin with weights for inputs around 0 with a spread of about 1: larger ones saturate units "
            "and blow up the first loss and gradients",
            fix=f"scale the inputs: `{x} / 255`"
            if pixels and high > 128
            else f"scale the inputs: `({x} - {x}.mean(0)) / ({x}.std(0) + 1e-8)`, by mean and std of the training data",
            cause="pixels" if pixels else "scale",
            at=site,
            mean=mean,
            std=std,
        )
    else:
        found(
            "FB-DATA-02",
            saw=f"the features that {layer} receives differ in spread by a factor of {uneven:.3g}",
            why="one learning rate cannot suit them all: the largest feature decides, the small ones are not learned",
            fix=f"standardise each feature: `({x} - {x}.mean(0)) / ({x}.std(0) + 1e-8)`, with mean and std of the "
            "training data",
            cause="uneven",
            at=site,
            ratio=uneven,
        )


def _is_data(input, weight, raw: bool) -> bool:
    """Whether an input is the program's data, and not what a network (frozen, detached, another one) has computed.

    raw: its values show it already. Looked up when something is about to be said.
    """
    base = input if input._base is None else input._base
    if base._node is not None or base._rg:
        return False
    sizes = {cut.shape for cut in log.cuts if cut.step == log.steps and cut.kind in ("detach", "data", "numpy")}
    if input._array.shape in sizes or base._array.shape in sizes:
        return False
    if raw or origin(input).kind == "loader":
        return True
    gc.collect()  # models that nothing refers to any more computed nothing
    root, _ = owner(weight)
    quiet = any(cut.kind == "no_grad" and cut.step == log.steps for cut in log.cuts)
    for other in roots():
        if other is not root and (weights := [p for p in parameters(other) if p._array.ndim > 1]):
            if quiet or not other.training or not any(p._rg for p in weights):
                return False
    if root is not None:
        for p in parameters(root):
            if p is weight:
                return True
            if p._array.ndim > 1 and not p._rg:
                return False  # frozen layers come before this one
    return True


def _argument(site: Site | None) -> str:
    """The source of the first argument of the call at a site; "x" where it cannot be read."""
    import ast  # only needed for a message

    e = site.expression() if site is not None else None
    if isinstance(e, ast.Call) and e.args and not isinstance(e.args[0], ast.Starred):
        return ast.unparse(e.args[0])
    return "x"


# ------------------------------------------------------------------------------------------------ rows


class Rows:
    """Which rows of what a tensor holds: `order` (indices), `site` where they were chosen, `source` (memory)."""

    __slots__ = ("order", "site", "source")

    def __init__(self, order, site, source):
        self.order, self.site, self.source = order, site, source


def rows_chosen(t, order, made) -> None:
    """`made` holds the rows `order` (an array) of `t`, at least half of them."""
    if order.size < LIMITS["FB-DATA-05"]["rows"]:
        return
    before = rows_of(t)
    if before is not None:
        try:
            order = before.order[order]
        except IndexError:
            return
        source = before.source
    else:
        source = (t if t._base is None else t._base)._array
    made._fb_rows = Rows(order, user_site(), source)


def rows_of(t) -> Rows | None:
    """Which rows were chosen to make a tensor, itself or what it is a view of."""
    own = t._fb_rows
    return own if own is not None or t._base is None else t._base._fb_rows


def meet(tensors) -> bool:
    """DATA-05: tensors whose rows belong together, but were chosen by different orders."""
    known = [(t, r) for t in tensors if (r := rows_of(t)) is not None]
    for i, (t, mine) in enumerate(known):
        for u, other in known[:i]:
            if _apart(t, mine, u, other):
                first, second = (other, mine) if len(other.order) else (mine, other)
                _said_apart(first, second)
                return True
    return False


def _apart(t, mine: Rows, u, other: Rows) -> bool:
    a, b = mine.order, other.order
    if a.size != b.size or mine.source is other.source or np.array_equal(a, b):
        return False
    if len(mine.source) != len(other.source):
        return False
    targets = [x for x in (t, u) if x._array.ndim == 1 or x._array.dtype.kind in "iub" or x._array.shape[1:] == (1,)]
    if not targets:  # two sets of images, say: they need not be pairs
        return False
    shuffled = (np.diff(a) < 0).any() or (np.diff(b) < 0).any()
    return bool(shuffled and len(np.unique(a)) == a.size and len(np.unique(b)) == b.size)


def _said_apart(first: Rows, second: Rows) -> None:
    n = second.order.size
    where = second.site or first.site
    names = [e for r in (first, second) if r.site is not None for e in r.site.operands()[:1]]
    x, y = names if len(names) == 2 and names[0] != names[1] else ("x", "y")
    lines = [r.site.line if r.site is not None else 0 for r in (first, second)]
    found(
        "FB-DATA-05",
        saw=f"{x} was put in one order on line {lines[0]} and {y} in another one on line {lines[1]}, {n} rows each",
        why="row i of one no longer belongs to row i of the other, so there is nothing to learn",
        fix=f"draw one order, `p = torch.randperm({n})`, and use it for both: `{x}[p]`, `{y}[p]`",
        cause="permutations",
        at=where,
    )


def _loss_meets(roots) -> None:
    """DATA-05 where a loss's target and the input of a first layer behind it come in different orders."""
    nodes = events.graph(roots)
    inputs, targets = [], []
    for node in nodes:
        saved, name = getattr(node, "saved", None), getattr(getattr(node, "op", None), "name", "")
        if saved and name in TARGET_OPS and saved.get(1):
            targets.append(saved[1][0])
        elif saved and name in FIRST and node.edges[0] is None and saved.get(0):
            inputs.append(saved[0][0])
    if inputs and targets:
        meet((inputs[0], targets[0]))


FIRST = ("linear", "convolution", "convolution_transpose")
TARGET_OPS = {
    "cross_entropy_loss", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
}  # fmt: skip
events.before_backward_early.append(_loss_meets)

# ------------------------------------------------------------------------------------------------ labels and loaders


def categorical(values: np.ndarray) -> bool:
    """Whether numbers are classes: integers, few of them for their count."""
    if values.dtype.kind not in "iub" or values.size == 0:
        return False
    kinds = len(np.unique(values))
    return kinds <= LIMITS["FB-DATA-06"]["classes"] and kinds <= max(values.size // 5, 2)


def entropy(labels: np.ndarray) -> float:
    """The entropy of labels, in nats."""
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(p * np.log(p)).sum())


def sorted_rows(batches: np.ndarray, everything: np.ndarray, loader: Any) -> bool:
    """Report DATA-06 if the labels of the first batches are much purer than all labels."""
    of_all = entropy(everything)
    each = float(np.mean([entropy(b) for b in batches]))
    if of_all <= 0 or each >= LIMITS["FB-DATA-06"]["share"] * of_all:
        return False
    kinds = float(np.mean([len(np.unique(b)) for b in batches]))
    found(
        "FB-DATA-06",
        saw=f"each of the first {len(batches)} batches holds {kinds:.2g} of {len(np.unique(everything))} classes",
        why="the rows are sorted by label and not shuffled: each step unlearns what the one before taught",
        fix=f"use `DataLoader(..., batch_size={loader.batch_size}, shuffle=True)`",
        at=loader.__dict__.get("_fb_site"),
        entropy=each,
        entropy_of_all=of_all,
    )
    return True


class _Order:
    """The labels of the batches that a loader has given so far."""

    __slots__ = ("backwards", "done", "labels")

    def __init__(self):
        self.labels, self.backwards, self.done = [], log.backwards, False


def _follow(loader, iterator, data, seconds) -> None:
    """DATA-06 while training: labels of the first batches of a loader that reads in order."""
    state = loader.__dict__.get("_fb_order")
    number = iterator._num_yielded
    if state is None or number == 1 and not state.done:
        state = loader.__dict__["_fb_order"] = _Order()
        state.done = not _reads_in_order(loader)
    if state.done:
        return
    labels = _labels_in(data)
    if labels is None:
        state.done = True
        return
    state.labels.append(labels)
    if number == int(LIMITS["FB-DATA-06"]["batches"]) or number == len(loader):
        state.done = True
        full = [b for b in state.labels if len(b) == loader.batch_size]
        trained = log.backwards - state.backwards >= len(full) - 1  # the last batch is still to come
        if len(full) >= 3 and trained:
            known = _all_labels(loader.dataset)
            everything = np.concatenate(full) if known is None else known
            if categorical(everything):
                sorted_rows(np.stack(full), everything, loader)


def _reads_in_order(loader) -> bool:
    return (
        library_class(loader.batch_sampler) == "BatchSampler"
        and library_class(loader.sampler) == "SequentialSampler"
        and loader.batch_size >= 4
        and _is_recording()
    )


def _is_recording() -> bool:
    from ..autograd.mode import is_grad_enabled

    return is_grad_enabled()


def _labels_in(data) -> np.ndarray | None:
    """The labels in a batch (x..., y) or {..., "label": y}."""
    if isinstance(data, dict):
        last: Any = next((data[k] for k in ("labels", "label", "targets", "target", "y") if k in data), None)
    else:
        last = data[-1] if isinstance(data, (tuple, list)) and len(data) > 1 else None
    a = getattr(last, "_array", None)
    if a is None or a.dtype.kind not in "iub" or not (a.ndim == 1 or a.ndim == 2 and a.shape[1] == 1):
        return None
    return a.reshape(-1)


def _all_labels(dataset) -> np.ndarray | None:
    """All labels of a data set that keeps them as one tensor, array or list."""
    tensors = getattr(dataset, "tensors", None)
    values: Any = tensors[-1] if tensors else getattr(dataset, "targets", getattr(dataset, "labels", None))
    values = getattr(values, "_array", values)
    if isinstance(values, list) and values and isinstance(values[0], int):
        values = np.asarray(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iub" and values.ndim == 1:
        return values
    return None


events.batch_given.append(_follow)


def last_batch_of_one(loader, layer: str) -> None:
    """DATA-09: the last batch has one sample, which the BatchNorm `layer` cannot train on."""
    if library_class(loader.batch_sampler) != "BatchSampler" or loader.drop_last or loader.batch_size == 1:
        return
    n, size = len(loader.sampler), loader.batch_size
    if n % size != 1 or n < size:
        return
    other = next(b for b in range(size - 1, 0, -1) if n % b != 1)
    found(
        "FB-DATA-09",
        saw=f"{n} samples in batches of {size} leave a last batch of 1, and {layer} cannot train on a single sample",
        why=f"one value per channel has no variance: the epoch fails at batch {n // size + 1}",
        fix=f"use `DataLoader(..., batch_size={size}, drop_last=True)`, or `batch_size={other}`",
        at=loader.__dict__.get("_fb_site"),
        samples=n,
        batch_size=size,
    )


def _before_the_epoch(loader, iterator) -> None:
    """DATA-09 when a training loader is first gone through."""
    size = loader.batch_size
    if size is None or size < 2 or loader.drop_last or "_fb_last" in loader.__dict__:
        return
    loader.__dict__["_fb_last"] = True
    try:
        n = len(loader.sampler)
    except (TypeError, NotImplementedError):
        return
    if n % size == 1 and n > size and _is_recording() and log.live_optimizers():
        held = {id(p) for o in log.live_optimizers() for g in o.param_groups for p in g["params"]}
        for module in modules():
            layer = flat_norm(module)
            if layer is not None and any(id(p) in held for p in parameters(layer)):
                last_batch_of_one(loader, repr(layer))
                return


def flat_norm(module):
    """The BatchNorm among the parts of a module that follows a Linear (one value per channel and sample), or None."""
    before = None
    for part in module._modules.values():
        kind = type(part).__name__
        if kind == "BatchNorm1d" and part.training and type(before).__name__ == "Linear":
            if before.out_features == part.num_features:
                return part
        before = part if part is not None else before
    return None


events.loader_started.append(_before_the_epoch)


def single_value_advice() -> tuple[str, int, int]:
    """(data set's name, samples, batch size) of the loader batch that a BatchNorm has just failed on; ("", 0, 0)."""
    batch = log.batch
    loader = batch.loader() if batch is not None else None
    if loader is None or batch.size != 1 or not loader.batch_size or loader.batch_size < 2:
        return "", 0, 0
    try:
        return type(loader.dataset).__name__, len(loader.sampler), loader.batch_size
    except (TypeError, NotImplementedError):
        return "", 0, 0
