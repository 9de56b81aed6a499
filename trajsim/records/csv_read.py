"""Records from CSV files in Synthea's layout: Synthea's own, and those that trajsim wrote.

The files hold less than Records do: no answer key (`module` and `state` are empty), no panels or reports, no second
codes, dates instead of instants in some files. Patients are numbered by their row in ``patients.csv``; their own id is
kept in the column `source_id`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from trajsim.codes.systems import SYSTEM_URIS
from trajsim.errors import DataFileError
from trajsim.records.csv_layout import HEADERS
from trajsim.records.csv_payers import GOVERNMENT, NO_INSURANCE, NOT_INSURED
from trajsim.records.schema import EVENT_TABLES, TABLES, TEXT, TIME
from trajsim.records.table import Records, empty_table, schema_of

_DAY_US = 86_400_000_000
_STUDY_NUMBER = 1_000  # beyond the numbers of the tables, so that keys of studies differ from keys of rows

_TIMES = ("time", "stop")
_SYSTEM_OF_URI = {uri: name for name, uri in SYSTEM_URIS.items()}

# Columns that only newer versions of Synthea write, or that nothing here needs.
_OPTIONAL = frozenset({
    "SSN", "DRIVERS", "PASSPORT", "PREFIX", "MIDDLE", "SUFFIX", "MAIDEN", "MARITAL", "BIRTHPLACE", "ADDRESS", "CITY",
    "STATE", "COUNTY", "FIPS", "ZIP", "LAT", "LON", "INCOME", "HEALTHCARE_EXPENSES", "HEALTHCARE_COVERAGE", "PAYER",
    "ORGANIZATION", "PROVIDER", "BASE_COST", "PAYER_COVERAGE", "DISPENSES", "TOTALCOST", "BASE_ENCOUNTER_COST",
    "TOTAL_CLAIM_COST", "SYSTEM", "REACTION1", "DESCRIPTION1", "SEVERITY1", "REACTION2", "DESCRIPTION2", "SEVERITY2",
    "UDI", "SERIES_UID", "INSTANCE_UID", "SOP_CODE", "SOP_DESCRIPTION", "PROCEDURE_CODE", "REASONCODE",
    "REASONDESCRIPTION", "UNITS", "CATEGORY", "OWNERSHIP", "STATE_HEADQUARTERED", "PHONE", "AMOUNT_COVERED",
    "AMOUNT_UNCOVERED", "REVENUE", "COVERED_ENCOUNTERS", "UNCOVERED_ENCOUNTERS", "COVERED_MEDICATIONS",
    "UNCOVERED_MEDICATIONS", "COVERED_PROCEDURES", "UNCOVERED_PROCEDURES", "COVERED_IMMUNIZATIONS",
    "UNCOVERED_IMMUNIZATIONS", "UNIQUE_CUSTOMERS", "QOLS_AVG", "MEMBER_MONTHS", "MEMBERID", "START_DATE", "END_DATE",
    "SECONDARY_PAYER", "PLAN_OWNERSHIP", "OWNER_NAME",
})  # fmt: skip


def read_synthea_csv(directory: Path) -> Records:
    """Reads a folder of CSV files (``patients.csv``, ``encounters.csv`` ..., also ``.csv.gz``).

    Args:
        directory: The folder. A file that is not there counts as empty, but for patients and encounters.

    Returns:
        The Records. A death is taken to the end of its day. Living patients are observed until the last instant at
        which anything in the files began or stopped; a coverage that is to end later is in force. Payer transitions of
        older versions of Synthea, which name years alone, are passed over.

    Raises:
        DataFileError: A file or column is missing, a value cannot be read, or a row names an unknown patient or
            encounter.
    """
    patients = _File.find(directory, "patients", required=True)
    encounters = _File.find(directory, "encounters", required=True)
    known = _Known(patients, encounters)
    tables = {"encounters": _Rows(encounters, "encounters", known).table(_encounters)}
    for kind, make in _MAKERS.items():
        file = _File.find(directory, kind)
        if file.n_rows:
            tables[kind] = _Rows(file, kind, known).table(make)
    studies = _File.find(directory, "imaging_studies")
    if studies.n_rows:
        tables["imaging"] = _Rows(_first_images(studies), "imaging", known).table(_imaging)
    transitions = _File.find(directory, "payer_transitions")
    coverages = None
    if transitions.n_rows and "START_DATE" in transitions.table.column_names:
        coverages = _Coverages(transitions, _File.find(directory, "payers"), known)
    begun = {} if coverages is None else {"coverages": coverages.begun}
    tables["patients"], tables["deaths"] = _people(patients, tables | begun)
    if coverages is not None:
        tables["coverages"] = coverages.table(tables["patients"])
    return Records(tables)


class _File:
    """One CSV file as columns of text; empty cells are null."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        self.path = path
        self.table = table
        self.n_rows: int = table.num_rows

    @classmethod
    def find(cls, directory: Path, kind: str, *, required: bool = False) -> "_File":
        """The file of a kind in a folder; without rows if it is not there and need not be."""
        for path in (directory / f"{kind}.csv", directory / f"{kind}.csv.gz"):
            if path.is_file():
                return cls(path, cls._read(path, HEADERS[kind]))
        if required:
            msg = f"{directory}: no {kind}.csv here"
            raise DataFileError(msg)
        return cls(directory / f"{kind}.csv", pa.table({name: pa.array([], pa.string()) for name in HEADERS[kind]}))

    @staticmethod
    def _read(path: Path, names: Sequence[str]) -> pa.Table:
        try:
            table = pcsv.read_csv(
                str(path),
                read_options=pcsv.ReadOptions(use_threads=False),
                parse_options=pcsv.ParseOptions(quote_char=False),
                convert_options=pcsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )
        except (pa.ArrowException, OSError) as error:
            msg = f"{path}: not a readable CSV file ({str(error).splitlines()[0]})"
            raise DataFileError(msg) from error
        missing = [name for name in names if name not in table.column_names and name not in _OPTIONAL]
        if missing:
            msg = f"{path}: columns missing: {', '.join(missing)}; found {', '.join(table.column_names)}"
            raise DataFileError(msg, hint="the first line must be Synthea's header")
        return table

    def text(self, name: str) -> pa.Array:
        """A column as text, null where the file lacks it."""
        if name not in self.table.column_names:
            return pa.nulls(self.n_rows, pa.string())
        return self.table[name].combine_chunks()

    def numbers(self, name: str, arrow_type: pa.DataType) -> pa.Array:
        """A column as numbers."""
        return self.cast(name, self.text(name), arrow_type)

    def times(self, name: str) -> pa.Array:
        """A column of dates or instants (UTC)."""
        plain = pc.replace_substring(self.text(name), "Z", "")
        return self.cast(name, plain, pa.timestamp("us")).view(pa.int64()).view(TIME)

    def cast(self, name: str, text: pa.Array, arrow_type: pa.DataType) -> pa.Array:
        """Text of a column in another type."""
        try:
            return text.cast(arrow_type)
        except pa.ArrowInvalid as error:
            msg = f"{self.path}: column {name!r}: {str(error).splitlines()[0]}"
            raise DataFileError(msg) from error

    def position(self, name: str, ids: pa.Array, what: str) -> NDArray[np.int64]:
        """Where the ids of a column stand in a list of ids; -1 for an empty cell."""
        text = self.text(name)
        found = pc.index_in(text, value_set=ids)
        lost = pc.and_(found.is_null(), text.is_valid())
        if pc.any(lost, min_count=0).as_py():
            row = int(np.flatnonzero(lost.to_numpy(zero_copy_only=False))[0])
            msg = f"{self.path}: line {row + 2}: no {what} {text[row].as_py()!r}"
            raise DataFileError(msg)
        position: NDArray[np.int64] = found.cast(pa.int64()).fill_null(-1).to_numpy()
        return position

    def required_position(self, name: str, ids: pa.Array, what: str) -> NDArray[np.int64]:
        """The same, where no cell may be empty."""
        position = self.position(name, ids, what)
        self._refuse_empty(position < 0, what)
        return position

    def required_times(self, name: str) -> NDArray[np.int64]:
        """Times of a column in microseconds, where no cell may be empty."""
        times = self.times(name)
        self._refuse_empty(times.is_null().to_numpy(zero_copy_only=False), name)
        values: NDArray[np.int64] = times.view(pa.int64()).to_numpy()
        return values

    def _refuse_empty(self, empty: NDArray[np.bool_], what: str) -> None:
        if np.any(empty):
            msg = f"{self.path}: line {int(np.argmax(empty)) + 2}: no {what}"
            raise DataFileError(msg)

    def take(self, rows: NDArray[np.int64]) -> "_File":
        """Some rows in another order."""
        return _File(self.path, self.table.take(pa.array(rows)))


class _Known:
    """The patients and encounters that rows may name."""

    def __init__(self, patients: _File, encounters: _File) -> None:
        self.patient_ids = patients.text("Id")
        if self.patient_ids.null_count or len(self.patient_ids.unique()) != len(self.patient_ids):
            msg = f"{patients.path}: column 'Id' has empty or repeated values"
            raise DataFileError(msg)
        self.encounter_ids = encounters.text("Id")
        patient = encounters.position("PATIENT", self.patient_ids, "patient")
        order = np.argsort(patient, kind="stable")
        keys = np.empty(len(patient), np.uint64)
        keys[order] = _keys(_number("encounters"), patient[order])
        self.encounter_keys = keys


def _number(table: str) -> int:
    """What stands in the upper half of the row keys of a table."""
    return EVENT_TABLES.index(table) + 1


def _keys(number: int, group: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Row keys that count from 0 within runs of equal group."""
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    ordinal = np.arange(len(group)) - np.repeat(first, np.diff(np.r_[first, len(group)]))
    return np.uint64(number << 32) | ordinal.astype(np.uint64)


class _Rows:
    """The rows of one file in the order of the patients, and the columns that all tables share."""

    def __init__(self, file: _File, name: str, known: _Known) -> None:
        patient = file.required_position("PATIENT", known.patient_ids, "patient")
        order = np.argsort(patient, kind="stable")
        self.name = name
        self.file = file.take(order)
        self.patient = patient[order]
        self._known = known

    def table(self, make: Callable[["_Rows"], dict[str, pa.Array]]) -> pa.Table:
        """The table: shared columns, then those that `make` adds, else null or empty text."""
        made = self._common() | make(self)
        columns = []
        for name, column in TABLES[self.name].items():
            if name in made:
                columns.append(_typed(made[name], column.type))
            elif column.nullable:
                columns.append(pa.nulls(self.file.n_rows, column.type))
            else:
                columns.append(_typed(self.constant(""), column.type))
        return pa.Table.from_arrays(columns, schema=schema_of(self.name))

    def _common(self) -> dict[str, pa.Array]:
        columns = self.file.table.column_names
        made = {
            "patient_id": pa.array(self.patient.astype(np.uint64)),
            "row_key": pa.array(_keys(_number(self.name), self.patient)),
            "time": self.file.times("START" if "START" in columns else "DATE"),
            "code": self.file.text("CODE").fill_null(""),
            "display": self.file.text("DESCRIPTION").fill_null(""),
            "reason_key": pa.array(np.zeros(self.file.n_rows, np.uint64)),
            "reason_code": self.file.text("REASONCODE"),
            "reason_display": self.file.text("REASONDESCRIPTION"),
        }
        made["reason_system"] = pc.if_else(made["reason_code"].is_valid(), "SNOMED-CT", None)
        if "STOP" in columns:
            made["stop"] = self.file.times("STOP")
        if self.name != "encounters":
            made["encounter_key"] = self._encounter_key()
        return made

    def _encounter_key(self) -> pa.Array:
        position = self.file.position("ENCOUNTER", self._known.encounter_ids, "encounter")
        keys = np.zeros(len(position), np.uint64)
        keys[position >= 0] = self._known.encounter_keys[position[position >= 0]]
        return pa.array(keys)

    def constant(self, text: str) -> pa.Array:
        """The same text in every row."""
        return pa.array(np.full(self.file.n_rows, text, object), pa.string())

    def system(self, default: str) -> pa.Array:
        """Code systems by GMF's names."""
        text = self.file.text("SYSTEM").fill_null(default)
        encoded = text.dictionary_encode()
        names = [_SYSTEM_OF_URI.get(uri, uri) for uri in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(encoded.indices)

    def flags(self) -> pa.Array:
        """False in every row."""
        return pa.array(np.zeros(self.file.n_rows, np.bool_))


def _typed(array: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    if arrow_type == TEXT:
        return array.dictionary_encode()
    return array if array.type == arrow_type else array.cast(arrow_type)


def _encounters(rows: _Rows) -> dict[str, pa.Array]:
    return {
        "system": rows.constant("SNOMED-CT"),
        "encounter_class": rows.file.text("ENCOUNTERCLASS").fill_null(""),
        "stop": pc.coalesce(rows.file.times("STOP"), rows.file.times("START")),
    }


def _conditions(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.system("SNOMED-CT")}


def _allergies(rows: _Rows) -> dict[str, pa.Array]:
    file = rows.file
    cells = [[file.text(f"{name}{k}").to_pylist() for name in ("REACTION", "DESCRIPTION", "SEVERITY")] for k in (1, 2)]
    texts = []
    for row in range(file.n_rows):
        found = [
            {
                "system": "SNOMED-CT",
                "code": code[row],
                "display": display[row] or "",
                "severity": (level[row] or "").lower(),
            }
            for code, display, level in cells
            if code[row]
        ]
        texts.append(orjson.dumps(found).decode() if found else None)
    return {
        "system": rows.system("SNOMED-CT"),
        "allergy_type": file.text("TYPE").fill_null(""),
        "category": file.text("CATEGORY").fill_null(""),
        "reactions": pa.array(texts, pa.string()),
    }


def _medications(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.constant("RxNorm"), "is_chronic": rows.flags(), "is_administered": rows.flags()}


def _careplans(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.constant("SNOMED-CT")}


def _procedures(rows: _Rows) -> dict[str, pa.Array]:
    return {
        "system": rows.system("SNOMED-CT"),
        "stop": pc.coalesce(rows.file.times("STOP"), rows.file.times("START")),
    }


def _observations(rows: _Rows) -> dict[str, pa.Array]:
    file = rows.file
    value = file.text("VALUE")
    is_number = pc.fill_null(pc.equal(file.text("TYPE"), "numeric"), fill_value=False)
    no_key = pa.array(np.zeros(file.n_rows, np.uint64))
    none = pa.scalar(None, pa.string())
    numeric = file.cast("VALUE", pc.if_else(is_number, value, none), pa.float64())
    return {
        "system": rows.constant("LOINC"),
        "category": file.text("CATEGORY").fill_null(""),
        "numeric_value": numeric,
        "text_value": pc.if_else(is_number, none, value),
        "unit": file.text("UNITS"),
        "panel_key": no_key,
        "report_key": no_key,
        "is_panel": rows.flags(),
    }


def _immunizations(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.constant("CVX"), "series": pa.array(np.ones(rows.file.n_rows, np.int16))}


def _devices(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.constant("SNOMED-CT")}


def _supplies(rows: _Rows) -> dict[str, pa.Array]:
    return {"system": rows.constant("SNOMED-CT"), "quantity": rows.file.numbers("QUANTITY", pa.float64())}


_MAKERS: Mapping[str, Callable[[_Rows], dict[str, pa.Array]]] = {
    "conditions": _conditions,
    "allergies": _allergies,
    "medications": _medications,
    "careplans": _careplans,
    "procedures": _procedures,
    "observations": _observations,
    "immunizations": _immunizations,
    "devices": _devices,
    "supplies": _supplies,
}


def _first_images(file: _File) -> _File:
    """The first image of every series, with how many there are (`N`)."""
    series = pc.binary_join_element_wise(
        file.text("PATIENT"), file.text("Id"), file.text("SERIES_UID"), "|", null_handling="replace"
    ).dictionary_encode()
    index = series.indices.to_numpy()
    _, first, counts = np.unique(index, return_index=True, return_counts=True)
    order = np.argsort(first)
    found = file.take(first[order])
    return _File(file.path, found.table.append_column("N", pa.array(counts[order].astype(np.int32))))


def _imaging(rows: _Rows) -> dict[str, pa.Array]:
    file = rows.file
    study = pc.binary_join_element_wise(file.text("PATIENT"), file.text("Id"), "|").dictionary_encode()
    index = study.indices.to_numpy().astype(np.int64)
    order = np.argsort(index, kind="stable")
    number = np.empty(len(index), np.int64)
    number[order] = (_keys(0, index[order])).astype(np.int64) + 1
    first = np.unique(index, return_index=True)[1]
    keys = np.zeros(len(first), np.uint64)
    keys[np.argsort(first)] = _keys(_STUDY_NUMBER, rows.patient[np.sort(first)])
    return {
        "study_key": pa.array(keys[index]),
        "series_number": pa.array(number.astype(np.int16)),
        "procedure_system": rows.constant("SNOMED-CT"),
        "procedure_code": file.text("PROCEDURE_CODE").fill_null(""),
        "body_site_system": rows.constant("SNOMED-CT"),
        "body_site_code": file.text("BODYSITE_CODE").fill_null(""),
        "body_site_display": file.text("BODYSITE_DESCRIPTION").fill_null(""),
        "modality_code": file.text("MODALITY_CODE").fill_null(""),
        "modality_display": file.text("MODALITY_DESCRIPTION").fill_null(""),
        "n_instances": file.table["N"].combine_chunks(),
        "sop_code": file.text("SOP_CODE"),
        "sop_display": file.text("SOP_DESCRIPTION"),
    }


class _Coverages:
    """Coverages from two files; when they stopped can be said only once the end of observation is known."""

    def __init__(self, transitions: _File, payers: _File, known: _Known) -> None:
        order = np.argsort(transitions.required_times("START_DATE"), kind="stable")
        transitions.required_position("PAYER", payers.text("Id"), "payer")
        self._rows = _Rows(transitions.take(order), "coverages", known)
        self._payer = self._rows.file.position("PAYER", payers.text("Id"), "payer")
        names, owners = payers.text("NAME").to_pylist(), payers.text("OWNERSHIP").to_pylist()
        self._kinds = [_kind_of_payer(name, owner) for name, owner in zip(names, owners, strict=True)]
        self._names = [None if kind == NOT_INSURED else name for name, kind in zip(names, self._kinds, strict=True)]
        self._time = self._rows.file.times("START_DATE")
        self.begun = pa.table({"time": self._time})

    def table(self, patients: pa.Table) -> pa.Table:
        """The table."""
        who = pa.array(self._rows.patient)
        planned = self._rows.file.times("END_DATE").view(pa.int64())
        death = patients["death_time"].cast(pa.int64()).combine_chunks().take(who)
        last = patients["last_time"].cast(pa.int64()).combine_chunks().take(who)
        goes_on = pc.fill_null(pc.greater(planned, last), fill_value=True)
        stop = pc.if_else(goes_on, death, planned)
        texts = pa.array(self._payer)
        return self._rows.table(
            lambda _rows: {
                "time": self._time,
                "stop": stop.view(TIME),
                "payer": pa.array(self._names, pa.string()).take(texts),
                "kind": pa.array(self._kinds, pa.string()).take(texts),
            }
        )


def _kind_of_payer(name: str | None, ownership: str | None) -> str:
    """Kind of insurance by the payer; Synthea's files do not tell plans apart."""
    if ownership == NO_INSURANCE or name == NO_INSURANCE:
        return NOT_INSURED
    return _KIND_OF_PAYER.get(name or "", "other" if ownership == GOVERNMENT else "private")


_KIND_OF_PAYER: Mapping[str, str] = {"Medicare": "medicare", "Medicaid": "medicaid", "Dual Eligible": "dual"}

_PATIENT_TEXTS: Mapping[str, str] = {
    "sex": "GENDER", "race": "RACE", "ethnicity": "ETHNICITY", "marital_status": "MARITAL", "prefix": "PREFIX",
    "given_name": "FIRST", "middle_name": "MIDDLE", "family_name": "LAST", "maiden_name": "MAIDEN",
    "address_line": "ADDRESS", "city": "CITY", "county": "COUNTY", "state": "STATE", "postal_code": "ZIP", "ssn": "SSN",
    "drivers": "DRIVERS", "passport": "PASSPORT", "birth_city": "BIRTHPLACE", "source_id": "Id",
}  # fmt: skip


def _people(file: _File, tables: Mapping[str, pa.Table]) -> tuple[pa.Table, pa.Table]:
    """The tables of patients and of deaths."""
    n = file.n_rows
    ids = pa.array(np.arange(n, dtype=np.uint64))
    birth = file.times("BIRTHDATE").view(pa.int64())
    death = pc.add(file.times("DEATHDATE").view(pa.int64()), _DAY_US - 1)
    times = [table[name].cast(pa.int64()) for table in tables.values() for name in _TIMES if name in table.schema.names]
    last = max([pc.max(column).as_py() for column in times if len(column) > column.null_count] or [0])
    observed = pc.coalesce(death, pc.max_element_wise(birth, pa.scalar(last)))
    made = {
        "patient_id": ids,
        "birth_time": birth.view(TIME),
        "death_time": death.view(TIME),
        "last_time": observed.view(TIME),
        "latitude": file.numbers("LAT", pa.float64()),
        "longitude": file.numbers("LON", pa.float64()),
        "income": file.numbers("INCOME", pa.int64()),
    }
    for name, column in TABLES["patients"].items():
        if name not in made:
            text = file.text(_PATIENT_TEXTS[name]) if name in _PATIENT_TEXTS else pa.nulls(n, pa.string())
            made[name] = _typed(text if column.nullable else text.fill_null(""), column.type)
    patients = pa.Table.from_arrays([made[name] for name in TABLES["patients"]], schema=schema_of("patients"))
    dead = np.flatnonzero(death.is_valid().to_numpy(zero_copy_only=False))
    if not len(dead):
        return patients, empty_table("deaths")
    empty = pa.array(np.full(len(dead), "", object), pa.string()).dictionary_encode()
    causes = {
        "patient_id": ids.take(pa.array(dead)),
        "time": death.view(TIME).take(pa.array(dead)),
        "cause_key": pa.array(np.zeros(len(dead), np.uint64)),
        "module": empty,
        "state": empty,
    }
    deaths = [causes.get(name, pa.nulls(len(dead), column.type)) for name, column in TABLES["deaths"].items()]
    return patients, pa.Table.from_arrays(deaths, schema=schema_of("deaths"))
