"""The constants cover what modules read and nothing writes yet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.stand_in import ABSENT_ATTRIBUTES, STAND_IN_ATTRIBUTES, STAND_IN_VITAL_SIGNS
from trajsim.units import ms_from_iso

SET_BY_MODULES_ALONE = "Left ventricular Ejection fraction"


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


def test_every_vital_sign_that_stock_modules_read_has_a_value(shared: Path) -> None:
    modules = shared / "synthea" / "modules"
    signs = {
        item["vital_sign"]
        for path in modules.rglob("*.json")
        for item in _objects(json.loads(path.read_bytes()))
        if isinstance(item.get("vital_sign"), str)
    }
    assert signs - STAND_IN_VITAL_SIGNS.keys() == {SET_BY_MODULES_ALONE}
    assert len(STAND_IN_VITAL_SIGNS) == 27


def test_every_attribute_of_the_lifecycle_that_stock_modules_read_is_there_or_absent_with_a_reason(
    shared: Path,
) -> None:
    stats = shared / "reference" / "gmf_stats.json"
    read = json.loads(stats.read_bytes())["java_written_attributes_read_by_json"]
    names = set(read)
    options = PopulationOptions(end_ms=ms_from_iso("2026-01-01"))
    cohort = build_cohort(options, first_patient=0, n_patients=1, seed=7)
    assert names - cohort.attributes.keys() - ABSENT_ATTRIBUTES.keys() == set()


def test_nothing_is_both_there_and_absent() -> None:
    assert not STAND_IN_ATTRIBUTES.keys() & ABSENT_ATTRIBUTES.keys()
