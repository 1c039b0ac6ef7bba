"""Matrix products of float32 and float64: c = a b (+ bias), for pairs of matrices of any strides.

A task is a block of rows times one panel of columns of one pair; it depends on nothing but its number. The panel of b
is packed on the stack, block by block of its depth, or used where it lies; a is never copied (see `tile.py`). The
panel stays in the cache while all rows of the block pass, and a row tile of a while the panel passes.
"""

from __future__ import annotations

from .build import kernel

DEPTH = 512  # rows of a packed panel at most: with 3 vectors of 64 bytes 96 kB, a part of a second-level cache
PACK_FROM = 768  # rows of a from which a panel that could be used where it lies is packed: then nothing misses the TLB
LARGEST = 8 << 20  # bytes of a block of a, which stays in the last cache while the panels pass
SHARE = 1 << 18  # multiply-adds of a task at least (about 2 us), where it can be chosen
UNIT = 8  # multiply-adds in one unit of cost
FEW = 4  # rows of one factor up to which a product is taken as inner products, where both are dense along the depth
GROUP = 8  # inner products that are taken side by side


# What `start` says: the sums begin at 0, at what c holds, or at the bias.
ZERO, ADD, BIAS = range(3)


@kernel(
    "a:T~ b:T~ bias:T~ c:T!=outer*inner*m*n start outer inner m n depth a_outer a_inner a_row a_depth "
    "b_outer b_inner b_depth b_col bias_row bias_col high wide row_parts col_parts weight",
    work="outer*inner*row_parts*col_parts", cost="weight", tile=True,
)  # fmt: skip
def product(k, begin, end, a, b, bias, c, start, outer, inner, m, n, depth, a_outer, a_inner, a_row, a_depth,
            b_outer, b_inner, b_depth, b_col, bias_row, bias_col, high, wide, row_parts, col_parts,
            weight):  # fmt: skip
    """c = a b for each of outer * inner pairs, plus what `start` says.

    a_outer...: elements from one matrix, row or column to the next, 0 where it is repeated. Callers take them from the
    arrays' own strides. high, wide: rows and columns of a task; row_parts, col_parts: so many of them. bias: any array
    where it is not used.
    """
    from . import tile  # imports LLVM

    first = tile.room(k, 1)  # what each row of a panel starts from
    whole = (start == BIAS) & (bias_row != 0)
    for pair, top, left, rows, cols, out in tasks(k, begin, end, c, m, n, high, wide, row_parts, col_parts):
        own = bias.at(top * bias_row + left * bias_col)
        for v in range(tile.shape(k.real).vectors):
            tile.store(k, tile.nothing(k), first.at(v * tile.shape(k.real).lanes))
        for _ in k.when(start == BIAS):
            with k.b.if_else(whole.v) as (every, one):
                with every:
                    _fill(k, out, n, own, bias_row, bias_col, rows, cols)
                with one:
                    for s in k.range(cols, vectorize=False, unroll=False):
                        first[s] = own[s * bias_col]
        i, j = pair // inner, pair % inner
        a_part = a.at(i * a_outer + j * a_inner + top * a_row)
        b_part = b.at(i * b_outer + j * b_inner + left * b_col)
        multiply(k, rows, cols, depth, a_part, a_row, a_depth, b_part, b_depth, b_col, out, n, (start == ADD) | whole,
                 first)  # fmt: skip


def tasks(k, begin, end, c, m, n, high, wide, row_parts, col_parts):
    """For each task: the number of its pair, its first row and column, its rows and columns, and its place in c."""
    for task in k.range(begin, end):
        pair, part = task // (row_parts * col_parts), task % (row_parts * col_parts)
        top, left = part // col_parts * high, part % col_parts * wide
        yield pair, top, left, k.minimum(m - top, high), k.minimum(n - left, wide), c.at((pair * m + top) * n + left)


def multiply(k, rows, cols, depth, a, a_row, a_depth, b, b_depth, b_col, out, out_row, more, first=None):
    """out = a b, or where `more` holds out += a b, for one panel of columns; to each row `first` is added."""
    from . import tile  # imports LLVM

    t = tile.shape(k.real)
    room = tile.room(k, DEPTH)
    blocks = k.maximum((depth + (DEPTH - 1)) // DEPTH, 1)
    direct = (b_col == 1) & (cols % t.lanes == 0) & (rows < PACK_FROM)
    for block in k.range(blocks, unroll=False):
        low, high = depth * block // blocks, depth * (block + 1) // blocks
        left, panel, size = a.at(low * a_depth), b.at(low * b_depth), high - low
        add = k.select((block > 0) | more, k.int(1), k.int(0))
        base = first and tile.only(k, block == 0, first)
        with k.b.if_else(direct.v) as (there, packed):
            with there:
                tile.panel(k, rows, cols, size, left, a_row, a_depth, panel, b_depth, out, out_row, add, base)
            with packed:
                tile.pack(k, panel, b_depth, b_col, size, cols, room)
                tile.panel(k, rows, cols, size, left, a_row, a_depth, room, t.padded(cols), out, out_row, add, base)


def _fill(k, out, out_row, bias, bias_row, bias_col, rows, cols):
    """out = bias"""
    from . import tile

    lanes = tile.shape(k.real).lanes
    for r in k.range(rows, unroll=False):
        line, to = bias.at(r * bias_row), out.at(r * out_row)
        with k.b.if_else((bias_col == 1).v) as (dense, apart):
            with dense:
                for j in k.range(0, cols, lanes, unroll=False):
                    mask = tile.below(k, cols - j, lanes)
                    tile.masked_store(k, tile.masked_load(k, line.at(j), mask), to.at(j), mask)
            with apart:
                for j in k.range(cols, vectorize=False, unroll=False):
                    to[j] = line[j * bias_col]


@kernel(
    "a:T~ b:T~ bias:T~ c:T!=outer*inner*m*n start outer inner m n depth a_outer a_inner a_row b_outer b_inner b_row "
    "bias_row bias_col c_row c_col groups weight",
    work="outer*inner*groups", cost="weight",
)  # fmt: skip
def dots(k, begin, end, a, b, bias, c, start, outer, inner, m, n, depth, a_outer, a_inner, a_row, b_outer, b_inner,
         b_row, bias_row, bias_col, c_row, c_col, groups, weight):  # fmt: skip
    """c_rs = the inner product of row r of a and row s of b, plus what `start` says; rows are dense, those of a few.

    A task is GROUP rows of b, of which there are so many groups; c_row, c_col: elements of c from one r and s to the
    next.
    """
    from . import tile
    from .emit import Value

    lanes = tile.shape(k.real).lanes
    whole = depth // lanes * lanes
    for task in k.range(begin, end):
        pair, group = task // groups, task % groups
        i, j = pair // inner, pair % inner
        left, right = a.at(i * a_outer + j * a_inner), b.at(i * b_outer + j * b_inner)
        numbers = [k.minimum(group * GROUP + g, n - 1) for g in range(GROUP)]  # at the end the last row again
        lines = [right.at(s * b_row) for s in numbers]
        for r in k.range(m, unroll=False):
            line, out = left.at(r * a_row), c.at(pair * m * n + r * c_row)
            sums = [k.cell(Value(k, tile.nothing(k))) for _ in lines]

            def add(p, read, line=line, sums=sums):
                x = read(line.at(p))
                for other, total in zip(lines, sums, strict=True):
                    total.set(Value(k, tile.fma(k, x, read(other.at(p)), total.get().v)))

            for p in k.range(0, whole, lanes, unroll=False):
                add(p, lambda place: tile.load(k, place, lanes))
            for _ in k.when(whole < depth):
                mask = tile.below(k, depth - whole, lanes)
                add(whole, lambda place, mask=mask: tile.masked_load(k, place, mask))
            first = [k.cell(0.0) for _ in lines]
            for _ in k.when(start == ADD):
                for s, total in zip(numbers, first, strict=True):
                    total.set(out[s * c_col])
            for _ in k.when(start == BIAS):
                for s, total in zip(numbers, first, strict=True):
                    total.set(bias[r * bias_row + s * bias_col])
            for s, base, total in zip(numbers, first, sums, strict=True):
                out[s * c_col] = base.get() + tile.total(k, total.get().v)


def split(kind: str, pairs: int, m: int, n: int, depth: int) -> tuple[int, int, int, int, int]:
    """(high, wide, row_parts, col_parts, weight) for `product`: how to cut its work into tasks."""
    from . import tile  # imports LLVM

    t = tile.shape(kind)
    wide, panels = t.cols, -(-n // t.cols)
    limit = LARGEST // (4 if kind == "f4" else 8) // max(depth, 1)
    parts = max(1, min(8 // (pairs * panels), pairs * m * n * depth // SHARE // panels))
    if pairs * parts == 1 and panels % 2 and panels < 6 and n > t.lanes:  # as many for one thread as for the other
        wide = -(-n // (panels + 1) // t.lanes) * t.lanes
        panels = -(-n // wide)
    high = min(-(-m // parts), max(limit, 8 * t.rows))
    high = -(-high // t.rows) * t.rows
    return high, wide, -(-m // high), panels, max(1, high * wide * depth // UNIT)
