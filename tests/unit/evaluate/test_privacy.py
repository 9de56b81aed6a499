import numpy as np
import pytest

from tests.unit.evaluate.made_up_sequences import made_up_sequences
from trajsim.evaluate.privacy.distances import nearest
from trajsim.evaluate.privacy.membership_inference import membership_inference
from trajsim.evaluate.privacy.nearest_neighbors import nearest_neighbors
from trajsim.evaluate.resampling import Resampling

QUICK = Resampling(n_bootstrap=10, n_floor=3)


def test_a_loss_that_knows_its_patients_is_seen_through() -> None:
    generator = np.random.default_rng(6)
    train, held_out = generator.normal(0.0, 1.0, 600), generator.normal(1.0, 1.0, 400)
    auc, sensitivity = membership_inference(train, held_out, untrained=(held_out, held_out), resampling=QUICK)
    assert auc.value == pytest.approx(0.76, abs=0.04)
    assert auc.low < auc.value < auc.high
    assert auc.floor == 0.5
    assert sensitivity.value > 0.03


def test_nearest_distances_are_those_of_all_pairs() -> None:
    generator = np.random.default_rng(8)
    some, others = generator.normal(size=(40, 5)), generator.normal(size=(70, 5))
    expected = np.sort(np.linalg.norm(some[:, None] - others, axis=2), axis=1)[:, :3]
    assert nearest(some, others, k=3) == pytest.approx(expected)


def test_a_copy_of_the_training_patients_is_no_safe_cohort() -> None:
    train, held_out = made_up_sequences(600, 31), made_up_sequences(500, 32)
    share, low, ratio = nearest_neighbors(held_out, train, train=train, resampling=QUICK)
    assert share.value > 0.8
    assert share.value > share.floor
    assert low.value == 0.0
    assert low.floor > 0.0
    assert ratio.value < ratio.floor


def test_strangers_are_as_close_to_held_out_patients_as_to_training_ones() -> None:
    train, held_out = made_up_sequences(1_000, 33), made_up_sequences(500, 34)
    share = nearest_neighbors(held_out, made_up_sequences(600, 35), train=train, resampling=QUICK)[0]
    assert share.value == pytest.approx(0.5, abs=0.07)
    assert nearest_neighbors(held_out, train, resampling=QUICK) == ()
