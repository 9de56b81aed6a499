"""A learned model inside the engine: what it costs, and whether it does there what it does alone.

    python benchmarks/learned.py speed [--modules-dir DIR]    CPU seconds with the model over those without
    python benchmarks/learned.py agreement -n 12000           incidence and labs by sex and age, engine against sampler

For `agreement` the body mass index is withheld on both sides: in the engine it moves with the years, the sampler has
one number a patient, and everything else is then the same process. Ages at which the modules begin to wait for an event
(20 to 30 years) bind the engine alone, so bands begin at 35. What is compared of labs says `learned_labs.py`.
"""

import argparse
import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from learned_labs import LabWatch, published_against_answers, visits_against_sampler
from learned_lives import YEAR_DAYS, at_eighteen, counted
from numpy.typing import NDArray

from trajsim.cli.learned import FLAGSHIP, choose_model
from trajsim.cli.life_options import LifeOptions
from trajsim.engine.compile import compile_modules
from trajsim.engine.options import PerformanceOptions
from trajsim.engine.simulate import Run, simulate
from trajsim.population.build import build_cohort
from trajsim.trajectory_model import Answers, Questions

YEAR_US = 365.25 * 86_400e6
BANDS = (35, 50, 65, 80, 100)


class Withheld:
    """The model without the body mass index, noting every step that it is told of and what it says of labs."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - whatever answers
        """Wraps a model."""
        self._model = model
        self.labs = LabWatch(model.values)
        self.steps: list[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Everything else is the model's."""
        return getattr(self._model, name)

    def answer(self, questions: Questions) -> Answers:
        """Answers, and notes the steps."""
        inputs = questions.inputs.copy()
        inputs[:, 2] = np.nan
        is_step = questions.is_step & questions.now.any(axis=1)
        self.steps.append((questions.patient_id[is_step], questions.time_us[is_step], questions.now[is_step]))
        answers = self._model.answer(dataclasses.replace(questions, inputs=inputs))
        self.labs.note(questions, answers)
        return answers


def prepare(life: LifeOptions, n: int, wrap: Callable[[Any], Any], *, threads: int = 1) -> tuple[Run, Any]:
    """A run of n patients, with the model if the options choose one."""
    modules, learned = life.bind(life.load_modules())
    cohort = build_cohort(life.population(learned), first_patient=0, n_patients=n, seed=life.seed)
    program = compile_modules(modules, texts=cohort.texts(), lifecycle=life.simulation().lifecycle)
    model = None if learned is None else wrap(learned.model)
    offset = None if learned is None else learned.death_offset
    performance = PerformanceOptions(threads=threads)
    run = simulate(program, cohort, life.simulation(), model=model, death_offset=offset, performance=performance)
    return run, model


def options(modules_dir: Path | None, *, with_model: bool, seed: int = 7) -> LifeOptions:
    """Bundled modules, or stock ones with the overlay that ships."""
    bind = "synthea" if modules_dir is not None and with_model else None
    choice = choose_model(model=None, no_model=not with_model, bind=bind, modules_dir=modules_dir)
    return LifeOptions(
        seed=seed, modules_dir=modules_dir, mortality="modules-only" if modules_dir else "life-table", model=choice
    )


def speed(n: int, modules_dir: Path | None) -> None:
    """CPU seconds a patient, without and with the model, in turn."""
    for _ in range(2):
        for with_model in (False, True):
            run, _model = prepare(options(modules_dir, with_model=with_model), n, lambda model: model)
            start, rows = time.process_time(), 0
            for lives in run.lives():
                rows += len(lives.events)
            spent = time.process_time() - start
            what = "with the model" if with_model else "without a model"
            print(f"{what}: {n / spent:,.0f} patients per CPU-second, {spent:.1f} s, {rows / n:,.0f} events a patient")


def agreement(n: int) -> None:
    """Rates of first events and quantiles of labs by sex and age, here and there."""
    from trajsim.learn.checkpoints import read_checkpoint
    from trajsim.learn.features import LIFELONG_STAY_YEARS
    from trajsim.learn.sampling import sample_futures

    life = options(None, with_model=True)
    run, watched = prepare(life, n, Withheld)
    records = run.records()
    deaths, observations = records.to_pandas("deaths"), records.to_pandas("observations")
    model = read_checkpoint(FLAGSHIP)
    names = model.spec.vocabulary.event_names
    cohort = run.cohort
    place = {int(patient): row for row, patient in enumerate(cohort.patient_id)}
    birth_us = cohort.birth_ms.astype(np.int64) * 1_000
    end_age = (life.simulation().end_ms * 1_000 - birth_us) / YEAR_US
    here = np.full((n, len(names)), np.inf)
    for patients, times, now in watched.steps:
        rows = np.array([place[int(patient)] for patient in patients], dtype=np.int64)
        age = (times - birth_us[rows]) / YEAR_US
        for kind in range(len(names)):
            came = now[:, kind]
            np.minimum.at(here[:, kind], rows[came], age[came])
    rows = np.array([place[int(patient)] for patient in deaths["patient_id"]])
    here[rows, -1] = (deaths["time"].astype("int64").to_numpy() - birth_us[rows]) / YEAR_US
    adults = np.flatnonzero((end_age > model.min_age_years + 0.1) & (here[:, -1] > model.min_age_years))
    gender = cohort.attributes["gender"]
    is_male = np.array([text == "M" for text in gender.categories])[gender.values]
    ids = cohort.patient_id[adults]
    young = at_eighteen(model.spec.vocabulary, ids.astype(str), is_male[adults], end_age[adults])
    drawn = sample_futures(model, young, seed=11, longest_stay_years=LIFELONG_STAY_YEARS).sequences
    first = drawn.first_days()
    there = np.where(first >= 0, 18.0 + first / YEAR_DAYS, np.inf)
    male = drawn.is_male
    compare(names, here[adults], there, end_age[adults], male)
    people = pd.DataFrame({"birth_us": birth_us, "is_male": is_male}, index=cohort.patient_id.astype(np.int64))
    for beyond, cells in (
        published_against_answers(watched.labs, observations, people, BANDS, model.min_age_years),
        visits_against_sampler(watched.labs, people, ids.astype(np.int64), drawn, BANDS, model.min_age_years),
    ):
        print(f"{beyond} of {cells} beyond 3 standard errors")


def compare(
    names: tuple[str, ...], here: NDArray[np.float64], there: NDArray[np.float64], end: NDArray[np.float64],
    male: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Prints every rate and how many standard errors lie between the two."""
    beyond, cells = 0, 0
    print(f"{'event':24}{'sex':>4}{'age':>8}{'engine':>12}{'sampler':>12}{'SE':>8}   per 1,000 years, n of the engine")
    for kind, name in enumerate(names):
        for is_male in (False, True):
            for low, high in itertools.pairwise(BANDS):
                counts = [
                    counted(ages[:, kind], np.minimum(ages[:, -1], end[male == is_male]), low, high)
                    for ages in (here[male == is_male], there[male == is_male])
                ]
                (a, p), (b, q) = counts
                if min(a, b) < 10:
                    continue
                apart = (a / p - b / q) / np.sqrt(a / p**2 + b / q**2)
                cells += 1
                beyond += abs(apart) > 3
                sex = "M" if is_male else "F"
                print(
                    f"{name:24}{sex:>4}{low:>5}-{high - 1}{1e3 * a / p:>12.2f}{1e3 * b / q:>12.2f}{apart:>8.1f}   {a}"
                )
    print(f"{beyond} of {cells} beyond 3 standard errors")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "agreement"), nargs="?", help="both when left out")
    parser.add_argument("-n", type=int, default=6_000)
    parser.add_argument("--modules-dir", type=Path)
    arguments = parser.parse_args()
    if arguments.what != "agreement":
        speed(arguments.n, arguments.modules_dir)
    if arguments.what != "speed":
        agreement(arguments.n)


if __name__ == "__main__":
    main()
