"""Values of a Circe expression, read with their JSON paths; every fault is kept, none is raised."""

from collections.abc import Iterator, Mapping
from datetime import date
from sys import float_info
from typing import Any

from trajsim.trials.criteria.decode import MOST
from trajsim.trials.criteria.findings import Finding, Severity
from trajsim.trials.criteria.form import Coding


class Values:
    """Reads values out of decoded JSON and collects what is wrong with them."""

    def __init__(self, *, file: str) -> None:
        """Starts without findings; `file` goes into each."""
        self.findings: list[Finding] = []
        self._file = file

    def error(self, rule: str, path: str, message: str) -> None:
        """Notes a fault."""
        self._note(rule, "error", path, message)

    def warn(self, rule: str, path: str, message: str) -> None:
        """Notes a doubt."""
        self._note(rule, "warning", path, message)

    def info(self, rule: str, path: str, message: str) -> None:
        """Notes a remark."""
        self._note(rule, "info", path, message)

    def _note(self, rule: str, severity: Severity, path: str, message: str) -> None:
        self.findings.append(Finding(rule=rule, severity=severity, path=path, message=message, file=self._file))

    def ignore_unknown(self, item: Mapping[str, Any], known: "set[str] | frozenset[str]", path: str) -> None:
        """Circe ignores keys that it does not know; so do we, and say so."""
        for key in item:
            if key not in known:
                self.info("CRT107", f"{path}.{key}", f"no key {key!r} here: Circe ignores it")

    def mapping(self, parent: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
        """A mapping; empty where it is left out."""
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.error("CRT103", f"{path}.{key}", f"expected a mapping, got {value!r}")
            return {}
        return value

    def mappings(self, parent: Mapping[str, Any], key: str, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The mappings of a list with their paths; empty where it is left out."""
        value = parent.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.error("CRT103", f"{path}.{key}", f"expected a list, got {value!r}")
            return
        for number, item in enumerate(value):
            where = f"{path}.{key}[{number}]"
            if isinstance(item, dict):
                yield where, item
            else:
                self.error("CRT104", where, f"expected a mapping, got {item!r}")

    def whole(self, item: Mapping[str, Any], key: str, path: str, *, default: int) -> int:
        """A whole number."""
        value = item.get(key)
        if value is None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or abs(value) > MOST or value != int(value):
            self.error("CRT103", f"{path}.{key}", f"expected a whole number, got {value!r}")
            return default
        return int(value)

    def number(self, item: Mapping[str, Any], key: str, path: str) -> float | None:
        """A number, or None where it is left out."""
        value = item.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= float_info.max:
            self.error("CRT103", f"{path}.{key}", f"expected a number, got {value!r}")
            return None
        return float(value)

    def flag(self, item: Mapping[str, Any], key: str, path: str) -> bool:
        """A switch; off where it is left out."""
        value = item.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.error("CRT103", f"{path}.{key}", f"expected true or false, got {value!r}")
            return False
        return value

    def day(self, item: Mapping[str, Any], key: str, path: str) -> date | None:
        """A date, or None where it is left out."""
        value = item.get(key)
        if value is None or value == "":
            return None
        try:
            year, month, day = (int(each) for each in str(value).split("-"))
            return date(year, month, day)
        except ValueError:
            self.error("CRT105", f"{path}.{key}", f"no date {value!r}, expected for example '2020-01-31'")
            return None

    def one_of(self, item: Mapping[str, Any], key: str, path: str, known: Mapping[str, str], *, default: str) -> str:
        """One of some words."""
        value = item.get(key)
        if value is None:
            value = default
        if not isinstance(value, str) or value not in known:
            self.error("CRT102", f"{path}.{key}", f"no {key} {value!r}, expected one of {', '.join(known)}")
            return known[default]
        return known[value]

    def coding(self, concept: Mapping[str, Any], path: str) -> Coding:
        """A concept."""
        number = concept.get("CONCEPT_ID")
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            self.error("CRT103", f"{path}.CONCEPT_ID", f"expected a whole number, got {number!r}")
            number = None
        code = concept.get("CONCEPT_CODE")
        if number is None and not code:
            self.error("CRT104", path, "a concept without CONCEPT_ID and without CONCEPT_CODE")
        return Coding(
            system=str(concept.get("VOCABULARY_ID") or ""),
            code=str(code or ""),
            display=str(concept.get("CONCEPT_NAME") or ""),
            concept_id=number,
            domain=str(concept.get("DOMAIN_ID") or ""),
        )
