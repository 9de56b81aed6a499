"""The terms of plans: tiers by name, the rest by kind."""

import pytest

from trajsim.costs.plans import terms_of
from trajsim.errors import SchemaError


def test_tiers_are_read_off_the_name() -> None:
    bronze, silver, gold = (terms_of("private", name) for name in ("Bronze", "Silver", "Gold"))
    assert bronze.deductible_cents > silver.deductible_cents > gold.deductible_cents
    assert terms_of("aca", "Bronze 150 %") == bronze


def test_low_incomes_pay_less_in_silver_plans_of_the_marketplace() -> None:
    lowest, low, full = (terms_of("aca", f"Silver {level} %") for level in (150, 200, 300))
    assert lowest.deductible_cents < low.deductible_cents < full.deductible_cents
    assert terms_of("private", "Silver 150") == full


def test_other_plans_go_by_their_kind() -> None:
    assert terms_of("medicaid", "anything").limit_cents == 0
    assert terms_of("dual", None).limit_cents == 0
    assert terms_of("medicare", "Silver").share == 2_000
    assert terms_of("private", None) != terms_of("aca", None)


@pytest.mark.parametrize("kind", ["none", None, "gold"])
def test_an_unknown_kind_is_refused(kind: str | None) -> None:
    with pytest.raises(SchemaError, match="coverages: unknown kind"):
        terms_of(kind, None)
