import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.unit.evaluate.population import made_up_records, made_up_states
from trajsim.evaluate.parity import Parity, compare, read_reference
from trajsim.evaluate.parity.report import curve_svg, figure, render_report, signed

XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(name="parity", scope="module")
def parity_fixture(reference_folder: Path) -> Parity:
    ours = made_up_records(300, 5, planted={150: 3.0})
    about = {"notes": ["<b>not</b> markup & more"]}
    return compare([ours], made_up_states(ours), read_reference(reference_folder), about=about)


@pytest.fixture(name="page", scope="module")
def page_fixture(parity: Parity) -> str:
    return render_report(parity)


def test_the_page_is_well_formed_and_needs_nothing_else(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>"))
    links = [a.get("href", "") for a in root.iter(f"{XHTML}a")]
    assert links
    assert all(link.startswith("#") for link in links)
    names = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(names) == len(set(names))
    assert {link[1:] for link in links} <= set(names)
    assert not [each for each in root.iter() if each.get("src") or each.tag.endswith(("script", "link", "img"))]
    assert re.findall(r"https?://[^\"]+", page) == ["http://www.w3.org/1999/xhtml"]


def test_what_the_data_say_is_text(page: str) -> None:
    assert "<b>not</b>" not in page
    assert "&lt;b&gt;not&lt;/b&gt; markup &amp; more" in page
    assert "condition 150 &amp; more" in page


def test_the_worst_code_leads_to_the_state_that_wrote_it(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>"))
    first = next(tr for tr in root.iter(f"{XHTML}tr") if any((c.text or "") == "C150" for c in tr.iter(f"{XHTML}code")))
    target = next(first.iter(f"{XHTML}a")).get("href", "")[1:]
    row = next(tr for tr in root.iter(f"{XHTML}tr") if tr.get("id") == target)
    assert "".join(row[0].itertext()) == "made \u203a Onset 150"


def test_the_json_holds_everything_and_is_json(parity: Parity) -> None:
    content = json.loads(json.dumps(parity.to_json(), allow_nan=False))
    assert content["format"] == "trajsim-parity-1"
    assert set(content) == {
        "format", "about", "has_findings", "gates", "kinds", "states", "codes", "values", "writers", "not_compared",
    }  # fmt: skip
    assert sum(len(content[level]) for level in ("states", "codes", "values")) == len(parity.comparisons)
    assert {"measure", "label", "ours", "theirs", "n_ours", "n_theirs", "z", "p", "q", "effect"} <= set(
        content["codes"][0]
    )


def test_numbers_read_well() -> None:
    assert [figure(value) for value in (None, 0, 12345, 0.000123456, 1234.5, float("inf"), "infinity")] == [
        "", "0", "12,345", "0.0001235", "1,234.5", "∞", "infinity",
    ]  # fmt: skip
    assert [signed(value) for value in (None, 2.04, float("-inf"))] == ["", "+2.0", "-∞"]


def test_a_picture_without_data_is_empty() -> None:
    nothing: list[float | None] = [None] * 38
    ET.fromstring(str(curve_svg(nothing, nothing)))
