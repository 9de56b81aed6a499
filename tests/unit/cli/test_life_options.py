import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from trajsim.cli.life_options import LifeOptions, resolve_life_options
from trajsim.errors import ConfigError

GIVEN: dict[str, Any] = {
    "seed": 7,
    "modules_dir": None,
    "modules": None,
    "override": None,
    "start": None,
    "end": "2026-01-01",
    "age": None,
    "sex": None,
    "state": None,
    "city": None,
    "mortality": None,
    "mortality_offset": None,
}


def resolve(**options: object) -> LifeOptions:
    return resolve_life_options(**{**GIVEN, **options}, today=dt.date(2031, 2, 3))


def test_nothing_given_is_whole_lives_by_the_life_table_to_a_fixed_day() -> None:
    options = resolve()
    assert (options.end, options.mortality, options.age) == ("2026-01-01", "life-table", None)
    assert options.recorded()["--mortality-offset"] == "bundled"
    assert options.notes() == []


def test_modules_of_ones_own_kill_alone_unless_asked_otherwise() -> None:
    assert resolve(modules_dir=Path("mine")).mortality == "modules-only"
    asked = resolve(modules_dir=Path("mine"), mortality="life-table")
    assert asked.mortality == "life-table"
    assert "no --mortality-offset" in asked.notes()[0]


def test_today_is_resolved_and_recorded() -> None:
    options = resolve(end="today")
    assert options.is_today
    assert options.recorded()["--end"] == "2031-02-03"


def test_ages_are_whole_years() -> None:
    assert resolve(age="0-17").age == (0, 17)
    assert resolve(age="40-40").recorded()["--age"] == "40-40"


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("seed", -1, "--seed"),
        ("seed", 2**64, "--seed"),
        ("age", "17", "--age"),
        ("age", "30-20", "--age"),
        ("age", "1.5-3", "--age"),
        ("age", "-3-4", "--age"),
        ("sex", "female", "--sex"),
        ("end", "01/02/2020", "--end"),
        ("end", "tomorrow", "'today'"),
        ("start", "today", "--start"),
        ("start", "2030-01-01", "--start"),
        ("mortality", "none", "--mortality"),
        ("mortality_offset", Path("no/such/file.csv"), "no such file"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(option: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        resolve(**{option: value})
    assert says in refusal.value.message


def test_an_offset_file_needs_the_life_table(tmp_path: Path) -> None:
    offset = tmp_path / "offset.csv"
    offset.write_text("sex,age,hazard_per_year\n")
    with pytest.raises(ConfigError, match="needs --mortality life-table"):
        resolve(modules_dir=Path("mine"), mortality_offset=offset)
    recorded = resolve(mortality_offset=offset).recorded()
    assert str(recorded["--mortality-offset"]).startswith("sha256 ")
