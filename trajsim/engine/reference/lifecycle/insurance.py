"""Which plan a person has, chosen anew at every birthday (docs/draws.md 10.2)."""

from trajsim.engine.events import SOURCE_INSURANCE, STREAM_INSURANCE, EventKind
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.tables import InsurancePlan, disability_codes, insurance_plans, medicaid_rules

_POVERTY_USD = 17_550.0
_DISABILITY = 0.85
_DUAL = 0.85
_ACA = 0.75
_MOST_SHARE = 0.034
_MARKET_FROM_MS = 1_136_073_600_000  # 2006-01-01T00:00Z
_MARKET_OCCUPATION = 0.2
_OLD_AGE = 65
_GOVERNMENT = {"medicare": "medicare", "medicaid": "medicaid", "dual": "dual eligible"}
NO_PLAN = -1


class Insurance:
    """The insurance of one person."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._chosen_at_age: int | None = None
        self.plan = NO_PLAN

    def begin_step(self, time: int) -> None:
        """Chooses a plan at birth and in the first step of every later year of age."""
        age = self._person.years(time)
        if self._chosen_at_age is not None and age <= self._chosen_at_age:
            return
        is_first = self._chosen_at_age is None
        self._chosen_at_age = age
        plan = self._choose(age, time)
        if is_first or plan != self.plan:
            self._person.patient.write(
                EventKind.COVERAGE, time, value=float(plan), source=SOURCE_INSURANCE, stream=STREAM_INSURANCE
            )
        self.plan = plan
        self._person.set("insurance_status", self.status)

    @property
    def status(self) -> str:
        """The text of `insurance_status`."""
        if self.plan == NO_PLAN:
            return "none"
        return _GOVERNMENT.get(insurance_plans()[self.plan].kind, "private")

    @property
    def has_low_access(self) -> bool:
        """Whether type-of-care transitions take the row with the high share of emergencies."""
        return self.status in {"none", "medicaid", "dual eligible"}

    def is_disabled(self) -> bool:
        """Whether a disabling code is present."""
        present = self._person.patient.record.present
        return any(code in present for code in disability_codes())

    # --- the choice -----------------------------------------------------------------------------------------------

    def _choose(self, age: int, time: int) -> int:
        """Row of the plan that is chosen, or NO_PLAN."""
        plans = insurance_plans()
        accepted = [
            row for row, plan in enumerate(plans) if self._is_affordable(plan, time) and self._accepts(plan, age, 0)
        ]
        choice = NO_PLAN
        if accepted:
            priority = min(plans[row].priority for row in accepted)
            best = [row for row in accepted if plans[row].priority == priority]
            choice = best[int(self._person.draws.uniform("insurance choice", age) * len(best))]
        if self.plan == NO_PLAN or _is_government(self.plan) or (choice != NO_PLAN and _is_government(choice)):
            return choice
        last = plans[self.plan]
        return self.plan if self._is_affordable(last, time) and self._accepts(last, age, 1) else choice

    def _is_affordable(self, plan: InsurancePlan, time: int) -> bool:
        if plan.kind in _GOVERNMENT:
            return True
        if plan.income_share is not None:
            is_cheap = plan.income_share <= _MOST_SHARE
        else:
            assert plan.monthly_premium_usd is not None
            is_cheap = 12.0 * plan.monthly_premium_usd <= _MOST_SHARE * self._person.income
        return is_cheap or (time >= _MARKET_FROM_MS and self._person.occupation_level >= _MARKET_OCCUPATION)

    def _accepts(self, plan: InsurancePlan, age: int, k: int) -> bool:
        """Whether a plan accepts the person at the k-th try."""
        draws = self._person.draws
        match plan.kind:
            case "medicare":
                return self._has_medicare(age, k)
            case "medicaid":
                return self._has_medicaid(age)
            case "dual":
                has_both = self._has_medicare(age, 1) and self._has_medicaid(age)
                return has_both and draws.uniform("insurance dual", age) < _DUAL
            case "aca":
                is_poor = self._person.income <= plan.tier / 100.0 * _POVERTY_USD
                return is_poor and draws.uniform("insurance aca", age, plan.tier, k) < _ACA
        return True

    def _has_medicare(self, age: int, k: int) -> bool:
        person = self._person
        if age >= _OLD_AGE or person.is_true("end_stage_renal_disease"):
            return True
        return self.is_disabled() and person.draws.uniform("insurance disability", age, k) < _DISABILITY

    def _has_medicaid(self, age: int) -> bool:
        person = self._person
        if person.is_true("blindness"):
            return True
        rules = next((rules for rules in medicaid_rules() if rules.state == person.state), None)
        if rules is None:
            return False
        if person.is_true("pregnant"):
            multiplier = rules.pregnant
        elif age <= 1:
            multiplier = rules.infant
        elif age <= 5:
            multiplier = rules.toddler
        elif age <= 18:
            multiplier = rules.child
        else:
            multiplier = rules.adult
        if person.income <= multiplier * _POVERTY_USD:
            return True
        if rules.spend_down_usd is None or person.income > 12.0 * rules.spend_down_usd:
            return False
        return not rules.spend_down_restricted or age >= _OLD_AGE or self.is_disabled()


def _is_government(row: int) -> bool:
    return insurance_plans()[row].kind in _GOVERNMENT
