"""The stretches of a gap: as many as an observation needs, the same whichever number that is; what each adds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.learn.made_up import VOCABULARY
from trajsim.learn.features import DAYS_PER_YEAR, GAP, IS_ENTRY, scaled_gap
from trajsim.learn.models.network import applied, initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import (
    GAP_DAYS,
    MOST_REFRESHES,
    OFFSET_DAYS,
    PIECE_DAYS,
    REFRESH_DAYS,
    TRAINING,
    segments_until,
)


@given(st.floats(min_value=0.1, max_value=110.0), st.floats(min_value=0.0, max_value=1.0))
def test_a_gap_within_the_observation_is_cut_as_in_a_whole_life(years: float, share: float) -> None:
    short, whole = segments_until(years), segments_until(110.0)
    gap = np.array([share * min(years, 109.0)], dtype=np.float32)
    exposure = short.exposure(np, gap)[0]
    assert exposure.sum() == pytest.approx(gap[0], rel=1e-5, abs=1e-6)
    np.testing.assert_array_equal(exposure, whole.exposure(np, gap)[0, : len(exposure)])
    ended = int(short.of(np, gap)[0])
    assert ended == int(whole.of(np, gap)[0])
    assert (short.offset[ended], short.refresh[ended]) == (whole.offset[ended], whole.refresh[ended])


def test_what_training_saw_needs_no_more_than_its_stretches() -> None:
    longest = MOST_REFRESHES * REFRESH_DAYS / DAYS_PER_YEAR
    assert segments_until(longest) is TRAINING
    assert len(segments_until(longest + 0.1).start) > len(TRAINING.start)
    assert len(segments_until(longest + 0.1).start) < len(segments_until(60.0).start)
    assert segments_until(500.0) is segments_until(60.0)


def test_every_piece_of_a_later_year_begins_where_the_engine_can_change_a_hazard() -> None:
    assert list(OFFSET_DAYS) == sorted(set(OFFSET_DAYS))
    assert {days % REFRESH_DAYS for days in OFFSET_DAYS} <= set(PIECE_DAYS)


@given(st.integers(min_value=1, max_value=3000))
def test_visits_alone_have_a_rhythm_by_the_gap_before(gap_days: int) -> None:
    spec = ModelSpecification(vocabulary=VOCABULARY, width=4)
    offset = np.arange(len(OFFSET_DAYS) * (spec.n_events + 1), dtype=np.float32).reshape(len(OFFSET_DAYS), -1)
    rhythm = np.tile(1000.0 * np.arange(len(GAP_DAYS) + 2)[:, None], (1, len(OFFSET_DAYS))).astype(np.float32)
    start = initial_parameters(spec, jax.random.key(0))["params"]
    params = {"params": {**start, "heads": {**start["heads"], "offset": offset, "rhythm": rhythm}}}
    features = np.zeros((2, spec.n_features), dtype=np.float32)
    features[0, spec.n_clock + GAP] = scaled_gap(np, np.float32(gap_days / DAYS_PER_YEAR))
    features[1, spec.n_clock + IS_ENTRY] = 1.0
    every_piece = jnp.arange(len(OFFSET_DAYS))
    made = (
        np.asarray(applied(spec, params, lambda network: network.heads.offsets(jnp.asarray(features), every_piece)))
        - offset
    )
    assert not made[..., :-1].any()
    assert (made[0, :, -1] == 1000.0 * np.searchsorted(GAP_DAYS, gap_days)).all()
    assert (made[1, :, -1] == 1000.0 * (len(GAP_DAYS) + 1)).all()
