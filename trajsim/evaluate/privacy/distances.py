"""Distances of synthetic patients to the nearest real ones, on a fixed representation."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.patient_features import as_matrix, course_features, entry_features
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

_CHUNK = 1_024


def patient_vectors(groups: list[EventSequences], *, scaled_by: int) -> list[Floats]:
    """Patients as vectors, all columns scaled by the spread of one of the groups; missing numbers stand in the middle.

    Ages of first events are left out: most are missing, and age, follow-up and conditions hold them already.
    """
    blocks = []
    for group in groups:
        columns = {**entry_features(group), **course_features(group)}
        blocks.append(as_matrix({name: column for name, column in columns.items() if not name.endswith("_first_age")}))
    frame = blocks[scaled_by]
    known = ~np.isnan(frame)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, frame, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (frame - mean) ** 2, 0.0).sum(axis=0) / count)
    return [np.nan_to_num((block - mean) / np.where(spread > 0, spread, 1.0), nan=0.0) for block in blocks]


def nearest(vectors: Floats, others: Floats, *, k: int = 2) -> Floats:
    """[n, k] Distances to the k nearest others, nearest first."""
    squares = np.sum(others**2, axis=1)
    found = []
    for start in range(0, len(vectors), _CHUNK):
        some = vectors[start : start + _CHUNK]
        candidates = np.argpartition(squares - 2.0 * some @ others.T, k - 1, axis=1)[:, :k]
        exact = np.sqrt(np.sum((some[:, None, :] - others[candidates]) ** 2, axis=2))
        found.append(np.sort(exact, axis=1))
    return np.vstack(found) if found else np.empty((0, k))
