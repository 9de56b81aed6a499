"""Walks through a definition and says of every part where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from trajsim.trials.criteria.form import (
    TEST_NAMES,
    CodeTest,
    CountedCriterion,
    DateTest,
    Definition,
    EventCriterion,
    Group,
    NumberTest,
    PatientCriterion,
    TextTest,
)

AnyTest = NumberTest | DateTest | TextTest | CodeTest
PATIENT_TESTS = ("age", "sex", "race", "ethnicity", "start", "end")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A part of a definition and where it stands.

    Attributes:
        part: The part.
        path: Its JSON path in the file that it came from, or in the form.
        where: Entry, additional, rule or censoring, in words.
        rule: The number of the rule; None outside rules.
        depth: 0 for the criteria themselves, more inside `where` of an event.
    """

    part: EventCriterion | PatientCriterion | CountedCriterion | Group
    path: str
    where: str
    rule: int | None = None
    depth: int = 0


def places(definition: Definition) -> Iterator[Place]:
    """Every group, counted criterion, event criterion and patient criterion, outer ones first."""
    for number, event in enumerate(definition.entry.any_of):
        yield from _of_event(event, f"$.entry.any_of[{number}]", "entry", None, 0)
    if definition.additional is not None:
        yield from _of_group(definition.additional, "$.additional", "additional criteria", None, 0)
    for number, rule in enumerate(definition.rules):
        yield from _of_group(rule.group, f"$.rules[{number}].group", f"rule {rule.name!r}", number, 0)
    for number, event in enumerate(definition.censoring):
        yield from _of_event(event, f"$.censoring[{number}]", "censoring", None, 0)


def _of_group(group: Group, path: str, where: str, rule: int | None, depth: int) -> Iterator[Place]:
    path = group.path or path
    yield Place(part=group, path=path, where=where, rule=rule, depth=depth)
    for number, counted in enumerate(group.events):
        own = counted.path or f"{path}.events[{number}]"
        yield Place(part=counted, path=own, where=where, rule=rule, depth=depth)
        yield from _of_event(counted.event, f"{own}.event", where, rule, depth)
    for number, patient in enumerate(group.patients):
        yield Place(
            part=patient, path=patient.path or f"{path}.patients[{number}]", where=where, rule=rule, depth=depth
        )
    for number, inner in enumerate(group.groups):
        yield from _of_group(inner, f"{path}.groups[{number}]", where, rule, depth)


def _of_event(event: EventCriterion, path: str, where: str, rule: int | None, depth: int) -> Iterator[Place]:
    path = event.path or path
    yield Place(part=event, path=path, where=where, rule=rule, depth=depth)
    if event.where is not None:
        yield from _of_group(event.where, f"{path}.where", where, rule, depth + 1)


def tests_of(part: EventCriterion | PatientCriterion) -> Iterator[tuple[str, str, AnyTest]]:
    """Name, path below the part (or whole path where it is known) and test, of every test that is set."""
    names = PATIENT_TESTS if isinstance(part, PatientCriterion) else TEST_NAMES
    for name in names:
        value = getattr(part, name)
        if isinstance(value, NumberTest | DateTest | TextTest):
            yield name, value.path, value
        elif isinstance(value, tuple):
            for each in value:
                yield name, each.path, each


def sets_used_by(part: EventCriterion | PatientCriterion) -> Iterator[tuple[str, str]]:
    """Name of the field and name of the code set, for every code set that a criterion names itself."""
    for name, _, test in tests_of(part):
        if isinstance(test, CodeTest) and test.code_set is not None:
            yield name, test.code_set
    if isinstance(part, EventCriterion):
        for name in ("codes", "source_codes", "plan", "sponsor", "stop_reason_codes"):
            value = getattr(part, name)
            if value is not None:
                yield name, value
