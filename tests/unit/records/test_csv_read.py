import gzip
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.errors import DataFileError
from trajsim.records.csv_layout import HEADERS
from trajsim.records.csv_read import read_synthea_csv
from trajsim.records.invariants import check_records

PATIENTS = "Id,BIRTHDATE,DEATHDATE,FIRST,LAST,RACE,ETHNICITY,GENDER\n"
ENCOUNTERS = "Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE,DESCRIPTION,REASONCODE,REASONDESCRIPTION\n"


def _folder(tmp_path: Path, **files: str) -> Path:
    given = {
        "patients": PATIENTS
        + "p,1980-01-02,,Ann,Bee,white,nonhispanic,F\nq,1990-01-02,2020-03-04,Bo,Cee,black,hispanic,M\n",
        "encounters": ENCOUNTERS
        + "e2,2020-01-01T10:00:00Z,2020-01-01T10:15:00Z,q,wellness,410620009,Visit,,\n"
        + "e1,2021-01-01T10:00:00Z,,p,ambulatory,185345009,Visit,195662009,Sore throat\n",
    } | files
    for name, text in given.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_rows_are_put_in_the_order_of_the_patients(tmp_path: Path) -> None:
    records = read_synthea_csv(_folder(tmp_path))
    assert records["patients"]["source_id"].to_pylist() == ["p", "q"]
    first, second = records["encounters"].to_pylist()
    assert (first["patient_id"], first["reason_code"], first["reason_system"]) == (0, "195662009", "SNOMED-CT")
    assert first["stop"] == first["time"]
    assert (second["patient_id"], second["encounter_class"], second["reason_system"]) == (1, "wellness", None)
    assert check_records(records) == []


def test_a_death_lasts_until_the_end_of_its_day_and_the_living_until_the_last_instant(tmp_path: Path) -> None:
    records = read_synthea_csv(_folder(tmp_path))
    alive, dead = records["patients"].to_pylist()
    assert alive["death_time"] is None
    assert alive["last_time"].isoformat() == "2021-01-01T10:00:00+00:00"
    assert dead["death_time"].isoformat() == dead["last_time"].isoformat() == "2020-03-04T23:59:59.999999+00:00"
    assert records["deaths"].to_pylist()[0]["patient_id"] == 1


def test_rows_name_their_encounter_or_none(tmp_path: Path) -> None:
    text = ",".join(HEADERS["observations"]) + "\n"
    text += (
        "2021-01-01T10:00:00Z,p,e1,laboratory,1,One,2.5,mg,numeric\n2021-01-01T10:00:00Z,p,,,QALY,QALY,much,a,text\n"
    )
    records = read_synthea_csv(_folder(tmp_path, observations=text))
    first, second = records["observations"].to_pylist()
    assert first["encounter_key"] == records["encounters"]["row_key"][0].as_py()
    assert second["encounter_key"] == 0
    assert (first["numeric_value"], first["text_value"]) == (2.5, None)
    assert (second["numeric_value"], second["text_value"], second["category"]) == (None, "much", "")


def test_the_sample_of_synthea_reads(shared: Path) -> None:
    folder = shared / "synthea" / "reference" / "sample" / "csv"
    records = read_synthea_csv(folder)
    assert records.n_patients == 12
    for kind, table in (("conditions", "conditions"), ("observations", "observations"), ("procedures", "procedures")):
        with gzip.open(folder / f"{kind}.csv.gz", "rt") as file:
            assert records[table].num_rows == sum(1 for _ in file) - 1
    broken = check_records(records)
    # Synthea writes a visit for the death certificate after the death; nothing else is wrong with its rows.
    assert {(each.invariant, each.message) for each in broken} == {("life", "after death")}
    assert {each.table for each in broken} <= {"encounters", "observations"}


def test_gzip_and_plain_files_give_the_same(tmp_path: Path) -> None:
    plain = read_synthea_csv(_folder(tmp_path))
    for path in list(tmp_path.glob("*.csv")):
        with gzip.open(f"{path}.gz", "wb") as file:
            file.write(path.read_bytes())
        path.unlink()
    assert read_synthea_csv(tmp_path).equals(plain)


def test_a_folder_without_patients_or_encounters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"no patients.csv here"):
        read_synthea_csv(tmp_path)
    (_folder(tmp_path) / "encounters.csv").unlink()
    with pytest.raises(DataFileError, match=r"no encounters.csv here"):
        read_synthea_csv(tmp_path)


OBSERVATIONS = "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n"


def test_all_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        patients=PATIENTS + "p,1980-01-02,,A,B,w,n,F\nq,soon,,A,B,w,n,F\np,1980-01-02,,A,B,w,n,F\n",
        observations=OBSERVATIONS
        + "yesterday,q,,laboratory,1,One,2.5,mg,numeric\n2020-01-01,p,,laboratory,1,One,high,mg,numeric\n"
        + "2020-01-01,z,,laboratory,1,One,2,mg,numeric\n",
        conditions="START,STOP,PATIENT,ENCOUNTER,DESCRIPTION\n2020-01-01,,p,,Gout\n",
        supplies="DATE\n2020-01-01,1\n",
    )
    with pytest.raises(DataFileError) as caught:
        read_synthea_csv(folder)
    lines = caught.value.message.splitlines()
    assert lines[0] == f"{folder}: 7 faults in its CSV files"
    assert sorted(lines[1:])[:-1] == [
        "conditions.csv: columns missing: CODE; found START, STOP, PATIENT, ENCOUNTER, DESCRIPTION",
        "observations.csv: column 'DATE': expected a date or an instant, got 'yesterday' in row 1",
        "observations.csv: column 'PATIENT': no patient 'z' in row 3",
        "observations.csv: column 'VALUE': expected a number, got 'high' in row 2",
        "patients.csv: column 'BIRTHDATE': expected a date or an instant, got 'soon' in row 2",
        "patients.csv: column 'Id': stands twice: 'p' in row 3",
    ]
    assert sorted(lines)[-1].startswith("supplies.csv: not a readable CSV file")


def test_a_column_of_ids_that_is_missing_is_one_fault_and_not_one_a_row(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        patients=PATIENTS.replace("Id", "Key").replace("BIRTHDATE", "BORN") + "p,1980-01-02,,A,B,w,n,F\n",
        encounters=ENCOUNTERS.replace("PATIENT", "WHO") + "e1,2020-01-01T10:00:00Z,,p,wellness,1,V,,\n",
    )
    with pytest.raises(DataFileError) as caught:
        read_synthea_csv(folder)
    first, patients, encounters = caught.value.message.splitlines()
    assert "2 faults" in first
    assert patients.startswith("patients.csv: columns missing: Id, BIRTHDATE; found Key, BORN")
    assert encounters.startswith("encounters.csv: columns missing: PATIENT; found Id, START")


@given(st.lists(st.sampled_from(["2020-01-01", "2020-01-01T10:00:00Z", "", "soon", "2020-02-31"]), max_size=9))
def test_every_bad_cell_is_told_with_its_row_whatever_the_order_of_patients(cells: list[str]) -> None:
    rows = [f"{cell},{'pq'[k % 2]},,laboratory,1,One,2.5,mg,numeric\n" for k, cell in enumerate(cells)]
    bad = [f"{cell!r} in row {k}" for k, cell in enumerate(cells, start=1) if cell in ("soon", "2020-02-31")]
    empty = [f"'' in row {k}" for k, cell in enumerate(cells, start=1) if not cell]
    with tempfile.TemporaryDirectory() as name:
        folder = _folder(Path(name), observations=OBSERVATIONS + "".join(rows))
        if not bad + empty:
            assert read_synthea_csv(folder)["observations"].num_rows == len(cells)
            return
        with pytest.raises(DataFileError) as caught:
            read_synthea_csv(folder)
    expected = {"a value": empty, "a date or an instant": bad}
    assert caught.value.message.splitlines()[1:] == [
        f"observations.csv: column 'DATE': expected {what}, got {', '.join(places[:5])}"
        + (f" and {len(places) - 5} more" if len(places) > 5 else "")
        for what, places in expected.items()
        if places
    ]


def test_instants_that_cannot_be_do_not_lengthen_observation(tmp_path: Path) -> None:
    folder = _folder(tmp_path, observations=OBSERVATIONS + "2205-01-01,p,,laboratory,1,One,2.5,mg,numeric\n")
    assert pc.max(read_synthea_csv(folder)["patients"]["last_time"]).as_py().year == 2205
    until_us = 1_700_000_000_000_000
    assert pc.max(read_synthea_csv(folder, until_us=until_us)["patients"]["last_time"]).as_py().year == 2021


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"patients": "Id,BIRTHDATE\np,1980-01-02\n"}, r"patients.csv: columns missing: DEATHDATE, FIRST"),
        (
            {"patients": PATIENTS + "p,1980-01-02,,A,B,w,n,F\np,1980-01-02,,A,B,w,n,F\n"},
            r"patients.csv: column 'Id': stands twice: 'p' in row 2",
        ),
        (
            {"patients": PATIENTS + "p,soon,,A,B,w,n,F\n", "encounters": ENCOUNTERS},
            r"column 'BIRTHDATE': expected a date or an instant, got 'soon' in row 1",
        ),
        ({"patients": PATIENTS + "p,1980\n"}, r"patients.csv: not a readable CSV file"),
        (
            {"encounters": ENCOUNTERS + "e,2020-01-01T10:00:00Z,,x,wellness,1,V,,\n"},
            r"encounters.csv: column 'PATIENT': no patient 'x' in row 1",
        ),
        (
            {"encounters": ENCOUNTERS + "e,2020-01-01T10:00:00Z,,,wellness,1,V,,\n"},
            r"encounters.csv: column 'PATIENT': expected a value, got '' in row 1",
        ),
        (
            {"immunizations": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n2020-01-01T10:00:00Z,p,e9,1,Flu\n"},
            r"immunizations.csv: column 'ENCOUNTER': no encounter 'e9' in row 1",
        ),
        (
            {"supplies": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e1,1,Swab,many\n"},
            r"supplies.csv: column 'QUANTITY': expected a number, got 'many' in row 1",
        ),
        (
            {"supplies": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e1,1,Swab,\n"},
            r"supplies.csv: column 'QUANTITY': expected a value, got '' in row 1",
        ),
    ],
)
def test_faults_are_named_by_file(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        read_synthea_csv(_folder(tmp_path, **files))
