"""The lifecycle's facts and slots in a program: tables on the heaps, names as numbers."""

from collections.abc import Iterable

import numpy as np

from trajsim.engine.compile_heap import Heap
from trajsim.engine.events import LIFECYCLE_TEXTS
from trajsim.engine.lifecycle_slots import ATTRIBUTE_NAMES, INPUTS, SIGN_NAMES, Attribute, Plan
from trajsim.engine.opcodes import Mention
from trajsim.engine.program import MOST_DOSES, MOST_VACCINES
from trajsim.errors import CompileError
from trajsim.gmf.mentions import all_mentioned_attributes
from trajsim.gmf.model import Code, ModuleSet
from trajsim.lifecycle import tables
from trajsim.lifecycle.constants import A1C_DRUGS, COVID_CONDITION, LIFESTYLE_CARE_PLAN, PHYSIOLOGICAL_BOUNDS
from trajsim.lifecycle.profile import Lifecycle
from trajsim.units import ms_from_iso

CORE_KEY = "COVID-19 Immunization Module"
_GROUPS = {
    Attribute.DISABLED: Mention.DISABLED,
    Attribute.ATRIAL_FIBRILLATION_RISK: Mention.FIBRILLATION,
    Attribute.STROKE_RISK: Mention.STROKE,
} | dict.fromkeys(
    (Attribute.ASCVD_RISK, Attribute.CARDIO_RISK, Attribute.MI_RISK, Attribute.IHD_RISK), Mention.VASCULAR
)


def register(heap: Heap, modules: ModuleSet) -> None:
    """Gives slots to the attributes and signs of the lifecycle before the first state is compiled."""
    mentioned = all_mentioned_attributes(modules)
    for name in ATTRIBUTE_NAMES:
        if name in INPUTS or name in mentioned:
            heap.attribute(name)
    heap.generated_signs.update(SIGN_NAMES)


def write(h: np.record, heap: Heap, modules: ModuleSet, lifecycle: Lifecycle) -> None:
    """Fills the lifecycle's part of a header; must run before the code texts are written."""
    position = {name: number for number, name in enumerate(SIGN_NAMES)}
    has_lifecycle = lifecycle is not Lifecycle.NONE
    h.z_sign_life = heap.integers(position.get(sign, -1) if has_lifecycle else -1 for sign in heap.signs)
    if not has_lifecycle:
        return
    top = [module.key for module in modules.top_level()]
    h.core_position = next((number for number, key in enumerate(top) if key > CORE_KEY), len(top))
    h.z_life_slot = heap.integers(heap.attributes.get(name, -1) for name in ATTRIBUTE_NAMES)
    h.z_life_text = heap.integers(heap.string(text) for text in LIFECYCLE_TEXTS)
    bounds = [PHYSIOLOGICAL_BOUNDS.get(sign, (-np.inf, np.inf)) for sign in SIGN_NAMES]
    h.d_bounds = heap.floats(value for pair in bounds for value in pair)
    _growth(h, heap)
    _drugs(h, heap)
    _vaccines(h, heap)
    _insurance(h, heap)


def groups_of(mentioned: frozenset[str]) -> int:
    """The parts of docs/draws.md 10.8 that a state needs, as `Mention` flags."""
    groups = Mention(0)
    for name in mentioned:
        groups |= _GROUPS.get(Attribute(ATTRIBUTE_NAMES.index(name)), Mention.SIMPLE)
    return int(groups)


def place_of_state(name: str) -> int:
    """Row of a state in the Medicaid table, -1 if it has none."""
    return _PLACES.get(name, -1)


_PLACES = {rule.state: row for row, rule in enumerate(tables.medicaid_rules())}


def _text(heap: Heap, system: str, code: str) -> int:
    return heap.code_text(heap.code(Code(system, code, "")))


def _growth(h: np.record, heap: Heap) -> None:
    h.d_charts = heap.floats(tables.growth_charts().ravel().tolist())
    h.d_correlation = heap.floats(tables.bmi_correlation().ravel().tolist())
    for sex in ("F", "M"):
        sample = tables.two_year_olds(sex)
        rows = zip(sample.age_months.tolist(), sample.bmi.tolist(), sample.cumulative.tolist(), strict=True)
        h[f"d_toddlers_{sex.lower()}"] = heap.floats(float(value) for row in rows for value in row)
        h[f"n_toddlers_{sex.lower()}"] = len(sample.bmi)
        lengths = tables.weight_for_length(sex)
        h[f"d_lengths_{sex.lower()}"] = heap.floats(lengths.ravel().tolist())
        h[f"n_lengths_{sex.lower()}"] = len(lengths)


def _drugs(h: np.record, heap: Heap) -> None:
    drugs = tables.blood_pressure_drugs()
    h.n_drugs = len(drugs)
    h.z_drugs = heap.integers(_text(heap, "RxNorm", drug.rxnorm) for drug in drugs)
    h.d_drugs = heap.floats(value for drug in drugs for value in (*drug.systolic, *drug.diastolic))
    h.n_a1c = len(A1C_DRUGS)
    h.z_a1c = heap.integers(_text(heap, "RxNorm", code) for code, _ in A1C_DRUGS)
    h.d_a1c = heap.floats(effect for _, effect in A1C_DRUGS)
    h.lifestyle = _text(heap, "SNOMED-CT", LIFESTYLE_CARE_PLAN)


def _vaccines(h: np.record, heap: Heap) -> None:
    schedule = tables.immunization_schedule()
    ages = [month for vaccine in schedule for month in vaccine.months]
    if len(schedule) > MOST_VACCINES or len(ages) > MOST_DOSES:
        msg = f"the immunization schedule has {len(schedule)} series and {len(ages)} doses, more than a patient holds"
        raise CompileError(msg)
    h.n_vaccines = len(schedule)
    h.z_schedule = heap.integers(ages)
    rows: list[int] = []
    first = int(h.z_schedule)
    for vaccine in schedule:
        last = first + len(vaccine.months)
        rows += [ms_from_iso(f"{vaccine.first_year:04d}-01-01"), first, last]
        first = last
    h.z_vaccines = heap.integers(rows)
    covid = tables.covid_doses()
    h.n_covid_days = len(covid.day_ms)
    days = zip(covid.day_ms.tolist(), covid.doses.tolist(), strict=True)
    h.d_covid = heap.floats(float(value) for day, doses in days for value in (day, *doses))
    h.d_covid_shares = heap.floats(covid.acceptance.tolist())
    h.covid_text = _text(heap, "SNOMED-CT", COVID_CONDITION)


def _insurance(h: np.record, heap: Heap) -> None:
    codes = tables.disability_codes()
    h.n_disabilities = len(codes)
    h.z_disabilities = heap.integers(_text(heap, "SNOMED-CT", code) for code in codes)
    h.d_medicaid = heap.floats(_medicaid_rows())
    plans = tables.insurance_plans()
    h.n_plans = len(plans)
    h.d_plans = heap.floats(_plan_rows(plans))


def _medicaid_rows() -> Iterable[float]:
    for rule in tables.medicaid_rules():
        yield from (rule.infant, rule.toddler, rule.child, rule.pregnant, rule.adult)
        yield -1.0 if rule.spend_down_usd is None else rule.spend_down_usd
        yield float(rule.spend_down_restricted)
        yield 0.0


def _plan_rows(plans: Iterable[tables.InsurancePlan]) -> Iterable[float]:
    for plan in plans:
        yield float(Plan[plan.kind.upper()])
        yield 0.0 if plan.monthly_premium_usd is None else plan.monthly_premium_usd
        yield -1.0 if plan.income_share is None else plan.income_share
        yield float(plan.tier)
        yield float(plan.priority)
