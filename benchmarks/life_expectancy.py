"""Life expectancy at birth on the bundled modules, and every observed value beside what a living body shows.

Newborns live to their death on the bundled modules, with the default lifecycle and the background mortality of the
life table minus what the modules kill. The mean age at death of each sex is compared with the life table of 2019; every
numeric observation is compared with the physiological bounds of its quantity. Exit status 1 if a sex differs by more
than half a year, or a value lies outside.

    python benchmarks/life_expectancy.py -n 100000
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from trajsim.engine.options import PerformanceOptions, SimulationOptions  # noqa: E402
from trajsim.engine.simulate import simulate  # noqa: E402
from trajsim.gmf.library import bundled_modules_root, load_modules  # noqa: E402
from trajsim.lifecycle.constants import PHYSIOLOGICAL_BOUNDS  # noqa: E402
from trajsim.lifecycle.profile import Lifecycle  # noqa: E402
from trajsim.population.build import build_cohort  # noqa: E402
from trajsim.population.cohort import SEXES  # noqa: E402
from trajsim.population.mortality import background_hazard  # noqa: E402
from trajsim.population.options import PopulationOptions  # noqa: E402
from trajsim.population.tables import load_bundled_mortality_offset  # noqa: E402
from trajsim.units import YEAR_MS, ms_from_iso  # noqa: E402

BORN_BY_MS = ms_from_iso("2020-01-01")
LONGEST_YEARS = 125
SHARD = 2_000
YEAR_DAYS = 365.2425
TOLERANCE_YEARS = 0.5

# LOINC code of a sign -> its bounds; codes that modules give to the same quantity.
BOUNDS = {
    "8302-2": PHYSIOLOGICAL_BOUNDS["Height"],
    "29463-7": PHYSIOLOGICAL_BOUNDS["Weight"],
    "39156-5": PHYSIOLOGICAL_BOUNDS["BMI"],
    "9843-4": PHYSIOLOGICAL_BOUNDS["Head Circumference"],
    "8289-1": (0.0, 100.0),  # percentiles
    "59576-9": (0.0, 100.0),
    "77606-2": (0.0, 100.0),
    "8480-6": (50.0, PHYSIOLOGICAL_BOUNDS["Systolic Blood Pressure"][1]),  # newborns begin at 60 over 35
    "8462-4": (25.0, PHYSIOLOGICAL_BOUNDS["Diastolic Blood Pressure"][1]),
    "8867-4": PHYSIOLOGICAL_BOUNDS["Heart Rate"],
    "9279-1": PHYSIOLOGICAL_BOUNDS["Respiration Rate"],
    "2708-6": PHYSIOLOGICAL_BOUNDS["Oxygen Saturation"],
    "59408-5": PHYSIOLOGICAL_BOUNDS["Oxygen Saturation"],
    "8310-5": (34.0, 42.0),  # body temperature, Cel
    "4548-4": PHYSIOLOGICAL_BOUNDS["Blood Glucose"],
    "2345-7": PHYSIOLOGICAL_BOUNDS["Glucose"],
    "2339-0": PHYSIOLOGICAL_BOUNDS["Glucose"],
    "1558-6": PHYSIOLOGICAL_BOUNDS["Glucose"],
    "3094-0": PHYSIOLOGICAL_BOUNDS["Urea Nitrogen"],
    "2160-0": PHYSIOLOGICAL_BOUNDS["Creatinine"],
    "38483-4": PHYSIOLOGICAL_BOUNDS["Creatinine"],
    "17861-6": PHYSIOLOGICAL_BOUNDS["Calcium"],
    "2951-2": PHYSIOLOGICAL_BOUNDS["Sodium"],
    "2823-3": PHYSIOLOGICAL_BOUNDS["Potassium"],
    "2075-0": PHYSIOLOGICAL_BOUNDS["Chloride"],
    "2028-9": PHYSIOLOGICAL_BOUNDS["Carbon Dioxide"],
    "2093-3": PHYSIOLOGICAL_BOUNDS["Total Cholesterol"],
    "2571-8": PHYSIOLOGICAL_BOUNDS["Triglycerides"],
    "18262-6": PHYSIOLOGICAL_BOUNDS["LDL"],
    "13457-7": PHYSIOLOGICAL_BOUNDS["LDL"],
    "2085-9": PHYSIOLOGICAL_BOUNDS["HDL"],
    "14959-1": PHYSIOLOGICAL_BOUNDS["Microalbumin Creatinine Ratio"],
    "9318-7": PHYSIOLOGICAL_BOUNDS["Microalbumin Creatinine Ratio"],
    "33914-3": PHYSIOLOGICAL_BOUNDS["EGFR"],
    "98979-8": PHYSIOLOGICAL_BOUNDS["EGFR"],
}


def table_expectancy(sex: int) -> float:
    """Years expected at birth by the life table's hazard, which is constant within a year of age."""
    hazard = background_hazard(None)[sex]
    alive = np.exp(-np.concatenate([[0.0], np.cumsum(hazard[:-1])]))
    lived = np.where(hazard > 0, -np.expm1(-hazard) / np.where(hazard > 0, hazard, 1.0), 1.0)
    lived[-1] = 1.0 / hazard[-1]
    return float((alive * lived).sum())


Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class Values:
    """Observed values of one code."""

    display: str
    low: float = float("inf")
    high: float = float("-inf")
    n: int = 0
    outside: int = 0


@dataclass(kw_only=True)
class Seen:
    """What was seen in some lives: ages at death by sex, observed values by code."""

    sums: Floats = field(default_factory=lambda: np.zeros(2))
    squares: Floats = field(default_factory=lambda: np.zeros(2))
    counts: Floats = field(default_factory=lambda: np.zeros(2))
    values: dict[str, Values] = field(default_factory=dict)

    def add_deaths(self, patients: pa.Table) -> None:
        """Adds ages at death."""
        years = pc.subtract(patients["death_time"].cast("int64"), patients["birth_time"].cast("int64")).to_numpy() / (
            YEAR_DAYS * 86_400e6
        )
        is_male = pc.equal(patients["sex"].cast("string"), "M").to_numpy(zero_copy_only=False)
        for sex in (0, 1):
            ages = years[is_male == bool(sex)]
            self.sums[sex] += ages.sum()
            self.squares[sex] += (ages**2).sum()
            self.counts[sex] += len(ages)

    def add_values(self, observations: pa.Table) -> None:
        """Adds the numeric observations."""
        valued = observations.filter(pc.is_valid(observations["numeric_value"]))
        codes = valued["code"].cast("string").to_numpy(zero_copy_only=False)
        numbers = valued["numeric_value"].to_numpy()
        displays = valued["display"].cast("string").to_numpy(zero_copy_only=False)
        for code in np.unique(codes):
            rows = codes == code
            found = self.values.setdefault(code, Values(display=str(displays[rows][0])))
            found.low, found.high = min(found.low, numbers[rows].min()), max(found.high, numbers[rows].max())
            found.n += int(rows.sum())
            low, high = BOUNDS.get(code, (-np.inf, np.inf))
            found.outside += int(((numbers[rows] < low) | (numbers[rows] > high)).sum())

    @property
    def n_outside(self) -> int:
        """Values that no living body shows."""
        return sum(found.outside for found in self.values.values())

    def expectancy(self, sex: int) -> tuple[float, float]:
        """Mean age at death and its standard error."""
        mean = self.sums[sex] / self.counts[sex]
        return float(mean), float(np.sqrt((self.squares[sex] / self.counts[sex] - mean**2) / self.counts[sex]))


def live(n: int, *, seed: int, threads: int = 1) -> Seen:
    """Lets newborns live to their death on the bundled modules, in pieces."""
    people = PopulationOptions(
        end_ms=BORN_BY_MS, age_low=0, age_high=0, mortality_offset=load_bundled_mortality_offset()
    )
    options = SimulationOptions(seed=seed, end_ms=BORN_BY_MS + LONGEST_YEARS * YEAR_MS, lifecycle=Lifecycle.DEFAULT)
    modules = load_modules(bundled_modules_root())
    seen = Seen()
    for first in range(0, n, SHARD):
        cohort = build_cohort(
            people, first_patient=first, n_patients=min(SHARD, n - first), seed=seed, with_identity=False
        )
        run = simulate(modules, cohort, options, performance=PerformanceOptions(threads=threads, chunk_size=256))
        records = run.records()
        seen.add_deaths(records["patients"])
        seen.add_values(records["observations"])
    return seen


def report(seen: Seen) -> bool:
    """Prints both tables; returns whether all is well."""
    is_well = seen.n_outside == 0
    print("life expectancy at birth      ours      SE    life table 2019   difference")
    for sex, name in enumerate(SEXES):
        mean, error = seen.expectancy(sex)
        table = table_expectancy(sex)
        is_well &= abs(mean - table) <= TOLERANCE_YEARS
        print(f"{name:24} {mean:9.2f} {error:7.2f} {table:18.2f} {mean - table:12.2f}")
    print("\nvalues        lowest      highest            n   outside   what")
    for code, found in sorted(seen.values.items()):
        mark = str(found.outside) if code in BOUNDS else "-"
        print(f"{code:10} {found.low:9.2f} {found.high:12.2f} {found.n:12} {mark:>9}   {found.display}")
    print(f"\n{seen.n_outside} values outside")
    return is_well


def main() -> int:
    """Runs newborns to their death and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=100_000, help="newborns")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    began = time.perf_counter()
    seen = live(given.n, seed=given.seed, threads=given.threads)
    print(f"{given.n} newborns to their death, seed {given.seed}, {time.perf_counter() - began:.0f} s\n")
    return int(not report(seen))


if __name__ == "__main__":
    sys.exit(main())
