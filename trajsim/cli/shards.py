"""Cuts a population into shards of patient ids and works them off in threads, in order.

A shard is a pure function of seed, ids, modules and options, so any of them can be made anew, alone, on any thread.
Finished ones are handed over in order, and only a few wait for that, so memory and unfinished work stay small whatever
the size of the population.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from trajsim.errors import ConfigError

_Result = TypeVar("_Result")

FIRST_PATIENT = 0
MAX_SHARD_SIZE = 250
MIN_SHARD_SIZE = 50
_SHARDS_OF_A_SMALL_RUN = 8


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Consecutive patient ids.

    Attributes:
        number: From 0.
        first_patient: The first id.
        n_patients: How many.
    """

    number: int
    first_patient: int
    n_patients: int


def default_shard_size(n_patients: int) -> int:
    """Patients a shard: about eight shards for a small run, so that threads share it; never above `MAX_SHARD_SIZE`.

    It depends on the number of patients alone, never on the machine.
    """
    wanted = -(-n_patients // _SHARDS_OF_A_SMALL_RUN)
    return min(MAX_SHARD_SIZE, max(MIN_SHARD_SIZE, wanted))


def plan_shards(n_patients: int, shard_size: int) -> list[Shard]:
    """The shards of a population, in order.

    Raises:
        ConfigError: A number is not positive.
    """
    if n_patients < 1 or shard_size < 1:
        msg = f"-n and --shard-size must be positive, got {n_patients} and {shard_size}"
        raise ConfigError(msg)
    starts = range(0, n_patients, shard_size)
    return [
        Shard(
            number=number,
            first_patient=FIRST_PATIENT + start,
            n_patients=min(shard_size, n_patients - start),
        )
        for number, start in enumerate(starts)
    ]


class Stopped(Exception):
    """Raised in a worker after another one failed or the user pressed Ctrl-C."""


class Workers(Generic[_Result]):
    """Threads that work off shards; use as a context.

    Args of `work` are the shard and `is_stopped`, which it should ask between pieces of work.
    """

    def __init__(self, work: Callable[[Shard, threading.Event], _Result], *, n_threads: int) -> None:
        """Starts no thread yet."""
        self._work = work
        self._n_threads = n_threads
        self._stop = threading.Event()

    def results(self, shards: Sequence[Shard]) -> Generator[_Result, None, None]:
        """The results in the order of the shards.

        At most one finished shard more than there are threads is kept waiting. If a worker raises, or the consumer
        stops early, the others are told to stop and are waited for.
        """
        waiting: deque[Future[_Result]] = deque()
        coming = iter(shards)
        with ThreadPoolExecutor(max_workers=self._n_threads, thread_name_prefix="trajsim-shard") as pool:
            try:
                for _ in range(self._n_threads + 1):
                    self._submit(pool, coming, waiting)
                while waiting:
                    result = waiting.popleft().result()
                    self._submit(pool, coming, waiting)
                    yield result
            except BaseException:
                self._stop.set()
                for future in waiting:
                    future.cancel()
                raise

    def _submit(self, pool: ThreadPoolExecutor, coming: Iterator[Shard], waiting: deque[Future[_Result]]) -> None:
        shard = next(coming, None)
        if shard is not None:
            waiting.append(pool.submit(self._work, shard, self._stop))
