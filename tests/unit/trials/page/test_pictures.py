import datetime as dt
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from trajsim.trials.page.pictures import NARROW, WIDE, Drawing, Fan, Line, interval, overlap_bar, strip
from trajsim.trials.page.rendering import thinned

DATES = tuple(dt.date(2020, 1, 15) + dt.timedelta(days=30 * k) for k in range(30))
UP = np.arange(30.0)
FAN = Fan(dates=DATES, bands=((0.5 * UP, 2.0 * UP), (0.8 * UP, 1.2 * UP)), middle=UP)


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_all_of_a_picture_lies_inside_it(width: int) -> None:
    marks = [
        Line(at=DATES[0], label="start"),
        Line(at=DATES[-1], label="the planned end"),
        Line(at=dt.date(2030, 1, 1), label="no"),
    ]
    drawn = Drawing(FAN, label="what it says", goal=Line(at=50.0, label="target 50"), marks=marks)(width)
    root = ET.fromstring(str(drawn))
    assert root.get("viewBox") == f"0 0 {width} 270"
    texts = [(each.text or "", float(each.get("x", "")), each.get("text-anchor")) for each in root.iter("text")]
    assert "no" not in [text for text, _, _ in texts]
    for text, x, anchor in texts:
        room = 6.0 * len(text)
        left = x - {"start": 0.0, "middle": room / 2, "end": room}[anchor or "start"]
        assert left >= -1.0, text
        assert left + room <= width + 1.0, text
    for shape in root:
        for pair in shape.get("points", "").split():
            x, y = map(float, pair.split(","))
            assert 0.0 <= x <= width
            assert 0.0 <= y <= 270.0


def test_a_target_above_all_counts_is_in_the_picture() -> None:
    root = ET.fromstring(str(Drawing(FAN, label="x", goal=Line(at=500.0, label="target"))(WIDE)))
    goal = next(each for each in root.iter("line") if each.get("class") == "goal")
    assert 0.0 < float(goal.get("y1", "")) < 60.0


def test_counts_of_zero_and_one_date_can_be_drawn() -> None:
    nothing = Fan(dates=(DATES[0],), bands=(), middle=np.zeros(1))
    ET.fromstring(str(Drawing(nothing, label="nothing")(WIDE)))


def test_parts_of_a_bar_lie_side_by_side() -> None:
    first, second = ET.fromstring(str(overlap_bar(0.25, 0.5))).iter("rect")
    assert (first.get("width"), second.get("x"), second.get("width")) == ("25.00", "25.00", "50.00")


def test_an_interval_without_ends_is_a_point() -> None:
    assert str(interval(float("nan"), 0.0, 0.0, least=0.0, most=1.0)) == ""
    rects = list(ET.fromstring(str(interval(0.5, float("nan"), float("nan"), least=0.0, most=1.0))).iter("rect"))
    assert rects[1].get("x") == "50.00"


def test_a_strip_is_darkest_where_most_are_randomized() -> None:
    groups = ET.fromstring(str(strip([0.0, 1.0, 4.0], [0.0, 1.0, 0.5], top=4.0))).iter("g")
    assert [each.get("opacity") for each in groups] == ["1.00", "0.34", "0.50", "1.00"]


def test_thinned_rows_keep_the_last() -> None:
    rows = [{"n": k} for k in range(101)]
    kept = [row["n"] for row in thinned(rows)]
    assert kept[0] == 0
    assert kept[-1] == 100
    assert len(kept) <= 26
    assert thinned(rows[:3]) == rows[:3]
