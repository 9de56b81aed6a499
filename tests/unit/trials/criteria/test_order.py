"""Rows are put in order by keys as a full sort does it, however few of them are out of order."""

import numpy as np
import pytest

from trajsim.trials.criteria.source import order_of


@pytest.mark.parametrize("n_swaps", [0, 1, 5, 200])
@pytest.mark.parametrize("is_by_person", [True, False])
def test_the_order_is_that_of_a_full_sort(n_swaps: int, *, is_by_person: bool) -> None:
    rng = np.random.default_rng(7)
    person, start, record = (rng.integers(0, top, 300) for top in (20, 40, 5))
    order = np.lexsort((record, start, person))
    person, start, record = person[order], start[order], record[order]
    for one, other in rng.integers(0, 300, (n_swaps, 2)):
        if not is_by_person or person[one] == person[other]:
            for key in (person, start, record):
                key[[one, other]] = key[[other, one]]
    found = np.arange(300)[order_of(person, start, record)]
    np.testing.assert_array_equal(found, np.lexsort((record, start, person)))


def test_rows_in_order_stay_where_they_are() -> None:
    assert order_of(np.array([0, 0, 1]), np.array([4, 4, 2])) == slice(None)


def test_no_rows_have_an_order() -> None:
    none = np.zeros(0, np.int64)
    assert none[order_of(none, none)].tolist() == []
