"""Fused loops on arrays: a body over arrays of any shape and strides, with mapped and reduced outputs.

    loop = Loop(("f4", "f4"), body, (Output(2, "f4"), Output(2, "f4", "sum")))
    y, total = run(loop, [a, b], reduced=(0,))

`run` plans once for arrays of some layout, makes the outputs and launches; `plan` alone is for those who launch
without Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .bodies import DTYPES, KINDS
from .plans import SIZES, Loop, Output, Plan, Task, Unsupported, plan
from .record import listener, listeners

__all__ = ["DTYPES", "KINDS", "Loop", "Output", "Plan", "Task", "Unsupported", "plan", "run"]

_MOST_READY = 1024  # plans that a loop keeps


def run(loop: Loop, arrays: Sequence[np.ndarray], numbers: tuple[float, ...] = (), reduced: tuple[int, ...] = (),
        keepdims: bool = False, out: tuple[np.ndarray | None, ...] = ()) -> list[np.ndarray]:  # fmt: skip
    """The outputs of a loop on arrays that broadcast, whose dtypes are the loop's kinds.

    out: arrays for the outputs, of the shape of the result; None (or missing): a new one. An array may be one of
    the inputs, otherwise it must not overlap them. Unsupported: nothing was done.
    """
    key = (reduced, keepdims, *[(a.shape, a.strides) for a in arrays], *[o if o is None else o.strides for o in out])
    ready = loop.ready.get(key)
    if ready is None:
        if len(loop.ready) >= _MOST_READY:
            loop.ready.clear()
        ready = loop.ready[key] = _prepare(loop, arrays, reduced, keepdims, out)
    launch, tasks, makes, scratch = ready
    outputs = [
        np.empty(shape, dtype) if order is None else np.empty(shape, dtype).transpose(order)
        for shape, dtype, order in makes
    ]
    for i, o in enumerate(out):
        if o is not None:
            outputs[i] = o
    given = [*arrays, *outputs]
    if scratch:
        given += [np.empty(size, np.uint8) for size in scratch]
    for words, pointers in tasks:
        if not (launch(words, *given, *numbers) if pointers is None else launch(words, *[given[i] for i in pointers])):
            raise TypeError("fused loops take plain arrays and floats")
    if listeners:
        found = listener()
        if found is not None:
            found.loop(loop, arrays, numbers, reduced, keepdims, outputs)
    return outputs


def _prepare(loop: Loop, arrays: Sequence[np.ndarray], reduced: tuple[int, ...], keepdims: bool, out: Any) -> Any:
    """What `run` keeps for arrays of these shapes and strides."""
    from .launch import MOST_WORDS, builtin

    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    reduced = tuple(sorted(d % len(shape) for d in reduced))
    strides = [np.broadcast_to(a, shape).strides for a in arrays]
    # New arrays are laid out as the first input of the full shape is.
    full = next((s for s, a in zip(strides, arrays, strict=True) if a.shape == shape), None)
    order = list(range(len(shape))) if full is None else sorted(range(len(shape)), key=lambda d: -abs(full[d]))
    makes = []
    for i, o in enumerate(loop.outputs):
        mine = out[i] if i < len(out) else None
        kept = [d for d in range(len(shape)) if not (o.reduction and d in reduced)]
        if mine is None:
            inside = [d for d in order if d in kept]
            steps, step = [0] * len(shape), SIZES[o.kind]
            for d in reversed(inside):
                steps[d], step = step, step * shape[d]
            dims = sorted([*kept, *reduced]) if o.reduction and keepdims else kept
            made = [d for d in dims if d not in kept] + inside
            sizes = tuple([shape[d] if d in kept else 1 for d in made])
            makes.append((sizes, DTYPES[o.kind], None if made == dims else tuple([made.index(d) for d in dims])))
        else:
            dims = kept if mine.ndim == len(kept) else list(range(len(shape)))
            steps = [0] * len(shape)
            for d, s in zip(dims, mine.strides, strict=True):
                steps[d] = s if d in kept else 0
            makes.append(((0,), mine.dtype, None))
        strides.append(tuple(steps))
    planned = plan(loop, shape, tuple(strides), reduced)
    tasks = []
    for i, task in enumerate(planned.tasks):
        head = [task.part, task.work, task.parts, len(task.words)]
        if len(task.words) > MOST_WORDS:
            raise Unsupported("too many operands")
        tasks.append((np.concatenate([np.array(head, np.int64), task.words]), task.pointers if i else None))
    return builtin(), tasks, makes, planned.scratch
