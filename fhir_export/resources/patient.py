"""Patient: one resource a row of `patients`, with the US Core extensions."""

import numpy as np
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.extension import Extension
from fhir.resources.R4B.patient import Patient
from numpy.typing import NDArray

from fhir_export.concepts import checked, coded
from fhir_export.providers import STREETS
from fhir_export.shard import NONE, Integers, Kind, Section, Shard, escaped
from fhir_export.shares import DECLINED_SEX, OLD_ADDRESS, OLD_NAME, SUFFIX, TRIBE, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.us_states import US_STATES
from fhir_export.vocabulary import SNOMED, language_tag
from fhir_export.writer import NO_TIME
from trajsim.codes import OmbCategory, ethnicity_category, race_category
from trajsim.errors import SchemaError

# The number of a patient in Records (`patient_id`) as an identifier; 2.25 is the arc of UUIDs.
PATIENT_NUMBER_SYSTEM = "urn:oid:2.25.218461957066240384920571833614725598041"

_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"

_MARITAL_STATUSES = {"M": "Married", "S": "Never Married", "D": "Divorced", "W": "Widowed"}
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_SEXES = ("F", "M")
_SEX_CODES = ("248152002", "248153007")  # female, male

_YEAR_US = 31_556_952_000_000
_TRIBES = "http://terminology.hl7.org/CodeSystem/v3-TribalEntityUS"
_TRIBE_OF_STATE = {
    "Arizona": ("104", "Hopi Tribe of Arizona"),
    "California": ("336", "Yurok Tribe of the Yurok Reservation, California"),
    "Maine": ("196", "Penobscot Tribe of Maine"),
    "New York": ("266", "Seneca Nation of New York"),
    "North Carolina": ("78", "Eastern Band of Cherokee Indians of North Carolina"),
    "Washington": ("145", "Lummi Tribe of the Lummi Reservation, Washington"),
}
_LARGEST_TRIBE = ("40", "Cherokee Nation, Oklahoma")

(
    _BIRTH, _DEATH, _NUMBER, _RACE, _ETHNICITY, _LANGUAGE, _MARITAL_STATUS, _PREFIX, _GIVEN, _MIDDLE, _FAMILY, _MAIDEN,
    _LINE, _CITY, _COUNTY, _STATE, _POSTAL_CODE, _LATITUDE, _LATITUDE_DECIMALS, _LONGITUDE, _LONGITUDE_DECIMALS, _PHONE,
    _SSN, _DRIVERS, _DRIVERS_STATE, _PASSPORT, _BIRTH_CITY, _PRACTITIONER, _ORGANIZATION, _TRIBE, _OLD_LINE, _RENAMED,
    _MOVED, _WIDTH,
) = range(2, 36)  # fmt: skip

# Optional texts of a patient: an element is there if its cell is.
_OPTIONAL = {
    "language": _LANGUAGE,
    "marital_status": _MARITAL_STATUS,
    "prefix": _PREFIX,
    "given": _GIVEN,
    "middle": _MIDDLE,
    "family": _FAMILY,
    "maiden": _MAIDEN,
    "line": _LINE,
    "city": _CITY,
    "county": _COUNTY,
    "state": _STATE,
    "postal_code": _POSTAL_CODE,
    "phone": _PHONE,
    "ssn": _SSN,
    "drivers": _DRIVERS,
    "passport": _PASSPORT,
    "birth_city": _BIRTH_CITY,
}


def _identifier(kind: str, system: str, value: str) -> Json:
    return {"type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": kind}]}, "system": system, "value": value}


def _identifiers(shape: Shape, slot: Slots) -> list[Json]:
    identifiers = [
        {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"},
        _identifier("MR", PATIENT_NUMBER_SYSTEM, slot.local_text(_NUMBER)),
    ]
    if shape["ssn"]:
        identifiers.append(_identifier("SS", "http://hl7.org/fhir/sid/us-ssn", slot.local_text(_SSN)))
    if shape["drivers"]:
        system = "urn:oid:2.16.840.1.113883.4.3"
        if shape["drivers_state"]:
            system += f".{slot.text(_DRIVERS_STATE)}"
        identifiers.append(_identifier("DL", system, slot.local_text(_DRIVERS)))
    if shape["passport"]:
        identifiers.append(_identifier("PPN", "urn:oid:2.16.840.1.113883.4.330.840", slot.local_text(_PASSPORT)))
    return identifiers


def _names(shape: Shape, slot: Slots) -> list[Json]:
    def name(use: str, family: int) -> Json:
        content: Json = {"use": use}
        if family != NONE:
            content["family"] = slot.local_text(family)
        given = [slot.local_text(_OPTIONAL[part]) for part in ("given", "middle") if shape[part]]
        if given:
            content["given"] = given
        if shape["prefix"]:
            content["prefix"] = [slot.local_text(_PREFIX)]
        if shape["suffix"]:
            content["suffix"] = ["Jr."]
        return content

    if not (shape["given"] or shape["middle"] or shape["family"]):
        absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        return [{"extension": [absent]}]
    names = [name("official", _FAMILY if shape["family"] else NONE)]
    if shape["maiden"]:
        names.append(name("old" if shape["renamed"] else "maiden", _MAIDEN))
        if shape["renamed"]:
            names[-1]["period"] = {"end": slot.date_time(_RENAMED)}
    return names


def _addresses(shape: Shape, slot: Slots) -> list[Json]:
    address = _address(shape, slot, _LINE)
    if not address:
        return []
    if not (shape["moved"] and shape["line"]):
        return [address]
    old = _address({**shape, "place": 0}, slot, _OLD_LINE)
    return [
        address | {"use": "home", "period": {"start": slot.date_time(_MOVED)}},
        old | {"use": "old", "period": {"end": slot.date_time(_MOVED)}},
    ]


def _address(shape: Shape, slot: Slots, line: int) -> Json:
    address: Json = {}
    if shape["place"]:
        position = [
            {"url": "latitude", "valueDecimal": slot.decimal(_LATITUDE)},
            {"url": "longitude", "valueDecimal": slot.decimal(_LONGITUDE)},
        ]
        address["extension"] = [{"url": "http://hl7.org/fhir/StructureDefinition/geolocation", "extension": position}]
    if shape["line"]:
        address["line"] = [slot.local_text(line)]
    for field, element in (("city", "city"), ("county", "district"), ("postal_code", "postalCode")):
        if shape[field]:
            address[element] = slot.local_text(_OPTIONAL[field])
    if shape["state"]:
        address["state"] = slot.text(_STATE)
    return address | {"country": "US"} if address else {}


def _extensions(shape: Shape, slot: Slots) -> list[Json]:
    extensions: list[Json] = [
        slot.element(_RACE, url="race"),
        slot.element(_ETHNICITY, url="ethnicity"),
    ]
    if slot.edition.has_birth_sex:
        extensions.append({"url": f"{_US_CORE}us-core-birthsex", "valueCode": _SEXES[shape["sex"]]})
    if slot.has_us_core:
        extensions += _sex_extensions(shape, slot)
    if slot.has_us_core and shape["tribe"]:
        extensions.append(slot.element(_TRIBE, url="tribe"))
    if shape["birth_city"]:
        place = {"city": slot.local_text(_BIRTH_CITY), "country": "US"}
        extensions.append({"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": place})
    return extensions


def _sex_extensions(shape: Shape, slot: Slots) -> list[Json]:
    """What sex was recorded; as a bare code of those alone who declined to say."""
    url = f"{_US_CORE}us-core-sex"
    if slot.edition.has_coded_sex:
        declined = {"system": _ABSENT_REASON, "code": "asked-declined", "display": "Asked But Declined"}
        recorded = {"system": SNOMED, "code": _SEX_CODES[shape["sex"]]}
        return [{"url": url, "valueCoding": declined if shape["declined"] else recorded}]
    return [{"url": url, "valueCode": "asked-declined"}] if shape["declined"] else []


def _build(shape: Shape, slot: Slots) -> Json:
    birth_time = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
        "valueDateTime": slot.date_time(_BIRTH),
    }
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-patient"),
        "extension": _extensions(shape, slot),
        "identifier": _identifiers(shape, slot),
        "name": _names(shape, slot),
        "gender": "female" if _SEXES[shape["sex"]] == "F" else "male",
        "birthDate": slot.date(_BIRTH),
        "_birthDate": {"extension": [birth_time]},
    }
    content["generalPractitioner"] = [slot.reference("Practitioner", _PRACTITIONER)]
    content["managingOrganization"] = slot.reference("Organization", _ORGANIZATION)
    if shape["phone"]:
        content["telecom"] = [{"system": "phone", "value": slot.local_text(_PHONE), "use": "home"}]
    if shape["dead"]:
        content["deceasedDateTime"] = slot.date_time(_DEATH)
    addresses = _addresses(shape, slot)
    if addresses:
        content["address"] = addresses
    if shape["marital_status"]:
        content["maritalStatus"] = slot.element(_MARITAL_STATUS)
    if shape["language"]:
        content["communication"] = [{"language": slot.element(_LANGUAGE)}]
    return content


FAMILY = Family(
    "Patient",
    Patient,
    ShapeSpace(
        sex=2,
        declined=2,
        dead=2,
        place=2,
        drivers_state=2,
        suffix=2,
        renamed=2,
        moved=2,
        tribe=2,
        **dict.fromkeys(_OPTIONAL, 2),
    ),
    _build,
)


def _us_core_group(url: str, category: OmbCategory) -> bytes:
    """The extension for race or ethnicity; a code that is no category of the five stands as text alone."""
    parts: list[Json] = [{"url": "text", "valueString": category.display}]
    if category.is_omb:
        value = {"system": category.system, "code": category.code, "display": category.display}
        parts.insert(0, {"url": "ombCategory", "valueCoding": value})
    return checked(Extension, {"url": f"{_US_CORE}{url}", "extension": parts})


def race(value: str | None) -> bytes:
    """The US Core race extension."""
    return _us_core_group("us-core-race", race_category(value or ""))


def ethnicity(value: str | None) -> bytes:
    """The US Core ethnicity extension."""
    return _us_core_group("us-core-ethnicity", ethnicity_category(value or ""))


def marital_status(value: str | None) -> bytes:
    """The concept of a marital status."""
    if value not in _MARITAL_STATUSES:
        msg = f"patients: unknown marital_status {value!r}, expected one of {', '.join(_MARITAL_STATUSES)} or null"
        raise SchemaError(msg)
    return coded(_MARITAL, value, _MARITAL_STATUSES[value])


def language(value: str | None) -> bytes:
    """The concept of a language, by its tag where we know it."""
    text = (value or "").replace("_", " ").capitalize()
    tag = language_tag(value or "")
    if tag is None:
        return checked(CodeableConcept, {"text": text})
    return checked(CodeableConcept, {"coding": [{"system": "urn:ietf:bcp:47", "code": tag}], "text": text})


def state_abbreviation(value: str | None) -> bytes:
    """The postal abbreviation of a US state; the name itself where it is none."""
    known = US_STATES.get(value or "")
    return known.abbreviation.encode() if known else escaped(value or "")


def state_fips(value: str | None) -> bytes:
    """The FIPS number of a US state."""
    return str(US_STATES[value or ""].fips).encode()


def _fill(shard: Shard) -> None:
    section = shard.sections["patients"]
    columns, cells, n = shard.columns("patients"), section.cells, section.n_rows
    cells[:, _BIRTH] = columns.times("birth_time")
    cells[:, _DEATH] = columns.times("death_time")
    first = shard.local.extend([str(number).encode() for number in shard.patient_ids.tolist()])
    cells[:, _NUMBER] = np.arange(first, first + n)
    cells[:, _PRACTITIONER] = shard.lookups["practitioner"]
    cells[:, _ORGANIZATION] = shard.lookups["organization"]
    cells[:, _RACE] = shard.codes("patients", ["race"], race)
    cells[:, _ETHNICITY] = shard.codes("patients", ["ethnicity"], ethnicity)
    for column, name, make in (
        (_LANGUAGE, "language", language),
        (_MARITAL_STATUS, "marital_status", marital_status),
        (_STATE, "state", state_abbreviation),
    ):
        cells[:, column] = shard.codes("patients", [name], make, where=~columns.text(name).is_null)
    for column, name in (
        (_PREFIX, "prefix"), (_GIVEN, "given_name"), (_MIDDLE, "middle_name"), (_FAMILY, "family_name"),
        (_MAIDEN, "maiden_name"), (_LINE, "address_line"), (_PHONE, "phone"), (_SSN, "ssn"), (_DRIVERS, "drivers"),
        (_PASSPORT, "passport"),
    ):  # fmt: skip
        cells[:, column] = shard.local_strings("patients", name)
    for column, name in (
        (_CITY, "city"),
        (_COUNTY, "county"),
        (_POSTAL_CODE, "postal_code"),
        (_BIRTH_CITY, "birth_city"),
    ):
        cells[:, column] = shard.local_texts("patients", name)
    states = columns.text("state")
    in_state = np.array([value in US_STATES for value in states.values])[states.indices]
    cells[:, _DRIVERS_STATE] = shard.codes("patients", ["state"], state_fips, where=in_state)
    shard.set_templates(
        section,
        FAMILY,
        sex=_sex(shard),
        declined=chosen(shard, section, DECLINED_SEX),
        dead=cells[:, _DEATH] != NO_TIME,
        place=_place(shard, section),
        drivers_state=in_state,
        **_rarities(shard, section),
        **{name: cells[:, column] != NONE for name, column in _OPTIONAL.items()},
    )


def tribe(state: str | None) -> bytes:
    """The US Core extension for being enrolled in a tribe: one of the state, else the largest."""
    code, display = _TRIBE_OF_STATE.get(state or "", _LARGEST_TRIBE)
    value = {"coding": [{"system": _TRIBES, "code": code, "display": display}]}
    parts = [{"url": "tribalAffiliation", "valueCodeableConcept": value}, {"url": "isEnrolled", "valueBoolean": True}]
    return checked(Extension, {"url": f"{_US_CORE}us-core-tribal-affiliation", "extension": parts})


def _rarities(shard: Shard, section: Section) -> dict[str, NDArray[np.bool_]]:
    """Fills the cells of what few patients have; returns who has it."""
    columns, cells = shard.columns("patients"), section.cells
    birth, span = columns.times("birth_time"), columns.times("last_time") - columns.times("birth_time")
    words = shard.words(section, OLD_ADDRESS.xor)
    fraction = ((words >> np.uint64(8)) % np.uint64(1000)).astype(np.int64)
    cells[:, _MOVED] = birth + span // 1000 * fraction
    cells[:, _RENAMED] = birth + np.minimum((20 + fraction % 20) * _YEAR_US, span)
    moved = chosen(shard, section, OLD_ADDRESS)
    places = (words[moved] >> np.uint64(20)).tolist()
    lines = [f"{100 + each % 9_900} {STREETS[each // 9_900 % len(STREETS)]}".encode() for each in places]
    cells[moved, _OLD_LINE] = shard.local.extend(lines) + np.arange(len(lines))
    races = columns.text("race")
    native = np.array([value == "native" for value in races.values])[races.indices]
    enrolled = native & chosen(shard, section, TRIBE)
    cells[:, _TRIBE] = shard.codes("patients", ["state"], tribe, where=enrolled)
    return {
        "suffix": (_sex(shard) == _SEXES.index("M")) & chosen(shard, section, SUFFIX),
        "renamed": chosen(shard, section, OLD_NAME),
        "moved": moved,
        "tribe": enrolled,
    }


def _sex(shard: Shard) -> Integers:
    encoded = shard.columns("patients").text("sex")
    places = [_SEXES.index(value) if value in _SEXES else NONE for value in encoded.values]
    sexes = np.array(places, np.int64)[encoded.indices]
    if np.any(sexes == NONE):
        row = int(np.flatnonzero(sexes == NONE)[0])
        msg = f"patients row {row}: unknown sex {encoded.values[encoded.indices[row]]!r}, expected F or M"
        raise SchemaError(msg)
    return sexes


def _place(shard: Shard, section: Section) -> NDArray[np.bool_]:
    """Whether both coordinates are known."""
    known = np.ones(section.n_rows, np.bool_)
    for column, name in ((_LATITUDE, "latitude"), (_LONGITUDE, "longitude")):
        values, present = shard.columns("patients").numbers(name)
        known &= present & shard.put_decimals(section, column, values)
    return known


KIND = Kind("Patient", "patients", _WIDTH, _fill)
