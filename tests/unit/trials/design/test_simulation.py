import dataclasses

import numpy as np
import pytest

from tests.unit.trials.design.published import DESIGN
from trajsim.trials.design.expectation import expect
from trajsim.trials.design.group_sequential import GroupSequential
from trajsim.trials.design.simulation import Simulation, simulate_design
from trajsim.trials.design.survival_design import Stratum, SurvivalDesign
from trajsim.trials.draws import Performance


def run(design: SurvivalDesign, n: int = 300, performance: Performance | None = None) -> Simulation:
    return simulate_design(design, n_replicates=n, seed=11, performance=performance)


def test_the_published_design_by_simulation() -> None:
    found = run(DESIGN)
    assert found.times.mean(axis=0).tolist() == pytest.approx([31.4, 41.5], abs=0.3)
    assert abs(found.power - 0.802) < 3 * found.power_error
    assert np.all(found.events == [252, 315])
    assert found.subjects.max() == 468
    assert found.dropouts[:, 1].mean() == pytest.approx(29.8, abs=1.5)
    assert found.rejected_at().sum() == pytest.approx(found.power)
    assert found.expected_time == pytest.approx(expect(DESIGN).expected_time, abs=0.8)
    assert 23.0 < found.expected_dropouts < 30.0


def test_neither_threads_nor_blocks_change_a_byte() -> None:
    one, other = run(DESIGN, 30), run(DESIGN, 30, Performance(threads=3, block=7))
    assert one.z.tobytes() == other.z.tobytes()
    assert one.times.tobytes() == other.times.tobytes()


def test_another_hazard_meets_the_same_patients() -> None:
    """The useless treatment leaves the patients of the control arm as they are, so both designs are strongly paired."""
    with_effect, without = run(DESIGN, 200), run(DESIGN.under_null(), 200)
    assert np.corrcoef(with_effect.z[:, 1], without.z[:, 1])[0, 1] > 0.9
    assert np.all(with_effect.z[:, 1] >= without.z[:, 1] - 1.0)


def test_strata_are_randomised_and_tested_by_themselves() -> None:
    strata = (Stratum(share=0.3, factor=3.0), Stratum(share=0.7, factor=0.6))
    design = dataclasses.replace(DESIGN, strata=strata)
    found, formula = run(design), expect(design)
    assert found.times.mean(axis=0).tolist() == pytest.approx(formula.times.tolist(), abs=0.4)
    assert abs(found.power - formula.power) < 3 * found.power_error


def test_unequal_arms_and_weights() -> None:
    design = dataclasses.replace(DESIGN, treated_share=2 / 3, gamma=1.0)
    found, formula = run(design), expect(design)
    assert abs(found.power - formula.power) < 3 * found.power_error + 0.02


def test_a_trial_that_runs_out_of_events_ends_with_what_it_has() -> None:
    design = dataclasses.replace(
        DESIGN, events=(468,), bounds=GroupSequential(), control_dropout=0.05, treated_dropout=0.05
    )
    found = run(design, 20)
    assert np.all(np.isfinite(found.times))
    assert np.all(found.events + found.dropouts == 468)
