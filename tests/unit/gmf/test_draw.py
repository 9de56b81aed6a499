"""Pictures of modules: well-formed, complete, and nothing on top of anything else."""

import os
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest

from trajsim.gmf.draw import draw_module, text_width, wrap
from trajsim.gmf.layout import Layout, lay_out
from trajsim.gmf.library import load_modules
from trajsim.gmf.model import Module
from trajsim.testing.modules import Json, sound_module

ROOT = Path(__file__).resolve().parents[3]
STOCK = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "synthea" / "modules"
SVG = "{http://www.w3.org/2000/svg}"
YEAR: Json = {"quantity": 1, "unit": "years"}


def drawn_states(svg: str) -> set[str]:
    root = ET.fromstring(svg)
    return {group.attrib["data-state"] for group in root.iter(f"{SVG}g") if group.get("class") == "state"}


def looping_module() -> Module:
    back = [
        {"transition": "Wait", "condition": {"condition_type": "Gender", "gender": "F"}},
        {"transition": "Loop", "condition": {"condition_type": "Age", "operator": "<", "quantity": 9, "unit": "years"}},
        {"transition": "End"},
    ]
    return sound_module(
        {
            "Wait": {"type": "Delay", "exact": YEAR, "direct_transition": "Loop"},
            "Loop": {"type": "Simple", "conditional_transition": back},
            "Alone": {"type": "Simple", "direct_transition": "Wait"},
        },
        name='Loops & <"quotes">',
        remarks=["a & b", "\x00 control"],
    )


def test_picture_is_well_formed_and_shows_every_state_and_label() -> None:
    svg = draw_module(looping_module())
    assert drawn_states(svg) == {"Initial", "Wait", "Loop", "Alone", "End"}
    texts = [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]
    assert 'Loops & <"quotes">' in texts
    assert {"if female", "otherwise", "wait 1 year"} <= set(texts)
    arrows = [path for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("class") == "arrow"]
    assert len(arrows) == 6


def test_legend_of_many_kinds_is_broken_into_lines() -> None:
    code = {"system": "SNOMED-CT", "code": "230690007", "display": "Stroke"}
    types: dict[str, Json] = {
        "Encounter": {"wellness": True},
        "ConditionOnset": {"codes": [code]},
        "MedicationOrder": {"codes": [code]},
        "Procedure": {"codes": [code]},
        "Symptom": {"symptom": "Pain"},
        "Delay": {"exact": YEAR},
        "Simple": {},
        "CallSubmodule": {"submodule": "x"},
        "Death": {},
    }
    following = dict(pairwise([*types, "Gone"]))
    states = {type_: {"type": type_, **keys, "direct_transition": following[type_]} for type_, keys in types.items()}
    module = sound_module(states)
    titles = {
        element.text: element.attrib["y"]
        for element in ET.fromstring(draw_module(module)).iter(f"{SVG}text")
        if element.text in {"start and end", "death", "does not exist"}
    }
    assert len(titles) == 3
    assert len(set(titles.values())) > 1


def test_targets_that_do_not_exist_are_drawn() -> None:
    module = sound_module({"It": {"type": "Simple", "direct_transition": "Gone"}})
    assert "Gone" in drawn_states(draw_module(module))


def test_picture_refers_to_nothing_outside() -> None:
    svg = draw_module(looping_module()).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in svg
    assert "href" not in svg


def assert_nothing_overlaps(layout: Layout) -> None:
    rows: dict[int, list[tuple[float, float]]] = {}
    tops: dict[int, tuple[float, float]] = {}
    for box in [*layout.boxes.values(), *layout.labels.values()]:
        rows.setdefault(box.rank, []).append((box.x - box.width / 2, box.x + box.width / 2))
        top, bottom = tops.get(box.rank, (box.y, box.y))
        tops[box.rank] = min(top, box.y - box.height / 2), max(bottom, box.y + box.height / 2)
    for row in rows.values():
        assert all(left[1] < right[0] for left, right in pairwise(sorted(row)))
    assert all(upper[1] < lower[0] for upper, lower in pairwise(tops[rank] for rank in sorted(tops)))


def test_layout_of_a_dense_graph_has_no_overlap() -> None:
    names = [f"s{number}" for number in range(30)]
    links = {(names[i], names[(i * step + 1) % 30]): (40.0, 12.0) for i in range(30) for step in (1, 3, 7)}
    layout = lay_out(dict.fromkeys(names, (120.0, 40.0)), links, start="s0")
    assert set(layout.boxes) == set(names)
    assert set(layout.labels) == set(links)
    assert_nothing_overlaps(layout)
    assert min(box.x - box.width / 2 for box in layout.boxes.values()) >= 0.0
    assert max(box.x + box.width / 2 for box in layout.boxes.values()) <= layout.width


def test_arrows_go_down_but_for_those_that_go_back() -> None:
    links = {("a", "b"): (0.0, 0.0), ("b", "c"): (0.0, 0.0), ("c", "a"): (9.0, 9.0), ("c", "c"): (0.0, 0.0)}
    layout = lay_out(dict.fromkeys("abc", (50.0, 20.0)), links, start="a")
    assert layout.boxes["a"].y < layout.boxes["b"].y < layout.boxes["c"].y
    assert set(layout.turns) == {("c", "a"), ("c", "c")}
    corridor = layout.routes["c", "a"]
    assert [box.y for box in corridor] == sorted((box.y for box in corridor), reverse=True)


def test_texts_are_wrapped_and_cut_to_their_width() -> None:
    lines = wrap("one two three four five six seven", width=60.0, size=10.0, max_lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(text_width(line, 10.0) <= 60.0 for line in lines)
    assert wrap("", width=60.0, size=10.0, max_lines=3) == []
    pieces = wrap("a_very_long_name_without_blanks", width=60.0, size=10.0, max_lines=9)
    assert "".join(pieces) == "a_very_long_name_without_blanks"
    assert all(text_width(line, 10.0) <= 60.0 for line in pieces)


@pytest.mark.skipif(not STOCK.is_dir(), reason="Synthea's modules are not here (TRAJSIM_SHARED)")
@pytest.mark.parametrize("key", ["hypertension", "gallstones", "ear_infections", "covid19/determine_risk"])
def test_stock_module_is_drawn_whole(key: str) -> None:
    module = load_modules(STOCK, patterns=key if "/" not in key else "gout").modules[key]
    assert drawn_states(draw_module(module)) == set(module.states)
