"""Measures the bundled modules against the published figures that they are calibrated on.

Simulates lives with the bundled modules, counts who of the living has what by sex and age (or episodes a person-year),
and prints it beside `tests/statistical/targets.csv`. Exit status 1 if a band misses its figure by more than 25 %;
figures that no module is calibrated on (the lifecycle's obesity, and prediabetes) are printed, but decide nothing.

With a model the figures say how its population differs from the published one; no module is calibrated on that.

A band may hold several published rows, so that chance does not decide: what is expected in it is the sum over its rows
of the persons (or person-years) simulated times the published share.

    python benchmarks/bundled_prevalence.py -n 100000
    python benchmarks/bundled_prevalence.py -n 200 --engine reference     # the slow interpreter
    python benchmarks/bundled_prevalence.py -n 20000 --with-model         # the model that ships times onsets
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from learned import options as life_options
from learned import prepare
from numpy.typing import NDArray

from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.reference import simulate_patient
from trajsim.engine.simulate import Run, simulate
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.mortality import BIRTHDAY_YEAR_MS
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import load_bundled_mortality_offset

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ROOT / "tests" / "statistical" / "targets.csv"
END_MS = 1_767_225_600_000  # 1 January 2026
N_AGES = 120
TOLERANCE = 0.25

# Who has it: the condition of these codes is active.
CONDITIONS = {
    "hypertension": ("59621000",),
    "prediabetes": ("714628002",),
    "diabetes": ("44054006",),
    "coronary_disease": ("53741008",),
    "stroke_history": ("275526006",),
    "atrial_fibrillation": ("49436004",),
    "heart_failure": ("84114007",),
}
ONSETS = {"fatty_liver_incidence": ("197315008",)}  # first diagnoses a person-year, in the last years of the run
ONSET_YEARS = 10
RATES = {"upper_respiratory_infection", *ONSETS}
PREDIABETES_FIRST = "diabetes_after_prediabetes"  # share of first diagnoses of diabetes, in the same years
INFECTIONS = ("82272006", "195662009", "43878008")
DEATHS = {  # in hospital: (death's module, state), (what it is a share of), age from
    "infarction_death": (("coronary/infarction", "Death"), (("coronary/infarction", "Admission"),), 65),
    "ischemic_stroke_death": (("stroke", "Death"), (("stroke", "Ischemic Stroke"),), 65),
    "hemorrhagic_stroke_death": (("stroke", "Death"), (("stroke", "Cerebral Hemorrhage"),), 65),
}


@dataclass(frozen=True, eq=False)
class Lives:
    """Logs of some patients, one after the other: patient i has events offsets[i] ... offsets[i + 1] - 1."""

    events: NDArray[np.void]
    offsets: NDArray[np.int64]
    cohort: Cohort


@dataclass(frozen=True)
class Target:
    """One published figure."""

    module: str
    quantity: str
    sex: str
    age_low: int
    age_high: int
    value: float
    band: str
    source: str
    calibrated: bool


@dataclass(frozen=True)
class Measured:
    """One measured share or rate, with its standard error and the persons (or person-years) behind it."""

    value: float
    error: float
    n: float


@dataclass
class Tally:
    """Counts by quantity, [sex (F, M), completed age]."""

    cases: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    persons: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        sex: NDArray[np.int64],
        age: NDArray[np.int64],
        cases: NDArray[np.float64],
        persons: NDArray[np.float64],
    ) -> None:
        """Adds cases and persons (or person-years) of given sex and age."""
        for store, weight in ((self.cases, cases), (self.persons, persons)):
            np.add.at(store.setdefault(name, np.zeros((2, N_AGES))), (sex, np.clip(age, 0, N_AGES - 1)), weight)

    def measured(self, target: Target) -> Measured:
        """The figure that stands against a target."""
        sexes = slice(None) if target.sex == "both" else ("F", "M").index(target.sex)
        ages = slice(target.age_low, target.age_high + 1)
        cases, n = self.cases[target.quantity][sexes, ages].sum(), self.persons[target.quantity][sexes, ages].sum()
        if n == 0:
            return Measured(float("nan"), float("nan"), 0.0)
        value = cases / n
        variance = value / n if target.quantity in RATES else value * (1 - value) / n
        return Measured(float(value), float(np.sqrt(variance)), float(n))


def read_targets(path: Path = TARGETS) -> list[Target]:
    """The published figures."""
    with path.open(encoding="utf-8") as file:
        return [
            Target(
                r["module"],
                r["quantity"],
                r["sex"],
                int(r["age_low"]),
                int(r["age_high"]),
                float(r["target"]),
                r["band"],
                r["source"],
                r["calibrated"] == "yes",
            )
            for r in csv.DictReader(file)
        ]


class Counter:
    """Counts every quantity in the logs of lives."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Looks up which sources of the catalogue say what."""
        self._sources = catalogue.sources
        self._first = [source.codes[0].code if source.codes else "" for source in catalogue.sources]
        self.tally = Tally()

    def _with_code(self, *codes: str) -> NDArray[np.int64]:
        return np.array([i for i, code in enumerate(self._first) if code in codes], dtype=np.int64)

    def _state(self, module: str, state: str) -> int:
        return next(i for i, s in enumerate(self._sources) if (s.module, s.state, s.child) == (module, state, -1))

    def add(self, lives: Lives) -> None:
        """Counts the living at the end of the run, and episodes and deaths of everybody."""
        events, cohort = lives.events, lives.cohort
        who = np.repeat(np.arange(len(cohort)), np.diff(lives.offsets))
        sex = np.array([("F", "M").index(str(cohort.attributes["gender"].at(i))) for i in range(len(cohort))])
        death = np.full(len(cohort), np.iinfo(np.int64).max)
        dies = events["kind"] == EventKind.DEATH
        np.minimum.at(death, who[dies], events["time"][dies])
        alive = death >= END_MS
        age = (END_MS - cohort.birth_ms) // BIRTHDAY_YEAR_MS
        ended = np.zeros(len(events), dtype=bool)
        ends = np.isin(events["kind"], (EventKind.CONDITION_END, EventKind.CAREPLAN_END))
        ended[lives.offsets[who[ends]] + events["ref"][ends]] = True
        onset = events["kind"] == EventKind.CONDITION
        for name, codes in CONDITIONS.items():
            rows = onset & ~ended & np.isin(events["state"], self._with_code(*codes))
            has = np.zeros(len(cohort))
            has[who[rows]] = 1.0
            self.tally.add(name, sex[alive], age[alive], has[alive], np.ones(int(alive.sum())))
        self._latest(lives, who, sex, age, alive)
        self._infections(lives, who, sex, np.minimum(death, END_MS))
        self._onsets(lives, who, sex, np.minimum(death, END_MS))
        self._deaths(lives, who, sex)
        self._after_prediabetes(lives, who, sex)

    def _latest(
        self,
        lives: Lives,
        who: NDArray[np.int64],
        sex: NDArray[np.int64],
        age: NDArray[np.int64],
        alive: NDArray[np.bool_],
    ) -> None:
        """Shares by the latest value of an observation, among those who have one."""
        observed = lives.events["kind"] == EventKind.OBSERVATION
        smokes = next(i for i, s in enumerate(self._sources) if s.state == "Smokes")
        for name, code in (
            ("high_total_cholesterol", "2093-3"),
            ("obesity", "39156-5"),
            ("current_smoking", "72166-2"),
        ):
            rows = np.flatnonzero(observed & np.isin(lives.events["state"], self._with_code(code)))
            last = np.full(len(lives.cohort), -1, dtype=np.int64)
            order = np.argsort(lives.events["time"][rows], kind="stable")
            last[who[rows[order]]] = rows[order]  # the last assignment stands
            known = alive & (last >= 0)
            if name == "current_smoking":
                yes = lives.events["state"][last] == smokes
            else:
                yes = lives.events["value"][last] >= (240 if name == "high_total_cholesterol" else 30)
            self.tally.add(name, sex[known], age[known], yes[known].astype(float), np.ones(int(known.sum())))

    def _onsets(self, lives: Lives, who: NDArray[np.int64], sex: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        """Onsets per person-year of the years before the end of the run."""
        birth, events = lives.cohort.birth_ms, lives.events
        since = END_MS - ONSET_YEARS * BIRTHDAY_YEAR_MS
        for name, codes in ONSETS.items():
            rows = (events["kind"] == EventKind.CONDITION) & np.isin(events["state"], self._with_code(*codes))
            rows &= (events["time"] >= since) & (events["time"] < END_MS)
            age = (events["time"][rows] - birth[who[rows]]) // BIRTHDAY_YEAR_MS
            n = int(rows.sum())
            self.tally.add(name, sex[who[rows]], age, np.ones(n), np.zeros(n))
            for low in range(N_AGES):
                begins = birth + low * BIRTHDAY_YEAR_MS
                lived = np.minimum(begins + BIRTHDAY_YEAR_MS, end) - np.maximum(begins, since)
                years = np.clip(lived / BIRTHDAY_YEAR_MS, 0.0, 1.0)
                self.tally.add(name, sex, np.full(len(birth), low), np.zeros(len(birth)), years)

    def _after_prediabetes(self, lives: Lives, who: NDArray[np.int64], sex: NDArray[np.int64]) -> None:
        """First diagnoses of diabetes in the years before the end, and how many had prediabetes before."""
        events = lives.events
        first = {}
        onset = events["kind"] == EventKind.CONDITION
        for name in ("prediabetes", "diabetes"):
            rows = onset & np.isin(events["state"], self._with_code(*CONDITIONS[name]))
            first[name] = np.full(len(lives.cohort), np.iinfo(np.int64).max)
            np.minimum.at(first[name], who[rows], events["time"][rows])
        since = END_MS - ONSET_YEARS * BIRTHDAY_YEAR_MS
        new = (first["diabetes"] >= since) & (first["diabetes"] < END_MS)
        age = (first["diabetes"][new] - lives.cohort.birth_ms[new]) // BIRTHDAY_YEAR_MS
        before = (first["prediabetes"] < first["diabetes"])[new].astype(float)
        self.tally.add(PREDIABETES_FIRST, sex[new], age, before, np.ones(int(new.sum())))

    def _infections(self, lives: Lives, who: NDArray[np.int64], sex: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        """Episodes begun, per person-year."""
        birth = lives.cohort.birth_ms
        lived = (end - birth) / BIRTHDAY_YEAR_MS
        for low in range(N_AGES):
            years = np.clip(lived - low, 0.0, 1.0)
            if not years.any():
                break
            ages = np.full(len(birth), low)
            self.tally.add("upper_respiratory_infection", sex, ages, np.zeros(len(birth)), years)
        rows = (lives.events["kind"] == EventKind.CONDITION) & np.isin(
            lives.events["state"], self._with_code(*INFECTIONS)
        )
        age = (lives.events["time"][rows] - birth[who[rows]]) // BIRTHDAY_YEAR_MS
        self.tally.add("upper_respiratory_infection", sex[who[rows]], age, np.ones(len(age)), np.zeros(len(age)))

    def _deaths(self, lives: Lives, who: NDArray[np.int64], sex: NDArray[np.int64]) -> None:
        """Deaths in hospital per admission or diagnosis."""
        events = lives.events
        age = (events["time"] - lives.cohort.birth_ms[who]) // BIRTHDAY_YEAR_MS
        for name, (death, denominators, _) in DEATHS.items():
            of = np.array([self._state(*state) for state in denominators])
            rows = np.flatnonzero(
                np.isin(events["state"], of) & np.isin(events["kind"], (EventKind.CONDITION, EventKind.ENCOUNTER))
            )
            self.tally.add(name, sex[who[rows]], age[rows], np.zeros(len(rows)), np.ones(len(rows)))
            dead = np.flatnonzero((events["kind"] == EventKind.DEATH) & (events["state"] == self._state(*death)))
            if death[0] == "stroke":
                cause = events["state"][lives.offsets[who[dead]] + events["ref"][dead]]
                dead = dead[np.isin(cause, of)]
            self.tally.add(name, sex[who[dead]], age[dead], np.ones(len(dead)), np.zeros(len(dead)))


def lives_of(modules: ModuleSet, cohort: Cohort, *, seed: int, engine: str, threads: int) -> Iterator[Lives]:
    """Simulates a cohort in pieces."""
    options = SimulationOptions(seed=seed, end_ms=END_MS, lifecycle=Lifecycle.DEFAULT)
    if engine == "reference":
        catalogue = Catalogue(modules, extra_strings=cohort.texts())
        for row in range(len(cohort)):
            life = simulate_patient(modules, catalogue, cohort, row, options)
            yield Lives(life.events, np.array([0, len(life.events)]), cohort.rows(row, row + 1))
        return
    run = simulate(modules, cohort, options, performance=PerformanceOptions(threads=threads, chunk_size=512))
    yield from pieces_of(run)


def pieces_of(run: Run) -> Iterator[Lives]:
    """Simulates what a run is asked for."""
    for lives in run.lives():
        yield Lives(lives.events, lives.offsets, run.cohort.rows(lives.start, lives.start + len(lives.offsets) - 1))


def measure(n: int, *, seed: int, engine: str = "vm", threads: int = 1) -> Tally:
    """Simulates n lives with the bundled modules and counts."""
    modules = load_modules(bundled_modules_root())
    options = PopulationOptions(end_ms=END_MS, mortality_offset=load_bundled_mortality_offset())
    cohort = build_cohort(options, first_patient=0, n_patients=n, seed=seed, with_identity=False)
    counter = Counter(Catalogue(modules, extra_strings=cohort.texts()))
    for lives in lives_of(modules, cohort, seed=seed, engine=engine, threads=threads):
        counter.add(lives)
    return counter.tally


def measure_with_model(n: int, *, seed: int, threads: int = 1) -> Tally:
    """Simulates n lives with the bundled modules and the model that ships, and counts."""
    run, _model = prepare(life_options(None, with_model=True, seed=seed), n, lambda model: model, threads=threads)
    counter = Counter(run.program.catalogue)
    for lives in pieces_of(run):
        counter.add(lives)
    return counter.tally


@dataclass(frozen=True)
class Band:
    """Published rows of one quantity and sex taken together."""

    module: str
    quantity: str
    sex: str
    ages: str
    expected: float
    measured: float
    error: float
    n: float
    calibrated: bool

    @property
    def off(self) -> float:
        """Relative difference, measured to expected."""
        return self.measured / self.expected - 1 if self.n > 0 else float("nan")

    @property
    def met(self) -> bool:
        """Whether the figure is met, or need not be."""
        return not self.calibrated or abs(self.off) <= TOLERANCE


def bands(tally: Tally, targets: list[Target]) -> list[Band]:
    """Expected and measured shares (or rates) of every band, in file order."""
    groups: dict[tuple[str, str, str, str], list[Target]] = {}
    for target in targets:
        groups.setdefault((target.module, target.quantity, target.sex, target.band), []).append(target)
    found = []
    for (module, quantity, sex, ages), rows in groups.items():
        measured = [tally.measured(row) for row in rows]
        n = sum(m.n for m in measured)
        of_all = [m.n / n if n > 0 else 1 / len(rows) for m in measured]
        found.append(
            Band(
                module,
                quantity,
                sex,
                ages,
                expected=sum(w * row.value for w, row in zip(of_all, rows, strict=True)),
                measured=sum(w * m.value for w, m in zip(of_all, measured, strict=True) if m.n > 0),
                error=float(np.sqrt(sum((w * m.error) ** 2 for w, m in zip(of_all, measured, strict=True) if m.n > 0))),
                n=n,
                calibrated=all(row.calibrated for row in rows),
            )
        )
    return found


def report(tally: Tally, targets: list[Target]) -> int:
    """Prints the table; returns how many bands miss by more than the tolerance."""
    print("| module | quantity | sex | age | published | measured | standard error | off by |\n" + "|---" * 8 + "|")
    found = bands(tally, targets)
    for b in found:
        mark = "" if b.met else " **"
        mark = mark if b.calibrated else " (not calibrated)"
        print(
            f"| {b.module} | {b.quantity} | {b.sex} | {b.ages} "
            f"| {b.expected:.4f} | {b.measured:.4f} | {b.error:.4f} | {b.off:+.0%}{mark} |"
        )
    return sum(not b.met for b in found)


def main() -> int:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=100_000, help="lives")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=("vm", "reference"), default="vm")
    parser.add_argument("--with-model", action="store_true", help="let the model that ships time onsets")
    options = parser.parse_args()
    began = time.perf_counter()
    if options.with_model:
        tally = measure_with_model(options.n, seed=options.seed, threads=options.threads)
    else:
        tally = measure(options.n, seed=options.seed, engine=options.engine, threads=options.threads)
    missed = report(tally, read_targets())
    before, new = tally.cases[PREDIABETES_FIRST].sum(), tally.persons[PREDIABETES_FIRST].sum()
    print(f"\nof {new:.0f} new diagnoses of diabetes in {ONSET_YEARS} years {before:.0f} came after prediabetes")
    print(
        f"\n{options.n} lives, seed {options.seed}, {time.perf_counter() - began:.0f} s; "
        f"{missed} bands off by more than {TOLERANCE:.0%}"
    )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
