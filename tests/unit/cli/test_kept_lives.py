"""What a keep module keeps in the engine, and what its translation says of the same lives at the same visits."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajsim.cli.app import main
from trajsim.cli.keep_modules import with_keep_modules
from trajsim.records import Records
from trajsim.records.parquet import read_parquet_shards
from trajsim.records.table import concat
from trajsim.trials.criteria.form import Definition, Entry, EventCriterion
from trajsim.trials.criteria.records_source import RecordsSource
from trajsim.trials.recruitment.chart_review import ChartReview

Json = dict[str, Any]
N = 160
EVERYBODY = Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),)))


def _code(code: str, system: str = "SNOMED-CT") -> Json:
    return {"system": system, "code": code, "display": code}


A, B, C, D = _code("1001"), _code("1002"), _code("1003", "RxNorm"), _code("1004-4", "LOINC")
HAS_A = {"condition_type": "Active Condition", "codes": [A]}
HAD_B = {"condition_type": "Active Condition", "codes": [B]}
TAKES_C = {"condition_type": "Active Medication", "codes": [C]}
SEEN_D = {"condition_type": "Observation", "codes": [D], "operator": "is not nil"}
WOMAN = {"condition_type": "Gender", "gender": "F"}
OLD = {
    "condition_type": "Age",
    "operator": ">=",
    "quantity": 50,
    "unit": "years",
}  # far from 40: criteria have ages in calendar years


def _group(kind: str, *conditions: Json, **more: int) -> Json:
    return {"condition_type": kind, "conditions": list(conditions), **more}


def _not(condition: Json) -> Json:
    return {"condition_type": "Not", "condition": condition}


KEEPS = {
    "plain": HAS_A,
    "procedure": _group("Or", HAD_B, _group("And", WOMAN, TAKES_C)),
    "without": _group("And", _not(HAS_A), _not(_group("And", HAD_B, SEEN_D)), _not(TAKES_C)),
    "counted": _group("At Least", HAS_A, HAD_B, TAKES_C, SEEN_D, WOMAN, minimum=2),
    "few": _group("At Most", HAS_A, HAD_B, TAKES_C, SEEN_D, OLD, maximum=1),
    "never": _group("And", {**SEEN_D, "operator": "is nil"}, _group("Or", HAS_A, _not(OLD))),
}


def _delay(low: int, high: int, then: str) -> Json:
    return {"type": "Delay", "range": {"low": low, "high": high, "unit": "years"}, "direct_transition": then}


def _visit(then: str) -> Json:
    return {"type": "Encounter", "encounter_class": "ambulatory", "codes": [_code("2000")], "direct_transition": then}


def _chance(first: str, second: str) -> Json:
    return {"type": "Simple", "distributed_transition": [
        {"transition": first, "distribution": 0.6}, {"transition": second, "distribution": 0.4},
    ]}  # fmt: skip


def _history() -> Json:
    """A condition that may end, a procedure, a drug that may be stopped, an observation: each with some chance."""
    states: Json = {"Initial": {"type": "Initial", "direct_transition": "A?"}, "End": {"type": "Terminal"}}
    begins: dict[str, Json] = {
        "A": {"type": "ConditionOnset", "codes": [A], "target_encounter": "A visit"},
        "B": {"type": "Procedure", "codes": [B]},
        "C": {"type": "MedicationOrder", "codes": [C]},
        "D": {"type": "Observation", "codes": [D], "category": "laboratory", "unit": "1", "exact": {"quantity": 1}},
    }
    ends: dict[str, Json] = {
        "A": {"type": "ConditionEnd", "condition_onset": "A"},
        "C": {"type": "MedicationEnd", "medication_order": "C"},
    }
    order = [*begins, "End"]
    for name, following in pairwise(order):
        onward = f"{following}?" if following != "End" else "End"
        states[f"{name}?"] = _chance(f"{name} wait", onward)
        states[f"{name} wait"] = _delay(3, 25, f"{name} visit")
        states[f"{name} visit"] = _visit(name)
        states[name] = {**begins[name], "direct_transition": f"{name} left"}
        after = f"{name} ends?" if name in ends else onward
        states[f"{name} left"] = {"type": "EncounterEnd", "direct_transition": after}
        if name in ends:
            states[f"{name} ends?"] = _chance(f"{name} end wait", onward)
            states[f"{name} end wait"] = _delay(1, 15, f"{name} end")
            states[f"{name} end"] = {**ends[name], "direct_transition": onward}
    return {"name": "History", "gmf_version": 2, "states": states}


def _keep_module(condition: Json, *, kept: Json, before: Json) -> Json:
    options = [{"transition": "Keep", "condition": condition}, {"transition": "Gone"}]
    asked = {"type": "Simple" if before else "Initial", "conditional_transition": options}
    states = {**before, ("Asked" if before else "Initial"): asked, "Gone": {"type": "Terminal"}, **kept}
    return {"name": "Keeps", "gmf_version": 2, "states": states}


def _asked_at_forty(condition: Json, number: int) -> Json:
    """The keep module as one that runs in every life: at a visit at 40 it writes down whether it would keep."""
    before = {
        "Initial": {"type": "Initial", "direct_transition": "Wait"},
        "Wait": {"type": "Delay", "exact": {"quantity": 40, "unit": "years"}, "direct_transition": "Visit"},
        "Visit": {**_visit("Asked"), "codes": [_code(f"30{number}")]},
    }
    kept = {"Keep": {
        "type": "ConditionOnset", "codes": [_code(f"40{number}")], "target_encounter": "Visit",
        "direct_transition": "Gone",
    }}  # fmt: skip
    return _keep_module(condition, kept=kept, before=before)


@pytest.fixture(name="lives", scope="module")
def lives_fixture(tmp_path_factory: pytest.TempPathFactory) -> Records:
    folder = tmp_path_factory.mktemp("lives")
    (folder / "modules").mkdir()
    modules = {"history": _history()}
    modules |= {f"asked_{name}": _asked_at_forty(keep, number) for number, (name, keep) in enumerate(KEEPS.items())}
    for name, module in modules.items():
        (folder / "modules" / f"{name}.json").write_text(json.dumps(module))
    command = ["generate", "--modules-dir", str(folder / "modules"), "-n", str(N), "--seed", "3", "--threads", "1"]
    assert main([*command, "--format", "parquet", "--out", str(folder / "out"), "--quiet"]) == 0
    return concat(list(read_parquet_shards(folder / "out" / "parquet")))


@pytest.mark.parametrize(("number", "name"), list(enumerate(KEEPS)))
def test_the_translation_keeps_whom_the_engine_keeps(lives: Records, tmp_path: Path, number: int, name: str) -> None:
    path = tmp_path / f"keep_{name}.json"
    path.write_text(json.dumps(_keep_module(KEEPS[name], kept={"Keep": {"type": "Terminal"}}, before={})))
    review = ChartReview(with_keep_modules(EVERYBODY, [path], file="trial.yaml"), RecordsSource(lives))
    visits = lives["encounters"].to_pandas()
    visits = visits[visits["code"] == f"30{number}"]
    rows = np.searchsorted(lives.patient_ids, visits["patient_id"].to_numpy())
    assert (lives.patient_ids[rows] == visits["patient_id"]).all()
    times = visits["time"].astype("int64").to_numpy()
    order = np.argsort(rows, kind="stable")
    said = (review.evaluate(rows[order], times[order]) == 1).all(axis=1)
    conditions = lives["conditions"].to_pandas()
    kept = set(conditions.loc[conditions["code"] == f"40{number}", "patient_id"])
    want = np.isin(lives.patient_ids[rows[order]], list(kept))
    assert len(want) > N / 3
    assert 0.04 < want.mean() < 0.96
    assert said.tolist() == want.tolist()
