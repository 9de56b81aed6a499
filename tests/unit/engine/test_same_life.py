"""Corners where the two engines once differed, or easily could: each a small set of modules, lived by both."""

from typing import Any

import numpy as np
import pytest

from trajsim.engine.options import SimulationOptions
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.strategies import Scenario, load
from trajsim.units import DAY_MS, ms_from_iso

Json = dict[str, Any]
END: Json = {"type": "Terminal"}
CODE: Json = {"system": "SNOMED-CT", "code": "1", "display": "one"}
BIRTH_MS = ms_from_iso("2000-01-31")


def _same(
    files: dict[str, dict[str, Json]],
    *,
    days: int = 400,
    tables: dict[str, str] | None = None,
    n_patients: int = 3,
    lifecycle: Lifecycle = Lifecycle.NONE,
) -> None:
    """Both engines live the same lives."""
    whole = {key: {"name": f"Module {key}", "states": {**states, "End": END}} for key, states in files.items()}
    modules: ModuleSet = load(whole, tables or {})
    cohort = Cohort(
        patient_id=np.arange(n_patients, dtype=np.uint64),
        birth_ms=np.full(n_patients, BIRTH_MS),
        death_ms=np.full(n_patients, NEVER_MS),
        attributes={
            "gender": AttributeColumn(kind="text", values=np.zeros(n_patients, dtype=np.int32), categories=("F",)),
        },
    )
    options = SimulationOptions(seed=7, end_ms=BIRTH_MS + days * DAY_MS, lifecycle=lifecycle)
    assert_machine_equals_reference(
        Scenario(files=whole, table_files=tables or {}, modules=modules, cohort=cohort, options=options)
    )


def _to(target: str, type_: str = "Simple", **fields: object) -> Json:
    return {"type": type_, **fields, "direct_transition": target}


def _delay(target: str, days: float) -> Json:
    return _to(target, "Delay", exact={"quantity": days, "unit": "days"})


def _set(target: str, name: str, **value: object) -> Json:
    return _to(target, "SetAttribute", attribute=name, **value)


def _guard(target: str, condition: Json) -> Json:
    return _to(target, "Guard", allow=condition)


@pytest.mark.parametrize("operator", ["is nil", "is not nil", "==", "!=", "=>"])
@pytest.mark.parametrize(
    "left",
    [
        {"condition_type": "Age", "quantity": 1.5, "unit": "months"},
        {"condition_type": "Date", "year": 2000},
        {"condition_type": "Symptom", "symptom": "cough"},
        {"condition_type": "Symptom", "symptom": "cough", "value": 0},
        {"condition_type": "Vital Sign", "vital_sign": "BMI"},
        {"condition_type": "Attribute", "attribute": "gender", "value": "F", "value_code": CODE},
        {"condition_type": "Observation", "codes": [CODE], "value": 1},
    ],
)
def test_operators_on_either_side(left: Json, operator: str) -> None:
    condition = {**left, "operator": operator}
    options = [{"transition": "Yes", "condition": condition}, {"transition": "End"}]
    sign = _to("Panel", "VitalSign", vital_sign="BMI", unit="u", exact={"quantity": 20})
    panel = _to("Ask", "MultiObservation", codes=[CODE], observations=[])
    _same(
        {
            "top": {
                "Initial": _to("Sign"), "Sign": sign, "Panel": panel,
                "Ask": {"type": "Simple", "conditional_transition": options},
                "Yes": _to("End", "Vaccine", codes=[CODE]),
            }
        }
    )  # fmt: skip


@pytest.mark.parametrize("operator", [">=", ">", "==", "<", "!="])
@pytest.mark.parametrize(
    ("quantity", "unit"), [(0.5, "years"), (1, "years"), (1.5, "months"), (2, "months"), (0, "years")]
)
def test_guards_on_ages(operator: str, quantity: float, unit: str) -> None:
    age = {"condition_type": "Age", "operator": operator, "quantity": quantity, "unit": unit}
    _same({"top": {"Initial": _to("Wait"), "Wait": _guard("Seen", age), "Seen": _to("End", "Vaccine", codes=[CODE])}})


def test_lengths_beyond_all_time_are_bounded() -> None:
    _same(
        {
            "top": {
                "Initial": _to("Long"),
                "Long": _to("End", "Procedure", codes=[CODE], duration={"low": 1e12, "high": 1e12, "unit": "months"}),
            }
        }
    )


@pytest.mark.parametrize("decimals", [-1, 0, 3, 400])
def test_decimals_and_large_values(decimals: int) -> None:
    span = {"low": -3e19, "high": 5e19, "decimals": decimals}
    law = {"kind": "UNIFORM", "round": True, "parameters": {"low": 1e19, "high": 3e19}}
    _same(
        {
            "top": {
                "Initial": _to("A"), "A": _set("B", "a", range=span), "B": _set("C", "b", distribution=law),
                "C": _to("D", "VitalSign", vital_sign="Own", unit="u", distribution=law),
                "D": _to("End", "Observation", category="", unit="u", codes=[CODE], vital_sign="Own"),
            }
        }
    )  # fmt: skip


def test_a_medication_that_becomes_chronic_later_is_renewed_as_chronic() -> None:
    _same(
        {
            "top": {
                "Initial": _to("Order"),
                "Order": _to("Again", "MedicationOrder", codes=[CODE]),
                "Again": _to("Visit", "MedicationOrder", codes=[CODE], chronic=True),
                "Visit": _to("Leave", "Encounter", wellness=True),
                "Leave": _to("Visit", "EncounterEnd"),
            }
        },
        days=900,
    )


def test_a_reason_may_be_an_attribute_of_the_cohort() -> None:
    _same({"top": {"Initial": _to("P"), "P": _to("End", "Procedure", codes=[CODE], reason="gender")}})


def test_reads_of_a_distribution_without_chance_count() -> None:
    exact = {"kind": "EXACT", "parameters": {"value": 3}}
    drawn = {"kind": "UNIFORM", "parameters": {"low": 0, "high": 9}}
    ask = [{"category": "", "unit": "u", "codes": [CODE], "vital_sign": sign} for sign in ("A", "B", "A", "B")]
    _same(
        {
            "top": {
                "Initial": _to("A"),
                "A": _to("B", "VitalSign", vital_sign="A", unit="u", distribution=exact),
                "B": _to("C", "VitalSign", vital_sign="B", unit="u", distribution=drawn),
                "C": _to("End", "DiagnosticReport", codes=[CODE], observations=ask),
            }
        }
    )


def test_an_onset_behind_a_state_of_the_encounters_name_does_not_wait() -> None:
    _same(
        {
            "top": {
                "Initial": _to("Call"), "Call": _to("Visit", "CallSubmodule", submodule="s/a"),
                "Visit": _to("Leave", "Encounter", encounter_class="outpatient", codes=[CODE]),
                "Leave": _to("Wait", "EncounterEnd"), "Wait": _delay("Call", 20),
            },
            "s/a": {
                "Initial": _to("Onset"),
                "Onset": _to("Visit", "ConditionOnset", codes=[CODE], target_encounter="Visit"), "Visit": _to("End"),
            },
        }
    )  # fmt: skip


def test_a_window_ends_at_what_a_shared_submodule_did_for_another_module() -> None:
    """The first module leaves the submodule in the middle; the second finishes it, with states older than its own."""
    within = {"quantity": 1, "unit": "weeks"}
    prior = {"condition_type": "PriorState", "name": "Mark", "within": within}
    seen = [{"transition": "Seen", "condition": prior}, {"transition": "End"}]
    _same(
        {
            "z": {
                "Initial": _to("Call"), "Call": _to("Stay", "CallSubmodule", submodule="s/x"),
                "Stay": _delay("Call", 900),
            },
            "b": {
                "Initial": _to("Early"), "Early": _delay("Mark", 40), "Mark": _to("Call"),
                "Call": {"type": "CallSubmodule", "submodule": "s/x", "conditional_transition": seen},
                "Seen": _to("End", "Vaccine", codes=[CODE]),
            },
            "s/x": {"Initial": _to("Wait"), "Wait": _delay("End", 42)},
        }
    )  # fmt: skip


@pytest.mark.parametrize("codes", [("Aa", "BB"), ("BB", "Aa"), ("3001", "3002")])
def test_an_end_by_name_takes_the_first_in_the_order_of_the_hash_map(codes: tuple[str, str]) -> None:
    """The first two codes share a bucket, in the order in which they came; the last two lie in falling buckets."""
    first, second = ({**CODE, "code": code} for code in codes)
    _same(
        {
            "a": {"Initial": _to("Same"), "Same": _to("End", "ConditionOnset", codes=[first])},
            "b": {
                "Initial": _to("Same"), "Same": _to("Stop", "ConditionOnset", codes=[second]),
                "Stop": _to("Last", "ConditionEnd", condition_onset="Same"),
                "Last": _to("End", "Death", condition_onset="Same", exact={"quantity": 90, "unit": "days"}),
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize("status", ["M", "S", "W"])
def test_a_module_marries_and_divorces(status: str) -> None:
    """Marriages end at 35, 45 and 55 only if the attribute says that there is one, whoever set it."""
    years = 365.25
    states = {
        "Initial": _to("Twenties"), "Twenties": _delay("Set", 30 * years),
        "Set": _set("Thirties", "marital_status", value=status), "Thirties": _delay("Again", 10 * years),
        "Again": _set("End", "marital_status", value="M"),
    }  # fmt: skip
    _same({"top": states}, days=round(57 * years), n_patients=24, lifecycle=Lifecycle.SYNTHEA)
