"""What a source's codes mean and what is done with its faults: everything about a data set that is not in its files.

A mapping is written by a person (`docs/reference/mapping.md`) and holds public constants only. What a model learns from
patients it learns under its privacy budget; a quantile of the data in here would escape it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trajsim.event_sequences import DEATH, EventKind, LabKind, Vocabulary
from trajsim.learn.ingest.rows import Clock
from trajsim.learn.ingest.table_rules import TableRule

Action = Literal["error", "drop"]
ACTIONS = ("error", "drop")

FORMATS = ("csv", "fhir", "meds", "omop", "records", "synthea-csv")
ENTRY_RULES = ("column", "first_row", "age", "hashed_age")
FOLLOW_UP_RULES = ("end", "last_row", "years", "hashed_years")

JUDGED: Mapping[str, str] = {
    "duplicate_rows": "the same code, day and value of one patient twice",
    "unknown_patients": "an id that no person has",
    "rows_without_day": "an event or lab without a day",
    "before_birth": "a day before the patient was born",
    "after_last_day": "a day after `last_day`, which is the day of reading where the mapping does not say it",
    "out_of_range": "a value outside `low` ... `high` of its lab",
    "labs_without_unit": "a lab without a unit, where its rule has no `unit_if_missing`",
    "labs_without_value": "a lab without a value",
    "persons_twice": "a patient who stands twice among the persons, in one file or in two",
    "persons_without_sex": "a patient without a sex",
    "persons_without_birth": "a patient without a day of birth or age",
    "impossible_persons": (
        "a patient who enters, ends or dies before birth, is born or dies after `last_day`, or enters older than "
        "120 years"
    ),
}
"""What a mapping judges: an error unless its `cleaning` says ``drop``, which leaves it out and counts it."""


@dataclass(frozen=True, kw_only=True)
class CodeSet:
    """Codes that mean the same.

    Attributes:
        codes: Pairs of system and code. An empty system stands for any; a code that ends with ``*`` for all that begin
            with what comes before.
    """

    codes: tuple[tuple[str, str], ...] = ()

    def holds(self, system: str, code: str) -> bool:
        """Whether a code is one of them."""
        return any(
            wanted_system in ("", system) and (code.startswith(wanted[:-1]) if wanted.endswith("*") else code == wanted)
            for wanted_system, wanted in self.codes
        )


@dataclass(frozen=True, kw_only=True)
class EventRule:
    """An event, and the codes that say it happened."""

    kind: EventKind
    codes: CodeSet


@dataclass(frozen=True, kw_only=True)
class LabRule:
    """A lab, and what of a source becomes its values.

    Attributes:
        kind: Its name and public scale.
        codes: Codes that measure it.
        units: Factor that brings a unit of the source to the unit of the lab; its own unit is in it.
        unit_if_missing: Unit of rows that give none; None: such a row is a fault.
        answers: Values of answers that are codes or words.
        constant: Value of every row, where a row alone says what was seen; None: the row's own.
    """

    kind: LabKind
    codes: CodeSet
    units: Mapping[str, float]
    unit_if_missing: str | None = None
    answers: Mapping[str, float] = field(default_factory=dict)
    constant: float | None = None


@dataclass(frozen=True, kw_only=True)
class DropRule:
    """Codes that are left out on purpose, counted under a name.

    Attributes:
        name: What the report calls it.
        codes: Which rows.
        why: For readers of the report.
    """

    name: str
    codes: CodeSet
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class EntryRule:
    """On which day a patient enters.

    Attributes:
        rule: ``column``: the source says (on the clock ``entry``: day 0). ``first_row``: the first day on which
            something was coded or measured, at `youngest_years` or later. ``age``: a birthday. ``hashed_age``: an age
            that a hash of the id picks.
        age_years: For ``age``.
        low_years: Lowest age for ``hashed_age``.
        high_years: Highest age for ``hashed_age``.
        youngest_years: Patients who enter younger are left out and counted.
        oldest_years: Patients who enter older are left out and counted.
    """

    rule: str = "column"
    age_years: float = 40.0
    low_years: float = 20.0
    high_years: float = 85.0
    youngest_years: float = 0.0
    oldest_years: float = 120.0


@dataclass(frozen=True, kw_only=True)
class FollowUpRule:
    """Until when a patient is observed; death and the end that the source gives always end it.

    Attributes:
        rule: ``end``: as the source says. ``last_row``: the last day on which something was coded or measured.
            ``years``: so long after entry. ``hashed_years``: as long as a hash of the id picks.
        years: For ``years``.
        low_years: Shortest for ``hashed_years``.
        high_years: Longest for ``hashed_years``.
    """

    rule: str = "end"
    years: float = 5.0
    low_years: float = 1.0
    high_years: float = 17.0


@dataclass(frozen=True, kw_only=True)
class SourceMapping:
    """A mapping, as read.

    Attributes:
        name: Of the mapping; the report names it.
        format: Which reader takes the source.
        about: What the source is, and where its public numbers come from.
        clock: Whether days of the tables are counted from entry or stand in the calendar; readers of other formats
            than ``csv`` have dates.
        tables: Tables and columns, for the format ``csv``.
        entry: Entry rule.
        follow_up: End of observation.
        events: Events in order, without death.
        death: Public guesses about death; None: death is not timed and ends observation only.
        labs: Labs in order.
        bmi: How the body mass index is measured, for sources where it is a lab; None: it stands with the person.
        drop: Codes that are left out on purpose.
        actions: For every name of `JUDGED`, what is done.
        max_years: Longest time under observation that is kept.
        last_day: Last day on which anything in the source can have happened, since 1970-01-01; None: that of reading.
    """

    name: str
    format: str
    about: str = ""
    clock: Clock = "calendar"
    tables: tuple[TableRule, ...] = ()
    entry: EntryRule = field(default_factory=EntryRule)
    follow_up: FollowUpRule = field(default_factory=FollowUpRule)
    events: tuple[EventRule, ...] = ()
    death: EventKind | None = None
    labs: tuple[LabRule, ...] = ()
    bmi: LabRule | None = None
    drop: tuple[DropRule, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    max_years: float = 20.0
    last_day: int | None = None

    @property
    def code_sets(self) -> tuple[CodeSet, ...]:
        """Everything that it names: codes of events, labs and `drop` rules."""
        rules = (*self.events, *self.labs, *self.drop, *(() if self.bmi is None else (self.bmi,)))
        return tuple(rule.codes for rule in rules)

    @property
    def vocabulary(self) -> Vocabulary:
        """What sequences of this mapping hold, in order; death comes last.

        Raises:
            ConfigError: A name stands twice, or there is no event at all.
        """
        events = [rule.kind for rule in self.events]
        if self.death is not None:
            events.append(self.death)
        return Vocabulary(events=tuple(events), labs=tuple(rule.kind for rule in self.labs), max_years=self.max_years)

    def action(self, fault: str) -> Action:
        """What is done about a fault of `JUDGED`."""
        return self.actions.get(fault, "error")


def death_kind(prior_per_1000_years: float) -> EventKind:
    """Death: nobody has it when they enter."""
    return EventKind(name=DEATH, prior_share=0.0, prior_per_1000_years=prior_per_1000_years)
