"""Habits, vital signs, what states can look at, and whole lives."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.engine.reference_lifecycle.people import SEED, alive, cohort_of, draws, gives, person
from trajsim.engine.events import (
    SOURCE_CERTIFICATE_ENCOUNTER,
    STREAM_CERTIFICATE,
    Catalogue,
    EncounterClass,
    EventKind,
    ValueKind,
)
from trajsim.engine.life import Life
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference import simulate_patient
from trajsim.engine.reference.lifecycle.habits import Habits
from trajsim.engine.reference.lifecycle.momentary import Momentary
from trajsim.gmf.library import load_modules
from trajsim.lifecycle.constants import PHYSIOLOGICAL_BOUNDS
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.streams.keys import stream_id
from trajsim.units import DAY_MS, WEEK_MS, ms_from_iso

STOCK_SIGNS = (
    "Triglycerides", "HDL", "Total Cholesterol", "LDL", "Blood Glucose", "Oxygen Saturation", "EGFR",
    "Microalbumin Creatinine Ratio", "Creatinine", "Glucose", "Urea Nitrogen", "Calcium", "Chloride", "Potassium",
    "Carbon Dioxide", "Sodium", "Heart Rate", "Respiration Rate", "Height", "Weight", "BMI", "Head Circumference",
    "Height Percentile", "Weight Percentile", "Head Circumference Percentile", "Systolic Blood Pressure",
    "Diastolic Blood Pressure",
)  # fmt: skip
FLU = {"system": "SNOMED-CT", "code": "6142004", "display": "Influenza"}


# --- habits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [Profile.DEFAULT, Profile.SYNTHEA])
def test_smoking(profile: Profile) -> None:
    start = ms_from_iso("1976-01-01")
    share = (996.41 - 0.4865 * 1976) / 100.0
    q = 0.01 if profile == Profile.SYNTHEA else 1.0 - (1.0 - 0.074) ** (7.0 / 365.25)
    stops = set()
    for number in range(30):
        who = person("1960-01-01", patient_id=number, profile=profile)
        habits, attributes = Habits(who), who.patient.attributes
        habits.turn(start - 7 * DAY_MS)
        assert "smoker" not in attributes
        smokes = draws(number).uniform("smoker") < share
        k = math.floor(math.log(1.0 - draws(number).uniform("smoking stop")) / math.log(1.0 - q))
        for turn in range(min(k, 400) + 2):
            habits.turn(start + turn * WEEK_MS)
            assert attributes["smoker"] is (smokes and turn < k)
        if smokes and k < 400:
            assert attributes["quit smoking age"] == who.years(start + k * WEEK_MS)
            stops.add(k)
        else:
            assert "quit smoking age" not in attributes
    assert len(stops) > 1


def test_marriage() -> None:
    for number in range(60):
        who = person("1960-01-01", patient_id=number)
        habits, attributes = Habits(who), who.patient.attributes
        habits.turn(ms_from_iso("1988-01-01"))
        status = "M" if draws(number).uniform("marital", 28) < 0.8 else "S"
        assert attributes["marital_status"] == status
        for age, dies, divorces in ((35, 0.02, 0.20), (45, 0.03, 0.05), (55, 0.06, 0.11)):
            habits.turn(ms_from_iso(f"{1960 + age}-01-02"))
            if status == "M":
                u = draws(number).uniform("marital", age)
                status = "W" if u < dies else "D" if u < divorces else "M"
            assert attributes["marital_status"] == status


@pytest.mark.parametrize("at_birth", [None, True])
def test_work_is_looked_at_every_26_turns(at_birth: bool | None) -> None:  # noqa: FBT001
    who = person("1951-06-01", unemployment=0.5, patient_id=3)
    habits, attributes = Habits(who), who.patient.attributes
    if at_birth is not None:
        attributes["unemployed"] = at_birth
    habits.turn(-1)  # 18 years old, but nothing happens before 1970
    is_lost, expected = False, at_birth
    for turn in range(300):
        habits.turn(turn * WEEK_MS)
        if turn % 26 == 0:
            if is_lost:
                is_lost = expected = False
            elif draws(3).uniform("employment", turn // 26) < 0.5:
                is_lost = expected = True
        assert attributes.get("unemployed") is expected


# --- vital signs ------------------------------------------------------------------------------------------------------


def test_signs_before_the_first_turn_and_after() -> None:
    lifecycle = alive(gender="M")
    birth = lifecycle.signs.turn
    assert lifecycle.vital_sign("Sodium", 12) == draws().between(136.0, 144.0, "vital:Sodium", birth)
    later = birth + 30 * 365 * DAY_MS
    lifecycle.turn(later)
    assert lifecycle.vital_sign("Sodium", 12) == draws().between(136.0, 144.0, "vital:Sodium", later)
    assert lifecycle.vital_sign("Left ventricular Ejection fraction", 12) is None


def test_laboratory_follows_the_notes() -> None:
    lifecycle = alive(gender="F", diabetes=True, diabetes_severity=2.0, ckd=3.0, chf=False)
    patient = lifecycle._patient
    time = ms_from_iso("2000-01-01")
    effects = {"860975": -1.5, "865098": -6.0}
    for code in effects:
        gives(patient, code, EventKind.MEDICATION, time)
    lifecycle.turn(time)
    lifecycle.body.height, mine = 160.0, draws()
    lifecycle.body.set_weight(90.0)

    def sign(name: str) -> float:
        value = lifecycle.vital_sign(name, time)
        assert value is not None
        return value

    triglycerides = mine.between(199.0, 499.0, "vital:Triglycerides", time)
    hdl = mine.between(40.0, 20.0, "vital:HDL", time)
    total = mine.between(239.0, 259.0, "vital:Total Cholesterol", time)
    filtration = mine.between(15.0, 29.0, "vital:EGFR", time)
    assert sign("Triglycerides") == triglycerides
    assert sign("HDL") == hdl
    assert sign("LDL") == total - hdl - 0.2 * triglycerides
    assert sign("Blood Glucose") == lifecycle.body.bmi / 4.0 + (-1.5 + -6.0)
    assert sign("Oxygen Saturation") == math.trunc(mine.between(75.0, 89.0, "vital:Oxygen Saturation", time))
    assert sign("Creatinine") == (140 - 40) * 90.0 / (72.0 * filtration) * 0.85
    assert sign("Glucose") == mine.between(125.0, 200.0, "vital:Glucose", time)


def test_ckd_5_is_healthy_for_synthea_alone() -> None:
    time = ms_from_iso("2000-01-01")
    for profile, low, high in ((Profile.SYNTHEA, 77.0, 160.0), (Profile.DEFAULT, 1.0, 15.0)):
        lifecycle = alive(gender="M", ckd=5.0, profile=profile)
        lifecycle.turn(time)
        value = draws().between(low, high, "vital:EGFR", time)
        assert lifecycle.vital_sign("EGFR", time) == (max(value, 2.0) if profile == Profile.DEFAULT else value)


def test_pulse_moves_through_the_week_and_counts_reads() -> None:
    lifecycle = alive()
    patient = lifecycle._patient
    patient.stream = 2
    module = patient.catalogue.stream_ids[2]
    turn = lifecycle.signs.turn
    time = turn + WEEK_MS // 4
    start, stop = (draws().between(60.0, 100.0, "vital:Heart Rate", turn, k) for k in (1, 2))
    mean = start + (stop - start) * 0.25
    for k in range(3):
        tries = (mean + draws().normal("vital:Heart Rate", time, module, 64 * k + r) for r in range(64))
        assert lifecycle.vital_sign("Heart Rate", time) == next(value for value in tries if 60.0 <= value <= 100.0)
    assert patient.reads == 3


def test_signs_of_modules_last_until_the_turn() -> None:
    lifecycle = alive()
    patient = lifecycle._patient
    patient.signs |= {"Sodium": 1.0, "Left ventricular Ejection fraction": 60.0}
    assert patient.vital_sign("Sodium", 0) == 1.0
    lifecycle.turn(patient.birth)
    assert patient.signs == {"Left ventricular Ejection fraction": 60.0}
    assert patient.vital_sign("Left ventricular Ejection fraction", 0) == 60.0


def test_default_profile_gives_nothing_that_nobody_shows() -> None:
    for number in range(10):
        lifecycle = alive(gender="F", diabetes=True, diabetes_severity=4.0, ckd=4.0, profile=Profile.DEFAULT,
                          patient_id=number)  # fmt: skip
        for code in ("860975", "865098", "106892"):
            gives(lifecycle._patient, code, EventKind.MEDICATION, 0)
        lifecycle.turn(ms_from_iso("2010-01-01"))
        for name, (low, high) in PHYSIOLOGICAL_BOUNDS.items():
            value = lifecycle.vital_sign(name, ms_from_iso("2010-01-03"))
            assert value is not None
            assert low <= value <= high


# --- what states can look at ------------------------------------------------------------------------------------------


def test_attributes_on_sight() -> None:
    lifecycle = alive(gender="M", race="black", hypertension=True)
    patient = lifecycle._patient
    time = ms_from_iso("2020-06-01")
    lifecycle.turn(time)
    momentary: Momentary = lifecycle._momentary
    momentary.write(frozenset({"AGE", "AGE_MONTHS", "mi_risk", "ihd_risk", "days_until_death", "smoker"}))
    attributes = patient.attributes
    assert (attributes["AGE"], attributes["AGE_MONTHS"]) == (60, 725)
    assert "days_until_death" not in attributes
    assert "cardio_risk" not in attributes
    assert attributes["ihd_risk"] == 5.0 * attributes["mi_risk"]  # type: ignore[operator]
    assert 0.0 < attributes["mi_risk"] < 0.05  # type: ignore[operator]
    assert "probability_of_fall_injury" not in attributes
    patient.death, patient.is_killed = time + 3 * DAY_MS - 1, True
    momentary.write(momentary.names)
    assert attributes["days_until_death"] == 2
    assert attributes["disabled"] is False


def test_no_risk_when_young_or_old() -> None:
    lifecycle = alive(gender="M")
    momentary: Momentary = lifecycle._momentary
    lifecycle.turn(ms_from_iso("1975-01-01"))
    momentary.write(momentary.names)
    attributes = lifecycle._patient.attributes
    assert [attributes[name] for name in ("ascvd_risk", "cardio_risk", "mi_risk", "ihd_risk")] == [-1, -1, -1, -5]
    assert [attributes[name] for name in ("atrial_fibrillation_risk", "stroke_risk")] == [-1, -1]
    lifecycle.turn(ms_from_iso("2040-01-01"))
    momentary.write(momentary.names)
    assert attributes["mi_risk"] == -1
    assert attributes["probability_of_fall_injury"] == 0.035


# --- whole lives ------------------------------------------------------------------------------------------------------


def _live(folder: Path, states: dict[str, Any], *, end: str = "1995-01-01", profile: Profile = Profile.SYNTHEA) -> Life:
    states = {"Initial": {"type": "Initial", "direct_transition": next(iter(states))}, **states}
    (folder / "m.json").write_text(json.dumps({"name": "m", "states": states}), encoding="utf-8")
    modules = load_modules(folder)
    cohort = cohort_of("1990-01-01", {"gender": "F"})
    catalogue = Catalogue(modules, extra_strings=cohort.texts())
    options = SimulationOptions(seed=SEED, end_ms=ms_from_iso(end), lifecycle=profile)
    return simulate_patient(modules, catalogue, cohort, 0, options, history=True)


def _observed(life: Life) -> list[float]:
    return [float(row["value"]) for row in life.events if row["kind"] == EventKind.OBSERVATION]


def test_module_after_the_core_sees_the_turn_of_the_step(tmp_path: Path) -> None:
    copy = {"type": "SetAttribute", "attribute": "noted", "value_attribute": "AGE_MONTHS", "direct_transition": "O"}
    states = {
        "D": {"type": "Delay", "exact": {"quantity": 60, "unit": "days"}, "direct_transition": "S"},
        "S": copy,
        "O": {"type": "Observation", "category": "exam", "codes": [FLU], "unit": "x", "attribute": "noted",
              "direct_transition": "T"},
        "T": {"type": "Terminal"},
    }  # fmt: skip
    life = _live(tmp_path, states)
    # the Delay ends on 2 March; the step that finds out is 5 March, whose turn has two months
    assert _observed(life) == [2.0]
    assert life.attributes["noted"] == 2
    assert "AGE_MONTHS" not in life.attributes


def test_signs_are_read_by_states(tmp_path: Path) -> None:
    signs = {
        f"O{k}": {"type": "Observation", "category": "exam", "codes": [FLU], "unit": "x", "vital_sign": sign,
                  "direct_transition": f"O{k + 1}"}
        for k, sign in enumerate(STOCK_SIGNS)
    }  # fmt: skip
    life = _live(tmp_path, {**signs, f"O{len(STOCK_SIGNS)}": {"type": "Terminal"}})
    values = dict(zip(STOCK_SIGNS, _observed(life), strict=True))
    rows = life.events[life.events["kind"] == EventKind.OBSERVATION]
    assert set(rows["tag"]) == {int(ValueKind.NUMBER)}
    birth = ms_from_iso("1990-01-01")
    assert values["Sodium"] == math.floor(draws().between(136.0, 144.0, "vital:Sodium", birth) * 100 + 0.5) / 100
    module = stream_id("m")
    assert values["Heart Rate"] == math.floor(
        draws().between(60.0, 100.0, "vital:Heart Rate", birth, 1)
        + draws().normal("vital:Heart Rate", birth, module, 0)
        + 0.5
    )
    assert 40.0 < values["Height"] < 60.0


def test_guard_sees_the_age_rise(tmp_path: Path) -> None:
    condition = {"condition_type": "Attribute", "attribute": "AGE", "operator": ">=", "value": 3}
    states = {
        "G": {"type": "Guard", "allow": condition, "direct_transition": "T"},
        "T": {"type": "Terminal"},
    }
    life = _live(tmp_path, states)
    left = life.history["m"][1].exited_ms
    assert left is not None
    assert ms_from_iso("1993-01-01") <= left < ms_from_iso("1993-01-08")


def test_certificate(tmp_path: Path) -> None:
    states = {
        "C": {"type": "ConditionOnset", "codes": [FLU], "direct_transition": "D"},
        "D": {"type": "Death", "exact": {"quantity": 100, "unit": "days"}, "condition_onset": "C",
              "direct_transition": "T"},
        "T": {"type": "Terminal"},
    }  # fmt: skip
    life = _live(tmp_path, states)
    death = ms_from_iso("1990-01-01") + 100 * DAY_MS
    rows = life.events[-4:]
    start = len(life.events) - 4
    cause = int(life.events[life.events["kind"] == EventKind.DEATH]["ref"][0])
    assert cause >= 0
    assert rows["kind"].tolist() == [
        EventKind.ENCOUNTER, EventKind.OBSERVATION, EventKind.REPORT, EventKind.ENCOUNTER_END,
    ]  # fmt: skip
    assert set(rows["time"]) == {death}
    assert set(rows["module"]) == {STREAM_CERTIFICATE}
    assert rows["ref"].tolist() == [cause, start + 2, -1, start]
    assert rows["encounter"].tolist()[:3] == [start, start, start]
    assert rows["tag"].tolist() == [EncounterClass.WELLNESS, ValueKind.CODE, 0, 0]
    assert rows["value"].tolist()[2] == 1.0
    assert rows["state"][0] == SOURCE_CERTIFICATE_ENCOUNTER


def test_no_certificate_without_a_cause_or_after_the_end(tmp_path: Path) -> None:
    for quantity, codes in ((100, []), (100_000, [FLU])):
        death = {"type": "Death", "exact": {"quantity": quantity, "unit": "days"}, "direct_transition": "T"}
        life = _live(tmp_path, {"D": {**death, "codes": codes} if codes else death, "T": {"type": "Terminal"}})
        assert STREAM_CERTIFICATE not in set(life.events["module"])


def test_profile_none_has_no_lifecycle(tmp_path: Path) -> None:
    life = _live(tmp_path, {"T": {"type": "Terminal"}}, profile=Profile.NONE)
    assert set(np.unique(life.events["module"])) == {0}
