"""Keyed uniforms for whole columns: which price a row has is a function of seed, patient and row key alone.

The same numbers as `trajsim.streams.ints.keyed_uniform` with the words (stream of the name ``@costs``, row key), in
NumPy, so that a shard of any size on any thread gives the same prices.
"""

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.keys import HASH_START, KEYED_XOR, stream_id

COSTS = "@costs"

_MASK32, _MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
_LOW = np.uint64(_MASK32)
_S32 = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10

Keys = NDArray[np.uint64]


def price_uniforms(seed: int, patient_id: Keys, row_key: Keys) -> NDArray[np.float64]:
    """One uniform in [0, 1) a row.

    Args:
        seed: Run seed, 0 <= seed < 2^64.
        patient_id: [n] patients.
        row_key: [n] keys of their rows.

    Source:
        docs/draws.md, section 1, *keyed draw*.
    """
    start = _mix(np.array([HASH_START ^ stream_id(COSTS)], np.uint64))
    digest = _mix(start ^ row_key)
    key = (seed ^ KEYED_XOR) & _MASK64
    low, high = _philox((digest & _LOW, digest >> _S32, patient_id & _LOW, patient_id >> _S32), key)
    return (((low << _S32) | high) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(words: Keys) -> Keys:
    """The finalizer of splitmix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _philox(counter: tuple[Keys, Keys, Keys, Keys], key: int) -> tuple[Keys, Keys]:
    """The first two words of Philox4x32-10 for many counters under one key."""
    c0, c1, c2, c3 = counter
    k0, k1 = key & _MASK32, key >> 32
    for _ in range(_ROUNDS):
        product0, product1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (product1 >> _S32) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _S32) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _W0) & _MASK32, (k1 + _W1) & _MASK32
    return c0, c1
