import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.unit.trials.recruitment.builders import instants, people, table
from trajsim.cli.keep_conditions import statement_of
from trajsim.cli.keep_modules import is_keep_module, read_keep_module, with_keep_modules
from trajsim.cli.recruit_inputs import read_inputs
from trajsim.errors import DataFileError
from trajsim.gmf.parse import parse_module
from trajsim.records import Records
from trajsim.trials.criteria.english import describe_group
from trajsim.trials.criteria.form import Definition, Entry, EventCriterion
from trajsim.trials.criteria.records_source import RecordsSource
from trajsim.trials.recruitment.chart_review import ChartReview

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared"))
EVERYBODY = Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),)))
DAY = 100

Json = dict[str, Any]


def _code(number: int | str, system: str = "SNOMED-CT") -> Json:
    return {"system": system, "code": str(number), "display": f"thing {number}"}


def _active(number: int, kind: str = "Condition") -> Json:
    system = "RxNorm" if kind == "Medication" else "SNOMED-CT"
    return {"condition_type": f"Active {kind}", "codes": [_code(number, system)]}


def _group(kind: str, *conditions: Json, **more: int) -> Json:
    return {"condition_type": kind, "conditions": list(conditions), **more}


def _not(condition: Json) -> Json:
    return {"condition_type": "Not", "condition": condition}


def _age(operator: str, quantity: int, unit: str = "years") -> Json:
    return {"condition_type": "Age", "operator": operator, "quantity": quantity, "unit": unit}


def _module(condition: Json, **states: Json) -> Json:
    options = [{"transition": "Keep", "condition": condition}, {"transition": "Gone"}]
    first = {"type": "Initial", "conditional_transition": options}
    ends = {"Keep": {"type": "Terminal"}, "Gone": {"type": "Terminal"}}
    return {"name": "A keep module", "gmf_version": 2, "states": {"Initial": first, **ends, **states}}


def _write(folder: Path, module: Json, name: str = "keep_these") -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(module))
    return path


@pytest.fixture(name="records", scope="module")
def records_fixture() -> Records:
    """Six people at a visit on day 100.

    1 has condition 7 for good; 2 had it until day 50; 3 gets it on day 150; 4 had procedure 8 on day 20 and takes
    medication 9; 5 took medication 9 until day 99 and has an observation; 6 has nothing. Even ones are women.
    """
    conditions = {
        "patient_id": np.array([1, 2, 3], np.uint64), "row_key": np.array([1, 2, 3], np.uint64),
        "time": instants([10, 10, 150]), "stop": [None, int(instants([50])[0]), None],
        "system": ["SNOMED-CT"] * 3, "code": ["7"] * 3,
    }  # fmt: skip
    procedures = {
        "patient_id": np.array([4], np.uint64), "row_key": np.array([4], np.uint64), "time": instants([20]),
        "stop": instants([20]), "system": ["SNOMED-CT"], "code": ["8"],
    }  # fmt: skip
    medications = {
        "patient_id": np.array([4, 5], np.uint64), "row_key": np.array([5, 6], np.uint64),
        "time": instants([30, 30]), "stop": [None, int(instants([99])[0])], "system": ["RxNorm"] * 2, "code": ["9"] * 2,
    }  # fmt: skip
    observations = {
        "patient_id": np.array([5], np.uint64), "row_key": np.array([7], np.uint64), "time": instants([90]),
        "system": ["LOINC"], "code": ["5"], "numeric_value": [1.0],
    }  # fmt: skip
    tables = {
        "conditions": table("conditions", conditions, 3), "procedures": table("procedures", procedures, 1),
        "medications": table("medications", medications, 2), "observations": table("observations", observations, 1),
    }  # fmt: skip
    return people([[DAY]] * 6, tables=tables)


def _kept(records: Records, path: Path) -> list[int]:
    review = ChartReview(with_keep_modules(EVERYBODY, [path], file="trial.yaml"), RecordsSource(records))
    n = len(records.patient_ids)
    answers = review.evaluate(np.arange(n), np.full(n, instants([DAY])[0]))
    return [int(each) for each in records.patient_ids[(answers == 1).all(axis=1)]]


_HAS_7, _HAS_8, _TAKES_9 = _active(7), _active(8), _active(9, "Medication")
_OBSERVED = {"condition_type": "Observation", "codes": [_code(5, "LOINC")], "operator": "is not nil"}
_WOMAN = {"condition_type": "Gender", "gender": "F"}
_YEAR = {"condition_type": "Date", "operator": "<", "year": 2021}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (_HAS_7, [1]),
        (_not(_HAS_7), [2, 3, 4, 5, 6]),
        (_HAS_8, [4]),
        (_TAKES_9, [4]),
        (_not(_TAKES_9), [1, 2, 3, 5, 6]),
        (_OBSERVED, [5]),
        ({**_OBSERVED, "operator": "is nil"}, [1, 2, 3, 4, 6]),
        (_group("Or", _HAS_7, _HAS_8, _OBSERVED), [1, 4, 5]),
        (_not(_group("Or", _HAS_7, _HAS_8, _OBSERVED)), [2, 3, 6]),
        (_group("And", _HAS_8, _TAKES_9, _WOMAN), [4]),
        (_not(_group("And", _HAS_8, _WOMAN)), [1, 2, 3, 5, 6]),
        (_group("At Least", _HAS_8, _TAKES_9, _WOMAN, minimum=2), [4]),
        (_group("At Most", _HAS_8, _TAKES_9, _WOMAN, maximum=1), [1, 2, 3, 5, 6]),
        (_not(_group("At Least", _HAS_8, _TAKES_9, _WOMAN, minimum=2)), [1, 2, 3, 5, 6]),
        (_group("And", _WOMAN, _group("Or", _HAS_8, _age("<", 18))), [4]),
        (_group("And", _WOMAN, {"condition_type": "True"}), [2, 4, 6]),
        (_group("And", _not(_WOMAN), _age(">=", 60), _age("!=", 59)), [1, 3, 5]),
        (_group("Or", _age(">", 90), {"condition_type": "Race", "race": "Black"}), [1, 5]),
        (_group("And", _YEAR, _HAS_7), [1]),
        (_group("Or", _not(_YEAR), _HAS_8), [4]),
    ],
)
def test_the_kept_are_those_of_whom_the_condition_holds_at_the_visit(
    tmp_path: Path, records: Records, condition: Json, kept: list[int]
) -> None:
    assert _kept(records, _write(tmp_path, _module(condition))) == kept


def test_ways_through_several_states(tmp_path: Path, records: Records) -> None:
    second = {"type": "Simple", "conditional_transition": [
        {"transition": "Gone", "condition": _not(_WOMAN)}, {"transition": "Waits"},
    ]}  # fmt: skip
    waits = {"type": "Guard", "allow": _group("Or", _TAKES_9, _age("<", 10)), "direct_transition": "Keep"}
    module = _module(_HAS_7, Second=second, Waits=waits)
    module["states"]["Initial"]["conditional_transition"][1]["transition"] = "Second"
    assert _kept(records, _write(tmp_path, module)) == [1, 4]


def test_what_must_all_hold_becomes_one_rule_each_in_words(tmp_path: Path) -> None:
    path = _write(tmp_path, _module(_group("And", _group("Or", _HAS_7, _HAS_8), _not(_TAKES_9), _age(">=", 18))))
    found = with_keep_modules(EVERYBODY, [path], file="trial.yaml")
    assert [rule.name for rule in found.rules] == [f"keep_these ({n})" for n in (1, 2, 3)]
    words = [describe_group(rule.group, found) for rule in found.rules]
    assert words[0][1].strip().startswith("at least 1 condition of thing 7 or thing 8")
    assert words[1][0].startswith("no drug exposures of thing 9")
    assert words[2] == ["patient with age at the event at least 18 years"]
    assert [len(each.codes) for each in found.code_sets] == [2, 1]


def test_what_criteria_cannot_say_is_refused_by_name_and_path_all_at_once(tmp_path: Path) -> None:
    condition = _group(
        "And",
        {"condition_type": "Attribute", "attribute": "hospice", "operator": "is not nil"},
        _group("Or", _age(">", 3, "months"), {**_OBSERVED, "operator": ">", "value": 3}),
        {"condition_type": "Symptom", "symptom": "Cough", "operator": ">", "value": 3},
        {"condition_type": "Vital Sign", "vital_sign": "BMI", "operator": ">", "value": 3},
        {"condition_type": "PriorState", "name": "Gone"},
        {"condition_type": "Socioeconomic Status", "category": "High"},
        _active(1, "CarePlan"),
        {"condition_type": "Race", "race": "Martian"},
        {"condition_type": "Date", "operator": "==", "month": 3},
        {"condition_type": "Active Condition", "referenced_by_attribute": "why"},
    )
    waits = {"type": "Delay", "exact": {"quantity": 1, "unit": "days"}, "direct_transition": "Keep"}
    module = _module(condition, Waits=waits)
    module["states"]["Initial"]["conditional_transition"][1]["transition"] = "Waits"
    with pytest.raises(DataFileError) as caught:
        read_keep_module(_write(tmp_path, module))
    lines = caught.value.message.splitlines()
    at = "keep_these.json: $.states['Initial'].conditional_transition[0].condition.conditions"
    starts = [
        f"{at}[0]: the attribute 'hospice'", f"{at}[1].conditions[0]: criteria have ages in years",
        f"{at}[1].conditions[1]: criteria cannot test the latest value", f"{at}[2]: the symptom 'Cough'",
        f"{at}[3]: criteria cannot test the vital sign 'BMI'", f"{at}[4]: criteria do not know",
        f"{at}[5]: the socioeconomic status", f"{at}[6]: criteria cannot test which CarePlan",
        f"{at}[7]: nobody has the race 'Martian'", f"{at}[8]: of dates", f"{at}[9]: the attribute 'why'",
        "keep_these.json: $.states['Waits']: a state of type Delay",
    ]  # fmt: skip
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"Initial": {"type": "Initial", "direct_transition": "Keep"}}, "keeps everybody"),
        ({"Initial": {"type": "Initial", "direct_transition": "Gone"}}, "keeps nobody"),
        ({"Initial": {"type": "Initial", "direct_transition": "Initial"}}, "is reached again from itself"),
        ({"Initial": {"type": "Initial", "direct_transition": "Nowhere"}}, "no state is called 'Nowhere'"),
        ({"Keep": {"type": "Simple", "direct_transition": "Gone"}}, "must be a Terminal"),
        (
            {"Initial": {"type": "Initial", "distributed_transition": [{"transition": "Keep", "distribution": 1.0}]}},
            "distributed_transition: a distributed_transition with chances",
        ),
        ({"Initial": {"type": "Initials"}}, "GMF105"),
    ],
)
def test_modules_that_say_nothing_of_patients(tmp_path: Path, change: Json, sentence: str) -> None:
    module = _module(_HAS_7)
    module["states"] |= change
    with pytest.raises(DataFileError) as caught:
        read_keep_module(_write(tmp_path, module))
    assert sentence in caught.value.message


def test_a_module_without_the_state_keep(tmp_path: Path) -> None:
    module = _module(_HAS_7)
    del module["states"]["Keep"]
    with pytest.raises(DataFileError) as caught:
        read_keep_module(_write(tmp_path, module))
    assert "no state is called 'Keep', so the module keeps nobody" in caught.value.message


def _spec(criteria: object) -> Json:
    return {
        "title": "A trial of the kept",
        "criteria": criteria,
        "recruitment": {"start": "2020-01-01", "planned_end": "2020-12-30", "target": 1},
        "sites": [{"name": "North", "share": 1.0}],
        "endpoint": {"per_year": 0.2},
    }


def _inputs(folder: Path, criteria: object) -> Definition:
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(_spec(criteria)))
    return read_inputs(path).definition


def test_a_spec_names_modules_beside_its_own_rules_or_is_made_of_one(tmp_path: Path, records: Records) -> None:
    _write(tmp_path, _module(_group("Or", _HAS_7, _HAS_8)))
    _write(tmp_path, _module(_TAKES_9), "keep_others")
    adult = {"name": "adult", "patient": {"age": ">= 18"}}
    both = {"rules": [adult], "keep_modules": ["keep_these.json", "keep_others.json"]}
    found = _inputs(tmp_path, both)
    assert [rule.name for rule in found.rules] == ["adult", "keep_these", "keep_others"]
    assert _inputs(tmp_path, {"keep_modules": "keep_these.json"}) == _inputs(tmp_path, "keep_these.json")
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(_spec(both)))
    trial = read_inputs(tmp_path / "trial.yaml").on(records, seed=1)
    assert trial.world.pass_key.tolist()
    assert trial.remarks == (  # of a list that one table holds, the codes that it lacks; of no table that it is empty
        "trial.yaml: $.criteria.keep_modules[0]: no condition of any record holds SNOMED-CT 8 of 'thing 7 or thing 8' "
        "[CRT601 warning]",
        "trial.yaml: $.criteria.keep_modules[0]: no procedure of any record holds SNOMED-CT 7 of 'thing 7 or thing 8' "
        "[CRT601 warning]",
    )  # fmt: skip


def test_a_code_that_is_nowhere_is_a_fault_of_the_place_that_names_the_module(tmp_path: Path, records: Records) -> None:
    _write(tmp_path, _module(_active(77)))
    _inputs(tmp_path, {"keep_modules": ["keep_these.json"]})
    with pytest.raises(DataFileError) as caught:
        read_inputs(tmp_path / "trial.yaml").on(records, seed=1)
    at = "trial.yaml: $.criteria.keep_modules[0]: no"
    assert f"{at} condition of any record holds a code of 'thing 77'" in caught.value.message


def test_faults_of_modules_and_of_criteria_come_together(tmp_path: Path) -> None:
    _write(tmp_path, _module({"condition_type": "Attribute", "attribute": "x", "operator": "is nil"}))
    criteria = {"rulez": [], "keep_modules": ["keep_these.json", "nowhere.json"]}
    with pytest.raises(DataFileError) as caught:
        _inputs(tmp_path, criteria)
    for sentence in ("$.criteria.rulez", "the attribute 'x'", "nowhere.json: cannot be read"):
        assert sentence in caught.value.message
    with pytest.raises(DataFileError) as caught:
        _inputs(tmp_path, {"keep_modules": ["keep_these.json", 3]})
    assert "trial.yaml: $.criteria.keep_modules[1]: expected the name of a file" in caught.value.message
    _write(tmp_path, _module(_age(">=", 18)))
    contradicts = {"rules": [{"name": "child", "patient": {"age": "< 10"}}], "keep_modules": ["keep_these.json"]}
    with pytest.raises(DataFileError) as caught:
        _inputs(tmp_path, contradicts)
    assert "CRT501" in caught.value.message


def _translated(path: Path) -> tuple[Definition, list[str]]:
    try:
        return with_keep_modules(EVERYBODY, [path], file="trial.yaml"), []
    except DataFileError as error:
        return EVERYBODY, error.message.splitlines()


def _keep_modules() -> list[Path]:
    return sorted((SHARED / "synthea/keep_modules").glob("*.json"))


@pytest.mark.skipif(not _keep_modules(), reason="no keep modules of Synthea beside the repository")
def test_keep_modules_of_synthea_are_translated_or_refused_for_their_attributes() -> None:
    translated: list[str] = []
    refused: list[str] = []
    for path in _keep_modules():
        assert is_keep_module(json.loads(path.read_text()))
        found, lines = _translated(path)
        (refused if lines else translated).append(path.stem)
        assert all("the attribute" in line for line in lines)
        assert all(describe_group(rule.group, found) for rule in found.rules)
    assert refused == ["keep_hospice", "keep_medicare_beneficiaries", "must_have_cardiac_surgery"]
    assert len(translated) == 6


@pytest.mark.parametrize("operator", ["is nil", "is not nil"])
def test_an_age_is_never_nil(operator: str) -> None:
    module, _ = parse_module(json.dumps(_module(_age(operator, 1))).encode(), key="x", file=Path("x.json"))
    assert module is not None
    transition: Any = module.states["Initial"].transition
    assert statement_of(transition.options[0].condition, lambda _: "$", []) is (operator == "is not nil")
