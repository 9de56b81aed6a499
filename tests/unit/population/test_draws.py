"""The vectorised generator is the generator of the streams."""

import numpy as np
import pytest

from trajsim.population.draws import (
    GroupedChoice,
    PopulationDraws,
    Purpose,
    choose,
    cumulative,
    split,
    uniforms,
)
from trajsim.streams import ints
from trajsim.streams.keys import POPULATION, stream_id


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 5, 2**64 - 1])
def test_uniforms_equal_plain_integers(seed: int) -> None:
    ids = np.array([0, 1, 2, 2**32 - 1, 2**32, 2**63 - 1, 12_345_678_901], dtype=np.uint64)
    for stream in (0, stream_id(POPULATION), 2**32 - 1):
        for n in (0, 1, 17, 2**32 - 1):
            got = uniforms(seed, ids, stream=stream, n=n)
            expected = [ints.uniform(seed, int(patient), stream, n) for patient in ids]
            assert got.tolist() == expected


def test_uniforms_do_not_depend_on_the_block() -> None:
    ids = np.arange(20_000, dtype=np.uint64)
    whole = uniforms(7, ids, stream=1, n=0)
    pieces = [uniforms(7, ids[start : start + 333], stream=1, n=0) for start in range(0, len(ids), 333)]
    assert np.array_equal(whole, np.concatenate(pieces))


def test_uniforms_of_nobody() -> None:
    assert len(uniforms(7, np.empty(0, dtype=np.uint64), stream=1, n=0)) == 0


def test_every_purpose_has_its_own_place() -> None:
    ids = np.arange(4, dtype=np.uint64)
    draws = PopulationDraws(7, ids)
    for purpose in Purpose:
        expected = [ints.uniform(7, patient, stream_id(POPULATION), int(purpose)) for patient in range(4)]
        assert draws.uniform(purpose).tolist() == expected
    assert len({int(purpose) for purpose in Purpose}) == len(Purpose.__members__)


def test_split_covers_all_choices_evenly() -> None:
    u = uniforms(7, np.arange(60_000, dtype=np.uint64), stream=1, n=0)
    first, second = split(u, 3, np.full(len(u), 5))
    counts = np.bincount(first * 5 + second, minlength=15)
    chi_square = ((counts - 4_000) ** 2 / 4_000).sum()
    assert chi_square < 36.1  # 14 degrees of freedom, one in a thousand


def test_split_keeps_within_range_at_the_edges() -> None:
    parts = split(np.array([0.0, 1.0 - 2.0**-53]), 7, 11, 13)
    assert [part.tolist() for part in parts] == [[0, 6], [0, 10], [0, 12]]


def test_choose_never_takes_weight_zero() -> None:
    shares = cumulative(np.array([0.0, 1.0, 0.0, 3.0, 0.0]))
    u = np.array([0.0, 0.2499, 0.25, 0.999, 1.0 - 2.0**-53])
    assert choose(u, shares).tolist() == [1, 1, 3, 3, 3]


def test_grouped_choice_stays_in_its_group() -> None:
    groups = GroupedChoice([np.array([1.0, 1.0]), np.array([1.0]), np.array([0.0, 2.0, 2.0])])
    group = np.array([0, 0, 1, 1, 2, 2, 2])
    u = np.array([0.0, 1.0 - 2.0**-53, 0.0, 1.0 - 2.0**-53, 0.0, 0.5, 1.0 - 2.0**-53])
    assert groups.choose(u, group).tolist() == [0, 1, 2, 2, 4, 5, 5]
