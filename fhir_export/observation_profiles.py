"""Which US Core profile an observation keeps, by its category, codes, unit and kind of value."""

from collections.abc import Mapping

import orjson

from fhir_export.vocabulary import ucum_code

# LOINC code: profile, and units that it allows.
_VITAL_SIGNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "8302-2": ("us-core-body-height", ("cm", "[in_i]")),
    "9843-4": ("us-core-head-circumference", ("cm", "[in_i]")),
    "29463-7": ("us-core-body-weight", ("kg", "g", "[lb_av]")),
    "8310-5": ("us-core-body-temperature", ("Cel", "[degF]")),
    "8867-4": ("us-core-heart-rate", ("/min",)),
    "9279-1": ("us-core-respiratory-rate", ("/min",)),
    "39156-5": ("us-core-bmi", ("kg/m2",)),
    "59576-9": ("pediatric-bmi-for-age", ("%",)),
    "77606-2": ("pediatric-weight-for-height", ("%",)),
    "8289-1": ("head-occipital-frontal-circumference-percentile", ("%",)),
}
_PULSE_OXIMETRY = {"59408-5", "2708-6"}
_OF_CATEGORY = {
    "laboratory": "us-core-observation-lab",
    "survey": "us-core-observation-screening-assessment",
    "social-history": "us-core-simple-observation",
    "exam": "us-core-observation-clinical-result",
    "imaging": "us-core-observation-clinical-result",
    "procedure": "us-core-observation-clinical-result",
}
_CODED = {
    "72166-2": "us-core-smokingstatus",
    "82810-3": "us-core-observation-pregnancystatus",
    "76690-7": "us-core-observation-sexual-orientation",
}
BLOOD_PRESSURE, SYSTOLIC, DIASTOLIC = "85354-9", "8480-6", "8462-4"

NAMES: tuple[str, ...] = (
    "",
    "us-core-blood-pressure",
    *dict.fromkeys(name for name, _ in _VITAL_SIGNS.values()),
    "us-core-pulse-oximetry",
    *dict.fromkeys(_OF_CATEGORY.values()),
    *_CODED.values(),
)
NO_PROFILE = 0


def profile_of(
    *,
    category: str | None,
    system: str | None,
    code: str | None,
    more_codes: str | None,
    unit: str | None,
    is_coded: bool,
) -> int:
    """The number in `NAMES` of the profile that such an observation keeps.

    Args:
        category: Its category.
        system: Code system of its first code.
        code: Its first code.
        more_codes: JSON list of its other codes.
        unit: Unit of its value; None: it has no number with a unit.
        is_coded: Whether its value is a code.
    """
    codes = {code or ""} | {each["code"] for each in orjson.loads(more_codes or "[]")}
    if category == "vital-signs":
        if system != "LOINC":
            return NO_PROFILE
        if code == BLOOD_PRESSURE:
            return NAMES.index("us-core-blood-pressure")
        if codes >= _PULSE_OXIMETRY and ucum_code(unit) == "%":
            return NAMES.index("us-core-pulse-oximetry")
        name, units = _VITAL_SIGNS.get(code or "", ("", ()))
        return NAMES.index(name) if ucum_code(unit) in units else NO_PROFILE
    if category == "social-history" and code in _CODED:
        return NAMES.index(_CODED[code]) if is_coded else NO_PROFILE
    return NAMES.index(_OF_CATEGORY.get(category or "", ""))
