"""FHIR R4 as NDJSON or as bundles, ours and those of others: one line, or one entry, is held at a time."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import msgspec
import numpy as np
import zstandard

from trajsim.errors import DataFileError
from trajsim.learn.ingest.mapping import CodeSet, SourceMapping
from trajsim.learn.ingest.readers.collected import Collected, Faults, system_name
from trajsim.learn.ingest.readers.fhir_forms import (
    Concept,
    Condition,
    Encounter,
    Immunization,
    Kind,
    Medication,
    Observation,
    Patient,
    Procedure,
    Reference,
    Request,
    Value,
    answer_of,
    day_of,
    is_year_or_month,
)
from trajsim.learn.ingest.readers.finished import finished
from trajsim.learn.ingest.readers.runs import end_of_run
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows

_SUFFIXES = (".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz", ".ndjson.zst", ".json.zst")
_BUFFER = 1 << 20
_NOT_MEANT = frozenset({"refuted", "entered-in-error"})
_NOT_DONE = frozenset({"entered-in-error", "not-done", "cancelled", "planned", "draft"})
_KEPT_TYPES = frozenset({
    "Patient", "Encounter", "Condition", "Observation", "Procedure", "Immunization", "MedicationRequest", "Medication",
})  # fmt: skip
_CODE_OF_INTEREST = ("SNOMED-CT", "ICD10CM", "LOINC", "RxNorm")


def is_fhir(folder: Path) -> bool:
    """Whether there are files here that `read_fhir` reads."""
    return any(True for _ in _files(folder))


def read_fhir(source: Path, *, mapping: SourceMapping | None = None, last_day: int | None = None) -> ClinicalRows:
    """Reads a file or folder of FHIR R4 resources.

    Args:
        source: NDJSON files (any number of types a file), bundles, or a folder of both, also below it; compressed with
            gzip or Zstandard or not. Patients, encounters, conditions, observations with their components, procedures,
            immunizations and prescriptions are read, all else is passed over.
        mapping: Of several codings of an entry one that it names is taken; None: it names none.
        last_day: Last day on which anything can have happened; later ones do not lengthen observation. None: all do.

    Returns:
        The rows. A patient is observed to the day on which our own run ended, or else to the last day of any encounter
        or other entry; a death ends it. The dead without a day of death are observed to their own last row.

    Raises:
        DataFileError: There is no such file, or none of the files can be opened.
    """
    files = list(_files(source))
    if not files:
        msg = f"{source}: no FHIR here, expected NDJSON files or bundles"
        raise DataFileError(msg, hint=f"names end in {', '.join(_SUFFIXES)}")
    reader = _Reader(
        Faults(str(source)), code_sets=() if mapping is None else mapping.code_sets, last_possible_day=last_day
    )
    for path in files:
        name = path.name if path == source else str(path.relative_to(source))
        for row, resource in _resources(path, name, reader.unread):
            reader.take(name, row, resource)
    return reader.rows(end_of_run(source))


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for path in sorted(source.rglob("*")):
        if path.name.endswith(_SUFFIXES) and path.name not in {"manifest.json", "parameters.json"} and path.is_file():
            yield path


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.open(raw) as file:
                yield io.BufferedReader(cast("io.RawIOBase", file), _BUFFER)
        elif path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(raw) as stream:
                yield io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER)
        else:
            yield raw


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    fullUrl: str | None = None  # noqa: N815 - FHIR's name


class _Bundle(msgspec.Struct):
    entry: list[_Entry] = []


@dataclass
class _Resource:
    raw: bytes | msgspec.Raw
    kind: str
    url: str | None = None


_Unread = Callable[[str, int | None, str], None]

_KIND = msgspec.json.Decoder(Kind)
_BUNDLE = msgspec.json.Decoder(_Bundle)


def _resources(path: Path, name: str, unread: _Unread) -> Iterator[tuple[int, _Resource]]:
    """Resources of a file with the line, or the number of the entry in the bundle, from 1."""
    is_lines = ".ndjson" in path.name or ".jsonl" in path.name
    try:
        with _opened(path) as file:
            if not is_lines:
                yield from _unpacked(1, file.read(), name, unread)
                return
            for row, line in enumerate(file, start=1):
                if line.strip():
                    yield from _unpacked(row, line, name, unread)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        unread(name, None, f"cannot be read ({error})")


def _unpacked(row: int, data: bytes, name: str, unread: _Unread) -> Iterator[tuple[int, _Resource]]:
    try:
        kind = _KIND.decode(data).resourceType
        if kind != "Bundle":
            yield row, _Resource(data, kind)
            return
        for number, entry in enumerate(_BUNDLE.decode(data).entry, start=1):
            if bytes(entry.resource):
                yield number, _Resource(entry.resource, _KIND.decode(entry.resource).resourceType, entry.fullUrl)
    except msgspec.MsgspecError as error:
        unread(name, row, f"not a FHIR resource ({error})")


_FORMS: Mapping[str, msgspec.json.Decoder] = {  # type: ignore[type-arg]
    "Patient": msgspec.json.Decoder(Patient),
    "Encounter": msgspec.json.Decoder(Encounter),
    "Condition": msgspec.json.Decoder(Condition),
    "Observation": msgspec.json.Decoder(Observation),
    "Procedure": msgspec.json.Decoder(Procedure),
    "Immunization": msgspec.json.Decoder(Immunization),
    "MedicationRequest": msgspec.json.Decoder(Request),
    "Medication": msgspec.json.Decoder(Medication),
}


_Entered = Encounter | Condition | Observation | Procedure | Immunization | Request


@dataclass
class _Reader:
    """Takes resources one after the other."""

    faults: Faults
    code_sets: tuple[CodeSet, ...] = ()
    last_possible_day: int | None = None
    collected: Collected = field(default_factory=Collected)
    ranks: dict[tuple[str, str], int] = field(default_factory=dict)
    dead_without_day: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    medications: dict[str, Concept] = field(default_factory=dict)
    prescriptions: list[tuple[str, int, str, int | None, str]] = field(default_factory=list)
    last_day: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    has_all_persons: bool = True

    def unread(self, file: str, row: int | None, sentence: str) -> None:
        """Tells of something that is, or may be, a patient and cannot be read."""
        self.faults.add(file, row, sentence)
        self.has_all_persons = False

    def take(self, file: str, row: int, resource: _Resource) -> None:
        """One resource of a file; `row` is its line or its number in the bundle."""
        if resource.kind not in _KEPT_TYPES:
            return
        try:
            read = _FORMS[resource.kind].decode(resource.raw)
        except msgspec.MsgspecError as error:
            (self.unread if resource.kind == "Patient" else self.faults.add)(file, row, f"{resource.kind}: {error}")
            return
        if isinstance(read, Patient):
            self._patient(file, row, read, resource.url)
        elif isinstance(read, Medication):
            if read.code is not None:
                for key in {read.id, _bare(resource.url or "")} - {None, ""}:
                    self.medications[str(key)] = read.code
        else:
            self._entry(file, row, resource.kind, read)

    def rows(self, end_of_run: int | None) -> ClinicalRows:
        """Everything that was taken."""
        for file, row, who, day, medication in self.prescriptions:
            concept = self.medications.get(medication)
            if concept is None:
                self._count("MedicationRequest whose Medication is not here")
            else:
                self._code(file, row, who, day, concept)
        # Resources of a patient may come before the patient, and bundles name them by other ids than the patient has.
        made = finished(
            self.collected, self.faults, self.counts,
            aliases=self.ids, last_day=self.last_possible_day, has_all_persons=self.has_all_persons,
        )  # fmt: skip
        persons, end = made.persons, end_of_run if end_of_run is not None else self.last_day
        is_undated = persons["patient_id"].isin(self.dead_without_day)
        # Whoever has no row at all is observed on no day, not to the end of the source.
        persons["end"] = persons["end"].mask(is_undated & (persons["end"] == NO_DAY), persons["birth"])
        if end is not None:
            is_dead = persons["death"] != NO_DAY
            persons["end"] = persons["end"].where(is_dead | is_undated, np.int32(end)).astype(np.int32)
        return made

    def _patient(self, file: str, row: int, patient: Patient, url: str | None) -> None:
        if not patient.id:
            self.unread(file, row, "Patient without id")
            return
        if url and _bare(url) != patient.id:
            self.ids[_bare(url)] = patient.id
        birth = patient.birth_text()
        birth_day = day_of(birth)
        if birth and birth_day is None:
            self.faults.add(file, row, f"Patient {patient.id}: birth date {birth!r} is not a date")
        death = day_of(patient.deceasedDateTime)
        if patient.is_dead() and death is None:
            if patient.deceasedDateTime and not is_year_or_month(patient.deceasedDateTime):
                self.faults.add(file, row, f"Patient {patient.id}: death {patient.deceasedDateTime!r} is not a date")
            if patient.id not in self.dead_without_day:
                self._count("deaths without a day, observed to the last row")
            self.dead_without_day.add(patient.id)
        self.collected.add_person(
            patient.id, sex=patient.gender, birth_day=birth_day, death_day=death, source=file, row=row,
        )  # fmt: skip

    def _entry(self, file: str, row: int, kind: str, read: _Entered) -> None:
        who = self._subject(file, row, kind, read.patient if isinstance(read, Immunization) else read.subject)
        if who is None:
            return
        if read.status in _NOT_DONE or (isinstance(read, Condition) and read.verification() & _NOT_MEANT):
            self._count(f"{kind} refuted, not done or entered in error")
            return
        text = read.when()
        day = day_of(text)
        if text and day is None:
            self.faults.add(file, row, f"{kind}: {text!r} is not a date")
            return
        self._observe(day)
        if isinstance(read, Encounter):
            end = day_of(read.period.end) if read.period else None
            self._observe(end)
            if self._is_too_late(day) or self._is_too_late(end):
                self._count("Encounter after last_day")
        elif isinstance(read, Observation):
            self._observation(file, row, who, day, read)
        elif isinstance(read, Request):
            self._request(file, row, who, day, read)
        elif read.code is None or not read.code.coding:
            self._count(f"{kind} without a code")
        else:
            self._code(file, row, who, day, read.code)

    def _observation(self, file: str, row: int, who: str, day: int | None, read: Observation) -> None:
        parts: list[tuple[Concept | None, Value]] = [(read.code, read)] if read.has_value() else []
        parts += [(part.code, part) for part in read.component if part.has_value()]
        if not parts:
            self._count("Observation without a value")
        for concept, value in parts:
            number, text, unit = answer_of(value)
            if concept is None or not concept.coding:
                self._count("Observation without a code")
                continue
            self._code(file, row, who, day, concept, value=number, text=text, unit=unit, is_lab=True)

    def _request(self, file: str, row: int, who: str, day: int | None, read: Request) -> None:
        if read.medicationCodeableConcept is not None and read.medicationCodeableConcept.coding:
            self._code(file, row, who, day, read.medicationCodeableConcept)
        elif read.medicationReference is None or not read.medicationReference.reference:
            self._count("MedicationRequest without a code")
        elif not read.medicationReference.reference.startswith("#"):
            self.prescriptions.append((file, row, who, day, _bare(read.medicationReference.reference)))
        else:
            self._contained(file, row, who, day, read)

    def _contained(self, file: str, row: int, who: str, day: int | None, read: Request) -> None:
        """A prescription with its medication inside."""
        try:
            concept = read.contained_medication()
        except msgspec.MsgspecError as error:
            self.faults.add(file, row, f"MedicationRequest: contained: {error}")
            return
        if concept is None:
            self._count("MedicationRequest whose Medication is not here")
        else:
            self._code(file, row, who, day, concept)

    def _code(
        self, file: str, row: int, who: str, day: int | None, concept: Concept, *, value: float | None = None,
        text: str | None = None, unit: str | None = None, is_lab: bool = False,
    ) -> None:  # fmt: skip
        """One row: of several codings one that the mapping names, or else in the system that mappings know best."""
        found = [(system_name(coding.system), coding.code) for coding in concept.coding if coding.code]
        if not found:
            self._count("coding without a code")
            return
        system, code = min(found, key=self._rank)
        if not system:
            self.faults.add(file, row, f"code {code!r} without a system")
            return
        self.collected.add(
            who, day, is_lab=is_lab, system=system, code=code, source=file, row=row, value=value, text=text, unit=unit
        )

    def _rank(self, coding: tuple[str, str]) -> int:
        """The lower the better; one without a system comes last."""
        known = self.ranks.get(coding)
        if known is None:
            system, code = coding
            known = _CODE_OF_INTEREST.index(system) if system in _CODE_OF_INTEREST else len(_CODE_OF_INTEREST)
            if not any(codes.holds(system, code) for codes in self.code_sets):
                known += len(_CODE_OF_INTEREST) + 1
            if not system:
                known += 2 * (len(_CODE_OF_INTEREST) + 1)
            self.ranks[coding] = known
        return known

    def _subject(self, file: str, row: int, kind: str, reference: Reference | None) -> str | None:
        text = reference.reference if reference is not None else None
        if not text:
            self.faults.add(file, row, f"{kind} without a patient (subject)")
            return None
        if "?" in text:
            self.faults.add(file, row, f"{kind}: {text!r} asks a server for the patient, expected a reference")
            return None
        return _bare(text)

    def _observe(self, day: int | None) -> None:
        if day is not None and not self._is_too_late(day) and (self.last_day is None or day > self.last_day):
            self.last_day = day

    def _is_too_late(self, day: int | None) -> bool:
        return day is not None and self.last_possible_day is not None and day > self.last_possible_day

    def _count(self, rule: str) -> None:
        self.counts[rule] = self.counts.get(rule, 0) + 1


def _bare(reference: str) -> str:
    """The id at the end of a reference: ``Patient/7``, ``urn:uuid:7`` and ``https://server/fhir/Patient/7`` are 7."""
    without_version = reference.split("/_history/", maxsplit=1)[0]
    return without_version.removeprefix("urn:uuid:").rsplit("/", maxsplit=1)[-1]
