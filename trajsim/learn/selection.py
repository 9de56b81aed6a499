"""Fewer events, or more patients: event sequences cut to another vocabulary, joined, and digested."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventSequences, Vocabulary


def select_vocabulary(sequences: EventSequences, vocabulary: Vocabulary) -> EventSequences:
    """Keeps the events and labs of a vocabulary, in its order and with its public priors.

    Args:
        sequences: Patients with at least these events and labs.
        vocabulary: What is kept.

    Returns:
        The same patients; days on which nothing of it was seen are gone.

    Raises:
        ConfigError: The sequences lack an event or a lab; all of them are named.
    """
    old = sequences.vocabulary
    missing = [f"event {name!r}" for name in vocabulary.event_names if name not in old.event_names]
    missing += [f"lab {name!r}" for name in vocabulary.lab_names if name not in old.lab_names]
    if missing:
        msg = (
            f"the event sequences lack {', '.join(missing)}, they have {', '.join((*old.event_names, *old.lab_names))}"
        )
        raise ConfigError(msg, hint="ingest the source with a mapping that names them")
    if vocabulary.max_years < old.max_years:
        vocabulary = replace(vocabulary, max_years=old.max_years)
    if old.has_death and not vocabulary.has_death:
        msg = "the chosen events leave death out, which ends observation in these event sequences"
        raise ConfigError(msg, hint="name death too")
    kinds = [old.event_names.index(name) for name in vocabulary.event_names]
    labs = [old.lab_names.index(name) for name in vocabulary.lab_names]
    events, values = sequences.events[:, kinds], sequences.values[:, labs]
    is_visit: NDArray[np.bool_] = np.asarray(~np.isnan(values).all(axis=1) & bool(labs))
    kept = is_visit | events.any(axis=1)
    n_days = np.bincount(sequences.patient_of_day[kept], minlength=len(sequences))
    return replace(
        sequences,
        vocabulary=vocabulary,
        prevalent=sequences.prevalent[:, kinds],
        entry_values=sequences.entry_values[:, labs],
        entry_value_days=sequences.entry_value_days[:, labs],
        offsets=np.concatenate([[0], np.cumsum(n_days)]).astype(np.int64),
        day=sequences.day[kept],
        is_visit=is_visit[kept],
        events=events[kept],
        forbidden=sequences.forbidden[kept][:, kinds],
        values=values[kept],
    )


def join_sequences(parts: Sequence[EventSequences]) -> EventSequences:
    """The patients of several sequences of one vocabulary, in order."""
    first = parts[0]
    n_days = np.concatenate([part.n_days for part in parts])
    joined: dict[str, Any] = {
        entry.name: np.concatenate([getattr(part, entry.name) for part in parts])
        for entry in fields(first)
        if entry.name not in ("vocabulary", "offsets")
    }
    return replace(first, offsets=np.concatenate([[0], np.cumsum(n_days)]).astype(np.int64), **joined)


def digest_sequences(sequences: EventSequences) -> str:
    """sha256 over everything that sequences hold."""
    total = hashlib.sha256(repr(sequences.vocabulary).encode())
    for entry in fields(sequences):
        if entry.name != "vocabulary":
            array = np.ascontiguousarray(getattr(sequences, entry.name))
            total.update(f"{entry.name}:{array.dtype.str}:{array.shape};".encode())
            total.update(array.tobytes())
    return total.hexdigest()
