"""How well a model says what happened to one patient: the likelihood of a whole history, part by part.

Every function takes ONE patient (no leading axis); whoever trains maps it over patients, and clips per patient.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp

from trajsim.learn.features import clock_features, mark_features
from trajsim.learn.models.entry import FIRST_CONDITION
from trajsim.learn.models.network import Network, Parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import MOST_REFRESHES, TRAINING

Row = Mapping[str, jax.Array]

PARTS = ("events", "same_day", "visits", "panels", "values", "conditions", "entry")
TINY = 1e-12
MOST_LOG_HAZARD = 8.0  # e^8 per year is within the hour: no gradient beyond it
WORST_VALUE = 20.0
MOST_EVENTS = 3
MOST_EXPECTED = 1.5
HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
WEIGHTS = {
    "events": 2.0, "same_day": 1.0, "visits": 0.5, "panels": 0.7, "values": 0.7, "conditions": 0.7, "entry": 0.7,
}  # fmt: skip
"""Weights of the parts in training. `conditions`: what a patient has at entry; `entry`: the rest of that day."""

PRIVATE_WEIGHTS = {
    "events": 4.0, "same_day": 1.0, "visits": 0.4, "panels": 0.5, "values": 0.4, "conditions": 0.0, "entry": 0.4,
}  # fmt: skip
"""The same under privacy: all parts share one clip norm, and what weighs more is heard through the noise. Conditions at
entry are not trained but fitted to released counts (`trajsim.learn.entry_moments`)."""


@dataclass(frozen=True)
class Loss:
    """The likelihood of one patient under a network.

    Attributes:
        spec: Shape of the network.
        weights: Weight of each of `PARTS` in training.
    """

    spec: ModelSpecification
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))

    def __call__(self, params: Parameters, row: Row) -> jax.Array:
        """Weighted sum of the parts: what training lowers."""
        parts = self.parts(params, row)
        return jnp.asarray(sum(self.weights[name] * parts[name] for name in PARTS))

    def parts(self, params: Parameters, row: Row) -> dict[str, jax.Array]:
        """Negative log-likelihood by part, in nats; hazards per year. `values` and `panels` count visits only."""
        return self._run(params, row, self._parts)

    def counts(self, params: Parameters, row: Row) -> dict[str, jax.Array]:
        """What was seen and what the model expected: events by kind, visits by piece of the gap."""
        return self._run(params, row, self._counts)

    def bounded_counts(self, params: Parameters, row: Row) -> dict[str, jax.Array]:
        """The same, of events only until there were `MOST_EVENTS`, or `MOST_EXPECTED` were expected.

        Where counting stops depends on the past alone, so what is expected until then is what a right model sees on
        average. Clipping whole histories instead would take more from those of whom much was expected, and every
        hazard would come out too high.
        """
        return self._run(params, row, partial(self._counts, is_bounded=True))

    def _run(
        self, params: Parameters, row: Row, of: Callable[[Network, Row], dict[str, jax.Array]]
    ) -> dict[str, jax.Array]:
        network = Network(self.spec)

        def all_parts(module: Network) -> dict[str, jax.Array]:
            return of(module, row)

        return cast("dict[str, jax.Array]", network.apply(params, method=all_parts))

    def _read(self, network: Network, row: Row) -> tuple[jax.Array, jax.Array]:
        clock = self._clock(row, jnp.zeros(()))
        features = jnp.concatenate([clock, row["still"]], axis=-1)
        return features, network.core(features)

    @staticmethod
    def _clock(row: Row, later_years: jax.Array) -> jax.Array:
        features: jax.Array = clock_features(
            jnp,
            age_years=row["age"] + later_years,
            is_male=row["sex"],
            entry_age_years=row["entry_age"],
            value_age_years=row["value_age"],
            has=row["has"],
        )
        return features

    def _hazards(
        self, network: Network, row: Row, features: jax.Array, readings: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Hazards of every state and stretch of its gap: legal events [T + 1, S, K], visits [T + 1, S]."""
        heads = network.heads
        base = heads.log_hazards(features, readings)
        now = self._clock(row, jnp.zeros(()))
        moved = jnp.stack(
            [self._clock(row, jnp.float32(365.0 * years / 365.25)) - now for years in range(MOST_REFRESHES)]
        )
        moved = jnp.moveaxis(moved @ heads.clock_weights(), 0, -2)  # [T + 1, R, K + 1]
        offsets = heads.offsets(features, jnp.asarray(TRAINING.offset))
        logs = base[..., None, :] + moved[..., TRAINING.refresh, :] + offsets
        hazards = jnp.exp(jnp.minimum(logs, MOST_LOG_HAZARD))
        first = jnp.where(row["legal"][..., None, :] > 0, hazards[..., :-1], 0.0)
        together = first + first @ heads.same_day_probability()
        return jnp.where(row["legal"][..., None, :] > 0, together, 0.0), hazards[..., -1]

    def _exposed(self, network: Network, row: Row) -> tuple[jax.Array, ...]:
        features, readings = self._read(network, row)
        events, visits = self._hazards(network, row, features, readings)
        exposure = TRAINING.exposure(jnp, row["gap"]) * row["state"][..., None]
        return features, readings, events, visits, exposure

    def _parts(self, network: Network, row: Row) -> dict[str, jax.Array]:
        features, readings, events, visits, exposure = self._exposed(network, row)
        ended = TRAINING.of(jnp, row["gap"])
        at_event = jnp.take_along_axis(events, ended[..., None, None], axis=-2)[..., 0, :]
        at_visit = jnp.take_along_axis(visits, ended[..., None], axis=-1)[..., 0]
        plain_visit = row["mark_visit"] * (1.0 - row["mark_any"])
        logs = jnp.log(jnp.where(row["mark_events"] > 0, at_event, 1.0) + TINY)
        entry = network.entry(row)
        conditions = slice(FIRST_CONDITION, FIRST_CONDITION + self.spec.n_events - 1)
        event_part = jnp.sum(events * exposure[..., None]) - jnp.sum(logs * row["mark_events"])
        visit_part = jnp.sum(visits * exposure) - jnp.sum(jnp.log(at_visit + TINY) * plain_visit)
        return {
            "events": event_part,
            "same_day": self._same_day(network, row),
            "visits": visit_part + self._visit_too(network, row, features, readings),
            **self._labs(network, row, features, readings),
            "conditions": jnp.sum(entry[conditions]),
            "entry": jnp.sum(entry[:FIRST_CONDITION]) + jnp.sum(entry[conditions.stop :]),
        }

    def _same_day(self, network: Network, row: Row) -> jax.Array:
        """Which other events come on the day of one, averaged over which of them came first; no part of the hazards."""
        seen = row["mark_events"]
        number = jnp.sum(seen, axis=-1, keepdims=True)
        first = seen / jnp.maximum(number, 1.0)
        logits = network.heads.same_day
        others = 1.0 - jnp.eye(self.spec.n_events)
        could = row["legal"][..., None, :] * others
        cost = jax.nn.softplus(logits) - logits * seen[..., None, :]
        return jnp.sum(first[..., None] * could * cost)

    def _visit_too(self, network: Network, row: Row, features: jax.Array, readings: jax.Array) -> jax.Array:
        logit = network.heads.visit_logit(features, readings, row["mark_events"])
        return jnp.sum(row["mark_any"] * (jax.nn.softplus(logit) - row["mark_visit"] * logit))

    def _labs(self, network: Network, row: Row, features: jax.Array, readings: jax.Array) -> dict[str, jax.Array]:
        if not self.spec.n_labs:
            return {"panels": jnp.zeros(()), "values": jnp.zeros(())}
        mark = mark_features(jnp, gap_years=row["gap"], now=row["mark_events"])
        moment = jnp.concatenate([features, readings, mark], axis=-1)
        shares = jax.nn.log_softmax(network.heads.panel_energies(moment))
        panel = jnp.take_along_axis(shares, row["mark_panel"].astype(int)[..., None], axis=-1)[..., 0]
        is_flag = jnp.array([lab.kind == "flag" for lab in self.spec.vocabulary.labs])
        weights, means, scales = network.heads.value_parameters(moment)
        z = (row["value"][..., None] - means) / jnp.exp(scales)
        number = jax.nn.logsumexp(jax.nn.log_softmax(weights) - 0.5 * z * z - scales - HALF_LOG_TAU, axis=-1)
        logit = weights[..., 0]
        flag = row["value"] * logit - jax.nn.softplus(logit)
        values = jnp.where(is_flag, flag, jnp.maximum(number, -WORST_VALUE))
        return {
            "panels": -jnp.sum(jnp.where(row["mark_visit"] > 0, panel, 0.0)),
            "values": -jnp.sum(row["measured"] * values),
        }

    def _counts(self, network: Network, row: Row, *, is_bounded: bool = False) -> dict[str, jax.Array]:
        _, _, events, visits, exposure = self._exposed(network, row)
        ended = jnp.asarray(TRAINING.offset)[TRAINING.of(jnp, row["gap"])]
        pieces = jax.nn.one_hot(jnp.asarray(TRAINING.offset), int(TRAINING.offset.max()) + 1)
        plain_visit = row["mark_visit"] * (1.0 - row["mark_any"])
        expected = jnp.sum(events * exposure[..., None], axis=-2)
        counts = jnp.ones(expected.shape[0])
        if is_bounded:
            before = [jnp.cumsum(part) - part for part in (row["mark_events"].sum(-1), expected.sum(-1))]
            counts = 1.0 * ((before[0] < MOST_EVENTS) & (before[1] < MOST_EXPECTED))
        return {
            "events_seen": counts @ row["mark_events"],
            "events_expected": counts @ expected,
            "visits_seen": jnp.sum(plain_visit[..., None] * jax.nn.one_hot(ended, pieces.shape[1]), axis=0),
            "visits_expected": jnp.sum((visits * exposure) @ pieces, axis=0),
        }
