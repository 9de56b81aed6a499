"""The page that people read: verdict, promises, worst first, and from each code to the states that wrote it.

One file, without scripts, fonts or pictures from elsewhere.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from trajsim.evaluate.parity.ages import BANDS, SEXES
from trajsim.evaluate.parity.comparison import SIGNIFICANT
from trajsim.evaluate.parity.result import Comparison, Parity

SHOWN_CODES = 200
SHOWN_STATES = 150
SHOWN_OTHERS = 40
SHOWN_WRITERS = 6

_WIDTH, _HEIGHT, _GAP = 84, 30, 8
_OTHER_MEASURES = (
    ("events per person-year by age and sex", "which ages differ most; 20 events or more on both sides together"),
    ("point prevalence", "living persons with the condition open at the end, ages weighted as in the reference"),
    ("persons ever", "share of persons with the code at least once; not standardised"),
    ("days open", "median days of what was stopped; z of the median, p of the worst quartile"),
    ("share stopped", "conditions and medications that were stopped before the end; not standardised"),
    ("persons with an observed text", "share of persons that ever had this value; not standardised"),
    ("encounter minutes", "median length by class; p of the worst quantile"),
    ("days to the next encounter", "median gap to the next encounter of the class; p of the worst quantile"),
    ("deaths by cause", "deaths per person-year, ages weighted as in the reference"),
    ("deaths by age and sex", "deaths per person-year"),
    ("insured share of years", "share of person-years with a plan, by age, from the last birthday before 1970 on"),
    ("rows per person", "mean number of rows of a kind in a life; not standardised"),
)


@dataclass(frozen=True)
class Writer:
    """A state that wrote a code in our run, with what became of its own comparison."""

    module: str
    state: str
    rows: int
    z: float | None
    anchor: str | None


@dataclass(frozen=True)
class Series:
    """An observation: its worst stratum, and how many strata differ."""

    worst: Comparison
    n_strata: int
    n_differing: int


def render_report(parity: Parity) -> str:
    """Renders a comparison as one HTML page.

    Args:
        parity: What was found.

    Returns:
        A whole page; well-formed, so that other programs can read it too.

    Guarantees:
        The page is well-formed XML and names no other address. (tests/unit/evaluate/test_parity_report.py)
    """
    template = files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": figure, "percent": percent, "signed": signed, "words": words}
    by_measure: dict[str, list[Comparison]] = defaultdict(list)
    for each in parity.comparisons:
        by_measure[each.measure].append(each)
    codes = by_measure["events per person-year"][:SHOWN_CODES]
    anchors, entered = _state_rows(parity, by_measure["entered per person"], codes)
    return environment.from_string(template).render(
        parity=parity,
        codes=[(each, _writers(parity, each, anchors), _curve(parity, each)) for each in codes],
        n_codes=len(by_measure["events per person-year"]),
        entered=[(each, anchors[each.key["module"], each.key["state"]][0]) for each in entered],
        n_entered=len(by_measure["entered per person"]),
        transitions=by_measure["transitions"][:SHOWN_STATES],
        n_transitions=len(by_measure["transitions"]),
        series=_series(by_measure["observation values"]),
        others=[
            (
                measure,
                about,
                by_measure[measure][:SHOWN_OTHERS],
                len(by_measure[measure]),
                _n_differing(by_measure[measure]),
            )
            for measure, about in _OTHER_MEASURES
        ],
        significant=SIGNIFICANT,
    )


_Anchors = Mapping[tuple[str, str], tuple[str, Comparison]]


def _state_rows(
    parity: Parity, entered: Sequence[Comparison], codes: Sequence[Comparison]
) -> tuple[_Anchors, list[Comparison]]:
    """The worst states, and those that wrote a code that is shown; each with the name that links lead to."""
    linked = {
        (str(writer["module"]), str(writer["state"]))
        for each in codes
        for writer in parity.writers.get(_name(each), ())[:SHOWN_WRITERS]
    }
    rows = [
        each
        for number, each in enumerate(entered)
        if number < SHOWN_STATES or (each.key["module"], each.key["state"]) in linked
    ]
    anchors = {(each.key["module"], each.key["state"]): (f"state-{n}", each) for n, each in enumerate(rows)}
    return anchors, rows


def _writers(parity: Parity, code: Comparison, anchors: _Anchors) -> list[Writer]:
    result = []
    for writer in parity.writers.get(_name(code), ())[:SHOWN_WRITERS]:
        module, state, rows = str(writer["module"]), str(writer["state"]), writer["rows"]
        anchor, compared = anchors.get((module, state), (None, None))
        result.append(
            Writer(module, state, rows if isinstance(rows, int) else 0, compared.z if compared else None, anchor)
        )
    return result


def _name(code: Comparison) -> str:
    return "|".join((code.key["kind"], code.key["class"], code.key["code"]))


def _series(values: Sequence[Comparison]) -> list[Series]:
    """Observations, worst first; `values` are sorted so already."""
    groups: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for each in values:
        groups[each.key["code"], each.key["unit"]].append(each)
    return [Series(group[0], len(group), _n_differing(group)) for group in groups.values()]


def _n_differing(group: Sequence[Comparison]) -> int:
    return sum(each.q < SIGNIFICANT for each in group)


def _curve(parity: Parity, code: Comparison) -> Markup:
    sides = parity.curves.get(_name(code))
    return Markup() if sides is None else curve_svg(sides["ours"], sides["theirs"])


def curve_svg(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Markup:
    """Rates over age, women left and men right: ours as a line, the reference's as an area.

    Args:
        ours: One rate a stratum; None where nobody was observed.
        theirs: The same for the reference.
    """
    top = max([rate for rate in (*ours, *theirs) if rate is not None], default=0.0) or 1.0
    n = len(BANDS)
    parts = []
    for sex, name in enumerate(SEXES):
        left = sex * (_WIDTH + _GAP)
        part = slice(sex * n, (sex + 1) * n)
        reference = _points(theirs[part], left, top)
        if len(reference) > 1:
            area = [(reference[0][0], float(_HEIGHT)), *reference, (reference[-1][0], float(_HEIGHT))]
            parts.append(Markup('<polygon class="theirs" points="{}"/>').format(_text(area)))
        parts.append(Markup('<polyline class="ours" points="{}"/>').format(_text(_points(ours[part], left, top))))
        parts.append(Markup('<text x="{}" y="8">{}</text>').format(left + 1, name))
    size = Markup('width="{0}" height="{1}" viewBox="0 0 {0} {1}"').format(2 * _WIDTH + _GAP, _HEIGHT)
    label = f"events per person-year by age, at most {top:.3g}"
    return Markup('<svg {} role="img" aria-label="{}">{}</svg>').format(size, label, Markup().join(parts))


def _points(rates: Sequence[float | None], left: float, top: float) -> list[tuple[float, float]]:
    step = _WIDTH / (len(BANDS) - 1)
    return [
        (left + step * number, _HEIGHT - 1 - (_HEIGHT - 2) * rate / top)
        for number, rate in enumerate(rates)
        if rate is not None
    ]


def _text(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def figure(value: object) -> str:
    """A number for a table: grouped whole numbers, else three or four digits."""
    if value is None:
        return ""
    if not isinstance(value, int | float):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(value: float) -> str:
    """``96.3 %``."""
    return f"{100.0 * value:.1f} %"


def signed(value: float | None) -> str:
    """A z or a relative difference with its sign; nothing for None."""
    if value is None:
        return ""
    if abs(value) == float("inf"):
        return "+∞" if value > 0 else "-∞"
    return f"{value:+.1f}"


def words(each: Comparison) -> str:
    """What a comparison is about, from its key and label."""
    name = " ".join(value for value in each.key.values() if value)
    return f"{name} {each.label}".strip()
