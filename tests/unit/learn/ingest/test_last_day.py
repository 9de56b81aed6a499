"""No day after the last one that can be lengthens observation, and every one is told or counted."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import EventSequences
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping import FollowUpRule
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.report import IngestReport
from trajsim.learn.ingest.source import read_clinical

MAPPING = """
format: csv
tables:
  - {file: people.csv, patient: id, persons: {sex: sex, male: [m], female: [f], birth: {column: born, format: date},
     end: {column: end, format: date}}}
  - {file: visits.csv, patient: id, time: {column: day, format: date}, rows: [{kind: event, code_column: code}]}
entry: {rule: first_row}
events: [{name: gout, codes: ["M10*"]}]
"""
PEOPLE = "id,sex,born,end\na,m,1960-01-01,2010-01-01\nb,m,1960-01-01,2099-01-01\n"
VISITS = "id,day,code\na,2000-01-01,M10\nb,2000-01-01,M10\n"


def ingest(folder: Path, *, visits: str = "", mapping: str = "", **changed: Any) -> tuple[EventSequences, IngestReport]:  # noqa: ANN401
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "visits.csv").write_text(VISITS + visits)
    (folder / "own.yaml").write_text(MAPPING + mapping)
    read = replace(read_mapping(str(folder / "own.yaml")), **changed)
    return make_sequences(read_clinical(folder, read), read, source="own")


def test_observation_is_cut_to_the_last_day_and_counted(tmp_path: Path) -> None:
    made, report = ingest(tmp_path, mapping="last_day: 2015-01-01\n")
    assert made.follow_up_days.tolist() == [3653, 5479]
    assert report.reader_counts == {"observation beyond last_day, cut to it": 1}
    today = (dt.datetime.now(dt.UTC).date() - dt.date(2000, 1, 1)).days
    assert today <= ingest(tmp_path, max_years=100.0)[0].follow_up_days[1] <= today + 1


def test_a_row_after_it_is_a_fault_or_counted(tmp_path: Path) -> None:
    visits = "a,2095-01-01,M10\n"
    with pytest.raises(DataFileError, match=r"after_last_day: .*'M10' \(visits.csv row 3\)"):
        ingest(tmp_path, visits=visits)
    last_row = FollowUpRule(rule="last_row")
    made, report = ingest(
        tmp_path,
        visits="a,2001-01-01,x\na,2095-01-01,x\n" + visits,
        mapping="cleaning: {after_last_day: drop}\n",
        follow_up=last_row,
    )
    assert made.follow_up_days.tolist() == [366]
    assert report.rows["after_last_day"] == 1


def test_a_source_without_dates_has_no_last_day(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\$\.last_day: is a date, and days are counted from entry"):
        ingest(tmp_path, mapping="clock: entry\nlast_day: 2015-01-01\n")
