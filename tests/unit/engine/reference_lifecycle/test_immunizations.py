"""Vaccines at the visits at which Java gives them (immunizations.json), and nowhere else."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.engine.reference_lifecycle.people import NO_MODULES, cohort_of, person
from trajsim.engine.events import SOURCE_VACCINE_FIRST, STREAM_IMMUNIZATIONS, Catalogue, EventKind
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference import simulate_patient
from trajsim.engine.reference.health_record import EncounterRecord
from trajsim.engine.reference.lifecycle.immunizations import Immunizations, is_due
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.lifecycle.tables import immunization_schedule
from trajsim.units import ms_from_iso

FILE = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "synthea" / "reference" / "immunizations.json"
needs_file = pytest.mark.skipif(not FILE.is_file(), reason="Synthea's results are not here (TRAJSIM_SHARED)")

Visit = tuple[int, str, list[str]]


def _people() -> list[tuple[str, str, str, list[Visit]]]:
    return [
        (item["birth"], item["sex"], item["end"], [(at, code, sorted(cvx)) for at, code, cvx in item["visits"]])
        for item in json.loads(FILE.read_text(encoding="utf-8"))
    ]


@needs_file
def test_every_visit_gives_what_java_gives() -> None:
    for birth, _, _, visits in _people():
        child = person(birth)
        patient, immunizations = child.patient, Immunizations(child)
        for at, code, cvx in visits:
            rows = len(patient.log)
            time = patient.birth + at
            event = patient.write(EventKind.ENCOUNTER, time)
            patient.record.encounters.append(
                EncounterRecord(event=event, kind=5, start=time, made_by=code, source=0, stream=0)  # type: ignore[arg-type]
            )
            immunizations.visit(time)
            given = [row for row in patient.log.rows[rows:] if row.kind == EventKind.IMMUNIZATION]
            assert sorted(patient.catalogue.sources[row.state].codes[0].code for row in given) == cvx
            assert all(row.encounter == event and row.module == STREAM_IMMUNIZATIONS for row in given)


@needs_file
def test_whole_lives_without_modules_have_these_visits() -> None:
    for birth, sex, end, visits in _people():
        cohort = cohort_of(birth, {"gender": sex})
        catalogue = Catalogue(NO_MODULES, extra_strings=cohort.texts())
        options = SimulationOptions(seed=1, end_ms=ms_from_iso(end), lifecycle=Profile.SYNTHEA)
        life = simulate_patient(NO_MODULES, catalogue, cohort, 0, options)
        found: dict[int, Visit] = {}
        for index, row in enumerate(life.events):
            if row["kind"] == EventKind.ENCOUNTER and catalogue.streams[row["module"]] == "@encounters":
                code = catalogue.sources[row["state"]].codes[0].code
                found[index] = (int(row["time"]) - life.birth_ms, code, [])
            elif row["kind"] == EventKind.IMMUNIZATION and row["module"] == STREAM_IMMUNIZATIONS:
                found[int(row["encounter"])][2].append(catalogue.sources[row["state"]].codes[0].code)
        assert [(at, code, sorted(cvx)) for at, code, cvx in found.values()] == visits


def test_dose_numbers_count_up() -> None:
    cohort = cohort_of("2000-01-01", {})
    options = SimulationOptions(seed=1, end_ms=ms_from_iso("2020-01-01"), lifecycle=Profile.SYNTHEA)
    life = simulate_patient(NO_MODULES, Catalogue(NO_MODULES), cohort, 0, options)
    for number in range(len(immunization_schedule())):
        mine = life.events[life.events["state"] == SOURCE_VACCINE_FIRST + number]
        assert mine["value"].tolist() == [float(k + 1) for k in range(len(mine))]


def test_rules() -> None:
    assert is_due((2, 4, 6), [], 2)
    assert not is_due((2, 4, 6), [], 1)
    assert not is_due((2, 4, 6), [2], 3)
    assert is_due((2, 4, 6), [2], 5)
    assert not is_due((2, 4, 6), [2, 4, 6], 200)  # all given
    assert not is_due((2, 4, 6), [], 54)  # all too late: 54 - 6 >= 48
    assert is_due((2, 4, 6), [], 53)
    assert is_due((2, 60), [2], 70)  # the first dose lies further back than four years and answers for nothing
    assert not is_due((2, 60), [60], 70)
