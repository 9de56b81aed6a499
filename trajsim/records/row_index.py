"""Finds rows by patient and key: the join that every reference inside Records asks for."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


class RowIndex:
    """Rows of one table by (patient, key); exact, and without a Python loop.

    Args:
        patient_id: [n] patients.
        key: [n] keys, each once within a patient (of equal pairs the first is found).
    """

    def __init__(self, patient_id: Keys, key: Keys) -> None:
        self._patients, self._keys = np.unique(patient_id), np.unique(key)
        codes = self._codes_of(patient_id, key)[0]
        self._rows = np.argsort(codes, kind="stable")
        self._codes = codes[self._rows]

    def find(self, patient_id: Keys, key: Keys) -> NDArray[np.int64]:
        """The row that each of some pairs names; -1: none does."""
        if not len(self._codes):
            return np.full(len(key), -1, np.int64)
        codes, known = self._codes_of(patient_id, key)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(known & (self._codes[place] == codes), self._rows[place], -1)

    def _codes_of(self, patient_id: Keys, key: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """One number a pair, and whether both its parts occur."""
        patient = np.minimum(np.searchsorted(self._patients, patient_id), len(self._patients) - 1)
        rank = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        known = (self._patients[patient] == patient_id) & (self._keys[rank] == key)
        return patient * len(self._keys) + rank, np.asarray(known)
