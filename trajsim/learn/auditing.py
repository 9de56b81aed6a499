"""The audit of a model of event sequences: canaries, patients, rows, and `trajsim.learn.audit`.

What is trained has the shape and the loss of a private `trajsim.learn.fitting.fit`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventSequences
from trajsim.learn.audit import AuditResult, audit_training, make_canaries
from trajsim.learn.batches import pad
from trajsim.learn.fitting import PRIVATE_WIDTH
from trajsim.learn.loss import PRIVATE_WEIGHTS, Loss
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.private import PrivacyPlan, SecretKeys, wrapped_key
from trajsim.learn.training import Rows

_CANARY_SEED = 7
_FIRST_KEY = b"trajsim0"
_PURPOSE = b"coins"


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What is audited.

    Attributes:
        kind: ``gru`` or ``transformer``.
        n_canaries: Impossible patients, each in with probability 1/2.
        n_patients: Patients of the data who are in too.
        insecure_seed: Makes the audit repeatable.
    """

    kind: Literal["gru", "transformer"] = "gru"
    n_canaries: int = 1_000
    n_patients: int = 300
    insecure_seed: int | None = None


def audit_model(sequences: EventSequences, *, plan: PrivacyPlan, settings: AuditSettings) -> AuditResult:
    """Audits private training of a model on patients of the data and on canaries.

    Args:
        sequences: Whose vocabulary and training patients are used.
        plan: What is claimed.
        settings: What is audited.

    Returns:
        Bounds with the noise of the plan and without.

    Raises:
        ConfigError: Too few patients to train on.
    """
    people = sequences.of_split("train")
    if len(people) < settings.n_patients:
        msg = f"expected {settings.n_patients:,} patients to train on beside the canaries, got {len(people):,}"
        raise ConfigError(msg, hint="ask for fewer with --patients")
    people = people.take(np.arange(settings.n_patients))
    rng = np.random.default_rng(_CANARY_SEED)
    made = pad(make_canaries(sequences.vocabulary, settings.n_canaries, rng=rng))
    if len(made) != 1:
        msg = f"canaries of one length were expected, got {len(made)} lengths"
        raise ConfigError(msg)
    keys = (
        SecretKeys.from_entropy()
        if settings.insecure_seed is None
        else SecretKeys.from_insecure_seed(settings.insecure_seed)
    )
    coins = np.random.Generator(np.random.Philox(key=int.from_bytes(keys.releases + _PURPOSE))).random(
        settings.n_canaries
    )
    spec = ModelSpecification(vocabulary=sequences.vocabulary, kind=settings.kind, width=PRIVATE_WIDTH)
    others: list[Rows] = [bucket.rows for bucket in pad(people)]
    canaries: Rows = made[0].rows
    return audit_training(
        Loss(spec, PRIVATE_WEIGHTS),
        initial_parameters(spec, wrapped_key(_FIRST_KEY)),
        canaries,
        others,
        plan=plan,
        keys=keys,
        coins=coins < 0.5,
    )
