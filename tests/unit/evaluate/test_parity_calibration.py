"""Nothing is found where nothing is wrong, and what was planted is found.

Under the null each of about 160 codes is outside 2 SE with a chance of 4.6 %, and ten move together, so that the share
within has a standard deviation of roughly 2.5 %: the bounds below fail about once in a thousand seeds. The seed is
fixed.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.evaluate.population import N_CODES, made_up_records, made_up_states
from trajsim.errors import ConfigError
from trajsim.evaluate.parity import Comparison, Parity, compare, read_reference
from trajsim.evaluate.parity.null import shares_outside
from trajsim.records.table import Records

N_OURS = 1_000


def compared(folder: Path, ours: Records) -> Parity:
    return compare([ours], made_up_states(ours), read_reference(folder), about={"notes": []})


def of_measure(parity: Parity, measure: str) -> list[Comparison]:
    return [each for each in parity.comparisons if each.measure == measure]


def share_within(found: list[Comparison], errors: float = 2.0) -> float:
    assert found
    return sum(abs(each.z or 0.0) <= errors for each in found) / len(found)


@pytest.fixture(name="null", scope="module")
def null_fixture(reference_folder: Path) -> Parity:
    """Another sample of the same population, half as large."""
    return compared(reference_folder, made_up_records(N_OURS, 7))


def test_two_samples_of_one_population_agree(null: Parity) -> None:
    rates = of_measure(null, "events per person-year")
    assert len(rates) >= N_CODES
    assert 0.87 <= share_within(rates) <= 1.0
    assert min(each.q for each in rates) > 0.01
    strata = of_measure(null, "events per person-year by age and sex")
    assert len(strata) > 2_000
    assert 0.93 <= share_within(strata) <= 0.975
    for measure in ("persons ever", "entered per person", "observation values", "point prevalence"):
        assert share_within(of_measure(null, measure), 3.0) >= 0.97, measure


def test_all_promises_are_kept_where_nothing_is_wrong(null: Parity) -> None:
    assert {gate.name: gate.value for gate in null.gates if not gate.is_kept and gate.name != "codes within 2 SE"} == {}


def test_variances_are_those_between_persons(null: Parity) -> None:
    # By a Poisson variance the same differences would be far outside.
    rates = [each for each in of_measure(null, "events per person-year") if each.n_ours > 500]
    poisson = [abs(each.effect) / np.sqrt(1.0 / each.n_ours + 1.0 / each.n_theirs) for each in rates]
    assert sum(z > 2.0 for z in poisson) > 3 * sum(abs(each.z or 0.0) > 2.0 for each in rates)


def test_a_planted_difference_is_found_and_comes_first(reference_folder: Path) -> None:
    parity = compared(reference_folder, made_up_records(N_OURS, 7, planted={120: 1.8}, shift=5.0))
    first = of_measure(parity, "events per person-year")[0]
    assert first.key == {"kind": "condition", "class": "", "code": "C120"}
    assert first.effect == pytest.approx(0.8, abs=0.25)
    assert first.q < 1e-6
    assert parity.writers["condition||C120"][0]["state"] == "Onset 120"
    assert of_measure(parity, "entered per person")[0].key == {"module": "made", "state": "Onset 120"}
    kept = {gate.name: gate.is_kept for gate in parity.gates}
    assert not kept["large codes off by 10 %"]
    assert not kept["medians within 3 SE or 2 %"]
    assert parity.has_findings


def test_ages_that_differ_are_no_difference_of_rates(reference_folder: Path) -> None:
    ours = made_up_records(2 * N_OURS, 7)
    born = ours["patients"]["birth_time"].cast("int64").to_numpy()
    young = ours.patient_ids[born > np.quantile(born, 0.4)]  # the oldest left out
    chosen = {name: table.filter(np.isin(table["patient_id"].to_numpy(), young)) for name, table in ours.tables.items()}
    parity = compared(reference_folder, Records(chosen))
    assert share_within(of_measure(parity, "events per person-year by age and sex")) > 0.93
    assert share_within(of_measure(parity, "persons ever")) < 0.85


def test_random_splits_have_the_share_of_the_normal() -> None:
    rng = np.random.default_rng(3)
    influence = rng.normal(size=(200, 400))
    shares = shares_outside(influence, ["a"] * 100 + ["b"] * 100, share_ours=0.25, n_splits=100)
    assert set(shares) == {"", "a", "b"}
    assert shares[""].mean() == pytest.approx(0.0455, abs=0.01)
    together = shares_outside(np.repeat(influence[:1], 50, axis=0), ["a"] * 50, share_ours=0.25, n_splits=100)
    assert set(np.unique(together["a"])) <= {0.0, 1.0}
    with pytest.raises(ConfigError, match="share_ours"):
        shares_outside(influence, ["a"] * 200, share_ours=1.0)
