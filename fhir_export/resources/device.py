"""Device: one resource a row of `devices`, with a label (UDI) that depends on its id alone."""

import numpy as np
from fhir.resources.R4B.device import Device

from fhir_export.concepts import concept
from fhir_export.ids import DEVICE_LABEL_XOR
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME

_DAY_US = 86_400_000_000
_MADE_BEFORE_DAYS = 21
_KEEPS_DAYS = 9_131  # 25 years
_GTIN_WEIGHTS = np.array([3, 1] * 6 + [3], np.int64)

(
    _CODE, _NAME, _MANUFACTURER, _MODEL, _IDENTIFIER, _LOT, _SERIAL, _MADE, _EXPIRES, _MADE_SHORT, _EXPIRES_SHORT,
    _WIDTH,
) = range(2, 14)  # fmt: skip


def _build(shape: Shape, slot: Slots) -> Json:
    def identifier() -> str:
        return slot.padded(_IDENTIFIER, width=14)

    label = (
        f"(01){identifier()}(11){slot.padded(_MADE_SHORT, width=6)}(17){slot.padded(_EXPIRES_SHORT, width=6)}"
        f"(10){slot.padded(_LOT, width=8)}(21){slot.padded(_SERIAL, width=10)}"
    )
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-implantable-device"),
        "udiCarrier": [{"deviceIdentifier": identifier(), "carrierHRF": label}],
        "status": "inactive" if shape["stop"] else "active",
        "distinctIdentifier": identifier(),
        "manufactureDate": slot.date_time(_MADE),
        "expirationDate": slot.date_time(_EXPIRES),
        "lotNumber": slot.padded(_LOT, width=8),
        "serialNumber": slot.padded(_SERIAL, width=10),
        "type": slot.element(_CODE),
        "patient": slot.reference("Patient", PATIENT),
    }
    if shape["name"]:
        content["deviceName"] = [{"name": slot.local_text(_NAME), "type": "user-friendly-name"}]
    if shape["manufacturer"]:
        content["manufacturer"] = slot.local_text(_MANUFACTURER)
    if shape["model"]:
        content["modelNumber"] = slot.local_text(_MODEL)
    return content


FAMILY = Family("Device", Device, ShapeSpace(stop=2, name=2, manufacturer=2, model=2), _build)


def gtin14(number: Integers) -> Integers:
    """Appends the check digit of a GTIN to numbers of 13 digits (GS1 General Specifications, 7.9)."""
    digits = number[:, None] // 10 ** np.arange(12, -1, -1, dtype=np.int64) % 10
    return np.asarray(number * 10 + -(digits @ _GTIN_WEIGHTS) % 10)


def _short_date(shard: Shard, section: Section, times: Integers) -> Integers:
    """YYMMDD of the local date."""
    days = (times + shard.offsets[section.patient] * 60_000_000) // _DAY_US
    dates = days.astype("M8[D]")
    years = dates.astype("M8[Y]")
    months = dates.astype("M8[M]")
    month = (months - years.astype("M8[M]")).astype(np.int64) + 1
    day = (dates - months.astype("M8[D]")).astype(np.int64) + 1
    return np.asarray((years.astype(np.int64) + 1970) % 100 * 10_000 + month * 100 + day)


def _fill(shard: Shard) -> None:
    section = shard.sections["devices"]
    columns, cells = shard.columns("devices"), section.cells
    cells[:, _CODE] = shard.codes("devices", ["system", "code", "display", "more_codes"], concept)
    cells[:, _NAME] = shard.local_texts("devices", "display")
    cells[:, _MANUFACTURER] = shard.local_texts("devices", "manufacturer")
    cells[:, _MODEL] = shard.local_texts("devices", "model")
    words = shard.words(section, DEVICE_LABEL_XOR)
    cells[:, _IDENTIFIER] = gtin14((words % np.uint64(10**13)).astype(np.int64))
    cells[:, _LOT] = (words >> np.uint64(7)) % np.uint64(10**8)
    cells[:, _SERIAL] = (words >> np.uint64(23)) % np.uint64(10**10)
    cells[:, _MADE] = columns.times("time") - _MADE_BEFORE_DAYS * _DAY_US
    cells[:, _EXPIRES] = cells[:, _MADE] + _KEEPS_DAYS * _DAY_US
    cells[:, _MADE_SHORT] = _short_date(shard, section, cells[:, _MADE])
    cells[:, _EXPIRES_SHORT] = _short_date(shard, section, cells[:, _EXPIRES])
    shard.set_templates(
        section,
        FAMILY,
        stop=columns.times("stop") != NO_TIME,
        name=cells[:, _NAME] != NONE,
        manufacturer=cells[:, _MANUFACTURER] != NONE,
        model=cells[:, _MODEL] != NONE,
    )


KIND = Kind("Device", "devices", _WIDTH, _fill)
