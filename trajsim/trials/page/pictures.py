"""Inline pictures: SVG that takes its colours from the page, in a wide form and one for telephones.

Pictures that carry text are drawn at two widths, and the page shows the one that fits, so that letters keep their size.
Pictures inside a cell of a table carry none and stretch; the numbers stand beside them.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from trajsim.trials.page.figures import month

Floats = NDArray[np.float64]

WIDE = 760
NARROW = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 26, 26
_LETTER = 6.4
_STEPS = (1, 2, 3, 6, 12, 24, 36, 60, 120, 240)


@dataclass(frozen=True, kw_only=True)
class Fan:
    """Counts by date.

    Attributes:
        dates: When, rising.
        bands: Lower and upper ends of bands, the widest first.
        middle: The median.
    """

    dates: tuple[dt.date, ...]
    bands: tuple[tuple[Floats, Floats], ...]
    middle: Floats

    @property
    def top(self) -> float:
        """The greatest value."""
        return max(float(np.max(values)) for values in (self.middle, *(high for _, high in self.bands)))


@dataclass(frozen=True, kw_only=True)
class Line:
    """A labelled line across a picture: a number to be reached, or a date."""

    at: float | dt.date
    label: str


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where dates and values lie in a picture."""

    width: int
    height: int
    first: dt.date
    last: dt.date
    top: float

    def x(self, day: dt.date) -> float:
        """Place of a date."""
        span = max((self.last - self.first).days, 1)
        return _LEFT + (self.width - _LEFT - _RIGHT) * (day - self.first).days / span

    def y(self, value: float) -> float:
        """Place of a value."""
        return self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * value / self.top

    def path(self, dates: Sequence[dt.date], values: ArrayLike) -> str:
        """Points of a line."""
        pairs = zip(dates, np.asarray(values, np.float64), strict=True)
        return " ".join(f"{self.x(day):.1f},{self.y(float(value)):.1f}" for day, value in pairs)


def both_widths(draw: "Drawing") -> Markup:
    """A picture in both forms, of which the page shows one."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(WIDE), draw(NARROW))


class Drawing:
    """A picture over dates that is not drawn yet: what it shows, and the words for those who do not see it."""

    def __init__(
        self,
        fan: Fan,
        *,
        label: str,
        goal: Line | None = None,
        marks: Sequence[Line] = (),
        top: float | None = None,
        is_share: bool = False,
        height: int = 270,
    ) -> None:
        """Takes what is shown.

        Args:
            fan: The counts; without bands it is one line.
            label: What the picture says, in words.
            goal: A number to be reached.
            marks: Dates that matter.
            top: Upper end of the values; the greatest one if None.
            is_share: Whether values are shares of 1.
            height: In the units of the picture.
        """
        self._fan, self._label, self._goal, self._marks = fan, label, goal, marks
        self._top, self._is_share, self._height = top, is_share, height

    def __call__(self, width: int) -> Markup:
        """Draws it.

        Args:
            width: `WIDE` or `NARROW`.
        """
        fan = self._fan
        goal = self._goal.at if self._goal is not None and not isinstance(self._goal.at, dt.date) else 0.0
        top = 1.06 * max(fan.top, goal, 1e-9) if self._top is None else self._top
        frame = _Frame(width=width, height=self._height, first=fan.dates[0], last=fan.dates[-1], top=top)
        parts = [self._grid(frame)]
        for place, (low, high) in enumerate(fan.bands):
            around = f"{frame.path(fan.dates, high)} {frame.path(fan.dates[::-1], low[::-1])}"
            parts.append(Markup('<polygon class="band{}" points="{}"/>').format(place, around))
        parts.append(Markup('<polyline class="middle" points="{}"/>').format(frame.path(fan.dates, fan.middle)))
        parts += [self._mark(frame, mark) for mark in self._marks]
        if self._goal is not None:
            y = frame.y(goal)
            parts.append(_line("goal", _LEFT, y, width - _RIGHT, y))
            parts.append(_text(_LEFT + 4, y - 5, self._goal.label, kind="goal"))
        return _svg(width, self._height, self._label, Markup().join(parts))

    def _grid(self, frame: _Frame) -> Markup:
        parts = []
        for value in _round_values(frame.top):
            y = frame.y(value)
            name = f"{100 * value:.0f} %" if self._is_share else f"{value:,g}"
            parts += [_line("grid", _LEFT, y, frame.width - _RIGHT, y), _text(_LEFT - 6, y + 4, name, anchor="end")]
        for date in _round_dates(frame.first, frame.last, most=max(2, (frame.width - _LEFT) // 92)):
            x = frame.x(date)
            half = len(month(date)) * _LETTER / 2
            parts.append(_line("tick", x, frame.height - _BOTTOM, x, frame.height - _BOTTOM + 4))
            if x + half <= frame.width:
                parts.append(_text(x, frame.height - 6, month(date), anchor="middle"))
        return Markup().join(parts)

    def _mark(self, frame: _Frame, mark: Line) -> Markup:
        if not isinstance(mark.at, dt.date) or not frame.first <= mark.at <= frame.last:
            return Markup()
        x = frame.x(mark.at)
        room = len(mark.label) * _LETTER
        anchor = "middle"
        if x + room / 2 > frame.width:
            anchor = "end"
        elif x - room / 2 < 0:
            anchor = "start"
        return _line("mark", x, _TOP - 6, x, frame.height - _BOTTOM) + _text(x, 13, mark.label, anchor=anchor)


def bar(share: float, kind: str = "ours") -> Markup:
    """A bar of a share of the cell.

    Args:
        share: Between 0 and 1.
        kind: Class that gives the colour.
    """
    return _cell(_rect(0.0, 100.0 * min(max(share, 0.0), 1.0), kind))


def overlap_bar(alone: float, together: float) -> Markup:
    """A bar in two parts: people whom one criterion alone denies, and those whom others deny too.

    Args:
        alone: Share of all, between 0 and 1.
        together: The other share.
    """
    return _cell(_rect(0.0, 100.0 * alone, "ours") + _rect(100.0 * alone, 100.0 * together, "shared"))


def share_bars(disease: float, enrolled: float, low: float, high: float) -> Markup:
    """Two bars above each other, the second with its interval.

    Args:
        disease: Share among those with the disease.
        enrolled: Share among the randomized.
        low: Lower end of its interval.
        high: Upper end.
    """
    known = [100.0 * value if math.isfinite(value) else 0.0 for value in (disease, enrolled, low, high)]
    return _cell(
        _rect(0.0, known[0], "theirs", y=0.5, height=4.0)
        + _rect(0.0, known[1], "ours", y=5.5, height=4.0)
        + _rect(known[2], known[3] - known[2], "interval", y=7.1, height=0.8)
    )


def interval(mean: float, low: float, high: float, *, least: float, most: float) -> Markup:
    """A point and its interval on a line with a mark at 0.

    Args:
        mean: The point.
        low: Lower end of its interval; NaN if not known.
        high: Upper end.
        least: Value at the left end of the cell.
        most: Value at the right end.
    """
    if not math.isfinite(mean):
        return Markup()
    span = (most - least) or 1.0
    ends = [value if math.isfinite(value) else mean for value in (low, high)]
    zero, point, left, right = (2.0 + 96.0 * (value - least) / span for value in (0.0, mean, *ends))
    return _cell(
        _rect(zero - 0.2, 0.4, "zero")
        + _rect(left, max(right - left, 0.4), "ours", y=4.2, height=1.6)
        + _rect(point - 0.8, 1.6, "ours", y=2.0, height=6.0)
    )


def strip(values: Sequence[float], is_open: Sequence[float], *, top: float) -> Markup:
    """Periods from left to right: darker where more people are randomized, outlined in grey where the site is open.

    Args:
        values: People by period.
        is_open: Share of replicates in which the site is open in the period.
        top: People at which it is darkest.
    """
    step = 100.0 / max(len(values), 1)
    parts = []
    for place, (value, share) in enumerate(zip(values, is_open, strict=True)):
        if share > 0:
            parts.append(_faded(_rect(place * step, step, "open", y=7.5, height=2.5), share))
        if value > 0:
            parts.append(_faded(_rect(place * step, step, "ours", y=0.0, height=7.0), 0.12 + 0.88 * value / top))
    return _cell(Markup().join(parts))


def _faded(shape: Markup, opacity: float) -> Markup:
    return Markup('<g opacity="{}">{}</g>').format(f"{min(opacity, 1.0):.2f}", shape)


def _rect(x: float, width: float, kind: str, *, y: float = 0.0, height: float = 10.0) -> Markup:
    form = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    return form.format(kind, f"{x:.2f}", f"{y:g}", f"{max(width, 0.0):.2f}", f"{height:g}")


def _cell(inside: Markup) -> Markup:
    form = '<svg class="cell" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    return Markup(form).format(inside)


def _svg(width: int, height: int, label: str, inside: Markup) -> Markup:
    form = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return form.format(width, height, label, inside)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    form = Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>')
    return form.format(kind, *(f"{value:.1f}" for value in (x1, y1, x2, y2)))


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "axis") -> Markup:
    form = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
    return form.format(kind, f"{x:.1f}", f"{y:.1f}", anchor, text)


def _round_values(top: float) -> list[float]:
    """Some four round values from 0 to the top."""
    raw = top / 4.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * 0.999)
    return [step * k for k in range(int(top / step + 1e-9) + 1)]


def _round_dates(first: dt.date, last: dt.date, *, most: int) -> list[dt.date]:
    """First days of months, evenly, at most so many."""
    begin = first.year * 12 + first.month - 1 + (first.day > 1)
    end = last.year * 12 + last.month - 1
    step = next((step for step in _STEPS if (end - begin) // step + 1 <= most), 600)
    begin = -(-begin // step) * step
    return [dt.date(place // 12, place % 12 + 1, 1) for place in range(begin, end + 1, step)]
