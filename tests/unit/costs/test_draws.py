"""Prices are drawn with the keyed uniforms of the draw contract."""

import numpy as np

from trajsim.costs.draws import COSTS, price_uniforms
from trajsim.streams.ints import keyed_uniform
from trajsim.streams.keys import stream_id


def test_columns_give_the_numbers_of_the_contract() -> None:
    patients = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    keys = np.array([2**64 - 1, 7, 1 << 32, 0], np.uint64)
    for seed in (0, 7, 2**64 - 1):
        made = price_uniforms(seed, patients, keys).tolist()
        pairs = zip(patients.tolist(), keys.tolist(), strict=True)
        assert made == [keyed_uniform(seed, patient, stream_id(COSTS), key) for patient, key in pairs]
