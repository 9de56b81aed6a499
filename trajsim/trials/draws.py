"""Random numbers of trials: one uniform for every (seed, stream, replicate, count), whatever order they are asked in.

Two scenarios that share a seed share every draw of what they have in common (common random numbers): a site keeps its
patients when another one opens, a replicate keeps its fate when there are more of them, and neither threads nor blocks
of replicates move a bit. That holds because a draw is a pure function of its name. The numbers are those of
`trajsim.streams.ints.uniform` with the replicate in the place of the patient, computed for whole arrays.

Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (SC11).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.streams.keys import stream_id

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Block = TypeVar("Block")

_MASK = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_S11 = np.uint64(11)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = 0x9E3779B9
_W1 = 0xBB67AE85
_HALF_ULP = 2.0**-54
BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What changes the speed of a simulation of replicates and never its result.

    Attributes:
        threads: How many threads share the blocks of replicates.
        block: Replicates computed together; larger is faster and takes more memory.
    """

    threads: int = 1
    block: int = BLOCK

    def __post_init__(self) -> None:
        """Checks both once."""
        if not (1 <= self.threads <= 1024 and self.block >= 1):
            msg = f"threads must lie in 1 ... 1024 and block be positive, got {self.threads!r} and {self.block!r}"
            raise ConfigError(msg)


class Draws:
    """The uniforms of a seed."""

    def __init__(self, seed: int) -> None:
        """Takes any integer of 64 bits."""
        if not 0 <= seed < 2**64:
            msg = f"seed must lie in 0 ... 2^64 - 1, got {seed!r}"
            raise ConfigError(msg)
        self._low = seed & 0xFFFFFFFF
        self._high = seed >> 32

    def uniforms(self, stream: str, replicates: Ints, n: int, *, start: int = 0) -> Floats:
        """The uniforms number `start` ... `start + n - 1` of a stream, for every replicate.

        Args:
            stream: What is drawn; the same name gives the same numbers.
            replicates: Numbers of the replicates.
            n: How many for each.
            start: The number of the first.

        Returns:
            Uniforms in (0, 1), one row a replicate (never exactly 0, so that every quantile is finite).

        Guarantees:
            The same bits as `trajsim.streams.ints.uniform`, but for an exact 0. (tests/unit/trials/test_draws.py)
        """
        ids = np.asarray(replicates, np.uint64)[:, None]
        counts = np.arange(start, start + n, dtype=np.uint64)[None, :] & _MASK
        shape = (ids.shape[0], n)
        c0 = np.broadcast_to(counts, shape).copy()
        c1 = np.full(shape, stream_id(f"@trials/{stream}"), np.uint64)
        c2 = np.broadcast_to(ids & _MASK, shape).copy()
        c3 = np.broadcast_to(ids >> _S32, shape).copy()
        k0, k1 = self._low, self._high
        for _ in range(10):
            product0 = _M0 * c0
            product1 = _M1 * c2
            c0 = (product1 >> _S32) ^ c1 ^ np.uint64(k0)
            c2 = (product0 >> _S32) ^ c3 ^ np.uint64(k1)
            c1 = product1 & _MASK
            c3 = product0 & _MASK
            k0 = (k0 + _W0) & 0xFFFFFFFF
            k1 = (k1 + _W1) & 0xFFFFFFFF
        values = (((c0 << _S32) | c1) >> _S11).astype(np.float64) * 2.0**-53
        return np.maximum(values, _HALF_ULP)

    def exponentials(self, stream: str, replicates: Ints, n: int, *, start: int = 0) -> Floats:
        """Standard exponentials, one a uniform."""
        return -np.log1p(-self.uniforms(stream, replicates, n, start=start))

    def normals(self, stream: str, replicates: Ints, n: int, *, start: int = 0) -> Floats:
        """Standard normals, one a uniform."""
        return np.asarray(special.ndtri(self.uniforms(stream, replicates, n, start=start)), np.float64)


def in_blocks(
    work: Callable[[Ints], Block], n_replicates: int, *, performance: Performance | None = None
) -> Sequence[Block]:
    """Runs a function on blocks of replicates, in threads if asked, and gives the results in order.

    Args:
        work: Takes the numbers of some replicates.
        n_replicates: How many in all.
        performance: Threads and size of a block; the default is one thread.

    Returns:
        One result a block.

    Raises:
        ConfigError: No replicate is asked for.
    """
    if n_replicates < 1:
        msg = f"n_replicates must be positive, got {n_replicates!r}"
        raise ConfigError(msg)
    options = Performance() if performance is None else performance
    blocks = [
        np.arange(first, min(first + options.block, n_replicates), dtype=np.int64)
        for first in range(0, n_replicates, options.block)
    ]
    threads = min(options.threads, len(blocks), 4 * (os.cpu_count() or 1))
    if threads == 1:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, blocks))
