"""The log of a life: what the engine writes while it runs, and the catalogue that says what the numbers mean.

Both interpreters write this log, so it is the place where they are compared, and the only thing that Records are made
from. A row is fixed-width; text lives in the catalogue, once. See docs/draws.md, section 7.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trajsim.errors import CompileError
from trajsim.gmf.expression import parse_expression, texts_of
from trajsim.gmf.model import (
    AllergyOnset,
    CarePlanStart,
    Code,
    ConditionOnset,
    Death,
    Device,
    DiagnosticReport,
    Encounter,
    EncounterEnd,
    ImagingStudy,
    MedicationOrder,
    ModuleSet,
    MultiObservation,
    Observation,
    ObservationBody,
    Procedure,
    SetAttribute,
    State,
    SupplyList,
    Vaccine,
)
from trajsim.lifecycle.tables import immunization_schedule
from trajsim.streams.keys import CERTIFICATE, COVID, ENCOUNTERS, IMMUNIZATIONS, INSURANCE, MORTALITY, stream_id

NEVER_MS = np.iinfo(np.int64).max


class EventKind(enum.IntEnum):
    """What a row of the log says."""

    ENCOUNTER = 1
    ENCOUNTER_END = 2
    CONDITION = 3
    CONDITION_AGAIN = 4
    CONDITION_END = 5
    ALLERGY = 6
    ALLERGY_AGAIN = 7
    ALLERGY_END = 8
    REACTION = 9
    MEDICATION = 10
    MEDICATION_AGAIN = 11
    MEDICATION_END = 12
    CAREPLAN = 13
    CAREPLAN_AGAIN = 14
    CAREPLAN_END = 15
    PROCEDURE = 16
    OBSERVATION = 17
    MULTI_OBSERVATION = 18
    REPORT = 19
    IMMUNIZATION = 20
    DEVICE = 21
    DEVICE_END = 22
    SUPPLY = 23
    IMAGING = 24
    SERIES = 25
    DEATH = 26
    COERCED = 27
    COVERAGE = 28


class EncounterClass(enum.IntEnum):
    """Tag of an ENCOUNTER row. Names are those of Synthea's `encounter_class`."""

    AMBULATORY = 0
    OUTPATIENT = 1
    INPATIENT = 2
    EMERGENCY = 3
    URGENTCARE = 4
    WELLNESS = 5
    HOSPICE = 6
    HOME = 7
    SNF = 8
    VIRTUAL = 9


class ValueKind(enum.IntEnum):
    """Tag of an OBSERVATION row."""

    NULL = 0
    NUMBER = 1
    CODE = 2
    STRING = 3
    BOOLEAN = 4


class Coercion(enum.IntEnum):
    """Tag of a COERCED row: cases in which Synthea loses the person (docs/draws.md, section 8)."""

    COMPARISON = 1
    LOOKUP_ATTRIBUTE = 2
    NAMED_PROBABILITY = 3
    NO_OBSERVATION = 4
    VITAL_SIGN_UNSET = 5
    END_BY_ATTRIBUTE = 6
    OTHER_KIND = 7
    REASON = 8
    COUNTER = 9
    OBSERVED_ATTRIBUTE = 10


EVENT_DTYPE = np.dtype(
    [
        ("time", np.int64),  # ms since 1970-01-01 UTC
        ("value", np.float64),
        ("state", np.int32),  # index of a source in the catalogue
        ("encounter", np.int32),  # index of an event of the same patient, or -1
        ("ref", np.int32),  # see docs/draws.md
        ("ordinal", np.uint32),  # row number within (patient, stream)
        ("module", np.int16),  # index of a stream in the catalogue
        ("kind", np.uint8),
        ("tag", np.uint8),
    ],
    align=True,
)

ENCOUNTER_CLASS_NAMES = tuple(item.name.lower() for item in EncounterClass)
MEDICATION_CHRONIC = 1
MEDICATION_ADMINISTRATION = 2
SEVERITY_NAMES = ("none", "mild", "moderate", "severe")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that writes rows: a state, a child of a state, or a process of the engine.

    Attributes:
        module: Key of the module file, or a reserved name that begins with ``@``.
        state: Name of the state.
        child: Position below the state (observation, supply, series), or -1.
        codes: Codes of the rows it writes (empty if none).
        definition: The GMF state or child it stands for; None for processes.
    """

    module: str
    state: str
    child: int
    codes: tuple[Code, ...]
    definition: object | None


def _process(module: str, state: str, code: str, display: str, *, system: str = "SNOMED-CT") -> Source:
    codes = (Code(system, code, display),) if code else ()
    return Source(module=module, state=state, child=-1, codes=codes, definition=None)


SCHEDULED_WELLNESS = "Encounter Module Scheduled Wellness"
SYMPTOM_DRIVEN = "Encounter Module Symptom Driven"

_VACCINES = tuple(
    Source(
        module=IMMUNIZATIONS,
        state=vaccine.name,
        child=-1,
        codes=(Code("CVX", vaccine.cvx, vaccine.display),),
        definition=None,
    )
    for vaccine in immunization_schedule()
)

_CAUSE = (Code("LOINC", "69453-9", "Cause of death"),)
_CAUSE_OF_DEATH = Source(
    module=CERTIFICATE,
    state="Cause of Death",
    child=-1,
    codes=_CAUSE,
    definition=ObservationBody(codes=_CAUSE, category="exam"),
)

PROCESS_SOURCES = (
    _process(ENCOUNTERS, SCHEDULED_WELLNESS, "410620009", "Well child visit"),
    _process(ENCOUNTERS, SCHEDULED_WELLNESS, "162673000", "General examination of patient"),
    _process(ENCOUNTERS, SYMPTOM_DRIVEN, "50849002", "Emergency room admission"),
    _process(ENCOUNTERS, SYMPTOM_DRIVEN, "702927004", "Urgent care visit"),
    _process(ENCOUNTERS, SYMPTOM_DRIVEN, "185349003", "Outpatient visit"),
    _process(MORTALITY, "Background mortality", "", ""),
    _process(COVID, "COVID-19 Vaccination", "33879002", "Vaccination"),
    _process(COVID, "Pfizer", "208", "COVID-19 mRNA vaccine, 30 mcg", system="CVX"),
    _process(COVID, "Moderna", "207", "COVID-19 mRNA vaccine, 100 mcg", system="CVX"),
    _process(COVID, "Janssen", "212", "COVID-19 vector vaccine, Ad26", system="CVX"),
    _process(INSURANCE, "Insurance", "", ""),
    _process(CERTIFICATE, "Death Certification", "308646001", "Death certification"),
    _CAUSE_OF_DEATH,
    _process(CERTIFICATE, "Death Certificate", "69409-1", "Death certificate", system="LOINC"),
    *_VACCINES,
)
(
    SOURCE_WELLNESS_CHILD,
    SOURCE_WELLNESS_ADULT,
    SOURCE_EMERGENCY,
    SOURCE_URGENTCARE,
    SOURCE_OUTPATIENT,
    SOURCE_BACKGROUND,
    SOURCE_COVID_ENCOUNTER,
    SOURCE_COVID_PFIZER,
    SOURCE_COVID_MODERNA,
    SOURCE_COVID_JANSSEN,
    SOURCE_INSURANCE,
    SOURCE_CERTIFICATE_ENCOUNTER,
    SOURCE_CERTIFICATE_OBSERVATION,
    SOURCE_CERTIFICATE_REPORT,
    SOURCE_VACCINE_FIRST,
) = range(15)

PROCESS_STREAMS = (ENCOUNTERS, MORTALITY, IMMUNIZATIONS, COVID, INSURANCE, CERTIFICATE)
STREAM_ENCOUNTERS, STREAM_MORTALITY, STREAM_IMMUNIZATIONS, STREAM_COVID, STREAM_INSURANCE, STREAM_CERTIFICATE = range(6)
FIRST_MODULE_STREAM = len(PROCESS_STREAMS)

LIFECYCLE_TEXTS = ("none", "medicare", "medicaid", "dual eligible", "private", "M", "S", "W", "D")


class Catalogue:
    """What the numbers in a log mean, for one set of modules.

    The order is part of the contract: process sources first, then the modules by code unit of their key, their states
    in file order, each followed by its children. Codes and strings are numbered in order of first appearance along
    the sources.

    Attributes:
        sources: By `state` of an event.
        streams: By `module` of an event: `PROCESS_STREAMS`, then the top-level modules in run order.
        stream_ids: Philox stream numbers of `streams`.
        codes: By code index; identity is (system, code), the display is the first one seen.
        strings: By string index.
    """

    def __init__(self, modules: ModuleSet, *, extra_strings: Iterable[str] = ()) -> None:
        """Numbers everything.

        Args:
            modules: The modules of the run.
            extra_strings: Texts that attributes of the cohort may hold; they follow the texts of the modules.

        Raises:
            CompileError: Two stream paths share a stream number (rename one module).
        """
        self.sources: list[Source] = list(PROCESS_SOURCES)
        self.codes: list[Code] = []
        self.strings: list[str] = []
        self._code_index: dict[tuple[str, str], int] = {}
        self._string_index: dict[str, int] = {}
        self._state_index: dict[tuple[str, str], int] = {}
        for source in self.sources:
            self._add_codes(source.codes)
        for key in sorted(modules.modules):
            for name, state in modules.modules[key].states.items():
                self._add_state(key, name, state)
        for text in (*extra_strings, *LIFECYCLE_TEXTS):
            self._add_string(text)
        self.streams: tuple[str, ...] = (
            *PROCESS_STREAMS,
            *(module.key for module in modules.top_level()),
        )
        self.stream_ids: tuple[int, ...] = tuple(stream_id(path) for path in self.streams)
        self._check_streams()

    def state_index(self, module: str, state: str) -> int:
        """Index of the source that stands for a state of a module file; its k-th child is at + 1 + k."""
        return self._state_index[module, state]

    def code_index(self, code: Code) -> int:
        """Index of a code that some module mentions."""
        return self._code_index[code.system, code.code]

    def string_index(self, text: str) -> int | None:
        """Index of a text, or None if nothing mentions it."""
        return self._string_index.get(text)

    def stream_index(self, path: str) -> int:
        """Index of a stream by its path."""
        return self.streams.index(path)

    def _check_streams(self) -> None:
        seen: dict[int, str] = {}
        for path, number in zip(self.streams, self.stream_ids, strict=True):
            if number in seen:
                msg = f"modules {seen[number]!r} and {path!r} would share one random stream"
                raise CompileError(msg, hint="rename one of the two files")
            seen[number] = path

    def _add_codes(self, codes: Iterable[Code]) -> None:
        for code in codes:
            key = (code.system, code.code)
            if key not in self._code_index:
                self._code_index[key] = len(self.codes)
                self.codes.append(code)

    def _add_string(self, text: str) -> None:
        if text not in self._string_index:
            self._string_index[text] = len(self.strings)
            self.strings.append(text)

    def _add_source(self, module: str, state: str, child: int, codes: tuple[Code, ...], definition: object) -> None:
        self.sources.append(Source(module=module, state=state, child=child, codes=codes, definition=definition))
        self._add_codes(codes)

    def _add_state(self, module: str, name: str, state: State) -> None:
        self._state_index[module, name] = len(self.sources)
        self._add_source(module, name, -1, codes_of(state), state)
        self._add_mentioned(state)
        if isinstance(state, MultiObservation | DiagnosticReport):
            for position, body in enumerate(state.observations):
                self._add_source(module, name, position, body.codes, body)
                self._add_body(body)
        elif isinstance(state, SupplyList):
            for position, supply in enumerate(state.supplies):
                self._add_source(module, name, position, (supply.code,), supply)
        elif isinstance(state, ImagingStudy):
            for position, series in enumerate(state.series):
                self._add_source(module, name, position, (series.modality, series.body_site), series)

    def _add_mentioned(self, state: State) -> None:
        if isinstance(state, Observation):
            self._add_body(state.body)
        elif isinstance(state, SetAttribute):
            if state.value_code is not None:
                self._add_codes((state.value_code,))
            if isinstance(state.value, str):
                self._add_string(state.value)
            if state.expression is not None:
                for text in texts_of(parse_expression(state.expression)):
                    self._add_string(text)
        elif isinstance(state, AllergyOnset):
            self._add_codes(reaction.reaction for reaction in state.reactions)
        elif isinstance(state, CarePlanStart):
            self._add_codes(state.activities)
        elif isinstance(state, EncounterEnd) and state.discharge_disposition is not None:
            self._add_codes((state.discharge_disposition,))

    def _add_body(self, body: ObservationBody) -> None:
        if body.value_code is not None:
            self._add_codes((body.value_code,))
        if body.exact is not None and isinstance(body.exact.quantity, str):
            self._add_string(body.exact.quantity)


def codes_of(state: State) -> tuple[Code, ...]:
    """The codes of the rows that a state itself writes."""
    if isinstance(state, Observation):
        return state.body.codes
    if isinstance(state, Device):
        return (state.code,)
    if isinstance(state, ImagingStudy):
        return (state.procedure_code,)
    if isinstance(
        state,
        Encounter
        | ConditionOnset
        | AllergyOnset
        | MedicationOrder
        | CarePlanStart
        | MultiObservation
        | DiagnosticReport
        | Procedure
        | Vaccine
        | Death,
    ):
        return state.codes
    return ()


ENTRY_KIND_NAMES: Mapping[int, str] = {
    EventKind.CONDITION: "Entry",
    EventKind.ALLERGY: "Allergy",
    EventKind.MEDICATION: "Medication",
    EventKind.CAREPLAN: "CarePlan",
    EventKind.PROCEDURE: "Procedure",
    EventKind.DEVICE: "Device",
}
