"""Whether Records can be written as FHIR: what no valid resource could say is refused, with the row that says it.

Text columns are dictionaries, so that a look at their few values finds what is wrong in millions of rows.
"""

from collections.abc import Callable, Iterator

import numpy as np
import orjson
import pyarrow as pa

from fhir_export.columns import Columns, Encoded
from fhir_export.validate.ucum import is_unit
from fhir_export.vocabulary import ucum_code
from trajsim.codes import system_uri
from trajsim.errors import ConfigError, ExportError
from trajsim.records.invariants import check_records
from trajsim.records.schema import TABLES, TEXT
from trajsim.records.table import Records

_SHOWN = 20
_LISTS = ("more_codes", "reactions", "activities")


def require_exportable(records: Records, columns: Callable[[str], Columns]) -> None:
    """Refuses Records that no valid FHIR can be made of.

    Args:
        records: Any Records.
        columns: The columns of a table of them; what is decoded here need not be decoded again.

    Raises:
        ExportError: A code without a code system that is known, a unit that UCUM does not know, or a number that is
            none; all of them, each with table, row, patient and the state that wrote it.
    """
    faults = list(_faults(records, columns))
    if faults:
        raise _error(faults)


def not_exportable(records: Records, columns: Callable[[str], Columns], found: str) -> ExportError:
    """The error for Records that break their own rules, with all that is wrong with them.

    Args:
        records: Any Records.
        columns: The columns of a table of them.
        found: What showed it.
    """
    broken = [problem.render() for problem in check_records(records) if problem.invariant != "finite"]
    return _error([*(broken or [found]), *_faults(records, columns)])


def _error(faults: list[str]) -> ExportError:
    shown = faults[:_SHOWN]
    if len(faults) > _SHOWN:
        shown.append(f"and {len(faults) - _SHOWN} more")
    msg = "\n".join(["these Records cannot be written as FHIR", *shown])
    return ExportError(msg, hint="mend the rows, or the states of the modules that wrote them")


def _faults(records: Records, columns: Callable[[str], Columns]) -> Iterator[str]:
    for table in TABLES:
        if columns(table).n_rows:
            yield from _faults_of(table, records[table], columns(table))


def _faults_of(table: str, rows: pa.Table, columns: Columns) -> Iterator[str]:
    for name, column in TABLES[table].items():
        if pa.types.is_floating(column.type):
            numbers, _ = columns.numbers(name)
            broken = np.flatnonzero(~np.isfinite(numbers))
            if len(broken):
                yield _place(rows, table, name, int(broken[0]), len(broken), f"{numbers[broken[0]]} is no number")
        elif name == "unit":
            yield from _texts(rows, table, name, columns.text(name), _unit_fault)
        elif name in _LISTS:
            yield from _texts(rows, table, name, columns.text(name), _list_fault)
        elif (name == "system" or name.endswith("_system")) and column.type == TEXT:
            code = columns.text(name.removesuffix("system") + "code")
            yield from _texts(rows, table, name, columns.text(name), _system_fault)
            yield from _without_system(rows, table, name, columns.text(name), code)


def _texts(
    rows: pa.Table, table: str, name: str, text: Encoded, fault_of: Callable[[str], str | None]
) -> Iterator[str]:
    for value in text.used().tolist():
        said = text.values[value]
        fault = None if said is None else fault_of(said)
        if fault is not None:
            broken = np.flatnonzero(text.indices == value)
            yield _place(rows, table, name, int(broken[0]), len(broken), fault)


def _without_system(rows: pa.Table, table: str, name: str, system: Encoded, code: Encoded) -> Iterator[str]:
    broken = np.flatnonzero(system.is_null & ~code.is_null)
    if len(broken):
        said = code.values[code.indices[broken[0]]]
        yield _place(rows, table, name, int(broken[0]), len(broken), f"code {said!r} has no code system")


def _place(rows: pa.Table, table: str, name: str, row: int, n_rows: int, fault: str) -> str:
    patient = rows.column("patient_id")[row].as_py()
    more = f", and {n_rows - 1} rows more" if n_rows > 1 else ""
    by = ""
    if "module" in TABLES[table]:
        by = f" (written by {rows.column('module')[row].as_py()!r}, state {rows.column('state')[row].as_py()!r})"
    return f"{table} row {row} of patient {patient}{more}: {name}: {fault}{by}"


def _unit_fault(unit: str) -> str | None:
    code = ucum_code(unit)
    return None if code is None or is_unit(code) else f"{unit!r} is no unit of UCUM"


def _system_fault(system: str) -> str | None:
    try:
        system_uri(system)
    except ConfigError as error:
        return error.message
    return None


def _list_fault(text: str) -> str | None:
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        return f"expected a list of {{system, code, display}}, got {text!r}"
    for each in listed:
        for key in ("system", "code"):
            if not isinstance(each.get(key), str) or not each[key]:
                return f"{key!r} is missing in {text!r}"
        fault = _system_fault(each["system"])
        if fault is not None:
            return fault
    return None
