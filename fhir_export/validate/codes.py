"""Codes, displays and value sets: what the tables of this room and check digits can say about a coding.

A code system that no table holds cannot be checked beyond its check digits; a value set that is open (see
`fhir_export.validate.packages.Terminology`) neither accepts nor refuses a code of the open kind.
"""

import re
from collections.abc import Mapping
from typing import Any

from fhir_export.validate.packages import OPEN_SET, Value
from fhir_export.validate.ucum import is_unit
from trajsim.codes import is_valid_loinc, is_valid_snomed, system_uri

UCUM = system_uri("UCUM")
LOINC = system_uri("LOINC")
SNOMED = system_uri("SNOMED-CT")
_CVX = system_uri("CVX")
_RXNORM = system_uri("RxNorm")
_ICD10CM = system_uri("ICD10CM")
_RXNORM_CODE = re.compile(r"[1-9][0-9]{0,7}")
_ICD10CM_CODE = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")
_LOINC_CHECKED = re.compile(r"(LA|LP)?[0-9].*")

Problem = tuple[str, str, str]  # severity, rule, text


class ValueSet:
    """Codes by system.

    Args:
        url: Canonical address.
        table: ``codes`` by system (null: all of the system) and what is ``open``.
    """

    __slots__ = ("_any_open", "_codes", "_open", "all_codes", "url")

    def __init__(self, url: str, table: Mapping[str, Any]) -> None:
        self.url = url
        self._codes: dict[str, frozenset[str] | None] = {
            system: None if codes is None else frozenset(codes) for system, codes in table["codes"].items()
        }
        self._open = frozenset(table["open"])
        self._any_open = any(name.startswith(OPEN_SET) for name in self._open)
        self.all_codes: frozenset[str] | None = None
        """The codes of all systems, for elements that have no system; None if the set is open."""

    def close(self, systems: Mapping[str, Mapping[str, Any]]) -> None:
        """Fills in systems that belong to the set as a whole."""
        for system, codes in self._codes.items():
            if codes is None and system in systems:
                self._codes[system] = frozenset(systems[system])
        known = list(self._codes.values())
        if not self._open and known and None not in known:
            self.all_codes = frozenset().union(*(codes or () for codes in known))

    def holds(self, system: Value, code: Value) -> bool | None:
        """Whether a code belongs to the set; None: the tables cannot tell."""
        if not isinstance(system, str | None) or not isinstance(code, str | None):
            return None
        if system in self._codes:
            codes = self._codes[system]
            if codes is None or code in codes:
                return True
        return None if self._any_open or system in self._open else False

    def holds_concept(self, value: Value) -> bool | None:
        """Whether a CodeableConcept, Coding or Quantity has a code of the set."""
        if not isinstance(value, dict):
            known = self.all_codes
            return value in known if known is not None and isinstance(value, str) else None
        unsure = False
        for coding in codings_of(value):
            held = self.holds(coding.get("system"), coding.get("code"))
            if held:
                return True
            unsure |= held is None
        return None if unsure else False


def codings_of(value: Value) -> list[Mapping[str, Any]]:
    """The codings of a CodeableConcept; a Coding or Quantity is its own."""
    if not isinstance(value, dict):
        return []
    if "coding" not in value:
        return [value] if "system" in value or "code" in value else []
    codings = value["coding"]
    return [coding for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []


def said_codes(value: Value) -> str:
    """The first codes of a value, for a message; a plain code is quoted, nothing is an empty text."""
    if not isinstance(value, dict):
        return repr(value)
    return ", ".join(f"{c.get('system')}#{c.get('code')}" for c in codings_of(value)[:3])


class CodeBook:
    """Everything known about code systems.

    Args:
        systems: Displays by code by system.
    """

    def __init__(self, systems: Mapping[str, Mapping[str, str | None]]) -> None:
        self._systems = systems
        self._memory: dict[tuple[Any, Any, Any], tuple[Problem, ...]] = {}

    def problems(self, coding: Mapping[str, Any]) -> tuple[Problem, ...]:
        """What is wrong with a coding by itself."""
        system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
        if code is None:
            return ()
        key = (system, code, display)
        try:
            found = self._memory.get(key)
        except TypeError:  # not texts: the structure check has said so
            return ()
        if found is None:
            found = self._memory[key] = tuple(self._examine(system, code, display))
        return found

    def _examine(self, system: str | None, code: str | None, display: str | None) -> list[Problem]:
        if not isinstance(code, str):
            return []
        if not isinstance(system, str):
            return [("warning", "code-without-system", f"code {code!r} has no system, so it has no meaning")]
        known = self._systems.get(system)
        if known is None:
            wrong = _by_digits(system, code)
            return [("error", "code-unknown", f"{wrong}: {code!r}")] if wrong else []
        if code not in known:
            return [("error", "code-unknown", f"{system} has no code {code!r}")]
        right = known[code]
        if display is not None and right is not None and _plain(str(display)) != _plain(right):
            # CVX has a short and a full wording for each code, and the table holds one of them.
            severity = "warning" if system == _CVX else "error"
            return [(severity, "display-wrong", f"display {display!r} of {system}#{code}, whose display is {right!r}")]
        return []


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _by_digits(system: str, code: str) -> str | None:
    """What is wrong with a code by its form and check digit; None: nothing, or no rule."""
    if system == LOINC and _LOINC_CHECKED.fullmatch(code) and not is_valid_loinc(code):
        return "no LOINC code (check digit)"
    if system == SNOMED and code.isdigit() and not is_valid_snomed(code):
        return "no SNOMED CT code (check digit)"
    if system == UCUM and not is_unit(code):
        return "no UCUM unit"
    if system == _RXNORM and not _RXNORM_CODE.fullmatch(code):
        return "no RxNorm concept"
    if system == _ICD10CM and not _ICD10CM_CODE.fullmatch(code):
        return "no ICD-10-CM code"
    return None
