"""Invented histories: hazards by age and sex, so that every measure has something true to find."""

import numpy as np

from trajsim.event_sequences import SPLITS, EventKind, EventSequences, LabKind, Vocabulary

VOCABULARY = Vocabulary(
    events=(
        EventKind(name="hypertension"),
        EventKind(name="diabetes"),
        EventKind(name="stroke"),
        EventKind(name="death"),
    ),
    labs=(
        LabKind(name="sbp", unit="mm[Hg]", centre=130.0, spread=20.0, low=60.0, high=300.0),
        LabKind(name="smoking", kind="flag"),
    ),
)
_RATES = (0.05, 0.03, 0.015, 0.02)


def made_up_sequences(n: int, seed: int, *, speed: float = 1.0, split: str | None = None) -> EventSequences:
    """Patients whose events come faster with age and for men; all events ``speed`` times as fast."""
    generator = np.random.default_rng(seed)
    n_kinds = len(VOCABULARY.events)
    is_male = generator.random(n) < 0.5
    age = generator.uniform(30.0, 80.0, n)
    factor = speed * np.exp(0.05 * (age - 55.0) + 0.4 * is_male)
    prevalent = generator.random((n, n_kinds)) < 0.1 * np.minimum(factor, 3.0)[:, None]
    prevalent[:, -1] = False
    censor = generator.integers(400, 4_500, n)
    when = np.floor(generator.exponential(1.0, (n, n_kinds)) / (factor[:, None] * _RATES) * 365.25) + 1
    end = np.minimum(censor, when[:, -1]).astype(np.int32)
    rows: list[tuple[int, int]] = []
    measured: dict[tuple[int, int], tuple[float, float]] = {}
    for patient in range(n):
        level = 120.0 + 0.3 * (age[patient] - 50.0) + generator.normal(0.0, 12.0)
        visits = np.unique(generator.integers(1, end[patient] + 1, max(1, int(end[patient]) // 400)))
        happened = when[patient][(when[patient] <= end[patient]) & ~prevalent[patient]].astype(int)
        for day in visits.tolist():
            ill = prevalent[patient, 0] or when[patient, 0] <= day
            value = float(np.clip(np.round(level + 10.0 * ill + generator.normal(0.0, 8.0)), 60.0, 300.0))
            measured[patient, day] = value, float(generator.random() < 0.3) if generator.random() < 0.5 else np.nan
        rows += [(patient, day) for day in sorted({*visits.tolist(), *happened.tolist()})]
    owner = np.array([patient for patient, _ in rows], dtype=np.int64)
    day = np.array([day for _, day in rows], dtype=np.int32)
    values = np.array([measured.get(row, (np.nan, np.nan)) for row in rows]).reshape(-1, 2)
    events = (when[owner] == day[:, None]) & ~prevalent[owner] & (day <= end[owner])[:, None]
    chosen = generator.integers(0, 3, n) if split is None else np.full(n, SPLITS.index(split))
    return EventSequences(
        vocabulary=VOCABULARY,
        patient_id=np.array([f"{seed}-{index}" for index in range(n)]),
        split=chosen.astype(np.uint8),
        is_male=is_male,
        entry_age_days=(age * 365.25).astype(np.int32),
        bmi=np.where(generator.random(n) < 0.2, np.nan, np.round(generator.normal(28.0, 5.0, n), 1)),
        prevalent=prevalent,
        entry_values=np.where(generator.random((n, 2)) < 0.5, np.nan, np.column_stack([np.full(n, 128.0), np.ones(n)])),
        entry_value_days=np.full((n, 2), 30, dtype=np.int32),
        follow_up_days=end,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))]).astype(np.int64),
        day=day,
        is_visit=~np.isnan(values).all(axis=1),
        events=events,
        forbidden=np.zeros_like(events),
        values=values,
    )
