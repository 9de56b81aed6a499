"""Filling the cards of a checkpoint (`trajsim.learn.cards`) from the plan of a training, and their pages for people."""

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from trajsim.event_sequences import Vocabulary
from trajsim.learn.accounting import ACCOUNTANT
from trajsim.learn.cards import (
    CARD_FORMAT,
    INFINITY,
    MODEL_CARD_FORMAT,
    VERSION,
    Epsilon,
    ModelCard,
    PrivacyCard,
    ReleaseEntry,
)
from trajsim.learn.private import PrivacyPlan

_LIBRARIES = ("dp-accounting", "flax", "jax", "jax-privacy", "numpy", "optax", "trajsim")

NOT_COVERED = (
    "Floating point: noise is drawn and added in 32-bit floating point, which is not exactly Gaussian; attacks on the "
    "lowest bits of published numbers are not covered.",
    "Settings chosen on published results: clip norm, loss weights, learning rate and the shape of the heads were "
    "chosen while looking at results on real data; that choice is not charged to epsilon.",
    "Timing: how long training took and how many batches it computed depend on the data; logs must not be published.",
    "Other releases on the same patients: budgets add up, here and elsewhere.",
    "What holds of everybody: the guarantee bounds what a patient's own record adds, not what can be inferred about a "
    "patient from facts that are true without that record.",
)
_SEED_WARNING = (
    "Keys came from --insecure-seed: whoever knows the seed can subtract the noise, so the guarantee does not hold "
    "against them."
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What the cards say and no plan knows.

    Attributes:
        data: What was trained on.
        pre_training: Public data that training began with.
        is_insecure: Whether the keys came from a seed.
        released_without_noise: What else was published of the same patients, without noise.
        earlier_releases: What was released earlier of the same patients, with privacy.
        settings: Settings of training.
        modules: sha256 of every bound module by name.
        min_age_years: Below this age the model does not act.
    """

    data: str
    pre_training: str
    is_insecure: bool = False
    released_without_noise: Sequence[str] = ()
    earlier_releases: Sequence[str] = ()
    settings: Mapping[str, float | int | str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    min_age_years: float = 18.0


def make_privacy_card(plan: PrivacyPlan | None, provenance: Provenance) -> PrivacyCard:
    """The privacy card of a training; without a plan it says that epsilon is infinite."""
    if plan is None:
        spent: Epsilon = INFINITY
        without = [
            "Everything: the parameters, calibration and demographics come from the patients without noise.",
            *provenance.released_without_noise,
        ]
        keys = "not used: training is not private"
    else:
        value = plan.epsilon_after(plan.steps)
        spent = round(value, 6) if math.isfinite(value) else INFINITY
        without = list(provenance.released_without_noise)
        keys = _SEED_WARNING if provenance.is_insecure else "operating system, at full width; not kept with the model"
    return PrivacyCard(
        format=CARD_FORMAT,
        version=VERSION,
        unit="patient: all rows of one patient are one record",
        neighboring_relation=plan.neighboring_relation if plan else None,
        epsilon=spent,
        delta=plan.delta if plan else None,
        budget_epsilon=plan.epsilon if plan and math.isfinite(plan.epsilon) else None,
        noise_multiplier=plan.noise_multiplier if plan else None,
        l2_clip_norm=plan.l2_clip_norm if plan else None,
        sampling_prob=plan.sampling_prob if plan else None,
        steps=plan.steps if plan else None,
        public_n=plan.public_n if plan else None,
        releases=[
            ReleaseEntry(
                name=release.name, sensitivity=release.sensitivity, noise_multiplier=round(release.noise_multiplier, 6)
            )
            for release in (plan.releases if plan else ())
        ],
        accountant=ACCOUNTANT if plan else None,
        versions=_versions(),
        keys=keys,
        data=provenance.data,
        pre_training=provenance.pre_training,
        released_without_noise=without,
        earlier_releases=list(provenance.earlier_releases),
        not_covered=list(NOT_COVERED) if plan else [],
    )


def make_model_card(
    *, kind: str, n_parameters: int, vocabulary: Vocabulary, epsilon: Epsilon, provenance: Provenance
) -> ModelCard:
    """The model card of a checkpoint."""
    return ModelCard(
        format=MODEL_CARD_FORMAT,
        version=VERSION,
        kind=kind,
        parameters=n_parameters,
        events=list(vocabulary.event_names),
        labs=[f"{lab.name} ({lab.unit})" for lab in vocabulary.labs],
        min_age_years=provenance.min_age_years,
        modules=dict(provenance.modules),
        training=dict(provenance.settings),
        data=provenance.data,
        epsilon=epsilon,
        intended_use=(
            "Timing of events and values of measurements in simulated patients, inside the states of clinical modules "
            "or for synthetic cohorts."
        ),
        limits=[
            "No clinical use: it predicts nothing for a real patient.",
            "It knows the population that it was trained on, its codes and its habits of measuring, and no other.",
            "Rare events are learned badly, the more so the smaller epsilon is.",
        ],
    )


def cards_of(privacy: PrivacyCard, model: ModelCard) -> dict[str, dict[str, Any] | str]:
    """The four files of a checkpoint that hold the cards."""
    return {
        "privacy-card.json": msgspec.to_builtins(privacy),
        "privacy-card.md": _privacy_page(privacy),
        "model-card.json": msgspec.to_builtins(model),
        "model-card.md": _model_page(model),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _privacy_page(card: PrivacyCard) -> str:
    if card.delta is None:
        promise = (
            "**Epsilon is infinite: this model gives no privacy guarantee.** Whoever holds it may learn from it about "
            "single patients of its training data."
        )
        table = [("unit", card.unit), ("epsilon", INFINITY), ("data", card.data), ("pre-training", card.pre_training)]
    else:
        promise = (
            f"Whether any one patient was in the training data or not changes the probability of every outcome, "
            f"parameters and released counts together, by a factor of at most e^{_shown(card.epsilon)}, but for a "
            f"probability of {card.delta:g}."
        )
        table = [
            ("unit", card.unit),
            ("neighbouring data sets", f"{card.neighboring_relation}"),
            ("epsilon spent", _shown(card.epsilon)),
            ("delta", f"{card.delta:g}"),
            ("noise multiplier of a step", _shown(card.noise_multiplier)),
            ("clip norm", _shown(card.l2_clip_norm)),
            ("sampling probability", _shown(card.sampling_prob)),
            ("steps", _shown(card.steps)),
            ("patients, as declared", _shown(card.public_n)),
            ("accountant", f"{card.accountant}"),
            ("keys", card.keys),
            ("data", card.data),
            ("pre-training", card.pre_training),
        ]
    parts = ["# Privacy card", "", promise, "", *_table(table)]
    if card.releases:
        parts += ["", "## Released beside the parameters, with noise, in the same budget", ""]
        parts += _table([(entry.name, _release(entry)) for entry in card.releases])
    parts += ["", "## Released without noise", "", *_list(card.released_without_noise)]
    if card.earlier_releases:
        parts += ["", "## Released earlier of the same patients: budgets add up", "", *_list(card.earlier_releases)]
    if card.not_covered:
        parts += ["", "## Not covered", "", *_list(card.not_covered)]
    parts += ["", "## Versions", "", *_table(sorted(card.versions.items()))]
    return "\n".join(parts) + "\n"


def _model_page(card: ModelCard) -> str:
    table = [
        ("kind", card.kind),
        ("parameters", f"{card.parameters:,}"),
        ("events", ", ".join(card.events)),
        ("labs", ", ".join(card.labs) or "none"),
        ("acts from the age of", f"{card.min_age_years:g} years"),
        ("epsilon", _shown(card.epsilon)),
        ("data", card.data),
        *((name.replace("_", " "), _shown(value)) for name, value in card.training.items()),
    ]
    parts = ["# Model card", "", card.intended_use, "", *_table(table), "", "## Limits", "", *_list(card.limits)]
    if card.modules:
        parts += ["", "## Bound modules", "", *_table(sorted(card.modules.items()))]
    return "\n".join(parts) + "\n"


def _release(entry: ReleaseEntry) -> str:
    return f"sensitivity {entry.sensitivity:g}, noise multiplier {entry.noise_multiplier:.3g}"


def _shown(value: float | str | None) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _list(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines] or ["- nothing"]
