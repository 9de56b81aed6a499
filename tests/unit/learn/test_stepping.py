"""A history taken step by step gives what it gives as a whole: the model in use is the model that was trained."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.learn.made_up import VOCABULARY, cohort
from trajsim.event_sequences import Legality
from trajsim.learn.answers import LearnedTrajectories
from trajsim.learn.batches import pad
from trajsim.learn.features import DAYS_PER_YEAR, LIFELONG_STAY_YEARS, LONGEST_STAY_YEARS, clock_features, scaled_bmi
from trajsim.learn.loss import MOST_EVENTS, MOST_EXPECTED, Loss
from trajsim.learn.models.network import Network, Parameters, applied, initial_parameters
from trajsim.learn.models.specification import KINDS, ModelSpecification
from trajsim.learn.pieces import OFFSET_DAYS, TRAINING
from trajsim.learn.stepping import Memory, Person, Stepper
from trajsim.learn.trained import TrainedModel
from trajsim.trajectory_model import Questions, TrajectoryModel

TILE = 64


def _shaken(spec: ModelSpecification) -> Parameters:
    """Parameters in which nothing is zero."""
    params = initial_parameters(spec, jax.random.key(3))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(4), len(leaves))
    return jax.tree.unflatten(
        tree, [x + 0.05 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    )


@pytest.fixture(params=KINDS, name="model")
def model_fixture(request: pytest.FixtureRequest) -> TrainedModel:
    spec = ModelSpecification(vocabulary=VOCABULARY, kind=request.param, width=8, window=48)
    return TrainedModel(spec, _shaken(spec), Legality.first_occurrences(len(VOCABULARY.events)))


def _walk(model: TrainedModel, one: int) -> tuple[list[NDArray[Any]], Memory, Person]:
    """Log hazards of all stretches after every step of one patient, taken one step at a time."""
    patients = cohort().take([one])
    stepper = Stepper(model.spec)
    take_step, hazards = jax.jit(stepper.step), jax.jit(stepper.segment_log_hazards)
    bmi, has_bmi = scaled_bmi(np, patients.bmi)
    person = Person(*(jnp.asarray(x, jnp.float32) for x in (patients.is_male, bmi, has_bmi)))
    labs = patients.vocabulary.labs
    entry = np.stack([lab.scaled(patients.entry_values[:, i]) for i, lab in enumerate(labs)], axis=-1)
    age = patients.entry_age_days / DAYS_PER_YEAR
    has = ~np.isnan(entry)
    memory = jax.jit(stepper.first)(
        model.params,
        person,
        age=jnp.asarray(age, jnp.float32),
        held=jnp.asarray(patients.prevalent, jnp.float32),
        last=jnp.asarray(np.nan_to_num(entry), jnp.float32),
        has=jnp.asarray(has, jnp.float32),
        value_age=jnp.asarray(
            np.where(has, age[:, None] - patients.entry_value_days / DAYS_PER_YEAR, 0.0), jnp.float32
        ),
    )
    found = [np.asarray(hazards(model.params, memory, person))[0]]
    for row in range(len(patients.day)):
        scaled = np.array([lab.scaled(patients.values[row, i]) for i, lab in enumerate(labs)])
        memory = take_step(
            model.params,
            memory,
            person,
            age=jnp.asarray(age + patients.day[row] / DAYS_PER_YEAR, jnp.float32),
            events=jnp.asarray(patients.events[row : row + 1], jnp.float32),
            measured=jnp.asarray(~np.isnan(scaled)[None], jnp.float32),
            value=jnp.asarray(np.nan_to_num(scaled)[None], jnp.float32),
            is_visit=jnp.asarray(patients.is_visit[row : row + 1], jnp.float32),
        )
        found.append(np.asarray(hazards(model.params, memory, person))[0])
    return found, memory, person


@pytest.mark.parametrize("one", [0, 5])
def test_steps_one_by_one_give_the_hazards_of_the_whole_history(model: TrainedModel, one: int) -> None:
    found, _, _ = _walk(model, one)
    bucket = next(b for b in pad(cohort()) if one in b.positions)
    row = {name: rows[list(bucket.positions).index(one)] for name, rows in bucket.rows.items()}
    loss = Loss(model.spec)

    def read(network: Network) -> tuple[jax.Array, jax.Array]:
        features, readings = loss._read(network, row)
        return loss._hazards(network, row, features, readings)

    events, visits = jax.jit(lambda params: applied(model.spec, params, read))(model.params)
    pairs = applied(model.spec, model.params, lambda network: network.heads.same_day_probability())
    for state, logs in enumerate(found):
        hazard = np.exp(logs)
        legal = row["legal"][state] > 0
        primary = np.where(legal, hazard[:, :-1], 0.0)
        together = np.where(legal, primary + primary @ np.asarray(pairs), 0.0)
        np.testing.assert_allclose(np.asarray(events)[state], together, rtol=2e-4)
        np.testing.assert_allclose(np.asarray(visits)[state], hazard[:, -1], rtol=2e-4)


def _questions(model: LearnedTrajectories, **columns: NDArray[Any]) -> Questions:
    """A tile whose first row says something."""
    k, v = len(model.events), len(model.values)
    plain: dict[str, NDArray[Any]] = {
        "patient_id": np.arange(TILE, dtype=np.uint64),
        "time_us": np.zeros(TILE, dtype=np.int64),
        "memory": np.tile(model.start, (TILE, 1)),
        "inputs": np.tile(np.array([50.0, 1.0, 28.0], dtype=np.float32), (TILE, 1)),
        "is_step": np.ones(TILE, dtype=bool),
        "legal": np.ones((TILE, k), dtype=bool),
        "now": np.zeros((TILE, k), dtype=bool),
        "measured": np.zeros((TILE, v), dtype=bool),
        "values": np.full((TILE, v), np.nan, dtype=np.float32),
    }
    return Questions(**(plain | columns))


def test_answers_are_those_of_the_stepper_and_a_refresh_moves_the_clock_alone(model: TrainedModel) -> None:
    asked = LearnedTrajectories(model)
    assert isinstance(asked, TrajectoryModel)
    first = asked.answer(_questions(asked))
    assert first.log_hazard.shape == (TILE, 4, len(asked.piece_days))
    later = asked.answer(
        _questions(
            asked,
            memory=first.memory,
            inputs=np.tile(np.array([50.0 + 365.0 / DAYS_PER_YEAR, 1.0, 28.0], dtype=np.float32), (TILE, 1)),
            is_step=np.zeros(TILE, dtype=bool),
        )
    )
    np.testing.assert_array_equal(later.memory, first.memory)
    stepper = Stepper(model.spec, LIFELONG_STAY_YEARS)
    memory = stepper.unpack(jnp.asarray(first.memory))
    bmi, has_bmi = scaled_bmi(jnp, jnp.full(TILE, 28.0))
    person = Person(jnp.ones(TILE), bmi, has_bmi * 1.0)
    logs = np.asarray(stepper.segment_log_hazards(model.params, memory, person))
    for year, answer in enumerate((first, later)):
        for piece, days in enumerate(asked.piece_days):
            stretch = int(TRAINING.of(np, np.array(365.0 * year + days + 0.5) / DAYS_PER_YEAR))
            np.testing.assert_allclose(answer.log_hazard[0, :, piece], logs[0, stretch], rtol=1e-4, atol=1e-5)
    assert len(np.unique(later.log_hazard[0, -1].round(3))) > 1  # the second year has pieces of its own


def test_a_row_does_not_depend_on_its_neighbours(model: TrainedModel) -> None:
    asked = LearnedTrajectories(model)
    rng = np.random.default_rng(1)
    ages = rng.uniform(20, 90, TILE)
    inputs = np.column_stack([ages, rng.integers(0, 2, TILE), rng.uniform(18, 40, TILE)]).astype(np.float32)
    straight = asked.answer(_questions(asked, inputs=inputs))
    order = rng.permutation(TILE)
    turned = asked.answer(_questions(asked, inputs=inputs[order]))
    np.testing.assert_array_equal(straight.log_hazard[order], turned.log_hazard)
    np.testing.assert_array_equal(straight.memory[order], turned.memory)


def test_answers_are_distributions(model: TrainedModel) -> None:
    asked = LearnedTrajectories(model)
    now = np.zeros((TILE, 4), dtype=bool)
    now[:, 0] = True
    first = asked.answer(_questions(asked))
    answer = asked.answer(_questions(asked, memory=first.memory, is_step=np.zeros(TILE, dtype=bool), now=now))
    np.testing.assert_allclose(answer.panel_probability.sum(axis=1), 1.0, rtol=1e-5)
    assert answer.panel_probability[0, 0] == 0.0
    np.testing.assert_allclose(answer.value_weight.sum(axis=-1), 1.0, rtol=1e-5)
    assert (answer.value_scale > 0).all()
    assert ((answer.co_probability >= 0) & (answer.co_probability <= 1)).all()
    assert answer.co_probability[0, 0] == 0.0  # an event does not come twice on one day


def test_what_a_patient_has_had_does_not_come_again(model: TrainedModel) -> None:
    asked = LearnedTrajectories(model)
    now = np.zeros((TILE, 4), dtype=bool)
    now[:, 1] = True
    first = asked.answer(_questions(asked))
    answer = asked.answer(_questions(asked, memory=first.memory, now=now))
    assert np.isneginf(answer.log_hazard[:, 1]).all()
    assert np.isfinite(answer.log_hazard[:, [0, 2, 3]]).all()
    later = asked.answer(_questions(asked, memory=answer.memory, is_step=np.zeros(TILE, dtype=bool)))
    assert np.isneginf(later.log_hazard[:, 1]).all()
    assert (later.co_probability[:, 1] == 0.0).all()


def test_bounded_counts_stop_by_the_past_alone() -> None:
    spec = ModelSpecification(vocabulary=VOCABULARY, width=6)
    params, loss = _shaken(spec), Loss(spec)
    of_all = [jax.jit(jax.vmap(counts, in_axes=(None, 0))) for counts in (loss.counts, loss.bounded_counts)]
    (bucket,) = [bucket for bucket in pad(cohort(90, most_days=14)) if bucket.rows["state"].shape[1] == 17]
    full, bounded = (counts(params, bucket.rows) for counts in of_all)
    expected, seen = (np.asarray(full[name]).sum(axis=1) for name in ("events_expected", "events_seen"))
    is_short = (expected < MOST_EXPECTED) & (seen < MOST_EVENTS)
    assert 0 < is_short.sum() < len(bucket)
    for name in ("events_seen", "events_expected"):
        np.testing.assert_allclose(bounded[name][is_short], full[name][is_short], rtol=1e-6)
        assert (np.asarray(bounded[name]) <= np.asarray(full[name]) + 1e-5).all()
    assert np.asarray(bounded["events_expected"])[~is_short].sum() < expected[~is_short].sum()


def test_years_since_entry_stop_earlier_for_lives_that_enter_no_cohort(model: TrainedModel) -> None:
    """A person of 18 to whom nothing happens: until the clock stops the engine is the stepper of training, then not."""
    asked, plain = LearnedTrajectories(model), Stepper(model.spec)
    memory = asked.answer(
        _questions(asked, inputs=np.tile(np.array([18.0, 1.0, 28.0], dtype=np.float32), (TILE, 1)))
    ).memory
    bmi, has_bmi = scaled_bmi(jnp, jnp.full(TILE, 28.0))
    person = Person(jnp.ones(TILE), bmi, has_bmi * 1.0)
    for years, is_same in ((7.0, True), (12.0, False), (40.0, False)):
        age = np.full(TILE, 18.0 + years, dtype=np.float32)
        inputs = np.column_stack([age, np.ones(TILE), np.full(TILE, 28.0)]).astype(np.float32)
        engine = asked.answer(
            _questions(asked, memory=memory, inputs=inputs, is_step=np.zeros(TILE, dtype=bool))
        ).log_hazard[0, :, 0]
        offset = jnp.full((TILE, 1), len(OFFSET_DAYS) - 1)  # of the fifth year and later
        training = np.asarray(
            plain.log_hazards(
                model.params, plain.unpack(jnp.asarray(memory)), person, age=jnp.asarray(age), offset=offset
            )
        )[0, :, 0]
        assert np.allclose(engine, training, rtol=1e-4, atol=1e-5) == is_same


def test_the_clock_of_years_since_entry_stops_where_it_is_told_to() -> None:
    def since(age: float, longest_stay_years: float = LONGEST_STAY_YEARS) -> float:
        one, nothing = np.ones(()), np.zeros(0)
        return float(
            clock_features(
                np, age_years=age * one, is_male=one, entry_age_years=18 * one, value_age_years=nothing, has=nothing,
                longest_stay_years=longest_stay_years,
            )[6]
        )  # fmt: skip

    assert [since(age) for age in (20, 33, 60)] == pytest.approx([0.2, 1.5, 1.5])
    assert [since(age, LIFELONG_STAY_YEARS) for age in (20, 33, 60)] == pytest.approx([0.2, 0.8, 0.8])
