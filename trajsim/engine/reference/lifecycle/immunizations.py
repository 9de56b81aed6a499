"""The vaccines of childhood and old age, given at every visit of the encounter module (docs/draws.md 10.3)."""

import datetime as dt

from trajsim.engine.events import SOURCE_VACCINE_FIRST, STREAM_IMMUNIZATIONS, EventKind
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.tables import Vaccine, immunization_schedule
from trajsim.units import DAY_MS

_TOO_LATE_MONTHS = 48


def is_due(schedule: tuple[int, ...], given: list[int], months: int) -> bool:
    """Whether a dose of a vaccine that is available is due.

    Args:
        schedule: The ages of the doses in months, rising.
        given: The ages of the doses that were given, rising.
        months: The age now.
    """
    if len(given) >= len(schedule):
        return False
    left = [age for age in schedule if months - age < _TOO_LATE_MONTHS]
    for dose in given:
        if left and 0 <= dose - left[0] < _TOO_LATE_MONTHS:
            del left[0]
    return bool(left) and left[0] <= months


def available_from(vaccine: Vaccine) -> int:
    """The first instant at which a vaccine exists."""
    return (dt.date(vaccine.first_year, 1, 1) - dt.date(1970, 1, 1)).days * DAY_MS


class Immunizations:
    """What one person was vaccinated with."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._given: list[list[int]] = [[] for _ in immunization_schedule()]

    def visit(self, time: int) -> None:
        """A visit of the encounter module."""
        months = self._person.months(time)
        for number, (vaccine, given) in enumerate(zip(immunization_schedule(), self._given, strict=True)):
            if time >= available_from(vaccine) and is_due(vaccine.months, given, months):
                given.append(months)
                self._person.patient.write(
                    EventKind.IMMUNIZATION, time, attached=True, value=float(len(given)),
                    source=SOURCE_VACCINE_FIRST + number, stream=STREAM_IMMUNIZATIONS,
                )  # fmt: skip
