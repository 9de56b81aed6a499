"""The answer key of one replicate: everybody who came to a visit while a site was open, and why they are not in."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.trials.recruitment.arms import STATUSES, allocate, follow_up
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.replicate import Fates, recruit
from trajsim.trials.recruitment.run import randomized_of
from trajsim.trials.recruitment.world import World

Ints = NDArray[np.int64]

_TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA: Final = pa.schema(
    [
        pa.field("patient_id", pa.uint64(), nullable=False),
        pa.field("copy", pa.int32(), nullable=False),
        pa.field("site", _TEXT, nullable=False),
        pa.field("sex", _TEXT, nullable=False),
        pa.field("race", _TEXT, nullable=False),
        pa.field("age_years", pa.float64(), nullable=False),
        pa.field("distance_km", pa.float64()),
        pa.field("reason", _TEXT, nullable=False),
        pa.field("visit_date", pa.date32()),
        pa.field("screening_date", pa.date32()),
        pa.field("randomized_date", pa.date32()),
        pa.field("arm", _TEXT),
        pa.field("status", _TEXT),
        pa.field("end_date", pa.date32()),
    ]
)
"""Columns of the table of candidates; `copy` tells apart the people that one patient of the Records stands for."""


def candidates(world: World, *, seed: int, replicate: int = 0) -> pa.Table:
    """Lists every candidate of one replicate.

    Args:
        world: The trial and its people.
        seed: Seed of the run.
        replicate: Which replicate.

    Returns:
        A row a person, in the order of patients and copies, with the columns of `SCHEMA`.

    Guarantees:
        As many rows a reason as `simulate_recruitment` counts. (tests/unit/trials/recruitment/test_run.py)
    """
    draws = Draws(seed, replicate)
    fates = recruit(world, draws)
    seen = np.flatnonzero(fates.reason >= 0)
    arm, status, end = _followed(world, draws, fates)
    rows = _Rows(
        patient=np.concatenate([fates.patient[seen], np.repeat(fates.failed, fates.failed_people)]),
        copy=np.concatenate([fates.copy[seen], _repeated(fates.failed_copy, fates) + _counted(fates.failed_people)]),
        shift=np.concatenate([fates.shift[seen], _repeated(fates.failed_shift, fates)]),
        reason=np.concatenate([fates.reason[seen], _repeated(world.reasons.chart.start + fates.failed_rule, fates)]),
        visit_day=np.concatenate([fates.visit_day[seen], _repeated(fates.failed_day, fates)]),
        screening_day=_padded(fates.screening_day[seen], fates, NEVER),
        randomized_day=_padded(fates.randomized_day[seen], fates, NEVER),
        arm=_padded(arm[seen], fates, -1),
        status=_padded(status[seen], fates, -1),
        end_day=_padded(end[seen], fates, NEVER),
    )
    return rows.table(world)


def _followed(world: World, draws: Draws, fates: Fates) -> tuple[Ints, Ints, Ints]:
    """Arm, status and last day of everybody; -1 and `NEVER` for those who were not randomized."""
    n = len(fates.patient)
    arm, status, end = np.full(n, -1), np.full(n, -1), np.full(n, NEVER)
    own = randomized_of(fates)
    patient, day = fates.patient[own], fates.randomized_day[own]
    shift = fates.shift[own]
    arm[own] = allocate(world, draws, patient, day - shift)
    followed = follow_up(world, draws, patient, fates.copy[own], day, arm[own], shift=shift)
    status[own], end[own] = followed.status, day + followed.days
    return arm, status, end


def _counted(times: Ints) -> Ints:
    """0 ... k - 1 for each k."""
    numbers: Ints = np.arange(int(times.sum())) - np.repeat(np.cumsum(times) - times, times)
    return numbers


def _repeated(values: Ints, fates: Fates) -> Ints:
    return np.repeat(values, fates.failed_people)


def _padded(values: Ints, fates: Fates, filler: int) -> Ints:
    return np.concatenate([values, np.full(int(fates.failed_people.sum()), filler)])


class _Rows:
    """Columns as numbers."""

    def __init__(self, **columns: Ints) -> None:
        order = np.lexsort((columns["copy"], columns["patient"]))
        self._columns = {name: values[order] for name, values in columns.items()}

    def table(self, world: World) -> pa.Table:
        """The same as an Arrow table."""
        people, patient = world.people, self._columns["patient"]
        age = people.age_years(patient, self._columns["visit_day"] - self._columns["shift"])
        columns = {
            "patient_id": pa.array(people.patient_id[patient]),
            "copy": pa.array(self._columns["copy"].astype(np.int32)),
            "site": _words([site.name for site in world.spec.sites], world.site[patient]),
            "sex": _words(["M", "F"], people.is_female[patient].astype(np.int64)),
            "race": _words(people.races, people.race[patient].astype(np.int64)),
            "age_years": pa.array(np.round(age, 2)),
            "distance_km": pa.array(np.round(world.distance_km[patient], 1), from_pandas=True),
            "reason": _words(world.reasons.names, self._columns["reason"]),
            "arm": _words([arm.name for arm in world.spec.arms], self._columns["arm"]),
            "status": _words(STATUSES, self._columns["status"]),
        }
        for name in ("visit", "screening", "randomized", "end"):
            days = self._columns[f"{name}_day"]
            numbers = np.where(days < NEVER, days + world.origin, 0).astype(np.int32)
            columns[f"{name}_date"] = pa.array(numbers, mask=days >= NEVER).cast(pa.date32())
        return pa.Table.from_arrays([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def _words(names: "list[str] | tuple[str, ...]", places: Ints) -> pa.DictionaryArray:
    indices = pa.array(np.maximum(places, 0).astype(np.int32), mask=places < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names), pa.string()))
