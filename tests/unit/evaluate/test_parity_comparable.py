"""What is made alike before two populations are compared: rounding, studies, codes that trajsim leaves out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trajsim.evaluate.parity.left_out import LEFT_OUT, left_out_rows, without_left_out
from trajsim.evaluate.parity.reference import Reference
from trajsim.evaluate.parity.tally import _studies
from trajsim.evaluate.parity.values import LEAST_MEDIANS, decimals_of


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
