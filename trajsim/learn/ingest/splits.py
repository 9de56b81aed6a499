"""Hashes of patient ids: the split of a patient never depends on who else is there, nor on the order of a file."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import SPLITS

_TRAIN_BELOW = 65
_TUNING_BELOW = 75


def hash_number(purpose: str, patient_id: str) -> int:
    """A number of 32 bits that belongs to a patient and a purpose."""
    return int(sha256(f"{purpose}:{patient_id}".encode()).hexdigest()[:8], 16)


def plain_id(patient_id: str) -> str:
    """An id as it is hashed: whole numbers without leading zeros or a point, other text as it is."""
    text = patient_id.strip()
    whole, _, rest = text.partition(".")
    if whole.lstrip("-").isdecimal() and not rest.strip("0"):
        return str(int(whole))
    return patient_id


def split_of(patient_id: str) -> str:
    """The split of a patient: ``train``, ``tuning`` or ``held_out``.

    One in five is held out by a hash that other data sets of the same patients use too; of the others 65 in 100 are for
    training, 10 for tuning and 25 held out.
    """
    hashed = plain_id(patient_id)
    if hash_number("trajsim-holdout", hashed) % 5 == 0:
        return "held_out"
    place = hash_number("trajsim-split", hashed) % 100
    if place < _TRAIN_BELOW:
        return "train"
    return "tuning" if place < _TUNING_BELOW else "held_out"


def split_indices(patient_ids: Iterable[str]) -> NDArray[np.uint8]:
    """`split_of` of every patient, as an index into `trajsim.event_sequences.SPLITS`."""
    return np.array([SPLITS.index(split_of(patient_id)) for patient_id in patient_ids], dtype=np.uint8)


def hashed_days(purpose: str, patient_ids: Iterable[str], *, low_years: float, high_years: float) -> NDArray[np.int64]:
    """Days between two numbers of years, evenly spread over patients by a hash of their ids."""
    low, high = low_years * 365.25, high_years * 365.25
    numbers = [hash_number(purpose, plain_id(patient_id)) for patient_id in patient_ids]
    shares = np.array(numbers, dtype=np.float64) / 2**32
    return np.asarray(np.floor(low + shares * (high - low)), dtype=np.int64)
