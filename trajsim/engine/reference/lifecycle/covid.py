"""Vaccination against COVID-19: who takes part, when, and with what (docs/draws.md 10.5)."""

from dataclasses import dataclass
from enum import Enum, auto

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
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.constants import COVID_CONDITION
from trajsim.lifecycle.tables import covid_doses
from trajsim.units import DAY_MS, HOUR_MS, ms_from_iso

START_MS = ms_from_iso("2020-12-11T12:00:00+00:00")
MODERNA_MS = ms_from_iso("2020-12-18T12:00:00+00:00")
JANSSEN_MS = ms_from_iso("2021-02-27T12:00:00+00:00")
CHILDREN_MS = ms_from_iso("2021-05-10T12:00:00+00:00")
LATE_MS = ms_from_iso("2021-09-14T12:00:00+00:00")
_CHILDREN_FROM, _ADULTS_FROM = 12, 16
_PFIZER_OF_TWO = 0.5
_PFIZER_OF_THREE, _MODERNA_OF_THREE = 0.531, 0.929
_SECOND_DOSE_DAYS = {SOURCE_COVID_PFIZER: 21, SOURCE_COVID_MODERNA: 28}
_LATE_CHANCES = ((15, 0.4), (40, 0.2))
_LAST_LATE_CHANCE = 0.1
_LEAST_CHANCE = 0.001
_LATE_PAUSE_DAYS = 14
_LATE_WAIT_DAYS = 7


class Stage(Enum):
    """Where a person stands."""

    NOT_ELIGIBLE = auto()
    WAITING = auto()
    FIRST = auto()
    DONE = auto()
    LATE = auto()
    NEVER = auto()


@dataclass(slots=True)
class Late:
    """Those who did not want to at first: the chance of the next try, and when the last one was."""

    chance: float
    last: int
    tries: int = 0


class Covid:
    """The vaccination of one person."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._stage = Stage.NOT_ELIGIBLE
        self._date = 0
        self._vaccine = SOURCE_COVID_PFIZER
        self._late: Late | None = None

    def turn(self, time: int) -> None:
        """One turn: at most one of the stages moves on."""
        if time < START_MS:
            return
        if self._stage == Stage.NOT_ELIGIBLE:
            self._decide(time)
        elif self._stage == Stage.WAITING:
            has_covid = self._person.entry(COVID_CONDITION, EventKind.CONDITION) is not None
            if self._date <= time and not has_covid:
                self._first_dose(time)
        elif self._stage == Stage.FIRST:
            if self._date <= time:
                self._vaccinate(time, 2)
                self._finish()
        elif self._stage == Stage.LATE and time >= LATE_MS:
            self._try_late(time)

    # --- decisions ------------------------------------------------------------------------------------------------

    def _decide(self, time: int) -> None:
        age = self._person.years(time)
        if age < _CHILDREN_FROM or (age < _ADULTS_FROM and time < CHILDREN_MS):
            return
        band = _band(age)
        if self._person.draws.uniform("covid decide") <= float(covid_doses().acceptance[band]):
            self._wait_for(max(self._day(band, age), time))
        else:
            self._stage = Stage.LATE

    def _day(self, band: int, age: int) -> int:
        """Noon of the day of the first dose."""
        table = covid_doses()
        first = CHILDREN_MS if age < _ADULTS_FROM else 0
        days = [
            (day_ms + 12 * HOUR_MS, count)
            for day_ms, count in zip(table.day_ms.tolist(), table.doses[:, band].tolist(), strict=True)
            if day_ms + 12 * HOUR_MS >= first
        ]
        total = 0.0
        for _, count in days:
            total += count
        goal = self._person.draws.uniform("covid day") * total
        running = 0.0
        for noon, count in days:
            running += count
            if goal < running:
                return int(noon)
        msg = "the table has doses for every band"
        raise AssertionError(msg)

    def _wait_for(self, date: int) -> None:
        self._stage = Stage.WAITING
        self._date = date
        self._vaccine = self._vaccine_of(date)

    def _vaccine_of(self, date: int) -> int:
        """Source of the vaccine that is given on a date."""
        if date < MODERNA_MS:
            return SOURCE_COVID_PFIZER
        u = self._person.draws.uniform("covid vaccine")
        if date <= JANSSEN_MS:
            return SOURCE_COVID_PFIZER if u < _PFIZER_OF_TWO else SOURCE_COVID_MODERNA
        if u < _PFIZER_OF_THREE:
            return SOURCE_COVID_PFIZER
        return SOURCE_COVID_MODERNA if u < _MODERNA_OF_THREE else SOURCE_COVID_JANSSEN

    def _try_late(self, time: int) -> None:
        if self._late is None:
            age = self._person.years(time)
            chance = next((chance for most, chance in _LATE_CHANCES if age <= most), _LAST_LATE_CHANCE)
            self._late = Late(chance, time)
            return
        late = self._late
        if time <= late.last + _LATE_PAUSE_DAYS * DAY_MS:
            return
        u = self._person.draws.uniform("covid late", late.tries)
        late.tries += 1
        if u <= late.chance:
            self._wait_for(time + _LATE_WAIT_DAYS * DAY_MS)
            return
        late.chance = late.chance / 2.0
        late.last = time
        if late.chance < _LEAST_CHANCE:
            self._stage = Stage.NEVER

    # --- doses ----------------------------------------------------------------------------------------------------

    def _first_dose(self, time: int) -> None:
        self._vaccinate(time, 1)
        days = _SECOND_DOSE_DAYS.get(self._vaccine)
        if days is None:
            self._finish()
        else:
            self._stage = Stage.FIRST
            self._date = time + days * DAY_MS

    def _finish(self) -> None:
        self._stage = Stage.DONE
        self._person.set("C19_FULLY_VACCINATED", value=True)

    def _vaccinate(self, time: int, dose: int) -> None:
        """A dose, in the current encounter or, if the lock is free, in one of its own."""
        patient = self._person.patient
        if patient.lock is None:
            self._open_encounter(time)
        patient.write(
            EventKind.IMMUNIZATION, time, attached=True, value=float(dose),
            source=self._vaccine, stream=STREAM_COVID,
        )  # fmt: skip
        visit = patient.record.newest_open(EncounterClass.OUTPATIENT)
        if visit is not None:
            visit.is_ended = True
            kind = EventKind.ENCOUNTER_END
            patient.write(kind, time, ref=visit.event, source=visit.source, stream=visit.stream)

    def _open_encounter(self, time: int) -> None:
        """An outpatient encounter; the lock is free again at the end of the turn, so it is never taken."""
        patient = self._person.patient
        kind, source, stream = EncounterClass.OUTPATIENT, SOURCE_COVID_ENCOUNTER, STREAM_COVID
        event = patient.write(EventKind.ENCOUNTER, time, tag=kind, source=source, stream=stream)
        patient.log.rows[event].encounter = event
        made_by = patient.catalogue.sources[source].state
        patient.record.encounters.append(
            EncounterRecord(event=event, kind=kind, start=time, made_by=made_by, source=source, stream=stream)
        )


def _band(age: int) -> int:
    """Number of the age band."""
    return max(number for number, lowest in enumerate(covid_doses().ages) if age >= lowest)
