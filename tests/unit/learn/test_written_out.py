"""A network and the formula that is written of it give the same answers, whatever they are asked, and in any order."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

import trajsim
from tests.unit.learn.made_up import VOCABULARY
from trajsim.engine.options import TILE
from trajsim.engine.reference.formula import Worked
from trajsim.engine.reference.learned import READING, REFRESH, STEP, TOGETHER
from trajsim.event_sequences import EventKind, Legality, Vocabulary
from trajsim.formula import Part
from trajsim.learn.answers import LearnedTrajectories, load_model
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.trained import TrainedModel
from trajsim.trajectory_model import Answers, Questions, WrittenOut

RELEASED = Path(trajsim.__file__).parent / "learn" / "released" / "cardiometabolic"
ANSWERED = {
    STEP: ("log_hazard",),
    REFRESH: ("log_hazard",),
    READING: ("value_weight", "value_mean", "value_scale"),
    TOGETHER: ("co_probability", "panel_probability", "value_weight", "value_mean", "value_scale"),
}
WITHOUT_LABS = Vocabulary(events=(EventKind(name="stroke", prior_share=0.1, prior_per_1000_years=9.0),))


def _shaken(vocabulary: Vocabulary, **shape: Any) -> LearnedTrajectories:  # noqa: ANN401 - fields of the specification
    """A model in which no parameter is zero."""
    spec = ModelSpecification(vocabulary=vocabulary, **shape)
    leaves, tree = jax.tree.flatten(initial_parameters(spec, jax.random.key(3)))
    keys = jax.random.split(jax.random.key(4), len(leaves))
    params = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    legality = Legality.first_occurrences(len(vocabulary.events))
    return LearnedTrajectories(TrainedModel(spec, jax.tree.unflatten(tree, params), legality))


MODELS = {
    "released": lambda: load_model(RELEASED),
    "made up": lambda: _shaken(VOCABULARY, width=5, heads=1, components=3),
    "without labs": lambda: _shaken(WITHOUT_LABS, width=1, heads=1),
}


def _asked(
    model: LearnedTrajectories, memory: NDArray[np.float32], numbers: NDArray[np.float64], *, is_step: bool
) -> Answers:
    """The network's answer to one question; the other rows of its tile are blank."""
    k, v = len(model.events), len(model.values)
    widths = {"inputs": 3, "now": k, "measured": v, "values": v}
    rows = {name: np.zeros((TILE, width)) for name, width in widths.items()}
    for (_, column), part in zip(rows.items(), np.split(numbers, [3, 3 + k, 3 + k + v]), strict=True):
        column[0] = part
    return model.answer(
        Questions(
            patient_id=np.zeros(TILE, dtype=np.uint64),
            time_us=np.zeros(TILE, dtype=np.int64),
            memory=np.tile(memory, (TILE, 1)),
            inputs=rows["inputs"].astype(np.float32),
            is_step=np.full(TILE, is_step),
            legal=np.ones((TILE, k), dtype=bool),
            now=rows["now"] > 0,
            measured=rows["measured"] > 0,
            values=rows["values"].astype(np.float32),
        )
    )


def _question(
    model: LearnedTrajectories, rng: np.random.Generator, age: float, parts: tuple[Part, Part]
) -> list[float]:
    """Numbers of a question at an age, as the engine would put it."""
    k, v = len(model.events), len(model.values)
    now, measured = np.zeros(k, dtype=bool), np.zeros(v, dtype=bool)
    if parts in (STEP, TOGETHER):
        now = rng.random(k) < 0.1
    if parts == STEP:
        measured = rng.random(v) < 0.5
    drawn = [(rng.random(), value) for value in model.values]
    read = [round(u) if value.is_flag else value.low + u * (value.high - value.low) for u, value in drawn]
    bmi = rng.uniform(12.0, 60.0) if rng.random() < 0.8 else np.nan
    return [age, 1.0, bmi, *now, *measured, *np.where(measured, np.array(read, dtype=np.float64), np.nan)]


@pytest.mark.parametrize("name", MODELS)
def test_a_formula_answers_as_the_network_does(name: str) -> None:
    model = MODELS[name]()
    assert isinstance(model, WrittenOut)
    assert model.formula is not None
    worked, rng = Worked(model, model.formula), np.random.default_rng(1)
    memory, age = model.start, 18.02
    kinds = [STEP, REFRESH, REFRESH, *(list(ANSWERED)[number] for number in rng.integers(0, 4, 40))]
    for parts in kinds:
        numbers = np.array(_question(model, rng, age, parts), dtype=np.float64)
        answer = _asked(model, memory, numbers, is_step=parts == STEP)
        if parts == STEP:
            memory = answer.memory[0]
        found = worked.answer(numbers.tolist(), *parts)
        for field in ANSWERED[parts]:
            wanted = getattr(answer, field)[0]
            given = np.reshape(found[field], wanted.shape)
            np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5, err_msg=field)
        age += float(rng.choice([0.001, 0.1, 0.7, 365 / 365.25, 3.0]))


def test_a_transformer_has_no_formula() -> None:
    assert _shaken(VOCABULARY, kind="transformer", width=4).formula is None
