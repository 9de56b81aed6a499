"""What a plan leaves to the patient: deductible, share of the rest, and the most in a calendar year.

Records name the kind of a coverage and its plan. A metal tier is read off the plan's name (Bronze, Silver, Gold), and
so is the level of income that a Silver plan reduces its cost sharing for (150 %, 200 %); all else goes by the kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trajsim.errors import SchemaError

_SHARE = 10_000  # a share in hundredths of a percent


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Cost sharing of a plan in a calendar year.

    Attributes:
        deductible_cents: What the patient pays first.
        share: Of the rest, in hundredths of a percent.
        limit_cents: What the patient pays at most.
    """

    deductible_cents: int
    share: int
    limit_cents: int


def _terms(deductible_usd: int, percent: int, limit_usd: int) -> Terms:
    return Terms(deductible_cents=deductible_usd * 100, share=percent * _SHARE // 100, limit_cents=limit_usd * 100)


# Sources: docs/concepts/costs.md, "What plans leave to the patient".
_BY_KIND: Mapping[str, Terms] = {
    "medicare": _terms(240, 20, 8_850),
    "medicaid": _terms(0, 0, 0),
    "dual": _terms(0, 0, 0),
    "aca": _terms(5_241, 30, 9_450),
    "private": _terms(1_787, 20, 5_000),
    "other": _terms(0, 10, 3_000),
}
_BY_TIER: Mapping[str, Terms] = {
    "bronze": _terms(7_258, 40, 9_450),
    "silver": _terms(5_241, 30, 9_450),
    "silver 200": _terms(737, 20, 3_150),
    "silver 150": _terms(97, 10, 3_150),
    "gold": _terms(1_430, 20, 8_700),
}
_HAS_TIERS = ("aca", "private")
_REDUCED = ("150", "200")


def terms_of(kind: str | None, plan: str | None) -> Terms:
    """The terms of a plan.

    Args:
        kind: Kind of the coverage, other than ``none``.
        plan: Name of the plan, if it is known.

    Raises:
        SchemaError: There is no such kind.
    """
    if kind is None or kind not in _BY_KIND:
        msg = f"coverages: unknown kind {kind!r}, expected one of {', '.join(_BY_KIND)} where there is a payer"
        raise SchemaError(msg)
    words = (plan or "").lower()
    if kind in _HAS_TIERS:
        for tier in ("bronze", "silver", "gold"):
            if tier in words:
                reduced = next((level for level in _REDUCED if kind == "aca" and level in words), "")
                return _BY_TIER.get(f"{tier} {reduced}", _BY_TIER[tier])
    return _BY_KIND[kind]
