"""Models that answer by a formula: what a learned model is to the engine, with nothing learned.

`constant` has waiting times and shares that can be written down; `random` answers with numbers that a hash of the row
decides, however wild; `infinite` says of everything that it happens at once. The last two are adversaries: whatever
they say, no patient may take an arrow that the modules do not have.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.ints import hash64
from trajsim.trajectory_model import INPUTS, VISIT, Answers, LearnedValue, Questions

_WIDTH = 3
_WILD = (-np.inf, -1e30, -30.0, 30.0, 1e30, np.inf)


@dataclass(frozen=True, kw_only=True)
class ClosedFormModel:
    """A model without parameters that were learned.

    Attributes:
        kind: How it answers.
        rates: Events and their hazards a year; ``visit`` last, if it times visits.
        values: Measurements; each is a mixture of two normals, at -1 and +1 with standard deviation `scale`.
        inputs: What it wants to know.
        piece_days: Pieces of the hazards; with `constant` each piece has the hazard times `growth` of the one before.
        growth: How the hazard goes on from piece to piece.
        refresh_days: When it wants to be asked again.
        min_age_years: Where its domain begins.
        together: Probability that any other event comes at the instant of one.
        scale: Standard deviation of the normals.
        wildness: Of the kind `random`: share of log hazards that are huge, or infinite.
    """

    kind: Literal["constant", "random", "infinite"] = "constant"
    rates: tuple[tuple[str, float], ...] = (("diabetes", 0.02), ("death", 0.01), (VISIT, 1.0))
    values: tuple[LearnedValue, ...] = ()
    inputs: tuple[str, ...] = INPUTS
    piece_days: tuple[float, ...] = (0.0, 90.0)
    growth: float = 1.0
    refresh_days: float = 365.0
    min_age_years: float = 18.0
    together: float = 0.0
    scale: float = 0.5
    wildness: float = 0.2

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events."""
        return tuple(name for name, _ in self.rates)

    @property
    def digest(self) -> str:
        """sha256 of all that it depends on."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def start(self) -> NDArray[np.float32]:
        """Memory: how many steps there were, and two numbers that depend on all of them."""
        return np.zeros(_WIDTH, dtype=np.float32)

    def answer(self, questions: Questions) -> Answers:
        """Answers all rows."""
        n, n_events, n_values = len(questions), len(self.rates), len(self.values)
        word = _hash_of(questions)
        memory = np.where(
            questions.is_step[:, None],
            np.stack([questions.memory[:, 0] + 1, _uniforms(word, 1, 1)[:, 0], _uniforms(word, 1, 2)[:, 0]], axis=1),
            questions.memory,
        ).astype(np.float32)
        shape = (n, n_values, 2)
        panel = np.ones((n, 1 << n_values))
        if n_values:
            panel = _uniforms(word, 1 << n_values, 3) if self.kind == "random" else panel
            panel[:, 0] = 0.0
            panel /= panel.sum(axis=1, keepdims=True)
        share = _uniforms(word, n_events, 4) if self.kind == "random" else np.full((n, n_events), self.together)
        flags = np.array([value.is_flag for value in self.values], dtype=bool)
        mean = np.broadcast_to(np.array([-1.0, 1.0]), shape).copy()
        mean[:, flags, 0] = 0.5
        return Answers(
            memory=memory,
            log_hazard=self._log_hazard(word, n).astype(np.float32),
            co_probability=share.astype(np.float32),
            panel_probability=panel.astype(np.float32),
            value_weight=np.full(shape, 0.5, dtype=np.float32),
            value_mean=mean.astype(np.float32),
            value_scale=np.full(shape, self.scale, dtype=np.float32),
        )

    def _log_hazard(self, word: NDArray[np.uint64], n: int) -> NDArray[np.float64]:
        n_events, n_pieces = len(self.rates), len(self.piece_days)
        if self.kind == "infinite":
            return np.full((n, n_events, n_pieces), np.inf)
        if self.kind == "random":
            count = n_events * n_pieces
            logits = 8.0 * _uniforms(word, count, 5) - 6.0
            wild = np.array(_WILD)[(_uniforms(word, count, 6) * len(_WILD)).astype(np.int64)]
            chosen = np.where(_uniforms(word, count, 7) < self.wildness, wild, logits)
            return chosen.reshape(n, n_events, n_pieces)
        with np.errstate(divide="ignore"):
            rates = np.log(np.array([rate for _, rate in self.rates]))
        pieces = np.log(self.growth) * np.arange(n_pieces)
        return np.broadcast_to(rates[:, None] + pieces, (n, n_events, n_pieces))


def _hash_of(questions: Questions) -> NDArray[np.uint64]:
    """A number for each row that depends on everything in it but `legal`, which a model need not look at."""
    columns = [questions.patient_id, questions.time_us.astype(np.uint64), questions.is_step.astype(np.uint64)]
    for numbers in (questions.memory, questions.inputs, questions.values):
        columns += list(np.ascontiguousarray(numbers).view(np.uint32).astype(np.uint64).T)
    for flags in (questions.now, questions.measured):
        columns += list(flags.astype(np.uint64).T)
    word = np.zeros(len(questions), dtype=np.uint64)
    for column in columns:
        word = _mixed(word ^ column)
    return word


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _uniforms(word: NDArray[np.uint64], count: int, purpose: int) -> NDArray[np.float64]:
    """[n, count] numbers in 0 ... 1."""
    keys = np.array([hash64(purpose, k) for k in range(count)], dtype=np.uint64)
    mixed = _mixed(word[:, None] ^ keys[None, :])
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
