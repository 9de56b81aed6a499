"""What FHIR calls the codes, units and languages of Records, beside the URIs that `trajsim.codes` knows.

Displays are written only for constants of this room, from code systems that HL7 owns (a wrong display is an error to
validators); whatever wording Records have goes into `text`.
"""

from trajsim.codes import system_uri
from trajsim.errors import ExportError

UCUM = system_uri("UCUM")
SNOMED = system_uri("SNOMED-CT")
LOINC = system_uri("LOINC")

# Units that modules write and UCUM does not know, or reads as something else (K is kelvin).
_UCUM_CODES = {
    "pH": "[pH]",
    "ratio": "{ratio}",
    "K/uL": "10*3/uL",
    "ng/dl": "ng/dL",
    "mg/dl": "mg/dL",
    "mmHg": "mm[Hg]",
    "bpm": "/min",
}
_NO_UNIT = {"", "n/a", "N/A"}

_DURATIONS = {
    "seconds": ("s", "s"),
    "minutes": ("min", "min"),
    "hours": ("h", "h"),
    "days": ("d", "d"),
    "weeks": ("wk", "wk"),
    "months": ("mo", "mo"),
    "years": ("a", "a"),
}
_DAYS_OF = {
    "seconds": 1 / 86_400,
    "minutes": 1 / 1_440,
    "hours": 1 / 24,
    "days": 1,
    "weeks": 7,
    "months": 30,
    "years": 365,
}

_LANGUAGES = {
    "arabic": "ar",
    "chinese": "zh",
    "english": "en-US",
    "french": "fr",
    "french_creole": "ht",
    "german": "de",
    "greek": "el",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "punjabi": "pa",
    "russian": "ru",
    "spanish": "es",
    "tagalog": "tl",
    "urdu": "ur",
    "vietnamese": "vi",
}


def code_in_system(system: str, code: str) -> str:
    """The code as the system's URI wants it: DICOM SOP classes are object identifiers, written as URIs."""
    return f"urn:oid:{code}" if system == "DICOM-SOP" and not code.startswith("urn:") else code


def ucum_code(unit: str | None) -> str | None:
    """The UCUM code of a unit; None: a number without a unit."""
    if unit is None or unit in _NO_UNIT:
        return None
    return _UCUM_CODES.get(unit, unit)


def period_unit(name: str) -> str:
    """The unit of a Timing for a GMF time unit.

    Raises:
        ExportError: The name is no time unit of GMF.
    """
    if name not in _DURATIONS:
        msg = f"unknown time unit {name!r} in a prescription, expected one of {', '.join(_DURATIONS)}"
        raise ExportError(msg)
    return _DURATIONS[name][0]


def days_of(quantity: float, unit: str) -> float:
    """A GMF duration in days (a month 30, a year 365)."""
    period_unit(unit)
    return quantity * _DAYS_OF[unit]


def language_tag(name: str) -> str | None:
    """The BCP 47 tag of a language by its English name in lower case; None: not in the table."""
    return _LANGUAGES.get(name)
