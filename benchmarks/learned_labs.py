"""Whether labs read in the engine what they read in the model's own sampler: two comparisons, of like with like.

A module measures when *its* visits come, and the sampler when the *model's* visits come: other people, at other times,
with other histories. Their quantiles side by side would say nothing. What a module publishes is a draw from what the
model answers, given the patient's history of events and of the model's own visits; so two questions are exact:

*Published values against the answers that they were drawn from.* Of every value that a run writes into its records, the
distribution function that the model answered for that patient and instant is known. Taken at the value (and spread
evenly over the step of the device), it is uniform, and independent from value to value, however often and for whatever
reason a patient is measured: given all that came before, each value is drawn from its own answer. Shown is which share
of the values lies below each quantile of its own answer. A value that a module takes over from a visit of the model in
the week before is not drawn anew; it equals the visit's, and is counted apart.

*Values of the model's own visits, engine against sampler.* Both come from one process: the model's visits write nothing
and hear nothing of the modules' visits. If it goes on in the engine as it does alone, so do all histories, and with
them the answers above. Numbers and quantiles by sex and age, with standard errors of patients, never of values (from a
bootstrap, for quantiles). Values are spread evenly over the step of the device first, so that a quantile is no jump.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from trajsim.event_sequences import EventSequences
from trajsim.trajectory_model import Answers, LearnedValue, Questions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CODES = {"hdl": "2085-9", "sbp": "8480-6"}
RESAMPLES = 200
FEWEST = 100  # values, or patients, of a cell
YEAR_US = 365.25 * 86_400e6
WEEK_US = 7 * 86_400_000_000
_ERRORS = 3.0


@dataclass(frozen=True, eq=False)
class Seen:
    """Values of one lab: whose, by sex, at which age."""

    patient: Ints
    is_male: NDArray[np.bool_]
    age: Floats
    value: Floats


@dataclass(eq=False)
class LabWatch:
    """What the engine is answered about labs, and what the model's own visits measured.

    Attributes:
        values: The measurements of the model.
        asked: Patient, instant and mixture ([n, labs, 3, components]) of questions that are no step, nothing now.
        visits: Patient, instant and values of steps that measured something.
    """

    values: tuple[LearnedValue, ...]
    asked: list[tuple[NDArray[np.uint64], Ints, NDArray[np.float32]]] = field(default_factory=list)
    visits: list[tuple[NDArray[np.uint64], Ints, NDArray[np.float32]]] = field(default_factory=list)
    _before: tuple[NDArray[Any], ...] = ()

    @property
    def labs(self) -> dict[str, int]:
        """Positions of the labs among the model's values."""
        return {value.name: at for at, value in enumerate(self.values) if value.name in CODES}

    def note(self, questions: Questions, answers: Answers) -> None:
        """Notes a tile; rows that stand there unchanged since the last one belong to nobody who waits."""
        now = (questions.patient_id, questions.time_us, questions.is_step, questions.now.any(axis=1))
        is_new = np.ones(len(questions), dtype=bool)
        if self._before:
            is_new = np.any([a != b for a, b in zip(now, self._before, strict=True)], axis=0)
        self._before = tuple(column.copy() for column in now)
        rows = np.flatnonzero(is_new & ~now[2] & ~now[3])
        at = list(self.labs.values())
        mixture = np.stack([answers.value_weight, answers.value_mean, answers.value_scale], axis=2)[rows][:, at]
        self.asked.append((questions.patient_id[rows], questions.time_us[rows], mixture))
        rows = np.flatnonzero(is_new & now[2] & questions.measured[:, at].any(axis=1))
        values = np.where(questions.measured, questions.values, np.nan)[rows][:, at]
        self.visits.append((questions.patient_id[rows], questions.time_us[rows], values))


def _edges(lab: LearnedValue, values: Floats) -> tuple[Floats, Floats]:
    """What is drawn between these two points, on the model's scale, is published as these values."""
    sides = []
    for values_off, bound, open_end in (
        (values - lab.resolution / 2, lab.low, -math.inf),
        (values + lab.resolution / 2, lab.high, math.inf),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(values_off / lab.centre) if lab.is_log else values_off - lab.centre
        sides.append(np.where(values == bound, open_end, scaled / lab.spread))
    return sides[0], sides[1]


def _below(mixture: NDArray[np.float32], z: Floats) -> Floats:
    weight, mean, scale = (mixture[:, part].astype(np.float64) for part in range(3))
    return np.asarray((weight * ndtr((z[:, None] - mean) / scale)).sum(axis=1))


def published_against_answers(
    watch: LabWatch, observations: pd.DataFrame, people: pd.DataFrame, bands: tuple[int, ...], min_age: float
) -> tuple[int, int]:
    """Prints the first table; returns how many cells lie beyond 3 standard errors, and how many there are.

    Args:
        watch: What the engine was answered.
        observations: Of the run's records.
        people: By patient id: ``birth_us`` and ``is_male``.
        bands: Ages that part the cells.
        min_age: Where the model's domain begins.
    """
    rng = np.random.default_rng(5)
    patient, time_us, mixtures = (np.concatenate(part) for part in zip(*watch.asked, strict=True))
    asked = pd.DataFrame({"patient_id": patient.astype(np.int64), "time": time_us, "row": np.arange(len(patient))})
    asked = asked.drop_duplicates(["patient_id", "time"], keep="last")
    visits = _visits(watch)
    beyond, cells = 0, 0
    print("published values below a quantile of their own answer; errors: (share - quantile) in standard errors")
    print(f"{'lab':6}{'sex':>4}{'age':>9}{'n':>9}" + "".join(f"{q:>9.0%}" for q in QUANTILES) + "   errors")
    for column, name in enumerate(watch.labs):
        lab = watch.values[watch.labs[name]]
        rows = observations[(observations["code"] == CODES[name]) & observations["numeric_value"].notna()]
        rows = pd.DataFrame(
            {
                "patient_id": rows["patient_id"].astype("int64"),
                "time": rows["time"].astype("int64"),
                "value": rows["numeric_value"].astype("float64"),
            }
        ).drop_duplicates(["patient_id", "time"])
        rows = rows.join(people, on="patient_id")
        rows["age"] = (rows["time"] - rows["birth_us"]) / YEAR_US
        rows = rows[rows["age"] >= min_age + 0.1]
        drawn, n_later, n_taken = _with_answers(rows, asked, visits, name)
        mixture = mixtures[drawn["row"].astype(np.int64), column]
        low, high = (_below(mixture, edge) for edge in _edges(lab, drawn["value"].to_numpy()))
        place = low + (high - low) * rng.random(len(drawn))
        for sex, is_male, first, last in _cells(bands):
            here = place[(drawn["is_male"] == is_male) & drawn["age"].between(first, last, inclusive="left")]
            if len(here) < FEWEST:
                continue
            shares = [float((here <= q).mean()) for q in QUANTILES]
            errors = [(s - q) / math.sqrt(q * (1 - q) / len(here)) for s, q in zip(shares, QUANTILES, strict=True)]
            cells, beyond = cells + len(errors), beyond + sum(abs(error) > _ERRORS for error in errors)
            shown = "".join(f"{100 * share:>8.2f}%" for share in shares)
            print(f"{name:6}{sex:>4}{first:>6}-{last - 1}{len(here):>9,}{shown}   {_shown(errors)}")
        print(
            f"{name}: {len(drawn):,} values drawn, {n_later:,} of them asked for later in the step; {n_taken:,} taken "
            f"over from a visit of the model; {len(rows) - len(drawn) - n_taken:,} that nothing explains"
        )
    return beyond, cells


def _visits(watch: LabWatch) -> pd.DataFrame:
    """Values of the model's own visits in the engine, by patient and instant."""
    patient, time_us, values = (np.concatenate(part) for part in zip(*watch.visits, strict=True))
    table = pd.DataFrame({"patient_id": patient.astype(np.int64), "time": time_us})
    for column, name in enumerate(watch.labs):
        table[name] = values[:, column].astype(np.float64)
    return table.drop_duplicates(["patient_id", "time"], keep="last")


def _with_answers(
    rows: pd.DataFrame, asked: pd.DataFrame, visits: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, int, int]:
    """Published values with the number of the answer that each was drawn from.

    A module that was visited before the model's last step is answered as of that step, later in the same week of the
    engine (docs/draws.md, 11.5).

    Returns:
        The values that were drawn; how many of them were asked for later; and how many values were taken over.
    """
    found = rows.merge(asked, on=["patient_id", "time"], how="left")
    exact, open_rows = found[found["row"].notna()], found[found["row"].isna()].drop(columns="row").sort_values("time")
    week = {"on": "time", "by": "patient_id", "tolerance": WEEK_US}
    measured = visits[visits[name].notna()].sort_values("time")[["patient_id", "time", name]]
    before = pd.merge_asof(open_rows, measured, **week)
    is_taken = (before[name] == before["value"]).to_numpy()
    later = pd.merge_asof(open_rows[~is_taken], asked.sort_values("time"), direction="forward", **week)
    later = later[later["row"].notna()]
    return pd.concat([exact, later]), len(later), int(is_taken.sum())


def visits_against_sampler(
    watch: LabWatch,
    people: pd.DataFrame,
    adults: Ints,
    sampled: EventSequences,
    bands: tuple[int, ...],
    min_age: float,
) -> tuple[int, int]:
    """Prints the second table; returns how many cells lie beyond 3 standard errors, and how many there are.

    Args:
        watch: What the model's visits measured in the engine.
        people: By patient id: ``birth_us`` and ``is_male``.
        adults: Patient ids of both sides.
        sampled: Event sequences of the sampler, in the order of `adults`.
        bands: Ages that part the cells.
        min_age: Where the model's domain begins.
    """
    rng = np.random.default_rng(6)
    visits = _visits(watch).join(people, on="patient_id")
    visits["at"] = pd.Series(np.arange(len(adults)), index=adults).reindex(visits["patient_id"]).to_numpy()
    visits = visits[visits["at"].notna()]
    beyond, cells = 0, 0
    print("values of the model's own visits; engine, sampler, and differences in standard errors, of the number first")
    head = "".join(f"{q:>16.0%}" for q in QUANTILES)
    print(f"{'lab':6}{'sex':>4}{'age':>9}{'n engine':>10}{'n sampler':>10}{head}   errors")
    of_day = sampled.patient_of_day
    for name in watch.labs:
        lab = watch.values[watch.labs[name]]
        column = sampled.vocabulary.lab_names.index(name)
        mine = visits[visits[name].notna()]
        here = Seen(
            mine["at"].to_numpy(np.int64),
            mine["is_male"].to_numpy(bool),
            ((mine["time"] - mine["birth_us"]) / YEAR_US).to_numpy(),
            mine[name].to_numpy(),
        )
        rows = np.flatnonzero(~np.isnan(sampled.values[:, column]))
        who = of_day[rows]
        there = Seen(who, sampled.is_male[who], min_age + sampled.day[rows] / 365.25, sampled.values[rows, column])
        for sex, is_male, first, last in _cells(bands):
            sides = [
                _in_cell(side, is_male=is_male, first=first, last=last, lab=lab, rng=rng) for side in (here, there)
            ]
            if min(len(np.unique(patient)) for patient, _ in sides) < FEWEST:
                continue
            (a, error_a), (b, error_b) = (_quantiles(*side, n=len(adults), rng=rng) for side in sides)
            errors = [_numbers_apart(sides, n=len(adults)), *((a - b) / np.hypot(error_a, error_b)).tolist()]
            cells, beyond = cells + len(errors), beyond + sum(abs(error) > _ERRORS for error in errors)
            shown = "".join(f"{x:>8.1f}{y:>8.1f}" for x, y in zip(a, b, strict=True))
            counts = "".join(f"{len(patient):>10,}" for patient, _ in sides)
            print(f"{name:6}{sex:>4}{first:>6}-{last - 1}{counts}{shown}   {_shown(errors)}")
    return beyond, cells


def _in_cell(
    seen: Seen, *, is_male: bool, first: int, last: int, lab: LearnedValue, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Patients and values of a cell, in the order of the values, which are spread over the step of the device."""
    chosen = (seen.is_male == is_male) & (seen.age >= first) & (seen.age < last)
    values = seen.value[chosen] + (rng.random(int(chosen.sum())) - 0.5) * lab.resolution
    order = np.argsort(values)
    return seen.patient[chosen][order], values[order]


def _numbers_apart(sides: list[tuple[Ints, Floats]], *, n: int) -> float:
    """How far two numbers of values lie apart, in standard errors of patients."""
    here, there = (np.bincount(patient, minlength=n).astype(np.float64) for patient, _ in sides)
    return float((here.mean() - there.mean()) / math.sqrt((here.var() + there.var()) / n))


def _quantiles(patient: Ints, values: Floats, *, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Quantiles of sorted values, and their standard errors: patients drawn again, each with all of his values."""
    people = np.unique(patient)
    drawn = np.zeros((RESAMPLES, len(QUANTILES)))
    for resample in range(RESAMPLES):
        times = np.zeros(n)
        np.add.at(times, rng.choice(people, len(people)), 1.0)
        weight = np.cumsum(times[patient])
        drawn[resample] = values[np.searchsorted(weight, np.array(QUANTILES) * weight[-1])]
    return np.quantile(values, QUANTILES), drawn.std(axis=0, ddof=1)


def _cells(bands: tuple[int, ...]) -> Iterator[tuple[str, bool, int, int]]:
    for is_male in (False, True):
        for first, last in itertools.pairwise(bands):
            yield "M" if is_male else "F", is_male, first, last


def _shown(errors: list[float]) -> str:
    return "".join(f"{error:>6.1f}{'*' if abs(error) > _ERRORS else ' '}" for error in errors)
