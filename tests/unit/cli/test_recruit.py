import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fhir_export import FhirExporter
from fhir_export.study import SubjectStatus
from fhir_export.validate import Gate, GateOptions
from tests.unit.trials.recruitment.builders import instants, people, table
from trajsim.cli.app import main
from trajsim.cli.recruit import CANDIDATES, FHIR, PAGE, RECORDS, TWIN
from trajsim.cli.recruit_fhir import endings_of
from trajsim.records.parquet import read_parquet_shards, write_parquet
from trajsim.records.table import concat
from trajsim.trials.recruitment.reasons import Reasons

N = 60


def _document() -> dict[str, Any]:
    """A trial of people with a disease, controlled by a value that every tenth lacks."""
    return {
        "title": "A trial of the command line",
        "criteria": {
            "code_sets": {"disease": ["SNOMED-CT|1"], "value": {"title": "the value", "codes": ["LOINC|2"]}},
            "entry": {"any_of": [{"domain": "condition", "codes": "disease"}]},
            "rules": [
                {"name": "adult", "patient": {"age": ">= 18"}},
                {"name": "controlled", "event": {"domain": "measurement", "codes": "value", "value": "<= 9"}},
            ],
        },
        "recruitment": {"start": "2020-01-01", "planned_end": "2020-12-30", "horizon": "2021-06-30", "target": 10},
        "sites": [{"name": "North", "share": 0.5}, {"name": "South", "share": 0.5}],
        "funnel": {"consent": 0.9, "eligible": 1.0, "completes": 1.0},
        "endpoint": {"per_year": 0.2},
    }


@pytest.fixture(name="records")
def records_fixture(tmp_path: Path) -> Path:
    """Records of 60 people with visits; two of three have the disease."""
    ids = np.arange(1, N + 1, dtype=np.uint64)
    sick, measured = ids[ids % 3 > 0], ids[ids % 10 > 0]
    conditions = {
        "patient_id": sick, "row_key": sick + 1000, "time": instants([-50] * len(sick)),
        "system": ["SNOMED-CT"] * len(sick), "code": ["1"] * len(sick),
    }  # fmt: skip
    observations = {
        "patient_id": measured, "row_key": measured + 2000, "time": instants([-5] * len(measured)),
        "system": ["LOINC"] * len(measured), "code": ["2"] * len(measured),
        "numeric_value": [7.0 if n % 4 else 9.5 for n in measured],
    }  # fmt: skip
    tables = {
        "conditions": table("conditions", conditions, len(sick)),
        "observations": table("observations", observations, len(measured)),
    }
    write_parquet(people([[10 + 3 * n, 200] for n in range(N)], tables=tables), tmp_path / "run" / "parquet", shard=0)
    return tmp_path / "run"


def _write(path: Path, document: object) -> str:
    path.write_text(yaml.safe_dump(document))
    return str(path)


def _recruit(tmp_path: Path, records: Path, *more: str, document: object = None) -> int:
    spec = _write(tmp_path / "trial.yaml", document or _document())
    return main(["recruit", spec, "--records", str(records), "--replicates", "20", "--threads", "1", *more])


def test_one_command_writes_the_page_its_twin_and_the_answer_key(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, twin = tmp_path / "out", tmp_path / "twin.json"
    assert _recruit(tmp_path, records, "--out", str(out), "--json", str(twin)) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted([CANDIDATES, PAGE, TWIN])
    assert twin.read_bytes() == (out / TWIN).read_bytes()
    found = json.loads(twin.read_text())
    said = capsys.readouterr().out
    assert found["answer"]["verdict"] in said
    assert "living in the catchments" in said
    with (out / CANDIDATES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    reasons = Counter(row["reason"] for row in rows)
    assert reasons["chart: entry event"] > 0
    assert reasons["chart: controlled"] > 0
    assert reasons["randomized"] == sum(row["randomized_date"] != "" for row in rows) > 0
    assert found["feasibility"]["criteria"][0]["criterion"] == "entry event"


def test_threads_and_place_change_no_byte(tmp_path: Path, records: Path) -> None:
    for name, threads in (("a", "1"), ("b", "3")):
        assert _recruit(tmp_path, records, "--out", str(tmp_path / name), "--threads", threads, "--quiet") == 0
    for name in (PAGE, TWIN, CANDIDATES):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_target_out_of_reach_is_an_answer(tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = _document()
    document["recruitment"]["target"] = 59
    rescue = {"scenarios": [{"name": "fewer", "set": {"recruitment.target": 5}}]}
    scenario = _write(tmp_path / "rescue.yaml", rescue)
    assert _recruit(tmp_path, records, "--scenario", scenario, document=document) == 0
    said = capsys.readouterr().out
    assert "No, almost surely not" in said
    assert "“fewer” helps most" in said


def test_feasibility_alone(tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin = tmp_path / "paper.json"
    assert _recruit(tmp_path, records, "--feasibility", "--json", str(twin)) == 0
    said = capsys.readouterr().out
    assert "lost in order" in said
    assert "the value: value <= 9 to <= 9.9" in said
    assert "  controlled: at least 1 measurement of the value with value at most 9" in said
    found = json.loads(twin.read_text())["feasibility"]
    assert found["n_people"] == N
    assert [each["asks"] for each in found["criteria"]][1] == "patient with age at the event at least 18 years"
    assert [each["criterion"] for each in found["criteria"]] == ["entry event", "adult", "controlled"]
    assert found["criteria"][0]["n_failing"] == N // 3
    assert {group["by"] for group in found["criteria"][0]["groups"]} == {"sex", "age", "race", "site"}


def test_a_log_is_forecast_beside_the_simulation(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.csv"
    rows = [f"{n},{'North' if n % 2 else 'South'},2020-0{1 + n // 2}-15" for n in range(6)]
    log.write_text("\n".join(["subject,site,randomised", *rows]) + "\n")
    assert _recruit(tmp_path, records, "--accrual-log", str(log), "--as-of", "2020-06-30") == 0
    assert "From the log up to 2020-06-30: 6 randomized" in capsys.readouterr().out


def test_a_file_of_sites_says_when_they_opened(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, sites = tmp_path / "log.csv", tmp_path / "sites.csv"
    log.write_text("subject,site,randomised\n1,North,2020-03-01\n2,South,2020-04-01\n3,North,2020-05-15\n")
    sites.write_text("site,opened,closed\nNorth,2020-02-01,\nSouth,2020-03-15,2020-05-31\n")
    given = ["--accrual-log", str(log), "--as-of", "2020-06-30", "--sites", str(sites), "--out", str(tmp_path / "out")]
    assert _recruit(tmp_path, records, *given) == 0
    said = capsys.readouterr().out
    assert "From the log up to 2020-06-30: 3 randomized" in said
    assert "no file of sites" not in said
    assert "--sites sites.csv" in (tmp_path / "out" / PAGE).read_text()
    sites.write_text("site,opened,closed\nNorth,2020-03-15,2020-03-01\nSouh,2020-13-01,\n")
    assert _recruit(tmp_path, records, *given) == 1
    said = capsys.readouterr().err
    for sentence in (
        "sites.csv: row 2: site 'North' closes on 2020-03-01, before it opens on 2020-03-15",
        "sites.csv: row 3: opened: expected a date such as 2026-03-31, got '2020-13-01'",
        "sites.csv: row 3: site: 'Souh' is no site of the spec, did you mean 'South'?",
        "log.csv: row 2: randomised on 2020-03-01, before site 'North' opened on 2020-03-15",
    ):
        assert sentence in said, sentence


def test_every_fault_of_every_file_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = _document()
    document["sitez"] = []
    document["sites"][0] |= {"opens": "2020-05-01", "closes": "2020-02-01"}
    document["criteria"]["rules"][1]["event"]["value"] = "9..7"
    document["criteria"]["rulez"] = []
    (tmp_path / "log.csv").write_text(
        "subject,site,randomised,event,dropout,last_seen\n1,North,2030-01-01,,,\n2,North,2020-03-01,2020-02-01,,\n"
        "2,North,2020-03-02,,,\n"
    )
    spec = _write(tmp_path / "trial.yaml", document)
    scenario = _write(tmp_path / "rescue.yaml", {"scenarios": [{"name": "none", "sett": {}}]})
    arguments = ["recruit", spec, "-n", "10", "--out", str(tmp_path / "out"), "--scenario", scenario]
    assert main([*arguments, "--accrual-log", str(tmp_path / "log.csv"), "--as-of", "2020-06-30"]) == 1
    said = capsys.readouterr().err
    for sentence in (
        "trial.yaml: $.sitez: ",
        "trial.yaml: $.sites[0].closes: the site closes on 2020-02-01, before it opens on 2020-05-01",
        "trial.yaml: $.criteria.rulez",
        "rescue.yaml: $.scenarios[0].sett",
        "2030-01-01",
        "log.csv: row 3",
        "log.csv: row 4",
    ):
        assert sentence in said, sentence
    assert not (tmp_path / "out").exists()


def test_faults_of_criteria_that_contradict_each_other_have_a_path(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = _document()
    document["criteria"]["rules"][0] = {"name": "adult child", "need": "all", "patients": [
        {"age": ">= 18"}, {"age": "< 10"},
    ]}  # fmt: skip
    document["criteria"]["rules"][1]["event"]["value"] = "9..7"
    assert _recruit(tmp_path, records, document=document) == 1
    said = capsys.readouterr().err
    assert "trial.yaml: $.criteria.rules[0]" in said
    assert "trial.yaml: $.criteria.rules[1]" in said
    assert "CRT501" in said


def test_what_does_not_go_with_the_records_is_told_all_at_once(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = _document()
    document["criteria"]["code_sets"]["value"] = ["LOINC|none"]
    document["recruitment"]["target"] = 1_000
    document["endpoint"] = {"codes": ["nowhere"]}
    assert _recruit(tmp_path, records, document=document) == 1
    said = capsys.readouterr().err
    assert "trial.yaml: $.criteria.code_sets" in said
    assert "LOINC none" in said
    assert "CRT601" in said
    assert "$.recruitment.target: 1000 people, but only 60 live in the catchments" in said
    assert "$.endpoint.codes: no record of conditions holds any of nowhere" in said


def test_a_trial_that_randomizes_nobody_has_no_cost_a_person(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = _document()
    document["criteria"]["rules"][1]["event"]["value"] = "<= 1"
    more = {"scenarios": [{"name": "any value", "set": {"waived": ["controlled"]}}]}
    scenario = _write(tmp_path / "rescue.yaml", more)
    assert _recruit(tmp_path, records, "--scenario", scenario, document=document) == 0
    rows = {line[: len("any value")].strip(): line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["as it is"] == ["as", "it", "is", "0%"]
    assert "any value" in rows


def test_faults_of_scenarios_on_the_records(tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"scenarios": [{"name": "more", "set": {"recruitment.target": 1_000}},
                          {"name": "other", "set": {"waived": ["nothing"]}}]}  # fmt: skip
    assert _recruit(tmp_path, records, "--scenario", _write(tmp_path / "rescue.yaml", more)) == 1
    said = capsys.readouterr().err
    assert "'more': " in said
    assert "'other': " in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "SPEC is missing"),
        (["nowhere.yaml"], "no such file"),
        (["here.yaml", "--records", ".", "-n", "5"], "-n is for simulating"),
        (["here.yaml", "-n", "0"], "-n must be positive"),
        (["here.yaml", "--accrual-log", "here.yaml"], "belong together"),
        (["here.yaml", "--as-of", "2020-01-01"], "belong together"),
        (["here.yaml", "--sites", "here.yaml"], "of --accrual-log opened, which is missing"),
        (["here.yaml", "--accrual-log", "here.yaml", "--as-of", "soon"], "must be a date"),
        (["here.yaml", "--feasibility", "--scenario", "here.yaml"], "does not go with it"),
        (["here.yaml", "--feasibility", "--fhir", "--out", "new"], "so --fhir does not go with it"),
        (["here.yaml", "--fhir"], "below --out, which is missing"),
        (["here.yaml", "--records", "nowhere"], "is no folder"),
        (["here.yaml", "--seed", "-1"], "--seed must lie"),
        (["here.yaml", "--out", "."], "holds something else"),
        (["here.yaml", "--out", "here.yaml"], "is a file"),
        (["here.yaml", "--json", "nowhere/twin.json"], "expected a file"),
        (["here.yaml", "--init", "new.yaml"], "SPEC does not go with it"),
        (["--init", "here.yaml"], "is there already"),
    ],
)
def test_options_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "here.yaml", _document())
    assert main(["recruit", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_the_template_runs_on_simulated_patients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recruit", "--init", "trial.yaml"]) == 0
    small = ["--replicates", "5", "-n", "1500", "--threads", "1", "--out", "trial", "--fhir"]
    assert main(["recruit", "trial.yaml", *small]) == 0
    assert (tmp_path / "trial/records/parquet").is_dir()
    first = _bytes_of(tmp_path / "trial")
    assert main(["recruit", "trial.yaml", *small, "--quiet"]) == 0
    assert _bytes_of(tmp_path / "trial") == first
    _require_same_patients(tmp_path / "trial")
    assert "100 people by 2023-06-30" in capsys.readouterr().out


def _bytes_of(out: Path) -> dict[str, bytes]:
    files = [path for path in out.rglob("*") if path.is_file() and RECORDS not in path.parts]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def _require_same_patients(out: Path) -> None:
    """The patients of the trial are those of the export of its records: the same resources, the same ids."""
    lines = (out / FHIR / "Patient-00000.ndjson").read_bytes().splitlines()
    assert lines
    records = concat(list(read_parquet_shards(out / RECORDS / "parquet")))
    exporter = FhirExporter(seed=0)
    ids = {exporter.patient_resource_id(int(patient)): int(patient) for patient in records.patient_ids}
    for line in lines:
        alone = records.patient(ids[json.loads(line)["id"]])
        assert exporter.ndjson_bytes(alone)["Patient"].splitlines() == [line]


def test_the_first_replicate_as_fhir_is_the_answer_key(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _recruit(tmp_path, records, "--out", str(out), "--fhir") == 0
    assert str(out / FHIR) in capsys.readouterr().err
    with (out / CANDIDATES).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["reason"].startswith(("chart", "declined", "not re"))]
    made = {path.name.partition("-")[0]: path.read_text().splitlines() for path in (out / FHIR).glob("*-00001.ndjson")}
    subjects = [json.loads(line) for line in made["ResearchSubject"]]
    assert len(rows) == len(made["Consent"]) == len(subjects)
    assert len(made["Encounter"]) == sum(row["screening_date"] != "" for row in rows)
    assert Counter(each.get("assignedArm", "") for each in subjects) == Counter(row["arm"] for row in rows)
    group, enrolled = map(json.loads, made["Group"])
    assert enrolled["quantity"] == len({row["patient_id"] for row in rows if row["randomized_date"]})
    assert [each["valueCodeableConcept"]["text"] for each in group["characteristic"]] == [
        "a condition of disease",
        "patient with age at the event at least 18 years",
        "at least 1 measurement of the value with value at most 9",
    ]  # fmt: skip
    gate = Gate(GateOptions(packages=None))
    report = gate.run([out / FHIR])
    assert gate.is_clean, report
    (out / FHIR / "ResearchStudy-00001.ndjson").unlink()
    assert _recruit(tmp_path, records, "--out", str(out), "--fhir") == 2
    assert "holds something else" in capsys.readouterr().err


def test_every_reason_to_leave_has_a_place_in_fhir() -> None:
    every = Reasons.of(("entry event",), ("eGFR",))
    endings = endings_of(every)
    assert set(endings) == set(every.names)
    assert {endings[name] for name in every.names[every.screening]} == {SubjectStatus.INELIGIBLE}
    assert endings["chart: entry event"] is None


def test_an_extension_changes_nothing_before_it(tmp_path: Path, records: Path) -> None:
    more = {"scenarios": [{"name": "longer", "set": {"recruitment.planned_end": "2021-05-31"}}]}
    twin = tmp_path / "twin.json"
    scenario = _write(tmp_path / "rescue.yaml", more)
    assert _recruit(tmp_path, records, "--scenario", scenario, "--json", str(twin), "--quiet") == 0
    (found,) = json.loads(twin.read_text())["scenarios"]
    assert found["enrolled"]["mean"] == 0.0
    assert found["days_to_target"]["mean"] == 0.0
