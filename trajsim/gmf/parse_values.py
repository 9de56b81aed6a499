"""Decodes the small parts that states and conditions share: codes, quantities, ranges, distributions."""

from typing import Any, cast, get_args

from trajsim.gmf.expression import ExpressionError, parse_expression
from trajsim.gmf.model import Code, Distribution, Exact, Range, TimeUnit
from trajsim.gmf.reader import Reader, is_number, show

TIME_UNITS: tuple[str, ...] = get_args(TimeUnit)
DISTRIBUTION_KINDS = ("EXACT", "UNIFORM", "GAUSSIAN", "EXPONENTIAL", "TRIANGULAR")

_CODE_KEYS = frozenset({"system", "code", "display", "version", "value_set"})
_EXACT_KEYS = frozenset({"quantity", "unit"})
_RANGE_KEYS = frozenset({"low", "high", "unit", "decimals"})
_DISTRIBUTION_KEYS = frozenset({"kind", "parameters", "round"})
_PARAMETERS = {
    "EXACT": (("value",), ()),
    "UNIFORM": (("low", "high"), ()),
    "GAUSSIAN": (("mean", "standardDeviation"), ("min", "max")),
    "EXPONENTIAL": (("mean",), ()),
    "TRIANGULAR": (("min", "mode", "max"), ()),
}
_FIELD = {"standardDeviation": "standard_deviation"}


def parse_code(reader: Reader) -> Code:
    """One coding. A code written as a number becomes text."""
    node = reader.node
    if not node.keys() <= _CODE_KEYS:
        reader.note_unknown_keys(_CODE_KEYS)
    code = node.get("code")
    if isinstance(code, int) and not isinstance(code, bool):
        code = str(code)
    elif isinstance(code, float) and code.is_integer():
        code = str(int(code))
    elif not isinstance(code, str) or not code.strip():
        reader.need_text("code", "the code as a text")
        code = ""
    system, display = node.get("system"), node.get("display")
    if not isinstance(system, str) or not system.strip():
        system = reader.need_text("system", "the code system, such as 'SNOMED-CT'")
    if not isinstance(display, str):
        display = reader.text("display") or ""
    return Code(system, code, display, reader.text("version"), reader.text("value_set"))


def parse_codes(reader: Reader, key: str = "codes") -> tuple[Code, ...]:
    """A list of codes that may be absent or empty."""
    return tuple(map(parse_code, reader.parts(key))) if key in reader.node else ()


def need_codes(reader: Reader, key: str = "codes") -> tuple[Code, ...]:
    """A list of codes with at least one."""
    return tuple(map(parse_code, reader.need_parts(key, "at least one code")))


def optional_code(reader: Reader, key: str) -> Code | None:
    """One code under a key, or None."""
    part = reader.part(key)
    return None if part is None else parse_code(part)


def need_code(reader: Reader, key: str) -> Code:
    """One code under a key that must be there."""
    if reader.node.get(key) is None:
        reader.missing(key, "a code")
    return optional_code(reader, key) or Code("", "")


def parse_exact(reader: Reader, key: str = "exact", *, is_time: bool = False, is_number: bool = True) -> Exact | None:
    """``{"quantity": ..., "unit": ...}`` under a key, or None."""
    part = reader.part(key)
    if part is None:
        return None
    part.note_unknown_keys(_EXACT_KEYS)
    quantity: Any
    if is_number or part.node.get("quantity") is None:
        quantity = part.need_number("quantity")
        raw = part.node.get("quantity")
        quantity = raw if isinstance(raw, int) else quantity
    else:
        quantity = part.scalar("quantity")
        quantity = 0 if quantity is None else quantity
    return Exact(quantity, need_time_unit(part) if is_time else part.text("unit"))


def parse_range(reader: Reader, key: str = "range", *, is_time: bool = False) -> Range | None:
    """``{"low": ..., "high": ..., "unit": ..., "decimals": ...}`` under a key, or None."""
    part = reader.part(key)
    if part is None:
        return None
    part.note_unknown_keys(_RANGE_KEYS)
    low, high = part.need_number("low"), part.need_number("high")
    return Range(low, high, need_time_unit(part) if is_time else part.text("unit"), part.integer("decimals"))


def need_time_unit(reader: Reader, key: str = "unit") -> str | None:
    """A unit of time that must be there."""
    value = reader.node.get(key)
    if isinstance(value, str) and value in TIME_UNITS:
        return value
    if value is None or (isinstance(value, str) and not value.strip()):
        hint = "one of " + ", ".join(TIME_UNITS)
        state = "missing" if value is None else "blank"
        reader.report(
            "GMF113", f"{state} {key!r}: a unit of time is needed here", *([] if value is None else [key]), hint=hint
        )
        return None
    return reader.word(key, TIME_UNITS, "unit of time")


def parse_distribution(reader: Reader, key: str = "distribution") -> Distribution | None:
    """A version-2 distribution under a key, or None."""
    part = reader.part(key)
    if part is None:
        return None
    part.note_unknown_keys(_DISTRIBUTION_KEYS)
    part.need_text("kind", "the kind of distribution, such as 'UNIFORM'")
    kind = part.word("kind", DISTRIBUTION_KINDS, "kind of distribution")
    parameters = part.part("parameters")
    if parameters is None and part.node.get("parameters") is None:
        part.missing("parameters", "the parameters of the distribution")
    if kind is None or parameters is None:
        return None
    needed, optional = _PARAMETERS[kind]
    parameters.note_unknown_keys(frozenset(needed + optional))
    values: dict[str, float | None] = {}
    for name in needed:
        if parameters.node.get(name) is None:
            parameters.report("GMF112", f"missing parameter {name!r} of {kind}: expected a number")
        else:
            values[_FIELD.get(name, name)] = parameters.number(name)
    for name in optional:
        values[name] = parameters.number(name)
    return Distribution(cast("Any", kind), part.flag("round"), **values)


def need_sound_expression(reader: Reader, key: str = "expression") -> str | None:
    """The text of an expression that the engine can evaluate, or None where it is absent."""
    text = reader.text(key)
    if text is not None:
        try:
            parse_expression(text)
        except ExpressionError as error:
            reader.report("GMF118", error.message, key)
    return text


def need_probability(reader: Reader, key: str) -> float:
    """A probability that must be a number; sums and signs are for the checks."""
    value = reader.node.get(key)
    if value is None:
        reader.missing(key, "a probability")
        return 0.0
    if is_number(value):
        return float(value)
    hint = None
    if isinstance(value, str):
        try:
            hint = f"write {float(value)} without quotes"
        except ValueError:
            hint = f'to read it from an attribute write {{"attribute": {show(value)}, "default": 0.0}}'
    reader.report("GMF301", f"the probability is {show(value)}: expected a number between 0 and 1", key, hint=hint)
    return 0.0
