"""A model that learned nothing: what an attack on the training patients finds where there is nothing to find."""

from dataclasses import replace

import jax

from trajsim.learn.models.network import initial_parameters
from trajsim.learn.trained import TrainedModel


def untrained(model: TrainedModel, *, seed: int = 0) -> TrainedModel:
    """A model of the same shape before any training, at the public priors of its vocabulary."""
    return replace(model, params=initial_parameters(model.spec, jax.random.key(seed)), digest="")
