import gzip
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"patients": "Id,BIRTHDATE\np,1980-01-02\n"}, r"patients.csv: columns missing: DEATHDATE, FIRST"),
        ({"patients": PATIENTS + "p,1980-01-02,,A,B,w,n,F\np,1980-01-02,,A,B,w,n,F\n"}, r"'Id' has empty or repeated"),
        ({"patients": PATIENTS + "p,soon,,A,B,w,n,F\n", "encounters": ENCOUNTERS}, r"patients.csv: column 'BIRTHDATE'"),
        ({"patients": PATIENTS + "p,1980\n"}, r"patients.csv: not a readable CSV file"),
        (
            {"encounters": ENCOUNTERS + "e,2020-01-01T10:00:00Z,,x,wellness,1,V,,\n"},
            r"encounters.csv: line 2: no patient 'x'",
        ),
        (
            {"encounters": ENCOUNTERS + "e,2020-01-01T10:00:00Z,,,wellness,1,V,,\n"},
            r"encounters.csv: line 2: no patient",
        ),
        (
            {"immunizations": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n2020-01-01T10:00:00Z,p,e9,1,Flu\n"},
            r"immunizations.csv: line 2: no encounter 'e9'",
        ),
        (
            {"supplies": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e1,1,Swab,many\n"},
            r"supplies.csv: column 'QUANTITY'",
        ),
    ],
)
def test_faults_are_named_by_file(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        read_synthea_csv(_folder(tmp_path, **files))
