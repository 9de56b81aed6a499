from dataclasses import replace

import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventKind, LabKind, Vocabulary
from trajsim.learn.audit import make_canaries
from trajsim.learn.selection import digest_sequences, join_sequences, select_vocabulary

_FEVER, _RASH, _DEATH = EventKind(name="fever"), EventKind(name="rash"), EventKind(name="death")
_PULSE, _BREATH = LabKind(name="pulse", low=20.0, high=200.0), LabKind(name="breath", low=5.0, high=60.0)
_ALL = make_canaries(
    Vocabulary(events=(_FEVER, _RASH, _DEATH), labs=(_PULSE, _BREATH), max_years=10.0), 40, rng=np.random.default_rng(1)
)


def test_what_is_left_out_is_gone_and_the_rest_stays() -> None:
    rarer = replace(_RASH, prior_per_1000_years=0.1)
    chosen = Vocabulary(events=(rarer, _DEATH), labs=(_BREATH,), max_years=10.0)
    found = select_vocabulary(_ALL, chosen)
    assert found.vocabulary == chosen
    assert found.events[:, 0].sum() == _ALL.events[:, 1].sum()
    assert np.nansum(found.values) == np.nansum(_ALL.values[:, 1])
    assert len(found.day) < len(_ALL.day)
    assert (found.is_visit | found.events.any(axis=1)).all()
    assert found.offsets[-1] == len(found.day)
    np.testing.assert_array_equal(found.patient_id, _ALL.patient_id)


def test_without_labs_nothing_is_a_visit() -> None:
    found = select_vocabulary(_ALL, Vocabulary(events=(_FEVER, _DEATH), max_years=10.0))
    assert not found.is_visit.any()
    assert found.events[:, 0].sum() == _ALL.events[:, 0].sum()


def test_refuses_what_is_not_there_and_a_life_without_its_end() -> None:
    other = Vocabulary(events=(EventKind(name="gout"), _DEATH), labs=(LabKind(name="uric acid"),))
    with pytest.raises(ConfigError, match="lack event 'gout', lab 'uric acid'"):
        select_vocabulary(_ALL, other)
    with pytest.raises(ConfigError, match="leave death out"):
        select_vocabulary(_ALL, Vocabulary(events=(_FEVER,)))


def test_parts_join_to_the_whole() -> None:
    joined = join_sequences([_ALL.take(np.arange(15)), _ALL.take(np.arange(15, 40))])
    assert digest_sequences(joined) == digest_sequences(_ALL)
    assert digest_sequences(_ALL.take(np.arange(39))) != digest_sequences(_ALL)
