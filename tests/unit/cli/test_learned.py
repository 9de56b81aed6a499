import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trajsim.cli import learned
from trajsim.cli.learned import NO_MODEL, ModelChoice, bind_modules, choose_model
from trajsim.errors import ConfigError, ModuleError
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet

OFFSET = np.full((2, 111), 0.001)


@dataclass(frozen=True)
class Value:
    name: str


@dataclass(frozen=True)
class Names:
    """The names of a model; nothing here asks it."""

    events: tuple[str, ...] = ("hypertension", "death", "visit")
    values: tuple[Value, ...] = (Value("sbp"),)
    min_age_years: float = 18.0
    digest: str = "d1"


@pytest.fixture(name="checkpoint")
def checkpoint_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    return folder


@pytest.fixture(name="modules", scope="module")
def modules_fixture() -> ModuleSet:
    return load_modules(bundled_modules_root())


def choose(**given: object) -> ModelChoice:
    nothing = {"model": None, "no_model": False, "bind": None, "modules_dir": None, "flagship": Path("none")}
    return choose_model(**{**nothing, **given})  # type: ignore[arg-type]  # a test names what it gives


def bind(
    modules: ModuleSet, choice: ModelChoice, model: Names, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleSet, learned.Learned | None]:
    monkeypatch.setattr(learned, "load", lambda _path: model)
    return bind_modules(modules, choice, not_chosen=frozenset({"gout"}), offset=OFFSET)


def overlay_of(tmp_path: Path, modules: object) -> Path:
    path = tmp_path / "overlay.json"
    path.write_text(json.dumps({"modules": modules}))
    return path


def test_without_a_checkpoint_that_ships_there_is_no_model() -> None:
    assert choose() == NO_MODEL


def test_the_checkpoint_that_ships_times_the_bundled_modules(checkpoint: Path) -> None:
    assert choose(flagship=checkpoint) == ModelChoice(checkpoint=checkpoint, is_default=True)
    assert choose(flagship=checkpoint, no_model=True) == NO_MODEL
    assert choose(flagship=checkpoint, modules_dir=Path("mine")) == NO_MODEL


def test_an_overlay_lets_it_time_other_modules(checkpoint: Path) -> None:
    choice = choose(flagship=checkpoint, modules_dir=Path("mine"), bind="synthea")
    assert choice.checkpoint == checkpoint
    assert choice.is_shipped_overlay
    assert choice.overlay == bundled_modules_root() / "overlays" / "synthea.json"


def test_faults_of_the_options_are_named_together(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        choose(model=tmp_path, bind="sinthea")
    assert refusal.value.message.splitlines() == [
        f"--model {str(tmp_path)!r}: no checkpoint there (a folder with model.json)",
        "--bind 'sinthea': no such file, and no overlay of this name ships ('synthea' does)",
    ]
    with pytest.raises(ConfigError, match="--no-model excludes --model"):
        choose(model=checkpoint, no_model=True)
    with pytest.raises(ConfigError, match="--bind needs a model"):
        choose(bind="synthea", modules_dir=Path("mine"))
    with pytest.raises(ConfigError, match="name their folder with --modules-dir"):
        choose(flagship=checkpoint, bind="synthea")


def test_the_manifest_names_digests(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "load", lambda _path: Names())
    assert NO_MODEL.recorded() == {"--model": None, "--bind": None}
    recorded = ModelChoice(checkpoint=checkpoint, overlay=overlay_of(tmp_path, {})).recorded()
    assert recorded["--model"] == "sha256 d1"
    assert str(recorded["--bind"]).startswith("overlay.json (sha256 ")


def test_a_model_that_times_death_ends_the_background(
    modules: ModuleSet, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, times = bind(modules, ModelChoice(checkpoint=checkpoint), Names(), monkeypatch)
    assert times is not None
    assert times.background_until_age == 18.0
    assert times.death_offset is OFFSET
    _, leaves = bind(modules, ModelChoice(checkpoint=checkpoint), Names(events=("stroke",)), monkeypatch)
    assert leaves is not None
    assert (leaves.background_until_age, leaves.death_offset) == (None, None)


def test_a_model_with_nothing_to_time_is_an_error_where_it_was_asked_for(
    modules: ModuleSet, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gout = Names(events=("gout", "visit"))
    with pytest.raises(ConfigError, match=r"none of the events .* gout, visit"):
        bind(modules, ModelChoice(checkpoint=checkpoint), gout, monkeypatch)
    bound, model = bind(modules, ModelChoice(checkpoint=checkpoint, is_default=True), gout, monkeypatch)
    assert bound is modules
    assert model is None


def test_all_names_that_an_overlay_has_wrong_are_named_at_once(
    modules: ModuleSet, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = overlay_of(
        tmp_path,
        {
            "strok": {"Initial": {"event": "hypertension"}},
            "gout": {"Wait": {"event": "hypertension"}},
            "hypertension": {
                "Anther Year": {"event": "hypertension"},
                "Another Year": {"events": {"hypertensoin": "Pressure Rises"}},
            },
            "vitals/blood_pressure": {"Reading": {"observations": [{"lab": "hdl"}, None]}},
        },
    )
    with pytest.raises(ModuleError) as refusal:
        bind(modules, ModelChoice(checkpoint=checkpoint, overlay=overlay), Names(), monkeypatch)
    text = str(refusal.value)
    for said in ("no module 'strok'", "'Anther Year'", "no event 'hypertensoin'", "no measurement 'hdl'"):
        assert said in text
    assert len(refusal.value.findings) == 4


def test_an_overlay_that_ships_may_bind_more_than_a_model_has(
    modules: ModuleSet, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = overlay_of(tmp_path, {"stroke": {"Phase": {"events": {"stroke": "Kind of Stroke"}}}})
    shipped = ModelChoice(checkpoint=checkpoint, overlay=overlay, is_shipped_overlay=True)
    _, model = bind(modules, shipped, Names(), monkeypatch)
    assert model is not None
