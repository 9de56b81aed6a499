"""What ingest counted: every row and every patient of the source ends in exactly one line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trajsim.errors import DataFileError
from trajsim.learn.ingest.mapping import JUDGED

KEPT_ROWS: Mapping[str, str] = {
    "prevalent_events": "an event on or before day 0: the patient has it at entry",
    "first_events": "the first event of its kind after day 0",
    "entry_values": "the last value of a lab on or before day 0",
    "visit_values": "a value of a lab after day 0",
    "bmi_values": "the body mass index at entry",
}
"""Fates of rows that are in the sequences."""

LEFT_OUT_ROWS: Mapping[str, str] = {
    **{name: what for name, what in JUDGED.items() if "person" not in name and name != "unknown_patients"},
    "unknown_patients": JUDGED["unknown_patients"],
    "unmapped_codes": "a code that the mapping does not name",
    "unmapped_units": "a unit that the lab's rule does not convert",
    "unmapped_answers": "an answer that the lab's rule does not translate",
    "of_patients_left_out": "a row of a patient who is left out",
    "after_the_end": "a day after death or after the end of observation",
    "repeated_events": "an event that the patient has already",
    "earlier_history": "a value before day 0 that is not the last",
    "later_bmi_values": "a body mass index after day 0",
    "merged_values": "a further value of a lab on the same day, merged into one",
}
"""Fates of rows that are not, besides the names of `drop` rules."""

LEFT_OUT_PATIENTS: Mapping[str, str] = {
    **{name: what for name, what in JUDGED.items() if "person" in name},
    "no_entry": "no day of entry, or the source does not observe the patient then",
    "outside_ages": "an age at entry outside `youngest_years` ... `oldest_years`",
    "no_follow_up": "less than one day between entry and death or the end of observation",
}
"""Why a patient is left out."""


_CURES: Mapping[str, str] = {
    "labs_without_unit": "where the source has one unit for all rows, say it: `unit_if_missing` of the lab",
    "after_last_day": "where dates are shifted, say `last_day`",
}
_GUIDE = "docs/guides/ingesting.md (a copy of a mapping)"


@dataclass(frozen=True, kw_only=True)
class Unmapped:
    """Something that the mapping does not name, and how many rows hold it.

    Attributes:
        where: System of a code, or name of the lab.
        what: Code, unit or answer.
        n_rows: How many rows.
    """

    where: str
    what: str
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class EventCount:
    """Patients by event: at entry, first after entry, and those first ones that the modules forbid."""

    name: str
    n_prevalent: int
    n_first: int
    n_forbidden: int


@dataclass(frozen=True, kw_only=True)
class LabCount:
    """Values by lab: at entry, and after it."""

    name: str
    n_entry_values: int
    n_values: int
    n_patients: int


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What was read, kept and left out.

    Attributes:
        source: What was read, by name.
        mapping: Name of the mapping.
        about: What the mapping says about it.
        n_patients_read: Persons of the source.
        n_patients: Persons in the sequences.
        patients_left_out: Why the others are not, with how many.
        n_rows_read: Rows of the source.
        n_further_meanings: Rows that mean a second event or lab too; each of them counts once more below.
        rows: Fate of every row, with how many: names of `KEPT_ROWS`, of `LEFT_OUT_ROWS` and of `drop` rules.
        reader_counts: What the reader itself left out, with how much.
        unmapped_codes: Most frequent first.
        unmapped_units: Most frequent first.
        unmapped_answers: Most frequent first.
        events: One an event.
        labs: One a lab.
        n_cut_at_max_years: Patients whose observation was longer than the vocabulary keeps.
        n_days: Rows of the table of days.
        person_years: Time under observation.
        splits: Patients by split.
        is_checked_against_modules: Whether somebody said which orders of events the modules allow.
    """

    source: str
    mapping: str
    about: str
    n_patients_read: int
    n_patients: int
    patients_left_out: Mapping[str, int]
    n_rows_read: int
    n_further_meanings: int
    rows: Mapping[str, int]
    reader_counts: Mapping[str, int] = field(default_factory=dict)
    unmapped_codes: tuple[Unmapped, ...] = ()
    unmapped_units: tuple[Unmapped, ...] = ()
    unmapped_answers: tuple[Unmapped, ...] = ()
    events: tuple[EventCount, ...] = ()
    labs: tuple[LabCount, ...] = ()
    n_cut_at_max_years: int = 0
    n_days: int = 0
    person_years: float = 0.0
    splits: Mapping[str, int] = field(default_factory=dict)
    is_checked_against_modules: bool = False

    def to_json(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return asdict(self)


class SourceFaults:
    """What is wrong with a source, collected so that it is heard of at once."""

    def __init__(self, source: str, lines: Sequence[str] = ()) -> None:
        """Begins with what the reader found.

        Args:
            source: What was read.
            lines: One sentence a fault.
        """
        self._source = source
        self._lines = list(lines)
        self._names: list[str] = []

    def add(self, name: str, n_rows: int, examples: Sequence[str]) -> None:
        """Notes rows that a fault of `JUDGED` holds for."""
        more = f" and {n_rows - len(examples):,} more" if n_rows > len(examples) else ""
        self._names.append(name)
        self._lines.append(f"{name}: {JUDGED[name]}: {'; '.join(examples)}{more}")

    def require_none(self) -> None:
        """Raises all faults together.

        Raises:
            DataFileError: There is one.
        """
        if not self._lines:
            return
        count = len(self._lines)
        msg = "\n".join([f"{self._source}: {count} fault{'s' if count != 1 else ''} in the source", *self._lines])
        raise DataFileError(msg, hint=self._hint() if self._names else None)

    def _hint(self) -> str:
        """The cures that a mapping has."""
        ways = ", ".join(f"{name}: drop" for name in dict.fromkeys(self._names))
        cures = [
            f"mend the source, or leave such rows out and count them: `cleaning: {{{ways}}}` in the mapping",
            *(_CURES[name] for name in _CURES if name in self._names),
            f"a mapping that comes with trajsim is copied and changed as {_GUIDE} says",
        ]
        return "; ".join(cures)
