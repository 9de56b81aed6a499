"""The table of prices, and which row of it a service takes: by kind, then by the words of its name, first match first.

Prices are US dollars of 2024 whatever the year of the service. A row has a low, a typical and a high price; a uniform
of the billed row picks one between them, half of them above the typical. What is part of a visit (a discharge, a
history taken, the room) costs nothing on its own and becomes no line of a claim.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

INCLUDED = "included"
CODE_KINDS = ("vaccine",)
"""Kinds whose words are whole codes, not parts of a name."""

_FILE = "data/prices.csv"
_TAG_OPENS, _TAG_CLOSES = " (", ")"


@dataclass(frozen=True, kw_only=True)
class Price:
    """One row of the table.

    Attributes:
        kind: What is billed: visit, procedure, report, observation, medication, device, supply, vaccine.
        name: Class of service.
        low_cents: Nobody charges less.
        typical_cents: Half of the prices lie below.
        high_cents: Nobody charges more.
        source: Short names of the sources that the three were chosen around (docs/concepts/costs.md).
        words: Lower-case parts of names that belong here (of vaccines: codes); empty: all the rest of the kind.
    """

    kind: str
    name: str
    low_cents: int
    typical_cents: int
    high_cents: int
    source: str
    words: tuple[str, ...]

    @property
    def is_included(self) -> bool:
        """Whether the service is part of the visit and not billed on its own."""
        return self.name == INCLUDED


@cache
def price_table() -> tuple[Price, ...]:
    """All rows, in the order in which they are tried."""
    text = files("trajsim.costs").joinpath(_FILE).read_text(encoding="utf-8")
    return tuple(
        Price(
            kind=row["kind"],
            name=row["class"],
            low_cents=_cents(row["low_usd"]),
            typical_cents=_cents(row["typical_usd"]),
            high_cents=_cents(row["high_usd"]),
            source=row["source"],
            words=tuple(word for word in row["words"].split("|") if word),
        )
        for row in csv.DictReader(text.splitlines())
    )


def _cents(usd: str) -> int:
    return round(float(usd) * 100)


@cache
def price_of(kind: str, wording: str) -> int:
    """The row of the table that a service takes.

    Args:
        kind: A kind of the table, other than visits.
        wording: Its name, with or without SNOMED CT's semantic tag; of a vaccine its CVX code.

    Returns:
        Position in `price_table`.
    """
    words = wording if kind in CODE_KINDS else _without_tag(wording.lower())
    for place, price in enumerate(price_table()):
        if price.kind == kind and (not price.words or _fits(words, price)):
            return place
    msg = f"no price for the kind {kind!r}"
    raise AssertionError(msg)


@cache
def price_of_visit(encounter_class: str) -> int:
    """The row of an encounter class; one that the table does not have is priced as ambulatory."""
    places = {price.name: place for place, price in enumerate(price_table()) if price.kind == "visit"}
    return places.get(f"visit.{encounter_class}", places["visit.ambulatory"])


def unit_prices(rows: NDArray[np.int64], uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Prices in whole cents.

    Args:
        rows: [n] positions in `price_table`.
        uniforms: [n] numbers in [0, 1).

    Returns:
        [n] prices: the typical one at 0.5, straight lines to the low one at 0 and to the high one at 1.
    """
    table = np.array([(row.low_cents, row.typical_cents, row.high_cents) for row in price_table()], np.float64)
    low, typical, high = table[rows].T
    price = np.where(
        uniforms < 0.5, low + (typical - low) * (2.0 * uniforms), typical + (high - typical) * (2.0 * uniforms - 1.0)
    )
    return np.asarray(np.rint(price), np.int64)


def _without_tag(name: str) -> str:
    """A name without the semantic tag in brackets at its end."""
    return name[: name.rindex(_TAG_OPENS)] if name.endswith(_TAG_CLOSES) and _TAG_OPENS in name else name


def _fits(words: str, price: Price) -> bool:
    if price.kind in CODE_KINDS:
        return words in price.words
    return any(word in words for word in price.words)
