"""The keyed draws of the lifecycle (docs/draws.md 10.1): a number depends on what is drawn, not on what came before."""

import math
from functools import lru_cache

from trajsim.engine.reference.quantities import uniform_between
from trajsim.streams.ints import keyed_uniform, normal_quantile
from trajsim.streams.keys import stream_id

_PREFIX = "@lifecycle:"
_VITAL = "vital:"


@lru_cache(maxsize=1024)
def _word(name: str) -> int:
    """The first word of a draw: the stream number of its full name."""
    return stream_id(name if name.startswith(_VITAL) else _PREFIX + name)


class Draws:
    """The draws of one patient."""

    def __init__(self, seed: int, patient_id: int) -> None:
        self._seed = seed
        self._patient_id = patient_id

    def uniform(self, name: str, a: int = 0, b: int = 0, c: int = 0) -> float:
        """U(name, a, b, c)."""
        return keyed_uniform(self._seed, self._patient_id, _word(name), a, b, c)

    def normal(self, name: str, a: int = 0, b: int = 0, c: int = 0) -> float:
        """N(name, a, b, c): a standard normal."""
        return normal_quantile(self.uniform(name, a, b, c))

    def between(self, low: float, high: float, name: str, a: int = 0, b: int = 0, c: int = 0) -> float:
        """U[low, high](name, a, b, c)."""
        return uniform_between(low, high, self.uniform(name, a, b, c))


def phi(z: float) -> float:
    """The standard normal distribution function."""
    return math.erfc(-z * 0.7071067811865476) * 0.5
