"""Targets of losses: classes on the wrong axis, padding that counts, sizes that differ, class numbers as amounts."""

from __future__ import annotations

import numpy as np

from ..language import warn
from .axes import feature_axis, over_batch
from .codes import LIMITS
from .events import graph
from .findings import found
from .log import log
from .safety import safe
from .sites import arguments, called, user_site
from .tags import origin

# ---------------------------------------------------------------------- classes on the wrong axis


def _features_last(t) -> bool:
    """Whether the last dimension holds what a linear layer made, or log-probabilities."""
    made, last = origin(t), t._array.ndim - 1
    if made.kind in ("softmax", "log_softmax") and not made.moved and not made.reshaped:
        return made.options.get("axis") == last
    return feature_axis(t) == last


def classes_last(name: str, input, target) -> bool:
    """Look for scores (N, T, C) where the classes have to be in dimension 1."""
    a, t = input._array, target._array
    if a.ndim < 3 or t.shape != a.shape[:-1] or t.shape[1:] != a.shape[2:] or not _features_last(input):
        return False
    text, other = arguments(user_site(), "input", "target")
    shape, classes = tuple(a.shape), a.shape[-1]
    last = a.ndim - 1
    saw = (
        f"{name} takes dimension 1 as the classes, but `{text}` of shape {shape} has its {classes} scores in "
        f"dimension {last}"
    )
    why = "it compares the scores of different positions, and only runs because the two sizes are equal"
    found("FB-LOSS-04", saw, why, classes_first(a.shape, text, other), cause="last")
    return True


@safe
def classes_first(shape, text: str, other: str) -> str:
    """What brings scores (N, ..., C) and targets (N, ...) into the form that cross_entropy takes."""
    last = len(shape) - 1
    if last == 2:
        return f"use `{text}.transpose(1, 2)`, or `{text}.flatten(0, 1)` with `{other}.flatten()`"
    order = ", ".join(map(str, (0, last, *range(1, last))))
    return f"use `{text}.permute({order})`"


# ---------------------------------------------------------------------- padding


def padding(name: str, input, target, weight, ignore_index: int, reduction: str) -> None:
    """Look for targets at padded positions that count in the loss."""
    a, t = input._array, target._array
    if reduction == "none" or t.size < 4 or t.dtype.kind not in "iu":
        return
    classes = a.shape[1] if a.ndim > 1 else a.shape[0]
    if input._node is None:
        return
    flat = t.reshape(-1)
    for ids, table, pad in _lookups(input):
        if pad is not None and pad >= 0:
            value = _padded(flat, classes, ids, table, pad)
            if value is not None and _counts(value, weight, ignore_index):
                _report(name, target, flat, value, pad)
                return
        elif pad is None or pad < 0:
            value = _guessed(flat, ids)
            if value is not None and _counts(value, weight, ignore_index):
                note = log.notes.setdefault("FB-LOSS-11", {})
                note[value] = note.get(value, 0) + 1
                if note[value] >= LIMITS["FB-LOSS-11"]["batches"]:
                    _report(name, target, flat, value, None)
                    return


def unrecorded(input, weight, padding) -> None:
    """An embedding that is frozen, or runs under no_grad, was looked up: no graph will tell."""
    if type(input._array) is np.ndarray and input._array.ndim > 1:
        note = log.notes.setdefault("looked up", [])
        note.append((log.steps, log.backwards, input._array, weight._array.shape[0], padding))
        del note[:-4]


def _lookups(input):
    """(the indices, the number of rows, padding_idx) of the embeddings behind a tensor, or else of the last ones."""
    several = False
    for node in graph([input], 4000):
        if getattr(getattr(node, "op", None), "name", "") == "embedding":
            ids, table = _looked_up(node)
            several = True
            if ids is not None:
                yield ids, table, node.options.get("padding")
    if not several:
        for steps, backwards, ids, table, pad in log.notes.get("looked up", ()):
            if (steps, backwards) == (log.steps, log.backwards):
                yield ids, table, pad


def _looked_up(node):
    """(the indices that an embedding looked up, the number of its rows)."""
    ids = table = None
    for _, (kept, *_) in (node.saved or {}).items():
        kind = kept._array.dtype.kind
        ids = kept._array if kind in "iu" else ids
    for edge in node.edges:
        if edge is not None:
            table = edge[2][0]
    return ids, table


def _padded(flat, classes, ids, table, pad):
    """The value of the targets at padded positions, if it can be told."""
    if ids.ndim > 1 and ids.size == flat.size:  # the same positions, as in tagging
        padded = ids.reshape(-1) == pad
        if padded.any() and not padded.all():
            values = np.unique(flat[padded])
            if len(values) == 1 and (values[0] == pad or not (flat[~padded] == values[0]).any()):
                return int(values[0])
    if classes == table and ids.ndim > 1 and (flat == pad).any() and (ids == pad).any():  # the next word
        return pad
    return None


def _guessed(flat, ids):
    """The value at the ends of rows where the rows that were looked up end in one value too."""
    if ids.ndim != 2 or ids.size != flat.size or ids.shape[1] < 3:
        return None
    rows = flat.reshape(ids.shape)
    pad, value = ids[:, -1], rows[:, -1]
    (p, n), (v, m) = _commonest(pad), _commonest(value)
    inputs, targets = _suffix(ids, p), _suffix(rows, v)
    limit = LIMITS["FB-LOSS-11"]
    if min(n, m) < limit["rows"] * len(ids) or (inputs.sum(1) >= 2).mean() < limit["rows"]:
        return None
    if targets.mean() < limit["positions"] or (inputs & ~targets).any() or ((targets & ~inputs).sum(1) > 1).any():
        return None
    inner = ids[~inputs]
    return None if (inner == p).any() else int(v)


def _commonest(values):
    kinds, counts = np.unique(values, return_counts=True)
    return kinds[counts.argmax()], counts.max()


def _suffix(rows, value):
    """True where a row holds nothing but `value` from there on."""
    same = rows == value
    return np.logical_and.accumulate(same[:, ::-1], 1)[:, ::-1]


def _counts(value, weight, ignore_index) -> bool:
    """Whether targets of a value count in the loss."""
    if value == ignore_index:
        return False
    return weight is None or not (0 <= value < weight._array.size) or weight._array[value] != 0


def _report(name, target, flat, value, pad):
    share = float((flat == value).mean())
    site = user_site()
    function = called(site, name)
    # A loss object takes ignore_index where it is made, a function where it is called.
    fix_function = function.rpartition(".")[2] in ("cross_entropy", "nll_loss")
    made = "nn.CrossEntropyLoss" if name == "cross_entropy" else "nn.NLLLoss"
    fix = (
        f"use `{function}(..., ignore_index={value})`"
        if fix_function
        else f"use `{made}(ignore_index={value})`, or `F.{name}(..., ignore_index={value})`"
    )
    other = arguments(site, "input", "target")[1]
    if pad is not None:
        found("FB-LOSS-11", f"{share:.0%} of the targets `{other}` are {value}, where the Embedding's input is its "
              f"padding_idx {pad}, and they count in the loss",
              "the model learns to predict the padding, and the loss looks better than it is", fix,
              cause="padding_idx", share=share)  # fmt: skip
    else:
        found("FB-LOSS-11", f"{share:.0%} of the targets `{other}` are {value}, at the ends of rows where the input "
              "is padded too, and they count in the loss",
              "the model learns to predict the padding, and the loss looks better than it is", fix,
              cause="row-ends", confidence="likely", share=share)  # fmt: skip


# ---------------------------------------------------------------------- sizes that differ


@safe
def sizes_differ(name: str, input, target) -> None:
    """Say that prediction and target of an elementwise loss have different shapes, in place of PyTorch's warning."""
    a, b = input._array.shape, target._array.shape
    sentence = (
        f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will "
        "likely lead to incorrect results due to broadcasting. Please ensure they have the same size."
    )
    try:
        both = np.broadcast_shapes(a, b)
    except ValueError:
        return  # an error follows
    site = user_site() if log.on else None
    if site is None or site.library:
        warn(sentence, stacklevel=6)
        return
    text, other = arguments(site, "input", "target")
    first, second = tuple(a), tuple(b)
    if both in (a, b):
        found("FB-LOSS-07", f"{name} compared {first} with {second}: one of them was repeated",
              "each prediction is compared with a target that is shared by several",
              f"if that is not meant, give `{text}` and `{other}` one shape", level="H", cause="one-sided")  # fmt: skip
        warn(sentence, stacklevel=6)  # as PyTorch does
        return
    pairs = int(np.prod(both))
    fix = same_shape(input, target)
    found("FB-LOSS-07",
          f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will "
          "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
          f"{name} compares `{text}` {first} with `{other}` {second} as all {pairs} pairs, and pulls every "
          f"prediction to the mean of `{other}`", fix, cause="two-sided", pairs=pairs)  # fmt: skip


def all_pairs(name: str, input, target) -> None:
    """Say that a loss, which PyTorch has no warning for, compares all predictions with all targets."""
    a, b = input._array.shape, target._array.shape
    if len(a) != len(b) and log.on and (site := user_site()) is not None and not site.library:
        if len(both := np.broadcast_shapes(a, b)) and both not in (a, b):
            sizes_differ(name, input, target)


def same_shape(input, target) -> str:
    """What gives prediction and target one shape, as advice."""
    a, b = input._array.shape, target._array.shape
    text, other = arguments(user_site(), "input", "target")
    squeezed = next((i for i in range(len(a)) if a[i] == 1 and a[:i] + a[i + 1 :] == b), None)
    if squeezed is not None:
        return f"use `{text}.squeeze({squeezed})`, or `{other}.unsqueeze({squeezed})`"
    squeezed = next((i for i in range(len(b)) if b[i] == 1 and b[:i] + b[i + 1 :] == a), None)
    if squeezed is not None:
        return f"use `{other}.squeeze({squeezed})`, or `{text}.unsqueeze({squeezed})`"
    if np.prod(a) == np.prod(b):
        return f"use `{other}.reshape({text}.shape)`"
    return f"give `{text}` and `{other}` one shape: {tuple(a)} or {tuple(b)}"


# ---------------------------------------------------------------------- class numbers as amounts


@safe
def class_numbers(name: str, input, target) -> None:
    """Look for a regression loss whose target holds class numbers."""
    a, t = input._array, target._array
    if a.shape == t.shape and over_batch(origin(input), input):
        return
    if not t.size or t.size > 1_000_000 or t.dtype.kind not in "fiu":
        return
    if t.dtype.kind == "f" and (not (t == np.floor(t)).all() or t.min() < 0):
        return
    limit = LIMITS["FB-LOSS-08"]
    if t.min() < 0 or t.max() > limit["most"]:
        return
    note = log.notes.setdefault("FB-LOSS-08", {})
    site = user_site()
    key = site.key if site is not None else name
    values = note[key] = note.get(key, set()) | set(np.unique(t).astype(int).tolist())
    count = max(values) + 1
    if len(values) != count or not limit["least"] <= count <= limit["most"]:
        return
    text, other = arguments(site, "input", "target")
    top = count - 1
    columns = a.shape[-1] if a.ndim > 1 else 1
    one_each = t.shape[:1] == a.shape[:1] and t.size == a.size // max(columns, 1)
    if columns == count and t.shape != a.shape and one_each:
        found("FB-LOSS-08", f"the target `{other}` holds the {count} class numbers 0..{top}, and {name} compares each "
              f"with all {count} outputs of `{text}`",
              f"every output learns the number of the class, as an amount: {top} is {top} times as far from 0 as 1 is",
              f"use `F.cross_entropy({text}, {other}.flatten().long())`, or `F.one_hot` targets",
              cause="columns", level="W")  # fmt: skip
    elif t.dtype.kind in "iu" or origin(target).options.get("integers"):
        found("FB-LOSS-08", f"the target `{other}` is an integer label with the {count} values 0..{top}, and {name} "
              "treats them as amounts",
              f"it claims that {top} is further from 0 than 1 is",
              f"for classes use {count} outputs and `F.cross_entropy`; if the numbers are real amounts, ignore this",
              cause="label", level="H")  # fmt: skip
