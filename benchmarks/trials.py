"""Measures what trials are judged by: the published design, what borrowing costs, and how optimistic plans end.

    python benchmarks/trials.py
    python benchmarks/trials.py design --replicates 20000 --threads 2

`design` is lrstat's vignette on a delayed effect by formula and by simulation, with the speed; `forecast` is how often
the bands of a re-forecast hold the truth; `borrowing` the error over a grid of drift; `procova` the error of a trial
with a prognostic score; `portfolio` the failures of trials that plan with published medians.
"""

import argparse
import csv
import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.unit.trials.design.published import DESIGN
from tests.unit.trials.forecast.running import draw_whole_trial
from trajsim.trials.design import (
    BorrowingTrial,
    Commensurate,
    PowerPrior,
    ProcovaTrial,
    borrow,
    expect,
    procova,
    simulate_design,
)
from trajsim.trials.draws import Performance
from trajsim.trials.forecast import ReforecastOptions, reforecast
from trajsim.trials.funnel import PortfolioOptions, simulate_portfolio

SEED = 20_260_101


def design(replicates: int, performance: Performance) -> None:
    """C7: times, power, dropouts and type I error, by formula, by simulation and as published."""
    formula = expect(DESIGN)
    begin = time.perf_counter()
    found = simulate_design(DESIGN, n_replicates=replicates, seed=SEED, performance=performance)
    spent = time.perf_counter() - begin
    null = simulate_design(DESIGN.under_null(), n_replicates=replicates, seed=SEED, performance=performance)
    times, lost = found.times.mean(axis=0), found.dropouts[:, 1].mean()
    print(f"{'':24}{'published':>12}{'formula':>12}{'simulated':>12}")
    print(f"{'interim, months':24}{31.4:12.1f}{formula.times[0]:12.2f}{times[0]:12.2f}")
    print(f"{'final, months':24}{41.5:12.1f}{formula.times[1]:12.2f}{times[1]:12.2f}")
    print(f"{'power':24}{0.802:12.3f}{formula.power:12.4f}{found.power:12.4f}  (error {found.power_error:.4f})")
    print(f"{'dropouts':24}{29.8:12.1f}{formula.dropouts[1]:12.2f}{lost:12.2f}")
    alpha = expect(DESIGN.under_null()).power
    print(f"{'type I error':24}{0.025:12.3f}{alpha:12.4f}{null.power:12.4f}  (error {null.power_error:.4f})")
    rate = replicates / spent
    print(f"{replicates} trials of {DESIGN.n_subjects} subjects, two analyses: {spent:.2f} s, {rate:.0f} trials/s")


def forecast(replicates: int, performance: Performance) -> None:
    """How often the bands of forecasts at half time hold the day on which trials were done."""
    n_trials = max(replicates // 200, 20)
    levels = (0.5, 0.8, 0.95)
    hits = {"subjects": np.zeros(3), "events": np.zeros(3)}
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(n_trials):
            trial = draw_whole_trial(Path(folder), seed=seed)
            options = ReforecastOptions(replicates=500, seed=seed)
            ahead = reforecast(trial.log, trial.spec, as_of=trial.as_of, options=options, performance=performance)
            for name, milestone, truth in (
                ("subjects", ahead.forecast.subjects, trial.last_subject),
                ("events", ahead.forecast.events, trial.last_event),
            ):
                assert milestone is not None
                for place, level in enumerate(levels):
                    low, high = milestone.bands[level]
                    hits[name][place] += (low or dt.date.max) <= truth <= (high or dt.date.max)
    spent = time.perf_counter() - begin
    print(f"{n_trials} trials, forecast at half time; share of bands of {levels} that hold the truth:")
    for name, count in hits.items():
        print(f"{name:12}", *(f"{share:7.3f}" for share in count / n_trials))
    print(f"{spent / n_trials:.2f} s a forecast of 500 futures, fits and log included")


def borrowing(replicates: int, performance: Performance) -> None:
    """The type I error and power of every rule over a grid of drift."""
    trial = BorrowingTrial(n_treated=100, n_control=50, n_historical=200, effect=0.4)
    rules = [PowerPrior(weight=0.0), PowerPrior(weight=0.3), PowerPrior(weight=1.0), Commensurate()]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["rule", "drift", "bias", "rmse", "coverage", "type_i", "inflation", "power", "borrowed"])
    for row in borrow(trial, rules, n_replicates=replicates, seed=SEED, performance=performance):
        numbers = [row.bias, row.rmse, row.coverage, row.type_i, row.inflation, row.power]
        out.writerow([row.rule, row.drift, *(f"{each:.3f}" for each in numbers), f"{row.borrowed:.0f}"])


def prognostic(replicates: int, performance: Performance) -> None:
    """The type I error and power of a trial with a prognostic score."""
    print("correlation  drift  type I  power  unadjusted  variance ratio")
    for correlation in (0.0, 0.3, 0.5, 0.8):
        for drift in (0.0, 0.25):
            trial = ProcovaTrial(n_treated=100, n_control=100, effect=0.4, correlation=correlation, drift=drift)
            row = procova(trial, n_replicates=replicates, seed=SEED, performance=performance)
            numbers = f"{row.type_i:7.4f} {row.power:6.3f} {row.power_unadjusted:11.3f} {row.variance_ratio:15.3f}"
            print(f"{correlation:11.1f} {drift:6.2f} {numbers}")


def portfolio(replicates: int, performance: Performance) -> None:
    """How trials end that count on more candidates than there are."""
    print("overestimate  on time  missed  below 85 %  80 % reached  enrolled of screened")
    for factor in (1.0, 1.25, 1.5, 2.0):
        plan = PortfolioOptions(overestimate=factor)
        row = simulate_portfolio(plan, n_trials=replicates, seed=SEED, performance=performance)
        numbers = f"{row.on_time:8.3f} {row.missed:7.3f} {row.failed_accrual:11.3f} {row.reached_80:13.3f}"
        print(f"{factor:12.2f} {numbers} {row.enrolled_of_screened:21.3f}")


PARTS: dict[str, Callable[[int, Performance], None]] = {
    "design": design,
    "forecast": forecast,
    "borrowing": borrowing,
    "procova": prognostic,
    "portfolio": portfolio,
}


def main() -> None:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which; all if none is named")
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    for name in options.parts or PARTS:
        print(f"\n## {name}")
        PARTS[name](options.replicates, Performance(threads=options.threads))


if __name__ == "__main__":
    main()
