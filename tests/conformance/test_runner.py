"""The runner itself: it must turn red for whatever is altered, unknown or absent."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import Case, CaseError, Lived, case_folders, differences, live, read_case
from tests.conformance.statistics import (
    chi_square_p,
    compare_counts,
    compare_durations,
    granularity,
    kolmogorov_p,
    two_sample_chi_square_p,
)
from trajsim.engine.reference import simulate_patient

OWN_CASES = Path(__file__).parent / "cases"
SHARED_ALTERED = (
    "033_submodule_shared",
    "044_encounter_reason_and_discharge",
    "046_encounter_death_inside",
    "060_medication_ends",
    "062_careplan",
    "063_allergy",
    "064_observations",
    "066_multi_observation",
    "067_diagnostic_report",
    "068_imaging_device_supply_vaccine",
)
OWN_ALTERED = (
    "214_instant_cycle",
    "217_cause_by_onset",
    "219_allergy_reactions",
    "220_imaging_copies",
    "221_medication_again",
    "225_set_attribute",
    "307_coerced_other_kind",
)


def _leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
    else:
        for key, child in items:
            yield from _leaves(child, (*path, key))


def _altered(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "altered" if value is None else f"{value}x"


def _with(expect: object, path: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """A copy of `expect` with one leaf altered, and the leaf before and after."""
    copied: Any = copy.deepcopy(expect)
    part = copied
    for key in path[:-1]:
        part = part[key]
    before = part[path[-1]]
    part[path[-1]] = _altered(before)
    return copied, before, part[path[-1]]


def _assert_every_leaf_matters(folder: Path) -> None:
    case = read_case(folder)
    lived = live(case, simulate_patient)
    assert differences(case, lived) == []
    for path in _leaves(case.expect):
        expect, before, after = _with(case.expect, path)
        altered = Case(case.name, case.folder, case.person, case.run, case.is_exact, expect)
        assert differences(altered, lived), f"{path}: {before!r} -> {after!r} passed"


@pytest.mark.parametrize("name", OWN_ALTERED)
def test_altering_any_leaf_of_an_own_case_turns_it_red(name: str) -> None:
    _assert_every_leaf_matters(OWN_CASES / name)


@pytest.mark.parametrize("name", SHARED_ALTERED)
def test_altering_any_leaf_of_a_shared_case_turns_it_red(name: str, shared: Path) -> None:
    _assert_every_leaf_matters(shared / "synthea" / "reference" / "conformance" / name)


@pytest.mark.parametrize("name", OWN_ALTERED)
def test_leaving_out_any_key_but_an_optional_one_turns_it_red(name: str) -> None:
    case = read_case(OWN_CASES / name)
    lived = live(case, simulate_patient)
    for index, encounter in enumerate(case.expect.get("encounters", [])):
        for key in encounter:
            expect = copy.deepcopy(dict(case.expect))
            del expect["encounters"][index][key]
            altered = Case(case.name, case.folder, case.person, case.run, case.is_exact, expect)
            assert differences(altered, lived), f"encounters[{index}] without {key} passed"


def _copy(folder: Path, case_folder: Path) -> dict[str, Any]:
    target = folder / case_folder.name
    (target / "modules").mkdir(parents=True)
    for module in (case_folder / "modules").glob("*.json"):
        (target / "modules" / module.name).write_bytes(module.read_bytes())
    document: dict[str, Any] = json.loads((case_folder / "case.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("where", [(), ("person",), ("run",), ("expect",)], ids=["document", "person", "run", "expect"])
def test_unknown_key_is_an_error(tmp_path: Path, where: tuple[str, ...]) -> None:
    document = _copy(tmp_path, OWN_CASES / "201_guard_after_delay")
    part = document
    for key in where:
        part = part[key]
    part["surprise"] = 1
    folder = tmp_path / "201_guard_after_delay"
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CaseError, match="surprise"):
        read_case(folder)


def test_unknown_key_of_a_record_turns_it_red(tmp_path: Path) -> None:
    document = _copy(tmp_path, OWN_CASES / "201_guard_after_delay")
    document["expect"]["encounters"][0]["surprise"] = 1
    folder = tmp_path / "201_guard_after_delay"
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    case = read_case(folder)
    assert differences(case, live(case, simulate_patient)) == ["encounters[0].surprise: expected 1, got null"]


@pytest.mark.parametrize(
    "change", [{"kind": "fuzzy"}, {"expect": {}}, {"kind": "statistical", "expect": {"end_state": {}}}]
)
def test_case_that_cannot_be_judged_is_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    document = _copy(tmp_path, OWN_CASES / "201_guard_after_delay") | change
    folder = tmp_path / "201_guard_after_delay"
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CaseError):
        read_case(folder)


def test_folder_without_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case folder"):
        case_folders(tmp_path)
    with pytest.raises(CaseError, match="no folder"):
        case_folders(tmp_path / "nowhere")


def test_folder_without_case_json_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "001_case" / "modules").mkdir(parents=True)
    with pytest.raises(CaseError, match=r"no case\.json in 001_case"):
        case_folders(tmp_path)


def test_fault_that_does_not_come_turns_it_red() -> None:
    case = read_case(OWN_CASES / "201_guard_after_delay")
    lived = live(case, simulate_patient)
    altered = Case(
        case.name, case.folder, case.person, case.run, case.is_exact, {"fault": {"module": "m", "state": "s"}}
    )
    assert differences(altered, Lived(lived.modules, lived.catalogue, lived.lives)) != []


# --- the statistical tests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "degrees", "expected"),
    [
        (3.841458820694124, 1, 0.05),
        (18.420680743952367, 2, 1e-4),
        (11.070497693516351, 5, 0.05),
        (1.0, 4, 0.9097959895689501),
    ],
)
def test_chi_square_tail_has_its_tabulated_values(statistic: float, degrees: int, expected: float) -> None:
    assert chi_square_p(statistic, degrees) == pytest.approx(expected, rel=1e-9)


def test_kolmogorov_tail_has_its_tabulated_values() -> None:
    assert kolmogorov_p(1.3580986393225507) == pytest.approx(0.05, rel=1e-6)
    assert kolmogorov_p(0.1) == 1.0


def test_counts_differ_when_a_category_is_new() -> None:
    assert two_sample_chi_square_p([6_000], [6_000]) == 1.0
    assert list(compare_counts("end_state", {"A": 6_000}, {"A": 5_900, "B": 100}))
    assert not list(compare_counts("end_state", {"A": 4_189, "B": 1_811}, {"A": 4_230, "B": 1_770}))


def _sample(n: int = 4_000, unit: int = 3_600_000) -> list[int]:
    return [unit * (72 + (i * 7_919) % 144) for i in range(n)]


def _kept(values: list[int]) -> dict[str, Any]:
    ordered, n = sorted(values), len(values)
    mean = sum(values) / n
    sd = (sum((value - mean) ** 2 for value in values) / (n - 1)) ** 0.5
    quantiles = [ordered[round(percent / 100 * (n - 1))] for percent in range(101)]
    return {
        "n": n, "unfinished": 0, "mean": mean, "sd": sd, "distinct": len(set(values)), "quantiles_0_to_100": quantiles,
    }  # fmt: skip


def test_sample_agrees_with_itself() -> None:
    assert not list(compare_durations("d", _kept(_sample()), _sample(), 0))


@pytest.mark.parametrize(
    "values",
    [
        [value + 3_600_000 * 24 for value in _sample()],
        [3_600_000 * 144 + (value - 3_600_000 * 144) // 2 // 3_600_000 * 3_600_000 for value in _sample()],
        [value + i % 1_000 for i, value in enumerate(_sample())],
        _sample()[:3_900],
    ],
    ids=["shifted", "narrower", "finer", "fewer"],
)
def test_other_sample_is_told_apart(values: list[int]) -> None:
    assert list(compare_durations("d", _kept(_sample()), values, 4_000 - len(values)))


def test_granularity_is_the_largest_unit() -> None:
    assert granularity([86_400_000, 3_600_000]) == 3_600_000
    assert granularity([1_001, 2]) == 1
