"""What the bundled modules and the overlay that ships bind to a learned model."""

from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from trajsim.gmf.bindings import bind, read_overlay
from trajsim.gmf.graph import arrows
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import Binding, Delay, ModuleSet
from trajsim.gmf.walk import attributes_written, bodies

EVENTS = {
    "hypertension", "dyslipidemia", "diabetes", "fatty_liver", "angina", "myocardial_infarction", "stroke",
    "atrial_fibrillation", "heart_failure", "death",
}  # fmt: skip
ONSETS = (
    "atrial_fibrillation", "coronary_disease", "dyslipidemia", "fatty_liver", "heart_failure", "hypertension",
    "stroke",
)  # fmt: skip


@pytest.fixture(name="bundled", scope="module")
def bundled_fixture() -> ModuleSet:
    return load_modules(bundled_modules_root())


def bound(modules: ModuleSet) -> Iterator[tuple[str, Binding]]:
    for key, module in modules.modules.items():
        for state in module.states.values():
            own = [state.trajsim, *(body.trajsim for _, body in bodies(state))]
            yield from ((key, binding) for binding in own if binding is not None)


def test_every_event_and_measurement_of_the_cardiometabolic_model_is_bound(bundled: ModuleSet) -> None:
    found = list(bound(bundled))
    assert {event for _, binding in found for event in binding.events} == EVENTS
    assert {(key, binding.lab) for key, binding in found if binding.lab is not None} == {
        ("labs/lipid_panel", "hdl"),
        ("vitals/blood_pressure", "sbp"),
    }


@pytest.mark.parametrize("key", ONSETS)
def test_both_waits_of_a_risk_loop_are_bound_alike(bundled: ModuleSet, key: str) -> None:
    states = bundled.modules[key].states
    first, later = states["Phase"], states["Another Year"]
    assert isinstance(first, Delay)
    assert first.trajsim is not None
    assert first.trajsim == later.trajsim


def test_no_wait_for_a_follow_up_is_bound(bundled: ModuleSet) -> None:
    """A bound Delay ends with its event alone, so the visits behind it would stop."""
    waits = {
        (key, name)
        for key, module in bundled.modules.items()
        for name, state in module.states.items()
        if state.trajsim is not None and state.trajsim.events
    }
    onsets = {(key, name) for key in ONSETS for name in ("Phase", "Another Year")}
    assert waits - onsets == {
        ("all_causes_of_death", "Year of Life"),
        ("diabetes", "With Prediabetes"),
        ("diabetes", "Without Prediabetes"),
        ("infarction_after_angina", "Before the Infarction"),
    }


def test_a_model_that_times_diabetes_alone_decides_who_gets_it(bundled: ModuleSet) -> None:
    """A bound Delay does not end by itself: without the arrows of its own, nothing else leads to an onset."""
    module = bundled.modules["diabetes"]
    waits = {name for name, state in module.states.items() if state.trajsim is not None and state.trajsim.events}
    graph = arrows(module)
    assert waits <= nx.descendants(graph, "Initial")
    graph.remove_edges_from([*graph.out_edges(waits)])
    reached = nx.descendants(graph, "Initial")
    assert reached & waits == {"Without Prediabetes"}
    assert "Diabetes Begins" not in reached


def test_prediabetes_goes_on_whether_or_not_there_is_a_model(bundled: ModuleSet) -> None:
    assert "prediabetes" not in {key for key, _ in bound(bundled)}
    assert "diabetes" not in {
        name for state in bundled.modules["prediabetes"].states.values() for name in attributes_written(state)
    }


def test_the_overlay_that_ships_binds_the_modules_of_synthea(shared: Path) -> None:
    folder = shared / "synthea" / "modules"
    if not folder.is_dir():
        pytest.skip(f"no modules of Synthea at {folder}")
    overlay = read_overlay(bundled_modules_root() / "overlays" / "synthea.json")
    found = list(bound(bind(load_modules(folder), overlay)))
    assert {event for _, binding in found for event in binding.events} == EVENTS - {
        "dyslipidemia", "fatty_liver", "death",
    }  # fmt: skip
    assert {binding.lab for _, binding in found if binding.lab is not None} == {"hdl", "sbp"}
