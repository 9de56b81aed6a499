"""Claims and their lines: one claim an encounter, one a prescription that was dispensed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.costs.lines import TEXTS, Finder, Integers, Items, Keys, billed_items, keys_of, times_of
from trajsim.costs.plans import Terms, terms_of
from trajsim.costs.prices import price_table
from trajsim.costs.shares import Shares, share
from trajsim.records.coverages import last_coverage
from trajsim.records.invariants import BILLED
from trajsim.records.schema import TIME
from trajsim.records.table import Records, empty_table, schema_of, text_parts

_CLAIM_XOR = np.uint64(0x7F4A91C3D6E802B5)
_LINE_XOR = np.uint64(0x3C6EF372FE94F82B)

CLAIM_TYPES = ("professional", "institutional", "pharmacy")
_PROFESSIONAL, _INSTITUTIONAL, _PHARMACY = range(3)
_NEVER = np.iinfo(np.int64).max
_BILLED_TABLES = ("encounters", "medications")
_INSTITUTIONAL_CLASSES = ("inpatient", "emergency", "snf", "hospice", "outpatient")
_FREE = ("visit.wellness", "questionnaire")
_FREE_KINDS = ("vaccine",)


def with_claims(records: Records, *, seed: int) -> Records:
    """Adds the tables `claims` and `claim_lines`; Records that have claims stay as they are.

    Args:
        records: Whole lives: what a plan pays depends on what the patient has paid since the year began.
        seed: Run seed, which prices depend on.

    Returns:
        The same Records with claims.

    Raises:
        SchemaError: A row's patient is unknown, or a coverage is of an unknown kind.

    Guarantees:
        Every encounter has a claim, and every prescription that was not given on the spot.
        What is billed is covered or paid by the patient; nobody covers what no coverage does.
        (tests/unit/costs/test_claims.py)
        Claims of a patient depend on seed and patient alone. (tests/property/test_claims.py)
    """
    if records["claims"].num_rows:
        return records
    claims = _Claims(records)
    if not claims.n:
        return records
    items = billed_items(records, claims.finder, claims.of_prescription)
    items = items.placed(claims.place)
    unit_price = items.unit_price(seed)
    billed = np.rint(unit_price * items.quantity).astype(np.int64)
    shares = claims.share(items, billed)
    amounts = {
        "billed_cents": billed,
        "covered_cents": shares.covered,
        "out_of_pocket_cents": shares.out_of_pocket,
        "deductible_cents": shares.deductible,
    }
    lines = _lines(items, claims.key[items.claim], unit_price, amounts)
    return Records({**records.tables, "claims": claims.table(items, amounts), "claim_lines": lines})


def without_claims(records: Records) -> Records:
    """The same Records, their claims left out."""
    if not records["claims"].num_rows:
        return records
    return Records({**records.tables, "claims": empty_table("claims"), "claim_lines": empty_table("claim_lines")})


class _Claims:
    """The claims of some patients, in the order of patients and time."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.finder = Finder(records)
        n_visits = records["encounters"].num_rows
        given = records["medications"].column("is_administered").to_numpy().astype(np.bool_)
        prescribed = np.flatnonzero(~given)
        self.n = n_visits + len(prescribed)
        self.of_prescription = np.full(len(given), -1, np.int64)
        self.of_prescription[prescribed] = np.arange(n_visits, self.n)
        rows = np.concatenate([np.arange(n_visits), prescribed])
        is_dispense = np.arange(self.n) >= n_visits

        def picked(encounters: NDArray[Any], medications: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([encounters, medications[prescribed]])

        position = picked(*(self.finder.position(records, name) for name in _BILLED_TABLES))
        time = picked(*(times_of(records, name) for name in _BILLED_TABLES))
        order = np.lexsort((time, position))  # stable: visits before what they prescribe
        self.place = np.empty(self.n, np.int64)
        self.place[order] = np.arange(self.n)
        self.is_dispense = is_dispense[order]
        self.row = rows[order]
        self.patient_id: Keys = picked(*(records.ids_of(name) for name in _BILLED_TABLES))[order]
        self.billed_key: Keys = picked(*(keys_of(records, name, "row_key") for name in _BILLED_TABLES))[order]
        self.time: Integers = time[order]
        self.stop = picked(times_of(records, "encounters", "stop"), times_of(records, "medications"))[order]
        self.coverage = self._coverage()

    @property
    def key(self) -> Keys:
        """Their row keys."""
        return self.billed_key ^ _CLAIM_XOR

    def _coverage(self) -> Integers:
        """The coverage that pays, by its row; -1: nobody."""
        found = last_coverage(self._records, pa.chunked_array([pa.array(self.patient_id)]), self.time)
        coverages = self._records["coverages"]
        if not coverages.num_rows:
            return found
        pays = coverages.column("payer").is_valid().to_numpy()
        stop = coverages.column("stop").cast(pa.int64()).fill_null(_NEVER).to_numpy()
        return np.where((found >= 0) & pays[found] & (self.time <= stop[found]), found, -1)

    def share(self, items: Items, billed: Integers) -> Shares:
        """Shares the prices of their lines."""
        plans, of_coverage = _plans(self._records)
        year = self.time.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64)
        group = np.stack([self.patient_id, self.coverage.astype(np.uint64), year.astype(np.uint64)])
        begins = np.ones(len(billed), np.bool_)
        begins[1:] = np.any(group[:, items.claim[1:]] != group[:, items.claim[:-1]], axis=0)
        terms = np.append(of_coverage, -1)[self.coverage]
        free = np.array([price.name in _FREE or price.kind in _FREE_KINDS for price in price_table()])
        return share(billed, begins=begins, terms=terms[items.claim], is_free=free[items.price], plans=plans)

    def table(self, items: Items, amounts: Mapping[str, Integers]) -> pa.Table:
        """The table `claims`."""
        first = np.flatnonzero(np.r_[True, items.claim[1:] != items.claim[:-1]])
        coverages = self._records["coverages"]
        nobody = self.coverage < 0
        coverage_key = np.zeros(self.n, np.uint64)
        coverage_key[~nobody] = keys_of(self._records, "coverages", "row_key")[self.coverage[~nobody]]
        made = {
            "patient_id": pa.array(self.patient_id),
            "row_key": pa.array(self.key),
            "encounter_key": pa.array(self._encounter_key()),
            "medication_key": pa.array(np.where(self.is_dispense, self.billed_key, np.uint64(0))),
            "coverage_key": pa.array(coverage_key),
            "time": pa.array(self.time).view(TIME),
            "stop": pa.array(self.stop).view(TIME),
            "claim_type": pa.DictionaryArray.from_arrays(pa.array(self._types(), pa.int32()), pa.array(CLAIM_TYPES)),
            "payer": _text_where(coverages.column("payer"), self.coverage),
            "plan": _text_where(coverages.column("plan"), self.coverage),
        } | {name: pa.array(np.add.reduceat(amount, first)) for name, amount in amounts.items()}
        return _table("claims", made)

    def _encounter_key(self) -> Keys:
        asked = keys_of(self._records, "medications", "encounter_key")
        if not len(asked):
            return self.billed_key
        return np.where(self.is_dispense, asked[np.where(self.is_dispense, self.row, 0)], self.billed_key)

    def _types(self) -> NDArray[np.int32]:
        indices, _, dictionary = text_parts(self._records["encounters"].column("encounter_class"))
        known = np.array(
            [_INSTITUTIONAL if text in _INSTITUTIONAL_CLASSES else _PROFESSIONAL for text in dictionary.to_pylist()]
            or [_PROFESSIONAL],
            np.int32,
        )
        of_visit = np.append(known[indices], _PHARMACY).astype(np.int32)
        return of_visit[np.where(self.is_dispense, -1, self.row)]


def _plans(records: Records) -> tuple[list[Terms], Integers]:
    """The terms of the plans that occur, and which of them every coverage has (0 where nobody pays)."""
    table = records["coverages"]
    columns = (table.column(name).cast(pa.string()).to_pylist() for name in ("payer", "kind", "plan"))
    known: dict[Terms, int] = {}
    numbers = [
        known.setdefault(terms_of(kind, plan), len(known)) if payer else 0
        for payer, kind, plan in zip(*columns, strict=True)
    ]
    return list(known), np.array(numbers, np.int64)


def _lines(items: Items, claim_key: Keys, unit_price: Integers, amounts: Mapping[str, Integers]) -> pa.Table:
    """The table `claim_lines`."""
    made = {
        "patient_id": pa.array(items.patient_id),
        "row_key": pa.array(items.key ^ _LINE_XOR),
        "claim_key": pa.array(claim_key),
        "item_table": pa.DictionaryArray.from_arrays(pa.array(items.table.astype(np.int32)), pa.array(BILLED)),
        "item_key": pa.array(items.key),
        "time": pa.array(items.time).view(TIME),
        "quantity": pa.array(items.quantity),
        "unit_price_cents": pa.array(unit_price),
    } | dict(zip(TEXTS, items.texts, strict=True))
    return _table("claim_lines", made | {name: pa.array(amount) for name, amount in amounts.items()})


def _table(name: str, made: Mapping[str, pa.Array]) -> pa.Table:
    schema = schema_of(name)
    return pa.Table.from_arrays([made[column] for column in schema.names], schema=schema)


def _text_where(column: pa.ChunkedArray, rows: Integers) -> pa.DictionaryArray:
    """The text of some rows; null where the row is -1."""
    indices, nulls, dictionary = text_parts(column)
    absent = rows < 0
    if len(indices):
        if nulls is not None:
            absent = absent | nulls[rows]
        taken = np.where(absent, 0, indices[rows]).astype(np.int32)
    else:
        taken = np.zeros(len(rows), np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(taken, pa.int32(), mask=absent), dictionary)
