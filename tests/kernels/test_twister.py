"""MT19937 in vectors against NumPy's, word for word, and the transforms of its words."""

import numpy as np
import pytest

from flambeau.generator import Generator
from flambeau.kernels import build, twister

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


def reference(seed):
    made = np.random.MT19937(0)
    made._legacy_seeding(seed & 0xFFFFFFFF)
    return made


@pytest.mark.parametrize("counts", [(10_000,), (3, 5, 9000, 7, 700, 20_000, 1), (8192, 624, 623, 625, 1, 8191, 0, 2)])
def test_words(counts):
    for seed in (0, 5, 2**40 + 3):
        found, expected = Generator().manual_seed(seed), reference(seed)
        for n in counts:
            np.testing.assert_array_equal(found.words32(n), expected.random_raw(n).astype(np.uint32))
        again = Generator()
        again.set_state(found.state_bytes())
        np.testing.assert_array_equal(again.state_bytes(), found.state_bytes())
        np.testing.assert_array_equal(again.words32(9000), found.words32(9000))
        assert (found.manual_seed(seed).words32(3) == reference(seed).random_raw(3)).all()


def test_a_wrong_position_reads_nothing_else():
    for used in (-(2**31), -1, 624, 2**31 - 1):
        state = np.append(np.arange(624, dtype=np.int32), np.int32(used))
        out = np.full(700, 7, np.int32)
        assert twister.words.get()(state, out[50:650], 600, 1)
        assert (out[:50] == 7).all() and (out[650:] == 7).all()


@pytest.mark.parametrize("span", [1, 2, 10, 1000, (1 << 28) - 1, (1 << 31) - 1])
def test_integers(span):
    words = np.concatenate([reference(1).random_raw(1000), [0, 1, span - 1, span, 2**31, 2**32 - 1]]).astype(np.uint32)
    made = np.empty(len(words), np.int64)
    assert twister.integers.get()(words.view(np.int32), made, len(words), span, np.array([-5]))
    np.testing.assert_array_equal(made, words.astype(np.int64) % span - 5)


def test_uniform():
    words = np.concatenate([reference(1).random_raw(1000), [0, 0xFFFFFF, 2**32 - 1]]).astype(np.uint32)
    made = np.empty(len(words), np.float32)
    assert twister.uniform.get()(words.view(np.int32), made, len(words), 1.0, 0.0, 1.0)
    np.testing.assert_array_equal(made, (words & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24))
    low, high = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    assert twister.uniform.get()(words.view(np.int32), made, len(words), float(high - low), float(low), float(high))
    assert (made == low).all()  # what rounding puts on the end begins again
