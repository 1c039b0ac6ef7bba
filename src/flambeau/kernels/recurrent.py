"""Recurrent layers, the whole time loop in one kernel: LSTM, GRU and plain RNN, forward and backward.

A part owns some samples of the batch and takes them through all steps alone: nothing waits within the loop. In
each step it multiplies the states of its samples by the recurrent weights, packed once into the tile's panels, and
runs the gates. The products with the input, and everything that is summed over steps, are large matrix products
outside.

`steps` holds two numbers for each step, in the order of the steps: the row of the first sample, and how many samples
take part. Sample b's row is b * apart further on. Gates lie side by side in a row, in PyTorch's order: i f g o for the
LSTM, r z n for the GRU. Steps that name rows outside the arrays are left out.
"""

from __future__ import annotations

from typing import Any

from .build import kernel
from .scalars import sigmoid, tanh, where


@kernel("w:T=size panels:T!=count*width*depth size count width depth cols down right", work="count", cost="width*depth",
        tile=True)  # fmt: skip
def pack(k, begin, end, w, panels, size, count, width, depth, cols, down, right):
    """Panels of `width` columns of the (depth, cols) matrix whose rows and columns are `down` and `right` apart."""
    from . import tile

    fits = (width == tile.shape(k.real).cols) & ((depth - 1) * down + (cols - 1) * right < size) & (depth > 0)
    for _ in k.when(fits & ((count - 1) * width < cols)):
        for p in k.range(begin, end):
            j = p * width
            tile.pack(k, w.at(j * right), down, right, depth, k.minimum(cols - j, width), panels.at(j * depth))


def _multiply(k: Any, m: Any, a: Any, a_row: Any, depth: Any, panels: Any, cols: Any, c: Any, c_row: Any,
              more: int) -> None:  # fmt: skip
    """c (m, cols) = or += a (m, depth) times a packed matrix."""
    from . import tile

    width = tile.shape(k.real).cols
    for j in k.range(0, cols, width):
        wide = k.minimum(cols - j, width)
        padded = tile.shape(k.real).padded(wide)
        tile.panel(k, m, wide, depth, a, a_row, 1, panels.at(j * depth), padded, c.at(j), c_row, more)


def _lanes(k: Any, name: str, n: Any, arrays: list[Any], body: Any) -> None:
    """body(j, *arrays) for j < n, in a function of its own that knows the arrays (None: left out) not to overlap."""
    there = [a.v for a in arrays if a is not None] + [n.v]
    fn, inner = k.function(name, [a.type for a in there])
    k.b.call(fn, there)
    if inner is None:
        return
    given = iter(fn.args)
    pointers: list[Any] = []
    for a in arrays:
        if a is not None:
            argument = next(given)
            argument.add_attribute("noalias")
            a = type(a)(inner, argument, a.kind)
        pointers.append(a)
    for j in inner.range(type(n)(inner, next(given)), masked=True):
        body(j, *pointers)
    inner.b.ret_void()


class _Walk:
    """The steps of one part's samples, each as emitted code.

    `low`: the part's first sample; `m`: how many of them take part in the current step, and `at(i)`: the row of the
    i-th of them.
    """

    def __init__(self, k: Any, part: Any, parts: Any, steps: Any, count: Any, rows: Any, batch: Any, apart: Any):
        self.k, self.steps, self.count, self.rows, self.apart = k, steps, count, rows, apart
        self.low, self.high = batch * part // parts, batch * (part + 1) // parts
        self.size = self.high - self.low

    def __call__(self, backward: bool = False) -> Any:
        k = self.k
        for turn in k.range(self.count):
            step = self.count - 1 - turn if backward else turn
            start, n = self.steps[step * 2], self.steps[step * 2 + 1]
            self.m = k.minimum(n, self.high) - self.low
            first = start + self.low * self.apart
            good = self._inside(start) & (self.m > 0) & (first + (self.m - 1) * self.apart < self.rows)
            self.first, self.step = first, step
            for _ in k.when(good):
                yield step

    def _inside(self, start: Any) -> Any:
        """Whether a step's first row is one; with it no sum of rows below can overflow."""
        return (start >= 0) & (start < self.rows) & (self.apart <= self.rows)

    def at(self, i: Any) -> Any:
        return self.first + i * self.apart

    def before(self, i: Any, first: Any, later: Any, width: Any) -> Any:
        """Where sample i's value of the step before stands: in `later`, by rows, or in `first`, by samples."""
        k = self.k
        earlier = k.maximum(self.step - 1, 0)
        start, n = self.steps[earlier * 2], self.steps[earlier * 2 + 1]
        b = self.low + i
        row = start + b * self.apart
        known = (self.step > 0) & (b < n) & self._inside(start) & (row < self.rows)
        place = k.select(known, row, 0)
        return k.choose(known, later.at(place * width), first.at(b * width))


def _packed(k: Any, held: Any, depth: Any, cols: Any) -> Any:
    """Whether `held` elements are the panels of a (depth, cols) matrix."""
    from . import tile

    width = tile.shape(k.real).cols
    return held == (cols + (width - 1)) // width * width * depth


def _begin(k: Any, walk: _Walk, state: Any, given: Any, width: Any) -> None:
    """The part's rows of a state: those given, or 0."""
    to = state.at(walk.low * width)
    if given is None:
        for j in k.range(walk.size * width):
            to[j] = 0.0
    else:
        k.copy(to, given.at(walk.low * width), walk.size * width)


def _biased(row: Any, j: Any, *biases: Any) -> Any:
    total = row[j]
    added = [b[j] for b in biases if b is not None]
    return total + sum(added[1:], added[0]) if added else total


# ---------------------------------------------------------------------------------------------- LSTM


@kernel("gates:T!=rows*4*size h0:T=batch*hidden c0:T=batch*size panels:T=held b_ih:T?=4*size b_hh:T?=4*size "
        "project:T?=held_project made:T?!=rows*size steps:i8=count*2 output:T!=rows*hidden cells:T!=rows*size "
        "h:T!=batch*hidden c:T!=batch*size rows batch size hidden count apart held held_project parts weight",
        work="parts", cost="weight", tile=True)  # fmt: skip
def lstm(k, begin, end, gates, h0, c0, panels, b_ih, b_hh, project, made, steps, output, cells, h, c, rows, batch,
         size, hidden, count, apart, held, held_project, parts, weight):  # fmt: skip
    """c = f c' + i g, h = o tanh(c). `gates` comes in as the input's part and leaves as i f g o; h, c: the last states.

    project: the packed weight that makes h of made = o tanh(c).
    """
    four = size * 4

    def gate(j, i, f, g, o, old, cell, out, state, *bias):
        at = [_biased(row, j, bias[n], bias[n + 4]) for n, row in enumerate((i, f, g, o))]
        ig, fg, gg, og = sigmoid(at[0]), sigmoid(at[1]), tanh(at[2]), sigmoid(at[3])
        new = fg * old[j] + ig * gg
        i[j], f[j], g[j], o[j] = ig, fg, gg, og
        cell[j] = old[j] = new
        out[j] = og * tanh(new)
        if state is not None:
            state[j] = out[j]

    fits = _packed(k, held, hidden, size * 4)
    fits = fits if project is None else fits & _packed(k, held_project, size, hidden)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, h, h0, hidden)
        _begin(k, walk, c, c0, size)
        own = h.at(walk.low * hidden)
        for _ in walk():
            _multiply(k, walk.m, own, hidden, hidden, panels, four, gates.at(walk.at(0) * four), apart * four, 1)
            for i in k.range(walk.m):
                at = walk.at(i)
                row, state = gates.at(at * four), (walk.low + i)
                out = output.at(at * hidden) if project is None else made.at(at * size)
                bias = [b and b.at(size * n) for b in (b_ih, b_hh) for n in range(4)]
                _lanes(k, "lstm_gates", size, [
                    row, row.at(size), row.at(size * 2), row.at(size * 3), c.at(state * size), cells.at(at * size), out,
                    h.at(state * hidden) if project is None else None, *bias], gate)  # fmt: skip
            if project is not None:
                to = output.at(walk.at(0) * hidden)
                _multiply(k, walk.m, made.at(walk.at(0) * size), apart * size, size, project, hidden, to,
                          apart * hidden, 0)  # fmt: skip
                for i in k.range(walk.m):
                    k.copy(own.at(i * hidden), output.at(walk.at(i) * hidden), hidden)


@kernel("acts:T=rows*4*size cells:T=rows*size c0:T=batch*size output:T=rows*hidden h0:T=batch*hidden "
        "d_out:T?=rows*hidden d_h:T?=batch*hidden d_c:T?=batch*size panels:T=held project:T?=held_project "
        "d_made:T?!=rows*hidden made:T?!=rows*size inner:T?!=batch*size steps:i8=count*2 d_gates:T!=rows*4*size "
        "before:T!=rows*hidden dh:T!=batch*hidden dc:T!=batch*size rows batch size hidden count apart held "
        "held_project parts weight", work="parts", cost="weight", tile=True)  # fmt: skip
def lstm_backward(k, begin, end, acts, cells, c0, output, h0, d_out, d_h, d_c, panels, project, d_made, made, inner,
                  steps, d_gates, before, dh, dc, rows, batch, size, hidden, count, apart, held, held_project, parts,
                  weight):  # fmt: skip
    """Gradients before the activations (d_gates) and of the first states (dh, dc); before: the h that each row met.

    With a projection also d_made, the gradient of the projected rows, and `made`, what was projected.
    """
    four = size * 4

    def gate(j, i, f, g, o, old, new, gh, more, gc, di, df, dg, do, made):
        ig, fg, gg, og = i[j], f[j], g[j], o[j]
        t = tanh(new[j])
        up = gh[j] if more is None else gh[j] + more[j]
        d = gc[j] + up * og * (1.0 - t * t)
        di[j] = d * gg * ig * (1.0 - ig)
        df[j] = d * old[j] * fg * (1.0 - fg)
        dg[j] = d * ig * (1.0 - gg * gg)
        do[j] = up * t * og * (1.0 - og)
        gc[j] = d * fg
        if made is not None:
            made[j] = og * t

    def arrive(j, to, state, more):
        to[j] = state[j] if more is None else state[j] + more[j]

    fits = _packed(k, held, size * 4, hidden)
    fits = fits if project is None else fits & _packed(k, held_project, hidden, size)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, dh, d_h, hidden)
        _begin(k, walk, dc, d_c, size)
        own = dh.at(walk.low * hidden)
        for _ in walk(backward=True):
            if project is not None:
                for i in k.range(walk.m):
                    at = walk.at(i) * hidden
                    arrived = [d_made.at(at), own.at(i * hidden), d_out and d_out.at(at)]
                    _lanes(k, "lstm_arrive", hidden, arrived, arrive)
                start = d_made.at(walk.at(0) * hidden)
                _multiply(k, walk.m, start, apart * hidden, hidden, project, size, inner.at(walk.low * size), size, 0)
            for i in k.range(walk.m):
                at, state = walk.at(i), walk.low + i
                row, to = acts.at(at * four), d_gates.at(at * four)
                up = own.at(i * hidden) if project is None else inner.at(state * size)
                more = d_out.at(at * hidden) if d_out is not None and project is None else None
                _lanes(k, "lstm_back", size, [
                    row, row.at(size), row.at(size * 2), row.at(size * 3), walk.before(i, c0, cells, size),
                    cells.at(at * size), up, more, dc.at(state * size), to, to.at(size), to.at(size * 2),
                    to.at(size * 3), made and made.at(at * size)], gate)  # fmt: skip
                k.copy(before.at(at * hidden), walk.before(i, h0, output, hidden), hidden)
            start = d_gates.at(walk.at(0) * four)
            _multiply(k, walk.m, start, apart * four, four, panels, hidden, own, hidden, 0)


# ---------------------------------------------------------------------------------------------- GRU


@kernel("gates:T!=rows*3*size h0:T=batch*size panels:T=held b_ih:T?=3*size b_hh:T?=3*size steps:i8=count*2 "
        "output:T!=rows*size inner:T!=rows*size h:T!=batch*size own:T!=batch*3*size rows batch size count apart held "
        "parts weight", work="parts", cost="weight", tile=True)  # fmt: skip
def gru(k, begin, end, gates, h0, panels, b_ih, b_hh, steps, output, inner, h, own, rows, batch, size, count, apart,
        held, parts, weight):  # fmt: skip
    """n = tanh(x_n + r h_n), h = n + z (h' - n). `gates` comes in as the input's part and leaves as r z n.

    inner: h_n, the state's part of n; own: room for the state's part of a step.
    """
    three = size * 3

    def gate(j, r, z, n, own_r, own_z, own_n, kept, state, out, *bias):
        x = [_biased(row, j, bias[i]) for i, row in enumerate((r, z, n))]
        u = [_biased(row, j, bias[i + 3]) for i, row in enumerate((own_r, own_z, own_n))]
        rg, zg = sigmoid(x[0] + u[0]), sigmoid(x[1] + u[1])
        new = tanh(x[2] + rg * u[2])
        r[j], z[j], n[j], kept[j] = rg, zg, new, u[2]
        out[j] = state[j] = new + zg * (state[j] - new)

    fits = _packed(k, held, size, three)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, h, h0, size)
        room, states = own.at(walk.low * three), h.at(walk.low * size)
        for _ in walk():
            _multiply(k, walk.m, states, size, size, panels, three, room, three, 0)
            for i in k.range(walk.m):
                at = walk.at(i)
                row, add = gates.at(at * three), room.at(i * three)
                bias = [b and b.at(size * n) for b in (b_ih, b_hh) for n in range(3)]
                _lanes(k, "gru_gates", size, [
                    row, row.at(size), row.at(size * 2), add, add.at(size), add.at(size * 2), inner.at(at * size),
                    states.at(i * size), output.at(at * size), *bias], gate)  # fmt: skip


@kernel("acts:T=rows*3*size inner:T=rows*size output:T=rows*size h0:T=batch*size d_out:T?=rows*size "
        "d_h:T?=batch*size panels:T=held steps:i8=count*2 d_gates:T!=rows*3*size d_own:T!=rows*3*size "
        "before:T!=rows*size dh:T!=batch*size rows batch size count apart held parts weight",
        work="parts", cost="weight", tile=True)  # fmt: skip
def gru_backward(k, begin, end, acts, inner, output, h0, d_out, d_h, panels, steps, d_gates, d_own, before, dh, rows,
                 batch, size, count, apart, held, parts, weight):  # fmt: skip
    """Gradients of the input's part (d_gates) and of the state's (d_own) before the activations, and of h0 (dh)."""
    three = size * 3

    def gate(j, r, z, n, own, old, gh, more, dr, dz, dn, to_r, to_z, to_n):
        rg, zg, new = r[j], z[j], n[j]
        up = gh[j] if more is None else gh[j] + more[j]
        d_new = up * (1.0 - zg) * (1.0 - new * new)
        dr[j] = to_r[j] = d_new * own[j] * rg * (1.0 - rg)
        dz[j] = to_z[j] = up * (old[j] - new) * zg * (1.0 - zg)
        dn[j], to_n[j] = d_new, d_new * rg
        gh[j] = up * zg

    fits = _packed(k, held, three, size)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, dh, d_h, size)
        own = dh.at(walk.low * size)
        for _ in walk(backward=True):
            for i in k.range(walk.m):
                at = walk.at(i)
                row, to, also, old = (
                    acts.at(at * three),
                    d_gates.at(at * three),
                    d_own.at(at * three),
                    before.at(at * size),
                )
                k.copy(old, walk.before(i, h0, output, size), size)
                _lanes(k, "gru_back", size, [
                    row, row.at(size), row.at(size * 2), inner.at(at * size), old, own.at(i * size),
                    d_out and d_out.at(at * size), to, to.at(size), to.at(size * 2), also, also.at(size),
                    also.at(size * 2)], gate)  # fmt: skip
            start = d_own.at(walk.at(0) * three)
            _multiply(k, walk.m, start, apart * three, three, panels, size, own, size, 1)


# ---------------------------------------------------------------------------------------------- plain RNN


@kernel("output:T!=rows*size h0:T=batch*size panels:T=held b_ih:T?=size b_hh:T?=size steps:i8=count*2 h:T!=batch*size "
        "rows batch size count apart held parts weight", work="parts", cost="weight", tile=True)  # fmt: skip
def rnn(k, begin, end, output, h0, panels, b_ih, b_hh, steps, h, rows, batch, size, count, apart, held, parts, weight,
        relu=False):  # fmt: skip
    """h = tanh or relu of the input's part, as which `output` comes in, and U h'."""

    def gate(j, out, state, *bias):
        x = _biased(out, j, *bias)
        out[j] = state[j] = where(x < 0.0, 0.0, x) if relu else tanh(x)

    fits = _packed(k, held, size, size)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, h, h0, size)
        states = h.at(walk.low * size)
        for _ in walk():
            _multiply(k, walk.m, states, size, size, panels, size, output.at(walk.at(0) * size), apart * size, 1)
            for i in k.range(walk.m):
                row = output.at(walk.at(i) * size)
                _lanes(k, "rnn_gate", size, [row, states.at(i * size), b_ih, b_hh], gate)


@kernel("output:T=rows*size h0:T=batch*size d_out:T?=rows*size d_h:T?=batch*size panels:T=held steps:i8=count*2 "
        "d_pre:T!=rows*size before:T!=rows*size dh:T!=batch*size rows batch size count apart held parts weight",
        work="parts", cost="weight", tile=True)  # fmt: skip
def rnn_backward(k, begin, end, output, h0, d_out, d_h, panels, steps, d_pre, before, dh, rows, batch, size, count,
                 apart, held, parts, weight, relu=False):  # fmt: skip
    """The gradient before the activation (d_pre) and of h0 (dh)."""

    def gate(j, out, gh, more, to):
        up = gh[j] if more is None else gh[j] + more[j]
        to[j] = where(out[j] > 0.0, up, 0.0) if relu else up * (1.0 - out[j] * out[j])

    fits = _packed(k, held, size, size)
    for part in k.range(begin, k.select(fits, end, begin)):
        walk = _Walk(k, part, parts, steps, count, rows, batch, apart)
        _begin(k, walk, dh, d_h, size)
        own = dh.at(walk.low * size)
        for _ in walk(backward=True):
            for i in k.range(walk.m):
                at = walk.at(i) * size
                k.copy(before.at(at), walk.before(i, h0, output, size), size)
                _lanes(
                    k, "rnn_back", size, [output.at(at), own.at(i * size), d_out and d_out.at(at), d_pre.at(at)], gate
                )
            start = d_pre.at(walk.at(0) * size)
            _multiply(k, walk.m, start, apart * size, size, panels, size, own, size, 0)
