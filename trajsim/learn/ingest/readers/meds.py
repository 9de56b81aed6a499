"""MEDS: shards of (subject, time, code, value), and a table that explains codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.learn.ingest.readers.collected import Collected, Faults, system_name
from trajsim.learn.ingest.readers.columns import Columns, has_columns
from trajsim.learn.ingest.readers.finished import finished, sex_of
from trajsim.learn.ingest.readers.named_tables import parquet_batches
from trajsim.learn.ingest.rows import ClinicalRows

MEDS_SYSTEM = "MEDS"
"""System of a code that names none."""

_BIRTH, _DEATH = "MEDS_BIRTH", "MEDS_DEATH"
_NEEDED = ("subject_id", "time", "code")
_SEX_BEGINNINGS = frozenset({"GENDER", "SEX"})
_ICD_OF_VERSION = {"9": "ICD9CM", "10": "ICD10CM"}
_PROCEDURE_OF_VERSION = {"9": "ICD9CM", "10": "ICD10PCS"}
_BORDER = re.compile(r"//|/")
_BEST_PARENTS = ("SNOMED-CT", "ICD10CM", "LOINC", "RxNorm", "ICD9CM")


def read_meds(source: Path, *, last_day: int | None = None) -> ClinicalRows:
    """Reads a MEDS data set.

    Args:
        source: Its folder, with ``data/**/*.parquet`` and, if there is one, ``metadata/codes.parquet``. Codes such as
            ``LOINC/2085-9`` and ``ICD10CM//I10`` name their system; ``DIAGNOSIS//ICD//10//I10`` and
            ``LAB//50904//mg/dL`` are read as MIMIC's are. A parent code of a known system in ``codes.parquet`` takes
            the place of a code that names none. Units come from a column ``unit`` of the data or of
            ``codes.parquet``, or from the code.
        last_day: Last day on which anything can have happened; later ones do not lengthen observation. None: all do.

    Returns:
        The rows. Rows with a number or an answer are labs, all others events. A patient is observed from the first to
        the last of the patient's own rows; ``MEDS_BIRTH``, ``MEDS_DEATH`` and ``GENDER//F`` (also
        ``Gender/F``, and ``Gender/Gender`` with the answer ``Female``) become the person. Rows of which a fault is told
        are left out with their patients, so that no rule of a mapping judges them again.

    Raises:
        ConfigError: There is no shard in it: another folder was meant.
    """
    data = source / "data" if (source / "data").is_dir() else source
    files = sorted(data.rglob("*.parquet"))
    if data == source:
        files = [path for path in files if "metadata" not in path.relative_to(source).parts]
    if not files:
        msg = f"{source}: no MEDS data here, expected data/**/*.parquet"
        raise ConfigError(msg, hint="SOURCE is the folder that holds data/, `--mapping` says which format it has")
    faults = Faults(str(source))
    reader = _Reader(_metadata(source, faults), faults)
    for path in files:
        reader.shard(path, str(path.relative_to(source)))
    return reader.rows(last_day)


@dataclass(frozen=True)
class Meaning:
    """What a code of MEDS stands for.

    Attributes:
        system: Code system.
        code: Code in it.
        unit: Unit that the code itself, or ``codes.parquet``, gives; empty for none.
    """

    system: str
    code: str
    unit: str = ""


@dataclass(frozen=True)
class _Explained:
    """A row of ``codes.parquet``."""

    parents: tuple[str, ...] = ()
    unit: str = ""


def meaning_of(code: str, explained: _Explained | None = None) -> Meaning:
    """What a code stands for.

    Example:
        >>> meaning_of("DIAGNOSIS//ICD//10//I10")
        Meaning(system='ICD10CM', code='I10', unit='')
    """
    own = _spelled(code)
    unit = own.unit or (explained.unit if explained else "")
    if own.system == MEDS_SYSTEM or own.system not in _BEST_PARENTS:
        parents = [_spelled(parent) for parent in (explained.parents if explained else ())]
        known = [parent for parent in parents if parent.system in _BEST_PARENTS]
        if known:
            best = min(known, key=lambda parent: _BEST_PARENTS.index(parent.system))
            return Meaning(best.system, best.code, unit)
    return Meaning(own.system, own.code, unit)


def _spelled(code: str) -> Meaning:
    """What the spelling of a code says."""
    parts = code.split("//")
    kind = parts[0].upper()
    if len(parts) >= 4 and parts[1].upper() == "ICD" and kind in {"DIAGNOSIS", "PROCEDURE"}:
        systems = _ICD_OF_VERSION if kind == "DIAGNOSIS" else _PROCEDURE_OF_VERSION
        return Meaning(systems.get(parts[2], "ICD"), "//".join(parts[3:]))
    if kind == "LAB" and len(parts) >= 2:
        unit = "//".join(parts[2:])
        return Meaning("LAB", parts[1], "" if unit == "UNK" else unit)
    border = _BORDER.search(code)
    if border is None or not border.start():
        return Meaning(MEDS_SYSTEM, code)
    system = code[: border.start()]
    name = system_name("SNOMED-CT" if system.upper() == "SNOMED" else system)
    rest = code[border.end() :]
    if name not in _BEST_PARENTS:
        # Not a vocabulary but a kind of MEDS code: it is kept whole.
        return Meaning(MEDS_SYSTEM, code)
    return Meaning(name, rest.split("//", maxsplit=1)[0], "//".join(rest.split("//")[1:]))


def _metadata(source: Path, faults: Faults) -> Mapping[str, _Explained]:
    path = source / "metadata" / "codes.parquet"
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path, use_threads=False, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        faults.add("metadata/codes.parquet", None, f"cannot be read ({str(error).splitlines()[0]})")
        return {}
    if "code" not in table.column_names:
        faults.add("metadata/codes.parquet", None, "columns missing: code")
        return {}
    n = table.num_rows
    parents = table["parent_codes"].to_pylist() if "parent_codes" in table.column_names else [None] * n
    unit_column = next((name for name in ("unit", "units") if name in table.column_names), None)
    units = table[unit_column].to_pylist() if unit_column else [None] * n
    return {
        code: _Explained(tuple(above or ()), unit or "")
        for code, above, unit in zip(table["code"].to_pylist(), parents, units, strict=True)
    }


class _Reader:
    """Reads shard after shard."""

    def __init__(self, metadata: Mapping[str, _Explained], faults: Faults) -> None:
        self._metadata = metadata
        self._faults = faults
        self._collected = Collected()
        self._shard_of: dict[int, str] = {}
        self._row_of: dict[int, int] = {}
        self._birth: dict[int, int] = {}
        self._death: dict[int, int] = {}
        self._sex: dict[int, str] = {}
        self._spoilt: set[int] = set()
        self._meanings: dict[str, Meaning] = {}
        self._counts: dict[str, int] = {}

    def shard(self, path: Path, name: str) -> None:
        """All rows of a file."""
        first = 1
        try:
            for table in parquet_batches(path):
                if not has_columns(name, table, _NEEDED, self._faults):
                    return
                self._batch(Columns(name, first, table, self._faults))
                first += table.num_rows
        except (pa.ArrowException, OSError) as error:
            self._faults.add(name, None, f"cannot be read beyond row {first - 1} ({str(error).splitlines()[0]})")
            self._spoilt |= {subject for subject, shard in self._shard_of.items() if shard == name}

    def rows(self, last_day: int | None) -> ClinicalRows:
        """Everything that was read."""
        for subject, shard in self._shard_of.items():
            if subject in self._spoilt:
                continue
            self._collected.add_person(
                str(subject), sex=self._sex.get(subject), birth_day=self._birth.get(subject),
                death_day=self._death.get(subject), source=shard, row=self._row_of[subject],
            )  # fmt: skip
        return finished(
            self._collected, self._faults, self._counts, last_day=last_day, has_all_persons=not self._faults.count
        )

    def _batch(self, columns: Columns) -> None:
        subject, day = columns.whole_numbers("subject_id"), columns.days("time")
        code = columns.texts("code").dictionary_encode()
        value, text, units = columns.numbers("numeric_value"), columns.texts("text_value"), columns.texts("unit")
        nothing = subject.is_null().to_numpy(zero_copy_only=False) | code.is_null().to_numpy(zero_copy_only=False)
        columns.spoil(nothing & ~columns.is_spoilt, "no subject_id, or no code")
        numbers = subject.fill_null(-1).to_numpy(zero_copy_only=False)
        self._spoilt |= set(np.unique(numbers[columns.is_spoilt]).tolist())
        self._people(columns, numbers)
        names = code.dictionary.to_pylist()
        index = np.where(columns.is_spoilt, -1, code.indices.fill_null(-1).to_numpy(zero_copy_only=False))
        is_person = self._take_person(names, index, numbers, day, text)
        keep = np.flatnonzero(~columns.is_spoilt & ~is_person)
        chosen = pa.array(keep)
        meanings = [self._meaning(each) for each in names]
        place = pa.array(index[keep], pa.int32())
        # Writers of tables may have left NaN where there is no number.
        value = pc.if_else(pc.fill_null(pc.is_nan(value), fill_value=True), pa.scalar(None, pa.float64()), value)
        unit = _dictionary([meaning.unit or None for meaning in meanings], place)
        self._collected.add_table(
            len(keep),
            {
                "patient_id": subject.take(chosen).cast(pa.string()),
                "day": day.take(chosen),
                "is_lab": pc.or_(value.is_valid(), text.is_valid()).take(chosen),
                "system": _dictionary([meaning.system for meaning in meanings], place),
                "code": _dictionary([meaning.code for meaning in meanings], place),
                "value": value.take(chosen),
                "text": text.take(chosen),
                "unit": pc.coalesce(units.take(chosen), unit),
                "source": columns.file,
                "row": pa.array(columns.rows[keep]),
            },
        )

    def _people(self, columns: Columns, subjects: NDArray[np.int64]) -> None:
        """Notes where every subject stands; nobody may stand in two files."""
        name = columns.file
        unique, where = np.unique(subjects, return_index=True)
        for subject, position in sorted(zip(unique.tolist(), where.tolist(), strict=True), key=lambda pair: pair[1]):
            if subject < 0:
                continue
            row = int(columns.rows[position])
            before = self._shard_of.setdefault(subject, name)
            self._row_of.setdefault(subject, row)
            if before != name:
                self._faults.add(name, row, f"subject {subject} stands in {before} too: a patient is never split")

    def _take_person(
        self, names: list[str], index: NDArray[np.int32], subjects: NDArray[np.int64], day: pa.Array, text: pa.Array
    ) -> NDArray[np.bool_]:
        """Takes births, deaths and sexes; says which rows these were."""
        taken = np.zeros(len(index), bool)
        for number, name in enumerate(names):
            head, *rest = _BORDER.split(name, maxsplit=1)
            is_sex = head.upper() in _SEX_BEGINNINGS and bool(rest)
            if name not in {_BIRTH, _DEATH} and not is_sex:
                continue
            hits = np.flatnonzero(index == number)
            taken[hits] = True
            for hit in hits.tolist():
                subject, when = int(subjects[hit]), day[hit].as_py()
                if is_sex:
                    self._sex[subject] = sex_of(rest[0]) or sex_of(text[hit].as_py()) or ""
                elif when is not None:
                    (self._birth if name == _BIRTH else self._death).setdefault(subject, when)
        return taken

    def _meaning(self, code: str) -> Meaning:
        found = self._meanings.get(code)
        if found is None:
            found = self._meanings[code] = meaning_of(code, self._metadata.get(code))
        return found


def _dictionary(names: list[str] | list[str | None], place: pa.Array) -> pa.Array:
    return pa.array(names, pa.string()).take(place)
