"""One more reader of vital signs or of the lifecycle's attributes shifts nothing in any other module."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue, EventKind, ValueKind
from trajsim.engine.life import Life
from trajsim.engine.lifecycle_slots import ATTRIBUTE_NAMES, SIGN_NAMES
from trajsim.engine.simulate import simulate_life
from trajsim.lifecycle.profile import Lifecycle
from trajsim.testing.asserts import life_or_fault
from trajsim.testing.draw_parts import Json
from trajsim.testing.strategies import Scenario, load, scenarios

_CODE = {"system": "LOINC", "code": "reader", "display": "reader"}
_SEEN = {"category": "laboratory", "unit": "u", "codes": [_CODE]}
STEP_BUDGET = 2_000  # the reader passes three states a week, also where a step is a year
EXAMPLES = 50 if settings().max_examples < 1_000 else 1_000


def _signs_reader() -> dict[str, Json]:
    """Reads every sign in a guard and in an observation, every week."""
    conditions = [
        {"condition_type": "Vital Sign", "vital_sign": sign, "operator": ">", "value": 100} for sign in SIGN_NAMES
    ]
    return _weekly(
        {"condition_type": "At Least", "minimum": 1, "conditions": conditions},
        [{"vital_sign": sign, **_SEEN} for sign in SIGN_NAMES],
    )


def _attributes_reader() -> dict[str, Json]:
    """Reads every attribute of the lifecycle in a guard and in an observation, every week."""
    conditions = [
        {"condition_type": "Attribute", "attribute": name, "operator": "is not nil"} for name in ATTRIBUTE_NAMES
    ]
    return _weekly(
        {"condition_type": "At Least", "minimum": 1, "conditions": conditions},
        [{"attribute": name, **_SEEN} for name in ATTRIBUTE_NAMES],
    )


def _weekly(condition: Json, read: list[Json]) -> dict[str, Json]:
    week = {"quantity": 1, "unit": "weeks"}
    return {
        "Initial": {"type": "Initial", "direct_transition": "Guard"},
        "Guard": {"type": "Guard", "allow": condition, "direct_transition": "Report"},
        "Report": {"type": "DiagnosticReport", "codes": [_CODE], "observations": read, "direct_transition": "Wait"},
        "Wait": {"type": "Delay", "exact": week, "direct_transition": "Guard"},
    }


READERS = {"signs": _signs_reader(), "attributes": _attributes_reader()}
# Before the core turn, and after all others.
KEYS = ("Able reader", "zz reader")


def _life(scenario: Scenario, row: int, reader: dict[str, Json] | None, key: str) -> tuple[Life, Catalogue] | None:
    """The life of one patient, with one more module or without; None if a module spins."""
    files = dict(scenario.files)
    if reader is not None:
        files[key] = {"name": "Reader", "states": reader}
    modules = load(files, scenario.table_files)
    catalogue = Catalogue(modules, extra_strings=scenario.cohort.texts())
    options = replace(scenario.options, step_budget=STEP_BUDGET)
    program = compile_modules(modules, catalogue=catalogue, lifecycle=options.lifecycle)
    life = life_or_fault(
        lambda: simulate_life(modules, catalogue, scenario.cohort, row, options, history=True, program=program)
    )
    return (life, catalogue) if isinstance(life, Life) else None


def _portable(life: Life, catalogue: Catalogue, key: str) -> Iterator[tuple[object, ...]]:
    """The events of all modules but one, with names in place of indexes.

    An event is known by its stream and its number in that stream.
    """
    events = life.events
    names = [(catalogue.streams[row["module"]], int(row["ordinal"])) for row in events]

    def reference(ref: int) -> object:
        return names[ref] if ref >= 0 else ref if ref == -1 else catalogue.codes[-2 - ref]

    for name, row in zip(names, events, strict=True):
        source = catalogue.sources[row["state"]]
        if source.module == key:
            continue
        value: object = row["value"].tobytes()
        kind, tag = int(row["kind"]), int(row["tag"])
        if kind == EventKind.OBSERVATION and tag == ValueKind.CODE:
            value = catalogue.codes[int(row["value"])]
        elif kind == EventKind.OBSERVATION and tag == ValueKind.STRING:
            value = catalogue.strings[int(row["value"])]
        elif kind in {EventKind.MEDICATION_AGAIN, EventKind.CAREPLAN_AGAIN}:
            value = reference(int(row["value"]))
        place = (source.module, source.state, source.child)
        pointers = (reference(int(row["encounter"])), reference(int(row["ref"])))
        yield (*name, int(row["time"]), kind, place, *pointers, value, tag)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@settings(max_examples=EXAMPLES)
@given(scenario=scenarios(), key=st.sampled_from(KEYS))
def test_one_more_reader_shifts_nothing(scenario: Scenario, reader: dict[str, Json], key: str) -> None:
    if scenario.options.lifecycle is Lifecycle.NONE:
        scenario = replace(scenario, options=replace(scenario.options, lifecycle=Lifecycle.SYNTHEA))
    for row in range(len(scenario.cohort)):
        alone = _life(scenario, row, None, key)
        read = _life(scenario, row, reader, key)
        assert (alone is None) == (read is None)
        if alone is not None and read is not None:
            assert list(_portable(*alone, key)) == list(_portable(*read, key))
            assert alone[0].death_ms == read[0].death_ms
