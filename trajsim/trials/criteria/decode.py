"""Decodes a document into the form: every fault with its path, all of them at once; unknown keys are faults.

Besides the full form, people may write the short one: ``LOINC|4548-4`` for a code, ``>= 18`` or ``7..10.5`` for a
range, ``at least 2`` for a number of events, ``-90..0`` for a window, a single event or patient in place of a group.
"""

import difflib
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from sys import float_info
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from trajsim.trials.criteria.findings import Finding
from trajsim.trials.criteria.form import (
    CodeSet,
    CodeTest,
    Coding,
    CountedCriterion,
    DateTest,
    Definition,
    Group,
    NumberTest,
    Occurrence,
    Rule,
    Window,
)

_RANGE = re.compile(r"\s*(<=|<|>=|>|==|=|!=)\s*(\S+)\s*")
_BETWEEN = re.compile(r"\s*(outside\s+)?(\S+?)\s*\.\.\s*(\S+)\s*")
_COUNT = re.compile(r"\s*(exactly|at least|at most)\s+(\d+)\s*")
_WINDOW = re.compile(r"\s*([+-]?\d+)?\s*\.\.\s*([+-]?\d+)?\s*")
_SYSTEM_OF = {"sex": "Gender", "race": "Race", "ethnicity": "Ethnicity", "visit_kind": "Visit", "unit": "UCUM"}
_BAD = object()
MOST = 10**9
"""The largest whole number that criteria may hold: so many days or events are a slip of the pen."""


class Decoder:
    """Decodes one document and collects what is wrong with it."""

    def __init__(self, *, file: str) -> None:
        """Starts without findings; `file` goes into each."""
        self.findings: list[Finding] = []
        self._file = file
        self._short: Mapping[type, Callable[[Any, str], Any]] = {
            NumberTest: self._number_test,
            DateTest: self._date_test,
            Occurrence: self._occurrence,
            Window: self._window,
            Coding: self._coding,
        }

    def definition(self, document: object) -> Definition | None:
        """The definition; None if there are faults that leave none."""
        if not isinstance(document, dict):
            self._fault("CRT101", "$", f"expected a mapping of criteria, got {document!r}")
            return None
        found = self._dataclass(Definition, document, "$")
        return None if found is _BAD or self.findings else found

    def _fault(self, rule: str, path: str, message: str, hint: str | None = None) -> object:
        self.findings.append(
            Finding(rule=rule, severity="error", path=path, message=message, file=self._file, hint=hint)
        )
        return _BAD

    def _dataclass(self, kind: type, value: object, path: str) -> Any:  # noqa: ANN401  # whatever class is asked for
        if not isinstance(value, dict):
            return self._fault("CRT103", path, f"expected a mapping, got {value!r}")
        if kind is Rule:
            value = _long_rule(value)
        hints = get_type_hints(kind)
        known = {each.name: each for each in fields(kind) if each.name != "path"}
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f", did you mean {near[0]!r}?" if near else f", expected one of {', '.join(known)}"
                self._fault("CRT102", f"{path}.{key}", f"no key {key!r} here{hint}")
        arguments: dict[str, Any] = {}
        whole = True
        for name, each in known.items():
            if name not in value:
                whole &= self._may_be_absent(each, path)
                continue
            arguments[name] = self._value(hints[name], value[name], f"{path}.{name}", name)
            whole &= arguments[name] is not _BAD
        if not whole:
            return _BAD
        if any(each.name == "path" for each in fields(kind)):
            arguments["path"] = path
        return kind(**arguments)

    def _may_be_absent(self, each: "Field[Any]", path: str) -> bool:
        if each.default is MISSING and each.default_factory is MISSING:
            self._fault("CRT104", f"{path}.{each.name}", f"{each.name} is missing")
            return False
        return True

    def _value(self, hint: Any, value: object, path: str, name: str) -> Any:  # noqa: ANN401  # a type and its value
        origin = get_origin(hint)
        if origin in {Union, types.UnionType}:
            inner = [each for each in get_args(hint) if each is not type(None)]
            return None if value is None else self._value(inner[0], value, path, name)
        if origin is Literal:
            return self._literal(get_args(hint), value, path)
        if origin is tuple:
            return self._tuple(get_args(hint)[0], value, path, name)
        if hint in self._short and not isinstance(value, dict):
            return self._short[hint](value, path)
        if is_dataclass(hint) and isinstance(hint, type):
            return self._dataclass(hint, value, path)
        return self._plain(hint, value, path)

    def _tuple(self, hint: Any, value: object, path: str, name: str) -> Any:  # noqa: ANN401  # a type and its value
        if hint is CodeTest:
            return self._code_tests(value, path, name)
        if hint is CodeSet and isinstance(value, dict):
            value = [_named_set(key, each) for key, each in value.items()]
        if hint is CountedCriterion and isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            return self._fault("CRT103", path, f"expected a list, got {value!r}")
        out = [self._value(hint, each, f"{path}[{number}]", name) for number, each in enumerate(value)]
        return _BAD if any(each is _BAD for each in out) else tuple(out)

    def _literal(self, known: Sequence[Any], value: object, path: str) -> Any:  # noqa: ANN401  # one of the words
        if value in known:
            return value
        near = difflib.get_close_matches(str(value), [str(each) for each in known], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(map(str, known))}"
        return self._fault("CRT102", path, f"no {value!r} here, {hint}")

    def _plain(self, hint: Any, value: object, path: str) -> Any:  # noqa: ANN401  # a type and its value
        if hint is bool and isinstance(value, bool):
            return value
        if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
            return self._finite(value, value, path)
        if hint is int and isinstance(value, int) and not isinstance(value, bool):
            return self._whole(value, path)
        if hint is str and isinstance(value, str):
            return value
        if hint is str and isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # a code of digits alone that YAML took for a number
        if hint is date:
            return self._date(value, path)
        words = {bool: "true or false", float: "a number", int: "a whole number", str: "text"}
        return self._fault("CRT103", path, f"expected {words.get(hint, hint)}, got {value!r}")

    def _finite(self, value: float, written: object, path: str) -> Any:  # noqa: ANN401  # a number, or none
        """A number; what no value can be compared with is a fault."""
        return (
            float(value)
            if abs(value) <= float_info.max
            else self._fault("CRT103", path, f"expected a number, got {written!r}")
        )

    def _whole(self, value: int, path: str) -> Any:  # noqa: ANN401  # a whole number, or none
        """A whole number with which days can still be counted."""
        if abs(value) <= MOST:
            return value
        return self._fault("CRT103", path, f"expected a whole number of at most {MOST:,}, got {value}")

    def _date(self, value: object, path: str) -> Any:  # noqa: ANN401  # a date, or none
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            return self._fault("CRT105", path, f"no date {value!r}, expected for example 2020-01-31")

    # --- short forms ----------------------------------------------------------------------------------------------

    def _number_test(self, value: object, path: str) -> Any:  # noqa: ANN401  # a test, or none
        return self._range_test(NumberTest, float, value, path)

    def _date_test(self, value: object, path: str) -> Any:  # noqa: ANN401  # a test, or none
        return self._range_test(DateTest, date, value, path)

    def _range_test(self, kind: type, inner: type, value: object, path: str) -> Any:  # noqa: ANN401  # a test, or none
        text = str(value)
        if match := _BETWEEN.fullmatch(text):
            low, high = self._limit(inner, match[2], path), self._limit(inner, match[3], path)
            op = "outside" if match[1] else "between"
            return _BAD if _BAD in (low, high) else kind(op=op, value=low, upper=high, path=path)
        if match := _RANGE.fullmatch(text):
            limit = self._limit(inner, match[2], path)
            return _BAD if limit is _BAD else kind(op={"=": "=="}.get(match[1], match[1]), value=limit, path=path)
        return self._fault("CRT103", path, f"no range {value!r}, expected for example '>= 18' or '7..10.5'")

    def _limit(self, inner: type, text: str, path: str) -> Any:  # noqa: ANN401  # a number or a date
        if inner is date:
            return self._date(text, path)
        try:
            return self._finite(float(text), text, path)
        except ValueError:
            return self._fault("CRT103", path, f"expected a number, got {text!r}")

    def _occurrence(self, value: object, path: str) -> Any:  # noqa: ANN401  # a number of events, or none
        if value == "none":
            return Occurrence(op="exactly", n=0)
        if match := _COUNT.fullmatch(str(value)):
            n = self._whole(int(match[2]), path)
            return _BAD if n is _BAD else Occurrence(op=match[1].replace(" ", "_"), n=n)  # type: ignore[arg-type]
        return self._fault(
            "CRT103", path, f"no number of events {value!r}, expected for example 'at least 2' or 'none'"
        )

    def _window(self, value: object, path: str) -> Any:  # noqa: ANN401  # a window, or none
        if match := _WINDOW.fullmatch(str(value)):
            first, last = (None if each is None else self._whole(int(each), path) for each in match.groups())
            return _BAD if _BAD in (first, last) else Window(first_day=first, last_day=last, path=path)
        return self._fault("CRT103", path, f"no window {value!r}, expected days such as '-90..0', '..-1' or '0..'")

    def _coding(self, value: object, path: str) -> Any:  # noqa: ANN401  # a code, or none
        system, mark, code = str(value).partition("|")
        if not (mark and system.strip() and code.strip()):
            return self._fault("CRT103", path, f"no code {value!r}, expected for example 'LOINC|4548-4'")
        return Coding(system=system.strip(), code=code.strip())

    def _code_tests(self, value: object, path: str, name: str) -> Any:  # noqa: ANN401  # tests, or none
        """A list of tests, one test, or just the codes: ``sex: F`` and ``sex: [{any_of: [...]}]``."""
        items = value if isinstance(value, list) else [value]
        if any(isinstance(each, dict) and set(each) & {"any_of", "code_set", "exclude"} for each in items):
            out = [self._dataclass(CodeTest, each, f"{path}[{number}]") for number, each in enumerate(items)]
            return _BAD if any(each is _BAD for each in out) else tuple(out)
        system = _SYSTEM_OF.get(name)
        codes = [
            Coding(system=system, code=str(each))
            if system is not None and isinstance(each, str | int) and "|" not in str(each)
            else self._value(Coding, each, f"{path}[{number}]", name)
            for number, each in enumerate(items)
        ]
        return _BAD if any(each is _BAD for each in codes) else (CodeTest(any_of=tuple(codes), path=path),)


def _named_set(name: object, value: object) -> object:
    return {"name": name, "codes": value} if isinstance(value, list) else {"name": name, **_mapping(value)}


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {"codes": value}


_COUNTED = {each.name for each in fields(CountedCriterion)} - {"path"}
_GROUP = {each.name for each in fields(Group)} - {"path"}


def _long_rule(value: dict[str, Any]) -> dict[str, Any]:
    """A rule of one event, one patient criterion or the keys of one group, as the rule of a group."""
    if "group" in value:
        return value
    rest = {key: each for key, each in value.items() if key not in _COUNTED | _GROUP | {"patient"}}
    counted = {key: each for key, each in value.items() if key in _COUNTED}
    group: dict[str, Any] = {key: each for key, each in value.items() if key in _GROUP}
    if counted:
        group["events"] = [*group.get("events", []), counted]
    if "patient" in value:
        group["patients"] = [*group.get("patients", []), value["patient"]]
    return {**rest, "group": group} if group else rest
