"""First events of whole lives with the model that ships, beside the life table and the cohort that taught it.

    python benchmarks/learned_lives.py [--data sequences/] [-n 10000]

A simulated life enters no cohort, so the years since entry stop early (`trajsim.learn.features.LIFELONG_STAY_YEARS`).
Shown are rates per 1,000 years at risk of people of 18 of whom nothing is known, where that clock stops as in the
engine and where it stops in training; of death by the life table of the United States; and, with `--data`, of patients
who did not have the event when they entered.
"""

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences
from trajsim.population.tables import load_life_table

YEAR_DAYS = 365.25
FIRST_AGE = 18
BANDS = (18, 40, 60, 70, 80, 90)

Floats = NDArray[np.float64]


def at_eighteen(
    vocabulary: Any,  # noqa: ANN401
    patient_id: NDArray[np.str_],
    is_male: NDArray[np.bool_],
    end_age: Floats,
) -> EventSequences:
    """People on their eighteenth birthday, with nothing yet, observed until `end_age` [n] years."""
    m, k, v = len(patient_id), len(vocabulary.events), len(vocabulary.labs)
    return EventSequences(
        vocabulary=vocabulary, patient_id=patient_id, split=np.zeros(m, dtype=np.uint8), is_male=is_male,
        entry_age_days=np.full(m, round(FIRST_AGE * YEAR_DAYS), dtype=np.int32), bmi=np.full(m, np.nan),
        prevalent=np.zeros((m, k), dtype=bool), entry_values=np.full((m, v), np.nan),
        entry_value_days=np.full((m, v), -1, dtype=np.int32),
        follow_up_days=np.maximum((end_age - FIRST_AGE) * YEAR_DAYS, 1).astype(np.int32),
        offsets=np.zeros(m + 1, dtype=np.int64), day=np.zeros(0, dtype=np.int32), is_visit=np.zeros(0, dtype=bool),
        events=np.zeros((0, k), dtype=bool), forbidden=np.zeros((0, k), dtype=bool), values=np.zeros((0, v)),
    )  # fmt: skip


def counted(first_age: Floats, end_age: Floats, low: float, high: float, *, begin_age: Floats | float = 0.0) -> tuple[
    int, float
]:  # fmt: skip
    """How many first events came between two ages, and the years at risk of one there.

    Args:
        first_age: [n] Age at the first event, infinite for none.
        end_age: [n] Age at the end of observation, which an event does not outlive.
        low: Beginning of the band, years.
        high: End of the band, years.
        begin_age: [n] Age at which observation begins.
    """
    until = np.minimum(first_age, end_age)
    years = np.clip(np.minimum(until, high) - np.maximum(begin_age, low), 0, None).sum()
    came = (first_age >= low) & (first_age < high) & (first_age <= end_age)
    return int(came.sum()), float(years)


def rates(sequences: EventSequences, kind: int) -> list[float]:
    """First events per 1,000 years at risk, by `BANDS`, of those who enter without it."""
    free = ~sequences.prevalent[:, kind]
    days = sequences.first_days()[free, kind]
    begin = sequences.entry_age_days[free] / YEAR_DAYS
    first = np.where(days >= 0, begin + days / YEAR_DAYS, np.inf)
    end = begin + sequences.follow_up_days[free] / YEAR_DAYS
    found = (counted(first, end, low, high, begin_age=begin) for low, high in itertools.pairwise(BANDS))
    return [1_000 * came / years for came, years in found]


def life_table() -> list[float]:
    """Deaths per 1,000 years of those who are alive at 18, women and men together, by `BANDS`."""
    alive = np.exp(-np.cumsum(load_life_table()[:, FIRST_AGE:], axis=1))
    alive = np.hstack([np.ones((2, 1)), alive])
    years = (alive[:, :-1] + alive[:, 1:]).sum(axis=0) / 2
    deaths = (alive[:, :-1] - alive[:, 1:]).sum(axis=0)
    bands = (slice(low - FIRST_AGE, high - FIRST_AGE) for low, high in itertools.pairwise(BANDS))
    return [1_000 * deaths[band].sum() / years[band].sum() for band in bands]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10_000, help="lives")
    parser.add_argument("--data", type=Path, help="event sequences of `trajsim ingest`")
    arguments = parser.parse_args()
    from trajsim.cli.learned import FLAGSHIP
    from trajsim.learn.checkpoints import read_checkpoint
    from trajsim.learn.features import LIFELONG_STAY_YEARS, LONGEST_STAY_YEARS
    from trajsim.learn.sampling import sample_futures
    from trajsim.learn.sequence_files import read_sequences

    model = read_checkpoint(FLAGSHIP)
    n = arguments.n
    people = at_eighteen(
        model.spec.vocabulary, np.arange(n).astype(str), np.arange(n) % 2 == 1, np.full(n, float(BANDS[-1]))
    )
    lives = {
        f"{stay:g} years": sample_futures(model, people, seed=3, longest_stay_years=stay).sequences
        for stay in (LIFELONG_STAY_YEARS, LONGEST_STAY_YEARS)
    }
    if arguments.data is not None:
        lives = {"cohort": read_sequences(arguments.data), **lives}
    print("| | " + " | ".join(f"{low}-{high - 1}" for low, high in itertools.pairwise(BANDS)) + " |")
    print("|---" * len(BANDS) + "|")
    for kind, name in enumerate(model.spec.vocabulary.event_names):
        rows = {what: rates(sequences, kind) for what, sequences in lives.items()}
        if name == "death":
            rows = {"life table 2019": life_table(), **rows}
        for what, row in rows.items():
            print(f"| {name.replace('_', ' ')}, {what} | " + " | ".join(f"{rate:.1f}" for rate in row) + " |")


if __name__ == "__main__":
    main()
