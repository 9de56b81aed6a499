"""The chances of a candidate: one uniform for every (seed, replicate, patient, copy, purpose).

A candidate who is not touched by a change of the trial must meet the same fate in both scenarios, or the difference
between them is noise. So a draw is named by what it decides and for whom, never by how many draws came before. The
numbers are the keyed draws of docs/draws.md, section 1, with the words (purpose, replicate, copy, item), computed for
arrays of patients.

Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (SC11).
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.ints import hash64, mix64
from trajsim.streams.keys import HASH_START, KEYED_XOR, stream_id

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.uint64]

SITE_OF: Final = "site"
COPIES: Final = "copies"
CALENDAR: Final = "calendar"
OPENING: Final = "opening"
PERFORMANCE: Final = "performance"
RATE: Final = "rate"
REVIEW: Final = "review"
CONTACT: Final = "contact"
COMPETITOR: Final = "competitor"
CONSENT: Final = "consent"
LAG: Final = "lag"
UNKNOWN: Final = "unknown"
UNMEASURED: Final = "unmeasured"
ASSAY: Final = "assay"
OTHERWISE: Final = "otherwise"
COMPLETION: Final = "completion"
BLOCK: Final = "block"
BLOCK_SIZE: Final = "block size"
EVENT: Final = "event"
DROPOUT: Final = "dropout"

_MASK32 = 0xFFFFFFFF
_CHUNK = 8192
_MASK = np.uint64(_MASK32)
_S32 = np.uint64(32)
_S11 = np.uint64(11)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = 0x9E3779B9
_W1 = 0xBB67AE85
_HALF_ULP = 2.0**-54


@cache
def _purpose(name: str) -> int:
    return stream_id(f"@recruitment:{name}")


def id_of(name: str) -> int:
    """The number under which a named thing (a site, a stratum) draws, in the place of a patient's id."""
    return hash64(stream_id(f"@recruitment-name:{name}"), *name.encode())


def _rounds(words: list[Ids], key: int) -> Ids:
    """Ten rounds of Philox4x32; the first two words of each block as one."""
    c0, c1, c2, c3 = words
    product0 = np.empty_like(c0)
    product1 = np.empty_like(c0)
    k0, k1 = key & _MASK32, key >> 32
    for _ in range(10):
        np.multiply(c0, _M0, out=product0)
        np.multiply(c2, _M1, out=product1)
        np.right_shift(product1, _S32, out=c0)
        np.bitwise_xor(c0, c1, out=c0)
        np.bitwise_xor(c0, np.uint64(k0), out=c0)
        np.right_shift(product0, _S32, out=c2)
        np.bitwise_xor(c2, c3, out=c2)
        np.bitwise_xor(c2, np.uint64(k1), out=c2)
        np.bitwise_and(product1, _MASK, out=c1)
        np.bitwise_and(product0, _MASK, out=c3)
        k0 = (k0 + _W0) & _MASK32
        k1 = (k1 + _W1) & _MASK32
    return (c0 << _S32) | c1


def _mixed(z: Ids) -> Ids:
    """`mix64` of an array."""
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


class Draws:
    """The draws of one replicate."""

    def __init__(self, seed: int, replicate: int) -> None:
        """Keeps the key; nothing is drawn yet.

        Args:
            seed: 0 <= seed < 2^64.
            replicate: Number of the replicate, from 0.
        """
        self._key = (seed ^ KEYED_XOR) & 0xFFFFFFFFFFFFFFFF
        self._replicate = replicate

    def uniforms(self, purpose: str, ids: Ids, copies: Ints | None = None, *, item: int | Ints = 0) -> Floats:
        """A uniform for each of some patients (or other things that have an id).

        Args:
            purpose: What is decided.
            ids: Patients, [n].
            copies: Which copy of each patient, from 0; all 0 when left out.
            item: What else names the draw (a lab, a criterion), one for all or [n].

        Returns:
            [n] in (0, 1): never exactly 0, so that every quantile is finite.

        Guarantees:
            The bits of `trajsim.streams.ints.keyed_uniform`, but for an exact 0.
            (tests/unit/trials/recruitment/test_draws.py)
        """
        head = mix64(mix64(HASH_START ^ _purpose(purpose)) ^ self._replicate)
        hashes = np.full(len(ids), head, np.uint64)
        if copies is not None:
            np.bitwise_xor(hashes, copies.astype(np.uint64), out=hashes)
        hashes = _mixed(_mixed(hashes) ^ np.asarray(item).astype(np.uint64))
        out = np.empty(len(ids), np.float64)
        for start in range(0, len(ids), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            h, patient = hashes[chunk], ids[chunk]
            bits = _rounds([h & _MASK, h >> _S32, patient & _MASK, patient >> _S32], self._key) >> _S11
            np.multiply(bits, 2.0**-53, out=out[chunk])
        return np.maximum(out, _HALF_ULP, out=out)

    def uniform(self, purpose: str, name: str = "", *, item: int = 0) -> float:
        """A uniform of a named thing."""
        return float(self.uniforms(purpose, np.array([id_of(name)], np.uint64), item=item)[0])
