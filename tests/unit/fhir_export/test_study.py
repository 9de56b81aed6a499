import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_export import FhirExporter
from fhir_export.study import Criterion, Study, SubjectStatus, study_resources, write_study
from fhir_export.study.resources import COLUMNS
from fhir_export.validate import Gate, GateOptions
from tests.unit.trials.recruitment.builders import people
from trajsim.errors import ConfigError, ExportError
from trajsim.records import Records

SEED = 4
CRITERIA = (
    Criterion(name="adult", text="18 years or older"),
    Criterion(name="kidney", text="eGFR < 30 & dialysis", is_exclusion=True),
)
STUDY = Study(
    key="ab/4/0",
    title="Does <less> help?",
    description="Simulated, no real person takes part.",
    start=dt.date(2020, 1, 1),
    end=dt.date(2021, 12, 31),
    sites=("North", "South & East"),
    arms=(("control", "nothing"), ("less", "less of it")),
    criteria=CRITERIA,
    endings={
        "declined": None,
        "randomized": SubjectStatus.OFF_STUDY,
        "screening: adult": SubjectStatus.INELIGIBLE,
        "too late": SubjectStatus.NOT_REGISTERED,
        "withdrew": SubjectStatus.WITHDRAWN,
    },
)
_NEVER = (None, None, None, None, None)
_ROWS = [
    (1, 0, "North", "declined", "2020-02-01", *_NEVER),
    (2, 0, "North", "randomized", "2020-02-02", "2020-02-12", "2020-02-20", "control", "event", "2020-09-01"),
    (2, 1, "North", "screening: adult", "2020-02-03", "2020-02-13", *_NEVER[1:]),
    (3, 0, "South & East", "randomized", "2020-02-04", "2020-02-14", "2020-02-14", "less", "dropped out", "2020-03-01"),
    (4, 0, "North", "too late", "2020-02-05", *_NEVER),
    (5, 0, "North", "withdrew", "2020-02-06", "2020-02-16", *_NEVER[1:]),
]


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    arrays: dict[str, pa.Array] = {}
    for name, values in columns.items():
        if name.endswith("_date"):
            arrays[name] = pa.array([value and dt.date.fromisoformat(value) for value in values], pa.date32())
        elif name in ("patient_id", "copy"):
            arrays[name] = pa.array(values, pa.uint64() if name == "patient_id" else pa.int32())
        else:
            arrays[name] = pa.array(values, pa.string()).dictionary_encode()
    return pa.table(arrays)


TABLE = _table(_ROWS)


@pytest.fixture(name="records", scope="module")
def records_fixture() -> Records:
    return people([[10 * n] for n in range(6)])


def _made(study: Study = STUDY, table: pa.Table = TABLE) -> dict[str, list[dict[str, Any]]]:
    return study_resources(study, table, patient_reference=lambda patient: f"Patient/{patient}")


def _states(subject: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    found = []
    for extension in subject["extension"]:
        parts = {part["url"]: part for part in extension["extension"]}
        days = [parts[name]["valueDateTime"] if name in parts else None for name in ("startDate", "endDate")]
        found.append((parts["subjectState"]["valueCodeableConcept"]["coding"][0]["code"], *days))
    return found


def test_everybody_who_agreed_is_a_subject_with_the_states_they_went_through() -> None:
    subjects = {each["identifier"][0]["value"]: each for each in _made()["ResearchSubject"]}
    assert {name: each["status"] for name, each in subjects.items()} == {
        "2-0": "off-study", "2-1": "ineligible", "3-0": "off-study", "4-0": "not-registered", "5-0": "withdrawn",
    }  # fmt: skip
    assert _states(subjects["2-0"]) == [
        ("candidate", "2020-02-02", "2020-02-12"),
        ("eligible", "2020-02-12", "2020-02-20"),
        ("on-study", "2020-02-20", "2020-09-01"),
        ("off-study", "2020-09-01", None),
    ]
    assert subjects["2-0"]["period"] == {"start": "2020-02-02", "end": "2020-09-01"}
    assert subjects["3-0"]["assignedArm"] == subjects["3-0"]["actualArm"] == "less"
    assert _states(subjects["2-1"]) == [
        ("candidate", "2020-02-03", "2020-02-13"),
        ("ineligible", "2020-02-13", None),
    ]
    assert "assignedArm" not in subjects["2-1"]
    assert _states(subjects["4-0"]) == [("candidate", "2020-02-05", None), ("not-registered", None, None)]
    assert _states(subjects["5-0"])[1:] == [("eligible", "2020-02-16", None), ("withdrawn", None, None)]
    assert subjects["5-0"]["period"] == {"start": "2020-02-06"}
    reasons = [each["extension"][-1]["extension"][1]["valueCodeableConcept"]["text"] for each in subjects.values()]
    assert reasons == ["event", "screening: adult", "dropped out", "too late", "withdrew"]


def test_who_agreed_has_a_consent_and_who_was_screened_a_visit_at_their_site() -> None:
    found = _made()
    study = f"ResearchStudy/{found['ResearchStudy'][0]['id']}"
    assert [each["dateTime"] for each in found["Consent"]] == [row[4] for row in _ROWS[1:]]
    assert [each["consent"]["reference"] for each in found["ResearchSubject"]] == [
        f"Consent/{each['id']}" for each in found["Consent"]
    ]
    assert [each["period"]["start"] for each in found["Encounter"]] == [row[5] for row in _ROWS if row[5]]
    places = {f"Location/{each['id']}": each["name"] for each in found["Location"]}
    at = [places[each["location"][0]["location"]["reference"]] for each in found["Encounter"]]
    assert at == ["North", "North", "South & East", "North"]
    belongs = [each["extension"][0]["valueReference"]["reference"] for each in found["Consent"] + found["Encounter"]]
    assert set(belongs) == {study}


def test_the_study_names_its_sites_arms_and_criteria() -> None:
    found = _made()
    trial, group = found["ResearchStudy"][0], found["Group"][0]
    assert trial["title"] == "Does <less> help?"
    assert trial["site"] == [{"reference": f"Location/{each['id']}"} for each in found["Location"]]
    assert trial["enrollment"] == [{"reference": f"Group/{group['id']}"}]
    assert group["characteristic"] == [
        {"code": {"text": each.name}, "valueCodeableConcept": {"text": each.text}, "exclude": each.is_exclusion}
        for each in CRITERIA
    ]
    assert "not eGFR &lt; 30 &amp; dialysis" in str(group["text"])
    open_to_all = _made(replace(STUDY, criteria=()), TABLE.slice(0, 0))
    assert "characteristic" not in open_to_all["Group"][0]
    assert "Everybody may take part" in str(open_to_all["Group"][0]["text"])


def test_the_randomized_are_members_of_a_group_each_patient_once() -> None:
    again = (2, 2, "North", "randomized", "2020-03-01", "2020-03-02", "2020-03-03", "less", "died", "2020-12-01")
    found = _made(table=_table([*_ROWS, again]))
    criteria, enrolled = found["Group"]
    assert (criteria["actual"], enrolled["actual"]) == (False, True)
    assert "member" not in criteria
    assert enrolled["member"] == [
        {"entity": {"reference": "Patient/2"}, "period": {"start": "2020-02-20", "end": "2020-12-01"}},
        {"entity": {"reference": "Patient/3"}, "period": {"start": "2020-02-14", "end": "2020-03-01"}},
    ]
    assert enrolled["quantity"] == 2
    study = f"ResearchStudy/{found['ResearchStudy'][0]['id']}"
    assert enrolled["extension"][0]["valueReference"]["reference"] == study
    assert enrolled["id"] not in str(found["ResearchStudy"])  # it is loaded after the study


def test_the_set_is_whole_and_the_gate_has_nothing_to_say(records: Records, tmp_path: Path) -> None:
    report = write_study(tmp_path / "one", STUDY, TABLE, records, seed=SEED)
    again = write_study(tmp_path / "two", STUDY, TABLE, records, seed=SEED)
    assert [path.read_bytes() for path in report.files] == [path.read_bytes() for path in again.files]
    lines = [line for path in report.files if path.suffix == ".ndjson" for line in path.read_bytes().splitlines()]
    resources = [json.loads(line) for line in lines]
    assert Counter(each["resourceType"] for each in resources) == report.n_resources
    assert report.n_resources["Patient"] == 4
    for each in resources:
        get_fhir_model_class(each["resourceType"]).model_validate(each)
    ids = {each["id"] for each in resources if each["resourceType"] == "Patient"}
    assert ids == {FhirExporter(seed=SEED).patient_resource_id(patient) for patient in (2, 3, 4, 5)}
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert {each["url"] for each in manifest["output"]} == {
        path.name for path in report.files if path.suffix == ".ndjson"
    }
    gate = Gate(GateOptions(packages=None))
    found = gate.run([tmp_path / "one"])
    assert gate.is_clean, found
    with pytest.raises(ExportError, match="not empty"):
        write_study(tmp_path / "one", STUDY, TABLE, records, seed=SEED)


def test_a_trial_without_subjects_is_still_a_study(records: Records, tmp_path: Path) -> None:
    report = write_study(tmp_path, STUDY, TABLE.slice(0, 1), records, seed=SEED)
    assert report.n_resources == {"ResearchStudy": 1, "Group": 1, "Location": 2}


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ExportError, match="lacks arm"):
        _made(table=TABLE.drop_columns(["arm"]))
    for changed, sentence in (
        ({"sites": ("North",)}, "no site 'South & East'"),
        ({"arms": (("control", "nothing"),)}, "no arm 'less'"),
        ({"endings": {**STUDY.endings, "late": None}}, None),
        ({"endings": {"declined": None}}, "no reason 'randomized', 'screening: adult', 'too late', 'withdrew'"),
        (
            {"endings": {**STUDY.endings, "randomized": SubjectStatus.INELIGIBLE}},
            "'ineligible' has the randomized_date",
        ),
    ):
        study = Study(**{**vars(STUDY), **changed})
        if sentence is None:
            _made(study)
        else:
            with pytest.raises(ExportError, match=sentence):
                _made(study)
    with pytest.raises(ExportError, match="has no screening_date"):
        _made(table=_table([(5, 0, "North", "withdrew", "2020-02-06", *_NEVER)]))
    with pytest.raises(ConfigError, match="the site 'A' stands twice\nthe study ends on"):
        replace(STUDY, sites=("A", "A"), end=dt.date(2019, 1, 1))
    with pytest.raises(ConfigError, match=r"the name of each arm must be there, without space.*\na study needs a"):
        replace(STUDY, arms=(("", "nothing"),), key="")
