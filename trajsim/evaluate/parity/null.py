"""How many codes lie outside 2 SE when nothing is wrong: random splits of our own persons.

Codes of one panel move together, so the number outside is no binomial count. Two random samples of the same persons, in
the proportion of the two sides compared, differ by chance alone and keep that togetherness.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.evaluate.parity.statistics import Floats

N_SPLITS = 1_000
OUTSIDE = 2.0
"""Standard errors beyond which a code is outside."""
_BLOCK = 50


def shares_outside(
    influence: Floats, kinds: Sequence[str], *, share_ours: float, seed: int = 0, n_splits: int = N_SPLITS
) -> Mapping[str, Floats]:
    """Share of codes outside 2 SE in random splits of the persons, by kind.

    Args:
        influence: Influence of each person (column) on each code (row).
        kinds: Kind of each code.
        share_ours: Part of the persons of both sides that is ours; the splits have that proportion.
        seed: Seed of the splits.
        n_splits: How many.

    Returns:
        Shares by kind, one a split; and of all codes together under an empty name.

    Raises:
        ConfigError: `share_ours` does not lie between 0 and 1.
    """
    if not 0.0 < share_ours < 1.0:
        msg = f"share_ours must lie between 0 and 1, got {share_ours!r}"
        raise ConfigError(msg)
    n = influence.shape[1]
    first = min(max(round(n * share_ours), 1), max(n - 1, 1))
    deviation = np.sqrt((influence**2).mean(axis=1) - influence.mean(axis=1) ** 2)
    scaled = influence / np.where(deviation > 0.0, deviation, 1.0)[:, None]
    error = np.sqrt(1.0 / first + 1.0 / max(n - first, 1))
    outside = np.zeros((len(influence), n_splits), np.bool_)
    generator = np.random.Generator(np.random.Philox(seed))
    for start in range(0, n_splits, _BLOCK):
        width = min(_BLOCK, n_splits - start)
        chosen = _split(generator, n, first, width)
        outside[:, start : start + width] = np.abs(scaled @ chosen) / error > OUTSIDE
    names = np.array(kinds)
    result = {str(kind): outside[names == kind].mean(axis=0) for kind in np.unique(names)}
    return {"": outside.mean(axis=0) if len(outside) else np.zeros(n_splits), **result}


def _split(generator: np.random.Generator, n: int, first: int, width: int) -> NDArray[np.float64]:
    """Random splits as columns: 1 / size where a person is in the first sample, -1 / size in the second."""
    result = np.full((n, width), -1.0 / max(n - first, 1))
    for column in range(width):
        result[generator.permutation(n)[:first], column] = 1.0 / first
    return result
