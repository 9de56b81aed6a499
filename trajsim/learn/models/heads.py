"""What is read from a history: hazards, events of the same day, visits, which labs, and their values.

All heads are linear in (features, readings of the core): the way past the core is a proportional-hazards model, and it
survives the noise of private training best. All of them begin at what is public: rates, shares, hazard ratios.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from trajsim.learn.features import DAYS_PER_YEAR, GAP, IS_ENTRY, N_STILL_SCALARS, scaled_gap
from trajsim.learn.models.public_effects import AGE, BMI, MALE, effect_weights
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import GAP_DAYS, OFFSET_DAYS

VISITS_PER_YEAR = 0.8
SAME_DAY_LOGIT = -4.5
VISIT_WITH_EVENT_LOGIT = -1.0
LAST_VALUE_WEIGHT = 0.6
LEAST_LOG_SCALE, MOST_LOG_SCALE = -4.0, 2.0
NO_PANEL = -1e9  # energy of the empty set of labs
N_MOMENT = 3  # features of a moment beside its events
GAP_EDGES = scaled_gap(np, np.array(GAP_DAYS) / DAYS_PER_YEAR)
ENTRY_GAP = len(GAP_DAYS) + 1
"""Kind of the gap before a first step."""


class Heads(nn.Module):
    """Linear readings of one step. K events, V labs, C components; leading axes are batches."""

    spec: ModelSpecification

    def setup(self) -> None:
        """Declares the weights."""
        s = self.spec
        k, v = s.n_events, s.n_labs
        read = s.n_features + s.width
        moment = read + N_MOMENT + k
        zeros = nn.initializers.zeros_init()
        self.hazard = self.param("hazard", self._hazard, (read, k + 1))
        self.hazard_bias = self.param("hazard_bias", self._rates, (k + 1,))
        self.offset = self.param("offset", zeros, (len(OFFSET_DAYS), k + 1))
        self.rhythm = self.param("rhythm", zeros, (ENTRY_GAP + 1, len(OFFSET_DAYS)))
        self.same_day = self.param("same_day", nn.initializers.constant(SAME_DAY_LOGIT), (k, k))
        self.visit_too = self.param("visit_too", zeros, (read, 1))
        self.visit_too_bias = self.param("visit_too_bias", nn.initializers.constant(VISIT_WITH_EVENT_LOGIT), (k,))
        self.panel = self.param("panel", zeros, (moment, v))
        self.panel_bias = self.param("panel_bias", self._shares, (v,))
        self.panel_set = self.param("panel_set", zeros, (2**v,))
        self.value = self.param("value", self._values, (moment, v, 3 * s.components))
        self.value_bias = self.param("value_bias", self._value_biases, (v, 3 * s.components))

    def _hazard(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """What is public of who gets what: an event that nothing is known of rises with age alone."""
        columns = {name: column for column, name in enumerate(self.spec.vocabulary.event_names)}
        return jnp.asarray(effect_weights(shape, rows=self._factor_rows(), columns=columns))

    def _factor_rows(self) -> dict[str, int]:
        """Row of the weights that every factor of `public_effects` has."""
        s = self.spec
        still, held, last = s.n_clock, s.n_clock + N_STILL_SCALARS, s.n_features - 2 * s.n_labs
        rows = {AGE: 0, MALE: still, BMI: still + 1}
        rows |= {name: held + number for number, name in enumerate(s.vocabulary.event_names[:-1])}
        return rows | {name: last + number for number, name in enumerate(s.vocabulary.lab_names)}

    def _rates(self, _key: jax.Array, _shape: tuple[int, ...]) -> jax.Array:
        rates = [event.prior_per_1000_years / 1000.0 for event in self.spec.vocabulary.events]
        return jnp.log(jnp.array([*rates, VISITS_PER_YEAR]))

    def _shares(self, _key: jax.Array, _shape: tuple[int, ...]) -> jax.Array:
        shares = np.array([lab.prior_share for lab in self.spec.vocabulary.labs])
        return jnp.asarray(np.log(shares / (1.0 - shares)), dtype=jnp.float32)

    def _values(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """A new value is at first near the last one."""
        s, weights = self.spec, np.zeros(shape, dtype=np.float32)
        last = s.n_features - 2 * s.n_labs
        for number, lab in enumerate(s.vocabulary.labs):
            if lab.kind == "number":
                weights[last + number, number, s.components : 2 * s.components] = LAST_VALUE_WEIGHT
            else:
                weights[last + number, number, 0] = 4.0
        return jnp.asarray(weights)

    def _value_biases(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        c, biases = self.spec.components, np.zeros(shape, dtype=np.float32)
        for number, lab in enumerate(self.spec.vocabulary.labs):
            if lab.kind == "number":
                biases[number, 2 * c :] = np.log(np.linspace(0.5, 1.2, c))
        return jnp.asarray(biases)

    def clock_weights(self) -> jax.Array:
        """[n_clock, K + 1] Weights of the features that move while nothing happens."""
        return self.hazard[: self.spec.n_clock]

    def log_hazards(self, features: jax.Array, reading: jax.Array) -> jax.Array:
        """[..., K + 1] Logarithms of the hazards per year, of visits last, before the offsets of the pieces."""
        return jnp.concatenate([features, reading], axis=-1) @ self.hazard + self.hazard_bias

    def offsets(self, features: jax.Array, pieces: jax.Array) -> jax.Array:
        """[..., P, K + 1] What pieces add to them after a step with these features [..., F].

        Args:
            features: Of the step.
            pieces: [P] Which of `OFFSET_DAYS`, the same for all; or [..., P].
        """
        gap, is_entry = (features[..., self.spec.n_clock + place] for place in (GAP, IS_ENTRY))
        kind = jnp.where(is_entry > 0, ENTRY_GAP, jnp.sum(gap[..., None] >= jnp.asarray(GAP_EDGES), axis=-1))
        # Products with zeros and ones: their gradients are cheaper than those of look-ups.
        is_kind = jax.nn.one_hot(kind, ENTRY_GAP + 1)
        rhythm = (
            is_kind @ self.rhythm[:, pieces]
            if pieces.ndim == 1
            else jnp.take_along_axis(is_kind @ self.rhythm, pieces, axis=-1)
        )
        is_visit = jax.nn.one_hot(self.spec.n_events, self.spec.n_events + 1)
        return self.offset[pieces] + rhythm[..., None] * is_visit

    def same_day_probability(self) -> jax.Array:
        """[K, K] Row k: probability of every other event on the day on which k comes."""
        k = self.spec.n_events
        return jax.nn.sigmoid(self.same_day) * (1.0 - jnp.eye(k))

    def visit_logit(self, features: jax.Array, reading: jax.Array, events: jax.Array) -> jax.Array:
        """[...] Logit of a visit on a day with these events [..., K]."""
        read = jnp.concatenate([features, reading], axis=-1) @ self.visit_too
        return read[..., 0] + events @ self.visit_too_bias

    def panel_energies(self, moment: jax.Array) -> jax.Array:
        """[..., 2^V] Logits of the sets of labs that a visit measures; the empty set is out."""
        v = self.spec.n_labs
        member = jnp.asarray((np.arange(2**v)[:, None] >> np.arange(v)) & 1, dtype=moment.dtype)
        energies = (moment @ self.panel + self.panel_bias) @ member.T + self.panel_set
        return energies.at[..., 0].set(NO_PANEL) if v else energies

    def value_parameters(self, moment: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """[..., V, C] each: logits of the weights, means, logarithms of the scales; a flag's logit is the first."""
        raw = jnp.einsum("...m,mvc->...vc", moment, self.value) + self.value_bias
        c = self.spec.components
        return raw[..., :c], raw[..., c : 2 * c], jnp.clip(raw[..., 2 * c :], LEAST_LOG_SCALE, MOST_LOG_SCALE)
