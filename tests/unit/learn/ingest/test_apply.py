"""What every rule keeps, leaves out and counts; what stops ingest before anything is written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.learn.ingest.conftest import FILES
from trajsim.errors import DataFileError
from trajsim.event_sequences import EventKind, EventSequences, LabKind, Legality
from trajsim.learn.ingest.apply import make_sequences, require_patients
from trajsim.learn.ingest.mapping import (
    JUDGED,
    CodeSet,
    DropRule,
    EntryRule,
    EventRule,
    FollowUpRule,
    LabRule,
    SourceMapping,
    death_kind,
)
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.report import KEPT_ROWS, LEFT_OUT_ROWS, IngestReport
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows, persons_table, rows_table
from trajsim.learn.ingest.source import read_clinical

Source = Callable[..., Path]
DROP_ALL = "cleaning: {" + ", ".join(f"{name}: drop" for name in JUDGED) + "}\n"


def ingest(folder: Path, legality: Legality | None = None) -> tuple[EventSequences, IngestReport]:
    mapping = read_mapping(str(folder.parent / "tiny.yaml"))
    return make_sequences(read_clinical(folder, mapping), mapping, source="tiny", legality=legality)


def test_a_small_source_by_hand(source: Source) -> None:
    made, report = ingest(source())
    assert made.patient_id.tolist() == ["1", "2", "3"]
    assert made.is_male.tolist() == [True, False, False]
    assert made.entry_age_days.tolist() == [18262, 14610, 25567]
    assert made.follow_up_days.tolist() == [1000, 500, 20]
    assert made.prevalent.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert made.entry_values[0].tolist() == pytest.approx([8.0, np.nan], nan_ok=True)
    assert made.entry_value_days.tolist() == [[10, -1], [-1, -1], [-1, -1]]
    assert made.offsets.tolist() == [0, 3, 3, 4]
    assert made.day.tolist() == [30, 31, 1000, 20]
    assert made.is_visit.tolist() == [True, True, False, False]
    assert made.events.tolist() == [
        [True, False, False], [False, False, False], [False, False, True], [False, True, False],
    ]  # fmt: skip
    assert made.values[:2].tolist() == [
        pytest.approx([8.7, np.nan], nan_ok=True),
        pytest.approx([np.nan, 1], nan_ok=True),
    ]
    assert report.rows == {
        "prevalent_events": 2, "first_events": 2, "entry_values": 1, "visit_values": 2, "unmapped_codes": 1,
        "after_the_end": 1, "repeated_events": 1, "earlier_history": 1, "merged_values": 1,
    }  # fmt: skip
    assert [(item.where, item.what, item.n_rows) for item in report.unmapped_codes] == [("ICD10CM", "X99", 1)]
    assert report.person_years == pytest.approx(1520 / 365.25, abs=0.05)


def test_events_that_the_modules_forbid_are_kept_and_marked(source: Source) -> None:
    excludes = np.eye(3, dtype=np.bool_)
    excludes[0, 1] = True  # no gout after a kidney stone
    needs = np.zeros((3, 3), dtype=np.bool_)
    needs[1, 0] = True  # no kidney stone without gout before
    made, report = ingest(source(), Legality(needs=needs, excludes=excludes))
    assert made.forbidden.tolist() == [
        [True, False, False], [False, False, False], [False, False, False], [False, True, False],
    ]  # fmt: skip
    assert [event.n_forbidden for event in report.events] == [1, 1, 0]
    assert report.is_checked_against_modules


NOBODY = "cleaning: {persons_without_sex: drop}\nentry: {rule: column, youngest_years: 75}\n"


def test_sequences_of_nobody_are_refused_with_the_reasons(source: Source) -> None:
    _, report = ingest(source(people="id,sex,age,bmi,end,dead\n1,,50,,9,0\n2,f,40,,9,0\n3,,70,,9,0\n", mapping=NOBODY))
    with pytest.raises(DataFileError) as caught:
        require_patients(report)
    assert str(caught.value).splitlines() == [
        "tiny: no patient is left of 3 with 12 rows",
        "2 persons_without_sex: a patient without a sex",
        "1 outside_ages: an age at entry outside `youngest_years` ... `oldest_years`",
        "",
        "Hint: `cleaning: {persons_without_sex: error}` in the mapping names such patients by file and row; "
        "`entry` and `follow_up` in the mapping say who enters, and until when",
    ]


def test_a_source_of_nobody_is_refused(source: Source) -> None:
    empty = {name.removesuffix(".csv"): text.partition("\n")[0] + "\n" for name, text in FILES.items()}
    _, report = ingest(source(**empty))
    with pytest.raises(DataFileError, match="tiny: no patient in the source, expected at least 1"):
        require_patients(report)


FAULTY = {
    "people": (
        "id,sex,age,bmi,end,dead\n1,m,50,31.5,1000,1\n1,m,50,31.5,1000,1\n2,,40,,500,0\n3,f,-2,25,20,0\n4,f,,25,20,0\n"
    ),
    "labs": (
        "id,test,day,value,unit\n1,ua,30,500,mg/dL\n1,ua,31,9,\n1,ua,32,,mg/dL\n1,ua,33,7,mg/dL\n1,ua,33,7,mg/dL\n"
        "1,ua,-20000,7,mg/dL\n1,ua,40,7,g/L\n"
    ),
    "events": "id,code,day\n9,M10.9,0\n1,M10.9,\n",
}


def test_all_faults_of_a_source_are_heard_of_at_once(source: Source) -> None:
    with pytest.raises(DataFileError) as caught:
        ingest(source(**FAULTY))
    message = str(caught.value)
    judged = {name: what for name, what in JUDGED.items() if name != "after_last_day"}  # days since entry are no dates
    for name, what in judged.items():
        assert f"{name}: {what}: " in message
    assert f"{len(judged)} faults" in message
    assert "'ua' = 500 (labs.csv row 1)" in message
    assert "patient '1' (people.csv row 2)" in message
    assert "out_of_range: drop" in message


def test_what_the_mapping_drops_is_counted(source: Source) -> None:
    made, report = ingest(source(mapping=DROP_ALL, **FAULTY))
    assert made.patient_id.tolist() == ["1"]
    assert report.patients_left_out == {
        "persons_twice": 1, "persons_without_sex": 1, "persons_without_birth": 1, "impossible_persons": 1,
    }  # fmt: skip
    assert report.rows == {
        "visit_values": 1, "duplicate_rows": 1, "rows_without_day": 1, "before_birth": 1, "out_of_range": 1,
        "labs_without_unit": 1, "labs_without_value": 1, "unknown_patients": 1, "unmapped_units": 1,
    }  # fmt: skip
    assert [(item.where, item.what, item.n_rows) for item in report.unmapped_units] == [("urate", "g/L", 1)]


def test_what_cannot_be_read_is_named_by_file_column_and_row(source: Source) -> None:
    folder = source(
        people="id,sex,age,bmi,end,dead\n1,m,fifty,31.5,1000,1\n", labs="id,test,day,value,unit\n1,ua,x,<5,mg/dL\n"
    )
    with pytest.raises(DataFileError) as caught:
        ingest(folder)
    for part in (
        "people.csv: column 'age': expected a number, got 'fifty' in row 1",
        "labs.csv: column 'value': expected a number, got '<5' in row 1",
        "labs.csv: column 'day': expected a number, got 'x' in row 1",
    ):
        assert part in str(caught.value)


def test_missing_files_and_columns_are_heard_of_at_once(source: Source) -> None:
    folder = source(people="id,sex,bmi,end,dead\n1,m,31.5,1000,1\n", labs="id,test,day,unit\n")
    (folder / "events.csv").unlink()
    with pytest.raises(DataFileError) as caught:
        ingest(folder)
    for part in ("expected a column 'age'", "expected a column 'value'", "events.csv: no such file", "3 faults"):
        assert part in str(caught.value)


def test_a_table_in_several_files(source: Source) -> None:
    folder = source()
    (folder / "labs2.csv").write_text("id,test,day,value,unit\n2,ua,7,6,mg/dL\n")
    made, _ = ingest(folder)
    assert made.take([1]).day.tolist() == [7]


def lives(draw: st.DrawFn) -> tuple[ClinicalRows, SourceMapping]:
    n_persons, n_rows = draw(st.integers(0, 4)), draw(st.integers(0, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def days(n: int) -> NDArray[np.int64]:
        return np.where(random.random(n) < 0.2, NO_DAY, random.integers(-400, 400, n))

    def texts(n: int, *choices: str | None) -> pd.Series:
        return pd.Series([choices[place] for place in random.integers(0, len(choices), n)], dtype=object)

    persons = persons_table(
        patient_id=texts(n_persons, "1", "2", "3"),
        sex=texts(n_persons, "male", None),
        birth=days(n_persons) - 200,
        entry=days(n_persons) - 100,
        first=days(n_persons) - 200,
        end=days(n_persons) + 200,
        death=days(n_persons) + 200,
    )
    rows = rows_table(
        patient=random.integers(-1, max(n_persons, 1) - (n_persons == 0), n_rows).astype(np.int32),
        day=days(n_rows),
        is_lab=random.random(n_rows) < 0.5,
        concept=random.integers(0, 6, n_rows),
        value=random.choice([1.0, 2.0, 99.0, np.nan], n_rows),
        text=texts(n_rows, "yes", "odd", None),
        unit=texts(n_rows, "a", "b", "c", None),
    )
    concepts = pd.DataFrame({"system": ["s"] * 6, "code": ["gout", "both", "ua", "bmi", "junk", "other"]})
    mapping = SourceMapping(
        name="any",
        format="csv",
        entry=EntryRule(rule=draw(st.sampled_from(["column", "first_row", "age", "hashed_age"])), age_years=0.5),
        follow_up=FollowUpRule(rule=draw(st.sampled_from(["end", "last_row", "years", "hashed_years"]))),
        events=(
            EventRule(kind=EventKind(name="gout"), codes=CodeSet(codes=(("", "gout"), ("s", "bo*")))),
            EventRule(kind=EventKind(name="stone"), codes=CodeSet(codes=(("", "both"),))),
        ),
        death=draw(st.sampled_from([death_kind(10.0), None])),
        labs=(
            LabRule(
                kind=LabKind(name="urate", unit="a", centre=2, high=10),
                codes=CodeSet(codes=(("", "ua"),)),
                units={"a": 1.0, "b": 2.0},
                answers={"yes": 3.0},
            ),
        ),
        bmi=LabRule(kind=LabKind(name="bmi", unit="a", high=50), codes=CodeSet(codes=(("", "bmi"),)), units={"a": 1.0}),
        drop=(DropRule(name="junk", codes=CodeSet(codes=(("", "junk"),))),),
        actions=dict.fromkeys(JUDGED, "drop"),
        max_years=draw(st.sampled_from([0.5, 20.0])),
    )
    return ClinicalRows(persons=persons, concepts=concepts, rows=rows), mapping


@given(data=st.data())
def test_no_patient_and_no_row_is_lost(data: st.DataObject) -> None:
    clinical, mapping = data.draw(st.composite(lives)())
    made, report = make_sequences(clinical, mapping, source="any")
    assert report.n_patients_read == report.n_patients + sum(report.patients_left_out.values())
    assert report.n_rows_read + report.n_further_meanings == sum(report.rows.values())
    assert set(report.rows) <= {*KEPT_ROWS, *LEFT_OUT_ROWS, "drop.junk"}
    n_timed = made.events.shape[1] - (mapping.death is not None)
    assert int(made.prevalent.sum()) == report.rows.get("prevalent_events", 0)
    assert int(made.events[:, :n_timed].sum()) == report.rows.get("first_events", 0)
    assert int((~np.isnan(made.values)).sum()) == report.rows.get("visit_values", 0)
    assert int((~np.isnan(made.entry_values)).sum()) == report.rows.get("entry_values", 0)
    assert_sound(made)


def assert_sound(made: EventSequences) -> None:
    patient = made.patient_of_day
    assert (made.follow_up_days >= 1).all()
    assert (made.day >= 1).all()
    assert (made.day <= made.follow_up_days[patient]).all()
    assert (np.diff(made.day)[np.diff(patient) == 0] > 0).all()
    assert not (made.events & made.prevalent[patient]).any()
    assert (made.is_visit | made.events.any(axis=1)).all()
    for number in range(made.events.shape[1]):
        assert np.bincount(patient[made.events[:, number]], minlength=1).max() <= 1
    if made.vocabulary.has_death:
        dead = made.events[:, -1]
        assert (made.day[dead] == made.follow_up_days[patient[dead]]).all()
