"""Derives the lookup tables of the bundled modules from published prevalence curves.

A cohort of each sex lives once from birth to 105, a year at a step, by the same rules as the modules but with arrays
instead of an interpreter. The hazard of an onset in a year is whatever brings the share of the living with the disease
to the next point of its curve (`bundled_curves.csv`), given who is at risk and which other risk factors they have. The
hazards are averaged over five years of age and written as CSV files; a second cohort then lives by these tables and is
compared with `tests/statistical/targets.csv`.

    python benchmarks/bundled_hazards.py              # compare only
    python benchmarks/bundled_hazards.py --write      # also write modules/lookup_tables/*.csv
"""

import argparse
import csv
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajsim.population.tables import load_life_table

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "modules" / "lookup_tables"
TARGETS = ROOT / "tests" / "statistical" / "targets.csv"
CURVES = ROOT / "benchmarks" / "bundled_curves.csv"
LAST_AGE = 105
SEXES = ("F", "M")

Flags = NDArray[np.bool_]

# Years from onset to the visit that finds it: the curves are of known disease.
_LAG = {"hypertension": 1, "prediabetes": 1, "diabetes": 1, "dyslipidemia": 1, "high_cholesterol": 1}
_SMOKING = {  # from the age of 18, 30, 40 ... 80 on
    "M": (0.2253, 0.2519, 0.2002, 0.2166, 0.1665, 0.1004, 0.0260),
    "F": (0.1576, 0.1929, 0.1877, 0.2065, 0.1349, 0.0748, 0.0250),
}
_DECADES = (18, 30, 40, 50, 60, 70, 80)
# Share with a body mass index of 30 or more in lives of the lifecycle, at these ages; measured at wellness visits.
_OBESITY_AGES = (18.0, 22.5, 27.5, 32.5, 37.5, 42.5, 47.5, 52.5, 57.5, 62.5, 67.5, 72.5, 77.5, 82.5, 90.0)
_OBESITY = {
    "F": (0.10, 0.109, 0.145, 0.240, 0.345, 0.423, 0.402, 0.350, 0.315, 0.270, 0.251, 0.228, 0.203, 0.184, 0.155),
    "M": (0.09, 0.095, 0.139, 0.224, 0.322, 0.399, 0.385, 0.343, 0.305, 0.260, 0.227, 0.203, 0.193, 0.164, 0.152),
}
_STAYS_OBESE = ((18, 0.81), (60, 0.85))  # from one visit to the next; weight management ends it for a while
_START_AGE = {"hypertension": 18, "prediabetes": 18, "diabetes": 18, "dyslipidemia": 20, "high_cholesterol": 20,
              "coronary_disease": 25, "stroke_history": 25, "atrial_fibrillation": 30, "fatty_liver": 18,
              "heart_failure": 25}  # fmt: skip
# Onsets a person-year of everybody of that age, where incidence is published instead of prevalence.
_RATES = {
    "fatty_liver": ((18, 0.0015), (30, 0.0032), (40, 0.0044), (50, 0.0051), (60, 0.0050), (70, 0.0036), (80, 0.0020)),
}
_REGRESSION = 0.04

# Deaths, as the modules' remarks cite them: by age from ... on.
BEFORE_HOSPITAL = ((25, 0.08), (55, 0.10), (65, 0.12), (75, 0.15), (85, 0.18))
IN_HOSPITAL = ((25, 0.025), (55, 0.04), (65, 0.09), (75, 0.15), (85, 0.22))
STROKE_DEATH = {
    "ischemic": ((25, 0.03), (55, 0.045), (65, 0.075), (75, 0.10), (85, 0.14)),
    "hemorrhagic": ((25, 0.30), (55, 0.36), (65, 0.42), (75, 0.45), (85, 0.50)),
}
LATER_INFARCTION = {True: ((25, 0.015), (65, 0.02), (75, 0.03)), False: ((25, 0.01), (65, 0.015), (75, 0.025))}
_FIRST_YEAR_INFARCTION, _FIRST_YEAR_STROKE, _LATER_STROKE, _ISCHEMIC = 0.055, 0.08, 0.032, 0.87
_INFECTION = {"F": ((0, 0.392), (5, 0.0933)), "M": ((0, 0.392), (5, 0.0667))}


def step(table: tuple[tuple[int, float], ...], age: int) -> float:
    """Value of the last row that begins at or before an age."""
    return [value for start, value in table if start <= age][-1] if age >= table[0][0] else table[0][1]


@cache
def curves() -> dict[tuple[str, str], NDArray[np.float64]]:
    """Points (age, share) by quantity and sex."""
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with CURVES.open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            points.setdefault((row["quantity"], row["sex"]), []).append((float(row["age"]), float(row["share"])))
    return {key: np.array(value) for key, value in points.items()}


def on_curve(name: str, sex: str, age: float) -> float:
    """Share of the living that the curve wants at an exact age, counted from onset instead of discovery."""
    points = curves()[name, sex]
    if age < _START_AGE[name]:
        return 0.0
    return float(np.interp(age + _LAG.get(name, 0), points[:, 0], points[:, 1]))


@dataclass
class Hazards:
    """Yearly probabilities by name and age, as the tables hold them, and the sums that they are averages of."""

    found: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    weight: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def note(self, name: str, age: int, hazard: float, weight: float) -> None:
        """Keeps one year's hazard and the number at risk behind it."""
        self.found.setdefault(name, np.zeros(LAST_AGE))[age] = hazard
        self.weight.setdefault(name, np.zeros(LAST_AGE))[age] = weight

    def banded(self, name: str) -> list[tuple[int, int, float]]:
        """Rows (first age, last age, probability) of up to five years."""
        start = _START_AGE[name]
        edges = [start, *range(start - start % 5 + 5, 100, 5), LAST_AGE]
        rows = []
        for low, high in pairwise(edges):
            weight = self.weight[name][low:high]
            mean = float((self.found[name][low:high] * weight).sum() / weight.sum()) if weight.sum() > 0 else 0.0
            rows.append((low, 140 if high == LAST_AGE else high - 1, round(mean, 6)))
        return rows


class Lives:
    """Arrays of one sex: who is alive and has what."""

    def __init__(self, sex: str, n: int, seed: int) -> None:
        self.sex, self.n = sex, n
        self.rng = np.random.default_rng(seed)
        self.later_rng = np.random.default_rng((seed, 1))  # of diseases added later: the others' draws stay
        self.alive = np.ones(n, dtype=bool)
        self.is_obese = np.zeros(n, dtype=bool)
        self.smoker = np.zeros(n, dtype=bool)
        names = ("hypertension", "prediabetes", "diabetes", "dyslipidemia", "statin", "coronary_disease",
                 "infarction", "stroke_history", "atrial_fibrillation", "anticoagulated", "fatty_liver",
                 "heart_failure")  # fmt: skip
        self.has: dict[str, Flags] = {name: np.zeros(n, dtype=bool) for name in names}
        self.since_infarction = np.full(n, 99)
        self.since_stroke = np.full(n, 99)

    def chance(self, probability: "float | NDArray[np.float64]") -> Flags:
        """One Bernoulli draw each."""
        return self.rng.random(self.n) < probability

    def count(self, *names: str) -> NDArray[np.int64]:
        """How many of these each person has; ``smoker`` and ``high_cholesterol`` count too."""
        return np.sum([self.flag(name) for name in names], axis=0)

    def flag(self, name: str) -> Flags:
        """A state by name."""
        if name == "smoker":
            return self.smoker
        if name == "high_cholesterol":
            return self.has["dyslipidemia"] & ~self.has["statin"]
        return self.has[name]

    def weigh(self, age: int) -> None:
        """Obesity comes and goes, so that its share is the lifecycle's at every age."""
        if age < 18:
            return
        share = float(np.interp(age, _OBESITY_AGES, _OBESITY[self.sex]))
        before = float(self.is_obese[self.alive].mean()) if self.alive.any() else 0.0
        comes = min(max((share - before * step(_STAYS_OBESE, age)) / max(1 - before, 1e-9), 0.0), 1.0)
        self.is_obese = np.where(self.is_obese, self.chance(step(_STAYS_OBESE, age)), self.chance(comes))


def acceptance(lives: Lives, name: str) -> NDArray[np.float64]:
    """Share of candidates that a module does not pass over, by risk factors (their Candidate states)."""
    one = np.ones(lives.n)
    if name == "hypertension":
        return np.where(lives.is_obese, one, 0.47)
    if name == "prediabetes":
        return np.where(lives.is_obese, one, 0.45)
    if name == "coronary_disease":
        k = lives.count("hypertension", "diabetes", "high_cholesterol", "smoker")
        return np.array([0.125, 0.25, 0.5, 1.0, 1.0])[k]
    if name == "stroke_history":
        k = lives.count("hypertension", "diabetes", "smoker")
        rhythm = np.where(lives.has["atrial_fibrillation"], np.where(lives.has["anticoagulated"], 0.36, 1.0), 0.2)
        return np.array([0.25, 0.5, 1.0, 1.0])[k] * rhythm
    if name == "atrial_fibrillation":
        return np.array([0.328, 0.476, 0.69, 1.0])[lives.count("hypertension", "diabetes", "coronary_disease")]
    if name == "fatty_liver":
        return np.where(lives.is_obese, one, 0.25) * np.where(lives.has["diabetes"], one, 0.5)
    if name == "heart_failure":
        sugar_and_pressure = np.where(lives.has["diabetes"], one, 0.5405) * np.where(
            lives.has["hypertension"], one, 0.7143
        )
        return np.where(lives.has["coronary_disease"], one, 0.1233) * sugar_and_pressure
    return one


class Year:
    """One year of age of all lives: hazards come from a table if there is one, else from the curve."""

    def __init__(
        self, lives: Lives, age: int, hazards: Hazards, tables: "dict[str, NDArray[np.float64]] | None"
    ) -> None:
        self.lives, self.age, self.hazards, self.tables = lives, age, hazards, tables
        self.killed = np.zeros(lives.n, dtype=bool)

    def run(self) -> None:
        """Onsets, events and deaths of the year, module deaths before background."""
        self.lives.weigh(self.age)
        self._smoking()
        self._lipids()
        self._sugar()
        self._simple("hypertension")
        self._rhythm()
        self._coronary()
        self._stroke()
        self._added_later("fatty_liver")
        self._added_later("heart_failure")
        lives = self.lives
        lives.alive &= ~self.killed

    def _hazard(self, name: str, at_risk: Flags, *, now: float) -> float:
        """The yearly probability of this age: from the table, or what reaches the curve next year."""
        if self.tables is not None:
            return float(self.tables[name][self.age])
        lives = self.lives
        weight = float((acceptance(lives, name) * at_risk).sum())
        share = step(_RATES[name], self.age) if name in _RATES else on_curve(name, lives.sex, self.age + 1) - now
        need = share * lives.alive.sum()
        hazard = min(max(need / weight, 0.0), 0.9) if weight > 0 else 0.0
        self.hazards.note(name, self.age, hazard, weight)
        return hazard

    def _share(self, flags: Flags) -> float:
        alive = self.lives.alive
        return float((flags & alive).sum() / max(alive.sum(), 1))

    def _onset(self, name: str, at_risk: Flags, *, now: float, survival: float = 1.0) -> Flags:
        """Who falls ill; `survival` is the share of them that lives to be counted."""
        if self.age < _START_AGE[name]:
            return np.zeros(self.lives.n, dtype=bool)
        hazard = self._hazard(name, at_risk, now=now)
        if self.tables is None:
            hazard = min(hazard / survival, 0.9)
            self.hazards.found[name][self.age] = hazard
        return at_risk & self.lives.chance(hazard * acceptance(self.lives, name))

    def _simple(self, name: str) -> None:
        lives = self.lives
        has = lives.has[name]
        has |= self._onset(name, lives.alive & ~has, now=self._share(has), survival=0.955)

    def _added_later(self, name: str) -> None:
        """A disease that no other of this cohort depends on."""
        lives = self.lives
        if self.age < _START_AGE[name]:
            return
        has = lives.has[name]
        at_risk = lives.alive & ~has
        hazard = self._hazard(name, at_risk, now=self._share(has))
        has |= at_risk & (lives.later_rng.random(lives.n) < hazard * acceptance(lives, name))

    def _smoking(self) -> None:
        lives = self.lives
        if self.age in _DECADES:
            starts, stops = smoking_steps(lives.sex)[_DECADES.index(self.age)]
            lives.smoker = np.where(lives.smoker, ~lives.chance(stops), lives.chance(starts))

    def _lipids(self) -> None:
        lives = self.lives
        has = lives.has["dyslipidemia"]
        has |= self._onset("dyslipidemia", lives.alive & ~has, now=self._share(has))
        high = lives.flag("high_cholesterol") & lives.alive
        if self.age < _START_AGE["high_cholesterol"]:
            return
        if self.tables is None:
            share = self._share(high)
            hazard = min(max(1 - on_curve("high_cholesterol", lives.sex, self.age + 1) / max(share, 1e-9), 0.0), 0.9)
            self.hazards.note("high_cholesterol", self.age, hazard, float(high.sum()))
        else:
            hazard = float(self.tables["high_cholesterol"][self.age])
        lives.has["statin"] |= high & lives.chance(hazard)

    def _sugar(self) -> None:
        lives = self.lives
        sick, pre = lives.has["diabetes"], lives.has["prediabetes"]
        progress = self._onset("diabetes", lives.alive & pre, now=self._share(sick) * (1 - 0.003))
        pre &= ~progress
        pre &= ~(lives.alive & lives.chance(_REGRESSION))
        healthy = lives.alive & ~pre & ~sick & ~progress
        pre |= self._onset("prediabetes", healthy, now=self._share(pre))
        sick |= progress
        sick &= ~lives.chance(0.003)

    def _rhythm(self) -> None:
        lives = self.lives
        has = lives.has["atrial_fibrillation"]
        new = self._onset(
            "atrial_fibrillation", lives.alive & ~has, now=self._share(has), survival=0.95 if self.age < 70 else 1.0
        )
        if self.age < 70:  # cured by ablation
            new &= ~lives.chance(0.06)
        points = (
            lives.count("hypertension", "diabetes", "coronary_disease", "stroke_history")
            + (self.age >= 65)
            + (self.age >= 75)
        )
        points = points + (lives.sex == "F")
        lives.has["anticoagulated"] |= (points >= 2) & np.where(new, lives.chance(0.75), has & lives.chance(0.1))
        has |= new

    def _infarctions(self, who: Flags) -> None:
        lives = self.lives
        dies = who & lives.chance(step(BEFORE_HOSPITAL, self.age))
        dies |= who & ~dies & lives.chance(step(IN_HOSPITAL, self.age))
        self.killed |= dies
        lives.has["infarction"] |= who
        lives.has["statin"] |= who & ~dies
        lives.since_infarction[who] = 0

    def _coronary(self) -> None:
        lives = self.lives
        has = lives.has["coronary_disease"]
        first = 0.55 if lives.sex == "M" else 0.45
        dead = step(BEFORE_HOSPITAL, self.age) + (1 - step(BEFORE_HOSPITAL, self.age)) * step(IN_HOSPITAL, self.age)
        later = np.where(
            lives.has["infarction"], step(LATER_INFARCTION[True], self.age), step(LATER_INFARCTION[False], self.age)
        )
        later = np.where(lives.since_infarction < 1, _FIRST_YEAR_INFARCTION, later)
        lost = float((later * (has & lives.alive)).sum()) * dead / max(lives.alive.sum(), 1)
        new = self._onset(
            "coronary_disease", lives.alive & ~has, now=self._share(has) - lost, survival=1 - first * dead
        )
        again = has & lives.alive & lives.chance(later)
        lives.since_infarction += 1
        self._infarctions(again | (new & lives.chance(first)))
        lives.has["statin"] |= new
        has |= new

    def _stroke(self) -> None:
        lives = self.lives
        has = lives.has["stroke_history"]
        dead = _ISCHEMIC * step(STROKE_DEATH["ischemic"], self.age) + (1 - _ISCHEMIC) * step(
            STROKE_DEATH["hemorrhagic"], self.age
        )
        later = np.where(lives.since_stroke < 1, _FIRST_YEAR_STROKE, _LATER_STROKE)
        lost = float((later * (has & lives.alive)).sum()) * dead / max(lives.alive.sum(), 1)
        new = self._onset("stroke_history", lives.alive & ~has, now=self._share(has) - lost, survival=1 - dead)
        strikes = new | (has & lives.alive & lives.chance(later))
        lives.since_stroke += 1
        lives.since_stroke[strikes] = 0
        self.killed |= strikes & lives.chance(dead)
        lives.has["statin"] |= strikes
        has |= new


def smoking_steps(sex: str) -> list[tuple[float, float]]:
    """(chance to start, chance to stop) at 18, 30, 40 ... 80."""
    shares = (0.0, *_SMOKING[sex])
    steps = []
    for before, after in pairwise(shares):
        steps.append(((after - before) / (1 - before), 0.0) if after > before else (0.0, 1 - after / before))
    return steps


@dataclass
class Result:
    """Shares of the living by name and age (mean of the year), and deaths."""

    share: dict[str, NDArray[np.float64]]
    alive: NDArray[np.float64]
    module_hazard: NDArray[np.float64]


def live(sex: str, n: int, seed: int, hazards: Hazards, tables: "dict[str, NDArray[np.float64]] | None") -> Result:
    """Lets a cohort live from birth to LAST_AGE."""
    lives = Lives(sex, n, seed)
    all_cause = load_life_table()[SEXES.index(sex)]
    names = ("hypertension", "prediabetes", "diabetes", "dyslipidemia", "high_cholesterol", "coronary_disease",
             "stroke_history", "atrial_fibrillation", "smoker", "statin", "heart_failure")  # fmt: skip
    share = {name: np.zeros(LAST_AGE) for name in (*names, "obesity")}
    alive, killed = np.zeros(LAST_AGE), np.zeros(LAST_AGE)
    for age in range(LAST_AGE):
        before = {name: (lives.flag(name) & lives.alive).sum() / max(lives.alive.sum(), 1) for name in names}
        start = lives.alive.sum()
        year = Year(lives, age, hazards, tables)
        year.run()
        killed[age] = (start - lives.alive.sum()) / max(start, 1)
        background = max(all_cause[age] - killed[age], 0.0)
        lives.alive &= ~lives.chance(1 - np.exp(-background))
        alive[age] = lives.alive.sum()
        for name in names:
            now = (lives.flag(name) & lives.alive).sum() / max(lives.alive.sum(), 1)
            share[name][age] = (before[name] + now) / 2
        share["obesity"][age] = (lives.is_obese & lives.alive).sum() / max(lives.alive.sum(), 1)
    return Result(share=share, alive=alive, module_hazard=killed)


def write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """Writes one lookup table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def onset_tables(found: dict[str, Hazards]) -> dict[str, tuple[list[str], list[list[object]]]]:
    """Tables with one probability that begins something, by age and sex."""
    wanted = {
        "hypertension_onset.csv": ("hypertension", "Candidate", "Another Year"),
        "prediabetes_onset.csv": ("prediabetes", "Candidate", "Another Year"),
        "dyslipidemia_onset.csv": ("dyslipidemia", "Cholesterol Rises", "Another Year"),
        "dyslipidemia_first_statin.csv": ("high_cholesterol", "Weeks to Decision", "Year of Diet"),
        "dyslipidemia_later_statin.csv": ("high_cholesterol", "Decision Visit", "Year of Diet"),
        "coronary_onset.csv": ("coronary_disease", "Candidate", "Another Year"),
        "stroke_onset.csv": ("stroke_history", "Candidate", "Another Year"),
        "atrial_fibrillation_onset.csv": ("atrial_fibrillation", "Candidate", "Another Year"),
        "fatty_liver_onset.csv": ("fatty_liver", "Candidate", "Another Year"),
        "heart_failure_onset.csv": ("heart_failure", "Candidate", "Another Year"),
    }
    tables: dict[str, tuple[list[str], list[list[object]]]] = {}
    for file, (name, yes, no) in wanted.items():
        rows: list[list[object]] = [
            [f"{low}-{high}", sex, f"{p:.6f}", f"{1 - p:.6f}"]
            for sex in SEXES
            for low, high, p in found[sex].banded(name)
        ]
        tables[file] = (["age", "gender", yes, no], rows)
    rows = [
        [f"{low}-{high}", sex, f"{p:.6f}", f"{_REGRESSION:.6f}", f"{1 - p - _REGRESSION:.6f}"]
        for sex in SEXES
        for low, high, p in found[sex].banded("diabetes")
    ]
    tables["diabetes_progression.csv"] = (
        ["age", "gender", "Progress", "Back to Normal", "Year of Prediabetes"],
        rows,
    )
    return tables


def _ages(table: tuple[tuple[int, float], ...], first: int = 0) -> list[tuple[str, float]]:
    starts = [first, *[start for start, _ in table[1:]], 141]
    return [(f"{low}-{high - 1}", value) for low, high, (_, value) in zip(starts[:-1], starts[1:], table, strict=True)]


def cited_tables() -> dict[str, tuple[list[str], list[list[object]]]]:
    """Tables that hold cited figures as they stand."""
    tables: dict[str, tuple[list[str], list[list[object]]]] = {}

    def add(file: str, keys: list[str], yes: str, no: str, rows: list[tuple[list[str], float]]) -> None:
        tables[file] = ([*keys, yes, no], [[*key, f"{p:.6f}", f"{1 - p:.6f}"] for key, p in rows])

    add(
        "infarction_before_hospital.csv",
        ["age"],
        "Sudden Death",
        "Emergency",
        [([a], p) for a, p in _ages(BEFORE_HOSPITAL)],
    )
    add(
        "infarction_in_hospital.csv", ["age"], "Dies in Hospital", "Recovers", [([a], p) for a, p in _ages(IN_HOSPITAL)]
    )
    add("stroke_death.csv", ["age", "stroke_type"], "Dies in Hospital", "Survives",
        [([a, kind], p) for kind, table in STROKE_DEATH.items() for a, p in _ages(table)])  # fmt: skip
    add("coronary_infarction.csv", ["age", "infarction_history"], "Next Infarction", "Follow-Up",
        [([a, str(old).lower()], p / 2) for old, rows in LATER_INFARCTION.items() for a, p in _ages(rows)])  # fmt: skip
    add("upper_respiratory_infection.csv", ["age", "gender"], "Cough", "Another Year",
        [([a, sex], p) for sex in SEXES for a, p in _ages(_INFECTION[sex])])  # fmt: skip
    decades = [f"{low}-{high - 1}" for low, high in zip(_DECADES, (*_DECADES[1:], 141), strict=True)]
    for file, which, yes in (("tobacco_start.csv", 0, "Starts"), ("tobacco_stop.csv", 1, "Stops")):
        rows = [([a, sex], s[which]) for sex in SEXES for a, s in zip(decades, smoking_steps(sex), strict=True)]
        add(file, ["age", "gender"], yes, "Which Status", rows)
    return tables


def compare(results: dict[str, Result]) -> int:
    """Prints expected against target, and returns how many rows miss by more than 25 %."""
    missed = 0
    with TARGETS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {"high_total_cholesterol": "high_cholesterol", "current_smoking": "smoker"}
    for row in rows:
        name = names.get(row["quantity"], row["quantity"])
        if row["sex"] not in results:
            continue
        result = results[row["sex"]]
        if name not in result.share:
            continue
        low, high = int(row["age_low"]), min(int(row["age_high"]), 99)
        ages = np.arange(low, high + 1)
        seen = np.clip(ages - _LAG.get(name, 0), 0, None)
        expected = float((result.share[name][seen] * result.alive[ages]).sum() / result.alive[ages].sum())
        error = expected / float(row["target"]) - 1
        missed += abs(error) > 0.25 and row["calibrated"] == "yes"
        print(f"{name:22} {row['sex']} {low:3}-{high:<3} target {row['target']:6} expected {expected:.4f} {error:+.0%}")
    return missed


def main() -> None:
    """Derives, optionally writes, and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=200_000, help="lives of each sex")
    parser.add_argument("--write", action="store_true", help="write modules/lookup_tables")
    options = parser.parse_args()
    found = {sex: Hazards() for sex in SEXES}
    for sex in SEXES:
        live(sex, options.n, 1, found[sex], None)
    tables = {}
    for sex in SEXES:
        tables[sex] = {}
        for name in _START_AGE:
            values = np.zeros(LAST_AGE)
            for low, high, p in found[sex].banded(name):
                values[low : high + 1] = p
            tables[sex][name] = values
    results = {sex: live(sex, options.n, 2, Hazards(), tables[sex]) for sex in SEXES}
    missed = compare(results)
    print("module hazard a year at 50, 60, 70, 80, 90:")
    for sex in SEXES:
        print(" ", sex, " ".join(f"{results[sex].module_hazard[age]:.5f}" for age in (50, 60, 70, 80, 90)))
    if options.write:
        TABLES.mkdir(parents=True, exist_ok=True)
        for file, (header, rows) in (onset_tables(found) | cited_tables()).items():
            write_table(TABLES / file, header, rows)
    print(f"{missed} rows are expected to miss by more than 25 %")


if __name__ == "__main__":
    main()
