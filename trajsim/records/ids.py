"""Stable public ids: UUIDs of version 8 (RFC 9562) made from seed, patient and row key alone.

A row has the same id in CSV and in FHIR, whatever else was simulated beside it. The block is one call of Philox4x32-10
with counter (row key low, row key high, patient low, patient high) and key (seed XOR 0xD1B54A32D192ED03), low word
first; its four words in little-endian order are the 16 bytes; then the version and variant bits are set. The patient's
own id takes the row key 2^64 - 1. The id of a payer takes the patient 2^64 - 1, and as row key the BLAKE2b digest of 8
bytes (little-endian) of the payer's name in UTF-8.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ID_XOR = 0xD1B54A32D192ED03
PATIENT_ROW_KEY = 0xFFFFFFFFFFFFFFFF
PAYER_PATIENT_ID = 0xFFFFFFFFFFFFFFFF

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_TEXT_LENGTH = 36
_DASHES = (8, 13, 18, 23)
_HEX_PLACES = np.array([place for place in range(_TEXT_LENGTH) if place not in _DASHES])
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_PAIRS = np.stack([np.repeat(_HEX, 16), np.tile(_HEX, 16)], axis=1)

Keys = NDArray[np.uint64] | Sequence[int]


def uuid_bytes(seed: int, patient_id: Keys, row_key: Keys) -> NDArray[np.uint8]:
    """The ids of rows as bytes.

    Args:
        seed: Run seed, 0 <= seed < 2^64.
        patient_id: [n] patients.
        row_key: [n] keys of their rows.

    Returns:
        [n, 16] bytes, in the order in which a UUID is written.
    """
    row, patient = np.asarray(row_key, np.uint64), np.asarray(patient_id, np.uint64)
    words = _philox((row & _MASK, row >> _SHIFT, patient & _MASK, patient >> _SHIFT), (seed ^ ID_XOR) & (2**64 - 1))
    block = np.stack(words, axis=1).astype("<u4").view(np.uint8)
    block[:, 6] = block[:, 6] & np.uint8(0x0F) | np.uint8(0x80)
    block[:, 8] = block[:, 8] & np.uint8(0x3F) | np.uint8(0x80)
    return block


def _philox(counter: tuple[NDArray[np.uint64], ...], key: int) -> tuple[NDArray[np.uint64], ...]:
    """Philox4x32-10 of many counters under one key; words as 64-bit numbers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(_ROUNDS):
        product0, product1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            product1 & _MASK,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            product0 & _MASK,
        )
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uuid_text(block: NDArray[np.uint8]) -> pa.StringArray:
    """Ids as text, ``xxxxxxxx-xxxx-8xxx-xxxx-xxxxxxxxxxxx``.

    Args:
        block: [n, 16] bytes.

    Returns:
        [n] texts.
    """
    n = len(block)
    text = np.full((n, _TEXT_LENGTH), ord("-"), np.uint8)
    text[:, _HEX_PLACES] = _PAIRS[block].reshape(n, 32)
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(_TEXT_LENGTH)
    return pa.Array.from_buffers(pa.string(), n, [None, pa.py_buffer(offsets), pa.py_buffer(text)], null_count=0)


def row_uuid(seed: int, patient_id: Keys, row_key: Keys) -> pa.StringArray:
    """Ids of rows as text; see `uuid_bytes`."""
    return uuid_text(uuid_bytes(seed, patient_id, row_key))


def patient_uuid(seed: int, patient_id: Keys) -> pa.StringArray:
    """Ids of patients as text; see `uuid_bytes`."""
    patients = np.asarray(patient_id, np.uint64)
    return row_uuid(seed, patients, np.full(len(patients), PATIENT_ROW_KEY, np.uint64))


def payer_uuid(seed: int, names: Sequence[str]) -> pa.StringArray:
    """Ids of payers by name, as text; see the top of this file."""
    keys = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") for name in names]
    return row_uuid(seed, np.full(len(keys), PAYER_PATIENT_ID, np.uint64), np.array(keys, np.uint64))
