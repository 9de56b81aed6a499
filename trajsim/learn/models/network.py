"""A core, the heads that read it, and the entry chain, as one module with one set of parameters."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from trajsim.event_sequences import Vocabulary
from trajsim.learn.models.entry import EntryHead
from trajsim.learn.models.gru import GruCore
from trajsim.learn.models.heads import Heads
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.models.transformer import TransformerCore

T = TypeVar("T")

Parameters = Any
"""Nested dictionary of arrays, as Flax makes it."""


class Network(nn.Module):
    """The whole model."""

    spec: ModelSpecification

    def setup(self) -> None:
        """Makes the parts."""
        s = self.spec
        self.core: GruCore | TransformerCore
        if s.kind == "gru":
            self.core = GruCore(width=s.width, n_features=s.n_features)
        else:
            self.core = TransformerCore(width=s.width, heads=s.heads, window=s.window, n_features=s.n_features)
        self.heads = Heads(spec=s)
        self.entry = EntryHead(spec=s)

    def __call__(self, features: jax.Array, row: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """Touches every part once, so that `init` makes all parameters."""
        readings = self.core(features)
        moment = jnp.zeros((self.heads.panel.shape[0],))
        self.heads.panel_energies(moment)
        return self.heads.log_hazards(features, readings), self.entry(row)

    def state_width(self) -> int:
        """Numbers that the core carries for a patient."""
        return self.core.state_width


def applied(spec: ModelSpecification, params: Parameters, method: Callable[[Network], T]) -> T:
    """What `method` makes of a network with these parameters."""
    return cast("T", Network(spec).apply(params, method=method))


def initial_parameters(spec: ModelSpecification, key: jax.Array) -> Parameters:
    """Parameters before any training: biases at the public priors of the vocabulary, weights of the core from `key`."""
    return Network(spec).init(key, jnp.zeros((1, spec.n_features)), _empty_row(spec.vocabulary))


def _empty_row(vocabulary: Vocabulary) -> dict[str, jax.Array]:
    k, v = len(vocabulary.events), len(vocabulary.labs)
    zero = jnp.zeros(())
    return {
        "sex": zero, "entry_age": zero, "has_bmi": zero, "bmi": zero, "entry_prevalent": jnp.zeros(k - 1),
        "entry_has": jnp.zeros(v), "entry_value": jnp.zeros(v), "entry_value_years": jnp.zeros(v),
    }  # fmt: skip
