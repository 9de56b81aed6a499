"""The split of a patient is a function of the id alone."""

from hashlib import sha256

import numpy as np
import pytest

from trajsim.learn.ingest.splits import hashed_days, plain_id, split_indices, split_of


@pytest.mark.parametrize(
    ("written", "hashed"),
    [("7", "7"), ("007", "7"), ("7.0", "7"), ("-3", "-3"), ("7.5", "7.5"), ("a7", "a7"), ("", "")],
)
def test_whole_numbers_are_hashed_without_zeros_and_points(written: str, hashed: str) -> None:
    assert plain_id(written) == hashed


def test_held_out_patients_are_those_of_the_public_rule() -> None:
    for number in range(200):
        if int(sha256(f"trajsim-holdout:{number}".encode()).hexdigest()[:8], 16) % 5 == 0:
            assert split_of(str(number)) == "held_out"


def test_shares_of_the_splits() -> None:
    shares = np.bincount(split_indices(map(str, range(20_000))), minlength=3) / 20_000
    assert shares == pytest.approx([0.8 * 0.65, 0.8 * 0.10, 0.2 + 0.8 * 0.25], abs=0.01)


def test_hashed_days_lie_within_their_bounds() -> None:
    days = hashed_days("x", map(str, range(1_000)), low_years=20, high_years=85)
    assert days.min() >= 20 * 365.25 - 1
    assert days.max() < 85 * 365.25
    assert hashed_days("y", ["1"], low_years=1, high_years=17) != hashed_days("x", ["1"], low_years=1, high_years=17)
