"""From the tables of some patients to the rows that the writer reads; all in whole columns, nothing row by row.

Every resource (and every element of a list, such as a component) is a *row* with a number that is unique in the shard.
Rows of one kind form a *section*; a row's cells say which template it takes and what goes into the slots. References
are row numbers, so that they resolve by construction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from fhir_export import writer
from fhir_export.columns import Columns, Encoded, combined
from fhir_export.exportable import not_exportable, require_exportable
from fhir_export.ids import PATIENT_KEY, SHARED_PATIENT, id_key
from fhir_export.templates import Family, Templates, Texts
from fhir_export.us_states import offset_minutes
from trajsim.errors import SchemaError
from trajsim.records.table import Records

TEMPLATE, PATIENT = 0, 1  # the first cells of every row
NONE = -1

Integers = NDArray[np.int64]


@dataclass(eq=False)
class Section:
    """Rows of one kind: where they stand, whose they are, where each patient's begin and stop; then their cells.

    Rows of a shared section stand for resources that other patients have as well: each patient has a row of its own,
    but the ids depend on the row keys alone, and a set of lines holds each once.
    """

    name: str
    resource_type: str | None
    base: int
    width: int
    patient: Integers
    keys: NDArray[np.uint64]
    starts: Integers
    stops: Integers
    is_shared: bool = False
    cells: Integers = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    @property
    def n_rows(self) -> int:
        """How many rows."""
        return len(self.keys)

    @property
    def rows(self) -> Integers:
        """Their numbers in the shard."""
        return np.arange(self.base, self.base + self.n_rows, dtype=np.int64)


@dataclass(frozen=True)
class Kind:
    """How one table becomes resources.

    Attributes:
        resource_type: FHIR's name.
        table: The table of Records.
        width: Cells of a row.
        fill: Fills the cells of its sections.
        plan: Adds the sections; absent: one section with a row for each row of the table.
    """

    resource_type: str
    table: str
    width: int
    fill: Callable[["Shard"], None]
    plan: Callable[["Shard"], None] | None = None


class Shard:
    """The rows of some patients while they are being made, and then for the writer."""

    def __init__(
        self, records: Records, kinds: Sequence[Kind], *, seed: int, templates: Templates, texts: Texts
    ) -> None:
        self.records = records
        self.templates = templates
        self.texts = texts
        self.local = Texts()
        self.sections: dict[str, Section] = {}
        self.lookups: dict[str, Integers] = {}  # what one kind plans and others need
        self._columns: dict[str, Columns] = {}
        self._known: dict[tuple[Any, ...], Integers] = {}  # what several kinds ask for
        self._key = id_key(seed)
        self._children: list[Integers] = []
        self._n_children = 0
        self._n_rows = 0
        require_exportable(records, self.columns)
        self.patient_ids = self.columns("patients").keys("patient_id")
        states = self.columns("patients").text("state")
        self.offsets = np.array([offset_minutes(state) for state in states.values], np.int64)[states.indices]
        for kind in kinds:
            if kind.plan is not None:
                kind.plan(self)
            else:
                self.add_table(kind)
        self.is_part = np.zeros(self._n_rows, np.bool_)
        self.ids = self._make_ids()
        self._cells = self._make_cells()
        for kind in kinds:
            kind.fill(self)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def columns(self, table: str) -> Columns:
        """The columns of a table."""
        if table not in self._columns:
            self._columns[table] = Columns(self.records[table])
        return self._columns[table]

    def add_table(self, kind: Kind) -> Section:
        """A section with a row for each row of a kind's table."""
        columns = self.columns(kind.table)
        row_patients = columns.keys("patient_id")
        if kind.table == "patients":
            keys = np.full(len(row_patients), PATIENT_KEY, np.uint64)
        else:
            keys = columns.keys("row_key")
        return self.add(kind.table, kind.resource_type, kind.width, row_patients, keys)

    def add(
        self,
        name: str,
        resource_type: str | None,
        width: int,
        row_patients: NDArray[np.uint64],
        keys: NDArray[np.uint64],
        *,
        is_shared: bool = False,
    ) -> Section:
        """A section of rows.

        Args:
            name: Unique name.
            resource_type: FHIR's name; None: its rows stand only inside others.
            width: Cells of a row.
            row_patients: [n] patient ids, contiguous by patient.
            keys: [n] row keys.
            is_shared: Whether the rows stand for resources that other patients have as well.

        Raises:
            SchemaError: A row's patient is unknown, or a patient's rows are not contiguous.
        """
        n_patients = len(self.patient_ids)
        patient = np.zeros(len(keys), np.int64)
        starts, stops = np.zeros(n_patients, np.int64), np.zeros(n_patients, np.int64)
        fault = writer.find_patients(row_patients, self.patient_ids, patient, starts, stops)
        if fault >= 0:
            msg = (
                f"{name} row {fault}: patient {row_patients[fault]} is not in table 'patients', or has rows in two "
                f"places, expected known patients with contiguous rows ({len(keys)} rows)"
            )
            raise SchemaError(msg)
        section = Section(name, resource_type, self._n_rows, width, patient, keys, starts, stops, is_shared)
        self.sections[name] = section
        self._n_rows += section.n_rows
        return section

    def _make_cells(self) -> Integers:
        """One array for the writer, of which every section sees its part."""
        cells = np.full(sum(section.n_rows * section.width for section in self.sections.values()), NONE, np.int64)
        at = 0
        for section in self.sections.values():
            size = section.n_rows * section.width
            section.cells = cells[at : at + size].reshape(section.n_rows, section.width)
            section.cells[:, PATIENT] = section.patient
            at += size
        return cells

    def _make_ids(self) -> NDArray[np.uint8]:
        ids = np.empty(self._n_rows * writer.ID_LENGTH, np.uint8)
        low, high = (np.uint64(word) for word in self._key)
        for section in self.sections.values():
            out = ids[section.base * writer.ID_LENGTH : (section.base + section.n_rows) * writer.ID_LENGTH]
            owners = self.patient_ids[section.patient]
            if section.is_shared:
                owners = np.full(section.n_rows, SHARED_PATIENT, np.uint64)
            writer.fill_ids(section.keys, owners, low, high, out)
        return ids

    def words(self, section: Section, xor: int) -> NDArray[np.uint64]:
        """One number a row that looks random and depends on seed, patient and row key alone."""
        out = np.empty(section.n_rows, np.uint64)
        low, high = (np.uint64(word) for word in self._key)
        writer.fill_words(section.keys ^ np.uint64(xor), self.patient_ids[section.patient], low, high, out)
        return out

    def set_templates(self, section: Section, family: Family, /, **shape: NDArray[Any] | int) -> None:
        """Chooses the template of every row from its shape."""
        codes = family.space.pack(section.n_rows, **shape)
        section.cells[:, TEMPLATE] = self.templates.select(family, codes)

    def templates_of(
        self, section: Section, family: Family, /, *, where: NDArray[np.bool_], **shape: NDArray[Any] | int
    ) -> Integers:
        """The templates of some rows, where a section holds rows of two families; NONE elsewhere."""
        numbers = np.full(section.n_rows, NONE, np.int64)
        codes = family.space.pack(section.n_rows, **shape)
        numbers[where] = self.templates.select(family, codes[where])
        return numbers

    # --- references ---------------------------------------------------------------------------------------------------

    def find(self, section: Section, keys: NDArray[np.uint64], target: str) -> Integers:
        """The rows of another section that the keys name, each of the same patient; NONE: key 0 or no such row."""
        other = self.sections[target]
        found = np.empty(section.n_rows, np.int64)
        writer.find_rows(section.patient, keys, other.starts, other.stops, other.keys, found)
        return np.where(found >= 0, found + other.base, NONE)

    def require(self, section: Section, column: str, target: str) -> Integers:
        """As `find` for a column of keys, where every key but 0 must name a row.

        Raises:
            ExportError: A key names no row of the target; all that is wrong with the Records is said.
        """
        known = self._known.get((section.name, column, target))
        if known is not None:
            return known
        keys = self.columns(section.name).keys(column)
        rows = self.find(section, keys, target)
        lost = np.flatnonzero((rows == NONE) & (keys != 0))
        if len(lost):
            row = int(lost[0])
            patient = self.patient_ids[section.patient[row]]
            msg = f"{section.name} row {row}: {column} {keys[row]} names no row of {target!r} of patient {patient}"
            raise not_exportable(self.records, self.columns, msg)
        self._known[section.name, column, target] = rows
        return rows

    def add_children(self, parents: Integers, children: Integers, target: Section) -> tuple[Integers, Integers]:
        """Hands rows to the rows that list them, in their order.

        Args:
            parents: [n] number of the row that lists it; NONE: nobody does.
            children: [n] row numbers.
            target: Section of the parents.

        Returns:
            For each row of the target where its children begin, and how many they are: cells of a LIST slot.
        """
        listed = parents != NONE
        local = parents[listed] - target.base
        kept = children[listed]
        if np.any(local[1:] < local[:-1]):
            order = np.argsort(local, kind="stable")
            kept = kept[order]
        counts = np.bincount(local, minlength=target.n_rows).astype(np.int64)
        first = np.cumsum(counts) - counts + self._n_children
        self._children.append(kept)
        self._n_children += len(kept)
        return first, counts

    # --- texts --------------------------------------------------------------------------------------------------------

    def codes(
        self,
        table: str,
        columns: Sequence[str],
        make: Callable[..., bytes],
        *,
        where: NDArray[np.bool_] | None = None,
    ) -> Integers:
        """The lasting text of every row, from the values of some text columns.

        Args:
            table: The table.
            columns: Names of its columns.
            make: Makes the JSON from their values; its name is part of the text's key.
            where: Rows that need one; the others get NONE.
        """
        asked = (table, tuple(columns), make.__name__)
        if where is None and asked in self._known:
            return self._known[asked]
        encoded = [self.columns(table).text(name) for name in columns]
        if where is not None:
            encoded = [Encoded(each.indices[where], each.values) for each in encoded]
        place, values = combined(encoded)
        numbers = np.full(len(values), NONE, np.int64)
        used = encoded[0].used() if len(encoded) == 1 else np.arange(len(values))
        for index in used:
            each = values[index]
            numbers[index] = self.texts.number((make.__name__, each), partial(make, *each))
        if where is None:
            self._known[asked] = numbers[place]
            return self._known[asked]
        result = np.full(len(where), NONE, np.int64)
        result[where] = numbers[place]
        return result

    def filled_codes(
        self, table: str, columns: Sequence[str], make: Callable[..., bytes], *, where: NDArray[np.bool_]
    ) -> Integers:
        """As `codes`; NONE also where the text is empty, so that its element is left out."""
        numbers = self.codes(table, columns, make, where=where)
        return np.where((numbers != NONE) & self.texts.is_filled(numbers), numbers, NONE)

    def constants(self, choices: Mapping[int, bytes], choice: NDArray[Any]) -> Integers:
        """The lasting text of every row, one of a few constants."""
        lookup = np.full(max(choices) + 1, NONE, np.int64)
        for index, text in choices.items():
            lookup[index] = self.texts.number(text, partial(bytes, text))
        return np.asarray(lookup[choice])

    def local_texts(self, table: str, column: str) -> Integers:
        """The text of every row as it stands in a column, escaped, in the pool of this shard; NONE: null or empty."""
        encoded = self.columns(table).text(column)
        numbers = np.full(len(encoded.values), NONE, np.int64)
        for index in encoded.used():
            value = encoded.values[index]
            if value:
                numbers[index] = self.local.add(escaped(value))
        return np.asarray(numbers[encoded.indices])

    def add_local(self, text: str) -> int:
        """The number of a text, escaped, in the pool of this shard."""
        return self.local.add(escaped(text))

    def local_strings(self, table: str, column: str) -> Integers:
        """As `local_texts`, of a plain string column; NONE: null or empty."""
        values = self.columns(table).strings(column)
        numbers = np.full(len(values), NONE, np.int64)
        present = [index for index, value in enumerate(values) if value]
        first = self.local.extend([escaped(values[index] or "") for index in present])
        numbers[present] = np.arange(first, first + len(present))
        return numbers

    def put_decimals(self, section: Section, column: int, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Fills the two cells of a DECIMAL slot.

        Returns:
            Rows whose value is a number (neither NaN nor infinite).
        """
        mantissa, decimals = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
        writer.shortest_decimals(values, mantissa, decimals)
        hard = np.flatnonzero(decimals == writer.NOT_SHORT)
        if len(hard):
            texts = pa.array(values[hard]).cast(pa.string()).cast(pa.binary())  # the shortest that read back alike
            first = self.local.extend(texts.to_pylist())
            mantissa[hard] = np.arange(first, first + len(hard))
        section.cells[:, column] = mantissa
        section.cells[:, column + 1] = decimals
        return np.asarray(decimals != writer.NOT_FINITE)

    # --- for the writer -----------------------------------------------------------------------------------------------

    def packed(self) -> tuple[Any, ...]:
        """The arguments of `writer.write_rows` from `at_row` to `local_at`."""
        at_row = np.empty(self._n_rows, np.int64)
        at = 0
        for section in self.sections.values():
            stop = at + section.n_rows * section.width
            at_row[section.base : section.base + section.n_rows] = np.arange(at, stop, section.width)
            at = stop
        children = np.concatenate([*self._children, np.zeros(1, np.int64)])
        return (
            at_row, self._cells, self.is_part, children, self.ids, self.offsets,
            *self.templates.packed(), *self.texts.packed(), *self.local.packed(),
        )  # fmt: skip

    def id_of(self, row: int) -> str:
        """The id of a row."""
        at = row * writer.ID_LENGTH
        return self.ids[at : at + writer.ID_LENGTH].tobytes().decode()

    def line_rows(self, section: Section) -> Integers:
        """Ranges of rows that become lines: all, but of a shared section each resource once."""
        if not section.is_shared:
            return np.array([[section.base, section.base + section.n_rows]], np.int64)
        first = np.sort(np.unique(section.keys, return_index=True)[1]) + section.base
        return np.stack([first, first + 1], axis=1)

    def resource_sections(self) -> list[Section]:
        """Sections whose rows stand alone, in the order in which a bundle holds them."""
        return [section for section in self.sections.values() if section.resource_type is not None]


def escaped(text: str) -> bytes:
    """Text as JSON without the quotes."""
    return orjson.dumps(text)[1:-1]
