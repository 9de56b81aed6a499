"""With a learned model, too, the virtual machine lives the lives of the reference interpreter, byte for byte."""

from functools import cache

import jax
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.event_sequences import DEATH, EventKind, LabKind, Legality, Vocabulary
from trajsim.learn.answers import LearnedTrajectories
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.trained import TrainedModel
from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.bindings import bound, random_model, random_offset
from trajsim.testing.strategies import Scenario, scenarios

# A question has a whole tile of rows, so a life costs more here than without a model.
EXAMPLES = 20 if settings().max_examples < 1_000 else 500


@settings(max_examples=EXAMPLES)
@given(scenarios(), st.integers(0, 2**32))
def test_random_modules_with_random_models(scenario: Scenario, seed: int) -> None:
    assert_machine_equals_reference(bound(scenario, seed), model=random_model(seed), death_offset=random_offset(seed))


@cache
def _network(seed: int) -> LearnedTrajectories:
    """A network with parameters at random, which the engine works out by itself; its events are frequent."""
    events = tuple(
        EventKind(name=name, prior_share=0.1, prior_per_1000_years=rate)
        for name, rate in (("diabetes", 100.0), ("stroke", 400.0), ("fall", 3_000.0), (DEATH, 5.0))
    )
    labs = (
        LabKind(name="hdl", unit="u", is_log=True, centre=50.0, spread=0.3, low=5.0, high=200.0, prior_share=0.8),
        LabKind(name="smoking", kind="flag", prior_share=0.3),
        LabKind(name="sbp", unit="u", centre=130.0, spread=20.0, low=60.0, high=300.0, prior_share=0.5),
    )
    vocabulary = Vocabulary(events=events[seed % 3 :], labs=labs[: seed % 4])
    spec = ModelSpecification(vocabulary=vocabulary, width=1 + seed, heads=1, components=1 + seed % 3)
    leaves, tree = jax.tree.flatten(initial_parameters(spec, jax.random.key(seed)))
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    params = [x + 0.2 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    legality = Legality.first_occurrences(len(vocabulary.events))
    return LearnedTrajectories(
        TrainedModel(spec, jax.tree.unflatten(tree, params), legality, min_age_years=(0.0, 1.5)[seed % 2])
    )


@settings(max_examples=EXAMPLES)
@given(scenarios(), st.integers(0, 2**32), st.integers(0, 5))
def test_random_modules_with_networks_that_are_written_out(scenario: Scenario, seed: int, network: int) -> None:
    model = _network(network)
    assert model.formula is not None
    assert_machine_equals_reference(bound(scenario, seed), model=model, death_offset=random_offset(seed))
