"""The Mersenne Twister MT19937 in vectors, and the plain transforms of its words.

Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number
generator", 1998. The state is renewed in place, 624 words at a time: a new word depends on words at least 227 places
away, so the loops run in vectors.
"""

from __future__ import annotations

from typing import Any

from .build import kernel
from .scalars import fma, where

SIZE, AHEAD = 624, 397  # words of state; how far ahead a word is mixed in


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _renewed(state: Any, i: Any, following: Any, ahead: Any) -> None:
    joined = (state[i] & _signed(0x80000000)) | (state[following] & 0x7FFFFFFF)
    half = (joined >> 1) & 0x7FFFFFFF
    state[i] = state[ahead] ^ half ^ (-(joined & 1) & _signed(0x9908B0DF))


def _tempered(y: Any) -> Any:
    y = y ^ ((y >> 11) & 0x1FFFFF)
    y = y ^ ((y << 7) & _signed(0x9D2C5680))
    y = y ^ ((y << 15) & _signed(0xEFC60000))
    return y ^ ((y >> 18) & 0x3FFF)


@kernel("state:i4!=625 out:i4!=n n once", work="once")
def words(k, begin, end, state, out, n, once):
    """The next n words. The state ends with the number of its words that are used up."""
    done = k.cell(0, "i8")
    at = k.cell(k.maximum(k.minimum(state[SIZE].cast("i8"), SIZE), 0))
    for _ in k.loop_while(lambda: done.get() < n):
        for _ in k.when(at.get() >= SIZE):
            for i in k.range(SIZE - AHEAD, vectorize=True):
                _renewed(state, i, i + 1, i + AHEAD)
            for i in k.range(SIZE - AHEAD, SIZE - 1, vectorize=True):
                _renewed(state, i, i + 1, i - (SIZE - AHEAD))
            _renewed(state, SIZE - 1, 0, AHEAD - 1)
            at.set(0)
        some = k.minimum(n - done.get(), SIZE - at.get())
        source, to = state.at(at.get()), out.at(done.get())
        for i in k.range(some):
            to[i] = _tempered(source[i])
        done.set(done.get() + some)
        at.set(at.get() + some)
    state[SIZE] = at.get().cast("i4")


@kernel("words:i4=n y:f4!=n n scale:d low:d high:d", work="n", cost="1")
def uniform(k, begin, end, words, y, n, scale, low, high):
    """24 bits of each word as a number of [0, 1), times scale, plus low; `high` becomes low."""
    least, most = low.cast("f4"), high.cast("f4")
    for i in k.range(begin, end):
        made = fma((words[i] & 0xFFFFFF).cast("f4") * 2.0**-24, scale.cast("f4"), least)
        y[i] = where(made == most, least, made)


@kernel("words:i4=n y:i8!=n n span low:i8=1", work="n", cost="2")
def integers(k, begin, end, words, y, n, span, low):
    """low + word modulo span, for spans below 2^31."""
    first, inverse = low[0], 1.0 / span.cast("f8")
    for i in k.range(begin, end):
        word = words[i].cast("i8") & 0xFFFFFFFF
        rest = word - (word.cast("f8") * inverse).cast("i8") * span  # off by one span at most
        rest = where(rest < 0, rest + span, rest)
        y[i] = where(rest >= span, rest - span, rest) + first
