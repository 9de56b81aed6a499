"""Says criteria in plain English, so that a clinician can read them against the protocol and correct them."""

from collections.abc import Iterator
from datetime import date

from trajsim.trials.criteria.form import (
    CodeSet,
    CodeTest,
    Coding,
    CountedCriterion,
    DateTest,
    Definition,
    EventCriterion,
    ExposureExit,
    Group,
    Keep,
    NumberTest,
    Occurrence,
    PatientCriterion,
    Period,
    Shift,
    TextTest,
    Window,
)
from trajsim.trials.criteria.walk import AnyTest, places, sets_used_by, tests_of

_SHOWN_CODES = 3
_INDENT = "  "
_DOMAINS = {"payer_period": "payment period", "condition": "condition", "drug": "drug exposure"}
_FIELDS = {
    "age": "age at start",
    "length": "length in days",
    "visit_kind": "kind of visit",
    "place": "place of service",
    "value_code": "coded value",
    "value_text": "text of the value",
    "range_low": "lower limit of the normal range",
    "range_high": "upper limit of the normal range",
    "value_to_low": "value divided by the lower limit of normal",
    "value_to_high": "value divided by the upper limit of normal",
    "days_supply": "days of supply",
    "gap_days": "days of gaps",
    "count": "number of occurrences",
    "type": "type of record",
    "device_id": "device identifier",
    "source_id": "identifier at the source",
    "codes": "code set",
    "source_codes": "code of the source",
    "stop_reason_codes": "reason to stop",
}
_RANGES = {"<": "below", "<=": "at most", "==": "exactly", "!=": "other than", ">=": "at least", ">": "above"}
_TEXTS = {
    "equals": "is",
    "not_equals": "is not",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "not_starts_with": "does not start with",
    "ends_with": "ends with",
    "not_ends_with": "does not end with",
}
_KEPT: dict[Keep, str] = {
    "all": "every such event of a patient counts",
    "first": "the first such event of a patient counts",
    "last": "the last such event of a patient counts",
}


def describe(definition: Definition) -> list[str]:
    """Says criteria in plain English.

    Nothing is left out: every event, window, count, limit and code set is said, in the order in which it is applied;
    what is not asked is not mentioned. Of a code set the first codes are shown. What stands inside is indented more.

    Args:
        definition: The criteria.

    Returns:
        Lines of text.

    Example:
        >>> from trajsim.trials.criteria.form import Entry
        >>> everybody = Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),)))
        >>> describe(everybody)[:2]
        ['Entry event:', '  an observation period']
    """
    return list(_Words(definition).definition())


def describe_entry(definition: Definition) -> list[str]:
    """Says which events let somebody enter, without limits.

    Args:
        definition: The criteria.

    Returns:
        Lines of text.
    """
    words = _Words(definition)
    events = [line for event in definition.entry.any_of for line in words.event(event)]
    return events if len(definition.entry.any_of) == 1 else ["any of:", *(_INDENT + line for line in events)]


def describe_group(group: Group, definition: Definition) -> list[str]:
    """Says one group of criteria, such as what an inclusion rule asks.

    Args:
        group: The group.
        definition: The criteria whose code sets it names.

    Returns:
        Lines of text, indented by what they stand in.
    """
    return list(_Words(definition).group(group))


class _Words:
    """Says parts of one definition, whose code sets they name."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition

    def definition(self) -> Iterator[str]:
        definition = self._definition
        yield "Entry event:" if len(definition.entry.any_of) == 1 else "Entry event, any of:"
        yield from _indented(self.entry())
        if definition.additional is not None:
            yield "The entry event must come with:"
            yield from _indented(self.group(definition.additional))
            yield f"{_INDENT}of those that do, {_KEPT[definition.keep_additional]}"
        for number, rule in enumerate(definition.rules, 1):
            said = f" ({rule.description})" if rule.description and rule.description != rule.name else ""
            yield f"Inclusion rule {number}, {rule.name}{said}:"
            yield from _indented(self.group(rule.group))
        counted = [each.part for each in places(definition) if isinstance(each.part, CountedCriterion)]
        if not all(each.any_period for each in counted):
            yield "Unless said otherwise, events count in the observation period of the event they are counted from"
        yield f"Of the events that pass, {_KEPT[definition.keep]}"
        yield from self._exits()
        yield from self._sets()

    def entry(self) -> Iterator[str]:
        """The entry event and observation around it."""
        entry = self._definition.entry
        for event in entry.any_of:
            yield from self.event(event)
        around = {"before": entry.days_before, "after": entry.days_after}
        said = _joined([f"{n} {_days(n)} {side}" for side, n in around.items() if n])
        if said:
            yield f"observed without a gap for {said} it"
        yield _KEPT[entry.keep]

    def _exits(self) -> Iterator[str]:
        definition = self._definition
        fixed, exposure = definition.fixed_exit, definition.exposure_exit
        if fixed is not None:
            yield f"Leaves {_moved(fixed.counted_from, fixed.days)} of the event, or when observation ends"
        if exposure is not None:
            yield from self._exposure(exposure)
        if fixed is None and exposure is None:
            yield "Stays until observation ends"
        if definition.censoring:
            yield "Leaves earlier at:"
            for event in definition.censoring:
                yield from _indented(self.event(event))
        if definition.pad_days:
            yield f"Stays of a patient at most {definition.pad_days} {_days(definition.pad_days)} apart are one"
        if definition.calendar != Period():
            yield f"Only days {_period(definition.calendar)} count"

    def _exposure(self, exposure: ExposureExit) -> Iterator[str]:
        gap, extra = exposure.gap_days, exposure.extra_days
        yield (
            f"Leaves when exposure to {self._set(exposure.codes)} ends: gaps of up to {gap} {_days(gap)} "
            f"do not interrupt it, {extra} {_days(extra)} {'is' if extra == 1 else 'are'} added"
        )
        if exposure.days_supply is not None:
            yield f"{_INDENT}each exposure is taken to last {exposure.days_supply} {_days(exposure.days_supply)}"

    def _sets(self) -> Iterator[str]:
        if self._definition.code_sets:
            yield "Code sets:"
        for each in self._definition.code_sets:
            yield f"{_INDENT}{each.wording}: {_codes(each.codes)}"

    def group(self, group: Group) -> Iterator[str]:
        """What a group asks: a single item without a heading."""
        if not group.size:
            yield "nothing is asked"
            return
        heads = {"all": "all of:", "any": "any of:"}
        heads |= {need: f"{need.replace('_', ' ')} {group.n} of:" for need in ("at_least", "at_most")}
        is_plain = group.size == 1 and group.need in {"all", "any"}
        parts = [*(self.counted(each) for each in group.events), *(self.patient(each) for each in group.patients)]
        parts += [self.group(each) for each in group.groups]
        if not is_plain:
            yield heads[group.need]
        for part in parts:
            yield from part if is_plain else _indented(part)

    def counted(self, counted: CountedCriterion) -> Iterator[str]:
        """How many of which events, and where they lie."""
        lines = self.event(counted.event, count=_count(counted.occurrence))
        first, *more = lines
        where = [_window(each) for each in (counted.window, counted.end_window) if each is not None]
        if counted.same_visit:
            where.append("in the same visit")
        if counted.any_period:
            where.append("in any observation period")
        yield ", ".join([first, *where])
        if counted.absence == "unknown":
            yield f"{_INDENT}without any record the answer is unknown"
        elif counted.absence == "no":
            yield f"{_INDENT}without any record it did not happen"
        yield from more

    def event(self, event: EventCriterion, *, count: str | None = None) -> Iterator[str]:
        """An event, what else holds of it and around it."""
        name = _DOMAINS.get(event.domain, event.domain.replace("_", " "))
        many = count is not None and not count.endswith(" 1")
        article = "an" if name[0] in "aeiou" else "a"
        lead = f"the first ever {name}" if event.first else f"{article} {name}"
        if count is not None:
            lead = f"{count} {'first ever ' if event.first else ''}{_plural(name) if many else name}"
        of_set = f" of {self._set(event.codes)}" if event.codes is not None else ""
        tests = [*self._tests(event), *self._named_sets(event)]
        if event.abnormal:
            tests.append("the value is abnormal")
        said = f" with {_joined(tests)}" if tests else ""
        yield f"{lead}{of_set}{said}"
        if event.shift is not None:
            yield f"{_INDENT}its days are moved: {_shift(event.shift)}"
        if event.user_period is not None:
            yield f"{_INDENT}as the period {_period(event.user_period)}, which lies inside it"
        if event.where is not None and event.where.size:
            yield f"{_INDENT}around which holds:"
            yield from _indented(_indented(self.group(event.where)))

    def patient(self, patient: PatientCriterion) -> Iterator[str]:
        """What holds of the patient."""
        names = {"age": "age at the event", "start": "start of the event", "end": "end of the event"}
        said = [f"{names.get(name, name)} {self._test(test, name)}" for name, _, test in tests_of(patient)]
        yield f"patient with {_joined(said)}" if said else "any patient"

    def _tests(self, event: EventCriterion) -> Iterator[str]:
        for name, _, test in tests_of(event):
            yield f"{_FIELDS.get(name, name.replace('_', ' '))} {self._test(test, name)}"

    def _named_sets(self, event: EventCriterion) -> Iterator[str]:
        for name, code_set in sets_used_by(event):
            if name != "codes" and isinstance(getattr(event, name), str):
                yield f"{_FIELDS.get(name, name)} in {self._set(code_set)}"

    def _test(self, test: AnyTest, name: str) -> str:
        if isinstance(test, TextTest):
            return f"{_TEXTS[test.op]} {test.text!r}"
        if isinstance(test, CodeTest):
            listed = [each.display or each.code or str(each.concept_id) for each in test.any_of]
            parts = [_joined(listed, "or")] if listed else []
            if test.code_set is not None:
                parts.append(f"in {self._set(test.code_set)}")
            return ("not " if test.exclude else "") + (" and ".join(parts) or "in an empty list")
        return _range(test, years=name in {"age", "age_at_end"})

    def _set(self, name: str) -> str:
        found: CodeSet | None = self._definition.code_set(name)
        return f"a code set {name!r} that is missing" if found is None else found.wording


def _range(test: NumberTest | DateTest, *, years: bool) -> str:
    unit = " years" if years else ""
    low, high = _bound(test.value), _bound(test.upper)
    if test.op == "between":
        return f"from {low} to {high}{unit}"
    if test.op == "outside":
        return f"outside {low} to {high}{unit}"
    if isinstance(test, DateTest):
        words = {"<": "before", "<=": "on or before", "==": "on", "!=": "not on", ">=": "on or after", ">": "after"}
        return f"{words[test.op]} {low}"
    return f"{_RANGES[test.op]} {low}{unit}"


def _bound(value: float | date | None) -> str:
    if value is None:
        return "(not given)"
    return value.isoformat() if isinstance(value, date) else f"{value:.12g}"


def _count(occurrence: Occurrence) -> str:
    op, n = occurrence.op, occurrence.n
    words = "no" if n == 0 and op in {"exactly", "at_most"} else f"{op.replace('_', ' ')} {n}"
    if occurrence.distinct is None:
        return words
    values = "value" if n == 1 else "different values"
    return f"{words} {values} of {occurrence.distinct.replace('_', ' ')} among"


def _window(window: Window) -> str:
    of_what = "ending" if window.of_event_end else "starting"
    origin = "the end of the index event" if window.from_index_end else "the index day"
    if window.first_day is None:
        first = f"the {'end' if window.first_is_period_end else 'beginning'} of observation"
    else:
        first = _edge(window.first_day, origin)
    if window.last_day is None:
        last = f"the {'beginning' if window.last_is_period_start else 'end'} of observation"
    else:
        last = _edge(window.last_day, origin)
    return f"{of_what} on {first}" if first == last else f"{of_what} from {first} to {last}"


def _edge(days: int, origin: str) -> str:
    if not days:
        return origin
    return f"{abs(days)} {_days(days)} {'before' if days < 0 else 'after'} {origin}"


def _shift(shift: Shift) -> str:
    start, end = _moved(shift.start_from, shift.start_days), _moved(shift.end_from, shift.end_days)
    return f"starts {start}, ends {end}"


def _moved(edge: str, days: int) -> str:
    return f"on the {edge} day" if not days else _edge(days, f"the {edge} day")


def _period(period: Period) -> str:
    parts = [f"from {period.start.isoformat()}"] if period.start else []
    parts += [f"to {period.end.isoformat()}"] if period.end else []
    return " ".join(parts) or "without bounds"


def _codes(codes: tuple[Coding, ...]) -> str:
    shown = "; ".join(_code(each) for each in codes[:_SHOWN_CODES])
    more = len(codes) - _SHOWN_CODES
    return (shown or "no codes") + (f"; and {more} more" if more > 0 else "")


def _code(coding: Coding) -> str:
    name = f"{coding.system} {coding.code}".strip() or f"concept {coding.concept_id}"
    text = f"{coding.display} ({name})" if coding.display else name
    marks = (" with what is below it" if coding.descendants else "") + (" and what maps to it" if coding.mapped else "")
    return f"{'not ' if coding.excluded else ''}{text}{marks}"


def _days(count: int) -> str:
    return "day" if abs(count) == 1 else "days"


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _joined(parts: list[str], word: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}" if parts else ""


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)
