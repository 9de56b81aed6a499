"""A GMF module in memory: the file's own words, typed.

Names keep Synthea's spelling (`ConditionOnset`, ``"At Least"``). A value that the file leaves out is None here (empty
strings of `reason`, `target_encounter` and `assign_to_attribute` count as absent and become None). Nothing in this file
decides what a state does: `trajsim.engine.reference` does.

Source: Synthea's Generic Module Framework, repository synthetichealth/synthea at commit 2b0a55ba.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from trajsim.gmf.conditions import (
    ActiveCondition,
    AgeCondition,
    AttributeCondition,
    Condition,
    ConstantCondition,
    DateCondition,
    GenderCondition,
    LogicGroup,
    NotCondition,
    ObservationCondition,
    PriorStateCondition,
    RaceCondition,
    SocioeconomicStatusCondition,
    SymptomCondition,
    VitalSignCondition,
)
from trajsim.gmf.transitions import (
    ComplexOption,
    ComplexTransition,
    ConditionalOption,
    ConditionalTransition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    LookupOption,
    LookupTableTransition,
    NamedDistribution,
    Transition,
    TypeOfCareTransition,
)
from trajsim.gmf.values import (
    Code,
    Distribution,
    Exact,
    JsonScalar,
    Operator,
    Range,
    TimeUnit,
)

__all__ = [
    "ActiveCondition",
    "AgeCondition",
    "AllergyEnd",
    "AllergyOnset",
    "AttributeCondition",
    "Binding",
    "CallSubmodule",
    "CarePlanEnd",
    "CarePlanStart",
    "Code",
    "ComplexOption",
    "ComplexTransition",
    "Condition",
    "ConditionEnd",
    "ConditionOnset",
    "ConditionalOption",
    "ConditionalTransition",
    "ConstantCondition",
    "Counter",
    "DateCondition",
    "Death",
    "Delay",
    "Device",
    "DeviceEnd",
    "DiagnosticReport",
    "DirectTransition",
    "DistributedOption",
    "DistributedTransition",
    "Distribution",
    "Encounter",
    "EncounterEnd",
    "Exact",
    "GenderCondition",
    "Guard",
    "ImagingInstance",
    "ImagingSeries",
    "ImagingStudy",
    "Initial",
    "JsonScalar",
    "LogicGroup",
    "LookupOption",
    "LookupRow",
    "LookupTable",
    "LookupTableTransition",
    "MedicationEnd",
    "MedicationOrder",
    "Module",
    "ModuleSet",
    "MultiObservation",
    "NamedDistribution",
    "NotCondition",
    "Observation",
    "ObservationBody",
    "ObservationCondition",
    "Operator",
    "Physiology",
    "PriorStateCondition",
    "Procedure",
    "RaceCondition",
    "Range",
    "Reaction",
    "SetAttribute",
    "Severity",
    "Simple",
    "SocioeconomicStatusCondition",
    "State",
    "Supply",
    "SupplyList",
    "Symptom",
    "SymptomCondition",
    "Terminal",
    "TimeUnit",
    "Transition",
    "TypeOfCareTransition",
    "Vaccine",
    "VitalSign",
    "VitalSignCondition",
]

# --- bindings ---------------------------------------------------------------------------------------------------------


class Binding(Struct, frozen=True, kw_only=True):
    """What a learned model says of a state: the key ``trajsim``, which GMF itself ignores.

    Attributes:
        events: Of a Delay: name of an event to the state that follows when it comes; None for the state's own
            transition (the key ``event``).
        lab: Of a state that measures or sets a value: name of the measurement.
    """

    events: Mapping[str, str | None] = {}
    lab: str | None = None


# --- states -----------------------------------------------------------------------------------------------------------


class State(Struct, frozen=True, kw_only=True):
    """Base of all states. `type` in the file is the class name. Only a Terminal may have no transition."""

    name: str
    transition: Transition | None = None
    remarks: tuple[str, ...] = ()
    trajsim: Binding | None = None


class Initial(State, frozen=True, kw_only=True):
    """Start. Found by the state *name* ``Initial``, whatever its type."""


class Simple(State, frozen=True, kw_only=True):
    """No effect."""


class Terminal(State, frozen=True, kw_only=True):
    """End of the module."""


class CallSubmodule(State, frozen=True, kw_only=True):
    """Runs another file; `submodule` is its key."""

    submodule: str


class Guard(State, frozen=True, kw_only=True):
    """Blocks until `allow` holds."""

    allow: Condition


class Delay(State, frozen=True, kw_only=True):
    """Blocks for a time. `exact`/`range` (real units) win over `distribution` + `unit` (whole units)."""

    exact: Exact | None = None
    range: Range | None = None
    distribution: Distribution | None = None
    unit: str | None = None


class SetAttribute(State, frozen=True, kw_only=True):
    """Sets or clears an attribute. Precedence as the fields are listed. `value` None with nothing else clears."""

    attribute: str
    expression: str | None = None
    range: Range | None = None
    series_data: str | None = None
    period: float = 1.0
    distribution: Distribution | None = None
    value_code: Code | None = None
    value_attribute: str | None = None
    value: JsonScalar = None


class Counter(State, frozen=True, kw_only=True):
    """Adds to (action ``increment``) or subtracts from an attribute; amount 0 means 1."""

    attribute: str
    action: str
    amount: float = 1.0


class Encounter(State, frozen=True, kw_only=True):
    """A visit."""

    wellness: bool = False
    encounter_class: str | None = None
    codes: tuple[Code, ...] = ()
    reason: str | None = None
    telemedicine_possibility: str = "none"


class EncounterEnd(State, frozen=True, kw_only=True):
    """End of a visit."""

    discharge_disposition: Code | None = None


class Symptom(State, frozen=True, kw_only=True):
    """Sets a symptom value."""

    symptom: str
    cause: str | None = None
    probability: float = 1.0
    exact: Exact | None = None
    range: Range | None = None
    distribution: Distribution | None = None


class ConditionOnset(State, frozen=True, kw_only=True):
    """Onset of a condition."""

    codes: tuple[Code, ...]
    target_encounter: str | None = None
    assign_to_attribute: str | None = None


class Severity(Struct, frozen=True):
    """One possible severity of an allergic reaction: level ``severe``, ``moderate``, ``mild`` or ``none``; weight."""

    level: str
    value: float


class Reaction(Struct, frozen=True):
    """An allergic reaction with its possible severities."""

    reaction: Code
    possible_severities: tuple[Severity, ...]


class AllergyOnset(State, frozen=True, kw_only=True):
    """Onset of an allergy or intolerance."""

    codes: tuple[Code, ...]
    target_encounter: str | None = None
    assign_to_attribute: str | None = None
    allergy_type: str = "allergy"
    category: str = ""
    reactions: tuple[Reaction, ...] = ()


class ConditionEnd(State, frozen=True, kw_only=True):
    """Ends a condition; first present of the three ways, as listed."""

    condition_onset: str | None = None
    referenced_by_attribute: str | None = None
    codes: tuple[Code, ...] = ()


class AllergyEnd(State, frozen=True, kw_only=True):
    """Ends an allergy."""

    allergy_onset: str | None = None
    referenced_by_attribute: str | None = None
    codes: tuple[Code, ...] = ()


class MedicationOrder(State, frozen=True, kw_only=True):
    """Orders or administers a drug.

    `prescription` is the JSON object as it stands (its codes are `Code`s in `instructions`).
    """

    codes: tuple[Code, ...]
    reason: str | None = None
    prescription: Mapping[str, object] | None = None
    instructions: tuple[Code, ...] = ()
    administration: bool = False
    chronic: bool = False
    assign_to_attribute: str | None = None


class MedicationEnd(State, frozen=True, kw_only=True):
    """Ends a drug."""

    medication_order: str | None = None
    referenced_by_attribute: str | None = None
    codes: tuple[Code, ...] = ()


class CarePlanStart(State, frozen=True, kw_only=True):
    """Starts a care plan. `goals` are JSON objects as they stand."""

    codes: tuple[Code, ...]
    activities: tuple[Code, ...] = ()
    goals: tuple[Mapping[str, object], ...] = ()
    reason: str | None = None
    assign_to_attribute: str | None = None


class CarePlanEnd(State, frozen=True, kw_only=True):
    """Ends a care plan."""

    careplan: str | None = None
    referenced_by_attribute: str | None = None
    codes: tuple[Code, ...] = ()


class ObservationBody(Struct, frozen=True, kw_only=True):
    """What an Observation, a child of a MultiObservation and a child of a DiagnosticReport share.

    Legacy `exact`/`range` win over the rest (range over exact); then the first present of distribution, attribute,
    vital_sign, value_code, expression, sampled_data, attachment.
    """

    codes: tuple[Code, ...]
    category: str = ""
    unit: str | None = None
    exact: Exact | None = None
    range: Range | None = None
    distribution: Distribution | None = None
    attribute: str | None = None
    vital_sign: str | None = None
    value_code: Code | None = None
    expression: str | None = None
    sampled_data: Mapping[str, object] | None = None
    attachment: Mapping[str, object] | None = None
    trajsim: Binding | None = None  # of a child; that of an Observation stands on the state


class Observation(State, frozen=True, kw_only=True):
    """A measured or recorded value."""

    body: ObservationBody


class MultiObservation(State, frozen=True, kw_only=True):
    """A panel: the children become components."""

    codes: tuple[Code, ...]
    category: str = ""
    observations: tuple[ObservationBody, ...] = ()


class DiagnosticReport(State, frozen=True, kw_only=True):
    """A report: the children stay observations and are linked."""

    codes: tuple[Code, ...]
    observations: tuple[ObservationBody, ...] = ()


class Procedure(State, frozen=True, kw_only=True):
    """A procedure; `duration` (real path) wins over `distribution` + `unit`; with neither it is instant."""

    codes: tuple[Code, ...]
    reason: str | None = None
    assign_to_attribute: str | None = None
    duration: Range | None = None
    distribution: Distribution | None = None
    unit: str | None = None


class VitalSign(State, frozen=True, kw_only=True):
    """Sets a vital sign: a constant (exact) or a generator (range, distribution)."""

    vital_sign: str
    unit: str | None = None
    exact: Exact | None = None
    range: Range | None = None
    expression: str | None = None
    distribution: Distribution | None = None


class ImagingInstance(Struct, frozen=True):
    """One image of a series."""

    title: str
    sop_class: Code


class ImagingSeries(Struct, frozen=True):
    """One series; 0 < min <= max makes the number of instances random."""

    body_site: Code
    modality: Code
    instances: tuple[ImagingInstance, ...] = ()
    min_number_instances: int = 0
    max_number_instances: int = 0


class ImagingStudy(State, frozen=True, kw_only=True):
    """An imaging study."""

    procedure_code: Code
    series: tuple[ImagingSeries, ...] = ()
    min_number_series: int = 0
    max_number_series: int = 0


class Device(State, frozen=True, kw_only=True):
    """Implants or hands out a device."""

    code: Code
    manufacturer: str | None = None
    model: str | None = None
    assign_to_attribute: str | None = None


class DeviceEnd(State, frozen=True, kw_only=True):
    """Removes a device."""

    device: str | None = None
    referenced_by_attribute: str | None = None
    codes: tuple[Code, ...] = ()


class Supply(Struct, frozen=True):
    """One item of a SupplyList."""

    quantity: float
    code: Code


class SupplyList(State, frozen=True, kw_only=True):
    """Hands out supplies."""

    supplies: tuple[Supply, ...] = ()


class Vaccine(State, frozen=True, kw_only=True):
    """Gives a vaccine."""

    codes: tuple[Code, ...]
    series: int = 1


class Death(State, frozen=True, kw_only=True):
    """Death now, or at a drawn time."""

    codes: tuple[Code, ...] = ()
    condition_onset: str | None = None
    referenced_by_attribute: str | None = None
    exact: Exact | None = None
    range: Range | None = None


class Physiology(State, frozen=True, kw_only=True):
    """A physiology simulation; here always its alternative, which is this state's `transition`."""

    model: str = ""
    alt_direct_transition: str = ""


# --- files ------------------------------------------------------------------------------------------------------------


class Module(Struct, frozen=True, kw_only=True):
    """One module file.

    `key` is the path below the modules folder without ``.json``, with ``/``; a key without ``/`` is a top-level module,
    which runs for every patient.
    """

    key: str
    name: str
    states: Mapping[str, State]  # in file order
    remarks: tuple[str, ...] = ()
    gmf_version: float | None = None
    specialty: str | None = None
    file: Path | None = None
    digest: str = ""  # sha256 of the bytes as read (after overrides)

    @property
    def is_top_level(self) -> bool:
        """Whether every patient runs it."""
        return "/" not in self.key


class LookupRow(Struct, frozen=True):
    """One row of a lookup table, in file order.

    `keys` are the texts of the key columns other than age and time, in column order. Ages are whole years, times
    milliseconds since 1970-01-01 UTC, both inclusive; None where the table has no such column.
    """

    keys: tuple[str, ...]
    age_low: int | None
    age_high: int | None
    time_low: int | None
    time_high: int | None
    probabilities: tuple[float, ...]


class LookupTable(Struct, frozen=True):
    """A lookup table as one state uses it: `targets` are the last k columns, k being the number of options."""

    name: str
    key_columns: tuple[str, ...]  # attributes, without age and time
    has_age: bool
    has_time: bool
    targets: tuple[str, ...]
    rows: tuple[LookupRow, ...]


class ModuleSet(Struct, frozen=True):
    """All modules of a run, and the tables that they name.

    `modules` maps key to Module and is sorted by code unit of the key; `tables` maps (file name, number of options) to
    the table as a state with that many options sees it.
    """

    modules: Mapping[str, Module]
    tables: Mapping[tuple[str, int], LookupTable]

    def top_level(self) -> Iterator[Module]:
        """The modules that every patient runs, in the order in which they run (code units of the key)."""
        return (self.modules[key] for key in sorted(self.modules) if "/" not in key)
