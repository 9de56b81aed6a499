import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventKind, LabKind, Vocabulary
from trajsim.learn.audit import audit_training, make_canaries
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.private import SecretKeys, plan_privacy
from trajsim.learn.training import Rows

_WIDTH = 400


def _loss(parameters: Tree, row: Tree) -> jax.Array:
    error = row["x"] @ parameters["w"] - row["y"]
    return jnp.asarray(error * error)


def _rows(n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, _WIDTH)).astype(np.float32)
    return {"x": x, "y": rng.choice([-9.0, 9.0], n).astype(np.float32)}


def test_noise_keeps_the_claim_and_without_noise_the_same_audit_breaks_it() -> None:
    plan = plan_privacy(epsilon=1.0, delta=1e-5, public_n=150, batch_size=45, steps=12, l2_clip_norm=1.0)
    coins = np.random.default_rng(4).random(200) < 0.5
    found = audit_training(
        _loss,
        {"w": jnp.zeros(_WIDTH)},
        _rows(200, 1),
        [_rows(50, 2)],
        plan=plan,
        keys=SecretKeys.from_insecure_seed(5),
        coins=coins,
    )
    assert found.is_within_claim
    assert 0.4 < found.private.auc < 0.75
    assert found.can_fail
    assert found.control.epsilon_clopper_pearson > 2.0
    assert found.control.auc > 0.99
    assert (found.private.n_in, found.private.n_out) == (int(coins.sum()), int((~coins).sum()))


def test_too_few_canaries_bound_nothing() -> None:
    plan = plan_privacy(epsilon=1.0, delta=1e-5, public_n=150, steps=2)
    keys = SecretKeys.from_insecure_seed(5)
    with pytest.raises(ConfigError, match="at least 100 canaries"):
        audit_training(
            _loss, {"w": jnp.zeros(_WIDTH)}, _rows(9, 1), [], plan=plan, keys=keys, coins=np.arange(9) % 2 == 0
        )


@pytest.mark.parametrize("labs", [(), (LabKind(name="pulse", low=20.0, high=200.0),)])
def test_canaries_are_well_formed_and_all_different(labs: tuple[LabKind, ...]) -> None:
    vocabulary = Vocabulary(events=(EventKind(name="fever"), EventKind(name="death")), labs=labs, max_years=10.0)
    made = make_canaries(vocabulary, 300, rng=np.random.default_rng(1))
    assert len(made) == 300
    within = made.patient_of_day[1:] == made.patient_of_day[:-1]
    assert (np.diff(made.day)[within] > 0).all()
    assert (made.day >= 1).all()
    assert (made.day <= made.follow_up_days[made.patient_of_day]).all()
    assert not made.events[:, -1].any()
    per_patient = np.zeros(300)
    np.add.at(per_patient, made.patient_of_day, made.events[:, 0])
    assert per_patient.max() == 1
    assert len({made.day[made.patient_of_day == i].tobytes() for i in range(300)}) == 300
    if labs:
        assert set(np.unique(made.values[~np.isnan(made.values)])) == {20.0, 200.0}
    assert math.isfinite(made.bmi.sum())
