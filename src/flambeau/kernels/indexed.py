"""Elements and rows by number: bounds checks, gathers, and sums where numbers repeat. Kernels and what calls them.

Every kernel skips numbers that are out of range, so none touches foreign memory whatever it is given; `first_outside`
tells the caller, before anything else runs, that there are some. Sums are taken in the order of the numbers' places,
by whoever owns the row: the same bits every time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import fused, record
from .build import kernel

_ANY = {np.dtype(n): k for n, k in {"float32": "f4", "float64": "f8", "int64": "i8", "int32": "i4"}.items()}
_BLOCK = 1 << 16  # numbers that one task of a check reads


@kernel("index:i8=n limits:i8=3 found:i8!=blocks n blocks", work="blocks", cost="16384")
def outside(k, begin, end, index, limits, found, n, blocks):
    """Where each block's first number stands that is neither in [limits[0], limits[1]) nor limits[2]; -1: nowhere."""
    low, high, skip = limits[0], limits[1], limits[2]

    def bad(i):
        return ((index[i] < low) | (index[i] >= high)) & (index[i] != skip)

    for block in k.range(begin, end):
        first, last = n * block // blocks, n * (block + 1) // blocks
        wrong, place = k.cell(0, "i8"), k.cell(-1, "i8")
        for i in k.range(first, last):
            wrong.add(k.select(bad(i), k.int(1), 0))
        for _ in k.when(wrong.get() > 0):
            for i in k.range(first, last):
                place.set(k.select((place.get() < 0) & bad(i), i, place.get()))
        found[block] = place.get()


@lru_cache(1024)
def _limits(low: int, high: int, skip: int):
    return np.array([low, high, skip], np.int64)


def first_outside(index, low: int, high: int, skip: int | None = None, touched: int = 0) -> int:
    """The place (in C order) of the first number outside [low, high) that is not `skip`; -1 where there is none.

    touched: how many elements the operation moves; a check for a small one is left to NumPy.
    """
    if not index.size:
        return -1
    f = outside.get() if index.dtype == np.int64 and max(touched, index.size) >= fused.SMALL else None
    if f is not None and type(index) is np.ndarray:
        blocks = 1 + index.size // _BLOCK
        found = np.empty(blocks, np.int64)
        skip = low if skip is None or not -(1 << 63) <= skip < 1 << 63 else skip
        if f(fused._flat(index), record.constant(_limits(low, high, skip)), found, index.size, blocks):
            record.check(found)
            if blocks == 1:
                return int(found[0])
            places = found[found >= 0]
            return int(places[0]) if places.size else -1
    if index.min() >= low and index.max() < high:
        return -1
    wrong = (index < low) | (index >= high)
    if skip is not None:
        wrong &= index != skip
    places = np.flatnonzero(wrong)
    return int(places[0]) if places.size else -1


# ---------------------------------------------------------------------- whole rows


@kernel("x:T=outer*count*width index:i8=rows y:T!=outer*rows*width outer count width rows",
        work="outer*rows", cost="width")  # fmt: skip
def gather_rows(k, begin, end, x, index, y, outer, count, width, rows):
    """y[o, i] = x[o, index[i]]. Rows whose number is outside [0, count) stay as they are: callers check."""
    for task in k.range(begin, end):
        at = index[task % rows]
        for _ in k.when((at >= 0) & (at < count)):
            k.copy(y.at(task * width), x.at((task // rows * count + at) * width), width)


@kernel("index:i8=n starts:i8!=words order:i8!=n n count words once", work="once")
def group(k, begin, end, index, starts, order, n, count, words, once):
    """The places of number v, in order, are order[starts[v]] ... order[starts[v + 1] - 1]; words: count + 2."""
    for _ in k.when(words == count + 2):
        for v in k.range(words):
            starts[v] = 0
        for i in k.range(n):
            v = index[i]
            for _ in k.when((v >= 0) & (v < count)):
                starts[v + 2] = starts[v + 2] + 1
        total = k.cell(0, "i8")
        for v in k.range(2, words):
            total.set(total.get() + starts[v])
            starts[v] = total.get()
        for i in k.range(n):
            v = index[i]
            for _ in k.when((v >= 0) & (v < count)):
                place = starts[v + 1]
                order[place] = i
                starts[v + 1] = place + 1


@kernel("g:T=n*width starts:i8=words order:i8=n table:T!=count*width n width count words skip",
        work="count", cost="width")  # fmt: skip
def sum_groups(k, begin, end, g, starts, order, table, n, width, count, words, skip, mean=False):
    """table[v] = sum (or mean) of g over the places of v; 0 where there are none, and for v = skip."""

    def empty(v):
        return (starts[v] >= starts[v + 1]) | (v == skip)

    row = k.cell(begin)
    for _ in k.loop_while(lambda: (row.get() < end) & (words == count + 2)):
        v, after = row.get(), k.cell(row.get())
        # The test reads one word beyond the last row's: `starts` has it.
        for _ in k.loop_while(lambda: (after.get() < end) & empty(after.get())):
            after.set(after.get() + 1)
        clear = table.at(v * width)
        for j in k.range((after.get() - v) * width):
            clear[j] = 0.0
        for _ in k.when(after.get() < end):
            at = after.get()
            first, last = k.maximum(starts[at], 0), k.minimum(starts[at + 1], n)
            to = table.at(at * width)
            for place in k.range(first, last):
                source = order[place]
                for _ in k.when((source >= 0) & (source < n)):
                    add = g.at(source * width)
                    for _ in k.when(place == first):
                        for j in k.range(width):
                            to[j] = add[j]
                    for _ in k.when(place != first):
                        for j in k.range(width):
                            to[j] = to[j] + add[j]
            if mean:
                share = 1.0 / k.float(last - first)
                for j in k.range(width):
                    to[j] = to[j] * share
        row.set(after.get() + 1)


def take_rows(x, index, axis: int = 0):
    """np.take(x, index, axis) for good, non-negative int64 numbers; None where NumPy is to do it."""
    kind = _ANY.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or index.dtype != np.int64 or not x.ndim or not x.flags.c_contiguous:
        return None
    outer, count = _size(x.shape[:axis]), x.shape[axis]
    width = _size(x.shape[axis + 1 :])
    if index.size * width * outer < fused.SMALL:
        return None
    f = gather_rows.get(kind)
    out = np.empty(x.shape[:axis] + index.shape + x.shape[axis + 1 :], x.dtype)
    return out if f and f(x, fused._flat(index), out, outer, count, width, index.size) else None


def _size(shape) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def sum_rows(g, index, count: int, skip: int | None = None, mean: bool = False):
    """zeros(count, ...) with g[i] added to row index[i], in order of i; None where NumPy is to do it.

    skip: a row that stays 0. mean: each row is divided by how often its number occurs.
    """
    kind = fused._kind(g)
    if kind is None or index.dtype != np.int64 or not index.size:
        return None
    f, sort = sum_groups.get(kind, mean=mean), group.get()
    inner = g.shape[index.ndim :]
    width = _size(inner)
    if not f or not sort or not width:
        return None
    n, words, flat = index.size, count + 2, fused._flat(index)
    starts, order, table = np.empty(words, np.int64), np.empty(n, np.int64), np.empty((count, *inner), g.dtype)
    skip = count if skip is None else skip
    done = sort(flat, starts, order, n, count, words, 1)
    return table if done and f(fused._flat(g), starts, order, table, n, width, count, words, skip) else None


# ---------------------------------------------------------------------- along one dimension


@kernel("x:T=outer*count*inner index:i8=outer*rows*inner y:T!=outer*rows*inner outer count rows inner",
        work="outer*rows", cost="inner*4")  # fmt: skip
def pick(k, begin, end, x, index, y, outer, count, rows, inner):
    """y[o, j, i] = x[o, index[o, j, i], i]; elements whose index is outside [0, count) stay as they are."""
    for task in k.range(begin, end):
        source, at, to = x.at(task // rows * count * inner), index.at(task * inner), y.at(task * inner)
        for i in k.range(inner):
            place = at[i]
            for _ in k.when((place >= 0) & (place < count)):
                to[i] = source[place * inner + i]


@kernel("x:T=outer*count*inner src:T=outer*rows*inner index:i8=numbers y:T!=outer*count*inner outer count rows inner "
        "numbers blocks weight", work="outer*blocks", cost="weight")  # fmt: skip
def place(k, begin, end, x, src, index, y, outer, count, rows, inner, numbers, blocks, weight, add=False,
          slices=False):  # fmt: skip
    """y = x, then y[o, index[o, j, i], i] = (or +=) src[o, j, i], in order of j. slices: the index is index[j] for all.

    A task is a block of columns of one o, so what is repeated is added up by one thread.
    """
    fits = numbers == (rows if slices else outer * rows * inner)
    for task in k.range(begin, k.select(fits, end, begin)):
        o, block = task // blocks, task % blocks
        first, last = inner * block // blocks, inner * (block + 1) // blocks
        given, to = x.at(o * count * inner), y.at(o * count * inner)
        for c in k.range(count):
            for i in k.range(first, last):
                to[c * inner + i] = given[c * inner + i]
        for j in k.range(rows):
            line = src.at((o * rows + j) * inner)
            if slices:
                at = index[j]
                for _ in k.when((at >= 0) & (at < count)):
                    row = to.at(at * inner)
                    for i in k.range(first, last):
                        row[i] = row[i] + line[i] if add else line[i]
            else:
                numbers_here = index.at((o * rows + j) * inner)
                for i in k.range(first, last):
                    at = numbers_here[i]
                    for _ in k.when((at >= 0) & (at < count)):
                        here = at * inner + i
                        to[here] = to[here] + line[i] if add else line[i]


def _along(x, index, axis: int):
    """(kind, outer, count, rows, inner) where an index of x's other sizes names places along an axis; else None."""
    kind = _ANY.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or index.dtype != np.int64 or index.ndim != x.ndim or not x.ndim:
        return None
    if index.size < fused.SMALL or not x.size:
        return None
    if x.shape[:axis] != index.shape[:axis] or x.shape[axis + 1 :] != index.shape[axis + 1 :]:
        return None
    return kind, _size(x.shape[:axis]), x.shape[axis], index.shape[axis], _size(x.shape[axis + 1 :])


def take_along(x, index, axis: int):
    """np.take_along_axis for good, non-negative int64 numbers; None where NumPy is to do it."""
    found = _along(x, index, axis)
    f = found and pick.get(found[0])
    if not f:
        return None
    out = np.empty(index.shape, x.dtype)
    return out if f(fused._flat(x), fused._flat(index), out, *found[1:]) else None


def put_along(x, src, index, axis: int, add: bool):
    """x with src written (or added) at the numbers of `index` along an axis, in order; None where NumPy is to do it."""
    found = _along(x, index, axis)
    if found is None or src.shape != index.shape or src.dtype != x.dtype:
        return None
    return _placed(x, src, index, found, add, False)


def add_slices(x, src, index, axis: int):
    """x with slice j of src added to slice index[j] along an axis, in order; None where NumPy is to do it."""
    kind = _ANY.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or index.dtype != np.int64 or index.ndim != 1 or not x.ndim:
        return None
    if src.size < fused.SMALL or src.dtype != x.dtype or src.ndim != x.ndim or not x.size:
        return None
    sizes = (_size(x.shape[:axis]), x.shape[axis], index.size, _size(x.shape[axis + 1 :]))
    return _placed(x, src, index, (kind, *sizes), True, True)


def _placed(x, src, index, found, add: bool, slices: bool):
    kind, outer, count, rows, inner = found
    f = place.get(kind, add=add, slices=slices)
    out = np.empty(x.shape, x.dtype)
    blocks = max(1, inner // 64)
    sizes = (outer, count, rows, inner, index.size, blocks, (count + 4 * rows) * -(-inner // blocks))
    return out if f and f(*(fused._flat(a) for a in (x, src, index)), out, *sizes) else None
