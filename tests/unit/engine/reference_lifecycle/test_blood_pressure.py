"""Blood pressure, part by part."""

import pytest

from tests.unit.engine.reference_lifecycle.people import draws, gives, person
from trajsim.engine.events import EventKind
from trajsim.engine.reference.lifecycle.blood_pressure import DIASTOLIC, SYSTOLIC, BloodPressure
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.lifecycle.tables import blood_pressure_drugs
from trajsim.units import DAY_MS, HOUR_MS

NOON = 100 * DAY_MS + 12 * HOUR_MS
MIDNIGHT = 100 * DAY_MS


def _variation(name: str, time: int, scale: float) -> float:
    return abs(draws().normal(f"vital:{name} Blood Pressure", time)) * scale


def test_baseline_and_hour() -> None:
    man = person(gender="M")
    baseline = draws().between(100.0, 139.0, "blood pressure", 0, 0) + 1.0
    pressure = BloodPressure(man)
    assert pressure.at(SYSTOLIC, MIDNIGHT) == baseline + _variation("Systolic", MIDNIGHT, 8.0)
    assert pressure.at(SYSTOLIC, NOON) == baseline - _variation("Systolic", NOON, 8.0)
    woman = person(gender="F")
    baseline = draws().between(70.0, 89.0, "blood pressure", 1, 0) - 1.0
    assert BloodPressure(woman).at(DIASTOLIC, NOON) == baseline - _variation("Diastolic", NOON, 5.0)


def test_before_1970_the_hour_counts_toward_zero() -> None:
    pressure = BloodPressure(person(gender="M"))
    baseline = draws().between(100.0, 139.0, "blood pressure", 0, 0) + 1.0
    for time, sign in ((-1, 1), (-12 * HOUR_MS + 1, 1), (-12 * HOUR_MS, -1), (-24 * HOUR_MS, 1)):
        assert pressure.at(SYSTOLIC, time) == baseline + sign * _variation("Systolic", time, 8.0)


@pytest.mark.parametrize("is_severe", [True, False])
def test_severity_is_noted_once(is_severe: bool) -> None:  # noqa: FBT001
    man = person(gender="M", hypertension=True, hypertension_severe=is_severe)
    pressure = BloodPressure(man)
    pressure.note_hypertension()
    man.patient.attributes["hypertension_severe"] = not is_severe
    low, high = (160.0, 200.0) if is_severe else (140.0, 160.0)
    baseline = draws().between(low, high, "blood pressure", 0, 1) + 1.0
    assert pressure.at(SYSTOLIC, MIDNIGHT) == baseline + _variation("Systolic", MIDNIGHT, 8.0)
    man.patient.attributes["hypertension"] = False
    healthy = draws().between(100.0, 139.0, "blood pressure", 0, 0) + 1.0
    assert pressure.at(SYSTOLIC, MIDNIGHT) == healthy + _variation("Systolic", MIDNIGHT, 8.0)


def test_drugs_are_added_in_table_order() -> None:
    man = person(gender="M")
    drugs = blood_pressure_drugs()
    for row in (3, 1):
        gives(man.patient, drugs[row].rxnorm, EventKind.MEDICATION, man.birth)
    gives(man.patient, drugs[0].rxnorm, EventKind.PROCEDURE, man.birth)  # not a medication
    value = draws().between(70.0, 89.0, "blood pressure", 1, 0) + 1.0
    for row in (1, 3):
        value += draws().between(*drugs[row].diastolic, "blood pressure drug", row, 1)
    assert BloodPressure(man).at(DIASTOLIC, MIDNIGHT) == value + _variation("Diastolic", MIDNIGHT, 5.0)


def _adherent() -> int:
    return next(number for number in range(100) if draws(number).uniform("lifestyle") <= 0.15)


def test_lifestyle_grows_over_a_year() -> None:
    number = _adherent()
    man = person(gender="M", patient_id=number, hypertension=True)
    start = man.birth + 1_000 * DAY_MS
    gives(man.patient, "443402002", EventKind.CAREPLAN, start)
    mine = draws(number)
    baseline = mine.between(140.0, 160.0, "blood pressure", 0, 1) + 1.0
    pressure = BloodPressure(man)
    for days, share in ((0, 0.0), (73, 0.2), (365, 1.0), (730, 1.0)):
        time = start + days * DAY_MS
        value = baseline - min(abs(baseline - 124.0), 14.0) * share
        assert pressure.at(SYSTOLIC, time) == value + abs(mine.normal("vital:Systolic Blood Pressure", time)) * 8.0


def test_lifestyle_needs_adherence() -> None:
    number = next(number for number in range(100) if draws(number).uniform("lifestyle") > 0.15)
    man = person(gender="M", patient_id=number)
    before = BloodPressure(man).at(SYSTOLIC, 0)
    gives(man.patient, "443402002", EventKind.CAREPLAN, man.birth)
    assert BloodPressure(man).at(SYSTOLIC, 0) == before


def test_default_profile_stays_alive() -> None:
    for number in range(20):
        man = person(gender="M", patient_id=number, profile=Profile.DEFAULT)
        for drug in blood_pressure_drugs():
            gives(man.patient, drug.rxnorm, EventKind.MEDICATION, man.birth)
        pressure = BloodPressure(man)
        systolic, diastolic = pressure.at(SYSTOLIC, NOON), pressure.at(DIASTOLIC, NOON)
        assert systolic == 75.0
        assert diastolic <= systolic - 15.0
    wild = person(gender="M")
    for drug in blood_pressure_drugs():
        gives(wild.patient, drug.rxnorm, EventKind.MEDICATION, wild.birth)
    assert BloodPressure(wild).at(SYSTOLIC, NOON) < 0.0  # Synthea has no floor
