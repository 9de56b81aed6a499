import json
import math
from pathlib import Path

import msgspec
import pytest

import trajsim.learn.card_writing as card_writing
import trajsim.learn.cards as cards
from tests.unit.learn.made_up import made_up_cards
from trajsim.event_sequences import EventKind, LabKind, Vocabulary
from trajsim.learn.accounting import Release
from trajsim.learn.private import PrivacyPlan

_PLAN = PrivacyPlan(
    epsilon=3.0,
    delta=1e-5,
    public_n=1000,
    batch_size=100,
    sampling_prob=0.1,
    steps=20,
    l2_clip_norm=15.0,
    noise_multiplier=4.0,
    releases=(Release(name="calibration: events", sensitivity=2.0, noise_multiplier=20.0),),
)
_PROVENANCE = card_writing.Provenance(
    data="a made-up cohort",
    pre_training="none",
    released_without_noise=["A score of the model."],
    earlier_releases=["A model of last year, epsilon 1."],
    settings={"steps": 20},
    modules={"fever": "aa"},
)
_VOCABULARY = Vocabulary(
    events=(EventKind(name="fever"), EventKind(name="death")), labs=(LabKind(name="pulse", unit="/min"),)
)


def _model_card(epsilon: cards.Epsilon) -> cards.ModelCard:
    return card_writing.make_model_card(
        kind="gru", n_parameters=1234, vocabulary=_VOCABULARY, epsilon=epsilon, provenance=_PROVENANCE
    )


def test_a_private_card_says_all_that_was_promised() -> None:
    card = card_writing.make_privacy_card(_PLAN, _PROVENANCE)
    assert isinstance(card.epsilon, float)
    assert card.epsilon == pytest.approx(_PLAN.epsilon_after(20), abs=1e-6)
    assert card.epsilon <= 3.0
    assert (card.delta, card.noise_multiplier, card.sampling_prob, card.steps) == (1e-5, 4.0, 0.1, 20)
    assert card.neighboring_relation == "ADD_OR_REMOVE_ONE"
    assert "operating system" in card.keys
    page = str(card_writing.cards_of(card, _model_card(card.epsilon))["privacy-card.md"])
    for part in (
        "ADD_OR_REMOVE_ONE",
        "calibration: events",
        "A score of the model.",
        "A model of last year, epsilon 1.",
        "Floating point",
        "a made-up cohort",
    ):
        assert part in page


def test_a_seed_is_owned_up_to() -> None:
    seeded = msgspec.structs.replace(card_writing.make_privacy_card(_PLAN, _PROVENANCE))
    insecure = card_writing.Provenance(data="x", pre_training="none", is_insecure=True)
    assert "--insecure-seed" in card_writing.make_privacy_card(_PLAN, insecure).keys
    assert "--insecure-seed" not in seeded.keys


def test_a_first_release_says_nothing_of_earlier_ones_and_its_card_of_before_can_be_read() -> None:
    first = card_writing.make_privacy_card(_PLAN, card_writing.Provenance(data="x", pre_training="none"))
    assert "earlier" not in str(card_writing.cards_of(first, _model_card(first.epsilon))["privacy-card.md"])
    written = msgspec.to_builtins(first)
    del written["earlier_releases"]  # cards written before there was such a row
    assert msgspec.convert(written, cards.PrivacyCard) == first


def test_without_privacy_epsilon_is_infinity() -> None:
    card = card_writing.make_privacy_card(None, _PROVENANCE)
    assert card.epsilon == "infinity"
    assert card.delta is None
    made = card_writing.cards_of(card, _model_card(card.epsilon))
    assert "Epsilon is infinite" in str(made["privacy-card.md"])
    assert "Everything" in card.released_without_noise[0]
    json.dumps(made, allow_nan=False)
    assert "infinity" in str(made["model-card.md"])


def test_a_control_without_noise_says_infinity() -> None:
    silent = PrivacyPlan(
        epsilon=math.inf,
        delta=1e-5,
        public_n=1000,
        batch_size=100,
        sampling_prob=0.1,
        steps=20,
        l2_clip_norm=15.0,
        noise_multiplier=0.0,
    )
    card = card_writing.make_privacy_card(silent, _PROVENANCE)
    assert (card.epsilon, card.budget_epsilon) == ("infinity", None)


def test_the_schemas_beside_the_code_are_those_of_the_cards() -> None:
    for name, schema in cards.card_schemas().items():
        file = Path(cards.__file__).with_name(name)
        assert json.loads(file.read_text()) == json.loads(json.dumps(schema)), f"{name}: run .ci/update-lists"


def _written(folder: Path) -> Path:
    for name, card in made_up_cards(_VOCABULARY).items():
        (folder / name).write_text(card if isinstance(card, str) else json.dumps(card))
    return folder


def test_cards_are_read_as_they_were_made(tmp_path: Path) -> None:
    faults: list[str] = []
    privacy, model = cards.read_cards(_written(tmp_path), faults)
    assert privacy is not None
    assert model is not None
    assert not faults
    assert (privacy.epsilon, privacy.data, model.events) == ("infinity", "nobody", ["fever", "death"])


def test_all_faults_of_both_cards_are_named_at_once(tmp_path: Path) -> None:
    folder = _written(tmp_path)
    privacy = json.loads((folder / "privacy-card.json").read_text())
    (folder / "privacy-card.json").write_text(json.dumps({**privacy, "delta": "little"}))
    model = json.loads((folder / "model-card.json").read_text())
    (folder / "model-card.json").write_text(json.dumps({**model, "version": 7}))
    faults: list[str] = []
    assert cards.read_cards(folder, faults) == (None, None)
    privacy_fault, model_fault = faults
    assert (
        "privacy-card.json: the card cannot be read: Expected `float | null`, got `str` - at `$.delta`" in privacy_fault
    )
    assert "model-card.json: expected format 'trajsim model card', version 1, got" in model_fault


@pytest.mark.parametrize("text", ["", "[]", '{"epsilon": 3.0}', '{"format": "trajsim', "\xff"])
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    folder = _written(tmp_path)
    (folder / "privacy-card.json").write_bytes(text.encode("latin-1"))
    faults: list[str] = []
    assert cards.read_cards(folder, faults)[0] is None
    (fault,) = faults
    assert "privacy-card.json: the card cannot be read" in fault
