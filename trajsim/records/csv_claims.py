"""What Synthea's CSV files say of money: costs beside what was done, claims, and the transactions of their lines.

A line of a claim is charged; the payer pays a part; the rest is transferred to the patient, who pays it. So every
claim is closed and nothing is outstanding.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.records.csv_payers import NO_INSURANCE
from trajsim.records.ids import payer_uuid, row_uuid
from trajsim.records.row_index import RowIndex
from trajsim.records.table import Records, text_parts

N_DIAGNOSES = 8
N_DIAGNOSIS_REFS = 4
CHARGE, PAYER_PAYS, OUT, IN, PATIENT_PAYS = range(5)
_TYPES = ("CHARGE", "PAYMENT", "TRANSFEROUT", "TRANSFERIN", "PAYMENT")
_METHODS = ("CASH", "CHECK", "CC")
_METHOD_SHIFT = np.uint64(17)
_TRANSACTION_FACTOR = np.uint64(0x9E3779B97F4A7C15)
# Synthea's numbers of departments by encounter class.
_DEPARTMENTS: Mapping[str, str] = {
    "ambulatory": "1", "outpatient": "2", "inpatient": "3", "emergency": "4", "urgentcare": "5", "hospice": "6",
    "home": "7", "snf": "8", "virtual": "9", "wellness": "10",
}  # fmt: skip
_CLAIM_TYPES: Mapping[str, str] = {"professional": "1", "institutional": "2", "pharmacy": "1"}

Integers = NDArray[np.int64]


def dollars(cents: Integers) -> pa.Array:
    """Whole cents as dollars with two decimals."""
    whole, rest = np.divmod(cents, 100)
    return pc.binary_join_element_wise(pa.array(whole).cast(pa.string()), _TWO_DIGITS.take(pa.array(rest)), ".")


_TWO_DIGITS = pa.array([f"{number:02d}" for number in range(100)])


def with_costs(records: Records, name: str, table: pa.Table) -> pa.Table:
    """A table with what its rows cost, as text; as it is where there are no claims.

    Args:
        records: Any Records.
        name: encounters, medications, procedures or immunizations.
        table: Their rows, perhaps with more columns.

    Returns:
        The table with `base_cost`; of visits and medications also with `total_cost` and `payer_coverage`, of
        medications with `dispenses` as well. Null: not billed.
    """
    lines = records["claim_lines"]
    if not records["claims"].num_rows:
        return table
    is_own = pc.equal(lines["item_table"].cast(pa.string()), name).to_numpy()
    own = np.flatnonzero(is_own)
    keys = lines["item_key"].to_numpy()[own]
    found = RowIndex(lines["patient_id"].to_numpy()[own], keys).find(
        table["patient_id"].to_numpy(), table["row_key"].to_numpy()
    )
    line = np.append(own, -1)[found]
    table = table.append_column("base_cost", _dollars_of(lines, "unit_price_cents", line))
    if name == "encounters":
        claims = records["claims"]
        visits = np.flatnonzero(claims["medication_key"].to_numpy() == 0)
        index = RowIndex(claims["patient_id"].to_numpy()[visits], claims["encounter_key"].to_numpy()[visits])
        found = index.find(table["patient_id"].to_numpy(), table["row_key"].to_numpy())
        lines, line = claims, np.append(visits, -1)[found]
    if name in ("encounters", "medications"):
        table = table.append_column("total_cost", _dollars_of(lines, "billed_cents", line))
        table = table.append_column("payer_coverage", _dollars_of(lines, "covered_cents", line))
    if name == "medications":
        table = table.append_column("dispenses", _where(line >= 0, pa.repeat("1", len(line))))
    return table


def with_totals(records: Records, table: pa.Table) -> pa.Table:
    """Patients with what care has cost them (`expenses`) and others (`coverage`), as text; null: they have no claim."""
    claims = records["claims"]
    if not claims.num_rows:
        return table
    row = pc.index_in(claims["patient_id"], value_set=table["patient_id"]).to_numpy()
    has_claims = np.bincount(row, minlength=table.num_rows) > 0
    for name, column in (("expenses", "out_of_pocket_cents"), ("coverage", "covered_cents")):
        sums = np.zeros(table.num_rows, np.int64)
        np.add.at(sums, row, claims[column].to_numpy())
        table = table.append_column(name, _where(has_claims, dollars(sums)))
    return table


def list_claims(records: Records, seed: int) -> pa.Table:
    """Claims with the columns of ``claims.csv`` that Records do not have.

    Returns:
        The table with `payer_id`, `department`, `type_number`, `diagnoses` (eight cells, joined by commas) and
        `n_diagnoses`.
    """
    claims = records["claims"]
    visit = RowIndex(records.ids_of("encounters"), records["encounters"]["row_key"].to_numpy()).find(
        claims["patient_id"].to_numpy(), claims["encounter_key"].to_numpy()
    )
    diagnoses, n_diagnoses = _diagnoses(records, visit)
    payer = pc.fill_null(claims["payer"].cast(pa.string()).combine_chunks(), NO_INSURANCE).dictionary_encode()
    uuids = pc.if_else(pc.equal(payer.dictionary, NO_INSURANCE), "", payer_uuid(seed, payer.dictionary.to_pylist()))
    columns = {
        "payer_id": pa.DictionaryArray.from_arrays(payer.indices, uuids),
        "department": _renamed(records["encounters"]["encounter_class"], _DEPARTMENTS, visit),
        "type_number": _renamed(claims["claim_type"], _CLAIM_TYPES, np.arange(claims.num_rows)),
        "diagnoses": diagnoses,
        "n_diagnoses": pa.array(n_diagnoses),
    }
    for name, column in columns.items():
        claims = claims.append_column(name, column)
    return claims


def list_transactions(records: Records, seed: int) -> pa.Table:
    """The transactions of all lines of claims, in the order of lines."""
    claims, lines = list_claims(records, seed), records["claim_lines"]
    claim = RowIndex(claims["patient_id"].to_numpy(), claims["row_key"].to_numpy()).find(
        lines["patient_id"].to_numpy(), lines["claim_key"].to_numpy()
    )
    covered, paid = (lines[f"{name}_cents"].to_numpy() for name in ("covered", "out_of_pocket"))
    insured = claims["payer"].is_valid().to_numpy()[claim] if claims.num_rows else np.zeros(0, np.bool_)
    left = insured & (paid > 0)
    happens = np.stack([np.ones(len(paid), np.bool_), covered > 0, left, left, paid > 0], axis=1)
    line, kind = np.nonzero(happens)
    rows, owner = pa.array(line), pa.array(claim[line])
    taken = lines.take(rows)
    key = taken["row_key"].to_numpy() + (kind.astype(np.uint64) + np.uint64(1)) * _TRANSACTION_FACTOR
    columns = {
        "patient_id": taken["patient_id"],
        "row_key": pa.array(key),
        "type": pa.array(np.array(_TYPES)[kind]) if len(kind) else pa.array([], pa.string()),
        "stop": claims["stop"].take(owner),
        "references": _REFERENCES.take(claims["n_diagnoses"].take(owner).combine_chunks()),
        "units": taken["quantity"],
    }
    columns |= {name: taken[name] for name in ("claim_key", "time", "code", "display")}
    columns |= {name: claims[name].take(owner) for name in ("encounter_key", "coverage_key", "department")}
    return pa.table(columns | _amounts(taken, kind, is_insured=insured[line]))


def _amounts(lines: pa.Table, kind: Integers, *, is_insured: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """What every transaction moves, how, and what is left after it."""
    billed, covered, paid = (lines[f"{name}_cents"].to_numpy() for name in ("billed", "covered", "out_of_pocket"))
    is_charge, is_moved = kind == CHARGE, (kind == OUT) | (kind == IN)
    number = _ordinals(lines["patient_id"].to_numpy())
    by_patient = (lines["row_key"].to_numpy() >> _METHOD_SHIFT).astype(np.int64) % len(_METHODS)
    method = np.select([kind == PAYER_PAYS, kind == PATIENT_PAYS], [len(_METHODS), by_patient], len(_METHODS) + 1)
    transfer = np.where(is_charge, np.where(is_insured, 1, 2), np.where(kind == IN, 2, 0))
    return {
        "number": pa.array(number),
        "amount": _where(is_charge | (kind == IN), dollars(np.where(is_charge, billed, paid))),
        "method": pa.array([*_METHODS, "ECHECK", ""]).take(pa.array(method)),
        "unit_amount": dollars(np.where(is_charge, lines["unit_price_cents"].to_numpy(), 0)),
        "transfer_out": _where(kind == IN, pa.array(number - 1).cast(pa.string())),
        "transfer_type": pa.array(["", "1", "p"]).take(pa.array(transfer)),
        "payments": dollars(np.select([kind == PAYER_PAYS, kind == PATIENT_PAYS], [covered, paid], 0)),
        "transfers": _where(is_moved, dollars(paid)),
        "outstanding": dollars(np.where((kind == PAYER_PAYS) | is_moved, paid, 0)),
    }


def member_id(seed: int, patient_id: NDArray[np.uint64], coverage_key: NDArray[np.uint64]) -> pa.Array:
    """The id of a coverage, as ``payer_transitions.csv`` has it; empty where there is none."""
    return pc.if_else(pa.array(coverage_key != 0), row_uuid(seed, patient_id, coverage_key), "")


_REFERENCES = pa.array(
    [",".join(str(n + 1) if n < known else "" for n in range(N_DIAGNOSIS_REFS)) for known in range(9)]
)


def _dollars_of(table: pa.Table, column: str, rows: Integers) -> pa.Array:
    """An amount of some rows as text; null where the row is -1."""
    cents = np.append(table[column].to_numpy(), 0)[rows]
    return _where(rows >= 0, dollars(cents))


def _where(chosen: NDArray[np.bool_], texts: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(chosen), texts, pa.scalar(None, pa.string()))


def _ordinals(patient_id: NDArray[np.uint64]) -> Integers:
    """Number of each row within its patient, from 0."""
    place = np.arange(len(patient_id))
    begins = np.ones(len(patient_id), np.bool_)
    begins[1:] = patient_id[1:] != patient_id[:-1]
    return place - np.maximum.accumulate(np.where(begins, place, 0)) if len(place) else place


def _renamed(column: pa.ChunkedArray, names: Mapping[str, str], rows: Integers) -> pa.DictionaryArray:
    """What some rows of a text column are called here; empty where the row is -1 or nothing is."""
    indices, _, dictionary = text_parts(column)
    texts = [names.get(text, "") for text in dictionary.to_pylist()]
    picked = np.append(indices, len(texts)).astype(np.int32)[rows]
    return pa.DictionaryArray.from_arrays(pa.array(picked), pa.array([*texts, ""]))


def _diagnoses(records: Records, visit: Integers) -> tuple[pa.Array, Integers]:
    """The codes of the conditions that the visit of each claim found: eight cells, and how many are filled."""
    conditions = records["conditions"]
    n_visits = records["encounters"].num_rows
    found = RowIndex(records.ids_of("encounters"), records["encounters"]["row_key"].to_numpy()).find(
        records.ids_of("conditions"), conditions["encounter_key"].to_numpy()
    )
    rows = np.flatnonzero(found >= 0)
    rows = rows[np.argsort(found[rows], kind="stable")]
    place = _ordinals(found[rows].astype(np.uint64))
    codes = conditions["code"].cast(pa.string()).combine_chunks()
    cells = []
    for number in range(N_DIAGNOSES):
        chosen = rows[place == number]
        of_visit = np.full(n_visits + 1, -1, np.int64)
        of_visit[found[chosen]] = chosen
        row = of_visit[np.where(visit < 0, n_visits, visit)]
        cells.append(codes.take(pa.array(row, mask=row < 0)).fill_null("") if len(codes) else pa.repeat("", len(row)))
    counts = np.append(np.bincount(found[rows], minlength=n_visits), 0)[np.where(visit < 0, n_visits, visit)]
    return pc.binary_join_element_wise(*cells, ","), np.minimum(counts, N_DIAGNOSES)
