"""The tables of the lifecycle, read once. `data/README.md` names the primary source of each."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

CHARTS = ("height", "weight", "bmi", "head")
SEXES = ("F", "M")
N_MONTHS = 241

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Vaccine:
    """One series of the schedule.

    Attributes:
        name: Short name.
        cvx: Code of the vaccine administered.
        display: Name in the CVX code system.
        first_year: Not given before 1 January (UTC) of this year.
        months: Ages in months at which doses are due, rising.
    """

    name: str
    cvx: str
    display: str
    first_year: int
    months: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoYearOlds:
    """A weighted sample of children of two years, of one sex.

    Attributes:
        age_months: [n] int64.
        bmi: [n] kg/m2.
        cumulative: [n] running sum of the sampling weights divided by their total; the last is 1.
    """

    age_months: NDArray[np.int64]
    bmi: Floats
    cumulative: Floats


@dataclass(frozen=True, kw_only=True)
class BloodPressureDrug:
    """What a drug does to blood pressure, mm[Hg]: a person's effect lies between the two bounds.

    Attributes:
        rxnorm: Code.
        systolic, diastolic: First and second bound.
    """

    rxnorm: str
    systolic: tuple[float, float]
    diastolic: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class MedicaidRule:
    """Who may have Medicaid in a state.

    Attributes:
        state: Full name.
        infant, toddler, child, pregnant, adult: Income limits in multiples of the poverty level.
        spend_down_usd: Income a month under which the medically needy are accepted, or None.
        spend_down_restricted: Whether that is for the aged, blind and disabled alone.
    """

    state: str
    infant: float
    toddler: float
    child: float
    pregnant: float
    adult: float
    spend_down_usd: float | None
    spend_down_restricted: bool


@dataclass(frozen=True, kw_only=True)
class InsurancePlan:
    """A plan that people may choose.

    Attributes:
        payer: Who pays; private payers are invented.
        name: Of the plan.
        kind: ``medicare``, ``medicaid``, ``dual``, ``aca`` or ``private``.
        monthly_premium_usd: A fixed premium, or None.
        income_share: Twelve premiums as a share of the income, or None.
        tier: Of an ACA plan: highest income in per cent of the poverty level; else 0.
        priority: Lower numbers first.
    """

    payer: str
    name: str
    kind: str
    monthly_premium_usd: float | None
    income_share: float | None
    tier: int
    priority: int


@dataclass(frozen=True, kw_only=True, eq=False)
class CovidDoses:
    """First doses of COVID-19 vaccine a day in the United States.

    Attributes:
        day_ms: [day] midnight (UTC), milliseconds since 1970.
        ages: Lower bounds of the age bands, years.
        doses: [day, band].
        acceptance: [band] share of people who took a first dose.
    """

    day_ms: NDArray[np.int64]
    ages: tuple[int, ...]
    doses: Floats
    acceptance: Floats


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("trajsim.lifecycle").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def growth_charts() -> Floats:
    """LMS parameters [chart, sex, month, 3]; charts as `CHARTS`, sexes as `SEXES`; NaN where a chart has no month."""
    lms = np.full((len(CHARTS), len(SEXES), N_MONTHS, 3), np.nan)
    for row in _rows("growth_charts.csv"):
        place = CHARTS.index(row["chart"]), SEXES.index(row["sex"]), int(row["age_months"])
        lms[place] = float(row["l"]), float(row["m"]), float(row["s"])
    lms.setflags(write=False)
    return lms


@cache
def weight_for_length(sex: str) -> Floats:
    """[n, 4]: length in cm (rising), L, M, S of the weight in kg."""
    table = np.array(
        [
            [float(row[key]) for key in ("length_cm", "l", "m", "s")]
            for row in _rows("weight_for_length.csv")
            if row["sex"] == sex
        ]
    )
    table.setflags(write=False)
    return table


@cache
def two_year_olds(sex: str) -> TwoYearOlds:
    """The sample of children of a sex."""
    rows = [row for row in _rows("two_year_olds.csv") if row["sex"] == sex]
    running = list(accumulate(float(row["weight"]) for row in rows))
    sample = TwoYearOlds(
        age_months=np.array([int(row["age_months"]) for row in rows], dtype=np.int64),
        bmi=np.array([float(row["bmi"]) for row in rows]),
        cumulative=np.array([value / running[-1] for value in running]),
    )
    for array in (sample.age_months, sample.bmi, sample.cumulative):
        array.setflags(write=False)
    return sample


@cache
def bmi_correlation() -> Floats:
    """[year of age 0 ... 20, 2]: correlation with the extended z score a year before, and shift of the mean."""
    table = np.zeros((21, 2))
    for row in _rows("bmi_correlation.csv"):
        table[int(row["age_years"])] = float(row["correlation"]), float(row["shift"])
    table.setflags(write=False)
    return table


@cache
def blood_pressure_drugs() -> tuple[BloodPressureDrug, ...]:
    """Drugs that lower blood pressure."""
    return tuple(
        BloodPressureDrug(
            rxnorm=row["rxnorm"],
            systolic=(float(row["systolic_low"]), float(row["systolic_high"])),
            diastolic=(float(row["diastolic_low"]), float(row["diastolic_high"])),
        )
        for row in _rows("blood_pressure_drugs.csv")
    )


@cache
def immunization_schedule() -> tuple[Vaccine, ...]:
    """All series, in file order."""
    return tuple(
        Vaccine(
            name=row["vaccine"],
            cvx=row["cvx"],
            display=row["display"],
            first_year=int(row["first_year"]),
            months=_months(row["months"]),
        )
        for row in _rows("immunizations.csv")
    )


def _months(text: str) -> tuple[int, ...]:
    """Ages: a list, or first:last:step."""
    if ":" in text:
        first, last, step = (int(part) for part in text.split(":"))
        return tuple(range(first, last + 1, step))
    return tuple(int(part) for part in text.split())


@cache
def covid_doses() -> CovidDoses:
    """Doses by day and age band, and who accepts one."""
    rows = _rows("covid_first_doses.csv")
    ages = tuple(int(row["age_from"]) for row in _rows("covid_acceptance.csv"))
    days = [int(datetime.fromisoformat(row["date"]).replace(tzinfo=UTC).timestamp()) * 1_000 for row in rows]
    doses = CovidDoses(
        day_ms=np.array(days, dtype=np.int64),
        ages=ages,
        doses=np.array([[float(row[str(age)]) for age in ages] for row in rows]),
        acceptance=np.array([float(row["share"]) for row in _rows("covid_acceptance.csv")]),
    )
    for array in (doses.day_ms, doses.doses, doses.acceptance):
        array.setflags(write=False)
    return doses


@cache
def disability_codes() -> tuple[str, ...]:
    """SNOMED CT codes that entitle to disability benefits."""
    return tuple(row["snomed"] for row in _rows("disability_codes.csv"))


@cache
def medicaid_rules() -> tuple[MedicaidRule, ...]:
    """Rules by state, in file order."""
    limits = {row["state"]: row for row in _rows("medicaid_spend_down.csv")}
    rules = []
    for row in _rows("medicaid_income.csv"):
        spend = limits.get(row["state"], {})
        limit = spend.get("monthly_limit_usd", "")
        rules.append(
            MedicaidRule(
                state=row["state"],
                infant=float(row["infant"]),
                toddler=float(row["toddler"]),
                child=float(row["child"]),
                pregnant=float(row["pregnant"]),
                adult=float(row["adult"]),
                spend_down_usd=float(limit) if spend.get("available") == "true" and limit else None,
                spend_down_restricted=spend.get("aged_blind_disabled_only") == "true",
            )
        )
    return tuple(rules)


@cache
def insurance_plans() -> tuple[InsurancePlan, ...]:
    """Plans in file order; the row number is the plan's number in the log."""
    return tuple(
        InsurancePlan(
            payer=row["payer"],
            name=row["name"],
            kind=row["kind"],
            monthly_premium_usd=float(row["monthly_premium_usd"]) if row["monthly_premium_usd"] else None,
            income_share=float(row["income_share"]) if row["income_share"] else None,
            tier=int(row["eligibility"][3:]) if row["eligibility"].startswith("aca") else 0,
            priority=int(row["priority"]),
        )
        for row in _rows("insurance_plans.csv")
    )
