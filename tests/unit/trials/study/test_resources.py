import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fhir_export.ids import resource_id
from fhir_export.validate.gate import Gate, GateOptions
from tests.unit.trials.recruitment.builders import people, world
from trajsim.errors import ConfigError, ExportError
from trajsim.trials.recruitment import World, candidates, simulate_recruitment
from trajsim.trials.study import Criterion, Study, study_of, study_resources, write_study

SEED = 4
CRITERIA = [
    Criterion(name="adult", text="18 years or older"),
    Criterion(name="kidney", text="eGFR < 30 & dialysis", is_exclusion=True),
    Criterion(name="waived", text="never asked"),
]


@pytest.fixture(name="trial", scope="module")
def trial_fixture() -> World:
    visits = np.sort(np.random.default_rng(2).integers(0, 364, (300, 3)), axis=1)
    return world(
        people(visits),
        title="Does <less> help?",
        waived=[],
        recruitment={"target": 60},
        follow_up={"days": 200, "dropout_per_year": 0.3},
        endpoint={"per_year": 1.0},
    )


@pytest.fixture(name="study", scope="module")
def study_fixture(trial: World) -> Study:
    end = trial.spec.start + dt.timedelta(days=600)
    return study_of(trial.spec, CRITERIA, spec_digest="ab" * 32, seed=SEED, replicate=0, end=end)


@pytest.fixture(name="table", scope="module")
def table_fixture(trial: World) -> pa.Table:
    return candidates(trial, seed=SEED, replicate=0)


def _reference(patient: int) -> str:
    return f"Patient/{resource_id(SEED, patient)}"


def test_every_randomized_person_is_a_subject(trial: World, study: Study, table: pa.Table) -> None:
    result = simulate_recruitment(trial, replicates=1, seed=SEED).randomized
    subjects: list[dict[str, Any]] = study_resources(study, table, patient_reference=_reference)["ResearchSubject"]
    assert len(subjects) == len(result.day) == 60
    assert len({each["id"] for each in subjects}) == 60
    starts = sorted(each["period"]["start"] for each in subjects)
    assert starts == sorted((trial.spec.start + dt.timedelta(days=int(day))).isoformat() for day in result.day)
    arms = [trial.spec.arms[place].name for place in result.arm]
    assert sorted(each["assignedArm"] for each in subjects) == sorted(arms)
    assert {each["status"] for each in subjects} == {"off-study", "withdrawn"}
    assert sum(each["status"] == "withdrawn" for each in subjects) == int((result.status == 1).sum())


def test_the_study_names_its_sites_arms_and_criteria(study: Study, table: pa.Table) -> None:
    found = study_resources(study, table, patient_reference=_reference)
    trial, group = found["ResearchStudy"][0], found["Group"][0]
    assert trial["title"] == "Does <less> help?"
    assert "Simulated, no real person takes part" in str(trial["description"])
    assert trial["site"] == [{"reference": f"Location/{each['id']}"} for each in found["Location"]]
    assert trial["enrollment"] == [{"reference": f"Group/{group['id']}"}]
    assert group["characteristic"] == [
        {"code": {"text": each.name}, "valueCodeableConcept": {"text": each.text}, "exclude": each.is_exclusion}
        for each in CRITERIA
    ]
    assert "not eGFR &lt; 30 &amp; dialysis" in str(group["text"])


def test_the_gate_has_nothing_to_say(study: Study, table: pa.Table, tmp_path: Path) -> None:
    files = write_study(tmp_path, study, table, patient_reference=_reference)
    assert [path.name for path in files] == [
        "ResearchStudy.ndjson", "Group.ndjson", "Location.ndjson", "ResearchSubject.ndjson",
    ]  # fmt: skip
    subjects = [json.loads(line) for line in (tmp_path / "ResearchSubject.ndjson").read_text().splitlines()]
    ids = sorted({each["individual"]["reference"].removeprefix("Patient/") for each in subjects})
    patients = [json.dumps({"resourceType": "Patient", "id": each, "gender": "female"}) for each in ids]
    (tmp_path / "Patient.ndjson").write_text("\n".join(patients) + "\n")
    gate = Gate(GateOptions(us_core="none", packages=None))
    report = gate.run([tmp_path])
    assert gate.is_clean, report
    with pytest.raises(ExportError, match="already"):
        write_study(tmp_path, study, table, patient_reference=_reference)


def test_the_same_replicate_gives_the_same_bytes(study: Study, table: pa.Table, tmp_path: Path) -> None:
    one, two = (write_study(tmp_path / name, study, table, patient_reference=_reference) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_what_does_not_fit_together_is_refused(study: Study, table: pa.Table, trial: World) -> None:
    with pytest.raises(ExportError, match="lacks arm"):
        study_resources(study, table.drop_columns(["arm"]), patient_reference=_reference)
    other = Study(**{**vars(study), "sites": ("Elsewhere",)})
    with pytest.raises(ExportError, match="no site or arm 'Site 0'"):
        study_resources(other, table, patient_reference=_reference)
    with pytest.raises(ConfigError, match="the site 'A' stands twice\nthe study ends on"):
        Study(**{**vars(study), "sites": ("A", "A"), "end": trial.spec.start - dt.timedelta(days=1)})


def test_a_study_without_criteria_is_open_to_everybody(study: Study, table: pa.Table) -> None:
    open_to_all = Study(**{**vars(study), "criteria": ()})
    group = study_resources(open_to_all, table.slice(0, 0), patient_reference=_reference)["Group"][0]
    assert "characteristic" not in group
    assert "Everybody may take part" in str(group["text"])
