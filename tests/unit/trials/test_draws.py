import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.streams import ints
from trajsim.streams.keys import stream_id
from trajsim.trials.draws import Draws, Performance, in_blocks

SEED = 0x0123456789ABCDEF


def test_the_uniforms_are_those_of_the_streams() -> None:
    replicates = np.array([0, 3, 2**40 + 5])
    got = Draws(SEED).uniforms("arrivals/Site 1", replicates, 5, start=2)
    stream = stream_id("@trials/arrivals/Site 1")
    want = [[ints.uniform(SEED, int(r), stream, n) for n in range(2, 7)] for r in replicates]
    assert got.tolist() == want


def test_more_draws_and_more_replicates_keep_the_first_ones() -> None:
    draws = Draws(1)
    small = draws.uniforms("a", np.arange(3), 4)
    assert draws.uniforms("a", np.arange(9), 11)[:3, :4].tolist() == small.tolist()
    assert draws.uniforms("b", np.arange(3), 4).tolist() != small.tolist()
    assert Draws(2).uniforms("a", np.arange(3), 4).tolist() != small.tolist()


def test_exponentials_and_normals_have_their_moments() -> None:
    replicates = np.arange(400)
    exponentials = Draws(3).exponentials("e", replicates, 250)
    normals = Draws(3).normals("n", replicates, 250)
    assert exponentials.mean() == pytest.approx(1.0, abs=4 / np.sqrt(1e5))
    assert normals.mean() == pytest.approx(0.0, abs=4 / np.sqrt(1e5))
    assert normals.std() == pytest.approx(1.0, abs=0.01)


def test_neither_threads_nor_blocks_change_a_byte() -> None:
    def work(replicates: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> bytes:
        return Draws(7).uniforms("x", replicates, 3).tobytes()

    want = b"".join(in_blocks(work, 50))
    assert b"".join(in_blocks(work, 50, performance=Performance(threads=3, block=7))) == want


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_has_64_bits(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        Draws(seed)


def test_options_of_speed_are_checked() -> None:
    with pytest.raises(ConfigError, match="threads"):
        Performance(threads=0)
    with pytest.raises(ConfigError, match="n_replicates"):
        in_blocks(lambda block: block, 0)
