"""What a comparison finds: single comparisons, promises that hold or not, and what could not be compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One number of ours beside the reference's.

    Attributes:
        level: ``states``, ``codes`` or ``values``.
        measure: What is compared (`docs/guides/parity.md`).
        key: What it is about: ``module`` and ``state``, or ``kind``, ``class``, ``code`` ...
        label: The same in words.
        ours: Our number.
        theirs: The reference's.
        n_ours: Events (or persons, entries) behind it.
        n_theirs: The same for the reference.
        z: Difference in standard errors; None for a chi-square.
        p: Two-sided.
        q: p after Benjamini-Hochberg over all comparisons of the measure.
        effect: Relative difference of rates, difference of shares, or Cramer's V of a chi-square.
        is_gated: Whether it counts for a gate.
        detail: More numbers of the measure.
    """

    level: str
    measure: str
    key: Mapping[str, str]
    label: str
    ours: float
    theirs: float
    n_ours: int
    n_theirs: int
    z: float | None
    p: float
    q: float = math.nan
    effect: float = 0.0
    is_gated: bool = True
    detail: Json = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """With keys as in `docs/guides/parity.md`; numbers to six digits."""
        return {
            "measure": self.measure,
            **self.key,
            "label": self.label,
            "ours": rounded(self.ours),
            "theirs": rounded(self.theirs),
            "n_ours": self.n_ours,
            "n_theirs": self.n_theirs,
            "z": None if self.z is None else rounded(self.z),
            "p": rounded(self.p),
            "q": rounded(self.q),
            "effect": rounded(self.effect),
            **self.detail,
        }


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A promise: a number and the limit it has to keep.

    Attributes:
        name: Short name.
        about: What is counted, in words.
        value: What was found.
        limit: What it may be.
        is_minimum: Whether the limit is the least (else the most).
        n: Comparisons behind it.
        ceiling: What the reference's own halves reach; None if unknown.
        by_chance: What 99 of 100 random splits of our own persons reach or exceed; None where that was not tried.
    """

    name: str
    about: str
    value: float
    limit: float
    is_minimum: bool
    n: int
    ceiling: float | None = None
    by_chance: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the number keeps the limit; nothing to compare keeps it."""
        if self.n == 0:
            return True
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """All fields, and `is_kept`."""
        return {
            "name": self.name,
            "about": self.about,
            "value": rounded(self.value),
            "limit": rounded(self.limit),
            "is_minimum": self.is_minimum,
            "n": self.n,
            "ceiling": None if self.ceiling is None else rounded(self.ceiling),
            "by_chance": None if self.by_chance is None else rounded(self.by_chance),
            "is_kept": self.is_kept,
        }


@dataclass(frozen=True, kw_only=True)
class KindAgreement:
    """How the codes of one kind agree.

    Attributes:
        kind: condition, medication ...
        n_codes: Codes with enough events.
        n_outside: Those beyond 2 SE.
        allowed: 99th percentile of that number when nothing is wrong (random splits of our own persons).
        ceiling: Share within 2 SE between the reference's halves; None if unknown.
        largest_z: The largest z.
    """

    kind: str
    n_codes: int
    n_outside: int
    allowed: float
    ceiling: float | None
    largest_z: float

    @property
    def share_within(self) -> float:
        """Share of codes within 2 SE."""
        return 1.0 - self.n_outside / self.n_codes if self.n_codes else 1.0

    def to_json(self) -> dict[str, object]:
        """All fields, and `share_within`."""
        return {
            "kind": self.kind,
            "n_codes": self.n_codes,
            "n_outside": self.n_outside,
            "allowed": rounded(self.allowed),
            "share_within": rounded(self.share_within),
            "ceiling": self.ceiling,
            "largest_z": rounded(self.largest_z),
        }


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A whole comparison.

    Attributes:
        about: Names and sizes of both sides, notes.
        comparisons: All of them, worst first within a measure.
        kinds: Agreement of codes, by kind.
        gates: Promises.
        writers: By ``kind|class|code``: which states wrote it in our run, most events first.
        not_compared: What the reference has and our records lack, and why.
        curves: By ``kind|class|code``: events per person-year by stratum, ours and theirs.
    """

    about: Json
    comparisons: Sequence[Comparison]
    kinds: Sequence[KindAgreement]
    gates: Sequence[Gate]
    writers: Mapping[str, Sequence[Mapping[str, object]]]
    not_compared: Sequence[Mapping[str, str]]
    curves: Mapping[str, Mapping[str, Sequence[float | None]]]

    @property
    def has_findings(self) -> bool:
        """Whether a promise is broken."""
        return any(not gate.is_kept for gate in self.gates)

    def of(self, level: str) -> list[Comparison]:
        """Comparisons of one level."""
        return [each for each in self.comparisons if each.level == level]

    def to_json(self) -> dict[str, object]:
        """Everything, with keys as in `docs/guides/parity.md`."""
        return {
            "format": "trajsim-parity-1",
            "about": dict(self.about),
            "has_findings": self.has_findings,
            "gates": [gate.to_json() for gate in self.gates],
            "kinds": [kind.to_json() for kind in self.kinds],
            **{level: [each.to_json() for each in self.of(level)] for level in ("states", "codes", "values")},
            "writers": self.writers,
            "not_compared": list(self.not_compared),
        }


def rounded(value: float) -> float | str | None:
    """Six significant digits; NaN becomes null and infinity a text, as JSON has neither."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return float(f"{value:.6g}")
