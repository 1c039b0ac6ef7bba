"""DATA-10: generators of random numbers that every worker of a loader gets a copy of."""

from __future__ import annotations

import random
import sys
from typing import Any

from ..checks.findings import found
from ..tensor import Tensor
from ..utils.data import Dataset, IterableDataset
from .batches import Source


def check_workers(source: Source) -> None:
    """DATA-10: a generator of the data set that every worker gets a copy of."""
    loader = source.loader
    if loader is None or not loader.num_workers or loader.worker_init_fn is not None:
        return
    if isinstance(loader.dataset, IterableDataset):
        return
    kind = type(loader.dataset).__name__
    name, generator = own_generator(loader.dataset)
    if not name and (name := _global_generator(loader.dataset)):
        found(
            "FB-DATA-10",
            saw=f"`{name}`, which {kind}.__getitem__ uses, is copied into {loader.num_workers} workers",
            why="the copies start in the same state, so the workers draw the same random numbers, epoch after epoch",
            fix=f"seed it in each worker: `def seed_worker(number): globals()['{name}'] = "
            "np.random.default_rng(torch.initial_seed() % 2**32)`, and "
            f"`DataLoader(..., num_workers={loader.num_workers}, worker_init_fn=seed_worker)`",
            at=loader.__dict__.get("_fb_site"),
            place=f"{kind}.__getitem__",
        )
    elif name:
        again = f"np.random.{type(generator).__name__}(torch.initial_seed() % 2**32)"
        if type(generator).__name__ == "Generator":
            again = "np.random.default_rng(torch.initial_seed())"
        elif isinstance(generator, random.Random):
            again = "random.Random(torch.initial_seed())"
        found(
            "FB-DATA-10",
            saw=f"{kind}.{name} is copied into {loader.num_workers} workers",
            why="the copies start in the same state, so the workers draw the same random numbers, epoch after epoch",
            fix="seed it in each worker: "
            f"`def seed_worker(number): torch.utils.data.get_worker_info().dataset.{name} = {again}`, and "
            f"`DataLoader(..., num_workers={loader.num_workers}, worker_init_fn=seed_worker)`",
            at=loader.__dict__.get("_fb_site"),
            place=f"{kind}.{name}",
        )


def _kinds() -> tuple:
    numpy_random = sys.modules.get("numpy.random")
    return (random.Random,) + ((numpy_random.Generator, numpy_random.RandomState) if numpy_random is not None else ())


def _global_generator(dataset: Any) -> str:
    """The name of a generator among the variables of the file that `__getitem__` uses; "" if there is none."""
    function: Any = getattr(type(dataset), "__getitem__", None)
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    held = getattr(function, "__globals__", {})
    return next((n for n in names if isinstance(held.get(n), _kinds())), "")


def own_generator(dataset: Any, depth: int = 2) -> tuple[str, Any]:
    """(dotted name, object) of a generator of random numbers that a data set owns; ("", None) if there is none."""
    kinds = _kinds()
    own = getattr(dataset, "__dict__", {})
    for name, value in own.items():
        if isinstance(value, kinds):
            return name, value
    for name, value in own.items() if depth > 1 else ():
        if isinstance(value, dict):
            key = next((k for k, v in value.items() if isinstance(v, kinds)), None)
            if key is not None:
                return f"{name}[{key!r}]", value[key]
        inner = value if isinstance(value, (list, tuple)) and len(value) <= 32 else [value]
        for part in inner:
            if isinstance(part, Dataset) or hasattr(part, "__dict__") and not isinstance(part, (type, Tensor)):
                below, generator = own_generator(part, depth - 1)
                if below:
                    return f"{name}.{below}", generator
    return "", None
