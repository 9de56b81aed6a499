import numpy as np

from trajsim.streams import ints
from trajsim.streams.keys import stream_id
from trajsim.trials.recruitment.draws import Draws

SEED = 0xFEDCBA9876543210
IDS = np.array([0, 7, 2**63 + 11], np.uint64)


def test_the_uniforms_are_the_keyed_draws_of_the_contract() -> None:
    copies = np.array([0, 4, 2])
    got = Draws(SEED, 9).uniforms("consent", IDS, copies, item=np.array([3, 3, 1]))
    stream = stream_id("@recruitment:consent")
    want = [
        ints.keyed_uniform(SEED, int(patient), stream, 9, int(copy), item)
        for patient, copy, item in zip(IDS, copies, (3, 3, 1), strict=True)
    ]
    assert got.tolist() == want


def test_a_draw_does_not_know_who_else_is_there() -> None:
    many = np.arange(20_000, dtype=np.uint64)
    draws = Draws(1, 0)
    assert draws.uniforms("lag", many)[[5, 19_999]].tolist() == draws.uniforms("lag", many[[5, 19_999]]).tolist()


def test_purpose_replicate_copy_and_item_all_matter() -> None:
    base = Draws(1, 0).uniforms("lag", IDS).tolist()
    others = [
        Draws(2, 0).uniforms("lag", IDS),
        Draws(1, 1).uniforms("lag", IDS),
        Draws(1, 0).uniforms("event", IDS),
        Draws(1, 0).uniforms("lag", IDS, np.ones(3, np.int64)),
        Draws(1, 0).uniforms("lag", IDS, item=1),
    ]
    assert all(not set(base) & set(other.tolist()) for other in others)


def test_named_things_have_draws_of_their_own() -> None:
    draws = Draws(3, 4)
    assert draws.uniform("opening", "Boston") == draws.uniform("opening", "Boston")
    assert draws.uniform("opening", "Boston") != draws.uniform("opening", "Salem")
