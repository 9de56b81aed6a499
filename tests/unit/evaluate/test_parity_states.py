import pytest

from trajsim.evaluate.parity.result import Comparison
from trajsim.evaluate.parity.states import StateRows, compare_states, uncounted_modules


def entry(entered: int, persons: int, to: dict[str, int] | None = None, **more: int) -> dict[str, object]:
    return {"entered": entered, "persons": persons, "still_there": 0, "mean_days": 0.0, "to": to or {}, **more}


def compared(
    ours: dict[str, dict[str, object]], theirs: dict[str, dict[str, object]], *, rows: StateRows | None = None,
    module: str = "asthma", n_ours: int = 1_000, n_theirs: int = 1_000,
) -> dict[str, Comparison]:  # fmt: skip
    found = compare_states({module: ours}, {module: theirs}, state_rows=rows or {}, n_ours=n_ours, n_theirs=n_theirs)
    return {f"{each.measure}: {each.key['state']}": each for each in found}


def test_a_state_entered_once_a_life_varies_as_a_share_does() -> None:
    found = compared({"Onset": entry(100, 100)}, {"Onset": entry(140, 140)})["entered per person: Onset"]
    assert found.ours == 0.1
    assert found.z == pytest.approx(-0.04 / (0.12 * 0.88 * 2 / 1_000) ** 0.5, rel=1e-6)


def test_entries_that_cluster_in_persons_vary_more() -> None:
    # 100 persons entered it ten times each
    ours = entry(1_000, 100, sum_sq_per_person=10_000)
    found = compared({"Attack": ours}, {"Attack": entry(1_200, 110)})["entered per person: Attack"]
    variance = 1.1 * (1.0 + (9.0 / 1.0 - 1.0) * 1.1 / 1.0)
    assert found.z == pytest.approx(-0.2 / (variance * 2 / 1_000) ** 0.5, rel=1e-6)


def test_rows_tell_what_the_metrics_do_not() -> None:
    rows = {("asthma", "Attack"): (2_000, 40_000, 100)}  # two rows an entry, twenty for each of 100 persons
    a, b = {"Attack": entry(1_000, 100)}, {"Attack": entry(1_200, 110)}
    with_rows = compared(a, b, rows=rows)["entered per person: Attack"].z
    counted = compared({"Attack": entry(1_000, 100, sum_sq_per_person=10_000)}, b)["entered per person: Attack"].z
    assert with_rows == pytest.approx(counted)


def test_a_submodule_has_no_persons_and_a_wide_variance() -> None:
    found = compared({"Initial": entry(2_000, 2_000)}, {"Initial": entry(2_200, 2_200)}, module="asthma/exacerbation")
    assert found["entered per person: Initial"].z == pytest.approx(-0.2 / ((2.1 + 2.1**2) * 2 / 1_000) ** 0.5, rel=1e-6)


def test_transitions_are_compared_as_multinomials() -> None:
    ours = {"Choice": entry(200, 200, {"A": 100, "B": 100})}
    theirs = {"Choice": entry(200, 200, {"A": 140, "B": 60})}
    found = compared(ours, theirs)["transitions: Choice"]
    assert found.z is None
    assert found.detail["chi_square"] == pytest.approx(50.0 / 3.0)  # 20^2 (2 / 120 + 2 / 80)
    assert found.p < 1e-4
    assert abs(found.ours - found.theirs) == pytest.approx(0.2)


def test_moves_of_one_person_may_be_alike() -> None:
    # Ten persons, twenty moves each, always the same way: six and eight of them went to A.
    ours = {"Choice": entry(200, 10, {"A": 120, "B": 80}, sum_sq_per_person=4_000)}
    theirs = {"Choice": entry(200, 10, {"A": 160, "B": 40})}
    found = compared(ours, theirs, n_ours=10, n_theirs=10)["transitions: Choice"]
    assert found.p > 0.3
    independent = found.detail["p_if_moves_independent"]
    assert isinstance(independent, float)
    assert independent < 1e-4


def test_rare_states_and_single_exits_are_left_out() -> None:
    assert compared({"Rare": entry(3, 3)}, {"Rare": entry(40, 40)}) == {}
    found = compared({"Way": entry(900, 900, {"End": 900})}, {"Way": entry(900, 900, {"End": 900})})
    assert set(found) == {"entered per person: Way"}


def test_modules_that_the_reference_did_not_count_are_named() -> None:
    ours = {"asthma": {"Onset": entry(100, 100)}, "heart/outcomes": {"Initial": entry(900, 900)}, "idle": {}}
    theirs = {"asthma": {"Onset": entry(100, 100)}}
    assert uncounted_modules(ours, theirs) == ["heart/outcomes"]
    found = compare_states(ours, theirs, state_rows={}, n_ours=1_000, n_theirs=1_000)
    assert {each.key["module"] for each in found} == {"asthma"}
