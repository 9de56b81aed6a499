"""Who pays what of a line: the plan in force, or the patient.

Lines stand in the order of their claims, claims in the order of time within a patient, so a deductible is used up from
the first line of a calendar year on. Everything is done in whole cents, for all lines at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.costs.plans import Terms

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SHARE = 10_000


@dataclass(frozen=True, eq=False)
class Shares:
    """Amounts of lines in cents; what is covered and what the patient pays add up to what is billed."""

    covered: Integers
    out_of_pocket: Integers
    deductible: Integers


def share(billed: Integers, *, begins: Mask, terms: Integers, is_free: Mask, plans: list[Terms]) -> Shares:
    """Shares the price of every line.

    Args:
        billed: [n] cents.
        begins: [n] the first line of a patient, plan or calendar year.
        terms: [n] position in `plans`; -1: nobody insures the patient, who pays all of it.
        is_free: [n] whether an insured patient pays nothing for it (preventive care).
        plans: The terms that occur.
    """
    insured = terms >= 0
    columns = np.array(
        [(each.deductible_cents, each.share, each.limit_cents) for each in plans] or [(0, 0, 0)], np.int64
    )
    deductible_of, share_of, limit_of = columns[np.maximum(terms, 0)].T
    owed = np.where(insured & ~is_free, billed, 0)
    deductible = _part_below(owed, deductible_of, begins)
    wanted = deductible + ((owed - deductible) * share_of + _SHARE // 2) // _SHARE
    paid = _part_below(wanted, limit_of, begins)
    out_of_pocket = np.where(insured, paid, billed)
    return Shares(billed - out_of_pocket, out_of_pocket, np.minimum(deductible, paid))


def _part_below(amounts: Integers, limit: Integers, begins: Mask) -> Integers:
    """What of each amount lies below a limit of their running sum, which starts anew where a group begins."""
    sums = np.cumsum(amounts)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(amounts)), 0))
    after = sums - (sums - amounts)[first]
    return np.minimum(after, limit) - np.minimum(after - amounts, limit)
