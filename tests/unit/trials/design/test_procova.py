import dataclasses

import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.trials.design.procova import ProcovaTrial, _analyses, procova, procova_sample_size
from trajsim.trials.draws import Draws, Performance

TRIAL = ProcovaTrial(n_treated=60, n_control=50, effect=0.5, correlation=0.6)


def test_the_estimates_are_those_of_least_squares() -> None:
    found = _analyses(TRIAL, Draws(4), np.arange(3))
    score, noise = (Draws(4).normals(f"procova/{name}", np.arange(3), 110) for name in ("score", "noise"))
    arm = (np.arange(110) < 60).astype(float)
    for row in range(3):
        y = 0.6 * score[row] + 0.8 * noise[row]
        for place, columns in ((0, [np.ones(110), arm, score[row]]), (2, [np.ones(110), arm])):
            x = np.stack(columns, axis=1)
            beta, rest, _, _ = np.linalg.lstsq(x, y)
            error = np.sqrt(rest[0] / (110 - x.shape[1]) * np.linalg.inv(x.T @ x)[1, 1])
            assert found[row, place] == pytest.approx(beta[1])
            assert found[row, place + 1] == pytest.approx(error)


def test_the_error_stays_and_the_power_grows() -> None:
    found = procova(TRIAL, n_replicates=4_000)
    assert 0.04 < found.type_i < 0.06
    assert found.power == pytest.approx(found.power_formula, abs=0.02)
    assert found.power_unadjusted == pytest.approx(found.power_unadjusted_formula, abs=0.025)
    assert found.variance_ratio == pytest.approx(0.64, abs=0.05)
    assert abs(found.bias) < 0.01


def test_a_drifted_score_changes_nothing() -> None:
    drifted = dataclasses.replace(TRIAL, drift=0.25)
    one, other = procova(TRIAL, n_replicates=500), procova(drifted, n_replicates=500)
    assert one.type_i == other.type_i
    assert one.power == other.power


def test_threads_and_blocks_change_nothing() -> None:
    one = procova(TRIAL, n_replicates=300)
    assert procova(TRIAL, n_replicates=300, performance=Performance(threads=2, block=33)) == one


def test_the_sample_size() -> None:
    assert procova_sample_size(400, 0.5) == 300
    with pytest.raises(ConfigError):
        procova_sample_size(400, 1.5)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        ProcovaTrial(n_treated=1, n_control=50, effect=0.5, correlation=1.0, alpha=0.0)
    assert len(str(caught.value).splitlines()) == 3
