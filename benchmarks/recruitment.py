"""Measures the patient-driven simulation of recruitment: replicates a second, and memory by the number of replicates.

    python benchmarks/recruitment.py --replicates 1000 --threads 2
    python benchmarks/recruitment.py --memory

The trial: 60 sites that open late, each with a cap, a screening capacity and a lag; 20,000 people of the catchments who
come to four visits a year; twenty criteria that charts answer, deny or leave open; a laboratory value measured at
screening; consent by age, sex and distance; blocks of two sizes in strata by site, sex and age; an endpoint, dropout.
"""

import argparse
import datetime as dt
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.unit.trials.recruitment.builders import Fixed, instants, people, table
from trajsim.trials.draws import Performance
from trajsim.trials.recruitment import World, build_world, simulate_recruitment
from trajsim.trials.spec_reading import spec_from

N_SITES, N_PEOPLE, N_RULES, YEARS = 60, 20_000, 20, 2
SEED = 20_260_101


def _spec() -> dict[str, object]:
    site = {
        "share": 1 / N_SITES,
        "delay": {"median_days": 45, "p90_days": 120},
        "lag": {"median_days": 10, "p90_days": 25},
        "cap": 40,
        "capacity_per_week": 2,
        "latitude": 42.0,
        "longitude": -71.0,
    }
    lab = {"name": "eGFR", "codes": ["33914-3"], "low": 45, "analytical_cv": 0.03, "decides": "rule 3"}
    return {
        "title": "Benchmark",
        "criteria": {},
        "recruitment": {
            "start": "2020-01-01",
            "planned_end": "2020-12-31",
            "horizon": (dt.date(2020, 1, 1) + dt.timedelta(days=365 * YEARS)).isoformat(),
            "target": 1_000,
            "site_variation": 0.4,
        },
        "sites": [{"name": f"Site {n}", **site} for n in range(N_SITES)],
        "funnel": {"review": 0.8, "contact": 0.9, "per_decade": -0.1, "female": -0.05, "per_10_km": -0.05},
        "screening": {"labs": [lab]},
        "randomization": {"block_sizes": [4, 6], "strata": ["site", "sex", "age"]},
        "arms": [{"name": "control"}, {"name": "drug", "hazard_ratio": 0.7, "delay_days": 90}],
        "endpoint": {"per_year": 0.1},
        "follow_up": {"events": 150},
        "competing": [{"name": "Rival", "probability": 0.1}],
    }


def _world() -> World:
    rng = np.random.default_rng(1)
    visits: NDArray[np.int64] = np.sort(rng.integers(0, 365 * YEARS, (N_PEOPLE, 4 * YEARS)), axis=1)
    ids = np.arange(1, N_PEOPLE + 1, dtype=np.uint64)
    values = rng.normal(75, 20, N_PEOPLE).clip(5)
    columns = {"patient_id": ids, "row_key": ids, "time": instants(np.zeros(N_PEOPLE, np.int64))}
    columns |= {"code": ["33914-3"] * N_PEOPLE, "numeric_value": values}
    more = {"latitude": rng.normal(42, 0.2, N_PEOPLE), "longitude": rng.normal(-71, 0.2, N_PEOPLE)}
    records = people(list(visits), more=more, tables={"observations": table("observations", columns, N_PEOPLE)})
    answers = rng.choice([1, 0, -1], p=[0.93, 0.03, 0.04], size=(N_PEOPLE, N_RULES))
    criteria = Fixed([f"rule {n}" for n in range(N_RULES)], answers.tolist())
    return build_world(spec_from(_spec(), source=Path("benchmark.yaml")), records, criteria, seed=SEED)


def _measure(replicates: int, threads: int) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    world = _world()
    print(f"build: {time.perf_counter() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s CPU")
    wall, cpu = time.perf_counter(), time.process_time()
    performance = Performance(threads=threads, block=16)
    result = simulate_recruitment(world, replicates=replicates, seed=SEED, performance=performance)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{replicates} replicates, {N_SITES} sites, {len(world)} people in catchments, {threads} threads")
    print(f"{wall:.1f} s wall, {cpu:.1f} s CPU, {cpu / replicates * 1e3:.1f} ms CPU a replicate, peak {peak:.0f} MiB")
    planned = result.spec.n_planned_days - 1
    enrolled = result.enrolled_by(planned)
    print(f"randomized by the planned end {enrolled.mean():.0f}, target by then {result.probability_by(planned):.2f}")


def main() -> None:
    """Runs one measurement, or one process a number of replicates for the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", action="store_true", help="peak memory at 100, 1,000 and 3,000 replicates")
    options = parser.parse_args()
    if not options.memory:
        _measure(options.replicates, options.threads)
        return
    for replicates in (100, 1_000, 3_000):
        command = [sys.executable, __file__, "--replicates", str(replicates), "--threads", str(options.threads)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
