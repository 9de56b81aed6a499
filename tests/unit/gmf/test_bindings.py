"""The key `trajsim` of a state, and overlay files that stand in for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from trajsim.errors import ConfigError, ModuleError
from trajsim.gmf import model
from trajsim.gmf.bindings import bind, read_overlay
from trajsim.gmf.library import load_modules
from trajsim.gmf.model import Binding, ModuleSet
from trajsim.gmf.parse import parse_module

_HDL = [{"system": "LOINC", "code": "2085-9", "display": "HDL"}]
_WAIT: dict[str, Any] = {"type": "Delay", "exact": {"quantity": 1, "unit": "years"}, "direct_transition": "Ill"}
_CHILD: dict[str, Any] = {"codes": _HDL, "range": {"low": 40, "high": 60}, "unit": "mg/dL"}
_PANEL: dict[str, Any] = {"type": "MultiObservation", "codes": _HDL, "observations": [_CHILD, _CHILD]}


def module_of(**states: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(states))
    return {
        "name": "Example",
        "states": {"Initial": {"type": "Initial", "direct_transition": first}, **states, "End": {"type": "Terminal"}},
    }


def messages(tree: dict[str, Any]) -> list[str]:
    _, findings = parse_module(json.dumps(tree).encode(), key="m", file=Path("m.json"))
    return [f"{finding.path}: {finding.message}" for finding in findings if finding.severity == "error"]


def folder_of(tmp_path: Path, **modules: dict[str, Any]) -> ModuleSet:
    for key, tree in modules.items():
        (tmp_path / f"{key}.json").write_text(json.dumps(tree), encoding="utf-8")
    return load_modules(tmp_path)


def overlay_file(tmp_path: Path, tree: object) -> Path:
    (tmp_path / "overlays").mkdir(exist_ok=True)
    path = tmp_path / "overlays" / "test.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_bindings_are_read_from_the_key_of_the_state(tmp_path: Path) -> None:
    modules = folder_of(
        tmp_path,
        m=module_of(
            Wait={**_WAIT, "trajsim": {"event": "diabetes"}},
            Ill={**_WAIT, "direct_transition": "See", "trajsim": {"events": {"mi": "See", "stroke": "Panel"}}},
            See={"type": "Observation", **_CHILD, "trajsim": {"lab": "hdl"}, "direct_transition": "Panel"},
            Panel={**_PANEL, "observations": [_CHILD, {**_CHILD, "trajsim": {"lab": "hdl"}}], "direct_transition": "V"},
            V={"type": "VitalSign", "vital_sign": "HDL", "unit": "mg/dL", "exact": {"quantity": 1},
               "trajsim": {"lab": "hdl"}, "direct_transition": "End"},
        ),
    )  # fmt: skip
    states = modules.modules["m"].states
    assert states["Wait"].trajsim == Binding(events={"diabetes": None})
    assert states["Ill"].trajsim == Binding(events={"mi": "See", "stroke": "Panel"})
    assert states["See"].trajsim == states["V"].trajsim == Binding(lab="hdl")
    panel = states["Panel"]
    assert isinstance(panel, model.MultiObservation)
    assert [child.trajsim for child in panel.observations] == [None, Binding(lab="hdl")]


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ({}, ["$.states['Wait'].trajsim: missing key: expected 'event' or 'events'"]),
        (
            {"event": "a", "events": {"b": "Ill"}},
            ["$.states['Wait'].trajsim.events: both 'event' and 'events': give one of them"],
        ),
        ({"events": {}}, ["$.states['Wait'].trajsim.events: expected an object of target states by event"]),
        ({"event": 3}, ["$.states['Wait'].trajsim.event: expected the name of an event, got a number 3"]),
        (
            {"lab": "hdl"},
            [
                "$.states['Wait'].trajsim.lab: unknown key 'lab': expected 'event' or 'events'",
                "$.states['Wait'].trajsim: missing key: expected 'event' or 'events'",
            ],
        ),
        ("diabetes", ["$.states['Wait'].trajsim: expected an object, got a text 'diabetes'"]),
    ],
)
def test_faults_of_a_binding_are_named_with_their_place(binding: object, expected: list[str]) -> None:
    assert (
        messages(module_of(Wait={**_WAIT, "trajsim": binding}, Ill={**_WAIT, "direct_transition": "End"})) == expected
    )


def test_a_state_that_neither_waits_nor_measures_cannot_be_bound() -> None:
    tree = module_of(Ill={"type": "Simple", "direct_transition": "End", "trajsim": {"event": "a"}})
    assert messages(tree) == ["$.states['Ill'].trajsim: a Simple cannot be bound to a model"]


def test_all_targets_that_cannot_follow_are_named_at_once(tmp_path: Path) -> None:
    bound = {**_WAIT, "trajsim": {"events": {"a": "Il", "b": "End"}}}
    with pytest.raises(ModuleError) as caught:
        folder_of(tmp_path, m=module_of(Wait=bound, Ill={**_WAIT, "direct_transition": "End"}))
    assert [(f.path, f.message) for f in caught.value.findings] == [  # type: ignore[attr-defined]
        ("$.states['Wait'].trajsim.events.a", "no state 'Il', did you mean 'Ill'?"),
        ("$.states['Wait'].trajsim.events.b", "'End' cannot follow 'Wait' without another wait"),
    ]


def test_an_overlay_binds_modules_that_are_not_ours(tmp_path: Path) -> None:
    modules = folder_of(
        tmp_path,
        m=module_of(Wait=_WAIT, Ill={**_PANEL, "direct_transition": "End"}),
        other=module_of(Wait={**_WAIT, "trajsim": {"event": "old"}}, Ill={**_WAIT, "direct_transition": "End"}),
    )
    bindings = {"Wait": {"event": "diabetes"}, "Ill": {"observations": [None, {"lab": "hdl"}]}}
    bound = bind(modules, read_overlay(overlay_file(tmp_path, {"modules": {"m": bindings}, "remarks": ["why"]})))
    states = bound.modules["m"].states
    assert states["Wait"].trajsim == Binding(events={"diabetes": None})
    panel = states["Ill"]
    assert isinstance(panel, model.MultiObservation)
    assert [child.trajsim for child in panel.observations] == [None, Binding(lab="hdl")]
    assert bound.modules["other"] == modules.modules["other"]
    assert bound.modules["m"].digest != modules.modules["m"].digest


def test_all_faults_of_an_overlay_are_named_at_once(tmp_path: Path) -> None:
    modules = folder_of(tmp_path, m=module_of(Wait=_WAIT, Ill={**_PANEL, "direct_transition": "End"}))
    overlay = read_overlay(
        overlay_file(
            tmp_path,
            {
                "modules": {
                    "n": {"Wait": {"event": "a"}},
                    "left_out": {"Wait": {"event": "a"}},
                    "m": {
                        "wait": {"event": "a"},
                        "Wait": {"events": {"a": "Initial"}},
                        "Ill": {"observations": [{"lab": "hdl"}]},
                        "End": {"event": "a"},
                    },
                }
            },
        )
    )
    with pytest.raises(ModuleError) as caught:
        bind(modules, overlay, not_chosen=["left_out"])
    panel = "expected {'observations': [...]} with an entry for each of 2 children; null binds nothing"
    assert {f.path: f.message for f in caught.value.findings} == {  # type: ignore[attr-defined]
        "$.modules.m.Ill": panel,
        "$.modules.m.End": "a Terminal cannot be bound to a model",
        "$.modules.m.wait": "module 'm' has no state 'wait', did you mean 'Wait'?",
        "$.modules.n": "no module 'n'",
        "$.modules.m.Wait.events.a": "'Initial' cannot follow 'Wait' without another wait",
    }
    assert {f.file for f in caught.value.findings} == {str(overlay.file)}  # type: ignore[attr-defined]


def test_faults_of_the_file_and_of_its_names_are_told_together(tmp_path: Path) -> None:
    modules = folder_of(tmp_path, m=module_of(Wait=_WAIT, Ill={**_PANEL, "direct_transition": "End"}))
    bindings = {"m": {"Wait": 1, "wait": {"event": "a"}}, "n": None}
    overlay = read_overlay(overlay_file(tmp_path, {"modules": bindings, "module": {}}))
    with pytest.raises(ModuleError) as caught:
        bind(modules, overlay)
    paths = [finding.path for finding in caught.value.findings]  # type: ignore[attr-defined]
    assert sorted(paths) == ["$.module", "$.modules.m.Wait", "$.modules.m.wait", "$.modules.n"]


@pytest.mark.parametrize("tree", [[], {}, {"modules": 3}, {"modules": {"m": None}}])
def test_what_is_no_overlay_is_refused(tmp_path: Path, tree: object) -> None:
    with pytest.raises(ModuleError):
        read_overlay(overlay_file(tmp_path, tree))


def test_an_overlay_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        read_overlay(tmp_path / "none.json")
