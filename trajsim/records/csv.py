"""Records as the CSV files that Synthea writes: same names, headers and formats.

A line is a few pieces of text joined by commas, most of them taken from dictionaries; Arrow joins them for thousands of
rows at once, and the joined buffer is what goes to the file.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.codes.systems import system_uri
from trajsim.errors import ConfigError, DataFileError
from trajsim.records.csv_claims import list_claims, list_transactions, member_id, with_costs, with_totals
from trajsim.records.csv_layout import CLAIM_HEADERS, DATE_FILES, DISTINCT_FILES, HEADERS, TABLE_OF_FILE, headers
from trajsim.records.csv_payers import NOT_INSURED, list_payers, with_owner, with_payer
from trajsim.records.files import part_name, whole_file
from trajsim.records.ids import patient_uuid, row_uuid, uuid_bytes
from trajsim.records.table import Records, text_parts

_BATCH_ROWS = 16_384
_US_PER_SECOND = 1_000_000
_US_PER_DAY = 86_400 * _US_PER_SECOND
_WHOLE_BELOW = 1e14
_UID_ROOT = "2.25."  # ISO/IEC 9834-8: the rest is a UUID as a whole number
_BLANK = pa.scalar("", pa.string())

Piece: TypeAlias = pa.Array  # or a scalar, the same text in every row
Translate = Callable[[str], str]


def write_csv(records: Records, directory: Path, *, shard: int, seed: int, claims: bool = False) -> Mapping[str, Path]:
    """Writes one shard as parts without headers: ``<kind>/part-<shard>.csv``, each file atomically.

    Args:
        records: The patients of the shard.
        directory: Folder of the parts.
        shard: Number of the shard, from 0.
        seed: Run seed, which the UUIDs depend on.
        claims: Whether the files about claims are written too. Costs in other files are what `records` say.

    Returns:
        The parts by kind.

    Raises:
        ExportError: The disk is full, or the folder cannot be written.
    """
    paths = {}
    for kind in headers(claims=claims):
        path = directory / kind / part_name(shard, "csv")
        with whole_file(path) as temporary, temporary.open("wb") as file:
            for block in csv_lines(records, kind, seed=seed):
                file.write(block)
        paths[kind] = path
    return paths


def join_csv(parts: Path, directory: Path) -> Mapping[str, Path]:
    """Puts the parts of all shards together in order, under the headers.

    Args:
        parts: Folder that `write_csv` wrote to.
        directory: Folder of the whole files, ``out/csv``.

    Returns:
        The whole files by kind.

    Raises:
        DataFileError: There are no parts, or kinds have different parts.
        ExportError: The disk is full, or the folder cannot be written.
    """
    named = headers(claims=any((parts / kind).is_dir() for kind in CLAIM_HEADERS))
    found = {kind: sorted((parts / kind).glob("part-*.csv")) for kind in named}
    shards = {tuple(path.name for path in paths) for paths in found.values()}
    if len(shards) != 1 or () in shards:
        msg = f"{parts}: expected the same parts of {', '.join(named)}"
        raise DataFileError(msg, hint="run the same command again; it writes the parts that are missing")
    whole = {}
    for kind, paths in found.items():
        whole[kind] = directory / f"{kind}.csv"
        with whole_file(whole[kind]) as temporary, temporary.open("wb") as file:
            file.write((",".join(named[kind]) + "\n").encode())
            if kind in DISTINCT_FILES:
                lines = (line for path in paths for line in path.read_bytes().splitlines(keepends=True))
                file.writelines(dict.fromkeys(lines))
                continue
            for path in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
    return whole


def csv_lines(records: Records, kind: str, *, seed: int) -> Iterator[pa.Buffer]:
    """The lines of one file without the header, as blocks of bytes.

    Args:
        records: Any Records.
        kind: Name of the file without ``.csv``, one of `HEADERS` or `CLAIM_HEADERS`.
        seed: Run seed, which the UUIDs depend on.

    Yields:
        Blocks of whole lines.
    """
    table = _PREPARED[kind](records, seed) if kind in _PREPARED else records[TABLE_OF_FILE[kind]]
    texts = _Texts(table)
    for start in range(0, table.num_rows, _BATCH_ROWS):
        batch = _Batch(kind, table.slice(start, _BATCH_ROWS), texts, start, seed)
        *pieces, last = _PIECES[kind](batch)
        last = pc.binary_join_element_wise(last, "\n", "", null_handling="replace")
        lines = pc.binary_join_element_wise(*pieces, last, ",", null_handling="replace")
        offsets = np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1, lines.offset * 4)
        yield lines.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def _with_value(records: Records, _seed: int) -> pa.Table:
    """Observations that say something: Synthea lists the components of a panel, not the panel."""
    table = records["observations"]
    has_value = pc.or_(
        pc.is_valid(table["numeric_value"]), pc.or_(pc.is_valid(table["text_value"]), pc.is_valid(table["value_code"]))
    )
    return table if pc.all(has_value, min_count=0).as_py() else table.filter(has_value)


def clean(text: str) -> str:
    """Text without commas and line breaks: spaces take their place, for nothing is quoted."""
    return text.translate(_CLEAN)


_CLEAN = str.maketrans(",\r\n", "   ")


class _Texts:
    """Text columns of a table as indices into dictionaries, each cleaned once."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._columns: dict[tuple[str, Translate], tuple[NDArray[np.int32], NDArray[np.bool_] | None, pa.Array]] = {}

    def take(self, name: str, start: int, n: int, translate: Translate) -> pa.Array:
        """Rows of one column, translated."""
        key = (name, translate)
        if key not in self._columns:
            indices, nulls, dictionary = text_parts(self._table[name])
            present = indices if nulls is None else indices[~nulls]
            used = np.flatnonzero(np.bincount(present, minlength=len(dictionary)))
            texts = np.full(len(dictionary), "", object)
            texts[used] = [translate(text) for text in dictionary.take(pa.array(used)).to_pylist()]
            self._columns[key] = (indices, nulls, pa.array(texts, pa.string()))
        indices, nulls, dictionary = self._columns[key]
        mask = None if nulls is None else nulls[start : start + n]
        return dictionary.take(pa.array(indices[start : start + n], pa.int32(), mask=mask))


class _Batch:
    """Some thousand rows of one file."""

    def __init__(self, kind: str, table: pa.Table, texts: _Texts, start: int, seed: int) -> None:
        self.table = table
        self.seed = seed
        self._texts = texts
        self._start = start
        self._time = _dates if kind in DATE_FILES else _instants

    def text(self, name: str, translate: Translate = clean) -> pa.Array:
        """A text column."""
        return self._texts.take(name, self._start, self.table.num_rows, translate)

    def plain(self, name: str) -> pa.Array:
        """A column of strings or numbers that is not dictionary-encoded."""
        column = self.table[name].combine_chunks()
        if pa.types.is_string(column.type):
            return pc.replace_substring_regex(column, "[,\r\n]", " ")
        return numbers(column)

    def number(self, name: str) -> NDArray[np.uint64]:
        """A column of keys."""
        values: NDArray[np.uint64] = self.table[name].to_numpy()
        return values

    def cost(self, name: str) -> Piece:
        """What `with_costs` or `with_totals` found; empty where nothing says it."""
        return self.table[name].combine_chunks() if name in self.table.column_names else _BLANK

    def member(self) -> pa.Array:
        """UUID of the coverage, empty where there is none."""
        return self._by_run("coverage_key", partial(member_id, self.seed))

    def time(self, name: str) -> pa.Array:
        """A time, in the format of the file."""
        return self._time(self.table[name].combine_chunks())

    def id(self, key: str = "row_key") -> pa.Array:
        """UUID of the row, or of the study."""
        return self._by_run(key, lambda patients, keys: row_uuid(self.seed, patients, keys))

    def patient(self) -> pa.Array:
        """UUID of the patient."""
        return self._by_run("patient_id", lambda patients, _: patient_uuid(self.seed, patients))

    def encounter(self) -> pa.Array:
        """UUID of the encounter, empty where there is none."""
        return self._by_run("encounter_key", self._encounters)

    def patient_encounter(self, between: str = ",") -> pa.Array:
        """UUIDs of patient and encounter, with what stands between them."""
        return self._by_run("encounter_key", partial(self._patient_encounter, between))

    def _patient_encounter(self, between: str, patients: NDArray[np.uint64], keys: NDArray[np.uint64]) -> pa.Array:
        encounters = self._encounters(patients, keys)
        return pc.binary_join_element_wise(patient_uuid(self.seed, patients), encounters, between)

    def _encounters(self, patients: NDArray[np.uint64], keys: NDArray[np.uint64]) -> pa.Array:
        return pc.if_else(pa.array(keys != 0), row_uuid(self.seed, patients, keys), _BLANK)

    def _by_run(self, key: str, make: Callable[[NDArray[np.uint64], NDArray[np.uint64]], pa.Array]) -> pa.Array:
        """A text by (patient, key), made once a run of equal pairs."""
        patients, keys = self.number("patient_id"), self.number(key)
        new = np.ones(len(keys), np.bool_)
        new[1:] = (keys[1:] != keys[:-1]) | (patients[1:] != patients[:-1])
        first = np.flatnonzero(new)
        if len(first) == len(keys):
            return make(patients, keys)
        return make(patients[first], keys[first]).take(pa.array(np.cumsum(new) - 1))


def _instants(times: pa.Array) -> pa.Array:
    """``YYYY-MM-DDTHH:MM:SSZ``, fractions of a second dropped; null stays null."""
    seconds = _floor(times, _US_PER_SECOND)
    plain = pa.array(seconds).view(pa.timestamp("s")).cast(pa.string())
    width = 19
    text = np.empty((len(seconds), width + 1), np.uint8)
    text[:, :width] = np.frombuffer(plain.buffers()[2], np.uint8, len(seconds) * width).reshape(-1, width)
    text[:, 10], text[:, width] = ord("T"), ord("Z")
    offsets = np.arange(len(seconds) + 1, dtype=np.int32) * np.int32(width + 1)
    made = pa.Array.from_buffers(pa.string(), len(seconds), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return _null_where(made, times)


def _dates(times: pa.Array) -> pa.Array:
    """``YYYY-MM-DD``; null stays null."""
    days = _floor(times, _US_PER_DAY).astype(np.int32)
    return _null_where(pa.array(days).view(pa.date32()).cast(pa.string()), times)


def _floor(times: pa.Array, unit_us: int) -> NDArray[np.int64]:
    values: NDArray[np.int64] = times.view(pa.int64()).fill_null(0).to_numpy()
    return values // unit_us


def _null_where(made: pa.Array, times: pa.Array) -> pa.Array:
    return pc.if_else(times.is_valid(), made, pa.scalar(None, pa.string())) if times.null_count else made


def numbers(values: pa.Array) -> pa.Array:
    """Numbers as the shortest text that reads back the same; whole doubles with ``.0``, as Java writes them."""
    text = values.cast(pa.string())
    if not pa.types.is_floating(values.type):
        return text
    plain = values.fill_null(0.5).to_numpy()
    whole = (np.floor(plain) == plain) & (np.abs(plain) < _WHOLE_BELOW)
    if not whole.any():
        return text
    return pc.if_else(pa.array(whole), pc.binary_join_element_wise(text, ".0", ""), text)


def _uri(system: str) -> str:
    """URI of a code system; a name that is not known stands as it is."""
    try:
        return clean(system_uri(system))
    except ConfigError:
        return clean(system)


def _reaction_columns(text: str) -> str:
    """REACTION1 ... SEVERITY2 from the JSON list of reactions; Synthea has room for two."""
    cells = []
    for reaction in orjson.loads(text)[:2]:
        cells += [clean(reaction["code"]), clean(reaction["display"]), reaction["severity"].upper()]
    return ",".join(cells + [""] * (6 - len(cells)))


def _patients(batch: _Batch) -> Sequence[Piece]:
    names = ("ssn", "drivers", "passport", "prefix", "given_name", "middle_name", "family_name")
    return (
        batch.patient(), batch.time("birth_time"), batch.time("death_time"), *(batch.plain(name) for name in names),
        _BLANK, batch.plain("maiden_name"), batch.text("marital_status"), batch.text("race"), batch.text("ethnicity"),
        batch.text("sex"), batch.text("birth_city"), batch.plain("address_line"), batch.text("city"),
        batch.text("state"), batch.text("county"), _BLANK, batch.text("postal_code"), batch.plain("latitude"),
        batch.plain("longitude"), batch.cost("expenses"), batch.cost("coverage"), batch.plain("income"),
    )  # fmt: skip


def _allergies(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.time("stop"), batch.patient_encounter(), batch.text("code"), batch.text("system"),
        batch.text("display"), batch.text("allergy_type"), batch.text("category"),
        batch.text("reactions", _reaction_columns).fill_null(",,,,,"),
    )  # fmt: skip


def _medications(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.time("stop"), batch.patient(), batch.text("payer_id"), batch.encounter(),
        batch.text("code"), batch.text("display"), batch.cost("base_cost"), batch.cost("payer_coverage"),
        batch.cost("dispenses"), batch.cost("total_cost"), batch.text("reason_code"), batch.text("reason_display"),
    )  # fmt: skip


def _conditions(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.time("stop"), batch.patient_encounter(), batch.text("system", _uri),
        batch.text("code"), batch.text("display"),
    )  # fmt: skip


def _careplans(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.id(), batch.time("time"), batch.time("stop"), batch.patient_encounter(), batch.text("code"),
        batch.text("display"), batch.text("reason_code"), batch.text("reason_display"),
    )  # fmt: skip


def _observations(batch: _Batch) -> Sequence[Piece]:
    value = batch.table["numeric_value"].combine_chunks()
    text, kind = numbers(value), pa.scalar("numeric")
    if value.null_count:
        is_number = value.is_valid()
        text = pc.coalesce(text, batch.text("text_value"), batch.text("value_display"))
        kind = pc.if_else(is_number, "numeric", "text")
    return (
        batch.time("time"), batch.patient_encounter(), batch.text("category"), batch.text("code"),
        batch.text("display"), text, batch.text("unit"), kind,
    )  # fmt: skip


def _procedures(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.time("stop"), batch.patient_encounter(), batch.text("system", _uri),
        batch.text("code"), batch.text("display"), batch.cost("base_cost"), batch.text("reason_code"),
        batch.text("reason_display"),
    )  # fmt: skip


def _immunizations(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.patient_encounter(), batch.text("code"), batch.text("display"),
        batch.cost("base_cost"),
    )  # fmt: skip


def _encounters(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.id(), batch.time("time"), batch.time("stop"), batch.patient(), pa.scalar(","), batch.text("payer_id"),
        batch.text("encounter_class"), batch.text("code"), batch.text("display"), batch.cost("base_cost"),
        batch.cost("total_cost"), batch.cost("payer_coverage"), batch.text("reason_code"),
        batch.text("reason_display"),
    )  # fmt: skip


def _imaging_studies(batch: _Batch) -> Sequence[Piece]:
    """One line an image: the rows of the table are series."""
    images = batch.table["n_instances"].to_numpy()
    series = np.repeat(np.arange(len(images)), images)
    number = np.arange(len(series)) - np.repeat(np.cumsum(images) - images, images) + 1
    blocks = uuid_bytes(batch.seed, batch.number("patient_id"), batch.number("row_key"))
    uids = [_UID_ROOT + str(int.from_bytes(block.tobytes(), "big")) for block in blocks]
    instances = [f"{uids[k]}.{n}" for k, n in zip(series.tolist(), number.tolist(), strict=True)]
    rows = pa.array(series)
    pieces = (
        batch.id("study_key"), batch.time("time"), batch.patient_encounter(), pa.array(uids, pa.string()),
        batch.text("body_site_code"), batch.text("body_site_display"), batch.text("modality_code"),
        batch.text("modality_display"),
    )  # fmt: skip
    after = (batch.text("sop_code"), batch.text("sop_display"), batch.text("procedure_code"))
    return (
        *(piece.take(rows) for piece in pieces),
        pa.array(instances, pa.string()),
        *(piece.take(rows) for piece in after),
    )


def _devices(batch: _Batch) -> Sequence[Piece]:
    return (
        batch.time("time"), batch.time("stop"), batch.patient_encounter(), batch.text("code"), batch.text("display"),
        _BLANK,
    )  # fmt: skip


def _supplies(batch: _Batch) -> Sequence[Piece]:
    quantity = batch.table["quantity"].combine_chunks().cast(pa.string())
    return batch.time("time"), batch.patient_encounter(), batch.text("code"), batch.text("display"), quantity


def _payers(batch: _Batch) -> Sequence[Piece]:
    return batch.text("payer_id"), batch.text("name"), batch.text("ownership"), _NO_NUMBERS


def _payer_transitions(batch: _Batch) -> Sequence[Piece]:
    is_insured = pc.not_equal(batch.text("kind"), NOT_INSURED)
    return (
        batch.patient(), pc.if_else(is_insured, batch.id(), _BLANK), batch.time("time"), batch.time("stop"),
        batch.text("payer_id"), _BLANK, batch.text("ownership"), batch.plain("owner_name"),
    )  # fmt: skip


def _claims(batch: _Batch) -> Sequence[Piece]:
    time, stop, department = batch.time("time"), batch.time("stop"), batch.text("department")
    return (
        batch.id(), batch.patient(), _BLANK, batch.text("payer_id"), _BLANK, department, department,
        batch.table["diagnoses"].combine_chunks(), _BLANK, batch.encounter(), time, time, _BLANK, _CLOSED,
        pa.scalar("0,,0"), stop, _BLANK, stop, batch.text("type_number"), pa.scalar("0"),
    )  # fmt: skip


def _transactions(batch: _Batch) -> Sequence[Piece]:
    def given(name: str) -> pa.Array:
        return batch.table[name].combine_chunks()

    return (
        batch.id(), batch.id("claim_key"), batch.plain("number"), batch.patient(), given("type"), given("amount"),
        given("method"), batch.time("time"), batch.time("stop"), _BLANK, batch.text("code"), pa.scalar(","),
        given("references"), _units(given("units")), batch.text("department"), batch.text("display"),
        given("unit_amount"), given("transfer_out"), given("transfer_type"), given("payments"), pa.scalar("0.00"),
        given("transfers"), given("outstanding"), batch.encounter(), _BLANK, batch.member(), pa.scalar("1,,"),
    )  # fmt: skip


def _units(quantity: pa.Array) -> pa.Array:
    """Numbers of units, whole ones without a point."""
    return pc.replace_substring_regex(numbers(quantity), r"\.0$", "")


_CLOSED = pa.scalar("CLOSED,,CLOSED")
_NO_NUMBERS = pa.scalar("," * (len(HEADERS["payers"]) - 4))

# Files that need more than the table they are made from.
_PREPARED: Mapping[str, Callable[[Records, int], pa.Table]] = {
    "observations": _with_value,
    "patients": lambda records, _seed: with_totals(records, records["patients"]),
    "encounters": lambda records, seed: with_costs(records, "encounters", with_payer(records, "encounters", seed)),
    "medications": lambda records, seed: with_costs(records, "medications", with_payer(records, "medications", seed)),
    "procedures": lambda records, _seed: with_costs(records, "procedures", records["procedures"]),
    "immunizations": lambda records, _seed: with_costs(records, "immunizations", records["immunizations"]),
    "claims": list_claims,
    "claims_transactions": list_transactions,
    "payers": list_payers,
    "payer_transitions": with_owner,
}

_PIECES: Mapping[str, Callable[[_Batch], Sequence[Piece]]] = {
    "patients": _patients,
    "allergies": _allergies,
    "medications": _medications,
    "conditions": _conditions,
    "careplans": _careplans,
    "observations": _observations,
    "procedures": _procedures,
    "immunizations": _immunizations,
    "encounters": _encounters,
    "imaging_studies": _imaging_studies,
    "devices": _devices,
    "supplies": _supplies,
    "payers": _payers,
    "payer_transitions": _payer_transitions,
    "claims": _claims,
    "claims_transactions": _transactions,
}
