"""Blood pressure at an instant: a baseline for life, what drugs and diet take off, the hour (docs/draws.md 10.7)."""

from trajsim.engine.events import EventKind
from trajsim.engine.reference.lifecycle.bounds import bounded
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.constants import LIFESTYLE_CARE_PLAN
from trajsim.lifecycle.tables import blood_pressure_drugs
from trajsim.units import HOUR_MS, YEAR_MS

SYSTOLIC, DIASTOLIC = 0, 1
SIGNS = ("Systolic Blood Pressure", "Diastolic Blood Pressure")
_NORMAL = ((100.0, 139.0), (70.0, 89.0))
_HYPERTENSIVE = ((140.0, 160.0), (90.0, 120.0))
_SEVERE = ((160.0, 200.0), (90.0, 120.0))
_LIFESTYLE_ADHERENCE = 0.15
_LIFESTYLE_GOALS = ((124.0, 14.0), (78.0, 8.0))
_VARIATION = (8.0, 5.0)
_PULSE = 15.0
_HALF_DAY_MS = 12 * HOUR_MS


class BloodPressure:
    """The blood pressure of one person."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._is_severe: bool | None = None

    def note_hypertension(self) -> None:
        """At the first turn with hypertension: whether it is severe, for life."""
        if self._is_severe is None and self._person.is_true("hypertension"):
            self._is_severe = self._person.is_true("hypertension_severe")

    def at(self, which: int, time: int) -> float:
        """SYSTOLIC or DIASTOLIC at an instant, in mmHg, not rounded."""
        value = self._unbounded(which, time)
        if not self._person.is_default:
            return value
        value = bounded(SIGNS[which], value)
        if which == DIASTOLIC:
            value = min(value, bounded(SIGNS[SYSTOLIC], self._unbounded(SYSTOLIC, time)) - _PULSE)
        return value

    def _unbounded(self, which: int, time: int) -> float:
        baseline = self._baseline(which)
        value = baseline
        for row, drug in enumerate(blood_pressure_drugs()):
            if self._person.takes(drug.rxnorm):
                low, high = (drug.systolic, drug.diastolic)[which]
                value = value + self._person.draws.between(low, high, "blood pressure drug", row, which)
        value = value - self._lifestyle(which, baseline, time)
        return value + self._variation(which, time)

    def _baseline(self, which: int) -> float:
        person = self._person
        has_hypertension = person.is_true("hypertension")
        ranges = _NORMAL
        if has_hypertension:
            is_severe = self._is_severe
            if is_severe is None:
                is_severe = person.is_true("hypertension_severe")
            ranges = _SEVERE if is_severe else _HYPERTENSIVE
        low, high = ranges[which]
        value = person.draws.between(low, high, "blood pressure", which, int(has_hypertension))
        return value + (1.0 if person.sex == "M" else -1.0)

    def _lifestyle(self, which: int, baseline: float, time: int) -> float:
        """What a changed way of life takes off."""
        person = self._person
        plan = person.entry(LIFESTYLE_CARE_PLAN, EventKind.CAREPLAN)
        if plan is None:
            return 0.0
        since = person.patient.log.rows[plan.event].time
        if time <= since or person.draws.uniform("lifestyle") > _LIFESTYLE_ADHERENCE:
            return 0.0
        goal, most = _LIFESTYLE_GOALS[which]
        return min(abs(baseline - goal), most) * min(1.0, (time - since) / YEAR_MS)

    def _variation(self, which: int, time: int) -> float:
        v = abs(self._person.draws.normal(f"vital:{SIGNS[which]}", time)) * _VARIATION[which]
        half_days = abs(time) // _HALF_DAY_MS  # toward zero; the sign does not matter for being even
        return v if half_days % 2 == 0 else -v
