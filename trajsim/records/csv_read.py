"""Records from CSV files in Synthea's layout: Synthea's own, and those that trajsim wrote.

The files hold less than Records do: no answer key (`module` and `state` are empty), no panels or reports, no second
codes, dates instead of instants in some files. Patients are numbered by their row in ``patients.csv``; their own id is
kept in the column `source_id`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.codes.systems import SYSTEM_URIS
from trajsim.records.csv_file import CsvFaults, CsvFile
from trajsim.records.csv_payers import GOVERNMENT, NO_INSURANCE, NOT_INSURED
from trajsim.records.schema import EVENT_TABLES, TABLES, TEXT, TIME
from trajsim.records.table import Records, empty_table, schema_of

_DAY_US = 86_400_000_000
_STUDY_NUMBER = 1_000  # beyond the numbers of the tables, so that keys of studies differ from keys of rows

_REQUIRED = ("patients", "encounters")
_TIMES = ("time", "stop")
_SYSTEM_OF_URI = {uri: name for name, uri in SYSTEM_URIS.items()}


def read_synthea_csv(directory: Path, *, until_us: int | None = None) -> Records:
    """Reads a folder of CSV files (``patients.csv``, ``encounters.csv`` ..., also ``.csv.gz``).

    Args:
        directory: The folder. A file that is not there counts as empty, but for patients and encounters.
        until_us: Last instant that can be, in microseconds since 1970-01-01 UTC: what stands later in the files does
            not lengthen observation. None: any instant can be.

    Returns:
        The Records. A death is taken to the end of its day. Living patients are observed until the last instant at
        which anything in the files began or stopped; a coverage that is to end later is in force. Payer transitions of
        older versions of Synthea, which name years alone, are passed over.

    Raises:
        DataFileError: A file or column is missing, a value cannot be read, a patient stands twice, or a row names an
            unknown patient or encounter; everything of it at once, with file and row.
    """
    faults = CsvFaults(directory)
    files = {
        kind: CsvFile.find(directory, kind, faults, is_required=kind in _REQUIRED)
        for kind in (*_REQUIRED, *_MAKERS, "imaging_studies", "payer_transitions")
    }
    patients, encounters = files["patients"], files["encounters"]
    known = _Known(patients, encounters)
    tables = {"encounters": _Rows(encounters, "encounters", known).table(_encounters)}
    for kind, make in _MAKERS.items():
        if files[kind].n_rows:
            tables[kind] = _Rows(files[kind], kind, known).table(make)
    studies = files["imaging_studies"]
    if studies.n_rows:
        tables["imaging"] = _Rows(_first_images(studies), "imaging", known).table(_imaging)
    transitions = files["payer_transitions"]
    coverages = None
    if transitions.n_rows and "START_DATE" in transitions.table.column_names:
        coverages = _Coverages(transitions, CsvFile.find(directory, "payers", faults), known)
    begun = {} if coverages is None else {"coverages": coverages.begun}
    tables["patients"], tables["deaths"] = _people(patients, tables | begun, until_us)
    faults.require_none()
    if coverages is not None:
        tables["coverages"] = coverages.table(tables["patients"])
    return Records(tables)


class _Known:
    """The patients and encounters that rows may name."""

    def __init__(self, patients: CsvFile, encounters: CsvFile) -> None:
        self.patient_ids = patients.ids("Id")
        self.encounter_ids = None if "Id" in encounters.missing else encounters.text("Id")
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

    def __init__(self, file: CsvFile, name: str, known: _Known) -> None:
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
            "time": self.file.required_times("START" if "START" in columns else "DATE"),
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
    numeric = file.cast("VALUE", pc.if_else(is_number, value, none), pa.float64(), "a number")
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
    return {"system": rows.constant("SNOMED-CT"), "quantity": rows.file.required_numbers("QUANTITY", pa.float64())}


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


def _first_images(file: CsvFile) -> CsvFile:
    """The first image of every series, with how many there are (`N`)."""
    series = pc.binary_join_element_wise(
        file.text("PATIENT"), file.text("Id"), file.text("SERIES_UID"), "|", null_handling="replace"
    ).dictionary_encode()
    index = series.indices.to_numpy()
    _, first, counts = np.unique(index, return_index=True, return_counts=True)
    order = np.argsort(first)
    found = file.take(first[order])
    return found.with_table(found.table.append_column("N", pa.array(counts[order].astype(np.int32))), rows=found.rows)


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

    def __init__(self, transitions: CsvFile, payers: CsvFile, known: _Known) -> None:
        starts = transitions.required_times("START_DATE").view(pa.int64()).fill_null(0)
        order = np.argsort(starts.to_numpy(), kind="stable")
        payer_ids = None if "Id" in payers.missing else payers.text("Id")
        transitions.required_position("PAYER", payer_ids, "payer")
        self._rows = _Rows(transitions.take(order), "coverages", known)
        self._payer = self._rows.file.position("PAYER", payer_ids, "payer")
        names, owners = payers.text("NAME").to_pylist(), payers.text("OWNERSHIP").to_pylist()
        self._kinds = [_kind_of_payer(name, owner) for name, owner in zip(names, owners, strict=True)]
        self._names = [None if kind == NOT_INSURED else name for name, kind in zip(names, self._kinds, strict=True)]
        self._time = self._rows.file.times("START_DATE")
        self._planned = self._rows.file.times("END_DATE").view(pa.int64())
        self.begun = pa.table({"time": self._time})

    def table(self, patients: pa.Table) -> pa.Table:
        """The table."""
        who = pa.array(self._rows.patient)
        death = patients["death_time"].cast(pa.int64()).combine_chunks().take(who)
        last = patients["last_time"].cast(pa.int64()).combine_chunks().take(who)
        goes_on = pc.fill_null(pc.greater(self._planned, last), fill_value=True)
        stop = pc.if_else(goes_on, death, self._planned)
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


def _people(file: CsvFile, tables: Mapping[str, pa.Table], until_us: int | None) -> tuple[pa.Table, pa.Table]:
    """The tables of patients and of deaths."""
    n = file.n_rows
    ids = pa.array(np.arange(n, dtype=np.uint64))
    birth = file.required_times("BIRTHDATE").view(pa.int64())
    death = pc.add(file.times("DEATHDATE").view(pa.int64()), _DAY_US - 1)
    times = [table[name].cast(pa.int64()) for table in tables.values() for name in _TIMES if name in table.schema.names]
    if until_us is not None:
        times = [column.filter(pc.less_equal(column, until_us)) for column in times]
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
