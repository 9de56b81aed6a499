"""RelatedPerson: whom to call in an emergency: a parent of who is a minor at the end, else a spouse or a friend.

Records do not say who that is: name and relation are invented, a function of the patient's key alone. A spouse is there
for who is married; parents and spouses share the family name and the address.
"""

import numpy as np
from fhir.resources.R4B.relatedperson import RelatedPerson
from numpy.typing import NDArray

from fhir_export.care import put_texts
from fhir_export.providers import FAMILY_NAMES, GIVEN_NAMES
from fhir_export.resources.patient import state_abbreviation
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

RELATED = "related persons"

_XOR = 0x4CF5AD432745937F
_ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_CONTACTS = "http://terminology.hl7.org/CodeSystem/v2-0131"
_MOTHER, _FATHER, _WIFE, _HUSBAND, _FRIEND = range(5)
_RELATIONS = (
    ("MTH", "mother"), ("FTH", "father"), ("WIFE", "wife"), ("HUSB", "husband"), ("FRND", "unrelated friend"),
)  # fmt: skip
_ADULT_US = 6_574 * 86_400_000_000  # 18 years
_FEMALE = (_MOTHER, _WIFE)

_GIVEN, _NAME, _PHONE, _LINE, _CITY, _STATE, _POSTAL_CODE, _WIDTH = range(2, 10)
_ADDRESS = {"line": _LINE, "city": _CITY, "state": _STATE, "postal_code": _POSTAL_CODE}


def _build(shape: Shape, slot: Slots) -> Json:
    code, display = _RELATIONS[shape["relation"]]
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-relatedperson"),
        "active": True,
        "patient": slot.reference("Patient", PATIENT),
        "relationship": [
            {"coding": [{"system": _ROLES, "code": code, "display": display}]},
            {"coding": [{"system": _CONTACTS, "code": "C", "display": "Emergency Contact"}]},
        ],
        "name": [{"use": "official", "family": slot.local_text(_NAME), "given": [slot.local_text(_GIVEN)]}],
        "telecom": [{"system": "phone", "value": f"555-01{slot.padded(_PHONE, width=2)}", "use": "mobile"}],
    }
    if shape["relation"] != _FRIEND:
        content["gender"] = "female" if shape["relation"] in _FEMALE else "male"
    address: Json = {}
    if shape["line"]:
        address["line"] = [slot.local_text(_LINE)]
    for field, element in (("city", "city"), ("postal_code", "postalCode")):
        if shape[field]:
            address[element] = slot.local_text(_ADDRESS[field])
    if shape["state"]:
        address["state"] = slot.text(_STATE)
    if address:
        content["address"] = [address | {"country": "US"}]
    return content


FAMILY = Family(
    "RelatedPerson", RelatedPerson, ShapeSpace(relation=len(_RELATIONS), **dict.fromkeys(_ADDRESS, 2)), _build
)


def _plan(shard: Shard) -> None:
    patients = shard.sections["patients"]
    shard.add(RELATED, "RelatedPerson", _WIDTH, shard.patient_ids, patients.keys ^ np.uint64(_XOR))


def _relations(shard: Shard, words: NDArray[np.uint64]) -> Integers:
    columns = shard.columns("patients")
    minor = columns.times("last_time") - columns.times("birth_time") < _ADULT_US
    sexes, statuses = columns.text("sex"), columns.text("marital_status")
    woman = np.array([value == "F" for value in sexes.values])[sexes.indices]
    married = np.array([value == "M" for value in statuses.values])[statuses.indices]
    parent = np.where(words % np.uint64(3) == 0, _FATHER, _MOTHER)
    spouse = np.where(woman, _HUSBAND, _WIFE)
    return np.where(minor, parent, np.where(married, spouse, _FRIEND))


def _fill(shard: Shard) -> None:
    section = shard.sections[RELATED]
    cells = section.cells
    words = shard.words(section, 0)
    relations = _relations(shard, words)
    _put_names(shard, section, relations, words)
    cells[:, _PHONE] = (words >> np.uint64(32)).astype(np.int64) % 100
    cells[:, _LINE] = shard.local_strings("patients", "address_line")
    cells[:, _CITY] = shard.local_texts("patients", "city")
    cells[:, _POSTAL_CODE] = shard.local_texts("patients", "postal_code")
    known = ~shard.columns("patients").text("state").is_null
    cells[:, _STATE] = shard.codes("patients", ["state"], state_abbreviation, where=known)
    shard.set_templates(
        section, FAMILY, relation=relations, **{name: cells[:, column] != NONE for name, column in _ADDRESS.items()}
    )


def _put_names(shard: Shard, section: Section, relations: Integers, words: NDArray[np.uint64]) -> None:
    """A given name of the relation's sex; the patient's family name within the family."""
    cells = section.cells
    women, men = GIVEN_NAMES
    number = (words >> np.uint64(8)).astype(np.int64) % 2**16
    is_woman = np.isin(relations, _FEMALE) | ((relations == _FRIEND) & (number % 2 == 0))
    given = np.where(is_woman, number // 2 % len(women), len(women) + number // 2 % len(men))
    put_texts(shard, section, _GIVEN, given, [*women, *men])
    put_texts(shard, section, _NAME, number // 64 % len(FAMILY_NAMES), FAMILY_NAMES)
    own = shard.local_strings("patients", "family_name")
    cells[:, _NAME] = np.where((relations != _FRIEND) & (own != NONE), own, cells[:, _NAME])


KIND = Kind("RelatedPerson", RELATED, _WIDTH, _fill, _plan)
