"""A module as a picture: SVG that a clinician can read without knowing JSON.

One box a state, coloured by what it does to the patient; on every arrow the chance or the condition under which it is
taken. Long texts are cut in the picture and stand whole in the tooltip.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from trajsim.gmf.describe import describe_state, describe_transition
from trajsim.gmf.layout import Box, Layout, Link, lay_out
from trajsim.gmf.model import Module, State

_STATE_WIDTH = 208.0
_LABEL_WIDTH = 168.0
_MARGIN = 28.0
_NAME_SIZE, _TEXT_SIZE, _TYPE_SIZE, _LABEL_SIZE = 12.5, 11.0, 9.0, 10.5
_LINE = 1.28
_PAD = 9.0
_DETAIL_LINES, _LABEL_LINES = 4, 5
_MISSING = "missing"

_FAMILIES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("start and end", "#e7e9ee", "#4a5568", ("Initial", "Terminal")),
    ("visit", "#dcebfb", "#1f6fb5", ("Encounter", "EncounterEnd")),
    ("condition, allergy", "#fbe3dd", "#b9431f", ("ConditionOnset", "ConditionEnd", "AllergyOnset", "AllergyEnd")),
    ("medication", "#dff3e1", "#2b7a3b", ("MedicationOrder", "MedicationEnd")),
    (
        "procedure, care, device",
        "#eee2f7",
        "#7340a3",
        ("Procedure", "CarePlanStart", "CarePlanEnd", "ImagingStudy", "Device", "DeviceEnd", "SupplyList", "Vaccine"),
    ),
    (
        "finding, symptom",
        "#d9f2f1",
        "#0f7572",
        ("Observation", "MultiObservation", "DiagnosticReport", "VitalSign", "Symptom", "Physiology"),
    ),
    ("waiting", "#fdf1cf", "#94700b", ("Delay", "Guard")),
    ("decision, bookkeeping", "#f6f6f6", "#6b6b6b", ("Simple", "SetAttribute", "Counter")),
    ("submodule", "#e3e4fb", "#4348b5", ("CallSubmodule",)),
    ("death", "#3b3b3b", "#111111", ("Death",)),
    ("does not exist", "#ffffff", "#d00000", (_MISSING,)),
)
_COLOURS = {kind: (fill, line) for _, fill, line, kinds in _FAMILIES for kind in kinds}

_NARROW = frozenset("iljtfrI.,:;'|!()[]/ -")
_WIDE = frozenset("mwMW@%")


def draw_module(module: Module) -> str:
    """Draws one module.

    Args:
        module: Any module that could be read; targets that do not exist are drawn in red.

    Returns:
        A complete SVG document without references to anything outside it.
    """
    picture = _Picture(module)
    return picture.svg()


def text_width(text: str, size: float) -> float:
    """Width of a text in a sans-serif font, on the safe side."""
    units = sum(
        0.34 if char in _NARROW else 0.92 if char in _WIDE else 0.70 if char.isupper() else 0.58 for char in text
    )
    return units * size


def wrap(text: str, *, width: float, size: float, max_lines: int) -> list[str]:
    """Breaks a text into lines that fit; the last ends in ``…`` where the text was cut."""
    lines: list[str] = []
    line = ""
    words = [piece for word in text.split() for piece in _pieces(word, width, size)]
    for number, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size) <= width or not line:
            line = longer
            continue
        if len(lines) == max_lines - 1:
            return [*lines, _cut(" ".join([line, *words[number:]]), width, size)]
        lines.append(line)
        line = word
    return [*lines, line] if line else lines


def _pieces(word: str, width: float, size: float) -> list[str]:
    """A word too long for a line, in pieces; broken after underscores and slashes where there are any."""
    if text_width(word, size) <= width:
        return [word]
    pieces, piece = [], ""
    for char in word:
        if piece and text_width(piece + char, size) > width:
            cut = max(piece.rfind(mark) for mark in "_/-") + 1
            cut = cut if cut > len(piece) // 3 else len(piece)
            pieces.append(piece[:cut])
            piece = piece[cut:]
        piece += char
    return [*pieces, piece]


def _cut(text: str, width: float, size: float) -> str:
    used, kept = text_width("…", size), 0
    for kept, char in enumerate(text):  # noqa: B007 - how many characters fit is what the loop is for
        used += text_width(char, size)
        if used > width:
            break
    return text[:kept].rstrip() + "…"


class _Picture:
    """One picture being made."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.names: dict[str, list[str]] = {}
        self.details: dict[str, list[str]] = {}
        self.kinds: dict[str, str] = {name: type(state).__name__ for name, state in module.states.items()}
        self.labels: dict[Link, list[str]] = {}
        self.full_labels: dict[Link, str] = {}
        self._collect_arrows()
        self._collect_states()

    def _collect_arrows(self) -> None:
        words: dict[Link, list[str]] = {}
        for state in self.module.states.values():
            for arrow in describe_transition(state.transition):
                self.kinds.setdefault(arrow.target, _MISSING)
                words.setdefault((state.name, arrow.target), []).append(arrow.label)
        for link, parts in words.items():
            distinct = [part for part in dict.fromkeys(parts) if part]
            self.full_labels[link] = "; or ".join(distinct)
            lines = [
                line
                for part in distinct[:3]
                for line in wrap(part, width=_LABEL_WIDTH, size=_LABEL_SIZE, max_lines=_LABEL_LINES)
            ]
            self.labels[link] = lines if len(distinct) <= 3 else [*lines, f"or {len(distinct) - 3} more"]

    def _collect_states(self) -> None:
        inner = _STATE_WIDTH - 2 * _PAD
        for name, kind in self.kinds.items():
            details = describe_state(self.module.states[name]) if kind != _MISSING else "no such state"
            self.names[name] = wrap(name.replace("_", " "), width=inner, size=_NAME_SIZE * 1.06, max_lines=3)
            self.details[name] = wrap(details, width=inner, size=_TEXT_SIZE, max_lines=_DETAIL_LINES)

    def svg(self) -> str:
        """The document."""
        layout = self._layout()
        head, top = self._head(max(layout.width, 620.0))
        width, height = max(layout.width, 620.0) + 2 * _MARGIN, layout.height + top + _MARGIN
        shift = (width - layout.width) / 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="Helvetica, Arial, sans-serif" role="img">',
            f"<title>{_text(self.module.name)}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0,0.6 L7.6,4 L0,7.4 z" fill="#55606e"/></marker>'
            '<marker id="back" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0,0.6 L7.6,4 L0,7.4 z" fill="#a05a1c"/></marker></defs>',
            head,
            f'<g transform="translate({shift:.1f},{top:.1f})">',
            *(self._arrow(layout, link) for link in layout.routes),
            *(self._label(link, box) for link, box in layout.labels.items()),
            *(self._state(name, box) for name, box in layout.boxes.items()),
            "</g>",
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _layout(self) -> Layout:
        sizes = {name: (_STATE_WIDTH, self._state_height(name)) for name in self.kinds}
        labels = {link: _label_size(lines) for link, lines in self.labels.items()}
        return lay_out(sizes, labels, start="Initial")

    def _state_height(self, name: str) -> float:
        text = _TYPE_SIZE * _LINE + len(self.names[name]) * _NAME_SIZE * _LINE
        return 2 * _PAD - 3.0 + text + len(self.details[name]) * _TEXT_SIZE * _LINE

    # --- parts --------------------------------------------------------------------------------------------------------

    def _head(self, width: float) -> tuple[str, float]:
        """Title, remarks and legend; and how high they are."""
        parts = [_line(self.module.name, _MARGIN, 40.0, 20.0, "#1a202c", bold=True)]
        kind = "top-level module" if self.module.is_top_level else "submodule"
        about = f"{kind} {self.module.key}, {len(self.module.states)} states"
        parts.append(_line(about, _MARGIN, 58.0, 11.0, "#6b7280"))
        y = 76.0
        remarks = " ".join(remark for remark in self.module.remarks if remark.strip())
        for line in wrap(remarks, width=min(width, 900.0), size=11.5, max_lines=3):
            parts.append(_line(line, _MARGIN, y, 11.5, "#374151"))
            y += 15.0
        used = set(self.kinds.values())
        x = _MARGIN
        for title, fill, line_colour, kinds in _FAMILIES:
            if not used & set(kinds):
                continue
            step = 24.0 + text_width(title, 11.0) + 16.0
            if x + step > width + _MARGIN and x > _MARGIN:
                x, y = _MARGIN, y + 20.0
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="16" height="12" rx="3" fill="{fill}" stroke="{line_colour}"/>'
            )
            parts.append(_line(title, x + 22.0, y + 10.0, 11.0, "#374151"))
            x += step
        return "\n".join(parts), y + 44.0

    def _state(self, name: str, box: Box) -> str:
        kind = self.kinds[name]
        fill, line_colour = _COLOURS[kind]
        ink, faint = ("#ffffff", "#d6d6d6") if kind == "Death" else ("#1a202c", line_colour)
        x, y = box.x - box.width / 2, box.y - box.height / 2
        radius = box.height / 2 if kind in {"Initial", "Terminal"} else 7.0
        dash = ' stroke-dasharray="5 3"' if kind == _MISSING else ""
        shape = (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
            f'rx="{min(radius, 22.0):.1f}" fill="{fill}" stroke="{line_colour}" stroke-width="1.4"{dash}/>'
        )
        parts = [
            f'<g class="state" data-state="{escape(name)}">',
            f"<title>{_text(self._tooltip(name))}</title>",
            shape,
        ]
        if kind == "CallSubmodule":
            parts += [
                f'<line x1="{bar:.1f}" y1="{y:.1f}" x2="{bar:.1f}" y2="{y + box.height:.1f}" '
                f'stroke="{line_colour}" stroke-width="1"/>'
                for bar in (x + 5.0, x + box.width - 5.0)
            ]
        baseline = y + _PAD - 2.0 + _TYPE_SIZE * 0.8
        parts.append(_line(_type_words(kind), box.x, baseline, _TYPE_SIZE, faint, centred=True))
        baseline += _TYPE_SIZE * 0.2 + _NAME_SIZE
        for line in self.names[name]:
            parts.append(_line(line, box.x, baseline, _NAME_SIZE, ink, bold=True, centred=True))
            baseline += _NAME_SIZE * _LINE
        baseline += _TEXT_SIZE - _NAME_SIZE
        for line in self.details[name]:
            parts.append(_line(line, box.x, baseline, _TEXT_SIZE, ink, centred=True))
            baseline += _TEXT_SIZE * _LINE
        return "\n".join([*parts, "</g>"])

    def _tooltip(self, name: str) -> str:
        state: State | None = self.module.states.get(name)
        if state is None:
            return f"{name}: no such state"
        details = describe_state(state)
        lines = [f"{type(state).__name__} {name}", *([details] if details else []), *state.remarks]
        return "\n".join(lines)

    def _label(self, link: Link, box: Box) -> str:
        x, y = box.x - box.width / 2, box.y - box.height / 2
        parts = [
            f'<g class="label"><title>{_text(self.full_labels[link])}</title>',
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4" fill="#ffffff" '
            'stroke="#d5d9e0" stroke-width="0.8"/>',
        ]
        baseline = y + 3.0 + _LABEL_SIZE * 0.88
        for line in self.labels[link]:
            parts.append(_line(line, box.x, baseline, _LABEL_SIZE, "#2d3748", centred=True))
            baseline += _LABEL_SIZE * _LINE
        return "\n".join([*parts, "</g>"])

    def _arrow(self, layout: Layout, link: Link) -> str:
        is_back = link in layout.turns
        path = route_path(layout, link)
        colour, tip = ("#a05a1c", "back") if is_back else ("#55606e", "tip")
        title = f"{link[0]} → {link[1]}"
        if self.full_labels[link]:
            title += f": {self.full_labels[link]}"
        return (
            f'<path class="arrow" d="{path}" fill="none" stroke="{colour}" stroke-width="1.2" '
            f'marker-end="url(#{tip})"><title>{_text(title)}</title></path>'
        )


def route_path(layout: Layout, link: Link) -> str:
    """The SVG path of an arrow: straight through ranks, curved between them."""
    source, target = layout.boxes[link[0]], layout.boxes[link[1]]
    path = _Path(source.x, source.y + source.height / 2)
    route = layout.routes[link]
    if link not in layout.turns:
        for box in route:
            path.down(box.x, box.y - box.height / 2)
            path.line(box.x, box.y + box.height / 2)
        path.down(target.x, target.y - target.height / 2)
        return path.text()
    below, *climb, above = route
    path.turn(below.x, below.y - below.height / 2, climb[0].x, climb[0].y + climb[0].height / 2, bulge=1.0)
    for box, following in pairwise(climb):
        path.line(box.x, box.y - box.height / 2)
        path.down(following.x, following.y + following.height / 2)
    path.line(climb[-1].x, climb[-1].y - climb[-1].height / 2)
    path.turn(above.x, above.y, target.x, target.y - target.height / 2, bulge=-1.0)
    return path.text()


class _Path:
    """An SVG path that goes straight up and down at its points and curves between them."""

    def __init__(self, x: float, y: float) -> None:
        self.parts = [f"M{x:.1f},{y:.1f}"]
        self.x, self.y = x, y

    def line(self, x: float, y: float) -> None:
        """A straight line."""
        if (x, y) != (self.x, self.y):
            self.parts.append(f"L{x:.1f},{y:.1f}")
            self.x, self.y = x, y

    def down(self, x: float, y: float) -> None:
        """A curve that leaves and arrives upright."""
        if abs(x - self.x) < 0.5:
            self.line(x, y)
            return
        middle = (self.y + y) / 2
        self.parts.append(f"C{self.x:.1f},{middle:.1f} {x:.1f},{middle:.1f} {x:.1f},{y:.1f}")
        self.x, self.y = x, y

    def turn(self, over: float, turn_y: float, x: float, y: float, *, bulge: float) -> None:
        """A curve to a turning point and back in the other direction; `bulge` is 1 below and -1 above."""
        side = -5.0 if self.x <= x else 5.0
        self.down(over + side, turn_y - 6.0 * bulge)
        depth = turn_y + 2.0 * bulge
        self.parts.append(
            f"C{over + side:.1f},{depth:.1f} {over - side:.1f},{depth:.1f} {over - side:.1f},{self.y:.1f}"
        )
        self.x = over - side
        self.down(x, y)

    def text(self) -> str:
        """The value of the ``d`` attribute."""
        return " ".join(self.parts)


def _label_size(lines: Sequence[str]) -> tuple[float, float]:
    if not lines:
        return 0.0, 0.0
    return max(text_width(line, _LABEL_SIZE) for line in lines) + 12.0, len(lines) * _LABEL_SIZE * _LINE + 5.0


def _type_words(kind: str) -> str:
    words = "".join(f" {char}" if char.isupper() and index else char for index, char in enumerate(kind))
    return words.upper()


def _line(text: str, x: float, y: float, size: float, colour: str, *, bold: bool = False, centred: bool = False) -> str:
    anchor = ' text-anchor="middle"' if centred else ""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{weight}{anchor}>{_text(text)}</text>'


def _text(text: str) -> str:
    """Escaped, and without the control characters that XML cannot hold."""
    return escape("".join(char for char in text if char >= " " or char in "\n\t"), quote=False)
