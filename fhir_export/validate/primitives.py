"""The primitive types of FHIR R4: which JSON value is one.

Source: FHIR R4 4.0.1, Data Types, the regular expressions of the primitive types.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = re.compile(rf"{_YEAR}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_DATE_TIME = re.compile(rf"{_YEAR}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])(T{_CLOCK}{_ZONE})?)?)?")
_INSTANT = re.compile(rf"{_YEAR}-{_DAY}T{_CLOCK}{_ZONE}")
_MOST_INTEGER = 2**31 - 1


def _text(pattern: str) -> Callable[[object], bool]:
    match = re.compile(pattern).fullmatch

    def check(value: object) -> bool:
        return type(value) is str and match(value) is not None

    return check


def _day_exists(value: str) -> bool:
    if len(value) < 10 or value[8:10] <= "28":
        return True
    try:
        dt.date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def _day(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    match = pattern.fullmatch

    def check(value: object) -> bool:
        return type(value) is str and match(value) is not None and _day_exists(value)

    return check


def _is_string(value: object) -> bool:
    return type(value) is str and value != "" and not value.isspace()


def _is_boolean(value: object) -> bool:
    return type(value) is bool


def _integer(least: int) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        return type(value) is int and least <= value <= _MOST_INTEGER

    return check


def _is_decimal(value: object) -> bool:
    return type(value) is int or type(value) is float


_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")


def _is_base64(value: object) -> bool:
    if type(value) is not str or _BASE64.fullmatch(value) is None:
        return False
    return len("".join(value.split()) if not value.isalnum() else value) % 4 == 0


def _is_xhtml(value: object) -> bool:
    if type(value) is not str or not value.startswith("<div"):
        return False
    return "http://www.w3.org/1999/xhtml" in value.partition(">")[0] and value.rstrip().endswith(("</div>", "/>"))


CHECKS: Mapping[str, Callable[[object], bool]] = {
    "base64Binary": _is_base64,
    "boolean": _is_boolean,
    "canonical": _text(r"\S+"),
    "code": _text(r"[^\s]+(\s[^\s]+)*"),
    "date": _day(_DATE),
    "dateTime": _day(_DATE_TIME),
    "decimal": _is_decimal,
    "id": _text(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": _day(_INSTANT),
    "integer": _integer(-_MOST_INTEGER - 1),
    "markdown": _is_string,
    "oid": _text(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+"),
    "positiveInt": _integer(1),
    "string": _is_string,
    "time": _text(_CLOCK),
    "unsignedInt": _integer(0),
    "uri": _text(r"\S+"),
    "url": _text(r"\S+"),
    "uuid": _text(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "xhtml": _is_xhtml,
}
"""By type: whether a JSON value is one."""
