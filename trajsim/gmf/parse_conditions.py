"""Decodes logic: every `condition_type` of GMF."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from trajsim.gmf.findings import did_you_mean
from trajsim.gmf.model import (
    ActiveCondition,
    AgeCondition,
    AttributeCondition,
    Condition,
    ConstantCondition,
    DateCondition,
    GenderCondition,
    LogicGroup,
    NotCondition,
    ObservationCondition,
    PriorStateCondition,
    RaceCondition,
    SocioeconomicStatusCondition,
    SymptomCondition,
    VitalSignCondition,
)
from trajsim.gmf.parse_values import optional_code, parse_codes, parse_exact
from trajsim.gmf.reader import Reader
from trajsim.units import ms_from_datetime

AGE_UNITS = ("years", "months")
_DATE_PARTS = ("year", "month", "day", "hour", "minute", "second", "millisecond")
_MAX_DEPTH = 60


def parse_condition(reader: Reader, *, depth: int = 0) -> Condition:
    """One condition; after a fault the constant False stands in for it."""
    stand_in = ConstantCondition(value=False)
    spelling = reader.need_text("condition_type", "the type of the condition")
    if not spelling:
        return stand_in
    name = spelling.replace(" ", "")
    entry = _DECODERS.get(name)
    if entry is None:
        reader.report(
            "GMF106", f"unknown condition type {spelling!r}{did_you_mean(spelling, CONDITION_TYPES)}", "condition_type"
        )
        return stand_in
    if depth > _MAX_DEPTH:
        reader.report("GMF104", f"conditions are nested more than {_MAX_DEPTH} deep")
        return stand_in
    keys, decode = entry
    if not reader.node.keys() <= keys:
        reader.note_unknown_keys(keys)
    return decode(reader, depth)


def need_condition(reader: Reader, key: str, *, depth: int = 0) -> Condition:
    """The condition under a key that must be there."""
    part = reader.part(key)
    if part is None:
        if reader.node.get(key) is None:
            reader.missing(key, "a condition")
        return ConstantCondition(value=False)
    return parse_condition(part, depth=depth)


def optional_condition(reader: Reader, key: str = "condition") -> Condition | None:
    """The condition under a key, or None."""
    part = reader.part(key)
    return None if part is None else parse_condition(part)


def _operator(reader: Reader) -> str:
    return reader.need_text("operator", "an operator such as '==' or 'is nil'")


def _attribute(reader: Reader, _depth: int) -> Condition:
    return AttributeCondition(
        attribute=reader.need_text("attribute", "the name of an attribute"),
        operator=_operator(reader),
        value=reader.scalar("value"),
        value_code=optional_code(reader, "value_code"),
    )


def _age(reader: Reader, _depth: int) -> Condition:
    reader.need_text("unit", "'years' or 'months'")
    return AgeCondition(
        operator=_operator(reader),
        quantity=reader.need_number("quantity", "an age"),
        unit=reader.word("unit", AGE_UNITS, "unit of age") or "years",
    )


def _gender(reader: Reader, _depth: int) -> Condition:
    return GenderCondition(gender=reader.need_text("gender", "'M' or 'F'"))


def _date(reader: Reader, _depth: int) -> Condition:
    year, month = reader.integer("year"), reader.integer("month")
    part = reader.part("date")
    if year is None and month is None and reader.node.get("date") is None:
        reader.report("GMF103", "missing key: expected one of 'year', 'month' and 'date'")
    date_ms = None if part is None else _instant_ms(part)
    return DateCondition(operator=_operator(reader), year=year, month=month, date_ms=date_ms)


def _instant_ms(reader: Reader) -> int | None:
    """Milliseconds since 1970 of ``{year, month, day, hour, minute, second, millisecond}`` in UTC."""
    reader.note_unknown_keys(frozenset(_DATE_PARTS))
    for key in _DATE_PARTS[:3]:
        if reader.node.get(key) is None:
            reader.missing(key, f"the {key} of the date")
    year, month, day, hour, minute, second, millisecond = (reader.integer(key) for key in _DATE_PARTS)
    if year is None or month is None or day is None:
        return None
    try:
        moment = dt.datetime(year, month, day, hour or 0, minute or 0, second or 0, tzinfo=dt.UTC)
    except (ValueError, OverflowError) as error:
        reader.report("GMF111", f"no such date: {error}")
        return None
    return ms_from_datetime(moment) + (millisecond or 0)


def _race(reader: Reader, _depth: int) -> Condition:
    return RaceCondition(race=reader.need_text("race", "a race"))


def _status(reader: Reader, _depth: int) -> Condition:
    return SocioeconomicStatusCondition(category=reader.need_text("category", "'High', 'Middle' or 'Low'"))


def _symptom(reader: Reader, _depth: int) -> Condition:
    return SymptomCondition(
        symptom=reader.need_text("symptom", "the name of a symptom"),
        operator=_operator(reader),
        value=reader.number("value"),
    )


def _observation(reader: Reader, _depth: int) -> Condition:
    codes, attribute = _codes_or_attribute(reader)
    return ObservationCondition(
        operator=_operator(reader),
        codes=codes,
        referenced_by_attribute=attribute,
        value=reader.scalar("value"),
        value_code=optional_code(reader, "value_code"),
    )


def _vital_sign(reader: Reader, _depth: int) -> Condition:
    return VitalSignCondition(
        vital_sign=reader.need_text("vital_sign", "the name of a vital sign"),
        operator=_operator(reader),
        value=reader.number("value"),
    )


def _active(kind: str, reader: Reader, _depth: int) -> Condition:
    codes, attribute = _codes_or_attribute(reader)
    return ActiveCondition(kind=cast("Any", kind), codes=codes, referenced_by_attribute=attribute)


def _codes_or_attribute(reader: Reader) -> tuple[tuple[Any, ...], str | None]:
    codes, attribute = parse_codes(reader), reader.text("referenced_by_attribute")
    if attribute is None and not codes and not reader.node.get("codes"):
        reader.report("GMF103", "missing key: expected 'codes' or 'referenced_by_attribute'")
    return codes, attribute


def _prior_state(reader: Reader, _depth: int) -> Condition:
    return PriorStateCondition(
        name=reader.need_text("name", "the name of a state"),
        since=reader.text("since"),
        within=parse_exact(reader, "within", is_time=True),
    )


def _group(kind: str, count_key: str | None, reader: Reader, depth: int) -> Condition:
    if reader.node.get("conditions") is None:
        reader.missing("conditions", "a list of conditions")
    count = 0
    if count_key is not None:
        if reader.node.get(count_key) is None:
            reader.missing(count_key, "how many of the conditions")
        count = reader.integer(count_key) or 0
    conditions = tuple(parse_condition(part, depth=depth + 1) for part in reader.parts("conditions"))
    return LogicGroup(kind=cast("Any", kind), conditions=conditions, n=count)


def _not(reader: Reader, depth: int) -> Condition:
    return NotCondition(condition=need_condition(reader, "condition", depth=depth + 1))


def _constant(_reader: Reader, _depth: int, *, value: bool) -> Condition:
    return ConstantCondition(value=value)


_Decoder = Callable[[Reader, int], Condition]
_CODED = {"codes", "referenced_by_attribute"}


def _entry(decode: _Decoder, *keys: str) -> tuple[frozenset[str], _Decoder]:
    return frozenset({"condition_type", "remarks", *keys}), decode


_DECODERS: dict[str, tuple[frozenset[str], _Decoder]] = {
    "Attribute": _entry(_attribute, "attribute", "operator", "value", "value_code"),
    "Age": _entry(_age, "operator", "quantity", "unit"),
    "Gender": _entry(_gender, "gender"),
    "Date": _entry(_date, "operator", "year", "month", "date"),
    "Race": _entry(_race, "race"),
    "SocioeconomicStatus": _entry(_status, "category"),
    "Symptom": _entry(_symptom, "symptom", "operator", "value"),
    "Observation": _entry(_observation, "operator", "value", "value_code", *_CODED),
    "VitalSign": _entry(_vital_sign, "vital_sign", "operator", "value"),
    "ActiveCondition": _entry(partial(_active, "Condition"), *_CODED),
    "ActiveAllergy": _entry(partial(_active, "Allergy"), *_CODED),
    "ActiveMedication": _entry(partial(_active, "Medication"), *_CODED),
    "ActiveCarePlan": _entry(partial(_active, "CarePlan"), *_CODED),
    "PriorState": _entry(_prior_state, "name", "since", "within"),
    "And": _entry(partial(_group, "And", None), "conditions"),
    "Or": _entry(partial(_group, "Or", None), "conditions"),
    "AtLeast": _entry(partial(_group, "AtLeast", "minimum"), "conditions", "minimum"),
    "AtMost": _entry(partial(_group, "AtMost", "maximum"), "conditions", "maximum"),
    "Not": _entry(_not, "condition"),
    "True": _entry(partial(_constant, value=True)),
    "False": _entry(partial(_constant, value=False)),
}
CONDITION_TYPES = (
    "Attribute",
    "Age",
    "Gender",
    "Date",
    "Race",
    "Socioeconomic Status",
    "Symptom",
    "Observation",
    "Vital Sign",
    "Active Condition",
    "Active Allergy",
    "Active Medication",
    "Active CarePlan",
    "PriorState",
    "And",
    "Or",
    "At Least",
    "At Most",
    "Not",
    "True",
    "False",
)
