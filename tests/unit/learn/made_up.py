"""Patients that nobody is: small cohorts with every feature that a real one has."""

from typing import Any

import numpy as np

from trajsim.event_sequences import EventKind, EventSequences, LabKind, Vocabulary
from trajsim.learn.card_writing import Provenance, cards_of, make_model_card, make_privacy_card

VOCABULARY = Vocabulary(
    events=(
        EventKind(name="diabetes", prior_share=0.1, prior_per_1000_years=40.0),
        EventKind(name="stroke", prior_share=0.05, prior_per_1000_years=30.0),
        EventKind(name="death", prior_share=0.0, prior_per_1000_years=20.0),
    ),
    labs=(
        LabKind(name="hdl", unit="mg/dL", is_log=True, centre=50.0, spread=0.3, low=5.0, high=200.0, prior_share=0.8),
        LabKind(name="smoking", kind="flag", prior_share=0.3),
    ),
)


def cohort(n: int = 40, *, seed: int = 0, most_days: int = 12) -> EventSequences:
    """Patients with 0 to `most_days` days, first events in any order, labs on most days."""
    rng = np.random.default_rng(seed)
    k, v = len(VOCABULARY.events), len(VOCABULARY.labs)
    counts = rng.integers(0, most_days + 1, n)
    counts[0] = 0
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    m = int(offsets[-1])
    prevalent = rng.random((n, k)) < 0.2
    prevalent[:, -1] = False
    day = np.concatenate([np.cumsum(rng.integers(1, 700, c)) for c in counts]).astype(np.int32)
    follow_up = np.array([day[offsets[i + 1] - 1] if c else 0 for i, c in enumerate(counts)]) + rng.integers(1, 400, n)
    events, values = np.zeros((m, k), dtype=bool), np.full((m, v), np.nan)
    for i in range(n):
        had = prevalent[i].copy()
        for row in range(offsets[i], offsets[i + 1]):
            new = (rng.random(k) < 0.15) & ~had
            new[-1] = False
            events[row] = new
            had |= new
            if rng.random() < 0.7 or not new.any():
                values[row, 0] = rng.integers(20, 120)
            if rng.random() < 0.3:
                values[row, 1] = rng.integers(0, 2)
        if counts[i] and rng.random() < 0.3:
            events[offsets[i + 1] - 1, -1] = True
            follow_up[i] = day[offsets[i + 1] - 1]
    entry = np.column_stack([rng.integers(20, 120, n), rng.integers(0, 2, n)]).astype(float)
    when = rng.integers(0, 900, (n, v)).astype(np.int32)
    missing = rng.random((n, v)) < 0.4
    entry[missing], when[missing] = np.nan, -1
    return EventSequences(
        vocabulary=VOCABULARY,
        patient_id=np.array([f"made-up-{i}" for i in range(n)]),
        split=(np.arange(n) % 3).astype(np.uint8),
        is_male=rng.random(n) < 0.5,
        entry_age_days=rng.integers(18 * 365, 85 * 365, n).astype(np.int32),
        bmi=np.where(rng.random(n) < 0.3, np.nan, rng.uniform(18, 45, n)),
        prevalent=prevalent,
        entry_values=entry,
        entry_value_days=when,
        follow_up_days=follow_up.astype(np.int32),
        offsets=offsets,
        day=day,
        is_visit=~np.isnan(values).all(axis=1),
        events=events,
        forbidden=np.zeros_like(events),
        values=values,
    )


def made_up_cards(vocabulary: Vocabulary) -> dict[str, dict[str, Any] | str]:
    """The cards of a model that was trained on nobody, without privacy."""
    provenance = Provenance(data="nobody", pre_training="none")
    privacy = make_privacy_card(None, provenance)
    model = make_model_card(
        kind="gru", n_parameters=0, vocabulary=vocabulary, epsilon=privacy.epsilon, provenance=provenance
    )
    return cards_of(privacy, model)
