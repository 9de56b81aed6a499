"""Immunization: one resource a row of `immunizations`, and one not done for a share of patients.

Records tell of doses that were given alone. Of few patients one visit without a dose has an influenza vaccine offered
and declined.
"""

import numpy as np
from fhir.resources.R4B.immunization import Immunization

from fhir_export.care import locations, organizations, practitioners
from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.shares import REFUSED_DOSE, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.visits import last_visits

REFUSALS = "refused immunizations"

_REFUSED_XOR = 0x5851F42D4C957F2D
_LOT_XOR = 0xD6E8FEB86659FD93
_REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_INFLUENZA = ("CVX", "140", "Influenza, seasonal, injectable, preservative free")
_AGES_US = (183 * 86_400_000_000, 2**62)  # from six months on

_TIME, _ENCOUNTER, _CODE, _DOSE, _PERFORMER, _SITE, _LOCATION, _LOT, _WIDTH = range(2, 11)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-immunization"),
        "status": "not-done" if shape["refused"] else "completed",
        "vaccineCode": slot.element(_CODE),
        "patient": slot.reference("Patient", PATIENT),
        "occurrenceDateTime": slot.date_time(_TIME),
        "primarySource": True,
        "location": slot.reference("Location", _LOCATION),
        "performer": [
            {"actor": slot.reference("Practitioner", _PERFORMER)},
            {"actor": slot.reference("Organization", _SITE)},
        ],
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["refused"]:
        objection = {"system": _REASONS, "code": "PATOBJ", "display": "patient objection"}
        content["statusReason"] = {"coding": [objection]}
    else:
        content["lotNumber"] = slot.padded(_LOT, width=8)
    if shape["dose"]:
        content["protocolApplied"] = [{"doseNumberPositiveInt": slot.integer(_DOSE)}]
    return content


FAMILY = Family("Immunization", Immunization, ShapeSpace(encounter=2, dose=2, refused=2), _build)


def _plan(shard: Shard) -> None:
    shard.add_table(KIND)
    refusing = chosen(shard, shard.sections["patients"], REFUSED_DOSE)
    given = shard.require(shard.sections["immunizations"], "encounter_key", "encounters")
    visits = last_visits(shard, refusing, ages_us=_AGES_US, without=[given])
    encounters = shard.sections["encounters"]
    keys = encounters.keys[visits] ^ np.uint64(_REFUSED_XOR)
    shard.add(REFUSALS, "Immunization", _WIDTH, shard.patient_ids[encounters.patient[visits]], keys)
    shard.lookups["refusing visit"] = visits


def _fill(shard: Shard) -> None:
    section = shard.sections["immunizations"]
    columns, cells = shard.columns("immunizations"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("immunizations", ["system", "code", "display", "more_codes"], concept)
    cells[:, _DOSE] = columns.integers("series")
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    cells[:, _LOCATION] = locations(shard, section, cells[:, _ENCOUNTER])
    cells[:, _LOT] = (shard.words(section, _LOT_XOR) % np.uint64(10**8)).astype(np.int64)
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE, dose=cells[:, _DOSE] > 0, refused=0)
    _fill_refusals(shard)


def _fill_refusals(shard: Shard) -> None:
    section, visits = shard.sections[REFUSALS], shard.lookups["refusing visit"]
    cells = section.cells
    cells[:, _TIME] = shard.columns("encounters").times("time")[visits]
    cells[:, _ENCOUNTER] = shard.sections["encounters"].rows[visits]
    cells[:, _CODE] = shard.texts.number("influenza vaccine", lambda: concept(*_INFLUENZA))
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    cells[:, _LOCATION] = locations(shard, section, cells[:, _ENCOUNTER])
    shard.set_templates(section, FAMILY, encounter=1, dose=0, refused=1)


KIND = Kind("Immunization", "immunizations", _WIDTH, _fill, _plan)
