"""Our own Records: lives that were simulated, or data that were read into the same tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.learn.ingest.mapping import CodeSet, SourceMapping
from trajsim.learn.ingest.readers.collected import Collected, Faults, days_of, named_systems, system_name
from trajsim.learn.ingest.readers.finished import finished
from trajsim.learn.ingest.readers.runs import seed_of_run
from trajsim.learn.ingest.rows import ClinicalRows
from trajsim.records.ids import PATIENT_ROW_KEY, uuid_bytes, uuid_text
from trajsim.records.parquet import read_parquet_shards
from trajsim.records.table import Records, text_parts

EVENT_TABLES = ("conditions", "procedures", "medications", "immunizations", "allergies", "careplans", "devices")
"""Tables whose rows are events: what began on a day."""


def read_records(folder: Path) -> ClinicalRows:
    """Reads a folder of Records as `trajsim generate --format parquet` writes it.

    Args:
        folder: The folder ``parquet`` of a run, or the run's folder. With the manifest of the run, patients have the id
            that CSV and FHIR give them; without it, their number.

    Returns:
        The rows.

    Raises:
        DataFileError: The folder is not there, or a file cannot be read.
    """
    tables = folder if (folder / "patients").is_dir() else folder / "parquet"
    collected = Collected()
    seed = seed_of_run(tables.parent)
    for number, records in enumerate(read_parquet_shards(tables)):
        _gather(collected, records, _public_ids(records, seed), place=f"patients/part-{number:08d}.parquet")
    return finished(collected, Faults(str(folder)))


def rows_of_records(records: Records, *, seed: int | None = None, only: SourceMapping | None = None) -> ClinicalRows:
    """The coded rows of Records.

    Args:
        records: The patients, simulated or real.
        seed: Seed of the run that simulated them: patients then have the id that CSV and FHIR give them. Without it,
            their id in the data they were read from, or else their number.
        only: Keep no rows but those whose code this mapping names, and count the others: whole lives hold seven times
            as many. None: keep all, so that the report can list what is unmapped.

    Returns:
        Conditions, procedures, medications and the like as events, observations as labs; observed from birth to
        `last_time`.
    """
    collected = Collected()
    named = None if only is None else only.code_sets
    n_others = _gather(collected, records, _public_ids(records, seed), named=named)
    return finished(collected, Faults("records"), {"codes that the mapping does not name": n_others} if only else None)


def _public_ids(records: Records, seed: int | None) -> pa.Array:
    numbers = records.patient_ids
    if seed is None:
        made = pa.array(numbers).cast(pa.string())
    else:
        made = uuid_text(uuid_bytes(seed, numbers, np.full(len(numbers), PATIENT_ROW_KEY, np.uint64)))
    return pc.coalesce(records["patients"]["source_id"].combine_chunks(), made.cast(pa.string()))


def _gather(
    collected: Collected,
    records: Records,
    ids: pa.Array,
    *,
    named: tuple[CodeSet, ...] | None = None,
    place: str = "patients",
) -> int:
    """Collects patients and rows; says how many rows were left out because no code set names them."""
    n = records.n_patients
    patients = records["patients"]
    collected.add_people(
        n,
        {
            "patient_id": ids,
            "sex": patients["sex"].cast(pa.string()),
            "birth_day": days_of(patients["birth_time"]),
            "first_day": days_of(patients["birth_time"]),
            "last_day": days_of(patients["last_time"]),
            "death_day": days_of(patients["death_time"]),
            "source": place,
            "row": pa.array(np.arange(1, n + 1)),
        },
    )
    order = np.argsort(records.patient_ids, kind="stable")
    n_others = 0
    for name in (*EVENT_TABLES, "observations"):
        table, row, n_left_out = _chosen(records[name], named)
        n_others += n_left_out
        if table.num_rows:
            _add_rows(collected, name, table, row, (records.patient_ids, ids, order))
    return n_others


def _chosen(table: pa.Table, named: tuple[CodeSet, ...] | None) -> tuple[pa.Table, NDArray[np.int64], int]:
    """Rows of a table that are kept, with their numbers, and how many are not named.

    Panels are never kept: they have no value of their own, and their components stand beside them.
    """
    keep = np.ones(table.num_rows, np.bool_)
    if "is_panel" in table.column_names:
        keep &= ~table["is_panel"].to_numpy()
    n_before = int(keep.sum())
    if named is not None and table.num_rows:
        system, code = _plain(table["system"]), _plain(table["code"])
        is_named = np.array(
            [
                [any(codes.holds(system_name(each), text) for codes in named) for text in code.dictionary.to_pylist()]
                for each in system.dictionary.to_pylist()
            ]
        )
        keep &= is_named[system.indices.to_numpy(), code.indices.to_numpy()]
    rows = np.flatnonzero(keep)
    return (table if keep.all() else table.take(pa.array(rows))), rows + 1, n_before - len(rows)


def _add_rows(
    collected: Collected,
    name: str,
    table: pa.Table,
    row: NDArray[np.int64],
    patients: tuple[NDArray[np.uint64], pa.Array, NDArray[np.int64]],
) -> None:
    numbers, ids, order = patients
    own = table["patient_id"].to_numpy()
    place = order[np.searchsorted(numbers[order], own)]
    columns: dict[str, object] = {
        "patient_id": pa.DictionaryArray.from_arrays(pa.array(place, pa.int32()), ids),
        "day": days_of(table["time"]),
        "is_lab": name == "observations",
        "system": named_systems(_plain(table["system"])),
        "code": _plain(table["code"]),
        "source": name,
        "row": pa.array(row),
    }
    if name == "observations":
        columns |= {
            "value": table["numeric_value"],
            "text": pc.coalesce(_decoded(table["value_code"]), _decoded(table["text_value"])),
            "unit": _plain(table["unit"]),
        }
    collected.add_table(table.num_rows, columns)


def _plain(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A text column in one chunk, whatever its chunks' dictionaries."""
    indices, nulls, dictionary = text_parts(column)
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32(), mask=nulls), dictionary, safe=False)


def _decoded(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.string()).combine_chunks()
