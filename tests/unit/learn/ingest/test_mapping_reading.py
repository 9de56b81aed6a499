"""Every fault of a mapping is heard of at once, by file and path; the named mappings hold what their schema says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trajsim.documents import read_document
from trajsim.errors import ConfigError
from trajsim.learn.ingest import mapping as mapping_module
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import MAPPINGS, find_mapping, mapping_names, read_mapping
from trajsim.learn.ingest.source import read_clinical

SCHEMA = Path(mapping_module.__file__).with_name("mapping.schema.json")
EVENTS_SCHEMA = SCHEMA.with_name("events.schema.json")

FAULTY = """
format: cvs
clock: entry
entry: {rule: age, age_years: 400}
follow_up: {rule: endd}
cleaning: {duplicates: drop, out_of_range: ignore}
max_years: 0
tables:
  - file: a.csv
    rows:
      - {kind: lab, code: x, code_column: y, value: v}
  - {file: b.csv, patient: id}
drop: [{name: old}]
events:
  - {name: death, codes: [x]}
  - {name: gout, codes: {}, prior_share: 2}
labs:
  - {name: urate, codes: [ua], scale: log, low: 0, high: 20, centre: 5, spread: 0.3, resolution: 0.1, answers: {up: 99}}
  - {name: redness, kind: flag, codes: [r], answers: {yes: 1}}
odd: 1
"""


def test_every_fault_of_a_mapping_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(FAULTY)
    with pytest.raises(ConfigError) as caught:
        read_mapping(str(path))
    message = str(caught.value)
    for part in (
        "$.format: expected one of csv, fhir, meds, omop, records, synthea-csv, got 'cvs', did you mean 'csv'?",
        "$.entry.age_years: expected 0 ... 120",
        "$.follow_up.rule: expected one of",
        "$.cleaning.duplicates: unknown key, did you mean 'duplicate_rows'?",
        "$.cleaning.out_of_range: expected one of error, drop",
        "$.max_years: expected 0.1 ... 120",
        "$.tables[0].patient: is missing",
        "$.tables[0].rows[0].code: expected either `code` or `code_column`",
        "$.tables[0].rows[0].time: is missing, here and in the table",
        "$.tables[1].rows: expected `persons` or `rows`, got neither",
        "$.tables: expected exactly one table with `persons`, got 0",
        "$.drop[0].codes: is missing",
        "$.events[0].name: 'death' is not an event with codes",
        "$.events[1].codes: expected at least one code",
        "$.events[1].prior_share: expected 0 ... 0.99",
        "$.labs[0].unit: is missing",
        "$.labs[0].scale: `log` needs `low` and `centre` above 0",
        "$.labs[0].answers.up: expected 0 ... 20, got 99",
        "$.labs[1].answers: expected texts; put quotes around words like yes, no, on, off",
        "$.odd: unknown key",
        "$.entry.rule: must be column where days are counted from entry",
    ):
        assert f"bad.yaml: {part}" in message


def test_events_of_ones_own_take_the_place_of_the_mapping_s(source: Callable[..., Path], tmp_path: Path) -> None:
    source()
    own = tmp_path / "own.yaml"
    own.write_text("events: [{name: falls, codes: [W19]}]\n")
    read = read_mapping(str(tmp_path / "tiny.yaml"), events=own)
    assert read.vocabulary.event_names == ("falls",)
    assert read.vocabulary.lab_names == ()
    assert read.tables
    own.write_text("events: [{name: falls, codes: [W19], prior: 3}]\n")
    with pytest.raises(ConfigError, match=r"own\.yaml: \$\.events\[0\]\.prior: unknown key"):
        read_mapping(str(tmp_path / "tiny.yaml"), events=own)
    own.write_text("labs: []\n")
    with pytest.raises(ConfigError, match="at least one event"):
        read_mapping(str(tmp_path / "tiny.yaml"), events=own)


@pytest.mark.parametrize("vocabulary", ["cardiometabolic", "codes/cardiometabolic.yaml"])
def test_a_copy_of_a_mapping_may_name_a_vocabulary_that_comes_with_trajsim(tmp_path: Path, vocabulary: str) -> None:
    copy = tmp_path / "mine.yaml"
    text = (MAPPINGS / "omop.yaml").read_text().replace("  out_of_range: drop\n", "  before_birth: drop\n")
    copy.write_text(text.replace("vocabulary: cardiometabolic", f"vocabulary: {vocabulary}"))
    read = read_mapping(str(copy))
    assert read.vocabulary == read_mapping("omop").vocabulary
    assert (read.action("before_birth"), read.action("out_of_range")) == ("drop", "error")
    # A file of one's own beside the mapping goes before.
    (tmp_path / vocabulary).parent.mkdir(exist_ok=True)
    (tmp_path / vocabulary).write_text("events: [{name: falls, codes: [W19]}]\n")
    assert read_mapping(str(copy)).vocabulary.event_names == ("falls",)


def test_a_vocabulary_that_is_nowhere_is_told_with_the_other_faults(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("format: fhir\nvocabulary: cardiometabolik\nodd: 1\nlast_day: soon\n")
    with pytest.raises(ConfigError) as caught:
        read_mapping(str(tmp_path / "mine.yaml"))
    message = str(caught.value)
    assert "$.vocabulary: expected a file beside the mapping or a name that comes with trajsim" in message
    assert "(cardiometabolic), got 'cardiometabolik'" in message
    assert "$.odd: unknown key" in message
    assert "$.last_day: expected a day YYYY-MM-DD" in message
    assert "event" not in message


def test_a_shared_vocabulary_beside_events_is_a_fault(source: Callable[..., Path], tmp_path: Path) -> None:
    source(mapping="vocabulary: own.yaml\n")
    (tmp_path / "own.yaml").write_text("events: [{name: falls, codes: [W19]}]\n")
    with pytest.raises(ConfigError, match="expected one or the other"):
        read_mapping(str(tmp_path / "tiny.yaml"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"diabetes130.*nafld.*got 'nafldd'"):
        find_mapping("nafldd")


@pytest.mark.parametrize("name", mapping_names())
def test_named_mappings_are_sound_and_keep_their_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with the notebooks extra")
    from referencing import Registry, Resource

    read = read_mapping(name)
    assert read.name == name
    assert read.about
    assert read.vocabulary.event_names
    schema = json.loads(SCHEMA.read_text())
    registry = Registry().with_resource("mapping.schema.json", Resource.from_contents(schema))
    jsonschema.Draft202012Validator(schema).validate(read_document(MAPPINGS / f"{name}.yaml"))
    for shared in MAPPINGS.glob("codes/*.yaml"):
        events = json.loads(EVENTS_SCHEMA.read_text())
        jsonschema.Draft202012Validator(events, registry=registry).validate(read_document(shared))


def test_schema_and_reader_name_the_same_faults() -> None:
    schema = json.loads(SCHEMA.read_text())["$defs"]["cleaning"]["properties"]
    assert set(schema) == set(mapping_module.JUDGED)


def test_the_mapping_of_the_page_can_be_used(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "reference" / "mapping.md").read_text()
    (tmp_path / "page.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    read = read_mapping(str(tmp_path / "page.yaml"))
    assert read.vocabulary.event_names == ("gout", "death")
    (tmp_path / "people.csv").write_text("id,sex,born,last_seen,died\na,m,1960-02-29,2015-03-01,\n")
    visits = "id,day,diagnosis,urate,urate_unit\na,2010-01-01,M10.9,,\na,2010-01-31T08:30:00Z,Z00,500,umol/L\n"
    (tmp_path / "visits1.csv").write_text(visits)
    made, report = make_sequences(read_clinical(tmp_path, read), read, source="page")
    assert (made.day.tolist(), made.values.tolist()) == ([30], [[8.4]])
    assert made.prevalent.tolist() == [[True, False]]
    assert report.unmapped_codes[0].what == "Z00"
