import numpy as np
import orjson
import pytest

from tests.unit.trials.recruitment.builders import people, world
from trajsim.trials.recruitment.bridge import Moments, bridge, history_of
from trajsim.trials.recruitment.result import RecruitmentResult
from trajsim.trials.recruitment.run import simulate_recruitment

N_SITES, PER_SITE = 10, 73


def _homogeneous(*, variation: float, replicates: int, target: int | None = None) -> RecruitmentResult:
    """Sites with equally many people, who come on days spread evenly; every step is known."""
    days = np.arange(N_SITES * PER_SITE) // 2
    cities = [f"City {k % N_SITES}" for k in range(len(days))]
    sites = [{"name": f"Site {n}", "share": 1.0, "city": f"City {n}"} for n in range(N_SITES)]
    recruitment: dict[str, object] = {"site_variation": variation}
    if target is not None:
        recruitment |= {"target": target, "stops_at_target": True}
    trial = world(
        people(days[:, None], more={"city": cities}), sites=sites, recruitment=recruitment,
        funnel={"contact": 0.2, "consent": 0.9},
    )  # fmt: skip
    return simulate_recruitment(trial, replicates=replicates, seed=4)


def test_both_engines_agree_where_people_are_alike() -> None:
    result = _homogeneous(variation=0.0, replicates=200)
    both = bridge(result)
    want = N_SITES * PER_SITE * 0.18
    assert both.simulated.mean == pytest.approx(want, abs=4 * (want / 200) ** 0.5)
    assert abs(both.z_mean) < 3
    assert abs(both.z_variance) < 3
    assert both.choice.best.name == "constant"
    assert not both.choice.is_homogeneous_rejected
    assert orjson.dumps(both.to_json())


def test_sites_that_differ_are_found_to_differ() -> None:
    both = bridge(_homogeneous(variation=0.5, replicates=200))
    assert both.choice.best.gamma.shape == pytest.approx(4.0, rel=0.25)
    assert both.choice.best.heterogeneity_p < 1e-6
    assert both.model_variance > 2 * both.model_mean
    assert abs(both.z_variance) < 4


def test_the_history_holds_everybody() -> None:
    result = _homogeneous(variation=0.0, replicates=5)
    history = history_of(result, replicates=5)
    assert history.counts.reshape(5, N_SITES).tolist() == result.by_site.tolist()
    assert (history.exposures == 365).all()


def test_a_trial_that_stops_at_its_target_stops_in_both() -> None:
    result = _homogeneous(variation=0.0, replicates=100, target=120)
    both = bridge(result)
    assert both.simulated.mean <= 120
    assert both.model_mean == pytest.approx(both.simulated.mean, abs=2.0)
    assert both.model_probability == pytest.approx(both.simulated_probability, abs=0.15)


def test_moments() -> None:
    sample = np.random.default_rng(1).normal(10, 2, 10_000)
    moments = Moments.of(sample)
    assert moments.mean_error == pytest.approx(0.02, rel=0.05)
    assert moments.variance_error == pytest.approx(4 * (2 / 10_000) ** 0.5, rel=0.1)
