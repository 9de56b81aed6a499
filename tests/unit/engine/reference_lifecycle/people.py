"""Newborns with a lifecycle, for the tests beside this file."""

import numpy as np

from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference.health_record import Entry
from trajsim.engine.reference.lifecycle.draws import Draws
from trajsim.engine.reference.lifecycle.lifecycle import Lifecycle
from trajsim.engine.reference.lifecycle.mentions import Mentions
from trajsim.engine.reference.lifecycle.person import Person, person_of
from trajsim.engine.reference.patient import Patient
from trajsim.gmf.model import Code, ModuleSet
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.units import ms_from_iso

NO_MODULES = ModuleSet(modules={}, tables={})
SEED = 5
EVERYTHING = frozenset(
    {
        "active_weight_management",
        "weight_loss_adherence",
        "long_term_weight_loss",
        "pre_management_weight",
        "weight_loss_percentage",
        "weight_loss_bmi_percentile_change",
        "bmi_percentile",
        "current_weight_length_percentile",
        "insurance_status",
        "quit smoking age",
        "alcoholic",
        "marital_status",
        "quit alcoholism age",
        "C19_FULLY_VACCINATED",
    }
)


def cohort_of(
    birth: str, attributes: dict[str, str | float | bool], patient_id: int = 0, *, unemployment: float | None = None
) -> Cohort:
    """A cohort of one person."""
    columns = {}
    for name, value in attributes.items():
        if isinstance(value, str):
            columns[name] = AttributeColumn(kind="text", values=np.zeros(1, np.int32), categories=(value,))
        elif isinstance(value, bool):
            columns[name] = AttributeColumn(kind="boolean", values=np.array([value]))
        else:
            columns[name] = AttributeColumn(kind="number", values=np.array([float(value)]))
    return Cohort(
        patient_id=np.array([patient_id], np.uint64),
        birth_ms=np.array([ms_from_iso(birth)]),
        death_ms=np.array([NEVER_MS]),
        attributes=columns,
        parameters={} if unemployment is None else {"unemployment_probability": np.array([unemployment])},
    )


def newborn(
    birth: str = "1960-01-01",
    *,
    profile: Profile = Profile.SYNTHEA,
    patient_id: int = 0,
    **attributes: str | float | bool,
) -> Patient:
    """A patient at birth, without a lifecycle yet."""
    cohort = cohort_of(birth, attributes, patient_id)
    return Patient(
        modules=NO_MODULES,
        catalogue=Catalogue(NO_MODULES, extra_strings=cohort.texts()),
        cohort=cohort,
        options=SimulationOptions(seed=SEED, end_ms=ms_from_iso("2030-01-01"), lifecycle=profile),
        observer=None,
        patient_id=patient_id,
        birth=int(cohort.birth_ms[0]),
        death=NEVER_MS,
        attributes={name: column.at(0) for name, column in cohort.attributes.items()},
    )


def person(
    birth: str = "1960-01-01",
    *,
    unemployment: float = 0.0,
    profile: Profile = Profile.SYNTHEA,
    patient_id: int = 0,
    **attributes: str | float | bool,
) -> Person:
    """A person at birth, all of whose attributes can be seen."""
    patient = newborn(birth, profile=profile, patient_id=patient_id, **attributes)
    return person_of(patient, EVERYTHING, unemployment)


def alive(
    birth: str = "1960-01-01",
    *,
    profile: Profile = Profile.SYNTHEA,
    patient_id: int = 0,
    **attributes: str | float | bool,
) -> Lifecycle:
    """The whole lifecycle of a newborn."""
    patient = newborn(birth, profile=profile, patient_id=patient_id, **attributes)
    lifecycle = Lifecycle(patient, Mentions(NO_MODULES, EVERYTHING, {}), 0.0)
    patient.lifecycle = lifecycle
    return lifecycle


def draws(patient_id: int = 0) -> Draws:
    """The draws of a patient of these tests."""
    return Draws(SEED, patient_id)


def gives(patient: Patient, code: str, kind: EventKind, time: int) -> Entry:
    """Puts an entry into the record."""
    event = patient.write(kind, time)
    entry = Entry(event=event, kind=kind, code=Code("X", code, code), name=code)
    patient.record.present.put(code, entry)
    return entry
