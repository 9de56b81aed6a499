"""Smoking, drinking, marriage and work (docs/draws.md 10.4 a)."""

import math
from dataclasses import dataclass

from trajsim.engine.reference.lifecycle.person import Person
from trajsim.engine.reference.quantities import date_at

_SMOKING_AGE, _DRINKING_AGE, _MARRYING_AGE, _WORKING_AGE = 16, 25, 28, 18
_SMOKERS_BEFORE_1965 = 0.424
_DRINKERS = 0.025
_DRINKING_STOP = 0.001
_SMOKING_STOP_SYNTHEA = 0.01
_SMOKING_STOP_YEARLY = 0.074
_MARRIED = 0.8
# age, below which the spouse has died, below which the marriage is divorced
_MARRIAGE_ENDS = ((35, 0.02, 0.20), (45, 0.03, 0.05), (55, 0.06, 0.11))
_TURNS_BETWEEN_EMPLOYMENT = 26


@dataclass(slots=True)
class Habit:
    """A habit that may stop: how many turns it goes on, None where it has stopped or never was."""

    is_decided: bool = False
    turns_left: int | None = None


class Habits:
    """The habits of one person."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._smoking = Habit()
        self._drinking = Habit()
        self._is_marriage_decided = False
        self._marriage_ends_passed = 0
        self._turns_to_employment: int | None = None
        self._employments = 0
        self._has_lost_work = False

    def turn(self, time: int) -> None:
        """One turn."""
        age = self._person.years(time)
        self._smoke(age, time)
        self._drink(age)
        self._marry(age)
        self._work(age, time)

    # --- smoking and drinking -------------------------------------------------------------------------------------

    def _smoke(self, age: int, time: int) -> None:
        person = self._person
        if age < _SMOKING_AGE:
            return
        habit = self._smoking
        if not habit.is_decided:
            year = date_at(time).year
            share = _SMOKERS_BEFORE_1965 if year < 1965 else (996.41 - 0.4865 * year) / 100.0
            stop = (
                1.0 - math.pow(1.0 - _SMOKING_STOP_YEARLY, 7.0 / 365.25) if person.is_default else _SMOKING_STOP_SYNTHEA
            )
            self._begin(habit, "smoker", share, "smoking stop", stop)
        self._go_on(habit, "smoker", "quit smoking age", age)

    def _drink(self, age: int) -> None:
        if age < _DRINKING_AGE:
            return
        habit = self._drinking
        if not habit.is_decided:
            self._begin(habit, "alcoholic", _DRINKERS, "drinking stop", _DRINKING_STOP)
        self._go_on(habit, "alcoholic", "quit alcoholism age", age)

    def _begin(self, habit: Habit, name: str, share: float, stop_name: str, stop: float) -> None:
        """Decides a habit, and how many turns later it stops."""
        draws = self._person.draws
        habit.is_decided = True
        is_begun = draws.uniform(name) < share
        self._person.set(name, is_begun)
        if is_begun:
            habit.turns_left = math.floor(math.log(1.0 - draws.uniform(stop_name)) / math.log(1.0 - stop))

    def _go_on(self, habit: Habit, name: str, age_name: str, age: int) -> None:
        """One turn of a habit: it stops when no turn is left."""
        if habit.turns_left is None:
            return
        if habit.turns_left == 0:
            habit.turns_left = None
            self._person.set(name, value=False)
            self._person.set(age_name, age)
        else:
            habit.turns_left -= 1

    # --- marriage -------------------------------------------------------------------------------------------------

    def _marry(self, age: int) -> None:
        person = self._person
        if age >= _MARRYING_AGE and not self._is_marriage_decided:
            self._is_marriage_decided = True
            person.set("marital_status", "M" if person.draws.uniform("marital", _MARRYING_AGE) < _MARRIED else "S")
        while self._marriage_ends_passed < len(_MARRIAGE_ENDS):
            at, dies, divorces = _MARRIAGE_ENDS[self._marriage_ends_passed]
            if age < at:
                return
            self._marriage_ends_passed += 1
            if person.get("marital_status") == "M":
                u = person.draws.uniform("marital", at)
                if u < dies:
                    person.set("marital_status", "W")
                elif u < divorces:
                    person.set("marital_status", "D")

    # --- work -----------------------------------------------------------------------------------------------------

    def _work(self, age: int, time: int) -> None:
        if self._turns_to_employment is None:
            if age < _WORKING_AGE or time < 0:
                return
            self._turns_to_employment = 0
        if self._turns_to_employment > 0:
            self._turns_to_employment -= 1
            return
        self._turns_to_employment = _TURNS_BETWEEN_EMPLOYMENT - 1
        person, j = self._person, self._employments
        self._employments += 1
        if self._has_lost_work:
            self._has_lost_work = False
            person.set("unemployed", value=False)
        elif person.draws.uniform("employment", j) < person.unemployment:
            self._has_lost_work = True
            person.set("unemployed", value=True)
