"""The data sets that have a mapping by name, against what their descriptions count."""

from pathlib import Path

import numpy as np
import pytest

from trajsim.event_sequences import EventSequences
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.report import IngestReport
from trajsim.learn.ingest.rows import ClinicalRows
from trajsim.learn.ingest.source import read_clinical


def ingest(shared: Path, name: str) -> tuple[ClinicalRows, EventSequences, IngestReport]:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    mapping = read_mapping(name)
    clinical = read_clinical(folder, mapping)
    return clinical, *make_sequences(clinical, mapping, source=name)


def test_nafld_holds_what_its_description_counts(shared: Path) -> None:
    clinical, made, report = ingest(shared, "nafld")
    assert (len(made), report.patients_left_out, report.n_rows_read) == (14_035, {}, 316_206 + 27_285)
    assert report.person_years == pytest.approx(92_291, abs=1)
    first = {event.name: event.n_first for event in report.events}
    # Those that come once in a life are all there; of the others later ones, and first ones of patients who had one
    # before day 0, are repeats.
    once = {"hypertension": 1_667, "dyslipidemia": 1_407, "diabetes": 851, "fatty_liver": 253, "death": 1_074}
    again = {
        "stroke": 666, "heart_failure": 633, "atrial_fibrillation": 603, "angina": 578,
        "myocardial_infarction": 342, "cardiac_arrest": 86,
    }  # fmt: skip
    assert {name: first[name] for name in once} == once
    codes = clinical.concepts["code"]
    events = clinical.rows[~clinical.rows["is_lab"] & (clinical.rows["day"] > 0) & (clinical.rows["patient"] >= 0)]
    rules = dict(zip(made.vocabulary.event_names, read_mapping("nafld").events, strict=False))
    for name, n_incident in again.items():
        rows = events[codes[events["concept"]].eq(rules[name].codes.codes[0][1]).to_numpy()]
        had = made.prevalent[rows["patient"].to_numpy(), made.vocabulary.event_names.index(name)]
        assert len(rows) == n_incident
        assert first[name] == rows.loc[~had, "patient"].nunique()
    assert report.rows["rows_without_day"] + report.rows["unknown_patients"] == 16
    assert report.rows["drop.chol"] + report.rows["drop.dbp"] == 127_853 + 25_963
    labs = sum(report.rows[n] for n in ("entry_values", "visit_values", "earlier_history", "out_of_range"))
    assert labs == 160_844
    assert report.unmapped_codes == ()
    hdl = made.values[:, 0]
    assert np.nanmin(hdl) >= 5
    assert np.nanmax(hdl) <= 200


def test_the_diabetes_register_holds_what_its_description_counts(shared: Path) -> None:
    _, made, report = ingest(shared, "dm_register_dk")
    assert report.n_patients_read == 8_004
    assert report.n_patients + sum(report.patients_left_out.values()) == 8_004
    assert set(report.patients_left_out) == {"outside_ages", "no_follow_up"}
    assert made.entry_age_days.min() >= 30 * 365.25
    assert report.events[-1].n_first <= 2_011


def test_the_liver_trial_holds_what_its_description_counts(shared: Path) -> None:
    clinical, made, report = ingest(shared, "pbc")
    assert len(made) == 249
    labs = clinical.rows[clinical.rows["is_lab"]]
    assert len(labs[["patient", "day"]].drop_duplicates()) == 1_561
    assert int(made.is_visit.sum()) == 1_561 - 249
    assert report.patients_left_out == {}


@pytest.mark.nightly
def test_hospital_encounters_hold_what_their_description_counts(shared: Path) -> None:
    _, made, report = ingest(shared, "diabetes130")
    assert report.n_patients_read == 57_332
    assert report.patients_left_out == {"persons_without_sex": 3}
    assert made.events[:, -1].sum() == 1_294
