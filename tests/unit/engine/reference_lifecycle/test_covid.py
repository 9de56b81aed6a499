"""Vaccination against COVID-19, stage by stage."""

import pytest

from tests.unit.engine.reference_lifecycle.people import draws, gives, person
from trajsim.engine.events import (
    SOURCE_COVID_ENCOUNTER,
    SOURCE_COVID_JANSSEN,
    SOURCE_COVID_MODERNA,
    SOURCE_COVID_PFIZER,
    STREAM_COVID,
    EncounterClass,
    EventKind,
)
from trajsim.engine.reference.health_record import EncounterRecord
from trajsim.engine.reference.lifecycle.covid import Covid
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.tables import covid_doses
from trajsim.units import DAY_MS, HOUR_MS, WEEK_MS, ms_from_iso

START = ms_from_iso("2020-12-11T12:00:00+00:00")
BIRTH = "1990-01-01"
SHARE = float(covid_doses().acceptance[covid_doses().ages.index(30)])
Step = tuple[int, int, int]


def _willing(number: int) -> bool:
    return draws(number).uniform("covid decide") <= SHARE


def _date(number: int) -> int:
    """Noon of the day of a willing person of 30, by hand."""
    table = covid_doses()
    doses = table.doses[:, table.ages.index(30)].tolist()
    goal, running = draws(number).uniform("covid day") * sum(doses), 0.0
    for day, count in zip(table.day_ms.tolist(), doses, strict=True):
        running += count
        if goal < running:
            return int(day) + 12 * HOUR_MS
    raise AssertionError


def _live(who: Person, weeks: int = 80, start: int = START) -> list[tuple[EventKind, int, float, int]]:
    vaccination = Covid(who)
    for week in range(weeks):
        vaccination.turn(start + week * WEEK_MS)
    return [(row.kind, row.time, row.value, row.state) for row in who.patient.log.rows]


def _vaccine(number: int, date: int) -> int:
    u = draws(number).uniform("covid vaccine")
    if date < ms_from_iso("2020-12-18T12:00:00+00:00"):
        return SOURCE_COVID_PFIZER
    if date <= ms_from_iso("2021-02-27T12:00:00+00:00"):
        return SOURCE_COVID_PFIZER if u < 0.5 else SOURCE_COVID_MODERNA
    return SOURCE_COVID_PFIZER if u < 0.531 else SOURCE_COVID_MODERNA if u < 0.929 else SOURCE_COVID_JANSSEN


@pytest.mark.parametrize("number", [n for n in range(60) if _willing(n)])
def test_willing_people(number: int) -> None:
    rows = _live(person(BIRTH, patient_id=number))
    date = _date(number)
    first = START + -(-(date - START) // WEEK_MS) * WEEK_MS
    vaccine = _vaccine(number, date)
    expected = [(first, 1.0)]
    if vaccine != SOURCE_COVID_JANSSEN:
        days = 21 if vaccine == SOURCE_COVID_PFIZER else 28
        expected.append((first + days * DAY_MS, 2.0))
    assert rows == [
        row
        for time, dose in expected
        for row in (
            (EventKind.ENCOUNTER, time, 0.0, SOURCE_COVID_ENCOUNTER),
            (EventKind.IMMUNIZATION, time, dose, vaccine),
            (EventKind.ENCOUNTER_END, time, 0.0, SOURCE_COVID_ENCOUNTER),
        )
    ]


def test_all_rows_are_of_the_stream_and_the_lock_stays_free() -> None:
    number = next(n for n in range(60) if _willing(n))
    who = person(BIRTH, patient_id=number)
    _live(who)
    rows = who.patient.log.rows
    assert {row.module for row in rows} == {STREAM_COVID}
    assert [row.encounter for row in rows[:3]] == [0, 0, -1]
    assert rows[0].tag == EncounterClass.OUTPATIENT
    assert who.patient.lock is None
    assert who.patient.attributes["C19_FULLY_VACCINATED"] is True


def test_late_adopters_try_every_third_week_with_half_the_chance() -> None:
    number = next(n for n in range(200) if not _willing(n) and draws(n).uniform("covid late", 0) > 0.2
                  and draws(n).uniform("covid late", 1) <= 0.1)  # fmt: skip
    rows = _live(person(BIRTH, patient_id=number))
    late = ms_from_iso("2021-09-14T12:00:00+00:00")
    noted = START + -(-(late - START) // WEEK_MS) * WEEK_MS
    success = noted + 6 * WEEK_MS  # more than 14 days after: every third week
    assert rows[0][:2] == (EventKind.ENCOUNTER, success + WEEK_MS)
    assert rows[1][3] == _vaccine(number, success + WEEK_MS)


def test_those_who_never_want_to() -> None:
    number = next(
        n for n in range(2_000)
        if not _willing(n) and all(draws(n).uniform("covid late", j) > 0.2 / 2**j for j in range(8))
    )  # fmt: skip
    assert _live(person(BIRTH, patient_id=number), weeks=400) == []


def test_infection_puts_it_off() -> None:
    number = next(n for n in range(60) if _willing(n))
    who = person(BIRTH, patient_id=number)
    gives(who.patient, "840539006", EventKind.CONDITION, START)
    assert len(_live(who)) == 1
    who.patient.record.present.remove("840539006")


def test_ages() -> None:
    assert _live(person("2010-01-01", patient_id=1), weeks=55) == []  # 11 until 2022
    for number in range(40):
        rows = _live(person("2007-01-01", patient_id=number), weeks=24)  # 13: from 10 May 2021
        assert all(time >= ms_from_iso("2021-05-10T12:00:00+00:00") for _, time, _, _ in rows)


@pytest.mark.parametrize(("kind", "ends"), [(EncounterClass.OUTPATIENT, True), (EncounterClass.INPATIENT, False)])
def test_visit_of_a_module_is_used(kind: EncounterClass, ends: bool) -> None:  # noqa: FBT001
    number = next(n for n in range(60) if _willing(n) and _vaccine(n, _date(n)) == SOURCE_COVID_JANSSEN)
    who = person(BIRTH, patient_id=number)
    patient = who.patient
    event = patient.write(EventKind.ENCOUNTER, START, source=3, stream=1)
    patient.record.encounters.append(
        EncounterRecord(event=event, kind=kind, start=START, made_by="E", source=3, stream=1)
    )
    patient.lock = "m"
    _live(who)
    assert [row.kind for row in patient.log.rows[1:]] == [EventKind.IMMUNIZATION, EventKind.ENCOUNTER_END][: 1 + ends]
    assert patient.log.rows[1].encounter == event
    if ends:
        assert (patient.log.rows[2].state, patient.log.rows[2].module, patient.log.rows[2].ref) == (3, 1, event)
    assert patient.lock == "m"
