"""Event sequences on disk: a folder of two tables, their vocabulary and the report of what was left out.

What ingest makes once is trained on and scored many times, on other machines too, so it is written whole or not at
all, and nothing is read that breaks what `trajsim.event_sequences.EventSequences` promises.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trajsim.errors import ConfigError, DataFileError, ExportError
from trajsim.event_sequences import SPLITS, EventSequences, Vocabulary
from trajsim.learn.vocabulary_json import vocabulary_from_json, vocabulary_to_json

FORMAT = "trajsim event sequences"
VERSION = 1
PATIENTS = "patients.parquet"
DAYS = "days.parquet"
VOCABULARY = "vocabulary.json"
REPORT = "report.json"
FILES = (PATIENTS, DAYS, VOCABULARY, REPORT)


def write_sequences(sequences: EventSequences, folder: Path, *, report: Mapping[str, Any]) -> None:
    """Writes sequences into a folder, whole or not at all.

    Args:
        sequences: What to write.
        folder: A new or empty folder, or one that this function wrote before, which is replaced.
        report: What ingest counted, as it is kept in ``report.json``.

    Raises:
        ConfigError: The folder holds something else.
        ExportError: It cannot be written.
    """
    require_own_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as made:
            fresh = Path(made) / "new"
            fresh.mkdir()
            said = {"format": FORMAT, "version": VERSION, **vocabulary_to_json(sequences.vocabulary)}
            _write_json(fresh / VOCABULARY, said)
            _write_json(fresh / REPORT, report)
            pq.write_table(_patients_table(sequences), fresh / PATIENTS, compression="zstd")
            pq.write_table(_days_table(sequences), fresh / DAYS, compression="zstd")
            if folder.exists():
                folder.rename(Path(made) / "old")
            fresh.rename(folder)
    except OSError as error:
        msg = f"{folder}: event sequences cannot be written: {error.strerror or error}"
        raise ExportError(msg) from error


def require_own_folder(folder: Path) -> None:
    """Refuses a folder whose content `write_sequences` did not write.

    Raises:
        ConfigError: It holds something else, or is no folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"{folder}: expected a folder for event sequences, got a file"
        raise ConfigError(msg)
    names = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in names if name not in FILES]
    if foreign or (names and not _is_own(folder / VOCABULARY)):
        shown = ", ".join(map(repr, (foreign or names)[:3]))
        msg = f"{folder}: the folder holds what is no event sequences of trajsim ({shown}), so it is left as it is"
        raise ConfigError(msg, hint="choose a new or empty folder")


def read_sequences(folder: Path) -> EventSequences:
    """Reads what `write_sequences` wrote, and checks it.

    Args:
        folder: The folder.

    Returns:
        The sequences.

    Raises:
        ConfigError: The folder holds no event sequences at all.
        DataFileError: A file or column is missing, or breaks a promise of event sequences; all faults at once.
    """
    files = (PATIENTS, DAYS, VOCABULARY)
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        hint = "`trajsim ingest SOURCE --mapping NAME --out DIR` makes one"
        if len(missing) == len(files):
            found = "a folder without them" if folder.is_dir() else "no such folder"
            msg = f"{folder}: expected a folder of event sequences, got {found}"
            raise ConfigError(msg, hint=hint)
        msg = f"{folder}: expected a folder of event sequences, {', '.join(missing)} missing"
        raise DataFileError(msg, hint=hint)
    vocabulary = _read_vocabulary(folder / VOCABULARY)
    faults: list[str] = []
    patients = _Columns(folder / PATIENTS, faults)
    days = _Columns(folder / DAYS, faults)
    sequences = _assemble(vocabulary, patients, days)
    if not faults:
        faults += [f"{folder / file}: column {column!r}: {what}" for file, column, what in _broken(sequences)]
        if not np.array_equal(days.array("patient_id", np.str_), sequences.patient_id[sequences.patient_of_day]):
            faults.append(f"{folder / DAYS}: column 'patient_id': rows do not stand in the order of {PATIENTS}")
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        msg = "\n".join([f"{folder}: {count} in event sequences", *faults])
        raise DataFileError(msg, hint="ingest the source again")
    return sequences


def read_report(folder: Path) -> dict[str, Any]:
    """What ingest counted.

    Raises:
        DataFileError: There is none.
    """
    return _read_json(folder / REPORT)


def _assemble(vocabulary: Vocabulary, patients: "_Columns", days: "_Columns") -> EventSequences:
    events, labs = vocabulary.event_names, vocabulary.lab_names
    split = patients.array("split", np.str_)
    unknown = ~np.isin(split, SPLITS)
    if unknown.any():
        patients.fault("split", f"expected one of {', '.join(SPLITS)}, got another in {int(unknown.sum())} rows")
    n_days = patients.array("n_days", np.int64)
    offsets = np.concatenate([[0], np.cumsum(n_days)]).astype(np.int64)
    if offsets[-1] != days.n_rows or (n_days < 0).any():
        patients.fault("n_days", f"expected a sum of {days.n_rows}, the rows of {DAYS}, got {offsets[-1]}")
    return EventSequences(
        vocabulary=vocabulary,
        patient_id=patients.array("patient_id", np.str_),
        split=np.select([split == name for name in SPLITS], np.arange(len(SPLITS)), 0).astype(np.uint8),
        is_male=patients.array("is_male", np.bool_),
        entry_age_days=patients.array("entry_age_days", np.int32),
        bmi=patients.array("bmi", np.float64),
        prevalent=patients.stack("prevalent", events, np.bool_),
        entry_values=patients.stack("entry_value", labs, np.float64),
        entry_value_days=patients.stack("entry_value_days", labs, np.int32),
        follow_up_days=patients.array("follow_up_days", np.int32),
        offsets=offsets,
        day=days.array("day", np.int32),
        is_visit=days.array("is_visit", np.bool_),
        events=days.stack("event", events, np.bool_),
        forbidden=days.stack("forbidden", events, np.bool_),
        values=days.stack("value", labs, np.float64),
    )


class _Columns:
    """The columns of one file, with a note of each that is missing or of another type."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        self._path = path
        self._faults = faults
        try:
            self._table: pa.Table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            msg = f"{path}: expected a Parquet file, {error}"
            raise DataFileError(msg) from error
        self.n_rows: int = self._table.num_rows

    def fault(self, column: str, what: str) -> None:
        self._faults.append(f"{self._path}: column {column!r}: {what}")

    def array(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        """A column as an array; zeros in place of one that is not there, beside the note."""
        empty: NDArray[Any] = np.zeros(self.n_rows, dtype)
        if name not in self._table.column_names:
            self.fault(name, "missing")
            return empty
        column = self._table.column(name)
        wanted = pa.string() if dtype is np.str_ else pa.from_numpy_dtype(dtype)
        if column.type != wanted:
            self.fault(name, f"expected the type {wanted}, got {column.type}")
            return empty
        if column.null_count and dtype is not np.float64:
            self.fault(name, f"{column.null_count} rows have no value")
            return empty
        return cast("NDArray[Any]", column.to_numpy()).astype(dtype)

    def stack(self, prefix: str, names: tuple[str, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """Columns side by side, one a name."""
        stacked: NDArray[Any] = np.zeros((self.n_rows, len(names)), dtype)
        for index, name in enumerate(names):
            stacked[:, index] = self.array(f"{prefix}.{name}", dtype)
        return stacked


def _broken(sequences: EventSequences) -> list[tuple[str, str, str]]:
    """Promises that do not hold: file, column, what."""
    vocabulary = sequences.vocabulary
    patient = sequences.patient_of_day
    first_row = np.zeros(len(sequences.day), dtype=np.bool_)
    first_row[sequences.offsets[:-1][sequences.n_days > 0]] = True
    backwards = np.zeros(len(sequences.day), dtype=np.bool_)
    backwards[1:] = (np.diff(sequences.day) <= 0) & ~first_row[1:]
    checks = [
        (PATIENTS, "follow_up_days", sequences.follow_up_days < 1, "is below 1"),
        (PATIENTS, "entry_age_days", sequences.entry_age_days < 0, "is below 0"),
        (DAYS, "day", sequences.day < 1, "is below 1"),
        (DAYS, "day", sequences.day > sequences.follow_up_days[patient], "lies after the end of observation"),
        (DAYS, "day", backwards, "does not come after the day before it"),
    ]
    if len(np.unique(sequences.patient_id)) != len(sequences):
        ids, counts = np.unique(sequences.patient_id, return_counts=True)
        checks.append((PATIENTS, "patient_id", np.isin(sequences.patient_id, ids[counts > 1]), "stands twice"))
    for index, name in enumerate(vocabulary.event_names):
        happened = sequences.events[:, index]
        again = happened & sequences.prevalent[patient, index]
        twice = np.bincount(patient[happened], minlength=len(sequences)) > 1
        checks += [
            (DAYS, f"event.{name}", again | (happened & twice[patient]), "is not the first of its kind"),
            (DAYS, f"forbidden.{name}", sequences.forbidden[:, index] & ~happened, "has no event"),
        ]
    return [(file, column, f"{what} in {int(bad.sum())} rows") for file, column, bad, what in checks if bad.any()]


def _patients_table(sequences: EventSequences) -> pa.Table:
    columns: dict[str, Any] = {
        "patient_id": pa.array(sequences.patient_id.tolist(), pa.string()),
        "split": pa.array(np.array(SPLITS)[sequences.split].tolist(), pa.string()),
        "is_male": sequences.is_male,
        "entry_age_days": sequences.entry_age_days,
        "bmi": sequences.bmi,
        "follow_up_days": sequences.follow_up_days,
        "n_days": sequences.n_days,
    }
    for index, name in enumerate(sequences.vocabulary.event_names):
        columns[f"prevalent.{name}"] = sequences.prevalent[:, index]
    for index, name in enumerate(sequences.vocabulary.lab_names):
        columns[f"entry_value.{name}"] = sequences.entry_values[:, index]
        columns[f"entry_value_days.{name}"] = sequences.entry_value_days[:, index]
    return pa.table(columns)


def _days_table(sequences: EventSequences) -> pa.Table:
    columns: dict[str, Any] = {
        "patient_id": pa.array(sequences.patient_id[sequences.patient_of_day].tolist(), pa.string()),
        "day": sequences.day,
        "is_visit": sequences.is_visit,
    }
    for index, name in enumerate(sequences.vocabulary.event_names):
        columns[f"event.{name}"] = sequences.events[:, index]
        columns[f"forbidden.{name}"] = sequences.forbidden[:, index]
    for index, name in enumerate(sequences.vocabulary.lab_names):
        columns[f"value.{name}"] = sequences.values[:, index]
    return pa.table(columns)


def _read_vocabulary(path: Path) -> Vocabulary:
    document = _read_json(path)
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        found = f"{document.get('format')!r} version {document.get('version')!r}"
        msg = f"{path}: expected the format {FORMAT!r} version {VERSION}, got {found}"
        raise DataFileError(msg)
    try:
        return vocabulary_from_json(document)
    except (msgspec.ValidationError, ConfigError) as error:
        msg = f"{path}: expected a vocabulary of events and labs, {error}"
        raise DataFileError(msg) from error


def _is_own(path: Path) -> bool:
    try:
        return _read_json(path).get("format") == FORMAT
    except DataFileError:
        return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: expected a JSON object, {error}"
        raise DataFileError(msg) from error
    if not isinstance(document, dict):
        msg = f"{path}: expected a JSON object, got {type(document).__name__}"
        raise DataFileError(msg)
    return document


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
