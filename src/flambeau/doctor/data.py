"""The data before training: the data set by hand, the loader's batches, labels, and training against validation."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks.codes import LIMITS
from ..checks.data import categorical, last_batch_of_one, meet, sorted_rows
from ..checks.findings import found
from ..tensor import Tensor
from ..utils.data import (
    BatchSampler,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)
from .batches import TARGETS, Source, tensors_in


def fetch_samples(source: Source) -> Callable[[], Any]:
    """DATA-01: fetch samples 0, 1, n // 2 and n - 1; gives the function that puts them into one batch."""
    dataset, loader = source.dataset, source.loader
    if dataset is None or isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        return _nothing
    n = len(dataset)
    if not n or loader is not None and loader.batch_sampler is None:
        return _nothing
    samples = [dataset[i] for i in sorted({0, min(1, n - 1), n // 2, n - 1})]
    collate = loader.collate_fn if loader is not None else default_collate
    return lambda: collate(samples)


def _nothing() -> None:
    pass


# ------------------------------------------------------------------------------------------------ columns of a data set


def column(dataset: Any, most: int, *, spread: bool = True) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """(indices, {field: values of these samples}) of a map-style data set; None where fields cannot be stacked."""
    n = _length(dataset)
    if not n or not hasattr(dataset, "__getitem__") or isinstance(dataset, IterableDataset):
        return None
    if _tensors_of(dataset) is None:
        most = min(most, _affordable(dataset))
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int)) if spread else np.arange(min(n, most))
    whole = _tensors_of(dataset)
    if whole is not None:
        tensors, rows = whole
        at = chosen if rows is None else rows[chosen]
        return chosen, {f"field {i}": t._array[at] for i, t in enumerate(tensors)}
    samples = [_fields(dataset[int(i)]) for i in chosen]
    names = samples[0].keys()
    if any(s.keys() != names for s in samples):
        return None
    made = {}
    for name in names:
        values = [s[name] for s in samples]
        if all(v.shape == values[0].shape for v in values):
            made[name] = np.stack(values)
    return chosen, made


def _tensors_of(dataset) -> tuple[tuple, np.ndarray | None] | None:
    """(tensors, rows) behind a TensorDataset or a subset of one, so that no sample is fetched one by one."""
    rows = None
    while isinstance(dataset, Subset):
        own = np.asarray([int(i) for i in dataset.indices], dtype=np.int64)
        rows = own if rows is None else own[rows]
        dataset = dataset.dataset
    if type(dataset) is TensorDataset:
        return dataset.tensors, rows
    return None


def _affordable(dataset) -> int:
    """How many samples can be fetched one by one in a quarter of a second."""
    began = time.perf_counter()
    for i in range(min(3, len(dataset))):
        dataset[i]
    return max(16, int(0.25 * 3 / max(time.perf_counter() - began, 1e-9)))


def _length(dataset) -> int:
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return 0


def _fields(sample) -> dict[str, np.ndarray]:
    """The numeric fields of one sample by name."""
    parts: list[tuple[str, Any]]
    if isinstance(sample, Mapping):
        parts = [(str(k), v) for k, v in sample.items()]
    elif isinstance(sample, (tuple, list)):
        parts = [(f"field {i}", v) for i, v in enumerate(sample)]
    else:
        parts = [("field 0", sample)]
    made = {}
    for name, value in parts:
        value = value._array if isinstance(value, Tensor) else value
        if isinstance(value, (np.ndarray, np.generic, int, float, bool)):
            array = np.asarray(value)
            if array.dtype.kind in "fiub":
                made[name] = array
    return made


def labels_of(fields: dict[str, np.ndarray], count: int) -> np.ndarray | None:
    """The class labels among the fields of a data set, if there is one field of them at the end or by name."""
    named = [fields[n] for n in TARGETS if n in fields]
    last = named or list(fields.values())[-1:] if len(fields) > 1 or named else []
    if not last:
        return None
    values = last[0]
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.dtype.kind == "f" and np.array_equal(np.unique(values), (0, 1)):
        values = values.astype(np.int64)  # two classes, as binary_cross_entropy wants them
    return values if values.ndim == 1 and len(values) == count and categorical(values) else None


# ------------------------------------------------------------------------------------------------ one data set


def check_labels(source: Source, weighted: bool, validation: Source | None) -> None:
    """DATA-08: almost all labels in one class; only one class; a class that only validation has."""
    got = column(source.dataset, 5000) if source.dataset is not None else _batch_column(source)
    if got is None:
        return
    labels = labels_of(got[1], len(got[0]))
    limits = LIMITS["FB-DATA-08"]
    if labels is None or len(labels) < 2:
        return
    values, counts = np.unique(labels, return_counts=True)
    share, most = counts.max() / len(labels), values[counts.argmax()]
    if len(values) == 1:
        if len(labels) >= (16 if source.dataset is not None else 64):
            found(
                "FB-DATA-08",
                saw=f"all {len(labels)} labels looked at in {source.name} are {most:g}",
                why="with a single class there is nothing to tell apart: the model learns to give this answer always",
                fix="look at how the labels are made: `labels.unique()` must show every class",
                cause="single-class",
                level="W",
                place=source.name,
                labels=len(labels),
            )
        return
    sampler = source.loader.sampler if source.loader is not None else None
    if share > limits["share"] and len(labels) >= limits["samples"] and not weighted:
        if not isinstance(sampler, WeightedRandomSampler):
            found(
                "FB-DATA-08",
                saw=f"{100 * share:.1f} % of the labels are class {most:g}",
                why=f"always answering {most:g} already scores {share:.3f}, so accuracy says nothing here",
                fix="report recall or AUC, and use `CrossEntropyLoss(weight=...)` or a `WeightedRandomSampler`",
                place=source.name,
                share=float(share),
            )
    other = column(validation.dataset, 5000) if validation is not None and validation.dataset is not None else None
    theirs = labels_of(other[1], len(other[0])) if other is not None else None
    if theirs is not None and labels.dtype.kind == theirs.dtype.kind:
        missing = np.setdiff1d(np.unique(theirs), values)
        whole = len(got[0]) == len(source)
        if len(missing) and whole:
            found(
                "FB-DATA-08",
                saw=f"class {missing[0]:g} occurs in the validation data but not in the training data",
                why=f"the training labels are {_short(values)}: the model never sees an example of it",
                fix="split again so that both have every class, e.g. shuffle the rows before the split",
                cause="missing-class",
                level="W",
                place=source.name,
                missing=[float(v) for v in missing],
            )


def _batch_column(source: Source) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Inputs and labels of one batch that was passed in as it is."""
    batch = source.batches[0] if len(source.batches) == 1 else None
    parts = [p for p in batch if isinstance(p, Tensor)] if isinstance(batch, (tuple, list)) else []
    n = parts[0]._array.shape[0] if len(parts) == 2 and parts[0]._array.ndim else 0
    if not n or parts[1]._array.shape[:1] != (n,):
        return None
    return np.arange(n), {f"field {i}": p._array for i, p in enumerate(parts)}


def check_rows(source: Source) -> None:
    """DATA-05: rows of the tensors of a data set, or of a batch, that were put in different orders."""
    whole = _tensors_of(source.dataset) if source.dataset is not None else None
    batch = source.batches[0] if source.dataset is None and source.batches else ()
    meet(whole[0] if whole is not None else [p for p in batch if isinstance(p, Tensor)])


def _short(values) -> str:
    shown = ", ".join(f"{v:g}" for v in values[:6])
    return shown + (", ..." if len(values) > 6 else "")


def check_order(source: Source) -> None:
    """DATA-06: each batch holds few classes because the rows are sorted and not shuffled."""
    loader = source.loader
    if loader is None or type(loader.batch_sampler) is not BatchSampler:
        return
    if type(loader.sampler) is not SequentialSampler or not loader.batch_size or loader.batch_size < 4:
        return
    n, size = _length(loader.dataset), loader.batch_size
    got = column(loader.dataset, 2000)
    labels = labels_of(got[1], len(got[0])) if got is not None else None
    if got is None or labels is None or n < 3 * size:
        return
    batches = min(10, n // size)
    first = column(loader.dataset, batches * size, spread=False)
    near = labels_of(first[1], len(first[0])) if first is not None else None
    if near is not None and len(near) >= 3 * size:
        near = near[: len(near) // size * size]
        sorted_rows(near.reshape(-1, size), labels, loader)


def check_last_batch(source: Source, flat_norms: list[str]) -> None:
    """DATA-09: the last batch has one sample and the model has a BatchNorm with one value per channel and sample."""
    loader = source.loader
    if loader is None or not flat_norms or type(loader.batch_sampler) is not BatchSampler:
        return
    last_batch_of_one(loader, flat_norms[0])


# ------------------------------------------------------------------------------------------------ two data sets


def check_validation(source: Source, validation: Source, time_ordered: bool = False) -> None:
    """DATA-03 and DATA-07: validation data prepared differently, or with rows of the training data."""
    check_overlap(source, validation)
    ours, theirs = _fields_of(source), _fields_of(validation)
    for name in ours:
        if name in theirs:
            _compare(name, ours[name], theirs[name], validation, time_ordered)
    _check_repeatable(validation)


def _fields_of(source: Source) -> dict[str, np.ndarray]:
    if source.dataset is not None and not isinstance(source.dataset, IterableDataset):
        got = column(source.dataset, 512)
        return got[1] if got is not None else {}
    made: dict[str, list] = {}
    for batch in source.batches:
        parts = batch if isinstance(batch, (Mapping, tuple, list)) else (batch,)
        items = parts.items() if isinstance(parts, Mapping) else [(f"field {i}", v) for i, v in enumerate(parts)]
        for key, value in items:
            for _, t in tensors_in(value, str(key))[:1]:
                made.setdefault(str(key), []).append(t._array)
    return {k: np.concatenate(v) for k, v in made.items() if len({a.shape[1:] for a in v}) == 1 and v[0].ndim}


def _compare(name, ours, theirs, validation, time_ordered):
    limits = LIMITS["FB-DATA-03"]
    place = f"{validation.name}, {name}"
    if ours.dtype != theirs.dtype and "f" in (ours.dtype.kind, theirs.dtype.kind):
        found(
            "FB-DATA-03",
            saw=f"{name} is {theirs.dtype} in the validation data and {ours.dtype} in the training data",
            why="the two are prepared by different code",
            fix="use the same transform for both",
            cause="dtype",
            place=place,
        )
        return
    if ours.dtype.kind not in "fu" or len(ours) < limits["samples"] or len(theirs) < limits["samples"]:
        return
    if ours.ndim == 1 or ours.ndim == 2 and ours.shape[1] == 1 and categorical(ours):
        return  # targets: their distribution is the split's affair
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return
    mean, std, mean_v, std_v = a.mean(), a.std(), b.mean(), b.std()
    pooled = max(np.sqrt((std**2 + std_v**2) / 2), 1e-12)
    # Samples are the independent units: the spread of their means says what chance does to the mean of all.
    spread = a.reshape(len(a), -1).mean(1).std() / np.sqrt(len(a))
    spread_v = b.reshape(len(b), -1).mean(1).std() / np.sqrt(len(b))
    z = abs(mean - mean_v) / max(np.hypot(spread, spread_v), 1e-12)
    ratio = std_v / max(std, 1e-12)
    shifted = abs(mean - mean_v) > limits["mean"] * pooled and z > limits["z"]
    disjoint = a.max() < b.min() or b.max() < a.min()
    if not (shifted or disjoint or not limits["low"] <= ratio <= limits["high"]):
        return
    found(
        "FB-DATA-03",
        saw=f"validation {name} has mean {mean_v:.3g} and std {std_v:.3g}, training {name} mean {mean:.3g} and std "
        f"{std:.3g}",
        why="the model is trained on one scale and judged on another",
        fix="apply the same normalisation to both, with the mean and std of the training data",
        cause="scale",
        level="H" if time_ordered else "W",
        place=place,
        confidence="likely",
        mean=float(mean),
        std=float(std),
        mean_validation=float(mean_v),
        std_validation=float(std_v),
        z=float(z),
    )


def _check_repeatable(validation: Source) -> None:
    """Random augmentation left on: a validation sample that differs from one fetch to the next."""
    dataset = validation.dataset
    if dataset is None or isinstance(dataset, IterableDataset) or not _length(dataset):
        return
    for i in {0, _length(dataset) - 1}:
        first, second = _fields(dataset[i]), _fields(dataset[i])
        for name in first:
            a, b = first[name], second.get(name)
            if b is not None and (a.shape != b.shape or not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")):
                found(
                    "FB-DATA-03",
                    saw=f"sample {i} of the validation data changes from one fetch to the next ({name})",
                    why="random augmentation is on, so the validation score is noise and of harder data",
                    fix="give the validation data a transform without random parts",
                    cause="random",
                    place=f"{validation.name}, {name}",
                )
                return


def check_overlap(source: Source, validation: Source) -> None:
    """DATA-07: validation rows that are also training rows, by memory, by indices, or by content."""
    ours, theirs = _rows(source.dataset), _rows(validation.dataset)
    if ours is None or theirs is None or not len(theirs) or not len(ours):
        return
    limits = LIMITS["FB-DATA-07"]
    known = set(ours)
    if len(known) < limits["unique"] * len(ours):
        return
    shared = [i for i, row in enumerate(theirs) if row in known]
    # Rows of few possible values (two ids, say) come again by chance: then the training set repeats itself as often.
    counts = Counter(ours)
    repeated = sum(n for n in counts.values() if n > 1) / len(ours)
    if len(shared) <= max(limits["share"], limits["chance"] * repeated) * len(theirs):
        return
    first = {row: i for i, row in reversed(list(enumerate(ours)))}
    at = sorted(first[theirs[i]] for i in shared)
    found(
        "FB-DATA-07",
        saw=f"{len(shared)} of {len(theirs)} validation samples ({100 * len(shared) / len(theirs):.0f} %) are also in "
        f"the training set (rows {at[0]} to {at[-1]})",
        why="the model has seen their answers, so the validation score is not to be trusted",
        fix=f"split into rows that do not overlap, e.g. `train, val = random_split(data, [{len(ours) - len(shared)}, "
        f"{len(theirs)}])`",
        place=validation.name,
        shared=len(shared),
    )


def _rows(dataset) -> list | None:
    """One hashable value for each sample: all its bytes (inputs and target must both agree)."""
    most = int(LIMITS["FB-DATA-07"]["samples"])
    n = _length(dataset)
    if not n or isinstance(dataset, IterableDataset):
        return None
    whole = _tensors_of(dataset)
    if whole is not None:
        tensors, rows = whole
        at = np.arange(n)[:most] if rows is None else rows[:most]
        flat = [np.ascontiguousarray(t._array[at]).reshape(len(at), -1) for t in tensors]
        return [hash(tuple(f[i].tobytes() for f in flat)) for i in range(len(at))]
    got = column(dataset, min(most, 2000), spread=n <= 2000)
    if got is None or not got[1]:
        return None
    flat = [np.ascontiguousarray(v).reshape(len(got[0]), -1) for v in got[1].values()]
    return [hash(tuple(f[i].tobytes() for f in flat)) for i in range(len(got[0]))]


def neighbours_agree(inputs: np.ndarray, labels: np.ndarray) -> tuple[float, float, float] | None:
    """(agreement, mean and std by chance) of each row's label with its 5 nearest rows'; None if too little data."""
    n = len(inputs)
    if n < 100 or len(np.unique(labels)) < 2:
        return None
    x = inputs.reshape(n, -1).astype(np.float64)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    squares = (x * x).sum(1)
    distance = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    near = np.argpartition(distance, 5, axis=1)[:, :5]
    agreement = float((labels[near] == labels[:, None]).mean())
    order = np.random.Generator(np.random.PCG64(0))
    chance = []
    for _ in range(20):
        mixed = order.permutation(labels)
        chance.append((mixed[near] == mixed[:, None]).mean())
    return agreement, float(np.mean(chance)), float(np.std(chance))


def check_pairing(source: Source) -> None:
    """DATA-05 by statistics, only on request: labels that have nothing to do with their inputs."""
    got = column(source.dataset, 1000) if source.dataset is not None else None
    labels = labels_of(got[1], len(got[0])) if got is not None else None
    if got is None or labels is None:
        return
    inputs = next(iter(got[1].values()))
    measured = neighbours_agree(inputs, labels) if inputs.ndim > 1 else None
    if measured is None:
        return
    agreement, mean, std = measured
    if agreement < mean + 2 * std:
        found(
            "FB-DATA-05",
            saw=f"the 5 nearest samples share a sample's label in {100 * agreement:.1f} % of all cases; by chance it "
            f"would be {100 * mean:.1f} %",
            why="inputs and labels seem to have nothing to do with each other, as after shuffling them apart",
            fix="check some pairs by hand; shuffle with one order: `p = torch.randperm(len(x)); x, y = x[p], y[p]`",
            cause="statistical",
            level="H",
            confidence="possible",
            place=source.name,
            agreement=agreement,
            chance=mean,
        )


def weighted_loss(loss_fn: Any) -> bool:
    """Whether a loss gives classes weights of their own."""
    return any(getattr(loss_fn, name, None) is not None for name in ("weight", "pos_weight"))
