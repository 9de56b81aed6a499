"""Ids of resources: UUIDs of version 8 that depend on (run seed, patient, row key) and on nothing else.

A row key is the number of the stream that wrote the row and the row's ordinal in it (`trajsim.records.schema`), so an
unrelated module changes no id. This file is the definition, in plain integers; `fhir_export.writer.fill_ids` computes
the same for millions.

    block = Philox4x32-10(counter = (row key low, row key high, patient low, patient high), key = seed XOR ID_XOR)
    UUID  = the four words, least significant byte first, with version 8 and the variant of RFC 9562
"""

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.ints import philox4x32

ID_XOR = 0xD1B54A32D192ED03
PATIENT_KEY = 2**64 - 1  # row key of the patient itself
GROUP_KEY = 2**64 - 2  # row key, and patient, of the Group of a run
SHARED_PATIENT = 2**64 - 1  # patient of what patients share: payers, sites, clinicians

# What has no row of its own is derived from the row it belongs to: row key XOR a constant. The images of a series also
# XOR their position times an odd constant: ordinals of neighbouring rows differ in low bits, so a bare position would
# collide.
IMAGING_INSTANCE_XOR = 0x8CB92BA72F3D8DD7
DEVICE_LABEL_XOR = 0xAEF17502108EF2D9
POSITION_FACTOR = 0x9E3779B97F4A7C15

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


def id_key(seed: int) -> tuple[int, int]:
    """The Philox key of a run's ids, low word first."""
    key = (seed ^ ID_XOR) & _MASK64
    return key & _MASK32, key >> 32


def resource_id(seed: int, patient_id: int, row_key: int = PATIENT_KEY) -> str:
    """The id of the resource that a row becomes; without a row key, of the patient.

    Example:
        >>> resource_id(1, 2)[14]
        '8'
    """
    counter = (row_key & _MASK32, row_key >> 32, patient_id & _MASK32, patient_id >> 32)
    octets = bytearray()
    for word in philox4x32(counter, id_key(seed)):
        octets += word.to_bytes(4, "little")
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def instance_keys(series_keys: NDArray[np.uint64], positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The row keys of images, from the row keys of their series and their positions from 0."""
    spread = positions.astype(np.uint64) * np.uint64(POSITION_FACTOR)
    return series_keys ^ np.uint64(IMAGING_INSTANCE_XOR) ^ spread
