"""Expressions have the same value, and the same coercions, on the virtual machine as in their tree."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trajsim.engine.options import SimulationOptions
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, Cohort
from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.draw_parts import Json, Parts
from trajsim.testing.strategies import Scenario, load
from trajsim.units import DAY_MS, ms_from_iso

BIRTH_MS = ms_from_iso("2000-01-31")
CODE = {"system": "SNOMED-CT", "code": "1", "display": "one"}
# Values of all kinds that expressions can meet; a code has none.
_GIVEN: list[Json] = [
    {"attribute": "a0", "value": 3},
    {"attribute": "a1", "value": -2.5},
    {"attribute": "a2", "value": "yes"},
    {"attribute": "a3", "value": True},
    {"attribute": "gender", "value_code": CODE},
]
_N = 6


def _modules(parts: Parts) -> dict[str, Json]:
    """Sets attributes and vital signs, then computes with them, some days after birth."""
    chain: list[Json] = [{"type": "SetAttribute", **given} for given in _GIVEN]
    law = {"kind": "UNIFORM", "parameters": {"low": 50, "high": 90}}
    chain.append({"type": "VitalSign", "vital_sign": "Heart Rate", "unit": "u", "distribution": law})
    chain.append({"type": "Delay", "exact": {"quantity": parts.pick((0, 40, 395, 5_000)), "unit": "days"}})
    results = [f"r{number}" for number in range(_N)]
    chain += [{"type": "SetAttribute", "attribute": name, "expression": parts.expression()} for name in results]
    chain.append({"type": "VitalSign", "vital_sign": "BMI", "unit": "u", "expression": parts.expression()})
    seen = {"category": "", "unit": "u", "codes": [CODE]}
    chain += [{"type": "Observation", "attribute": name, **seen} for name in results]
    names = ["Initial", *(f"S{position}" for position in range(len(chain))), "End"]
    states: dict[str, Json] = {"Initial": {"type": "Initial", "direct_transition": "S0"}}
    for name, following, state in zip(names[1:], names[2:], chain, strict=False):
        states[name] = {**state, "direct_transition": following}
    states["End"] = {"type": "Terminal"}
    return {"example": {"name": "Example", "states": states}}


def _check(parts: Parts) -> None:
    files = _modules(parts)
    cohort = Cohort(
        patient_id=np.array([5], dtype=np.uint64),
        birth_ms=np.array([BIRTH_MS]),
        death_ms=np.array([NEVER_MS]),
        attributes={},
        vital_signs={"Height": 171.25},
    )
    options = SimulationOptions(
        seed=7, end_ms=BIRTH_MS + 5_100 * DAY_MS, time_step_ms=500 * DAY_MS, lifecycle=Lifecycle.NONE
    )
    modules = load(files, {})
    assert_machine_equals_reference(
        Scenario(files=files, table_files={}, modules=modules, cohort=cohort, options=options)
    )


@given(st.data())
def test_expressions(data: st.DataObject) -> None:
    _check(Parts(lambda low, high: data.draw(st.integers(low, high))))


@given(st.integers(0, 2**63 - 1))
def test_more_expressions(seed: int) -> None:
    _check(Parts(random.Random(seed).randint))
