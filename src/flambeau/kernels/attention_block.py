"""What the bodies of the attention kernels are made of: a block of query rows, and its passes over tiles of scores.

A tile of scores is (keys, queries): `Shape.cols` elements from one key to the next, the queries in the vectors' lanes.
This file imports LLVM: the bodies import it when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir

from . import tile
from .attention import GOLDEN, mixed, signed
from .emit import I32, Emitter, Pointer, Value
from .scalars import exp_below, where


def tasks(k: Emitter, begin: Value, end: Value, lists: Value, count: Value) -> Iterator[tuple[Value, Value]]:
    """(list, task) for each task of lists `begin` to `end`. Neighbours, which read the same keys, follow each other."""
    for each in k.range(begin, end, vectorize=False, unroll=False):
        for task in k.range(count * each // lists, count * (each + 1) // lists, vectorize=False, unroll=False):
            yield each, task


def panels(k: Emitter, width: Value, body: Callable[[Value, Value], None]) -> None:
    """body(c, n) for panels of n columns from c on, all about as wide."""
    t = tile.shape(k.real)
    count = (width + t.cols - 1) // t.cols
    step = t.padded((width + count - 1) // count)
    for i in k.range(count, vectorize=False, unroll=False):
        body(i * step, k.minimum(width - i * step, step))


class Block:
    """A block of query rows of one head: where its arrays are, and what both directions do with it."""

    def __init__(self, k: Emitter, given: dict[str, Any], batch: Value, head: Value, first: Value, causal: bool):
        """given: the kernel's parameters by name; first: the block's first row."""
        self.k, self.t, self.given, self.causal = k, tile.shape(k.real), given, causal
        self.batch, self.head, self.first = batch, head, first
        self.real, self.words = tile.vector(k.real), ir.VectorType(I32, self.t.lanes)
        self.rows = k.minimum(given["rows"] - first, self.t.cols)
        self.padded = self.t.padded(self.rows)
        self.number = (batch * given["heads"] + head) * given["rows"] + first  # of the first row, among all heads'
        source = head // (given["heads"] // given["kv"])
        self.query = given["query"].at(batch * given["q_b"] + head * given["q_h"] + first * given["q_r"])
        self.key = given["key"].at(batch * given["k_b"] + source * given["k_h"])
        self.value = given["value"].at(batch * given["v_b"] + source * given["v_h"])
        self.end = k.minimum(given["keys"], first + self.rows) if causal else given["keys"]

    def load(self, place: Pointer) -> Value:
        return Value(self.k, tile.load(self.k, place, self.t.lanes))

    def store(self, value: Value, place: Pointer) -> None:
        tile.store(self.k, value.v, place)

    def all(self, x: Any) -> Value:
        """A vector with a number in every lane."""
        return self.k.lift(x if isinstance(x, float) else self.k.float(x), self.real)

    def columns(self) -> Iterator[Value]:
        """Where each vector of queries starts."""
        return self.k.range(0, self.padded, self.t.lanes, vectorize=False, unroll=False)

    def pack_queries(self, out: Pointer) -> None:
        """out (width, padded) = the queries times the scale."""
        k, given = self.k, self.given
        tile.pack(k, self.query, 1, given["q_r"], given["width"], self.rows, out)
        scale = self.all(given["scale"])
        for i in k.range(0, self.padded * given["width"], self.t.lanes, vectorize=False, unroll=False):
            self.store(self.load(out.at(i)) * scale, out.at(i))

    def scores(self, s: Pointer, queries: Pointer, start: Value, count: Value) -> None:
        """s = the keys from `start` on times the queries, plus the mask, -inf where a query may not look."""
        k, given, cols = self.k, self.given, self.t.cols
        step = given["k_r"]
        tile.panel(k, count, self.padded, given["width"], self.key.at(start * step), step, 1, queries, self.padded, s,
                   cols)  # fmt: skip
        mask = given["bias"] if given["seen"] is None else given["seen"]
        if mask is not None:
            place = self.batch * given["m_b"] + self.head * given["m_h"] + self.first * given["m_q"]
            self._add(mask.at(place + start * given["m_k"]), s, count)
        if self.causal:
            for _ in k.when(start + count > self.first + 1):
                ahead = (start - self.first).cast("i4")
                for column in self.columns():
                    queries_ = self._lanes() + k.lift(column.cast("i4"), self.words)
                    for j in k.range(count, vectorize=False, unroll=False):
                        place = s.at(j * cols + column)
                        sees = queries_ >= k.lift(ahead + j.cast("i4"), self.words)
                        self.store(where(sees, self.load(place), float("-inf")), place)

    def _add(self, mask: Pointer, s: Pointer, count: Value) -> None:
        """s += mask (queries, keys)"""
        k, cols, m_q, m_k = self.k, self.t.cols, self.given["m_q"], self.given["m_k"]

        def added(place: Pointer) -> Value:
            m = place[0]
            return m if self.given["seen"] is None else k.select(m != 0, 0.0, k.float(float("-inf")))

        with k.b.if_else((m_q == 0).v) as (alike, others):
            with alike:
                for j in k.range(count, vectorize=False, unroll=False):
                    m = k.lift(added(mask.at(j * m_k)), self.real)
                    for column in self.columns():
                        place = s.at(j * cols + column)
                        self.store(self.load(place) + m, place)
            with others:
                for r in k.range(self.rows, vectorize=False, unroll=False):
                    line, out = mask.at(r * m_q), s.at(r)
                    for j in k.range(count, vectorize=False, unroll=False):
                        out[j * cols] = out[j * cols] + added(line.at(j * m_k))

    def _lanes(self) -> Value:
        return Value(self.k, ir.Constant(self.words, list(range(self.t.lanes))))

    def row_words(self, column: Value) -> Value | None:
        """A hash of each query's number, for dropout; None without."""
        k, seed = self.k, self.given["seed"]
        if seed is None:
            return None
        number, first, second = (k.lift(x.cast("i4"), self.words) for x in (self.number + column, seed[0], seed[1]))
        return mixed((self._lanes() + number) ^ first) + second

    def factor(self, words: Value, key: Value) -> Value:
        """What dropout multiplies the probabilities of one key by."""
        k = self.k
        word = mixed(words + k.lift(key.cast("i4") * signed(GOLDEN), self.words))
        kept = ((word >> 1) & 0x7FFFFFFF) < k.lift(self.given["limit"].cast("i4"), self.words)
        return where(kept, self.all(self.given["keep"]), self.all(0.0))

    def normalise(self, s: Pointer, out: Pointer, top: Pointer, total: Pointer, column: Value, start: Value,
                  count: Value) -> None:  # fmt: skip
        """Scores become e^(score - largest so far), in place, for one vector of queries.

        top, total: the largest score and the sum of the exponentials so far; that and `out`, which was summed up with
        them, are brought to the new base.
        """
        k, cols = self.k, self.t.cols
        old = self.load(top)
        best = [k.cell(old) for _ in range(4)]
        for j in k.range(0, count, 4, vectorize=False, unroll=False):
            for i, cell in enumerate(best):
                cell.max(self.load(s.at(k.minimum(j + i, count - 1) * cols)))
        for cell in best[1:]:
            best[0].max(cell.get())
        new = best[0].get()
        self.store(new, top)
        base = where(new == float("-inf"), self.all(0.0), new)
        shrink = exp_below(old - base)
        sums = k.cell(self.load(total) * shrink)
        words = self.row_words(column)
        for j in k.range(count, vectorize=False, unroll=False):
            e = exp_below(self.load(s.at(j * cols)) - base)
            sums.set(sums.get() + e)
            self.store(e if words is None else e * self.factor(words, start + j), s.at(j * cols))
        self.store(sums.get(), total)
        for _ in k.when(start > 0):
            for c in k.range(self.given["value_width"], vectorize=False, unroll=False):
                self.store(self.load(out.at(c * cols)) * shrink, out.at(c * cols))

    def score_gradients(self, s: Pointer, d: Pointer, total: Pointer, dot: Pointer, column: Value, start: Value,
                        count: Value) -> None:  # fmt: skip
        """Scores become probabilities, and gradients of probabilities d those of scores, for one vector of queries."""
        k, cols = self.k, self.t.cols
        lse, along, words = self.load(total), self.load(dot), self.row_words(column)
        scale = self.all(self.given["scale"])
        for j in k.range(count, vectorize=False, unroll=False):
            here, there = s.at(j * cols), d.at(j * cols)
            p, g = exp_below(self.load(here) - lse), self.load(there)
            if words is None:
                self.store(p, here)
            else:
                factor = self.factor(words, start + j)
                self.store(p * factor, here)
                g = g * factor
            self.store(p * (g - along) * scale, there)

    def turn_out(self, source: Pointer, count: Value, out: Pointer, out_row: Value, room: Pointer) -> None:
        """out (rows, count) = the transposed of source (count, cols); room: for a panel."""
        k, t = self.k, self.t

        def turn(c: Value, n: Value) -> None:
            tile.pack(k, source.at(c * t.cols), 1, t.cols, self.rows, n, room)
            width = t.padded(n)
            for j in k.range(0, width, t.lanes, vectorize=False, unroll=False):
                mask = tile.below(k, n - j, t.lanes)
                for r in k.range(self.rows, vectorize=False, unroll=False):
                    line = tile.load(k, room.at(r * width + j), t.lanes)
                    tile.masked_store(k, line, out.at(r * out_row + c + j), mask)

        panels(k, count, turn)
