"""What is made alike before two populations are compared: rounding, studies, codes that trajsim leaves out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trajsim.evaluate.parity.ages import N_STRATA
from trajsim.evaluate.parity.left_out import LEFT_OUT, left_out_rows, without_left_out
from trajsim.evaluate.parity.rates import CodeTable, _share_widening, compare_strata
from trajsim.evaluate.parity.reference import Reference
from trajsim.evaluate.parity.tally import Sample, _studies
from trajsim.evaluate.parity.values import (
    LEAST_MEDIANS,
    Quantiles,
    _persons_with_number,
    _values_a_person,
    decimals_of,
    quantile_tests,
)


def _reference(medians: np.ndarray) -> Reference:
    values = pd.DataFrame({"code": ["1-8"] * len(medians), "q50": medians})
    codes = pd.DataFrame({"kind": ["observation", "observation", "procedure"], "code": ["QALY", "1-8", "QALY"]})
    totals = pd.DataFrame({"observations": [3, 4], "procedures": [1, 0]})
    return Reference(
        name="made",
        tables={"observation_values": values, "codes": codes},
        totals=totals,
        states={},
        n_persons=2,
        end_date=None,
        ceiling={},
        ceiling_codes={},
    )


@pytest.mark.parametrize(("decimals", "expected"), [(0, 0), (1, 1), (2, 2), (5, None)])
def test_rounding_of_a_reference_is_seen(decimals: int, expected: int | None) -> None:
    medians = np.round(np.random.default_rng(3).uniform(1, 200, 4 * LEAST_MEDIANS), decimals)
    assert decimals_of(_reference(medians)) == expected


def test_too_few_medians_say_nothing_about_rounding() -> None:
    assert decimals_of(_reference(np.full(LEAST_MEDIANS - 1, 4.0))) is None


def test_left_out_codes_are_gone_and_listed() -> None:
    reference = without_left_out(_reference(np.array([1.0])))
    assert list(zip(reference["codes"]["kind"], reference["codes"]["code"], strict=True)) == [
        ("observation", "1-8"),
        ("procedure", "QALY"),
    ]
    assert reference.totals is not None
    assert list(reference.totals.columns) == ["procedures"]
    assert len(left_out_rows()) == len(LEFT_OUT)


def test_nothing_left_out_changes_nothing() -> None:
    whole = _reference(np.array([1.0]))
    codes = whole["codes"].iloc[1:2].reset_index(drop=True)
    same = without_left_out(replace(whole, tables={**whole.tables, "codes": codes}))
    assert same.totals is whole.totals
    pd.testing.assert_frame_equal(same["codes"], codes)


def test_a_study_counts_once_however_many_series_it_has() -> None:
    table = pa.table({"study_key": pa.array([7, 7, 9, 7, 9], pa.uint64())})
    assert _studies(table, np.array([0, 0, 0, 1, 1])).tolist() == [1, 0, 1, 1, 1]


def test_entries_of_one_person_are_alike() -> None:
    every = np.array([10.0] * 20 + [0.0] * 5)
    hits = np.where(np.arange(25) < 15, every, 0.0)  # all of a person's entries, or none of them
    assert _share_widening(every, hits, 10.0) == pytest.approx((10.0, 10.0))
    assert _share_widening(every, hits, 1.0)[1] == pytest.approx(1.0)
    assert _share_widening(every, every, 7.0) == (1.0, 1.0)
    assert _share_widening(np.ones(20), np.arange(20.0) % 2, 7.0) == (1.0, 1.0)


def test_values_of_the_reference_cluster_as_its_squared_counts_say() -> None:
    events = pd.DataFrame({"code": ["a", "a", "b"], "events": [10, 30, 5], "sum_sq_per_person": [100, 300, 5]})
    find = _values_a_person(events, np.array([0, 0, 1]))
    assert find("a", 0, 40.0) == pytest.approx(10.0)
    assert find("a", 0, 20.0) == pytest.approx(5.0)  # half of the events have this unit
    assert find("b", 1, 5.0) == 1.0
    assert find("b", 0, 5.0) is None


def test_a_reference_whose_values_cluster_more_says_less() -> None:
    rng = np.random.default_rng(5)
    person = np.repeat(np.arange(200), 5)
    value = rng.normal(size=200)[person] + 0.1 * rng.normal(size=1_000)
    sample = Sample([("x",)], np.zeros(1_000, np.int32), person.astype(np.int32), value)
    z = {}
    for a_person in (5.0, 40.0):
        target = {0: Quantiles((0.5,), (0.3,), 1_000, None, a_person)}
        ((_, test),) = quantile_tests(sample, target, n_ours=200, n_theirs=200)
        z[a_person] = abs(test.z[0.5])
    assert z[5.0] > 2.0
    assert z[40.0] < 0.6 * z[5.0]


def test_numbers_that_the_reference_wrote_as_texts_are_found() -> None:
    group = np.array([0, 1, 2]) * N_STRATA
    sample = Sample([("p", "1"), ("p", "kg"), ("q", "1")], group.astype(np.int32), np.arange(3, dtype=np.int32),
                    np.array([2.0, 2.0, 2.0]))  # fmt: skip
    assert _persons_with_number(sample, "p", 2.0) == 2
    assert _persons_with_number(sample, "p", 3.0) == 0
    assert _persons_with_number(sample, "none", 2.0) == 0


def test_a_count_that_all_persons_share_has_no_infinite_z() -> None:
    one = np.ones((1, N_STRATA))
    table = CodeTable(
        codes=[("observation", "laboratory", "718-7")],
        labels=["Hemoglobin"],
        ours=1_000 * one,
        theirs=500 * one,
        our_squares=1_000 * one,
        their_squares=500 * one,
        our_years=np.full(N_STRATA, 990.0),
        their_years=np.full(N_STRATA, 496.0),
        our_reached=np.full(N_STRATA, 1_000.0),
        their_reached=np.full(N_STRATA, 500.0),
        spread_of_years=np.full(N_STRATA, 0.01),
        our_row=np.zeros(1, np.int64),
    )
    for found in compare_strata(table):
        error = (0.01 * (1_500 / 1_486) ** 2 * (1_000 / 990.0**2 + 500 / 496.0**2)) ** 0.5
        assert found.z == pytest.approx((1_000 / 990 - 500 / 496) / error)
