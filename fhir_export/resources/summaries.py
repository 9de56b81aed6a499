"""What several observations come to, of small shares of patients: the average blood pressure, and how much was smoked.

US Core has profiles for them since 7.0.0. The average is that of the readings in Records in the year up to the last of
them; how much somebody smoked Records do not say, so the number of pack-years is invented.
"""

import numpy as np
from fhir.resources.R4B.observation import Observation
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.observation_profiles import DIASTOLIC, SYSTOLIC
from fhir_export.shard import NONE, PATIENT, Integers, Shard
from fhir_export.shares import AVERAGE_PRESSURE, PACK_YEARS, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import LOINC, SNOMED, UCUM

AVERAGES, AMOUNTS = "average blood pressures", "pack-years"

_AVERAGE = "us-core-average-blood-pressure"
_AVERAGE_XOR, _AMOUNT_XOR = 0x94D049BB133111ED, 0xBF58476D1CE4E5BB
_YEAR_US = 31_556_952_000_000
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_NOT_PERFORMED = {"system": _ABSENT_REASON, "code": "not-performed", "display": "Not Performed"}
_NOT_MEASURED_OF = 8  # one average in so many was ordered, and nobody measured
_SMOKING_STATUS = "72166-2"
_NEVER = frozenset({"266919005", "266927001", None})  # never smoked, unknown

_TIME, _START, _ENCOUNTER, _PERFORMER, _SYSTOLIC, _S_DECIMALS, _DIASTOLIC, _D_DECIMALS, _WIDTH = range(2, 11)


def _category(code: str, display: str) -> list[Json]:
    return [{"coding": [{"system": _CATEGORIES, "code": code, "display": display}]}]


def _build_average(shape: Shape, slot: Slots) -> Json:
    def component(code: str, words: str, cell: int) -> Json:
        content: Json = {"code": {"coding": [{"system": LOINC, "code": code}], "text": words}}
        if shape["measured"]:
            unit = {"unit": "mm[Hg]", "system": UCUM, "code": "mm[Hg]"}
            return content | {"valueQuantity": {"value": slot.decimal(cell), **unit}}
        return content | {"dataAbsentReason": {"coding": [_NOT_PERFORMED]}}

    return {
        "id": slot.id(),
        "meta": slot.meta(_AVERAGE),
        "status": "final",
        "category": _category("vital-signs", "Vital Signs"),
        "code": {"coding": [{"system": LOINC, "code": "96607-7"}], "text": "Average blood pressure"},
        "subject": slot.reference("Patient", PATIENT),
        "effectivePeriod": {"start": slot.date_time(_START), "end": slot.date_time(_TIME)},
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
        "component": [
            component("96608-5", "Average systolic blood pressure", _SYSTOLIC),
            component("96609-3", "Average diastolic blood pressure", _DIASTOLIC),
        ],
    }


AVERAGE_FAMILY = Family("Observation", Observation, ShapeSpace(measured=2), _build_average)


def _build_amount(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    unit = {"unit": "pack-years", "system": UCUM, "code": "{pack-years}"}
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-smokingstatus"),
        "status": "final",
        "category": _category("social-history", "Social History"),
        "code": {"coding": [{"system": SNOMED, "code": "401201003"}], "text": "Cigarette pack-years"},
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
        "valueQuantity": {"value": slot.decimal(_SYSTOLIC), **unit},
    }


AMOUNT_FAMILY = Family("Observation", Observation, ShapeSpace(only=1), _build_amount)


def _rows_with(shard: Shard, code: str) -> Integers:
    """Observations of patients with a first code of LOINC and, where it is a number, a value."""
    codes = shard.columns("observations").text("code")
    return np.flatnonzero(np.array([value == code for value in codes.values])[codes.indices])


def _latest(shard: Shard, rows: Integers) -> Integers:
    """The latest of some observations, of each patient who has any."""
    patient, times = shard.sections["observations"].patient, shard.columns("observations").times("time")
    order = rows[np.lexsort((times[rows], patient[rows]))]
    is_last = np.append(np.diff(patient[order]) != 0, np.ones(1, np.bool_))[: len(order)]
    return np.asarray(order[is_last])


def plan_summaries(shard: Shard) -> None:
    """Adds what the version of US Core has a profile for."""
    observations, patients = shard.sections["observations"], shard.sections["patients"]
    for name, is_wanted, share, xor, rows in (
        (AVERAGES, _AVERAGE in shard.templates.edition.added_profiles, AVERAGE_PRESSURE, _AVERAGE_XOR,
         _rows_with(shard, SYSTOLIC)),
        (AMOUNTS, shard.templates.edition.has_pack_years, PACK_YEARS, _AMOUNT_XOR, _smoked(shard)),
    ):  # fmt: skip
        if is_wanted:
            latest = _latest(shard, rows[chosen(shard, patients, share)[observations.patient[rows]]])
            owners = shard.patient_ids[observations.patient[latest]]
            shard.add(name, "Observation", _WIDTH, owners, observations.keys[latest] ^ np.uint64(xor))
            shard.lookups[f"{name} latest"] = latest


def _smoked(shard: Shard) -> Integers:
    """Observations that say that somebody smokes or did."""
    rows, values = _rows_with(shard, _SMOKING_STATUS), shard.columns("observations").text("value_code")
    return np.asarray(rows[np.array([value not in _NEVER for value in values.values])[values.indices[rows]]])


def fill_summaries(shard: Shard) -> None:
    """Fills the cells of what was added."""
    times = shard.columns("observations").times("time")
    for name in (AVERAGES, AMOUNTS):
        if name not in shard.sections:
            continue
        section, latest = shard.sections[name], shard.lookups[f"{name} latest"]
        section.cells[:, _TIME] = times[latest]
        section.cells[:, _PERFORMER] = practitioners(shard, section, np.full(section.n_rows, NONE, np.int64))
        words = (shard.words(section, 0) >> np.uint64(8)).astype(np.int64)
        if name == AMOUNTS:
            section.cells[:, _SYSTOLIC], section.cells[:, _S_DECIMALS] = 1 + words % 40, 0
            shard.set_templates(section, AMOUNT_FAMILY, only=0)
            continue
        is_known = np.ones(section.n_rows, np.bool_)
        for column, code in ((_SYSTOLIC, SYSTOLIC), (_DIASTOLIC, DIASTOLIC)):
            is_known &= _fill_mean(shard, latest, column, code)
        shard.set_templates(section, AVERAGE_FAMILY, measured=is_known & (words % _NOT_MEASURED_OF != 0))


def _fill_mean(shard: Shard, latest: Integers, column: int, code: str) -> NDArray[np.bool_]:
    """Fills the mean of a component, in whole numbers, and when its readings began; returns whether there are any."""
    section, patient = shard.sections[AVERAGES], shard.sections["observations"].patient
    times = shard.columns("observations").times("time")
    numbers, has_number = shard.columns("observations").numbers("numeric_value")
    end = np.full(len(shard.patient_ids), np.iinfo(np.int64).min)
    end[patient[latest]] = times[latest]
    rows = _rows_with(shard, code)
    rows = rows[has_number[rows] & (times[rows] <= end[patient[rows]]) & (times[rows] > end[patient[rows]] - _YEAR_US)]
    count = np.bincount(patient[rows], minlength=len(end))[patient[latest]]
    total = np.bincount(patient[rows], weights=numbers[rows], minlength=len(end))[patient[latest]]
    start = end.copy()
    np.minimum.at(start, patient[rows], times[rows])
    section.cells[:, _START] = start[patient[latest]]
    section.cells[:, column] = np.rint(total / np.maximum(count, 1))
    section.cells[:, column + 1] = 0
    return np.asarray(count > 0)
