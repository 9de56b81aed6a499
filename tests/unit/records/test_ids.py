import uuid

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trajsim.records.ids import ID_XOR, PATIENT_ROW_KEY, patient_uuid, row_uuid, uuid_bytes
from trajsim.streams.ints import philox4x32

WORD = st.integers(0, 2**64 - 1)
MASK = 0xFFFFFFFF


def _slow(seed: int, patient: int, row: int) -> uuid.UUID:
    key = seed ^ ID_XOR
    words = philox4x32((row & MASK, row >> 32, patient & MASK, patient >> 32), (key & MASK, key >> 32))
    block = bytearray(b"".join(word.to_bytes(4, "little") for word in words))
    block[6] = block[6] & 0x0F | 0x80
    block[8] = block[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(block))


@given(seed=WORD, patient=WORD, row=WORD)
def test_an_id_is_one_philox_block_with_version_and_variant(seed: int, patient: int, row: int) -> None:
    expected = _slow(seed, patient, row)
    assert row_uuid(seed, [patient], [row]).to_pylist() == [str(expected)]
    assert uuid_bytes(seed, [patient], [row]).tobytes() == expected.bytes
    assert expected.version == 8
    assert expected.variant == uuid.RFC_4122


def test_a_known_id() -> None:
    assert row_uuid(7, [123456789012345], [(987654321 << 32) | 5])[0].as_py() == "cb2949e8-1103-8374-b4e6-8e416dd3752c"


def test_a_patient_has_the_id_of_the_last_row_key() -> None:
    assert patient_uuid(7, [1, 2]).to_pylist() == [str(_slow(7, patient, PATIENT_ROW_KEY)) for patient in (1, 2)]


def test_ids_of_many_rows_differ() -> None:
    rows = np.arange(10_000, dtype=np.uint64)
    assert len(row_uuid(1, np.zeros(10_000, np.uint64), rows).unique()) == 10_000
    assert len(row_uuid(1, [], [])) == 0
