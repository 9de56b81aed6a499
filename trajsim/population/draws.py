"""Philox4x32-10 over arrays of patients: the same numbers as `trajsim.streams.ints`, a million at a time.

Who a patient is depends on the seed and the patient's id alone, so a cohort is drawn by asking the same stream of many
patients at once. Every purpose has its own place in the stream (`Purpose`): a new purpose takes a new place and moves
no other draw. See docs/draws.md, section 1.

Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (SC11).
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.ints import hash64
from trajsim.streams.keys import KEYED_XOR, POPULATION, stream_id

Uniforms = NDArray[np.float64]

_MASK32 = 0xFFFFFFFF
_BLOCK = 8192
_MASK = np.uint64(_MASK32)
_S32 = np.uint64(32)
_S11 = np.uint64(11)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = 0x9E3779B9
_W1 = 0xBB67AE85


class Purpose(IntEnum):
    """Place of each draw in the stream ``@population`` of a patient. Numbers are never reused or changed."""

    WHO = 0
    """Place, ethnicity, race and sex at once."""
    AGE = 1
    BIRTH = 2
    # 3 was the place within the state, which WHO draws now.
    LANGUAGE = 4
    EDUCATION = 5
    EDUCATION_LEVEL = 6
    INCOME_BRACKET = 7
    INCOME = 8
    OCCUPATION = 9
    NAMES = 10
    MAIDEN_NAME = 11
    ADDRESS = 12
    POINT = 13
    TELEPHONE = 14
    PASSPORT = 16
    BIRTH_PLACE = 17
    FOOD = 18
    HOUSING = 19
    UNEMPLOYED = 20
    VEHICLE = 21
    UNINSURED = 22
    RHESUS = 23
    ORIENTATION = 24
    MULTIPLE_BIRTH = 25
    FOREIGN_BIRTH = 26
    PRIMARY_CARE = 27
    HERITAGE = 28


def _rounds(words: list[NDArray[np.uint64]], key: tuple[int, int]) -> None:
    """Ten rounds in place on four arrays of words below 2^32."""
    c0, c1, c2, c3 = words
    product0 = np.empty_like(c0)
    product1 = np.empty_like(c0)
    k0, k1 = key
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


def uniforms(seed: int, patient_id: NDArray[np.uint64], *, stream: int, n: int) -> Uniforms:
    """The n-th uniform of one stream, for each patient.

    Args:
        seed: Run seed, 0 <= seed < 2^64.
        patient_id: [n_patients].
        stream: Number of the stream (`trajsim.streams.keys.stream_id`).
        n: Place in the stream, from 0.

    Returns:
        [n_patients], each in [0, 1); equal to `trajsim.streams.ints.uniform`, bit for bit.
    """
    key = (seed & _MASK32, seed >> 32)
    out = np.empty(len(patient_id), dtype=np.float64)
    for start in range(0, len(patient_id), _BLOCK):
        ids = patient_id[start : start + _BLOCK]
        words = [
            np.full(len(ids), n & _MASK32, dtype=np.uint64),
            np.full(len(ids), stream, dtype=np.uint64),
            ids & _MASK,
            ids >> _S32,
        ]
        _rounds(words, key)
        bits = ((words[0] << _S32) | words[1]) >> _S11
        np.multiply(bits, 2.0**-53, out=out[start : start + _BLOCK])
    return out


class PopulationDraws:
    """The draws of one block of patients, by purpose."""

    def __init__(self, seed: int, patient_id: NDArray[np.uint64]) -> None:
        """Keeps the key; nothing is drawn yet."""
        self._seed = seed
        self._patient_id = patient_id
        self._stream = stream_id(POPULATION)

    def uniform(self, purpose: Purpose) -> Uniforms:
        """[n_patients] uniforms in [0, 1)."""
        return uniforms(self._seed, self._patient_id, stream=self._stream, n=int(purpose))

    def keyed(self, name: str, *words: int) -> Uniforms:
        """[n_patients] keyed uniforms of the lifecycle (docs/draws.md, 10.1): what the engine draws too."""
        h = hash64(stream_id(f"@lifecycle:{name}"), *words, *(0,) * (3 - len(words)))
        return uniforms(self._seed ^ KEYED_XOR, self._patient_id, stream=h >> 32, n=h & _MASK32)


def split(u: Uniforms, *n_choices: "int | NDArray[np.int64]") -> list[NDArray[np.int64]]:
    """Cuts one uniform into several independent whole numbers, the k-th uniform in 0 ... n_choices[k] - 1.

    A uniform has 53 bits: if the product of all choices is 2^40, shares of the last one differ by less than 1 in 8,000.

    Args:
        u: [n] in [0, 1).
        n_choices: Number of choices, the same for all or [n].

    Returns:
        One [n] array a choice.
    """
    parts = []
    rest = u
    for choices in n_choices:
        scaled = rest * choices
        whole = scaled.astype(np.int64)
        rest = scaled - whole
        parts.append(np.minimum(whole, np.int64(1) * choices - 1))
    return parts


def cumulative(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative shares of non-negative weights; the last is exactly 1."""
    sums = np.cumsum(weights)
    sums /= sums[-1]
    sums[-1] = 1.0
    return sums


def choose(u: Uniforms, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the first cumulative share that exceeds u; a choice of weight zero is never made."""
    last = len(shares) - 1
    return np.minimum(np.searchsorted(shares, u, side="right"), last).astype(np.int64, copy=False)


class GroupedChoice:
    """A choice whose weights depend on a group: language by ethnicity, place by state."""

    def __init__(self, weights: list[NDArray[np.float64]]) -> None:
        """Lays the cumulative shares of all groups end to end, group g between g and g + 1.

        Args:
            weights: By group, one weight a choice; the groups may differ in length.
        """
        sizes = np.array([len(row) for row in weights], dtype=np.int64)
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._last = self._first + sizes - 1
        self._edges = np.concatenate([group + cumulative(row) for group, row in enumerate(weights)])

    def choose(self, u: Uniforms, group: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the chosen element, counted over all groups laid end to end."""
        found = np.searchsorted(self._edges, group + u, side="right")
        return np.clip(found, self._first[group], self._last[group])
