"""A trained network taken one step at a time: what a patient's memory holds, and what follows from it.

The sampler and the engine's questions both go through here; training goes through `trajsim.learn.loss` with whole
histories. A test holds the two to the same numbers.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp

from trajsim.learn.features import DAYS_PER_YEAR, LONGEST_STAY_YEARS, clock_features, mark_features, still_features
from trajsim.learn.loss import MOST_LOG_HAZARD
from trajsim.learn.models.network import Network, Parameters, applied
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import REFRESH_DAYS, TRAINING, Segments


class Memory(NamedTuple):
    """All that a model keeps of n patients.

    Attributes:
        core: [n, state width] What the core carries.
        reading: [n, width] What the heads read of the last step.
        still: [n, n_still] Features of the last step.
        held: [n, K] Events a patient has.
        last: [n, V] Last scaled value of each lab, 0 for none.
        has: [n, V] Whether there is one.
        value_age: [n, V] Age at which it was read, years.
        entry_age: [n] Age at the first step, years.
        step_age: [n] Age at the last step, years.
        started: [n] 1 once a first step was taken.
    """

    core: jax.Array
    reading: jax.Array
    still: jax.Array
    held: jax.Array
    last: jax.Array
    has: jax.Array
    value_age: jax.Array
    entry_age: jax.Array
    step_age: jax.Array
    started: jax.Array


class Person(NamedTuple):
    """What does not come from the history: [n] each; `bmi` on its scale, 0 where `has_bmi` is 0."""

    is_male: jax.Array
    bmi: jax.Array
    has_bmi: jax.Array


class Moment(NamedTuple):
    """What may happen at one instant, given its events; fields as in `trajsim.trajectory_model.Answers`."""

    same_day: jax.Array
    visit: jax.Array
    panel: jax.Array
    weight: jax.Array
    mean: jax.Array
    scale: jax.Array


@dataclass(frozen=True)
class Stepper:
    """A network and the layout of its memory; parameters are handed in, so that functions of it are compiled once.

    Attributes:
        spec: Shape of the network.
        longest_stay_years: Where the years since entry stop; for the lives of the engine `LIFELONG_STAY_YEARS`.
    """

    spec: ModelSpecification
    longest_stay_years: float = LONGEST_STAY_YEARS

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Width of every field of `Memory`, in order."""
        s = self.spec
        core = applied(s, {}, Network.state_width)
        return (core, s.width, s.n_features - s.n_clock, s.n_events, s.n_labs, s.n_labs, s.n_labs, 1, 1, 1)

    @property
    def width(self) -> int:
        """Numbers that the memory of one patient takes."""
        return sum(self.widths)

    def pack(self, memory: Memory) -> jax.Array:
        """[n, width] One vector a patient."""
        return jnp.concatenate([part.reshape(part.shape[0], -1) for part in memory], axis=1)

    def unpack(self, packed: jax.Array) -> Memory:
        """The fields again."""
        parts, at = [], 0
        for number, width in enumerate(self.widths):
            part = packed[:, at : at + width]
            parts.append(part[:, 0] if number >= len(self.widths) - 3 else part)
            at += width
        return Memory(*parts)

    def begin(self, n: int) -> Memory:
        """Patients of whom nothing is known yet."""
        return self.unpack(jnp.zeros((n, self.width)))

    def step(
        self,
        params: Parameters,
        memory: Memory,
        person: Person,
        *,
        age: jax.Array,
        events: jax.Array,
        measured: jax.Array,
        value: jax.Array,
        is_visit: jax.Array,
    ) -> Memory:
        """Takes a step: at `age` [n], with `events` [n, K] and scaled `value` [n, V] where `measured`."""
        k = self.spec.n_events
        started = memory.started
        gap = jnp.where(started > 0, age - memory.step_age, 0.0)
        held = jnp.maximum(memory.held, events)
        last = jnp.where(measured > 0, value, memory.last)
        has = jnp.maximum(memory.has, measured)
        value_age = jnp.where(measured > 0, age[:, None], memory.value_age)
        entry_age = jnp.where(started > 0, memory.entry_age, age)
        still = still_features(
            jnp, is_male=person.is_male, bmi=person.bmi, has_bmi=person.has_bmi, gap_years=gap, is_entry=1.0 - started,
            is_visit=is_visit, held=held[:, : k - 1], now=events[:, : k - 1], measured=measured,
            value=jnp.where(measured > 0, value, 0.0), last=last, has=has,
        )  # fmt: skip
        new = memory._replace(
            still=still, held=held, last=last, has=has, value_age=value_age, entry_age=entry_age, step_age=age,
            started=jnp.ones_like(started),
        )  # fmt: skip
        features = self.features(new, person, age)

        def advance(network: Network) -> tuple[jax.Array, jax.Array]:
            return network.core.advance(memory.core, features)

        core, reading = applied(self.spec, params, advance)
        return new._replace(core=core, reading=reading)

    def first(
        self,
        params: Parameters,
        person: Person,
        *,
        age: jax.Array,
        held: jax.Array,
        last: jax.Array,
        has: jax.Array,
        value_age: jax.Array,
    ) -> Memory:
        """Patients at entry who already have something: `held` [n, K], and labs read before."""
        n = age.shape[0]
        memory = self.begin(n)._replace(held=held, last=last, has=has, value_age=value_age)
        none = jnp.zeros((n, self.spec.n_events))
        nothing = jnp.zeros((n, self.spec.n_labs))
        return self.step(
            params, memory, person, age=age, events=none, measured=nothing, value=nothing, is_visit=jnp.zeros(n)
        )

    def features(self, memory: Memory, person: Person, age: jax.Array) -> jax.Array:
        """[n, F] Features as the clock stands at `age`."""
        return jnp.concatenate([self._clock(memory, person, age), memory.still], axis=-1)

    def _clock(self, memory: Memory, person: Person, age: jax.Array) -> jax.Array:
        clock: jax.Array = clock_features(
            jnp, age_years=age, is_male=person.is_male, entry_age_years=memory.entry_age,
            value_age_years=memory.value_age, has=memory.has, longest_stay_years=self.longest_stay_years,
        )  # fmt: skip
        return clock

    def log_hazards(
        self, params: Parameters, memory: Memory, person: Person, *, age: jax.Array, offset: jax.Array
    ) -> jax.Array:
        """[n, K + 1, P] Logarithms of yearly hazards with the clock at `age`, in pieces with these `offset` [n, P]."""
        features = self.features(memory, person, age)

        def read(network: Network) -> jax.Array:
            logs = network.heads.log_hazards(features, memory.reading)
            return logs[:, :, None] + jnp.moveaxis(network.heads.offsets(features, offset), -1, 1)

        hazards = applied(self.spec, params, read)
        return jnp.minimum(hazards, MOST_LOG_HAZARD)

    def segment_log_hazards(
        self, params: Parameters, memory: Memory, person: Person, pieces: Segments = TRAINING
    ) -> jax.Array:
        """[n, S, K + 1] The same for all stretches after the last step."""
        now = self._clock(memory, person, memory.step_age)
        years = jnp.asarray(pieces.refresh, jnp.float32) * (REFRESH_DAYS / DAYS_PER_YEAR)
        moved = jax.vmap(lambda later: self._clock(memory, person, memory.step_age + later) - now, out_axes=1)(years)
        features = jnp.concatenate([now, memory.still], axis=-1)

        def read(network: Network) -> jax.Array:
            heads = network.heads
            logs = heads.log_hazards(features, memory.reading)[:, None, :]
            return logs + moved @ heads.clock_weights() + heads.offsets(features, jnp.asarray(pieces.offset))

        hazards = applied(self.spec, params, read)
        return jnp.minimum(hazards, MOST_LOG_HAZARD)

    def moment(
        self, params: Parameters, memory: Memory, person: Person, *, age: jax.Array, events: jax.Array
    ) -> Moment:
        """What may happen at `age` [n], given `events` [n, K] of this instant."""
        features = self.features(memory, person, memory.step_age)
        mark = mark_features(jnp, gap_years=jnp.maximum(age - memory.step_age, 0.0), now=events)
        given = jnp.concatenate([features, memory.reading, mark], axis=-1)

        def read(network: Network) -> Moment:
            heads = network.heads
            weights, means, scales = heads.value_parameters(given)
            flags = jnp.array([lab.kind == "flag" for lab in self.spec.vocabulary.labs], dtype=bool)[:, None]
            seen = jax.nn.sigmoid(weights[..., :1])
            return Moment(
                same_day=jnp.minimum(events @ heads.same_day_probability(), 1.0),
                visit=jax.nn.sigmoid(heads.visit_logit(features, memory.reading, events)),
                panel=jax.nn.softmax(heads.panel_energies(given)),
                weight=jax.nn.softmax(weights),
                mean=jnp.where(flags, seen, means),
                scale=jnp.exp(scales),
            )

        return applied(self.spec, params, read)
