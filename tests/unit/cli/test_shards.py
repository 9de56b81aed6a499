import threading
import time

import pytest

from trajsim.cli.shards import Shard, Stopped, Workers, default_shard_size, plan_shards
from trajsim.errors import ConfigError


@pytest.mark.parametrize(("n", "size"), [(1, 1), (10, 3), (10, 10), (10, 100), (1000, 125)])
def test_a_plan_covers_every_patient_once(n: int, size: int) -> None:
    plan = plan_shards(n, size)

    ids = [shard.first_patient + k for shard in plan for k in range(shard.n_patients)]
    assert ids == list(range(n))
    assert [shard.number for shard in plan] == list(range(len(plan)))
    assert all(shard.n_patients == size for shard in plan[:-1])


def test_a_larger_population_begins_with_the_same_shards() -> None:
    assert plan_shards(2000, 100)[:10] == plan_shards(1000, 100)


@pytest.mark.parametrize(("n", "size"), [(0, 1), (-1, 1), (1, 0)])
def test_numbers_that_are_not_positive_are_refused(n: int, size: int) -> None:
    with pytest.raises(ConfigError):
        plan_shards(n, size)


@pytest.mark.parametrize(("n", "size"), [(1, 50), (100, 50), (1000, 125), (4000, 250), (10**7, 250)])
def test_the_default_shard_lets_threads_share_a_small_run(n: int, size: int) -> None:
    assert default_shard_size(n) == size


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_shards(n_threads: int) -> None:
    def work(shard: Shard, _stop: threading.Event) -> int:
        time.sleep(0.002 * (shard.number % 3 == 0))
        return shard.number

    assert list(Workers(work, n_threads=n_threads).results(plan_shards(20, 1))) == list(range(20))


def test_few_finished_shards_wait() -> None:
    started: list[int] = []

    def work(shard: Shard, _stop: threading.Event) -> int:
        started.append(shard.number)
        return shard.number

    results = Workers(work, n_threads=2).results(plan_shards(50, 1))
    assert next(results) == 0
    time.sleep(0.05)
    assert len(started) <= 4
    results.close()


def test_a_fault_stops_the_others_and_is_raised() -> None:
    unwound = threading.Event()

    def work(shard: Shard, stop: threading.Event) -> int:
        if shard.number == 0:
            raise OSError(28, "full")
        if not stop.wait(timeout=10):
            pytest.fail("nobody told this worker to stop")
        unwound.set()
        raise Stopped

    with pytest.raises(OSError, match="full"):
        list(Workers(work, n_threads=2).results(plan_shards(10, 1)))
    assert unwound.is_set()


def test_a_consumer_that_stops_early_stops_the_workers() -> None:
    def work(shard: Shard, stop: threading.Event) -> int:
        if shard.number and not stop.wait(timeout=10):
            pytest.fail("nobody told this worker to stop")
        return shard.number

    results = Workers(work, n_threads=2).results(plan_shards(10, 1))
    assert next(results) == 0
    results.close()
