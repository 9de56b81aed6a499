"""Draws whole histories from a trained model: cohorts for scoring, and futures of real patients.

All patients take their steps together. Whoever is past the horizon leaves, so that most of the work is done for few;
a few compiled sizes serve every cohort. The draws of a patient come from a key
of his own, so that they depend neither on who is drawn beside him nor on how many.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventSequences, LabKind
from trajsim.learn.features import BMI_CENTRE, BMI_SPREAD, DAYS_PER_YEAR, LONGEST_STAY_YEARS, scaled_bmi
from trajsim.learn.models.entry import YEARS_SPREAD, entry_items
from trajsim.learn.models.network import Parameters, applied
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import Segments, segments_until
from trajsim.learn.stepping import Memory, Person, Stepper
from trajsim.learn.trained import FOLLOW_UP_AGE_YEARS, Demographics, TrainedModel

SMALLEST = 256
LARGEST = 16_384
GROWTH = 4
MOST_STEPS = 512


class Walk(NamedTuple):
    """Patients on their way.

    Attributes:
        memory: What the model keeps of them.
        person: Who they are.
        key: [n] Their keys.
        day: [n] Days since entry, float32 (whole numbers).
        end: [n] Last day of observation.
        alive: [n] 1 until the history is over.
        expected: [n, K] Integrated hazard of every event so far, while it could come.
    """

    memory: Memory
    person: Person
    key: jax.Array
    day: jax.Array
    end: jax.Array
    alive: jax.Array
    expected: jax.Array


class Day(NamedTuple):
    """What one step wrote, for every patient on the way; `is_written` says for whom."""

    is_written: jax.Array
    day: jax.Array
    events: jax.Array
    is_visit: jax.Array
    measured: jax.Array
    value: jax.Array


@dataclass(frozen=True, eq=False)
class Futures:
    """Histories drawn for given patients.

    Attributes:
        sequences: What was drawn, patient for patient.
        expected: [n, K] Integrated hazard of every event over the time under observation, while it could come: the
            risk of a first event with the noise of the last draw averaged out.
    """

    sequences: EventSequences
    expected: NDArray[np.float64]


def _uniforms(key: jax.Array, number: int, step: jax.Array) -> jax.Array:
    """[n, number] The uniforms of one step of every patient."""
    return jax.vmap(lambda one: jax.random.uniform(jax.random.fold_in(one, step), (number,), minval=1e-7))(key)


def _legal(held: jax.Array, needs: jax.Array, excludes: jax.Array) -> jax.Array:
    lacking = (1.0 - held) @ needs.T > 0
    barred = held @ excludes.T > 0
    return ~(lacking | barred)


@partial(jax.jit, static_argnums=0, static_argnames=("pieces", "longest_stay_years"))
def _take_step(
    spec: ModelSpecification, params: Parameters, mask: tuple[jax.Array, jax.Array], walk: Walk, step: jax.Array, *,
    pieces: Segments, longest_stay_years: float,
) -> tuple[Walk, Day]:  # fmt: skip
    """One step of everybody."""
    stepper, k, v = Stepper(spec, longest_stay_years), spec.n_events, spec.n_labs
    u = _uniforms(walk.key, 4 + k + 2 * v, step)
    legal = _legal(walk.memory.held, *mask)
    hazard = jnp.exp(stepper.segment_log_hazards(params, walk.memory, walk.person, pieces))  # [n, S, K + 1]
    primary = jnp.where(legal[:, None, :], hazard[..., :k], 0.0)
    pairs = applied(spec, params, lambda network: network.heads.same_day_probability())
    together = jnp.where(legal[:, None, :], primary + primary @ pairs, 0.0)
    total = primary.sum(axis=-1) + hazard[..., k]

    width = jnp.where(jnp.isinf(pieces.stop), 1e6, pieces.stop) - pieces.start
    reached = jnp.cumsum(total * width, axis=-1)
    wanted = -jnp.log(u[:, 0])
    segment = jnp.minimum(jnp.sum(reached < wanted[:, None], axis=-1), width.shape[0] - 1)

    def at(table: jax.Array) -> jax.Array:
        """The stretch in which the gap ends."""
        return jnp.take_along_axis(table, segment.reshape(-1, *([1] * (table.ndim - 1))), axis=1)[:, 0]

    before = at(reached - total * width)
    gap = jnp.asarray(pieces.start)[segment] + (wanted - before) / jnp.maximum(at(total), 1e-12)
    day = walk.day + jnp.maximum(jnp.ceil(jnp.minimum(gap, 1e4) * DAYS_PER_YEAR), 1.0)
    happens = (walk.alive > 0) & (day <= walk.end)
    gap = (jnp.minimum(day, walk.end) - walk.day) / DAYS_PER_YEAR
    exposure = pieces.exposure(jnp, gap) * walk.alive[:, None]
    expected = walk.expected + jnp.einsum("nsk,ns->nk", together, exposure)

    rates = jnp.concatenate([at(primary), at(hazard)[:, k:]], axis=-1)
    shares = jnp.cumsum(rates, axis=-1)
    mark = jnp.sum(shares < u[:, 1:2] * shares[:, -1:], axis=-1)
    first = jax.nn.one_hot(mark, k + 1)
    age = walk.memory.step_age + (day - walk.day) / DAYS_PER_YEAR
    moment = stepper.moment(params, walk.memory, walk.person, age=age, events=first[:, :k])
    others = legal & (u[:, 4 : 4 + k] < moment.same_day)
    events = jnp.where((mark < k)[:, None], jnp.maximum(first[:, :k], others), 0.0)
    is_visit = (mark >= k) | (u[:, 2] < moment.visit)
    measured, value = _labs(stepper, params, walk, age, events, is_visit, u[:, 3], u[:, 4 + k :])

    new = stepper.step(
        params,
        walk.memory,
        walk.person,
        age=age,
        events=events,
        measured=measured,
        value=value,
        is_visit=is_visit * 1.0,
    )
    memory = jax.tree.map(lambda a, b: jnp.where(happens.reshape(-1, *([1] * (a.ndim - 1))), a, b), new, walk.memory)
    over = ~happens | (events[:, -1] > 0 if spec.vocabulary.has_death else False)
    walk = walk._replace(
        memory=memory, day=jnp.where(happens, day, walk.day), alive=jnp.where(over, 0.0, walk.alive), expected=expected
    )
    return walk, Day(happens, day, events, is_visit, measured, value)


def _labs(
    stepper: Stepper, params: Parameters, walk: Walk, age: jax.Array, events: jax.Array, is_visit: jax.Array,
    u_panel: jax.Array, u: jax.Array,
) -> tuple[jax.Array, jax.Array]:  # fmt: skip
    """Which labs a visit measures, and their scaled values as they are published."""
    v = stepper.spec.n_labs
    moment = stepper.moment(params, walk.memory, walk.person, age=age, events=events)
    chosen = jnp.sum(jnp.cumsum(moment.panel, axis=-1) < u_panel[:, None], axis=-1)
    chosen = jnp.minimum(chosen, 2**v - 1)
    measured = ((chosen[:, None] >> np.arange(v)) & 1) * is_visit[:, None]
    part = jnp.sum(jnp.cumsum(moment.weight, axis=-1) < u[:, :v, None], axis=-1)
    part = jnp.minimum(part, moment.weight.shape[-1] - 1)[..., None]
    mean = jnp.take_along_axis(moment.mean, part, axis=-1)[..., 0]
    scale = jnp.take_along_axis(moment.scale, part, axis=-1)[..., 0]
    number = mean + scale * jax.scipy.stats.norm.ppf(u[:, v:])
    values = []
    for i, lab in enumerate(stepper.spec.vocabulary.labs):
        if lab.kind == "flag":
            values.append((u[:, i] < moment.mean[:, i, 0]) * 1.0)
            continue
        values.append(_as_published(lab, number[:, i]))
    value = jnp.stack(values, axis=-1) if v else jnp.zeros((age.shape[0], 0))
    return measured.astype(jnp.float32), value


def _as_published(lab: LabKind, scaled: jax.Array) -> jax.Array:
    """A scaled value after publication: rounded and bounded, on the scale again."""
    value = lab.centre * jnp.exp(scaled * lab.spread) if lab.is_log else lab.centre + lab.spread * scaled
    value = jnp.clip(jnp.round(value / lab.resolution) * lab.resolution, lab.low, lab.high)
    return jnp.log(value / lab.centre) / lab.spread if lab.is_log else (value - lab.centre) / lab.spread


@partial(jax.jit, static_argnums=0)
def _enter(
    spec: ModelSpecification, params: Parameters, person: Person, age: jax.Array, held: jax.Array, last: jax.Array,
    has: jax.Array, value_age: jax.Array,
) -> Memory:  # fmt: skip
    return Stepper(spec).first(params, person, age=age, held=held, last=last, has=has, value_age=value_age)


def sample_futures(
    model: TrainedModel,
    patients: EventSequences,
    *,
    seed: int,
    years: float | None = None,
    longest_stay_years: float = LONGEST_STAY_YEARS,
) -> Futures:
    """Draws a history from entry on for every patient, given what he is like at entry.

    Args:
        model: What to draw from.
        patients: Whose entry to begin with; their days are not looked at.
        seed: Of the draws, 64 bits.
        years: Time under observation; each patient's own `follow_up_days` when None.
        longest_stay_years: Where the years since entry stop; `LIFELONG_STAY_YEARS` draws lives as the engine does.

    Returns:
        One history a patient, in order; whoever dies is followed to that day.
    """
    spec, n = model.spec, len(patients)
    end = patients.follow_up_days.astype(np.float64) if years is None else np.full(n, np.floor(years * DAYS_PER_YEAR))
    root = jax.random.key(seed % 2**32, impl="threefry2x32")
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(root, seed // 2**32), i))(jnp.arange(n))
    mask = (jnp.asarray(model.legality.needs, jnp.float32), jnp.asarray(model.legality.excludes, jnp.float32))
    days: list[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]] = []
    expected = np.zeros((n, spec.n_events))
    for start in range(0, n, LARGEST):
        rows = np.arange(start, min(start + LARGEST, n))
        walk = _begin(model, patients.take(rows), keys[rows], end[rows])
        _walk_all(model, mask, walk, rows, days, expected, longest_stay_years=longest_stay_years)
    return Futures(_sequences(model, patients, end, days), expected)


def _begin(model: TrainedModel, patients: EventSequences, keys: jax.Array, end: NDArray[np.float64]) -> Walk:
    labs = patients.vocabulary.labs
    n, v = len(patients), len(labs)
    entry = patients.entry_values
    scaled = np.stack([lab.scaled(entry[:, i]) for i, lab in enumerate(labs)], axis=-1) if v else entry
    has = ~np.isnan(scaled)
    age = patients.entry_age_days / DAYS_PER_YEAR
    value_age = np.where(has, age[:, None] - np.maximum(patients.entry_value_days, 0) / DAYS_PER_YEAR, 0.0)
    bmi, has_bmi = scaled_bmi(np, patients.bmi)
    size = _room(n)

    def filled(values: NDArray[np.generic]) -> jax.Array:
        padded = np.zeros((size, *values.shape[1:]), dtype=np.float32)
        padded[:n] = values
        return jnp.asarray(padded)

    person = Person(filled(patients.is_male), filled(bmi), filled(has_bmi))
    memory = _enter(
        model.spec, model.params, person, filled(age), filled(patients.prevalent), filled(np.nan_to_num(scaled)),
        filled(has), filled(value_age),
    )  # fmt: skip
    filler = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(size - n))
    key = jnp.concatenate([keys, filler]) if size > n else keys
    zero = jnp.zeros(size)
    return Walk(memory, person, key, zero, filled(end), filled(np.ones(n)), jnp.zeros((size, model.spec.n_events)))


def _room(n: int) -> int:
    """Smallest of the compiled sizes that holds n."""
    size = SMALLEST
    while size < n:
        size *= GROWTH
    return size


def _walk_all(
    model: TrainedModel, mask: tuple[jax.Array, jax.Array], walk: Walk, rows: NDArray[np.int64],
    days: list[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]], expected: NDArray[np.float64], *,
    longest_stay_years: float,
) -> None:  # fmt: skip
    """Steps until nobody is left; writes what happens into `days`, and the integrals into `expected`."""
    pieces = segments_until(float(np.asarray(walk.end).max(initial=0.0)) / DAYS_PER_YEAR)
    for step in range(MOST_STEPS):
        walk, day = _take_step(
            model.spec, model.params, mask, walk, jnp.uint32(step), pieces=pieces,
            longest_stay_years=longest_stay_years,
        )  # fmt: skip
        written = np.asarray(day.is_written)[: len(rows)]
        if written.any():
            columns = {name: np.asarray(getattr(day, name))[: len(rows)][written] for name in Day._fields[1:]}
            days.append((rows[written], columns))
        alive = np.asarray(walk.alive)[: len(rows)] > 0
        expected[rows] = np.asarray(walk.expected)[: len(rows)]
        if not alive.any():
            return
        left = np.flatnonzero(alive)
        size = _room(len(left))
        if size < walk.day.shape[0]:
            taken = np.concatenate([left, np.zeros(size - len(left), dtype=np.int64)])
            walk = jax.tree.map(lambda part, taken=taken: part[taken], walk)
            walk = walk._replace(alive=walk.alive * (np.arange(size) < len(left)))
            rows = rows[left]


def _sequences(
    model: TrainedModel, patients: EventSequences, end: NDArray[np.float64],
    days: list[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]],
) -> EventSequences:  # fmt: skip
    """The steps of all as event sequences."""
    n, k, labs = len(patients), model.spec.n_events, patients.vocabulary.labs
    who = np.concatenate([rows for rows, _ in days]) if days else np.zeros(0, dtype=np.int64)
    order = np.argsort(who, kind="stable")

    def column(name: str, width: tuple[int, ...]) -> NDArray[np.generic]:
        parts = [columns[name] for _, columns in days] or [np.zeros((0, *width))]
        return np.concatenate(parts)[order]

    events = column("events", (k,)).astype(bool)
    day = column("day", ()).astype(np.int32)
    measured = column("measured", (len(labs),)).astype(bool)
    scaled = column("value", (len(labs),)).astype(np.float64)
    values = np.full(scaled.shape, np.nan)
    for i, lab in enumerate(labs):
        values[:, i] = np.where(measured[:, i], lab.published(scaled[:, i]), np.nan)
    follow_up = np.maximum(end, 1).astype(np.int32)
    who = who[order]
    if patients.vocabulary.has_death:
        dead = events[:, -1]
        follow_up[who[dead]] = day[dead]
    return EventSequences(
        vocabulary=patients.vocabulary, patient_id=patients.patient_id, split=patients.split, is_male=patients.is_male,
        entry_age_days=patients.entry_age_days, bmi=patients.bmi, prevalent=patients.prevalent,
        entry_values=patients.entry_values, entry_value_days=patients.entry_value_days, follow_up_days=follow_up,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(who, minlength=n))]).astype(np.int64), day=day,
        is_visit=column("is_visit", ()).astype(bool), events=events, forbidden=np.zeros_like(events), values=values,
    )  # fmt: skip


def sample_cohort(model: TrainedModel, n: int, *, seed: int) -> EventSequences:
    """Draws a cohort: who enters, what they are like, and what happens to them.

    Age, sex and time under observation come from the released counts; conditions, body mass index and labs at entry
    from the entry chain; the rest from `sample_futures`.

    Raises:
        ConfigError: The model was trained without demographics.
    """
    return sample_futures(model, sample_entries(model, n, seed=seed), seed=seed).sequences


def sample_entries(model: TrainedModel, n: int, *, seed: int) -> EventSequences:
    """Patients on the day on which they enter, with the time for which they will be followed unless they die.

    Raises:
        ConfigError: The model was trained without demographics.
    """
    if model.demographics is None:
        msg = "the checkpoint holds no demographics, so it cannot draw a cohort, only futures of given patients"
        raise ConfigError(msg)
    spec = model.spec
    rng = np.random.default_rng([seed, 0x656E7472])
    is_male, age = model.demographics.draw(n, rng)
    key = jax.random.fold_in(jax.random.key(seed % 2**32), 0x656E7472)
    items = np.asarray(
        _entry_items(spec, model.params, key, jnp.asarray(is_male, jnp.float32), jnp.asarray(age, jnp.float32))
    )
    k, labs = spec.n_events, spec.vocabulary.labs
    held = np.zeros((n, k), dtype=bool)
    values = np.full((n, len(labs)), np.nan)
    when = np.full((n, len(labs)), -1, dtype=np.int32)
    bmi = np.full(n, np.nan)
    for number, item in enumerate(entry_items(spec)):
        column = items[:, number]
        exists = items[:, item.needs] > 0 if item.needs >= 0 else np.ones(n, dtype=bool)
        if item.name == "entry_prevalent":
            held[:, item.column] = column > 0
        elif item.name == "bmi":
            bmi = np.where(exists, np.round(np.clip(BMI_CENTRE * np.exp(BMI_SPREAD * column), 10.0, 90.0), 1), np.nan)
        elif item.name == "entry_years":
            years = np.expm1(np.clip(column, 0.0, None) * YEARS_SPREAD) / 12.0
            when[:, item.column] = np.where(exists, np.round(np.minimum(years, 40.0) * DAYS_PER_YEAR), -1)
        elif item.name == "entry_value":
            values[:, item.column] = np.where(exists, labs[item.column].published(column), np.nan)
    held = model.legality.attainable(held)
    return EventSequences(
        vocabulary=spec.vocabulary, patient_id=np.array([f"synthetic-{i}" for i in range(n)]),
        split=np.zeros(n, dtype=np.uint8), is_male=is_male,
        entry_age_days=np.round(age * DAYS_PER_YEAR).astype(np.int32),
        bmi=bmi, prevalent=held, entry_values=values, entry_value_days=when,
        follow_up_days=_follow_up(model.demographics, age, spec.vocabulary.max_years, rng),
        offsets=np.zeros(n + 1, dtype=np.int64), day=np.zeros(0, dtype=np.int32), is_visit=np.zeros(0, dtype=bool),
        events=np.zeros((0, k), dtype=bool), forbidden=np.zeros((0, k), dtype=bool), values=np.zeros((0, len(labs))),
    )  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _entry_items(
    spec: ModelSpecification, params: Parameters, key: jax.Array, sex: jax.Array, age: jax.Array
) -> jax.Array:
    return applied(spec, params, lambda network: network.entry.sample(key, sex, age))


def _follow_up(
    demographics: Demographics, age: NDArray[np.float64], max_years: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Days until observation would end without death: the censoring that the released counts imply, by age.

    The share that leaves in a year, of those who were still there, with the dead of the year counted for half (the
    actuarial estimate of a life table with death as the withdrawal).
    """
    counts = np.maximum(demographics.follow_up, 0.0)
    band = np.searchsorted(FOLLOW_UP_AGE_YEARS, age, side="right") - 1
    n_years = counts.shape[1]
    chances = np.empty(counts.shape[:2])
    for b in range(len(counts)):
        ended, died = counts[b, :, 0], counts[b, :, 1]
        there = np.cumsum((ended + died)[::-1])[::-1]
        chances[b] = np.clip(ended / np.maximum(there - died / 2.0, 1e-9), 0.0, 1.0)
    years = np.full(len(age), float(n_years))
    left = np.ones(len(age), dtype=bool)
    for year in range(n_years):
        goes = left & (rng.random(len(age)) < chances[band, year])
        years[goes] = year + rng.random(int(goes.sum()))
        left &= ~goes
    days: NDArray[np.int32] = np.maximum(np.round(np.minimum(years, max_years) * DAYS_PER_YEAR), 1).astype(np.int32)
    return days
