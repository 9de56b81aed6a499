"""Random numbers: the published vectors, and machine code against plain integers, bit for bit."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.streams import ints, philox
from trajsim.streams.keys import KEYED_XOR, stream_id

_WORD = st.integers(0, 2**32 - 1)
_LONG = st.integers(0, 2**64 - 1)
_OPEN = st.floats(0.0, 1.0, exclude_max=True)

# Random123, kat_vectors: philox4x32 with 10 rounds.
_VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

Four = tuple[int, int, int, int]
Two = tuple[int, int]


def _machine_block(counter: Four, key: Two) -> Four:
    words = philox.philox4x32(*(np.uint64(word) for word in (*counter, *key)))
    a, b, c, d = (int(word) for word in words)
    return a, b, c, d


@pytest.mark.parametrize(("counter", "key", "block"), _VECTORS)
def test_published_vectors(counter: Four, key: Two, block: Four) -> None:
    assert ints.philox4x32(counter, key) == block
    assert _machine_block(counter, key) == block


@given(st.tuples(_WORD, _WORD, _WORD, _WORD), st.tuples(_WORD, _WORD))
def test_blocks_of_machine_code_and_integers(counter: Four, key: Two) -> None:
    assert ints.philox4x32(counter, key) == _machine_block(counter, key)


@given(_LONG, _LONG, _WORD, _WORD)
def test_uniforms_of_machine_code_and_integers(seed: int, patient: int, stream: int, n: int) -> None:
    words = (seed & 0xFFFFFFFF, seed >> 32, patient & 0xFFFFFFFF, patient >> 32, stream, n)
    value = philox.uniform(*(np.uint64(word) for word in words))
    assert value == ints.uniform(seed, patient, stream, n)
    assert 0.0 <= value < 1.0


@given(_LONG, _LONG, st.tuples(*[st.integers(-(2**63), 2**64 - 1)] * 4))
def test_keyed_draws_of_machine_code_and_integers(seed: int, patient: int, words: Four) -> None:
    h = philox.hash4(*(np.uint64(word % 2**64) for word in words))
    assert int(h) == ints.hash64(*words)
    place = (seed & 0xFFFFFFFF, seed >> 32, patient & 0xFFFFFFFF, patient >> 32)
    value = philox.keyed_uniform(*(np.uint64(word) for word in place), np.uint64(h))
    assert value == ints.keyed_uniform(seed, patient, *words)


@given(_LONG)
def test_a_keyed_draw_never_meets_a_counter(seed: int) -> None:
    assert seed ^ KEYED_XOR != seed


@given(_OPEN)
def test_quantiles_of_machine_code_and_integers(u: float) -> None:
    assert philox.normal_quantile(u) == ints.normal_quantile(u)


@given(st.floats(1e-12, 1.0 - 1e-12))
def test_quantile_inverts_the_normal_distribution(u: float) -> None:
    z = ints.normal_quantile(u)
    tail = min(u, 1.0 - u)
    assert 0.5 * math.erfc(abs(z) / math.sqrt(2.0)) == pytest.approx(tail, rel=1e-11)
    assert z == pytest.approx(statistics.NormalDist().inv_cdf(u), rel=1e-12, abs=1e-15)


def test_quantile_agrees_with_scipy() -> None:
    special = pytest.importorskip("scipy.special", reason="scipy is no dependency; the test above needs none")
    u = np.linspace(1e-6, 1.0 - 1e-6, 10_001)
    ours = np.array([ints.normal_quantile(float(each)) for each in u])
    np.testing.assert_allclose(ours, special.ndtri(u), rtol=1e-11, atol=1e-14)


def test_quantile_of_zero_is_finite() -> None:
    assert ints.normal_quantile(0.0) == ints.normal_quantile(2.0**-54) == philox.normal_quantile(0.0)
    assert math.isfinite(ints.normal_quantile(0.0))


@given(st.text(max_size=20), st.text(max_size=20))
def test_stream_numbers_are_words(first: str, second: str) -> None:
    assert 0 <= stream_id(first) < 2**32
    assert (stream_id(first) == stream_id(second)) == (first == second)
