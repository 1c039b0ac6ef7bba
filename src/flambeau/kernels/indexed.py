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
            record.check(found, index, low, high)
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
    """y[o, i] = x[o, index[i]]; negative numbers count from the end. Rows of bad numbers stay: callers check."""
    for task in k.range(begin, end):
        at = index[task % rows]
        at = k.select(at < 0, at + count, at)
        for _ in k.when((at >= 0) & (at < count)):
            k.copy(y.at(task * width), x.at((task // rows * count + at) * width), width)


@kernel("index:i8=n starts:i8!=words order:i8!=n n count words once", work="once")
def group(k, begin, end, index, starts, order, n, count, words, once):
    """The places of number v, in order, are order[starts[v]] ... order[starts[v + 1] - 1]; words: count + 2.

    Negative numbers count from the end.
    """

    def number(i):
        return k.select(index[i] < 0, index[i] + count, index[i])

    for _ in k.when(words == count + 2):
        for v in k.range(words):
            starts[v] = 0
        for i in k.range(n):
            v = number(i)
            for _ in k.when((v >= 0) & (v < count)):
                starts[v + 2] = starts[v + 2] + 1
        total = k.cell(0, "i8")
        for v in k.range(2, words):
            total.set(total.get() + starts[v])
            starts[v] = total.get()
        for i in k.range(n):
            v = number(i)
            for _ in k.when((v >= 0) & (v < count)):
                place = starts[v + 1]
                order[place] = i
                starts[v + 1] = place + 1


@kernel("g:T=n*width starts:i8=words order:i8=n base:T?=count*width table:T!=count*width n width count words skip",
        work="count", cost="width")  # fmt: skip
def sum_groups(k, begin, end, g, starts, order, base, table, n, width, count, words, skip, mean=False):
    """table[v] = sum (or mean) of g over the places of v; 0 where there are none, and for v = skip.

    base: what the sums are added to.
    """

    def empty(v):
        return (starts[v] >= starts[v + 1]) | (v == skip)

    row = k.cell(begin)
    for _ in k.loop_while(lambda: (row.get() < end) & (words == count + 2)):
        v, after = row.get(), k.cell(row.get())
        # The test reads one word beyond the last row's: `starts` has it.
        for _ in k.loop_while(lambda: (after.get() < end) & empty(after.get())):
            after.set(after.get() + 1)
        clear = table.at(v * width)
        if base is None:
            for j in k.range((after.get() - v) * width):
                clear[j] = 0.0
        else:
            # The row of the sum too.
            rest = k.minimum(after.get() + 1, end)
            k.copy(clear, base.at(v * width), (rest - v) * width)
        for _ in k.when(after.get() < end):
            at = after.get()
            first, last = k.maximum(starts[at], 0), k.minimum(starts[at + 1], n)
            to = table.at(at * width)
            for place in k.range(first, last):
                source = order[place]
                for _ in k.when((source >= 0) & (source < n)):
                    add = g.at(source * width)
                    if base is None:
                        for _ in k.when(place == first):
                            k.copy(to, add, width)
                    for _ in k.when((place != first) if base is None else (place >= first)):
                        for j in k.range(width):
                            to[j] = to[j] + add[j]
            if mean:
                share = 1.0 / k.float(last - first)
                for j in k.range(width):
                    to[j] = to[j] * share
        row.set(after.get() + 1)


def take_rows(x, index, axis: int = 0):
    """np.take(x, index, axis) for good int64 numbers; None where NumPy is to do it."""
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


def sum_rows(g, index, count: int, skip: int | None = None, mean: bool = False, base=None):
    """zeros(count, ...) with g[i] added to row index[i], in order of i; None where NumPy is to do it.

    skip: a row that stays 0. mean: each row is divided by how often its number occurs. base: in place of the zeros.
    Negative numbers count from the end.
    """
    kind = fused._kind(g)
    if kind is None or index.dtype != np.int64 or not index.size:
        return None
    if base is not None and (base.dtype != g.dtype or type(base) is not np.ndarray):
        return None
    f, sort = sum_groups.get(kind, fused._absent(base=base), mean=mean), group.get()
    inner = g.shape[index.ndim :]
    width = _size(inner)
    if not f or not sort or not width:
        return None
    n, words, flat = index.size, count + 2, fused._flat(index)
    starts, order, table = np.empty(words, np.int64), np.empty(n, np.int64), np.empty((count, *inner), g.dtype)
    skip = count if skip is None else skip
    done = sort(flat, starts, order, n, count, words, 1)
    given = () if base is None else (fused._flat(base),)
    return table if done and f(fused._flat(g), starts, order, *given, table, n, width, count, words, skip) else None


# ---------------------------------------------------------------------- along one dimension

# Here the check and the work are one pass: what a bad number stands for is computed from place 0 instead, `found` tells
# of it, and the caller drops the result.


def _safe(k, at, count, wrong):
    good = (at >= 0) & (at < count)
    wrong.add(k.select(good, k.int(0), 1))
    return good, k.select(good, at, 0)


def _first(k, wrong, index, start, stop, count):
    """The first place from start to stop whose number is outside [0, count), if there are wrong ones; else -1."""
    place = k.cell(-1, "i8")
    for _ in k.when(wrong.get() > 0):
        for i in k.range(start, stop):
            bad = (index[i] < 0) | (index[i] >= count)
            place.set(k.select((place.get() < 0) & bad, i, place.get()))
    return place.get()


@kernel("x:T=outer*count*inner index:i8=numbers y:T!=outer*rows*inner found:i8!=outer*blocks outer count rows inner "
        "numbers blocks weight", work="outer*blocks", cost="weight")  # fmt: skip
def pick(k, begin, end, x, index, y, found, outer, count, rows, inner, numbers, blocks, weight, slices=False,
         thin=False):  # fmt: skip
    """y[o, j, i] = x[o, index[o, j, i], i]. slices: the index is index[j] for all. thin: inner is 1."""
    if thin:
        inner = k.int(1)
    fits = (numbers == (rows if slices else outer * rows * inner)) & (count > 0)
    for task in k.range(begin, k.select(fits, end, begin)):
        o, block = task // blocks, task % blocks
        first, last = rows * block // blocks, rows * (block + 1) // blocks
        source, to, wrong = x.at(o * count * inner), y.at(o * rows * inner), k.cell(0, "i8")
        start = k.int(0) if slices else o * rows * inner
        each = k.int(1) if slices else inner
        for j in k.range(first, last):
            if slices:
                _, at = _safe(k, index[j], count, wrong)
                for i in k.range(inner) if not thin else (k.int(0),):
                    to[j * inner + i] = source[at * inner + i]
            else:
                for i in k.range(inner) if not thin else (k.int(0),):
                    _, at = _safe(k, index[start + j * inner + i], count, wrong)
                    to[j * inner + i] = source[at * inner + i]
        found[task] = _first(k, wrong, index, start + first * each, start + last * each, count)


@kernel("x:T=outer*count*inner src:T=outer*rows*inner index:i8=numbers y:T!=outer*count*inner found:i8!=outer*blocks "
        "outer count rows inner numbers blocks weight", work="outer*blocks", cost="weight")  # fmt: skip
def place(k, begin, end, x, src, index, y, found, outer, count, rows, inner, numbers, blocks, weight, add=False,
          slices=False, thin=False):  # fmt: skip
    """y = x, then y[o, index[o, j, i], i] = (or +=) src[o, j, i], in order of j; slices, thin: as above.

    A task is a block of columns of one o, so what is repeated is added up by one thread.
    """
    if thin:
        inner, blocks = k.int(1), k.int(1)
    fits = (numbers == (rows if slices else outer * rows * inner)) & (count > 0)
    for task in k.range(begin, k.select(fits, end, begin)):
        o, block = task // blocks, task % blocks
        first, last = inner * block // blocks, inner * (block + 1) // blocks
        given, to, wrong = x.at(o * count * inner), y.at(o * count * inner), k.cell(0, "i8")
        if thin:
            k.copy(to, given, count)
        else:
            for c in k.range(count):
                k.copy(to.at(c * inner + first), given.at(c * inner + first), last - first)
        start = k.int(0) if slices else o * rows * inner

        def put(good, here, value, to=to):
            for _ in k.when(good):
                to[here] = to[here] + value if add else value

        for j in k.range(rows):
            line = src.at((o * rows + j) * inner)
            if slices:
                good, at = _safe(k, index[j], count, wrong)
                for i in k.range(first, last) if not thin else (k.int(0),):
                    put(good, at * inner + i, line[i])
            else:
                for i in k.range(first, last) if not thin else (k.int(0),):
                    good, at = _safe(k, index[start + j * inner + i], count, wrong)
                    put(good, at * inner + i, line[i])
        size = rows if slices else rows * inner
        found[task] = _first(k, wrong, index, start, start + size, count)


def _bad(found, index, count: int) -> int:
    """The first place whose number a kernel found to be outside [0, count), or -1."""
    record.check(found, index, 0, count)
    return -1 if found.max() < 0 else int(found[found >= 0].min())


def _along(x, index, axis: int):
    """(kind, outer, count, rows, inner) where an index of x's other sizes names places along an axis; else None."""
    kind = _ANY.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or index.dtype != np.int64 or not x.ndim:
        return None
    if index.size < fused.SMALL or not x.size or index.ndim != x.ndim:
        return None
    if x.shape[:axis] != index.shape[:axis] or x.shape[axis + 1 :] != index.shape[axis + 1 :]:
        return None
    return kind, _size(x.shape[:axis]), x.shape[axis], index.shape[axis], _size(x.shape[axis + 1 :])


def _slices(x, index, axis: int, touched: int):
    """The same where a vector of numbers names whole slices."""
    kind = _ANY.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or index.dtype != np.int64 or not x.ndim:
        return None
    if index.ndim != 1 or touched < fused.SMALL or not x.size or not index.size:
        return None
    return kind, _size(x.shape[:axis]), x.shape[axis], index.size, _size(x.shape[axis + 1 :])


def _picked(x, index, taken, shape, slices: bool):
    kind, outer, count, rows, inner = taken
    f = pick.get(kind, slices=slices, thin=inner == 1)
    blocks = max(1, min(rows, rows * inner // 16384))
    out, found = np.empty(shape, x.dtype), np.empty(outer * blocks, np.int64)
    sizes = (outer, count, rows, inner, index.size, blocks, 4 * inner * -(-rows // blocks))
    return (out, _bad(found, index, count)) if f and f(fused._flat(x), fused._flat(index), out, found, *sizes) else None


def take_along(x, index, axis: int):
    """(np.take_along_axis, the first place whose number is outside [0, size) or -1); None where NumPy is to do it."""
    taken = _along(x, index, axis)
    return taken and _picked(x, index, taken, index.shape, False)


def take_slices(x, index, axis: int):
    """(np.take for a vector of numbers, the first bad place or -1); None where NumPy is to do it."""
    shape = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
    taken = _slices(x, index, axis, _size(shape))
    return taken and _picked(x, index, taken, shape, True)


def put_along(x, src, index, axis: int, add: bool):
    """(x with src written or added at the numbers of `index` along an axis, in order; the first bad place or -1)."""
    taken = _along(x, index, axis)
    if taken is None or src.shape != index.shape or src.dtype != x.dtype:
        return None
    return _placed(x, src, index, taken, add, False)


def add_slices(x, src, index, axis: int):
    """(x with slice j of src added to slice index[j] along an axis, in order; the first bad place or -1)."""
    taken = _slices(x, index, axis, src.size)
    if taken is None or src.dtype != x.dtype or src.ndim != x.ndim:
        return None
    return _placed(x, src, index, taken, True, True)


def _placed(x, src, index, taken, add: bool, slices: bool):
    kind, outer, count, rows, inner = taken
    f = place.get(kind, add=add, slices=slices, thin=inner == 1)
    blocks = max(1, inner // 64)
    out, found = np.empty(x.shape, x.dtype), np.empty(outer * blocks, np.int64)
    sizes = (outer, count, rows, inner, index.size, blocks, (count + 4 * rows) * -(-inner // blocks))
    done = f and f(*(fused._flat(a) for a in (x, src, index)), out, found, *sizes)
    return (out, _bad(found, index, count)) if done else None
