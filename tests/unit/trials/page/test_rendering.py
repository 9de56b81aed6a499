import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from trajsim.errors import ConfigError, ExportError
from trajsim.trials.page import PageContents, figures, page_json, render_page, write_page
from trajsim.trials.recruitment import Scenarios


@pytest.fixture(name="page", scope="module")
def page_fixture(whole: PageContents) -> str:
    return render_page(whole)


@pytest.fixture(name="twin", scope="module")
def twin_fixture(whole: PageContents) -> dict[str, Any]:
    return page_json(whole)


def test_the_page_is_well_formed_and_needs_nothing_else(page: str, bare: PageContents) -> None:
    for text in (page, render_page(bare)):
        root = ET.fromstring(text.removeprefix("<!DOCTYPE html>"))
        links = [a.get("href", "") for a in root.iter("a")]
        names = [each.get("id", "") for each in root.iter() if each.get("id")]
        assert links
        assert all(link.startswith("#") for link in links)
        assert len(names) == len(set(names))
        assert {link[1:] for link in links} <= set(names)
        assert not [each for each in root.iter() if each.get("src") or each.tag in ("script", "link", "img", "iframe")]
        assert not re.findall(r"https?:|//|@import|url\(| on[a-z]+=", text)


def test_pictures_speak_to_those_who_do_not_see_them(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>"))
    assert root.get("lang") == "en"
    pictures = list(root.iter("svg"))
    assert len(pictures) > 20
    for picture in pictures:
        if picture.get("aria-hidden") == "true":
            assert not list(picture.iter("text"))
        else:
            assert picture.get("role") == "img"
            assert picture.get("aria-label")
    for table in root.iter("table"):
        assert all(head.get("scope") for head in table.iter("th"))


def test_what_the_spec_says_is_text(page: str) -> None:
    assert "<b>less</b>" not in page
    assert "Does &lt;b&gt;less&lt;/b&gt; &amp; &#34;more&#34; help?" in page
    for text in ("Boston <1>", "new <drug>", "one more <site>", "HbA1c < 9", "trial <1>.yaml", "Other & trial"):
        assert str(escape(text)) in page
        assert text not in page


def test_every_number_of_the_contents_stands_on_the_page(page: str, twin: dict[str, Any]) -> None:
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>"))
    shown = " ".join("".join(root.itertext()).split())
    trial = twin["recruitment"]
    said = [
        twin["answer"]["verdict"],
        twin["answer"]["when"],
        *twin["answer"]["why"],
        twin["answer"]["rescue"],
        *(figures.day(day) if day else "later" for day in trial["target_date"].values()),
        *(figures.between(trial["cost"][key]) for key in ("total", "per_randomized")),
        *(figures.between(site["randomized"]) for site in trial["sites"]),
        *(figures.day(site["opens"]) for site in trial["sites"]),
        *(figures.between(way["people"]) for step in twin["flow"] for way in step["leave"]),
        *(figures.count(step["people"]["mean"]) for step in twin["flow"]),
        *(figures.between(people) for arm in twin["arms"] for people in arm["status"].values()),
        *(figures.percent(share[key]) for share in trial["shares"] for key in ("disease", "enrolled", "low", "high")),
        *(
            text(row[key])
            for row in twin["scenarios"]
            for key in ("enrolled", "days_to_target", "cost")
            for text in (figures.spread, lambda each: figures.change(each["mean"]))
        ),
        *(figures.difference(row["cost_per_randomized"]) for row in twin["scenarios"]),
        *(figures.count(row["cost_per_randomized_itself"]) for row in twin["scenarios"]),
        *(figures.count(row[key]) for row in twin["feasibility"]["criteria"] for key in row if key[:2] == "n_"),
        *(row["value"] for row in twin["assumptions"]),
        *(str(value) for value in twin["provenance"].values()),
        figures.count(twin["forecast"]["n_subjects"]),
        figures.day(twin["forecast"]["subjects"]["median"]),
        f"{twin['bridge']['simulated']['mean']:.1f}",
        f"{twin['bridge']['model']['mean']:.1f}",
        twin["answer"]["running"],
        *twin["forecast"]["notes"],
        twin["forecast"]["rates"]["shape"],
        *(each["family"] for each in twin["forecast"]["event_times"]),
        "those of 790 answer every criterion",
        "45 % (7 %)",
        "0.23",
        "HbA1c < 9 instead of < 8",
    ]
    assert [each for each in said if " ".join(each.split()) not in shown] == []


def test_parts_that_are_not_there_are_left_out_with_a_reason(bare: PageContents) -> None:
    page = render_page(bare)
    for why in ("no feasibility run", "no scenarios were given", "no model of rates", "no log of a running trial"):
        assert f"Left out: {why}" in page
    assert "No rescue was compared." in page
    assert "standard errors apart" not in page


def test_the_same_contents_give_the_same_file(page: str, whole: PageContents, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", whole)
    assert (tmp_path / "page.html").read_bytes() == page.encode()
    with pytest.raises(ExportError, match="cannot write the page"):
        write_page(tmp_path / "nowhere" / "page.html", whole)


def test_scenarios_of_another_trial_are_refused(whole: PageContents, scenarios: Scenarios) -> None:
    with pytest.raises(ConfigError, match="another result"):
        PageContents(result=scenarios.comparisons[0].result, provenance=whole.provenance, scenarios=scenarios)
