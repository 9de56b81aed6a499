"""Who enters, when, and until when: entry and follow-up rules of a mapping, and what is wrong with persons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.report import LEFT_OUT_PATIENTS, SourceFaults
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows
from trajsim.learn.ingest.splits import hashed_days

DAYS_PER_YEAR = 365.25
_OLDEST_YEARS = 120
_BMI_BOUNDS = (5.0, 300.0)
_EXAMPLES = 3
_REASONS = ("", *LEFT_OUT_PATIENTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Periods:
    """Observation of every person of the source.

    Attributes:
        entry: Day 0, on the clock of the source.
        follow_up: Last day under observation, counted from entry.
        is_dead: Whether the patient dies on it.
        age_days: Age at entry.
        reason: Index into the reasons to leave the patient out; 0: kept.
        is_cut: Whether observation was longer than is kept.
    """

    entry: NDArray[np.int64]
    follow_up: NDArray[np.int64]
    is_dead: NDArray[np.bool_]
    age_days: NDArray[np.int64]
    reason: NDArray[np.int64]
    is_cut: NDArray[np.bool_]

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """Who is in the sequences."""
        return np.asarray(self.reason == 0)

    def left_out(self) -> dict[str, int]:
        """Why patients are left out, with how many."""
        counts = np.bincount(self.reason, minlength=len(_REASONS))
        return {name: int(n) for name, n in zip(_REASONS[1:], counts[1:], strict=True) if n}


def periods_of(clinical: ClinicalRows, mapping: SourceMapping, faults: SourceFaults) -> Periods:
    """Applies entry and follow-up rules.

    Args:
        clinical: Persons and rows.
        mapping: The rules.
        faults: Where faults of persons go.

    Returns:
        One a person of the source.
    """
    persons = clinical.persons
    birth, death, end = (_days(clinical, name) for name in ("birth", "death", "end"))
    first_row, last_row = _row_span(clinical, birth, mapping.entry.youngest_years)
    entry = _entry(clinical, mapping, birth, first_row)
    ends = _ends(clinical, mapping, entry, last_row, end)
    limit = entry + int(mapping.max_years * DAYS_PER_YEAR)
    has_entry, has_end = entry != NO_DAY, ends != NO_DAY
    last = np.where(has_end, ends, death)
    is_dead = (death != NO_DAY) & (~has_end | (death <= ends))
    last = np.where(is_dead, death, last)
    is_cut = has_entry & (last > limit)
    is_dead &= ~is_cut
    last = np.where(is_cut, limit, last)
    age = np.where(birth == NO_DAY, 0, entry - birth)
    first = _days(clinical, "first")
    bmi = persons["bmi"].to_numpy()
    impossible = has_entry & (birth != NO_DAY) & ((age < 0) | (age > _OLDEST_YEARS * DAYS_PER_YEAR))
    for day in (death, end):
        impossible |= (day != NO_DAY) & (birth != NO_DAY) & (day < birth)
    if clinical.last_day is not None:
        impossible |= (birth > clinical.last_day) | (death > clinical.last_day)
    with np.errstate(invalid="ignore"):
        impossible |= (bmi < _BMI_BOUNDS[0]) | (bmi > _BMI_BOUNDS[1])
    years = age / DAYS_PER_YEAR
    checks = {
        "persons_twice": persons["patient_id"].duplicated().to_numpy(),
        "persons_without_sex": persons["sex"].isna().to_numpy(),
        "persons_without_birth": birth == NO_DAY,
        "impossible_persons": impossible,
        "no_entry": ~has_entry | ((first != NO_DAY) & (entry < first)),
        "outside_ages": (years < mapping.entry.youngest_years) | (years > mapping.entry.oldest_years),
        "no_follow_up": (last == NO_DAY) | (last - entry < 1),
    }
    reason = np.zeros(len(persons), dtype=np.int64)
    for name, found in checks.items():
        holds = found & (reason == 0)
        reason[holds] = _REASONS.index(name)
        if holds.any() and "person" in name and mapping.action(name) == "error":
            faults.add(name, int(holds.sum()), _examples(clinical, np.flatnonzero(holds)))
    follow_up = np.where(reason == 0, last - entry, 0)
    return Periods(
        entry=entry, follow_up=follow_up, is_dead=is_dead, age_days=age, reason=reason, is_cut=is_cut & (reason == 0)
    )


def _days(clinical: ClinicalRows, name: str) -> NDArray[np.int64]:
    return clinical.persons[name].to_numpy(np.int64)


def _row_span(
    clinical: ClinicalRows, birth: NDArray[np.int64], youngest_years: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First day with a row that a person may enter on, and last day with a row; impossible days do not count."""
    patient = clinical.rows["patient"].to_numpy(np.int64)
    day = clinical.rows["day"].to_numpy(np.int64)
    is_day = (patient >= 0) & (day != NO_DAY)
    if clinical.last_day is not None:
        is_day &= day <= clinical.last_day
    patient, day = patient[is_day], day[is_day]
    alive = day >= birth[patient] if len(patient) else np.zeros(0, np.bool_)
    none = np.iinfo(np.int64).max
    first = np.full(len(birth), none)
    last = np.full(len(birth), NO_DAY, dtype=np.int64)
    grown = day >= birth[patient] + np.int64(np.ceil(youngest_years * DAYS_PER_YEAR)) if len(patient) else alive
    np.minimum.at(first, patient[grown], day[grown])
    np.maximum.at(last, patient[alive], day[alive])
    return np.where(first == none, NO_DAY, first), last


def _entry(
    clinical: ClinicalRows, mapping: SourceMapping, birth: NDArray[np.int64], first_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    rule = mapping.entry
    if rule.rule == "first_row":
        return first_row
    if rule.rule == "column":
        return np.zeros(len(birth), np.int64) if clinical.clock == "entry" else _days(clinical, "entry")
    if rule.rule == "age":
        age = np.full(len(birth), int(rule.age_years * DAYS_PER_YEAR))
    else:
        ids = clinical.persons["patient_id"]
        age = hashed_days("trajsim-entry", ids, low_years=rule.low_years, high_years=rule.high_years)
    return np.where(birth == NO_DAY, NO_DAY, birth + age)


def _ends(
    clinical: ClinicalRows,
    mapping: SourceMapping,
    entry: NDArray[np.int64],
    last_row: NDArray[np.int64],
    end: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Last day of observation by the rule, never after the one that the source gives."""
    rule = mapping.follow_up
    if rule.rule == "end":
        return end
    if rule.rule == "last_row":
        ends = last_row
    elif rule.rule == "years":
        ends = np.where(entry == NO_DAY, NO_DAY, entry + int(rule.years * DAYS_PER_YEAR))
    else:
        ids = clinical.persons["patient_id"]
        length = hashed_days("trajsim-follow-up", ids, low_years=rule.low_years, high_years=rule.high_years)
        ends = np.where(entry == NO_DAY, NO_DAY, entry + length)
    return np.where((end != NO_DAY) & (ends != NO_DAY), np.minimum(ends, end), ends)


def _examples(clinical: ClinicalRows, places: NDArray[np.int64]) -> list[str]:
    shown = clinical.persons.iloc[places[:_EXAMPLES]]
    return [
        f"patient {i!r} ({f} row {r})" for i, f, r in zip(shown["patient_id"], shown["file"], shown["row"], strict=True)
    ]
