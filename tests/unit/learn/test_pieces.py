"""The stretches of a gap: as many as an observation needs, and the same whichever number that is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.learn.features import DAYS_PER_YEAR
from trajsim.learn.pieces import MOST_REFRESHES, REFRESH_DAYS, TRAINING, segments_until


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
