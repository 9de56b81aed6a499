"""The MIMIC demos as their mappings read them; counts as the README of the tables gives them."""

from pathlib import Path

from trajsim.event_sequences import EventSequences
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.report import IngestReport
from trajsim.learn.ingest.source import read_clinical


def _ingested(name: str, shared: Path) -> tuple[EventSequences, IngestReport]:
    mapping, source = read_mapping(name), shared / "data" / name
    return make_sequences(read_clinical(source, mapping), mapping, source=name)


def test_mimic_iv_has_the_histories_of_its_patients(shared: Path) -> None:
    sequences, report = _ingested("mimic_iv_demo", shared)
    assert len(sequences) == 100
    ever = {count.name: count.n_prevalent + count.n_first for count in report.events}
    assert {name: ever[name] for name in ("hypertension", "diabetes", "heart_failure")} == {
        "hypertension": 68,
        "diabetes": 35,
        "heart_failure": 24,
    }
    assert report.rows["drop.discharge"] == 275
    assert (sequences.entry_age_days >= 18 * 365).all()


def test_mimic_iii_leaves_out_patients_who_were_born_300_years_before(shared: Path) -> None:
    sequences, report = _ingested("mimic_iii_demo", shared)
    assert report.patients_left_out["impossible_persons"] == 8
    hdl = next(count for count in report.labs if count.name == "hdl")
    assert hdl.n_values + hdl.n_entry_values == 23
    assert len(sequences) + sum(report.patients_left_out.values()) == 100
