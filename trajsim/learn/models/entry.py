"""What patients are like when they enter: a chain of regressions, each item on age, sex and the items before it.

Used for cohorts that enter at an index date. The engine does not ask it: there the modules say what a patient has.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from trajsim.learn.models.public_effects import AGE, BMI, MALE, effect_weights
from trajsim.learn.models.specification import ModelSpecification

N_BASIS = 6
N_MIXED = 2
FIRST_CONDITION = 2
"""Place of the first condition in the chain, after the body mass index: whether it is known, and what it is."""
HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
YEARS_SPREAD = 3.0


@dataclass(frozen=True)
class Item:
    """One item of the chain.

    Attributes:
        name: Array of a row that holds it.
        column: Column of that array, -1 for a scalar.
        is_number: Normal mixture, or else yes and no.
        needs: Item that must be 1 for this one to exist, -1 for none.
        prior: Public guess of the share, or of the mean.
    """

    name: str
    column: int
    is_number: bool
    needs: int = -1
    prior: float = 0.0


def entry_items(spec: ModelSpecification) -> tuple[Item, ...]:
    """The chain, in order: body mass index, what patients have, then each lab: known, when, what."""
    items = [Item("has_bmi", -1, is_number=False, prior=0.7), Item("bmi", -1, is_number=True, needs=0)]
    for column, event in enumerate(spec.vocabulary.events[: spec.n_events - 1]):
        items.append(Item("entry_prevalent", column, is_number=False, prior=event.prior_share))
    for column, lab in enumerate(spec.vocabulary.labs):
        known = len(items)
        items.append(Item("entry_has", column, is_number=False, prior=min(lab.prior_share, 0.9)))
        items.append(Item("entry_years", column, is_number=True, needs=known, prior=0.1))
        items.append(Item("entry_value", column, is_number=lab.kind == "number", needs=known, prior=0.0))
    return tuple(items)


def years_on_scale(years: jax.Array) -> jax.Array:
    """How long ago a value was read, on the scale of the chain."""
    return jnp.log1p(12.0 * years) / YEARS_SPREAD


class EntryHead(nn.Module):
    """The chain; leading axes are batches.

    Shapes:
        items [..., M]; sex and age scalars of a patient.
    """

    spec: ModelSpecification

    def setup(self) -> None:
        """Declares the weights."""
        self.items = entry_items(self.spec)
        m = len(self.items)
        zeros = nn.initializers.zeros_init()
        self.weights = self.param("weights", self._weights, (N_BASIS + m, m))
        self.bias = self.param("bias", self._bias, (m,))
        self.shift = self.param("shift", self._shift, (m, N_MIXED))
        self.log_scale = self.param("log_scale", self._scale, (m, N_MIXED))
        self.mix = self.param("mix", zeros, (m, N_MIXED))

    def _weights(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """What brings a condition on is, nearly, what those who have it have more of."""
        columns = {name: at for at, name in enumerate(self.spec.vocabulary.event_names[:-1], FIRST_CONDITION)}
        rows = {AGE: 0, MALE: 3, BMI: N_BASIS + 1} | {name: N_BASIS + at for name, at in columns.items()}
        weights = effect_weights(shape, rows=rows, columns=columns)
        weights[N_BASIS:] = np.triu(weights[N_BASIS:], 1)  # of earlier items only
        return jnp.asarray(weights)

    def _bias(self, _key: jax.Array, _shape: tuple[int, ...]) -> jax.Array:
        priors = np.array([item.prior for item in self.items])
        shares = np.clip(priors, 1e-4, 1.0 - 1e-4)
        numbers = np.array([item.is_number for item in self.items])
        return jnp.asarray(np.where(numbers, priors, np.log(shares / (1.0 - shares))), dtype=jnp.float32)

    def _shift(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.broadcast_to(jnp.array([-0.2, 0.3]), shape)

    def _scale(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.broadcast_to(jnp.log(jnp.array([0.6, 1.0])), shape)

    def basis(self, sex: jax.Array, entry_age: jax.Array) -> jax.Array:
        """[..., 6] What every item depends on."""
        age = (entry_age - 50.0) / 20.0
        return jnp.stack([age, age * age, jnp.maximum(age - 0.75, 0.0), sex, sex * age, sex * age * age], axis=-1)

    def values(self, row: Mapping[str, jax.Array]) -> jax.Array:
        """[..., M] The items of a patient, on their scales; 0 where an item does not exist."""
        columns = []
        for item in self.items:
            if item.name == "entry_years":
                columns.append(years_on_scale(row["entry_value_years"])[..., item.column])
            else:
                columns.append(row[item.name] if item.column < 0 else row[item.name][..., item.column])
        exist = self.exist(jnp.stack(columns, axis=-1))
        return jnp.stack(columns, axis=-1) * exist

    def exist(self, items: jax.Array) -> jax.Array:
        """[..., M] Which items exist."""
        needs = np.array([item.needs for item in self.items])
        return jnp.where(needs < 0, 1.0, items[..., np.maximum(needs, 0)])

    def linear(self, basis: jax.Array, items: jax.Array) -> jax.Array:
        """[..., M] Logit or mean of every item, given the items before it."""
        m = len(self.items)
        earlier = np.triu(np.ones((m, m), dtype=np.float32), 1)
        weights = jnp.concatenate([self.weights[:N_BASIS], self.weights[N_BASIS:] * earlier])
        return jnp.concatenate([basis, items], axis=-1) @ weights + self.bias

    def __call__(self, row: Mapping[str, jax.Array]) -> jax.Array:
        """[..., M] Negative log-likelihood of a patient's entry item by item, given age and sex."""
        items = self.values(row)
        linear = self.linear(self.basis(row["sex"], row["entry_age"]), items)
        numbers = np.array([item.is_number for item in self.items])
        yes_no = jax.nn.softplus(linear) - items * linear
        z = (items[..., None] - linear[..., None] - self.shift) / jnp.exp(self.log_scale)
        logs = jax.nn.log_softmax(self.mix) - 0.5 * z * z - self.log_scale - HALF_LOG_TAU
        mixed = -jnp.maximum(jax.nn.logsumexp(logs, axis=-1), -20.0)
        return jnp.where(numbers, mixed, yes_no) * self.exist(items)

    def sample(self, key: jax.Array, sex: jax.Array, entry_age: jax.Array) -> jax.Array:
        """[n, M] Items of new patients, one after the other along the chain."""
        basis = self.basis(sex, entry_age)
        items = jnp.zeros((*sex.shape, len(self.items)))
        for number, item in enumerate(self.items):
            linear = self.linear(basis, items)[..., number]
            pick, draw = jax.random.split(jax.random.fold_in(key, number))
            if item.is_number:
                part = jax.random.categorical(pick, self.mix[number], shape=sex.shape)
                value = linear + self.shift[number][part]
                value = value + jnp.exp(self.log_scale[number])[part] * jax.random.normal(draw, sex.shape)
            else:
                value = (jax.random.uniform(draw, sex.shape) < jax.nn.sigmoid(linear)).astype(jnp.float32)
            exists = 1.0 if item.needs < 0 else items[..., item.needs]
            items = items.at[..., number].set(value * exists)
        return items
