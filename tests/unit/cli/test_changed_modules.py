"""Modules that changed since a model was trained with them: refused where it matters, told where it does not."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.cli.conftest import write_module
from trajsim.cli import learned
from trajsim.cli.app import main
from trajsim.cli.changed_modules import Taught, changed_orders, require_marks
from trajsim.cli.learned import Learned, ModelChoice, bind_modules
from trajsim.cli.legality import legality_of
from trajsim.errors import ConfigError
from trajsim.event_sequences import EventKind, EventSequences, Legality, Vocabulary
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.learn.answers import LearnedTrajectories
from trajsim.provenance import read_manifest
from trajsim.testing.closed_form_model import ClosedFormModel

Json = dict[str, Any]
VOCABULARY = Vocabulary(events=tuple(EventKind(name=name) for name in ("cold", "flu", "gout")))
NAMES = VOCABULARY.event_names
FREE = Legality.first_occurrences(3)
YEAR = {"quantity": 1, "unit": "years"}


@dataclass(frozen=True, kw_only=True)
class Trained(ClosedFormModel):
    """A formula that knows modules it could have been trained with."""

    rates: tuple[tuple[str, float], ...] = (("cold", 0.3), ("flu", 0.2), ("gout", 0.1), ("visit", 1.0))
    vocabulary: Vocabulary = VOCABULARY
    legality: Legality = FREE
    modules: Mapping[str, str] = field(default_factory=dict)


def wait(then: str, **events: str) -> Json:
    return {"type": "Delay", "exact": YEAR, "direct_transition": then, "trajsim": {"events": events}}


def airways(*, has_way_back: bool = False, remarks: str = "") -> Json:
    """First a cold, then a flu; perhaps round and round."""
    states = {
        "Initial": {"type": "Initial", "direct_transition": "Well"},
        "Well": wait("Ill", cold="Ill"),
        "Ill": {"type": "Simple", "direct_transition": "Worse"},
        "Worse": wait("Past", flu="Past"),
        "Past": {"type": "Simple", "direct_transition": "Well"} if has_way_back else {"type": "Terminal"},
    }
    return {"name": "Airways", "remarks": [remarks], "states": states}


def toe(*, is_bound: bool = True) -> Json:
    states: Json = {
        "Initial": {"type": "Initial", "direct_transition": "Well"},
        "Well": wait("Past", gout="Past"),
        "Past": {"type": "Terminal"},
    }
    if not is_bound:
        del states["Well"]["trajsim"]
    return {"name": "Toe", "states": states}


@pytest.fixture(name="library")
def library_fixture(tmp_path: Path) -> Path:
    write_module(tmp_path / "library", "airways", airways())
    write_module(tmp_path / "library", "toe", toe())
    return tmp_path / "library"


@pytest.fixture(name="trained")
def trained_fixture(library: Path) -> Trained:
    modules = load_modules(library)
    digests = {key: module.digest for key, module in modules.modules.items()}
    return Trained(legality=legality_of(modules, VOCABULARY), modules=digests)


def bind(
    modules: ModuleSet,
    model: Trained,
    monkeypatch: pytest.MonkeyPatch,
    *,
    overlay: Path | None = None,
    absent: str = "",
) -> Learned:
    monkeypatch.setattr(learned, "load", lambda _path: model)
    choice = ModelChoice(checkpoint=Path("my-checkpoint"), overlay=overlay)
    _, found = bind_modules(modules, choice, not_chosen=frozenset(absent.split()), offset=None)
    assert found is not None
    return found


def test_the_model_of_a_checkpoint_knows_its_modules() -> None:
    model = learned.load(learned.FLAGSHIP)
    assert isinstance(model, LearnedTrajectories)
    assert isinstance(model, Taught)
    assert ("angina", "after", "myocardial_infarction") in model.legality.forbidden_orders(model.vocabulary.event_names)
    assert len(model.modules["stroke"]) == 64


def test_modules_as_they_were_are_not_spoken_of(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained.legality.forbidden_orders(NAMES) == {("flu", "before", "cold"), ("cold", "after", "flu")}
    assert bind(load_modules(library), trained, monkeypatch).changed == ()


def test_other_orders_are_refused_with_every_module_and_every_order(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(library, "airways", airways(has_way_back=True))
    write_module(library, "toe", {**toe(), "remarks": ["edited"]})
    with pytest.raises(ConfigError) as refusal:
        bind(load_modules(library), trained, monkeypatch)
    first, *lines = refusal.value.message.splitlines()
    assert "my-checkpoint" in first
    assert [re.sub(r": sha256 .*", "", line) for line in lines] == [
        "module 'airways' changed",
        "module 'toe' changed",
        "cold may now come after flu",
    ]
    assert trained.modules["toe"][:12] in lines[1]
    for cure in ("fit again", "those that the model was trained with", "--no-model"):
        assert cure in str(refusal.value.hint)


def test_orders_that_are_forbidden_now_are_refused_too(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Trained(legality=FREE, modules={**trained.modules, "airways": "other"})
    with pytest.raises(ConfigError) as refusal:
        bind(load_modules(library), before, monkeypatch)
    assert refusal.value.message.splitlines()[2:] == [
        "cold may no longer come after flu",
        "flu may no longer come before cold",
    ]


def test_a_change_that_leaves_all_orders_is_only_told(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(library, "airways", airways(remarks="edited"))
    assert bind(load_modules(library), trained, monkeypatch).changed == ("airways",)


def test_an_override_is_a_change_too(
    library: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = tmp_path / "numbers.properties"
    overrides.write_text("airways.json\\:\\:$['states']['Well']['exact']['quantity'] = 2\n")
    assert bind(load_modules(library, overrides=overrides), trained, monkeypatch).changed == ("airways",)


def test_a_module_that_is_not_there_is_not_compared(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the missing module may have allowed is not held against the others; what is allowed now still is."""
    modules = load_modules(library, patterns="airways")
    assert bind(modules, trained, monkeypatch, absent="toe").changed == ()
    before = Trained(legality=FREE, modules={**trained.modules, "airways": "other"})
    assert bind(modules, before, monkeypatch, absent="toe").changed == ("airways",)
    write_module(library, "airways", airways(has_way_back=True))
    with pytest.raises(ConfigError, match="cold may now come after flu"):
        bind(load_modules(library, patterns="airways"), trained, monkeypatch, absent="toe")


def test_modules_that_an_overlay_alone_binds_are_not_compared(
    library: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other people's modules, one of them with a name that the checkpoint holds, and other orders in them."""
    other = tmp_path / "other"
    write_module(other, "toe", toe(is_bound=False))
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"modules": {"toe": {"Well": {"event": "gout"}}}}))
    assert bind(load_modules(other), trained, monkeypatch, overlay=overlay).changed == ()
    write_module(library, "toe", toe(is_bound=False))
    assert bind(load_modules(library), trained, monkeypatch, overlay=overlay).changed == ()


def test_an_overlay_on_a_module_with_bindings_of_its_own_is_compared(
    library: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"modules": {"airways": {"Well": {"events": {"cold": "Ill", "flu": "Ill"}}}}}))
    with pytest.raises(ConfigError, match="flu may now come before cold"):
        bind(load_modules(library), trained, monkeypatch, overlay=overlay)


def test_events_that_a_new_module_is_bound_to_are_not_compared(
    library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that the model never saw lets the cold come after the flu; who wrote it knows that."""
    write_module(library, "airways", airways(remarks="edited"))
    write_module(library, "nose", {**airways(has_way_back=True), "name": "Nose"})
    assert bind(load_modules(library), trained, monkeypatch).changed == ("airways",)


def generate(library: Path, out: Path, *more: str) -> int:
    options = ["-n", "2", "--modules-dir", str(library), "--format", "csv", "--out", str(out)]
    return main(["generate", *options, "--model", str(library.parent / "checkpoint"), *more])


@pytest.fixture(name="checkpoint")
def checkpoint_fixture(library: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = library.parent / "checkpoint"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    monkeypatch.setattr(learned, "load", lambda _path: trained)
    return folder


@pytest.mark.usefixtures("checkpoint")
def test_generate_says_and_records_that_modules_changed(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "1 module changed since the model was trained, in nothing that decides which event can follow which: toe"
    assert generate(library, tmp_path / "same") == 0
    assert "changed" not in capsys.readouterr().err
    write_module(library, "toe", {**toe(), "remarks": ["edited"]})
    assert generate(library, tmp_path / "told") == 0
    assert f"note: {note}" in capsys.readouterr().err
    assert note in read_manifest(tmp_path / "told" / "manifest.json").notes
    assert generate(library, tmp_path / "quiet", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_generate_and_trace_refuse_before_anything_is_written(
    library: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module(library, "airways", airways(has_way_back=True))
    assert generate(library, tmp_path / "out") == 2
    assert "cold may now come after flu" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["trace", "--patient", "0", "--modules-dir", str(library), "--model", str(checkpoint)]) == 2
    assert "cold may now come after flu" in capsys.readouterr().err
    assert main(["trace", "--patient", "0", "--modules-dir", str(library), "--no-model"]) == 0


def test_orders_are_told_in_words() -> None:
    needs, excludes = np.zeros((3, 3), dtype=bool), np.eye(3, dtype=bool)
    needs[1, 0] = excludes[2, 1] = True
    strict = Legality(needs=needs, excludes=excludes)
    assert changed_orders(strict, FREE, NAMES) == ["flu may now come before cold", "gout may now come after flu"]
    assert changed_orders(FREE, strict, NAMES) == [
        "flu may no longer come before cold",
        "gout may no longer come after flu",
    ]
    assert strict.among({"flu", "gout"}, NAMES).forbidden_orders(NAMES) == {("gout", "after", "flu")}
    assert strict.both(FREE).forbidden_orders(NAMES) == set()


def marked(*, first: int, then: int) -> EventSequences:
    """One patient with two events, the second of them marked."""
    events = np.zeros((2, 3), dtype=bool)
    events[0, first] = events[1, then] = True
    forbidden = np.zeros((2, 3), dtype=bool)
    forbidden[1, then] = True
    return EventSequences(
        vocabulary=VOCABULARY, patient_id=np.array(["a"]), split=np.zeros(1, np.uint8), is_male=np.zeros(1, bool),
        entry_age_days=np.array([9_000], np.int32), bmi=np.full(1, np.nan), prevalent=np.zeros((1, 3), bool),
        entry_values=np.zeros((1, 0)), entry_value_days=np.zeros((1, 0), np.int32),
        follow_up_days=np.array([30], np.int32), offsets=np.array([0, 2], np.int64), day=np.array([10, 20], np.int32),
        is_visit=np.zeros(2, bool), events=events, forbidden=forbidden, values=np.zeros((2, 0)),
    )  # fmt: skip


def test_marks_of_other_modules_are_refused() -> None:
    excludes = np.eye(3, dtype=bool)
    excludes[2, 1] = True  # no gout after a flu
    legality = Legality(needs=np.zeros((3, 3), dtype=bool), excludes=excludes)
    require_marks(marked(first=1, then=2), legality, folder=Path("data"))
    with pytest.raises(ConfigError, match=r"data: marked as forbidden.* gout \(1\)"):
        require_marks(marked(first=0, then=2), legality, folder=Path("data"))


def test_the_model_that_ships_says_nothing_of_the_modules_that_ship_with_it(tmp_path: Path) -> None:
    choice = ModelChoice(checkpoint=learned.FLAGSHIP, is_default=True)
    modules = load_modules(bundled_modules_root())
    _, found = bind_modules(modules, choice, not_chosen=frozenset(), offset=None)
    assert found is not None
    assert found.changed == ()
    overrides = tmp_path / "numbers.properties"
    overrides.write_text("diabetes.json\\:\\:$['states']['Adult']['allow']['quantity'] = 19\n")
    edited = load_modules(bundled_modules_root(), overrides=overrides)
    _, found = bind_modules(edited, choice, not_chosen=frozenset(), offset=None)
    assert found is not None
    assert found.changed == ("diabetes",)
