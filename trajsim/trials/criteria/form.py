"""The one form of eligibility criteria: what a reader yields, the evaluator runs, the linter checks and prose tells.

It is shaped like OHDSI Circe, because trials need what Circe makes explicit: an entry event, observation around it,
ordered inclusion rules of nested groups, counts in windows, limits, exits and eras. Days are whole and signed: -30 is
thirty days before the index, 0 the index day itself; an edge of a window that is left out is open.

`path` is where a part stood in the file that it was read from; it plays no part in comparisons.
"""

from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal

Domain = Literal[
    "condition",
    "condition_era",
    "death",
    "device",
    "dose_era",
    "drug",
    "drug_era",
    "location",
    "measurement",
    "observation",
    "observation_period",
    "payer_period",
    "procedure",
    "specimen",
    "visit",
    "visit_detail",
]
RangeOp = Literal["<", "<=", "==", "!=", ">=", ">", "between", "outside"]
TextOp = Literal[
    "equals", "not_equals", "contains", "not_contains", "starts_with", "not_starts_with", "ends_with", "not_ends_with"
]
Keep = Literal["all", "first", "last"]
Need = Literal["all", "any", "at_least", "at_most"]
CountOp = Literal["exactly", "at_least", "at_most"]
CountColumn = Literal[
    "code",
    "count",
    "days_supply",
    "end",
    "gap_days",
    "length",
    "quantity",
    "range_high",
    "range_low",
    "refills",
    "start",
    "unit",
    "value",
    "visit",
]


@dataclass(frozen=True, kw_only=True)
class Coding:
    """One code: system and code; descendants come from the hierarchy that the user supplies.

    Attributes:
        system: Code system, in any usual spelling (SNOMED-CT, SNOMED, LOINC ...).
        code: The code.
        display: Its wording, for people.
        descendants: Codes below it count too.
        mapped: Codes that map to it count too.
        excluded: Takes codes out of the set in place of putting them in.
        concept_id: OMOP concept id, where the definition came with one.
        domain: The domain of the code, where the definition says it (OMOP spelling), for the linter.
    """

    system: str
    code: str
    display: str = ""
    descendants: bool = False
    mapped: bool = False
    excluded: bool = False
    concept_id: int | None = None
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class CodeSet:
    """A named list of codes."""

    name: str
    codes: tuple[Coding, ...]
    title: str = ""
    path: str = field(default="", compare=False, repr=False)

    @property
    def wording(self) -> str:
        """What people call it."""
        return self.title or self.name


@dataclass(frozen=True, kw_only=True)
class NumberTest:
    """A number against one threshold, or against two (both ends belong to `between`)."""

    op: RangeOp
    value: float | None = None
    upper: float | None = None
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class DateTest:
    """A day against one day, or against two (both ends belong to `between`)."""

    op: RangeOp
    value: date | None = None
    upper: date | None = None
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class TextTest:
    """A text, case-sensitive."""

    op: TextOp
    text: str | None = None
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class CodeTest:
    """A coded field against a list, or against a code set by name; `exclude` turns it round."""

    any_of: tuple[Coding, ...] = ()
    code_set: str | None = None
    exclude: bool = False
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Period:
    """Two days, either of which may be open."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Moves an event: from one of its days plus days, to one of its days plus days."""

    start_from: Literal["start", "end"] = "start"
    start_days: int = 0
    end_from: Literal["start", "end"] = "end"
    end_days: int = 0


@dataclass(frozen=True, kw_only=True)
class EventCriterion:
    """Events of one domain: a code set, what else must hold of them, and what must hold around them.

    A test that is left out asks nothing. Which tests a domain knows is in `TESTS_OF`.

    Attributes:
        domain: The kind of event.
        codes: Name of the code set; None: any code.
        source_codes: Name of the code set that the source's own code must be in.
        first: Only the earliest event of the set in the whole history, taken before any other test.
        shift: Moves the days of the event.
        user_period: For observation periods: these days, which must lie inside, in place of the period's own.
        where: What must hold around this event; windows inside count from it.
    """

    domain: Domain
    codes: str | None = None
    source_codes: str | None = None
    first: bool = False
    shift: Shift | None = None
    user_period: Period | None = None
    where: "Group | None" = None
    start: DateTest | None = None
    end: DateTest | None = None
    length: NumberTest | None = None
    age: NumberTest | None = None
    age_at_end: NumberTest | None = None
    sex: tuple[CodeTest, ...] = ()
    visit_kind: tuple[CodeTest, ...] = ()
    specialty: tuple[CodeTest, ...] = ()
    place: tuple[CodeTest, ...] = ()
    type: tuple[CodeTest, ...] = ()
    status: tuple[CodeTest, ...] = ()
    value: NumberTest | None = None
    value_code: tuple[CodeTest, ...] = ()
    value_text: TextTest | None = None
    unit: tuple[CodeTest, ...] = ()
    operator: tuple[CodeTest, ...] = ()
    range_low: NumberTest | None = None
    range_high: NumberTest | None = None
    value_to_low: NumberTest | None = None
    value_to_high: NumberTest | None = None
    abnormal: bool = False
    quantity: NumberTest | None = None
    days_supply: NumberTest | None = None
    refills: NumberTest | None = None
    dose: NumberTest | None = None
    dose_unit: tuple[CodeTest, ...] = ()
    route: tuple[CodeTest, ...] = ()
    count: NumberTest | None = None
    gap_days: NumberTest | None = None
    modifier: tuple[CodeTest, ...] = ()
    qualifier: tuple[CodeTest, ...] = ()
    body_site: tuple[CodeTest, ...] = ()
    disease_status: tuple[CodeTest, ...] = ()
    stop_reason: TextTest | None = None
    lot: TextTest | None = None
    device_id: TextTest | None = None
    source_id: TextTest | None = None
    plan: str | None = None
    sponsor: str | None = None
    stop_reason_codes: str | None = None
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class PatientCriterion:
    """What must hold of the patient at the index event."""

    age: NumberTest | None = None
    sex: tuple[CodeTest, ...] = ()
    race: tuple[CodeTest, ...] = ()
    ethnicity: tuple[CodeTest, ...] = ()
    start: DateTest | None = None
    end: DateTest | None = None
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days around the index event, both ends included.

    Attributes:
        first_day: First day, counted from the index; None: from the beginning of the observation period.
        last_day: Last day; None: to the end of the observation period.
        from_index_end: Counts from the end of the index event.
        of_event_end: The end of the other event lies in the window, in place of its start.
        first_is_period_end: An open first edge stands at the end of the period (Circe's far side).
        last_is_period_start: An open last edge stands at the beginning of the period.
    """

    first_day: int | None = None
    last_day: int | None = None
    from_index_end: bool = False
    of_event_end: bool = False
    first_is_period_end: bool = False
    last_is_period_start: bool = False
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """How many; `distinct` counts different values of a column in place of events."""

    op: CountOp = "at_least"
    n: int = 1
    distinct: CountColumn | None = None


@dataclass(frozen=True, kw_only=True)
class CountedCriterion:
    """Events counted around the index event.

    Attributes:
        event: Which events.
        occurrence: How many of them.
        window: Where they start (or end); None: anywhere in the observation period.
        end_window: A second window that must hold too.
        same_visit: They belong to the visit of the index event.
        any_period: They may lie outside the observation period of the index event.
        absence: What no record at all means to a screener: `no` (it did not happen), `unknown` (nobody looked), or
            `auto`, which is `unknown` for tests of a value and `no` for everything else.
    """

    event: EventCriterion
    occurrence: Occurrence = Occurrence()
    window: Window | None = None
    end_window: Window | None = None
    same_visit: bool = False
    any_period: bool = False
    absence: Literal["auto", "no", "unknown"] = "auto"
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Criteria of which all, any, at least or at most `n` must hold; an empty group holds."""

    need: Need = "all"
    n: int | None = None
    events: tuple[CountedCriterion, ...] = ()
    patients: tuple[PatientCriterion, ...] = ()
    groups: "tuple[Group, ...]" = ()
    path: str = field(default="", compare=False, repr=False)

    @property
    def size(self) -> int:
        """How many items it has."""
        return len(self.events) + len(self.patients) + len(self.groups)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One inclusion rule: a name that people know it by, and what must hold."""

    name: str
    group: Group = Group()
    description: str = ""
    path: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The entry event: any of the criteria, with observation around it in one observation period."""

    any_of: tuple[EventCriterion, ...]
    days_before: int = 0
    days_after: int = 0
    keep: Keep = "all"


@dataclass(frozen=True, kw_only=True)
class FixedExit:
    """The exit is a day of the event plus days, cut at the end of observation."""

    counted_from: Literal["start", "end"] = "start"
    days: int = 0


@dataclass(frozen=True, kw_only=True)
class ExposureExit:
    """The exit is the end of continuous exposure to a drug.

    Attributes:
        codes: Name of the code set of the drug.
        gap_days: Days between two exposures that do not interrupt.
        extra_days: Days after the last exposure that still count.
        days_supply: Every exposure lasts that long, whatever was recorded.
    """

    codes: str
    gap_days: int = 0
    extra_days: int = 0
    days_supply: int | None = None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """Criteria as a whole: who enters, who passes, when they leave.

    Attributes:
        name: What people call it.
        entry: The entry event.
        code_sets: All code sets, named by the criteria.
        additional: What must hold before rules are looked at; None: nothing, and then `keep_additional` does nothing.
        keep_additional: Which events of a patient go on to the rules.
        rules: Inclusion rules in order; all must hold.
        keep: Which passing events of a patient make the cohort.
        fixed_exit: Exit at a fixed distance.
        exposure_exit: Exit at the end of exposure. Without any exit a patient stays to the end of observation.
        censoring: Events that end membership, on or after entry.
        pad_days: Rows of a patient that are that near are joined.
        calendar: Rows are clipped to these days.
    """

    name: str = ""
    entry: Entry
    code_sets: tuple[CodeSet, ...] = ()
    additional: Group | None = None
    keep_additional: Keep = "all"
    rules: tuple[Rule, ...] = ()
    keep: Keep = "all"
    fixed_exit: FixedExit | None = None
    exposure_exit: ExposureExit | None = None
    censoring: tuple[EventCriterion, ...] = ()
    pad_days: int = 0
    calendar: Period = field(default_factory=Period)

    def code_set(self, name: str) -> CodeSet | None:
        """The code set of that name, or None."""
        return next((each for each in self.code_sets if each.name == name), None)


_NOT_TESTS = frozenset({"domain", "codes", "source_codes", "first", "shift", "user_period", "where", "path"})
TEST_NAMES = tuple(each.name for each in fields(EventCriterion) if each.name not in _NOT_TESTS)
"""The tests that an event criterion may carry."""

_POINT = ("start", "age", "sex", "specialty", "visit_kind", "type")
_SPAN = ("start", "end", "length", "age", "sex", "specialty", "visit_kind", "type")
_ERA = ("start", "end", "length", "age", "age_at_end", "sex")
TESTS_OF: dict[Domain, frozenset[str]] = {
    "condition": frozenset({*_SPAN, "status", "stop_reason"}),
    "condition_era": frozenset({*_ERA, "count"}),
    "death": frozenset({"start", "age", "sex", "type"}),
    "device": frozenset({*_SPAN, "quantity", "device_id"}),
    "dose_era": frozenset({*_ERA, "dose", "unit"}),
    "drug": frozenset(
        {*_SPAN, "quantity", "days_supply", "refills", "route", "dose", "dose_unit", "lot", "stop_reason"}
    ),
    "drug_era": frozenset({*_ERA, "count", "gap_days"}),
    "location": frozenset({"start", "end"}),
    "measurement": frozenset(
        {
            *_POINT,
            *("value", "value_code", "unit", "operator", "range_low", "range_high"),
            *("value_to_low", "value_to_high", "abnormal"),
        }
    ),
    "observation": frozenset({*_POINT, "value", "value_code", "value_text", "unit", "qualifier"}),
    "observation_period": frozenset({*_ERA, "type"}),
    "payer_period": frozenset({*_ERA, "plan", "sponsor", "stop_reason_codes"}),
    "procedure": frozenset({*_POINT, "end", "length", "quantity", "modifier"}),
    "specimen": frozenset(
        {"start", "age", "sex", "type", "quantity", "unit", "body_site", "disease_status", "source_id"}
    ),
    "visit": frozenset({"start", "end", "length", "age", "sex", "specialty", "place", "type"}),
    "visit_detail": frozenset({"start", "end", "length", "age", "sex", "specialty", "place", "type"}),
}
"""Which tests each domain knows."""

VALUE_TESTS = ("value", "value_code", "value_text", "value_to_low", "value_to_high", "abnormal")
"""Tests of a result: where none was recorded a screener does not know."""

_MORE_COLUMNS: dict[Domain, tuple[str, ...]] = {
    "condition_era": ("count",),
    "device": ("quantity",),
    "dose_era": ("unit", "value"),
    "drug": ("days_supply", "quantity", "refills"),
    "drug_era": ("count", "gap_days"),
    "measurement": ("value", "range_high", "range_low", "unit"),
    "observation": ("value", "unit"),
    "procedure": ("quantity",),
}
COLUMNS_OF: dict[Domain, frozenset[str]] = {
    domain: frozenset({"start", "end", "visit", "code", "length", *_MORE_COLUMNS.get(domain, ())})
    for domain in TESTS_OF
}
"""Which columns each domain can count distinct values of."""
