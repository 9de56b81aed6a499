"""What must hold in any Records, simulated or real.

`check_records` finds every breach and says where; `require_valid` raises. Nothing here knows where the rows came from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.records.schema import EVENT_TABLES, TABLES
from trajsim.records.table import TABLE_NAMES, Records

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

_DAY_US = 86_400_000_000

BILLED = (
    "encounters", "medications", "procedures", "observations", "reports", "immunizations", "devices", "supplies",
)  # fmt: skip
ENTRIES = ("conditions", "allergies", "medications", "careplans", "procedures", "devices")

# Which tables a key may point into.
REFERENCES: Mapping[str, tuple[str, ...]] = {
    "encounter_key": ("encounters",),
    "reason_key": ENTRIES,
    "cause_key": ENTRIES,
    "panel_key": ("observations",),
    "report_key": ("reports",),
    "medication_key": ("medications",),
    "coverage_key": ("coverages",),
    "claim_key": ("claims",),
    "item_key": BILLED,
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One breach of one invariant in one column.

    Attributes:
        invariant: Its name: ``order``, ``life``, ``stop``, ``reference``, ``unique``, ``finite``, ``death``, ``panel``,
            ``coverage``, ``money``.
        table: Where.
        column: Which column.
        n_rows: How many rows break it.
        first_row: The first of them.
        patient_id: Whose row that is.
        message: The rule, in words.
    """

    invariant: str
    table: str
    column: str
    n_rows: int
    first_row: int
    patient_id: int
    message: str

    def render(self) -> str:
        """One line."""
        return (
            f"{self.table}.{self.column}: {self.message}: {self.n_rows} rows, the first is row {self.first_row} "
            f"of patient {self.patient_id} [{self.invariant}]"
        )


def check_records(records: Records) -> list[Problem]:
    """Checks every invariant.

    Args:
        records: Any Records. Columns, types and nulls were checked when they were made.

    Returns:
        All breaches, one a table, column and rule; empty if there are none.
    """
    checked = _Checked(records)
    problems = [problem for check in _CHECKS for problem in check(checked)]
    return sorted(problems, key=lambda each: (TABLE_NAMES.index(each.table), each.invariant, each.column))


def require_valid(records: Records) -> Records:
    """Checks every invariant and raises if one is broken.

    Args:
        records: Any Records.

    Returns:
        The same Records.

    Raises:
        SchemaError: With one line a breach.
    """
    problems = check_records(records)
    if problems:
        msg = "\n".join([f"{len(problems)} invariants of Records broken", *(each.render() for each in problems)])
        raise SchemaError(msg)
    return records


class _Checked:
    """Records as NumPy columns, and the position of each row's patient."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.patient_ids = records.patient_ids

    def column(self, table: str, name: str) -> NDArray[np.generic]:
        """A numeric column."""
        values: NDArray[np.generic] = self.records[table].column(name).to_numpy()
        return values

    def times(self, table: str, name: str) -> tuple[Numbers, Mask]:
        """A column of times in microseconds, and where it is not null."""
        column = self.records[table].column(name)
        known: Mask = column.is_valid().to_numpy()
        values: Numbers = column.cast(pa.int64()).fill_null(0).to_numpy()
        return values, known

    @cached_property
    def _order(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        order = np.argsort(self.patient_ids, kind="stable")
        return self.patient_ids[order], order

    @cached_property
    def positions(self) -> dict[str, Numbers]:
        """Position of each row's patient in `patients`, -1 if there is none; by table."""
        ids, order = self._order
        found = {}
        for table in TABLE_NAMES:
            own = self.records.ids_of(table)
            new = np.ones(len(own), np.bool_)
            new[1:] = own[1:] != own[:-1]
            run = own[new]
            slot = np.minimum(np.searchsorted(ids, run), max(len(ids) - 1, 0))
            known = ids[slot] == run if len(ids) else np.zeros(len(run), np.bool_)
            position = np.where(known, order[slot] if len(ids) else -1, -1)
            found[table] = position[np.cumsum(new) - 1] if len(own) else np.zeros(0, np.int64)
        return found

    @cached_property
    def pairs(self) -> dict[str, NDArray[np.uint64]]:
        """Digests of (patient, row_key) of every row; by table."""
        return {table: self.digests(table, "row_key") for table in EVENT_TABLES}

    @cached_property
    def keys(self) -> dict[str, NDArray[np.uint64]]:
        """The same, sorted."""
        return {table: np.sort(pairs) for table, pairs in self.pairs.items()}

    def digests(self, table: str, name: str) -> NDArray[np.uint64]:
        """A 64-bit digest of (patient, key) of every row: equal pairs give equal digests, others as good as never."""
        return _mixed(_mixed(self.records.ids_of(table)) ^ self.column(table, name).astype(np.uint64))

    def problem(self, invariant: str, table: str, column: str, broken: Mask, message: str) -> Iterator[Problem]:
        """A problem if any row is broken."""
        if broken.any():
            first = int(np.argmax(broken))
            yield Problem(
                invariant=invariant,
                table=table,
                column=column,
                n_rows=int(np.count_nonzero(broken)),
                first_row=first,
                patient_id=int(self.records.ids_of(table)[first]),
                message=message,
            )


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64, a bijection of 64-bit words that looks random (Steele, Lea, Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _order(checked: _Checked) -> Iterator[Problem]:
    ids = checked.patient_ids
    again = np.ones(len(ids), np.bool_)
    again[np.unique(ids, return_index=True)[1]] = False
    yield from checked.problem("unique", "patients", "patient_id", again, "the same patient more than once")
    for table, position in checked.positions.items():
        yield from checked.problem("reference", table, "patient_id", position < 0, "no such patient in table patients")
        back = np.zeros(len(position), np.bool_)
        back[1:] = position[1:] < position[:-1]
        yield from checked.problem(
            "order", table, "patient_id", back & (position >= 0), "rows are not contiguous in the order of the patients"
        )


def _unique(checked: _Checked) -> Iterator[Problem]:
    pairs = np.sort(np.concatenate([checked.keys[table] for table in EVENT_TABLES]))
    repeated = np.unique(pairs[1:][pairs[1:] == pairs[:-1]])
    if not len(repeated):
        return
    for table in EVENT_TABLES:
        broken = np.isin(checked.pairs[table], repeated, kind="sort")  # NumPy 2.0 overflows on large keys otherwise
        yield from checked.problem("unique", table, "row_key", broken, "the same row_key twice within a patient")


def _life(checked: _Checked) -> Iterator[Problem]:
    birth, _ = checked.times("patients", "birth_time")
    last, _ = checked.times("patients", "last_time")
    death, dead = checked.times("patients", "death_time")
    yield from checked.problem("life", "patients", "death_time", dead & (death < birth), "death before birth")
    yield from checked.problem("life", "patients", "last_time", last < birth, "end of observation before birth")
    yield from checked.problem(
        "life", "patients", "last_time", dead & (last != death), "a dead patient is observed until the death"
    )
    limit = np.where(dead, death, np.iinfo(np.int64).max)
    for table, position in checked.positions.items():
        for column in ("time", "stop"):
            if column not in TABLES[table] or not len(birth):
                continue
            times, known = checked.times(table, column)
            known = known & (position >= 0)
            yield from checked.problem("life", table, column, known & (times < birth[position]), "before birth")
            yield from checked.problem("life", table, column, known & (times > limit[position]), "after death")


def _stops(checked: _Checked) -> Iterator[Problem]:
    for table in EVENT_TABLES:
        if "stop" in TABLES[table]:
            start, _ = checked.times(table, "time")
            stop, known = checked.times(table, "stop")
            yield from checked.problem("stop", table, "stop", known & (stop < start), "stop before start")


def _deaths(checked: _Checked) -> Iterator[Problem]:
    death, dead = checked.times("patients", "death_time")
    position = checked.positions["deaths"]
    known = position >= 0
    listed = np.zeros(len(dead), np.bool_)
    listed[position[known]] = True
    yield from checked.problem("death", "patients", "death_time", dead & ~listed, "no row in table deaths")
    time, _ = checked.times("deaths", "time")
    if len(death):
        other = known & (~dead[position] | (death[position] != time))
        yield from checked.problem("death", "deaths", "time", other, "not the death_time of the patient")
    again = np.zeros(len(position), np.bool_)
    again[1:] = position[1:] == position[:-1]
    yield from checked.problem("unique", "deaths", "patient_id", again, "a second death of the same patient")


def _references(checked: _Checked) -> Iterator[Problem]:
    for table in TABLE_NAMES:
        for column, targets in REFERENCES.items():
            if column not in TABLES[table]:
                continue
            given = checked.column(table, column) != 0
            if not given.any():
                continue
            pairs = checked.digests(table, column)
            found = np.zeros(len(pairs), np.bool_)
            for target in targets:
                open_ = np.flatnonzero(given & ~found)
                found[open_] = _contains(checked.keys[target], pairs[open_])
            message = f"no such row of the patient in {', '.join(targets)}"
            yield from checked.problem("reference", table, column, given & ~found, message)


def _contains(keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Mask:
    """Whether each wanted value is among sorted keys."""
    if not len(keys):
        return np.zeros(len(wanted), np.bool_)
    found: Mask = keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
    return found


def _panels(checked: _Checked) -> Iterator[Problem]:
    panel = checked.column("observations", "panel_key")
    is_panel = checked.records["observations"].column("is_panel").to_numpy()
    panels = np.sort(checked.pairs["observations"][is_panel])
    inside = panel != 0
    broken = inside.copy()
    broken[inside] = ~_contains(panels, checked.digests("observations", "panel_key")[inside])
    yield from checked.problem("panel", "observations", "panel_key", broken, "names a row that is no panel")
    yield from checked.problem("panel", "observations", "is_panel", is_panel & inside, "a panel inside a panel")


def _coverages(checked: _Checked) -> Iterator[Problem]:
    """From the first coverage on there is always exactly one; before it nothing is known (real data may begin late)."""
    position = checked.positions["coverages"]
    if not len(position):
        return
    start, _ = checked.times("coverages", "time")
    stop, stopped = checked.times("coverages", "stop")
    follows = np.zeros(len(position), np.bool_)
    follows[1:] = (position[1:] == position[:-1]) & (position[1:] >= 0)
    before = np.roll(stop, 1)
    early = follows & (~np.roll(stopped, 1) | (before > start))
    yield from checked.problem("coverage", "coverages", "time", early, "begins before the one before it ends")
    late = follows & np.roll(stopped, 1) & (before < start)
    yield from checked.problem("coverage", "coverages", "time", late, "begins later than the one before it ends")
    is_last = ~np.append(follows[1:], np.False_) & (position >= 0)
    last, _ = checked.times("patients", "last_time")
    _, dead = checked.times("patients", "death_time")
    if len(last):
        endless = is_last & dead[position] & ~stopped
        yield from checked.problem("coverage", "coverages", "stop", endless, "still in force after death")
        short = is_last & stopped & (stop // _DAY_US < last[position] // _DAY_US)
        yield from checked.problem("coverage", "coverages", "stop", short, "nothing follows before the last day")


def _money(checked: _Checked) -> Iterator[Problem]:
    """What is billed is covered or paid by the patient, and nobody covers what no coverage does."""
    for table in ("claims", "claim_lines"):
        billed, covered, paid, deductible = (
            checked.column(table, f"{name}_cents").astype(np.int64)
            for name in ("billed", "covered", "out_of_pocket", "deductible")
        )
        negative = (covered < 0) | (paid < 0) | (deductible < 0)
        yield from checked.problem("money", table, "billed_cents", negative, "an amount below 0")
        other = billed != covered + paid
        yield from checked.problem("money", table, "billed_cents", other, "not what is covered and paid")
        more = deductible > paid
        yield from checked.problem("money", table, "deductible_cents", more, "more than the patient pays")
    gift = checked.records["claims"].column("payer").is_null().to_numpy()
    gift = gift & (checked.column("claims", "covered_cents").astype(np.int64) > 0)
    yield from checked.problem("money", "claims", "covered_cents", gift, "covered although nobody pays")
    order = np.argsort(checked.pairs["claims"], kind="stable")
    known = checked.pairs["claims"][order]
    owners = checked.digests("claim_lines", "claim_key")
    place = np.minimum(np.searchsorted(known, owners), max(len(known) - 1, 0))
    found = known[place] == owners if len(known) else np.zeros(len(owners), np.bool_)
    for name in ("billed_cents", "covered_cents", "out_of_pocket_cents", "deductible_cents"):
        sums = np.zeros(len(known), np.int64)
        np.add.at(sums, place[found], checked.column("claim_lines", name).astype(np.int64)[found])
        broken = np.zeros(len(known), np.bool_)
        broken[order] = sums != checked.column("claims", name).astype(np.int64)[order]
        yield from checked.problem("money", "claims", name, broken, "not the sum of its lines")


def _finite(checked: _Checked) -> Iterator[Problem]:
    for table, columns in TABLES.items():
        for name, column in columns.items():
            if pa.types.is_floating(column.type):
                values = checked.records[table].column(name).fill_null(0.0).to_numpy()
                yield from checked.problem("finite", table, name, ~np.isfinite(values), "not a finite number")


_CHECKS: tuple[Callable[[_Checked], Iterator[Problem]], ...] = (
    _order, _unique, _life, _stops, _deaths, _references, _panels, _coverages, _money, _finite,
)  # fmt: skip
