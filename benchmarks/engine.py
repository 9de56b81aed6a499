"""How fast lives are simulated and written, what a second thread brings, and how much memory it takes.

    python benchmarks/engine.py [rates] [threads] [memory] [start] [--modules-dir DIR] [-n 2000] [--large] [--only TEXT]

Without a part all run. The modules are Synthea's stock modules where a folder is given or lies beside the checkout
(../shared/synthea/modules), else the bundled ones. The population is the built-in one (US ages), the end 2025-01-01.
CPU seconds are user plus system seconds of all threads of the process, start-up and compilation subtracted; years
lived, rows and bytes stand beside every rate, because a rate means nothing without them. `--large` adds 100,000
patients to the memory curve; `--only` keeps the rates of outputs whose name has a text, for example `--only claims`.
Piecewise NDJSON is dropped as it leaves the writer. Rows of claims are not counted.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from fhir_export.exporter import FhirExporter
from fhir_export.layout import Layout
from fhir_export.ndjson import lines
from trajsim.costs import with_claims
from trajsim.engine.compile import compile_modules
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.simulate import simulate
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.population_file import read_population_file
from trajsim.records.csv import write_csv
from trajsim.records.parquet import write_parquet
from trajsim.records.table import Records
from trajsim.units import YEAR_MS, ms_from_iso

ROOT = Path(__file__).resolve().parent.parent
END_MS = ms_from_iso("2025-01-01")
SEED = 7
LIFECYCLE = Lifecycle.SYNTHEA
SHARD = 250

Write = Callable[[Records, Path, int], int]


def machine() -> str:
    """The machine, in one line."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = os.getloadavg()[0]
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    return f"{model}, {os.cpu_count()} cores, {versions}, load {load:.1f}"


def modules_folder(given: Path | None) -> Path:
    """Stock modules if there are any, else the bundled ones."""
    beside = ROOT.parent / "shared" / "synthea" / "modules"
    return given or (beside if beside.is_dir() else bundled_modules_root())


@dataclass(frozen=True)
class Spent:
    """Seconds of this process."""

    user: float
    system: float
    wall: float

    @classmethod
    def now(cls) -> "Spent":
        """Since the process began."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(used.ru_utime, used.ru_stime, time.perf_counter())

    def since(self, before: "Spent") -> "Spent":
        """Difference."""
        return Spent(self.user - before.user, self.system - before.system, self.wall - before.wall)


class Bench:
    """Program and cohort of a measurement."""

    def __init__(self, folder: Path, n_patients: int) -> None:
        """Loads and compiles."""
        self.folder = folder
        self.options = SimulationOptions(seed=SEED, end_ms=END_MS, lifecycle=LIFECYCLE)
        self.cohort = cohort_of(n_patients)
        self.program: Program = compile_modules(load_modules(folder), texts=self.cohort.texts(), lifecycle=LIFECYCLE)
        self.years = float(np.mean((END_MS - self.cohort.birth_ms) / YEAR_MS))

    def run(self, cohort: Cohort, write: Write | None, place: Path, *, threads: int = 1) -> tuple[Spent, int, int]:
        """Simulates (and writes) a cohort; returns what it took, rows (events without a writer), bytes."""
        performance = PerformanceOptions(threads=threads, chunk_size=SHARD // threads)
        run = simulate(self.program, cohort, self.options, performance=performance)
        rows = size = 0
        before = Spent.now()
        if write is None:
            for lives in run.lives():
                rows += len(lives.events)
        else:
            for number, shard in enumerate(run.shards(SHARD)):
                rows += shard.records.n_rows
                size += write(shard.records, place, number)
        return Spent.now().since(before), rows, size


def population() -> PopulationOptions:
    """The population of the reference run where it is at hand, else the built-in one."""
    place = ROOT.parent / "shared" / "synthea" / "reference" / "demographics.csv"
    table = read_population_file(place) if place.is_file() else None
    return PopulationOptions(end_ms=END_MS, mortality="modules-only", table=table, foreign_births="language")


def cohort_of(n_patients: int) -> Cohort:
    """The first patients of that population."""
    return build_cohort(population(), first_patient=0, n_patients=n_patients, seed=SEED)


def _size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _parquet(records: Records, place: Path, number: int) -> int:
    write_parquet(records, place, shard=number)
    return 0


def _csv(records: Records, place: Path, number: int) -> int:
    write_csv(records, place, shard=number, seed=SEED)
    return 0


def writers() -> dict[str, Write | None]:
    """What is done with the Records of a shard."""
    exporter = FhirExporter(seed=SEED)
    packed = FhirExporter(seed=SEED, layout=Layout(compress="gzip"))

    def ndjson(records: Records, place: Path, number: int) -> int:
        exporter.write_ndjson(records, place, shard=number)
        return 0

    def bundles(records: Records, place: Path, number: int) -> int:
        del number
        exporter.write_bundles(records, place)
        return 0

    def counted(records: Records, place: Path, number: int) -> int:
        del place, number
        return sum(len(data) for data in exporter.ndjson_bytes(records).values())

    def piecewise(records: Records, place: Path, number: int) -> int:
        del place, number
        written = lines(exporter._shard(records), exporter._pen())
        return sum(len(piece) for _, pieces in written for piece in pieces)

    def claimed(records: Records, place: Path, number: int) -> int:
        return piecewise(with_claims(records, seed=SEED), place, number)

    def claimed_to_disk(records: Records, place: Path, number: int) -> int:
        return ndjson(with_claims(records, seed=SEED), place, number)

    def compressed(records: Records, place: Path, number: int) -> int:
        packed.write_ndjson(records, place, shard=number)
        return 0

    return {
        "no output": None,
        "Records": lambda records, place, number: 0,  # noqa: ARG005
        "Parquet": _parquet,
        "CSV": _csv,
        "NDJSON counted and dropped": counted,
        "NDJSON to disk": ndjson,
        "NDJSON to disk, claims": claimed_to_disk,
        "NDJSON to disk, gzip": compressed,
        "NDJSON piecewise": piecewise,
        "NDJSON piecewise, claims": claimed,
        "bundles to disk": bundles,
    }


def rates(bench: Bench, only: str) -> None:
    """Patients per CPU second, by output whose name has a text."""
    n = len(bench.cohort)
    print(
        f"\nrates: {n:,} whole lives, {len(bench.program.file_keys)} modules, {bench.years:.1f} years each, one thread"
    )
    print(f"{'output':28} {'per CPU s':>10} {'per user s':>10} {'per s':>8} {'rows':>8} {'bytes each':>11}")
    for name, write in writers().items():
        if only not in name:
            continue
        place = Path(tempfile.mkdtemp(prefix="trajsim-bench-"))
        try:
            bench.run(bench.cohort.rows(0, min(n, SHARD)), write, place)  # machine code and templates
            shutil.rmtree(place)
            place.mkdir()
            spent, rows, size = bench.run(bench.cohort, write, place)
            size = size or _size(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        cpu = spent.user + spent.system
        print(
            f"{name:28} {n / cpu:10.0f} {n / spent.user:10.0f} {n / spent.wall:8.0f} {rows / n:8.0f} {size / n:11,.0f}"
        )


@numba.njit(nogil=True)
def _spin(n: int) -> float:
    total = 0.0
    for k in range(n):
        total += (k % 7) * 0.5
    return total


def threads(bench: Bench) -> None:
    """What a second thread brings, beside a control that shares nothing."""
    from concurrent.futures import ThreadPoolExecutor

    _spin(10)
    gains, controls = [], []
    for _ in range(5):
        one = bench.run(bench.cohort, lambda *_: 0, Path())[0].wall
        two = bench.run(bench.cohort, lambda *_: 0, Path(), threads=2)[0].wall
        gains.append(one / two)
        work = 300_000_000
        start = time.perf_counter()
        _spin(work), _spin(work)
        alone = time.perf_counter() - start
        with ThreadPoolExecutor(2) as pool:
            start = time.perf_counter()
            list(pool.map(_spin, (work, work)))
            controls.append(alone / (time.perf_counter() - start))
    print("\nsecond thread (Records assembled, nothing written), five runs of each")
    for name, values in (("trajsim", gains), ("control: two loops", controls)):
        print(f"{name:28} median {statistics.median(values):.2f}x, best {max(values):.2f}x")


def memory(folder: Path, sizes: list[int]) -> None:
    """Peak memory of a process of its own for every size and output."""
    print("\npeak memory of the process, MiB")
    outputs = ("no output", "Parquet", "NDJSON piecewise")
    print(f"{'patients':>10} " + " ".join(f"{name:>28}" for name in outputs))
    for n in sizes:
        cells = []
        for name in outputs:
            if name.startswith("NDJSON") and n > 10_000:
                cells.append("-")
                continue
            command = [sys.executable, __file__, "--child", name, "-n", str(n), "--modules-dir", str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            cells.append(done.stdout.strip())
        print(f"{n:10,} " + " ".join(f"{cell:>28}" for cell in cells))


def child(folder: Path, output: str, n_patients: int) -> None:
    """One cell of the memory table: cohorts are built shard by shard, as `trajsim generate` does."""
    bench = Bench(folder, 1)
    write = writers()[output]
    place = Path(tempfile.mkdtemp(prefix="trajsim-bench-"))
    options = population()
    try:
        for first in range(0, n_patients, 1_000):
            count = min(1_000, n_patients - first)
            cohort = build_cohort(options, first_patient=first, n_patients=count, seed=SEED)
            bench.run(cohort, write, place)
            shutil.rmtree(place)
            place.mkdir()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


_START = """
import time
begin = time.perf_counter()
from pathlib import Path
from trajsim.gmf.library import load_modules
from trajsim.engine.compile import compile_modules
from trajsim.engine.options import SimulationOptions
from trajsim.engine.simulate import simulate
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions
from trajsim.units import ms_from_iso
imported = time.perf_counter()
end = ms_from_iso("2025-01-01")
cohort = build_cohort(PopulationOptions(end_ms=end), first_patient=0, n_patients=1, seed=7)
modules = load_modules(Path({folder!r}))
loaded = time.perf_counter()
program = compile_modules(modules, texts=cohort.texts(), lifecycle=Lifecycle.SYNTHEA)
compiled = time.perf_counter()
patient = next(iter(simulate(program, cohort, SimulationOptions(seed=7, end_ms=end, lifecycle=Lifecycle.SYNTHEA))))
done = time.perf_counter()
marks = (begin, imported, loaded, compiled, done)
print(*(f"{{b - a:.2f}}" for a, b in zip(marks, marks[1:])), f"{{done - begin:.2f}}")
"""


def start(folder: Path) -> None:
    """Seconds from a fresh interpreter to the first patient, machine code being there."""
    rows = []
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, "-c", _START.format(folder=str(folder))], check=True, capture_output=True, text=True
        )
        rows.append([float(cell) for cell in done.stdout.split()])
    print("\nwarm start, seconds of wall time, median of five after one that is not counted")
    names = ("imports", "population, parse, check references", "compile to tables", "first patient", "all")
    for name, values in zip(names, zip(*rows[1:], strict=True), strict=True):
        print(f"{name:40} {statistics.median(values):.2f}")


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "rates", "threads", "memory", "start"], help="default: all")
    parser.add_argument("--modules-dir", type=Path)
    parser.add_argument("-n", type=int, default=2_000, help="patients")
    parser.add_argument("--large", action="store_true", help="memory with 100,000 patients as well")
    parser.add_argument("--only", default="", help="rates of outputs whose name has this text")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = modules_folder(given.modules_dir)
    if given.child:
        child(folder, given.child, given.n)
        return
    parts = given.parts or ["rates", "threads", "memory", "start"]
    print(machine())
    bench = Bench(folder, given.n)
    if "rates" in parts:
        rates(bench, given.only)
    if "threads" in parts:
        threads(bench)
    if "memory" in parts:
        memory(folder, [1_000, 10_000, *([100_000] if given.large else [])])
    if "start" in parts:
        start(folder)


if __name__ == "__main__":
    main()
