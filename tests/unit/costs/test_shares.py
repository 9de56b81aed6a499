"""Deductible, share and limit of a plan, compared with doing it line by line."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trajsim.costs.plans import Terms
from trajsim.costs.shares import share

PLANS = [
    Terms(deductible_cents=10_000, share=2_000, limit_cents=15_000),
    Terms(deductible_cents=0, share=0, limit_cents=0),
    Terms(deductible_cents=5_000, share=3_333, limit_cents=4_000),
]


def slowly(lines: list[tuple[int, bool, int, bool]]) -> list[tuple[int, int, int]]:
    """Covered, paid, deductible of every line, one after the other."""
    made = []
    met = spent = 0
    for billed, begins, number, is_free in lines:
        if begins:
            met = spent = 0
        if number < 0:
            made.append((0, billed, 0))
            continue
        plan, owed = PLANS[number], 0 if is_free else billed
        deductible = max(0, min(owed, plan.deductible_cents - met))
        met += owed
        wanted = deductible + ((owed - deductible) * plan.share + 5_000) // 10_000
        paid = max(0, min(wanted, plan.limit_cents - spent))
        spent += wanted
        made.append((billed - paid, paid, min(deductible, paid)))
    return made


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 30_000), st.booleans()), min_size=1, max_size=6), st.integers(-1, 2)
        ),
        max_size=5,
    )
)
def test_all_lines_at_once_are_the_lines_one_by_one(groups: list[tuple[list[tuple[int, bool]], int]]) -> None:
    lines = [
        (billed, place == 0, number, is_free)
        for group, number in groups
        for place, (billed, is_free) in enumerate(group)
    ]
    billed, begins, terms, free = (
        (np.array(column) for column in zip(*lines, strict=True)) if lines else [np.zeros(0)] * 4
    )
    made = share(
        billed.astype(np.int64), begins=begins.astype(np.bool_), terms=terms.astype(np.int64),
        is_free=free.astype(np.bool_), plans=PLANS,
    )  # fmt: skip
    columns = (made.covered.tolist(), made.out_of_pocket.tolist(), made.deductible.tolist())
    assert list(zip(*columns, strict=True)) == slowly(lines)
