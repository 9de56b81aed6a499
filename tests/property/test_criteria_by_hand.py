"""Criteria say of random people what plain Python says of them, one row after the other."""

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.criteria_by_hand import NO, OPEN, YES, candidates, chosen
from tests.property.criteria_draws import definitions, lives, records_of
from trajsim.trials.criteria import Definition, Reading, evaluate_records, lint
from trajsim.trials.criteria.form import Group

NAMES = {YES: 1, NO: 0, OPEN: 2}
EXAMPLES = 200 if settings().max_examples < 1_000 else 10_000
_seeds = st.integers(0, 2**64 - 1)


@settings(max_examples=EXAMPLES)
@given(_seeds)
def test_the_evaluator_says_what_plain_python_says(seed: int) -> None:
    rng = Random(seed)
    definition, people = definitions(rng), lives(rng)
    found = evaluate_records(definition, records_of(people))
    by_hand = candidates(definition, people)
    assert list(zip(found.patient.tolist(), found.start.tolist(), found.end.tolist(), strict=True)) == [
        (each.person, each.start, each.end) for each in by_hand
    ]
    for number in range(len(definition.rules)):
        assert found.verdicts[number].tolist() == [NAMES[each.rules[number]] for each in by_hand]
    starts = {(each.person, each.start) for each in chosen(definition, by_hand)}
    assert set(zip(found.cohort_patient.tolist(), found.cohort_start.tolist(), strict=True)) <= starts
    assert set(found.cohort_patient.tolist()) == {person for person, _ in starts}


def _nobody_asks_who_looked(group: Group) -> Group:
    events = []
    for each in group.events:
        inner = each.event.where
        event = replace(each.event, where=None if inner is None else _nobody_asks_who_looked(inner))
        events.append(replace(each, absence="no", event=event))
    return replace(group, events=tuple(events), groups=tuple(_nobody_asks_who_looked(each) for each in group.groups))


def _all_known(definition: Definition) -> Definition:
    entries = tuple(
        replace(each, where=None if each.where is None else _nobody_asks_who_looked(each.where))
        for each in definition.entry.any_of
    )
    rules = tuple(replace(rule, group=_nobody_asks_who_looked(rule.group)) for rule in definition.rules)
    return replace(definition, entry=replace(definition.entry, any_of=entries), rules=rules)


def _fails_in_circe(definition: Definition) -> bool:
    """Whether Circe's own query would fail: it counts other columns of events that carry criteria of their own."""
    groups = [rule.group for rule in definition.rules] + [each.where for each in definition.entry.any_of if each.where]
    while groups:
        group = groups.pop()
        for each in group.events:
            inner = each.event.where
            if inner is not None and inner.size > 0 and each.occurrence.distinct in {"code", "length"}:
                return True
            groups += [] if inner is None else [inner]
        groups += group.groups
    return False


@settings(max_examples=EXAMPLES // 2)
@given(_seeds)
def test_where_everything_is_known_both_readings_agree(seed: int) -> None:
    rng = Random(seed)
    definition, data = _all_known(definitions(rng)), records_of(lives(rng, all_known=True))
    screener = evaluate_records(definition, data)
    assert not np.any(screener.verdicts == 2)
    if _fails_in_circe(definition):
        return
    circe = evaluate_records(definition, data, reading=Reading.CIRCE)
    np.testing.assert_array_equal(circe.verdicts, screener.verdicts)
    np.testing.assert_array_equal(circe.cohort_start, screener.cohort_start)


@settings(max_examples=EXAMPLES // 4)
@given(_seeds)
def test_shards_joined_are_the_whole_and_the_linter_never_fails(seed: int) -> None:
    rng = Random(seed)
    definition, people = definitions(rng), lives(rng)
    whole = evaluate_records(definition, records_of(people))
    half = len(people) // 2
    one = evaluate_records(definition, records_of(people[:half]))
    other = evaluate_records(definition, records_of(people[half:]))
    np.testing.assert_array_equal(np.concatenate([one.verdicts, other.verdicts], axis=1), whole.verdicts)
    np.testing.assert_array_equal(np.r_[one.patient, other.patient + half], whole.patient)
    assert all(each.rule.startswith("CRT") for each in lint(definition))
