"""Who is insured how."""

import pytest

from tests.unit.engine.reference_lifecycle.people import draws, gives, person
from trajsim.engine.events import SOURCE_INSURANCE, STREAM_INSURANCE, EventKind
from trajsim.engine.reference.lifecycle.insurance import Insurance
from trajsim.lifecycle.tables import disability_codes, insurance_plans
from trajsim.units import DAY_MS, WEEK_MS

KINDS = [plan.kind for plan in insurance_plans()]
YEAR_MS = 366 * DAY_MS


def test_poor_infant_has_medicaid_and_a_row() -> None:
    child = person("2000-01-01", state="Alabama", income=1.41 * 17_550)
    insurance = Insurance(child)
    insurance.begin_step(child.birth)
    assert insurance.status == "medicaid"
    assert insurance.has_low_access
    assert child.patient.attributes["insurance_status"] == "medicaid"
    row = child.patient.log.rows[0]
    assert (row.kind, row.value, row.state, row.module) == (
        EventKind.COVERAGE, float(KINDS.index("medicaid")), SOURCE_INSURANCE, STREAM_INSURANCE,
    )  # fmt: skip
    assert (row.encounter, row.ref, row.tag) == (-1, -1, 0)


def test_choice_is_made_once_a_year_of_age_and_written_when_it_differs() -> None:
    child = person("2000-01-01", state="Alabama", income=1.41 * 17_550)
    insurance = Insurance(child)
    insurance.begin_step(child.birth)
    child.patient.attributes["blindness"] = True
    insurance.begin_step(child.birth + WEEK_MS)
    insurance.begin_step(child.birth + YEAR_MS)
    assert len(child.patient.log) == 1


def test_rich_people_take_what_is_left() -> None:
    man = person("1960-01-01", state="Alabama", income=500_000.0)
    insurance = Insurance(man)
    insurance.begin_step(man.birth)
    private = [row for row, kind in enumerate(KINDS) if kind == "private"]
    assert insurance.plan == private[int(draws().uniform("insurance choice", 0) * len(private))]
    assert insurance.status == "private"
    assert not insurance.has_low_access


def test_nobody_without_money_before_2006() -> None:
    man = person("1960-01-01", state="nowhere", income=80_000.0, occupation_level=0.2)
    insurance = Insurance(man)
    insurance.begin_step(man.birth)
    assert insurance.status == "none"
    assert insurance.plan == -1
    assert man.patient.log.rows[0].value == -1.0
    insurance.begin_step(man.birth + 50 * 365 * DAY_MS)  # in 2009, with work
    assert insurance.status == "private"


def test_private_plan_is_kept() -> None:
    man = person("1960-01-01", state="Alabama", income=500_000.0)
    insurance = Insurance(man)
    plans = set()
    for year in range(60):
        insurance.begin_step(man.birth + year * YEAR_MS)
        plans.add(insurance.plan)
    assert len(plans) == 1
    insurance.begin_step(man.birth + 66 * YEAR_MS)
    assert insurance.status == "medicare"


@pytest.mark.parametrize("patient_id", range(8))
def test_disabled_people(patient_id: int) -> None:
    man = person("1960-01-01", patient_id=patient_id, state="Alabama", income=500_000.0)
    insurance = Insurance(man)
    gives(man.patient, disability_codes()[0], EventKind.PROCEDURE, man.birth)
    assert insurance.is_disabled()
    insurance.begin_step(man.birth)
    accepted = draws(patient_id).uniform("insurance disability", 0, 0) < 0.85
    assert insurance.status == ("medicare" if accepted else "private")


@pytest.mark.parametrize("patient_id", range(8))
def test_dual(patient_id: int) -> None:
    man = person("1960-01-01", patient_id=patient_id, state="Alabama", income=500_000.0, blindness=True)
    man.patient.attributes["end_stage_renal_disease"] = True
    insurance = Insurance(man)
    insurance.begin_step(man.birth)
    if draws(patient_id).uniform("insurance dual", 0) < 0.85:
        assert insurance.status == "dual eligible"
        assert insurance.has_low_access
    else:  # medicare and medicaid have one priority
        best = [KINDS.index("medicare"), KINDS.index("medicaid")]
        assert insurance.plan == best[int(draws(patient_id).uniform("insurance choice", 0) * 2)]


@pytest.mark.parametrize("patient_id", range(8))
def test_market_by_income(patient_id: int) -> None:
    man = person("1960-01-01", patient_id=patient_id, state="Alabama", income=1.5 * 17_550)
    insurance = Insurance(man)
    insurance.begin_step(man.birth + 30 * YEAR_MS)
    u150, u200 = (draws(patient_id).uniform("insurance aca", 30, tier, 0) for tier in (150, 200))
    priority = 3 if u150 < 0.75 else 4 if u200 < 0.75 else None  # the others cost too much
    assert insurance.plan == -1 if priority is None else insurance_plans()[insurance.plan].priority == priority
