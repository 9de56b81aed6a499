"""Graphs of modules: arrows, cycles, loops in which no time passes."""

from trajsim.gmf.graph import call_graph, cycles, instant_loops, reachable, state_graph
from trajsim.testing.modules import Json, sound_module

FEMALE: Json = {"condition_type": "Gender", "gender": "F"}
YEAR: Json = {"quantity": 1, "unit": "years"}


def test_state_graph_keeps_every_option_with_its_words() -> None:
    options = [
        {
            "condition": FEMALE,
            "distributions": [{"transition": "It", "distribution": 0.25}, {"transition": "End", "distribution": 0.75}],
        },
        {"transition": "End"},
    ]
    module = sound_module({"It": {"type": "Delay", "exact": YEAR, "complex_transition": options}})
    graph = state_graph(module)
    assert graph.nodes["It"] == {"type": "Delay", "details": "wait 1 year"}
    assert [(target, data["label"]) for _, target, data in graph.out_edges("It", data=True)] == [
        ("It", "if female: 25%"),
        ("End", "if female: 75%"),
        ("End", "otherwise"),
    ]
    assert graph.edges["It", "End", 1]["probability"] == 0.75
    assert graph.edges["It", "End", 1]["condition"] == "female"


def test_state_graph_marks_targets_that_do_not_exist() -> None:
    module = sound_module({"It": {"type": "Simple", "direct_transition": "Gone"}})
    assert state_graph(module).nodes["Gone"]["type"] == "missing"


def test_reachable_and_cycles() -> None:
    module = sound_module(
        {
            "A": {"type": "Simple", "direct_transition": "B"},
            "B": {"type": "Simple", "distributed_transition": [{"transition": "A", "distribution": 1}]},
            "Self": {"type": "Delay", "exact": YEAR, "direct_transition": "Self"},
        }
    )
    assert reachable(module) == {"Initial", "A", "B"}
    assert cycles(module) == [{"A", "B"}, {"Self"}]


def test_reachable_without_initial_is_nothing() -> None:
    module = sound_module({})
    states = {name: state for name, state in module.states.items() if name != "Initial"}
    assert reachable(type(module)(key="x", name="x", states=states)) == frozenset()


def loop_of(state: Json) -> list[tuple[frozenset[str], bool]]:
    """Instant loops of a module that goes round `state` and a Simple state, with a way out."""
    out = [{"transition": "Wait", "distribution": 0.5}, {"transition": "End", "distribution": 0.5}]
    module = sound_module(
        {"Wait": {**state, "direct_transition": "Back"}, "Back": {"type": "Simple", "distributed_transition": out}}
    )
    return [(loop.states, loop.has_exit) for loop in instant_loops(module)]


def test_states_that_let_time_pass_break_a_loop() -> None:
    zero: Json = {"quantity": 0, "unit": "days"}
    code = {"system": "SNOMED-CT", "code": "185349003", "display": "Encounter for check up"}
    whole = frozenset({"Wait", "Back"})
    assert loop_of({"type": "Delay", "exact": YEAR}) == []
    assert loop_of({"type": "Guard", "allow": FEMALE}) == []
    assert loop_of({"type": "Encounter", "codes": [code]}) == []
    assert loop_of({"type": "CallSubmodule", "submodule": "x"}) == []
    assert loop_of({"type": "Procedure", "codes": [code], "duration": {"low": 1, "high": 2, "unit": "hours"}}) == []
    assert loop_of({"type": "Procedure", "codes": [code]}) == [(whole, True)]
    assert loop_of({"type": "Delay", "exact": zero}) == [(whole, True)]
    assert loop_of({"type": "Delay", "range": {"low": 0, "high": 0, "unit": "days"}}) == [(whole, True)]
    short = {"kind": "EXACT", "parameters": {"value": 0.5}}
    assert loop_of({"type": "Delay", "distribution": short, "unit": "days"}) == [(whole, True)]


def test_loop_without_exit_and_loop_that_kills() -> None:
    closed = sound_module({"A": {"type": "Simple", "direct_transition": "A"}})
    assert [loop.has_exit for loop in instant_loops(closed)] == [False]
    deadly = sound_module({"A": {"type": "Death", "direct_transition": "A"}})
    assert [loop.has_exit for loop in instant_loops(deadly)] == [True]


def test_call_graph_marks_missing_submodules() -> None:
    module = sound_module({"C": {"type": "CallSubmodule", "submodule": "labs/x", "direct_transition": "End"}})
    graph = call_graph({"example": module})
    assert list(graph.edges) == [("example", "labs/x")]
    assert graph.nodes["labs/x"]["missing"]
    assert not graph.nodes["example"]["missing"]
