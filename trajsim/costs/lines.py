"""The rows that are billed: what each is, which price it has, how many of it, and whose claim it goes to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.costs.draws import price_uniforms
from trajsim.costs.prices import price_of, price_of_visit, price_table, unit_prices
from trajsim.errors import SchemaError
from trajsim.records.invariants import BILLED
from trajsim.records.row_index import RowIndex
from trajsim.records.table import Records, text_parts

TEXTS = ("system", "code", "display")

Integers = NDArray[np.int64]
Keys = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_DAY_US = 86_400_000_000
_DAYS_A_FILL = 30
_MOST_PIECES = 1_000_000
_DAYS_OF = {
    "seconds": 1 / 86_400, "minutes": 1 / 1_440, "hours": 1 / 24, "days": 1, "weeks": 7, "months": 30, "years": 365,
}  # fmt: skip
_BY_THE_DAY = ("visit.inpatient", "visit.snf", "visit.hospice")
_KINDS = {
    "medications": "medication", "procedures": "procedure", "observations": "observation", "reports": "report",
    "immunizations": "vaccine", "devices": "device", "supplies": "supply",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Items:
    """Rows that are billed, of one table or of all.

    Attributes:
        claim: [n] which claim each goes to.
        patient_id: [n] patients.
        table: [n] position of its table in `BILLED`.
        key: [n] its row key.
        time: [n] microseconds since 1970-01-01 UTC.
        price: [n] row of the table of prices.
        quantity: [n] how many.
        texts: System, code and display, [n] each.
    """

    claim: Integers
    patient_id: Keys
    table: Integers
    key: Keys
    time: Integers
    price: Integers
    quantity: NDArray[np.float64]
    texts: tuple[pa.DictionaryArray, ...]

    def unit_price(self, seed: int) -> Integers:
        """[n] prices of one, in cents."""
        return unit_prices(self.price, price_uniforms(seed, self.patient_id, self.key))

    def placed(self, place: Integers) -> "Items":
        """The same in the order of claims, whose new numbers are given by their old ones."""
        claim = place[self.claim]
        order = np.argsort(claim, kind="stable")
        picks = pa.array(order)
        return Items(
            claim[order], self.patient_id[order], self.table[order], self.key[order], self.time[order],
            self.price[order], self.quantity[order], tuple(text.take(picks) for text in self.texts),
        )  # fmt: skip


def gather(parts: Sequence[Items]) -> Items:
    """All parts one after the other."""
    texts = tuple(
        pa.chunked_array([part.texts[k] for part in parts]).unify_dictionaries().combine_chunks()
        for k in range(len(TEXTS))
    )
    claim, patient_id, table, key, time, price = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("claim", "patient_id", "table", "key", "time", "price")
    )
    quantity = np.concatenate([part.quantity for part in parts])
    return Items(claim, patient_id, table, key, time, price, quantity, texts)


class Finder:
    """Finds the patient and the encounter that a row belongs to."""

    def __init__(self, records: Records) -> None:
        self._ids = records.patient_ids
        self._order = np.argsort(self._ids, kind="stable")
        self._visits = RowIndex(records.ids_of("encounters"), keys_of(records, "encounters", "row_key"))

    def position(self, records: Records, table: str) -> Integers:
        """[n] position of each row's patient.

        Raises:
            SchemaError: A patient is not in the table `patients`.
        """
        own = records.ids_of(table)
        slot = np.minimum(np.searchsorted(self._ids[self._order], own), max(len(self._ids) - 1, 0))
        known = self._ids[self._order][slot] == own if len(self._ids) else np.zeros(len(own), np.bool_)
        if not known.all():
            row = int(np.argmin(known))
            msg = f"{table} row {row}: patient {own[row]} is not in table 'patients' ({len(own)} rows)"
            raise SchemaError(msg)
        return self._order[slot] if len(self._ids) else slot

    def encounters(self, records: Records, table: str) -> Integers:
        """[n] row of the encounter that each row names; -1: none."""
        return self._visits.find(records.ids_of(table), keys_of(records, table, "encounter_key"))


def keys_of(records: Records, table: str, column: str) -> Keys:
    """A column of keys."""
    keys: Keys = records[table].column(column).to_numpy()
    return keys


def times_of(records: Records, table: str, column: str = "time") -> Integers:
    """A column of times without nulls, in microseconds."""
    times: Integers = records[table].column(column).cast(pa.int64()).to_numpy()
    return times


def billed_items(records: Records, finder: Finder, pharmacy: Integers) -> Items:
    """Everything that is billed, grouped by table; the visits first.

    Args:
        records: Any Records.
        finder: Of their encounters.
        pharmacy: [medications] number of the claim of each prescription; -1: it was given on the spot. The claims of
            encounters are numbered by their rows.
    """
    parts = [_visits(records)]
    for name in BILLED[1:]:
        claim = finder.encounters(records, name)
        if name == "medications":
            claim = np.where(pharmacy >= 0, pharmacy, claim)
        rows = _Rows(records, name)
        chosen = (claim >= 0) & rows.is_billed
        if name == "observations":
            chosen &= _stands_alone(records)
        parts.append(rows.items(claim, np.flatnonzero(chosen)))
    return gather(parts)


def _visits(records: Records) -> Items:
    """The visit itself, by the day where it is a stay."""
    rows = _Rows(records, "encounters")
    spent = times_of(records, "encounters", "stop") - times_of(records, "encounters")
    days = np.maximum(-(-spent // _DAY_US), 1)
    daily = np.array([price.name in _BY_THE_DAY for price in price_table()])
    rows.quantity = np.where(daily[rows.price], days, 1).astype(np.float64)
    n = len(rows.price)
    return rows.items(np.arange(n), np.arange(n))


def _stands_alone(records: Records) -> Mask:
    """Laboratory results that no panel and no report lists."""
    is_laboratory = _by_text(records["observations"].column("category"), lambda text: int(text == "laboratory")) == 1
    alone = (keys_of(records, "observations", "panel_key") == 0) & (keys_of(records, "observations", "report_key") == 0)
    return np.asarray(is_laboratory & alone)


class _Rows:
    """The rows of one table, priced."""

    def __init__(self, records: Records, name: str) -> None:
        self._records = records
        self._name = name
        table = records[name]
        if name == "encounters":
            self.price = _by_text(table.column("encounter_class"), price_of_visit)
        else:
            kind = _KINDS[name]
            column = table.column("code" if kind == "vaccine" else "display")
            self.price = _by_text(column, lambda text: price_of(kind, text))
        self.quantity = self._quantity()

    def _quantity(self) -> NDArray[np.float64]:
        table = self._records[self._name]
        if self._name == "supplies":
            return _sane(table.column("quantity").to_numpy())
        if self._name == "medications":
            months = _by_text(table.column("prescription"), months_supplied, where_null=1)
            given = table.column("is_administered").to_numpy()
            return np.where(given, 1, months).astype(np.float64)
        return np.ones(table.num_rows)

    @property
    def is_billed(self) -> Mask:
        """Rows that are not part of the visit."""
        included = np.array([price.is_included for price in price_table()])
        return ~included[self.price]

    def items(self, claim: Integers, rows: Integers) -> Items:
        """Some of the rows."""
        table = self._records[self._name]
        return Items(
            claim=claim[rows],
            patient_id=self._records.ids_of(self._name)[rows],
            table=np.full(len(rows), BILLED.index(self._name), np.int64),
            key=keys_of(self._records, self._name, "row_key")[rows],
            time=times_of(self._records, self._name)[rows],
            price=self.price[rows],
            quantity=self.quantity[rows],
            texts=tuple(_text_of(table.column(each), rows) for each in TEXTS),
        )


def _sane(quantity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers of pieces that somebody could have handed over."""
    odd = np.flatnonzero(~((quantity >= 0.0) & (quantity <= _MOST_PIECES)))
    if len(odd):
        row = int(odd[0])
        msg = f"supplies row {row}: quantity {quantity[row]}, expected 0 to {_MOST_PIECES:,} ({len(quantity)} rows)"
        raise SchemaError(msg)
    return quantity


@cache
def months_supplied(prescription: str) -> int:
    """For how many months of 30 days a prescription supplies the patient, at least one.

    Raises:
        SchemaError: It is no JSON object.
    """
    try:
        duration = orjson.loads(prescription).get("duration") or {}
    except (orjson.JSONDecodeError, AttributeError) as error:
        msg = f"medications: prescription {prescription!r} is no JSON object"
        raise SchemaError(msg) from error
    days = float(duration.get("quantity", 0)) * _DAYS_OF.get(str(duration.get("unit", "days")), 1)
    return max(1, round(days / _DAYS_A_FILL))


def _by_text(column: pa.ChunkedArray, number: Callable[[str], int], *, where_null: int = 0) -> Integers:
    """A number a row, from its text; each text that occurs is asked for once."""
    indices, nulls, dictionary = text_parts(column)
    numbers = np.zeros(max(len(dictionary), 1), np.int64)
    for place, text in _occurring(indices if nulls is None else indices[~nulls], dictionary):
        numbers[place] = number(text)
    found = numbers[indices]
    return found if nulls is None else np.where(nulls, where_null, found)


def _occurring(indices: NDArray[np.int32], dictionary: pa.Array) -> Iterator[tuple[int, str]]:
    used = np.flatnonzero(np.bincount(indices, minlength=len(dictionary)))
    yield from zip(used.tolist(), dictionary.take(pa.array(used)).to_pylist(), strict=True)


def _text_of(column: pa.ChunkedArray, rows: Integers) -> pa.DictionaryArray:
    """Some rows of a text column, in one chunk, with a dictionary of what occurs."""
    indices, _, dictionary = text_parts(column)
    taken = indices[rows]
    used = np.flatnonzero(np.bincount(taken, minlength=len(dictionary)))
    place = np.zeros(max(len(dictionary), 1), np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(place[taken], pa.int32()), dictionary.take(pa.array(used)))
