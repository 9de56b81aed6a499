"""The cards beside every checkpoint: what was promised, what was spent, on whom, and what is not covered.

What they hold, and how they are read. `trajsim.learn.card_writing` fills them. JSON is for programs, Markdown with the
same content for people; the schemas lie beside this file.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from trajsim.json_schema import json_schema

CARD_FORMAT = "trajsim privacy card"
MODEL_CARD_FORMAT = "trajsim model card"
VERSION = 1
INFINITY: Final = "infinity"
PRIVACY_CARD = "privacy-card.json"
MODEL_CARD = "model-card.json"
CARDS = (MODEL_CARD, "model-card.md", PRIVACY_CARD, "privacy-card.md")
"""Names of the files."""

Epsilon = Annotated[float, msgspec.Meta(ge=0.0)] | Literal["infinity"]


class ReleaseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A noisy sum over all patients that was released once."""

    name: str
    sensitivity: float
    noise_multiplier: float


class PrivacyCard(msgspec.Struct, frozen=True, kw_only=True):
    """What ``privacy-card.json`` holds.

    Attributes:
        unit: Whom the guarantee protects.
        neighboring_relation: What two neighbouring data sets differ by; null without privacy.
        epsilon: What was spent, training and releases together; ``infinity`` without privacy.
        delta: Of (epsilon, delta); null without privacy.
        budget_epsilon: What was asked for.
        noise_multiplier: Standard deviation of the noise of a step in units of the clip norm.
        l2_clip_norm: Largest norm of one patient's gradient.
        sampling_prob: Probability with which a step saw a patient.
        steps: Number of steps.
        public_n: Number of patients as declared publicly.
        releases: What else was released, with noise.
        accountant: How epsilon was computed.
        versions: Libraries that did it.
        keys: Where randomness came from.
        data: What was trained on, in words that the user gave or that are public.
        pre_training: Public data that training began with.
        released_without_noise: Everything else that was computed on the same patients and published, without noise.
        earlier_releases: What was released earlier of the same patients, with privacy: budgets add up.
        not_covered: What the guarantee does not say.
    """

    format: str
    version: int
    unit: str
    neighboring_relation: str | None
    epsilon: Epsilon
    delta: float | None
    budget_epsilon: float | None
    noise_multiplier: float | None
    l2_clip_norm: float | None
    sampling_prob: float | None
    steps: int | None
    public_n: int | None
    releases: list[ReleaseEntry]
    accountant: str | None
    versions: dict[str, str]
    keys: str
    data: str
    pre_training: str
    released_without_noise: list[str]
    earlier_releases: list[str] = msgspec.field(default_factory=list)
    not_covered: list[str]


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What ``model-card.json`` holds.

    Attributes:
        kind: ``gru`` or ``transformer``.
        parameters: Number of trained numbers.
        events: What is timed, in order.
        labs: What is measured, with units.
        min_age_years: Below this age the model does not act.
        modules: sha256 of every bound module by name.
        training: Settings of training.
        data: What was trained on.
        epsilon: As the privacy card says.
        intended_use: What it is made for.
        limits: What it is not made for, or does badly.
    """

    format: str
    version: int
    kind: str
    parameters: int
    events: list[str]
    labs: list[str]
    min_age_years: float
    modules: dict[str, str]
    training: dict[str, float | int | str]
    data: str
    epsilon: Epsilon
    intended_use: str
    limits: list[str]


def card_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of both cards by file name, as they lie beside this file."""
    return {"privacy-card.schema.json": json_schema(PrivacyCard), "model-card.schema.json": json_schema(ModelCard)}


Card = TypeVar("Card", PrivacyCard, ModelCard)


def read_cards(folder: Path, faults: list[str]) -> tuple[PrivacyCard | None, ModelCard | None]:
    """Reads both cards of a checkpoint.

    Args:
        folder: The checkpoint.
        faults: What is wrong with the cards is put here, by file.

    Returns:
        The cards; None for one that is no card of this version.
    """
    privacy = _read(folder / PRIVACY_CARD, PrivacyCard, CARD_FORMAT, faults)
    model = _read(folder / MODEL_CARD, ModelCard, MODEL_CARD_FORMAT, faults)
    return privacy, model


def _read(path: Path, kind: type[Card], card_format: str, faults: list[str]) -> Card | None:
    try:
        card = msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:  # a value of a wrong type is one, too
        faults.append(f"{path}: the card cannot be read: {error}")
        return None
    if (card.format, card.version) != (card_format, VERSION):
        faults.append(
            f"{path}: expected format {card_format!r}, version {VERSION}, got {card.format!r}, {card.version!r}"
        )
        return None
    return card
