"""Compilation: hashes, decision graphs, what frames remember, lookup grids, expressions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.engine import program as layout
from trajsim.engine.compile import compile_modules
from trajsim.engine.compile_frames import Frames
from trajsim.engine.compile_heap import Heap, java_hash
from trajsim.engine.compile_logic import FALSE, TRUE, LogicCompiler
from trajsim.engine.compile_transitions import java_double
from trajsim.engine.events import Catalogue
from trajsim.engine.opcodes import Test as Atom
from trajsim.engine.program import EXPRESSION_DEPTH, Capacity
from trajsim.engine.reference.logic import text_form
from trajsim.errors import CompileError
from trajsim.gmf.model import (
    AttributeCondition,
    Condition,
    ConstantCondition,
    LogicGroup,
    ModuleSet,
    NotCondition,
)
from trajsim.testing.modules import ASTHMA_JSON
from trajsim.testing.strategies import load, module_sets

Json = dict[str, Any]
YES, NO = ConstantCondition(value=True), ConstantCondition(value=False)


def _module(**states: Json) -> Json:
    first = next(iter(states))
    frame: dict[str, Json] = {"Initial": {"type": "Initial", "direct_transition": first}, **states}
    return {"name": "Example", "states": {**frame, "End": {"type": "Terminal"}}}


def _heap() -> Heap:
    return Heap(Catalogue(load({"example": _module(A={"type": "Simple", "direct_transition": "End"})}, {})), ())


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "java"),
    [("", 0), ("a", 97), ("hello", 99162322), ("Aa", 2112), ("BB", 2112), ("polygenelubricants", 0x80000000),
     ("\U0001f600", 1772899)],
)  # fmt: skip
def test_java_hash_is_that_of_java(text: str, java: int) -> None:
    assert java_hash(text) == java ^ (java >> 16)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_written_as_java_does(value: float) -> None:
    assert java_double(value) == text_form(value)
    assert float(java_double(value)) == value


# --- conditions -------------------------------------------------------------------------------------------------------


def _attribute(name: str) -> Condition:
    return AttributeCondition(attribute=name, operator="is not nil")


@pytest.mark.parametrize(
    ("condition", "entry"),
    [
        (YES, TRUE),
        (NO, FALSE),
        (NotCondition(condition=YES), FALSE),
        (LogicGroup(kind="And", conditions=()), TRUE),
        (LogicGroup(kind="Or", conditions=()), FALSE),
        (LogicGroup(kind="And", conditions=(YES, NO)), FALSE),
        (LogicGroup(kind="Or", conditions=(NO, YES)), TRUE),
    ],
)
def test_constant_conditions_need_no_node(condition: Condition, entry: int) -> None:
    heap = _heap()
    assert LogicCompiler(heap, {}).compile(condition) == entry


def test_groups_become_jumps_in_short_circuit_order() -> None:
    heap = _heap()
    condition = LogicGroup(
        kind="And",
        conditions=(
            LogicGroup(kind="Or", conditions=(_attribute("a"), _attribute("b"))),
            NotCondition(condition=_attribute("c")),
        ),
    )
    entry = LogicCompiler(heap, {}).compile(condition)
    nodes = heap.node_array()
    a = nodes[entry]
    c = nodes[a["jt"]]
    b = nodes[a["jf"]]
    slots = [heap.attribute(name) for name in "abc"]
    assert [int(node["a"]) for node in (a, b, c)] == slots
    assert (b["jt"], b["jf"]) == (a["jt"], FALSE)
    assert (c["jt"], c["jf"]) == (FALSE, TRUE)


def test_counting_groups_evaluate_every_child() -> None:
    heap = _heap()
    children = tuple(_attribute(name) for name in "abc")
    entry = LogicCompiler(heap, {}).compile(LogicGroup(kind="AtLeast", conditions=children, n=2))
    nodes = heap.node_array()
    reset = nodes[entry]
    assert reset["op"] == Atom.COUNT_RESET
    seen = []
    node = nodes[reset["jt"]]
    while node["op"] != Atom.COUNT_TEST:
        seen.append(int(node["a"]))
        counted = nodes[node["jt"]]
        assert counted["op"] == Atom.COUNT_ADD
        assert counted["jt"] == counted["jf"] == node["jf"]
        node = nodes[node["jf"]]
    assert seen == [heap.attribute(name) for name in "abc"]
    assert node["f"] == 2.0


# --- frames -----------------------------------------------------------------------------------------------------------


def _frames(modules: ModuleSet) -> Frames:
    index = {
        (key, name): position
        for position, (key, name) in enumerate(
            (k, n) for k in sorted(modules.modules) for n in modules.modules[k].states
        )
    }
    return Frames(modules.modules, index)


def test_a_caller_wants_what_its_submodules_visit() -> None:
    prior = {"condition_type": "PriorState", "name": "Deep"}
    top = _module(
        Call={"type": "CallSubmodule", "submodule": "s/a", "direct_transition": "Ask"},
        Ask={"type": "Guard", "allow": prior, "direct_transition": "End"},
    )
    middle = _module(Call={"type": "CallSubmodule", "submodule": "s/b", "direct_transition": "End"})
    low = _module(
        Deep={"type": "Simple", "direct_transition": "Other"}, Other={"type": "Simple", "direct_transition": "End"}
    )
    frames = _frames(load({"top": top, "s/a": middle, "s/b": low}, {}))
    assert [set(frames.memory[frames.index[key]].prior) for key in ("top", "s/a", "s/b")] == [{"Deep"}] * 3
    assert frames.top_of[frames.index["s/b"]] == {"top"}
    assert not frames.is_shared(frames.index["s/b"])


def test_an_onset_waits_in_every_caller_that_has_its_encounter() -> None:
    onset = {"type": "ConditionOnset", "codes": [ASTHMA_JSON], "target_encounter": "Visit", "direct_transition": "End"}
    visit = {"type": "Encounter", "codes": [ASTHMA_JSON], "direct_transition": "End"}
    top = _module(Call={"type": "CallSubmodule", "submodule": "s/a", "direct_transition": "Visit"}, Visit=visit)
    frames = _frames(load({"top": top, "other": _module(Visit=visit), "s/a": _module(Onset=onset)}, {}))
    waiting = {key: len(frames.memory[frames.index[key]].pending) for key in frames.keys}
    assert waiting == {"top": 1, "other": 0, "s/a": 1}
    merged = frames.merge_list(frames.index["top"], frames.index["s/a"])
    assert merged[1] == 1


# --- lookup tables ----------------------------------------------------------------------------------------------------


def _table_program(csv: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], int]:
    options = [{"transition": name, "lookup_table_name": "t.csv"} for name in ("A", "End")]
    simple = {"type": "Simple", "direct_transition": "End"}
    module = _module(Choose={"type": "Simple", "lookup_table_transition": options}, A=simple)
    program = compile_modules(load({"example": module}, {"t.csv": csv}))
    return program.integers, int(program.tables[0]["groups"])


def test_the_first_row_that_covers_a_cell_of_the_grid_wins() -> None:
    integers, groups = _table_program("age,A,End\n0-10,0.1,0.9\n5-20,0.2,0.8\n30-40,0.3,0.7\n")
    group = int(integers[groups])
    n_ages, edges, width = (int(integers[group + k]) for k in (2, 3, 4))
    assert integers[edges : edges + n_ages].tolist() == [0, 5, 11, 21, 30, 41]
    cells = integers[group + 5 : group + 5 + width].tolist()
    assert cells[0] == cells[1]
    assert len(set(cells)) == 4
    assert cells[3] == -1


def test_a_table_without_rows_has_no_group() -> None:
    integers, groups = _table_program("age,A,End\n")
    assert integers[groups] == -1


# --- programs ---------------------------------------------------------------------------------------------------------


@given(module_sets())
def test_the_same_modules_give_the_same_program(modules: ModuleSet) -> None:
    first, second = compile_modules(modules), compile_modules(modules)
    for a, b in zip(first.arrays, second.arrays, strict=True):
        assert a.tobytes() == b.tobytes()
    assert first.header[0].n_words <= first.capacity.words


def test_modules_that_need_too_many_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "CAPACITIES", (Capacity(8, 8), Capacity(16, 16)))
    simple = {"type": "Simple", "direct_transition": "End"}
    with pytest.raises(CompileError, match=r"need \d+ words and \d+ floats a patient, more than 16 and 16"):
        compile_modules(load({"example": _module(A=simple)}, {}))


def _with_expression(text: str) -> ModuleSet:
    state = {"type": "SetAttribute", "attribute": "a", "expression": text, "direct_transition": "End"}
    return load({"example": _module(Set=state)}, {})


def test_texts_of_expressions_are_in_the_catalogue() -> None:
    modules = _with_expression("if #{b} then 'first' else 'second'")
    assert Catalogue(modules).strings[:2] == ["first", "second"]


def test_an_expression_that_needs_too_many_values_at_once_is_refused() -> None:
    wide = f"Min({', '.join(['1'] * 90)}, "
    deep = wide + wide + "1))"
    assert EXPRESSION_DEPTH < 2 * 90
    with pytest.raises(CompileError, match=r"needs more than 128 values at once"):
        compile_modules(_with_expression(deep))


def test_an_expression_that_grows_by_its_defines_is_refused() -> None:
    lines = ["define a0: 1", *(f"define a{k}: a{k - 1} + a{k - 1}" for k in range(1, 20)), "a19"]
    with pytest.raises(CompileError, match=r"10000 operations"):
        compile_modules(_with_expression("\n".join(lines)))
