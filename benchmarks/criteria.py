"""Measures criteria: 20 inclusion rules over whole lives of the bundled modules, one thread.

    python benchmarks/criteria.py -n 20000 --folder lives

The lives are generated once, to Parquet in the folder given, and read again by the next run. Reading is not part of the
measured time, on one thread; all else that `evaluate_records` does is.
"""

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa

from trajsim.records import Records
from trajsim.records.parquet import read_parquet_shards
from trajsim.records.table import TABLE_NAMES
from trajsim.trials.criteria.read import parse_criteria
from trajsim.trials.criteria.records_source import evaluate_records

SEED = 7
CRITERIA = b"""
code_sets:
  hypertension: {codes: ["SNOMED-CT|38341003", "SNOMED-CT|59621000"]}
  diabetes: {codes: ["SNOMED-CT|44054006"]}
  stroke: {codes: ["SNOMED-CT|422504002", "SNOMED-CT|230690007"]}
  infarction: {codes: ["SNOMED-CT|22298006", "SNOMED-CT|401303003", "SNOMED-CT|401314000"]}
  heart failure: {codes: ["SNOMED-CT|84114007", "SNOMED-CT|88805009"]}
  pregnancy: {codes: ["SNOMED-CT|72892002"]}
  kidney disease: {codes: ["SNOMED-CT|433144002", "SNOMED-CT|431857002", "SNOMED-CT|46177005"]}
  cancer: {codes: ["SNOMED-CT|254637007", "SNOMED-CT|363406005", "SNOMED-CT|254837009", "SNOMED-CT|126906006"]}
  dementia: {codes: ["SNOMED-CT|26929004", "SNOMED-CT|230265002"]}
  systolic: {codes: ["LOINC|8480-6"]}
  diastolic: {codes: ["LOINC|8462-4"]}
  bmi: {codes: ["LOINC|39156-5"]}
  a1c: {codes: ["LOINC|4548-4"]}
  egfr: {codes: ["LOINC|33914-3", "LOINC|98979-8"]}
  potassium: {codes: ["LOINC|2823-3", "LOINC|6298-4"]}
  creatinine: {codes: ["LOINC|2160-0", "LOINC|38483-4"]}
  antihypertensives: {codes: ["RxNorm|314076", "RxNorm|310798", "RxNorm|308136", "RxNorm|979492", "RxNorm|314077"]}
  metformin: {codes: ["RxNorm|860975", "RxNorm|861007"]}
entry: {any_of: [{domain: condition, codes: hypertension}, {domain: condition, codes: diabetes}], days_before: 365}
rules:
  - {name: 18 to 85 years, patient: {age: 18..85}}
  - {name: diabetes or high pressure, need: any, events: [{event: {domain: condition, codes: diabetes}, window: "..0"},
      {event: {domain: measurement, codes: systolic, value: ">= 140"}, window: "-365..30"}]}
  - {name: systolic measured on two days, event: {domain: measurement, codes: systolic, value: 90..220},
      occurrence: {op: at_least, n: 2, distinct: start}, window: "-1095..30"}
  - {name: diastolic below 120, event: {domain: measurement, codes: diastolic, value: ">= 120"}, occurrence: none,
      window: "-365..0"}
  - {name: BMI of 18 to 45, event: {domain: measurement, codes: bmi, value: 18..45}, window: "-730..30"}
  - {name: HbA1c below 10, event: {domain: measurement, codes: a1c, value: "> 10"}, occurrence: none, window: "-365..0"}
  - {name: eGFR above 30, event: {domain: measurement, codes: egfr, value: "< 30"}, occurrence: none, window: "-365..0"}
  - {name: potassium below 5.5, event: {domain: measurement, codes: potassium, value: "> 5.5"}, occurrence: none,
      window: "-180..0"}
  - {name: creatinine below 3, event: {domain: measurement, codes: creatinine, value: "> 3"}, occurrence: none,
      window: "-365..0"}
  - {name: no stroke in 180 days, event: {domain: condition, codes: stroke}, occurrence: none, window: "-180..0"}
  - {name: no infarction in 90 days, event: {domain: condition, codes: infarction}, occurrence: none, window: "-90..0"}
  - {name: no heart failure, event: {domain: condition, codes: heart failure}, occurrence: none, window: "..0"}
  - {name: not pregnant, event: {domain: condition, codes: pregnancy}, occurrence: none, window: "-280..30"}
  - {name: no kidney disease, event: {domain: condition, codes: kidney disease}, occurrence: none, window: "..0"}
  - {name: no cancer in five years, event: {domain: condition, codes: cancer}, occurrence: none, window: "-1826..0"}
  - {name: no dementia, event: {domain: condition, codes: dementia}, occurrence: none, window: "..0"}
  - {name: at most three agents, event: {domain: drug, codes: antihypertensives},
      occurrence: {op: at_most, n: 3, distinct: code}, window: "..0"}
  - {name: treatment is possible, need: any, events: [
      {event: {domain: drug, codes: antihypertensives}, window: "0..365"},
      {event: {domain: drug, codes: metformin}, window: "0..365"}], groups: [{need: at_least, n: 2, events: [
      {event: {domain: visit}, occurrence: at least 2, window: "0..365"},
      {event: {domain: measurement, codes: systolic, value: "< 180"}, window: "0..365"},
      {event: {domain: procedure}, window: "0..365"}]}]}
  - {name: comes to visits, event: {domain: visit}, occurrence: at least 2, window: "-730..0"}
  - {name: no two admissions, event: {domain: visit, length: ">= 3"}, occurrence: at most 1, window: "-365..0"}
keep: first
"""


def _lives(folder: Path, count: int) -> Path:
    """The Parquet of a run in the folder; a run that is there is not made again."""
    run = folder / str(count)
    command = [sys.executable, "-m", "trajsim", "generate", "-n", str(count), "--seed", str(SEED), "--threads", "1"]
    subprocess.run([*command, "--format", "parquet", "--out", str(run)], check=True)
    return run / "parquet"


class _Shards:
    """The shards of a folder, and what reading them cost, which is not part of what is measured."""

    def __init__(self, folder: Path, profile: cProfile.Profile | None) -> None:
        self._folder = folder
        self._profile = profile
        self.wall = self.cpu = 0.0
        self.n_rows = self.n_shards = 0

    def __iter__(self) -> Iterator[Records]:
        shards = read_parquet_shards(self._folder)
        while True:
            if self._profile is not None:
                self._profile.disable()
            began, began_cpu = time.perf_counter(), time.process_time()
            shard = next(shards, None)
            self.wall += time.perf_counter() - began
            self.cpu += time.process_time() - began_cpu
            if shard is None:
                return
            self.n_rows += sum(shard[name].num_rows for name in TABLE_NAMES)
            self.n_shards += 1
            if self._profile is not None:
                self._profile.enable()
            yield shard


def main() -> None:
    """Generates what is missing, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=20_000, help="whole lives")
    parser.add_argument("--folder", type=Path, help="where lives are kept between runs; a temporary one if not given")
    parser.add_argument("--profile", action="store_true", help="the twenty slowest functions, by time inside")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(options.folder or Path(temporary), options.n, with_profile=options.profile)


def measure(folder: Path, n: int, *, with_profile: bool) -> None:
    """Evaluates the twenty rules over `n` lives of `folder`, which are made first where they are not there."""
    pa.set_cpu_count(1)
    lives = _lives(folder, n)
    definition = parse_criteria(CRITERIA)
    profile = cProfile.Profile() if with_profile else None
    shards = _Shards(lives, profile)
    began, began_cpu = time.perf_counter(), time.process_time()
    found = evaluate_records(definition, shards)
    wall, cpu = time.perf_counter() - began - shards.wall, time.process_time() - began_cpu - shards.cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(found.rules)} rules, {found.n_patients:,} people in {shards.n_shards} shards, {shards.n_rows:,} rows")
    print(f"{found.n_events:,} candidate events, {len(set(found.cohort_patient.tolist())):,} people in the cohort")
    per = 100_000 / found.n_patients
    print(
        f"{wall:.2f} s wall, {cpu:.2f} s CPU; {wall * per:.1f} s and {cpu * per:.1f} s CPU per 100,000; {peak:.0f} MiB"
    )
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    main()
