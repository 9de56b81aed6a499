"""Decodes transitions. Where a state has several, the first in GMF's order of precedence counts."""

from collections.abc import Callable

from trajsim.gmf.findings import Severity
from trajsim.gmf.model import (
    ComplexOption,
    ComplexTransition,
    ConditionalOption,
    ConditionalTransition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    LookupOption,
    LookupTableTransition,
    NamedDistribution,
    Transition,
    TypeOfCareTransition,
)
from trajsim.gmf.parse_conditions import optional_condition
from trajsim.gmf.parse_values import need_probability
from trajsim.gmf.reader import Reader

_TARGET = "the name of a state"
_OPTIONS = "at least one option"
_DISTRIBUTED_KEYS = frozenset({"transition", "distribution", "remarks"})
_NAMED_KEYS = frozenset({"attribute", "default"})
_CONDITIONAL_KEYS = frozenset({"transition", "condition", "remarks"})
_COMPLEX_KEYS = frozenset({"transition", "condition", "distributions", "remarks"})
_LOOKUP_KEYS = frozenset({"transition", "lookup_table_name", "default_probability", "remarks"})
_CARE_KEYS = frozenset({"ambulatory", "emergency", "telemedicine", "remarks"})


def parse_transition(reader: Reader, *, is_terminal: bool) -> Transition | None:
    """The transition of a state, None after a fault or where a Terminal has none."""
    given = [key for key in TRANSITION_KEYS if reader.node.get(key) is not None]
    if not given:
        if not is_terminal:
            hint = "only a Terminal may have none; give it one of " + ", ".join(TRANSITION_KEYS)
            reader.report("GMF108", "this state has no transition", hint=hint)
        return None
    if len(given) > 1:
        others = ", ".join(given[1:])
        reader.report("GMF114", f"{given[0]} wins; {others} is never used", given[1], severity=Severity.WARNING)
    before = reader.error_count()
    transition = _DECODERS[given[0]](reader, given[0])
    return transition if reader.error_count() == before else None


def _direct(reader: Reader, key: str) -> Transition:
    return DirectTransition(reader.need_text(key, _TARGET))


def _distributed(reader: Reader, key: str) -> Transition:
    return DistributedTransition(tuple(map(_distributed_option, reader.need_parts(key, _OPTIONS))))


def _distributed_option(reader: Reader) -> DistributedOption:
    if not reader.node.keys() <= _DISTRIBUTED_KEYS:
        reader.note_unknown_keys(_DISTRIBUTED_KEYS)
    target = reader.need_text("transition", _TARGET)
    if isinstance(reader.node.get("distribution"), dict):
        named = reader.part("distribution")
        assert named is not None
        named.note_unknown_keys(_NAMED_KEYS)
        attribute = named.need_text("attribute", "the attribute that holds the probability")
        default = 0.0 if named.node.get("default") is None else need_probability(named, "default")
        return DistributedOption(target, NamedDistribution(attribute, default))
    return DistributedOption(target, need_probability(reader, "distribution"))


def _conditional(reader: Reader, key: str) -> Transition:
    return ConditionalTransition(tuple(map(_conditional_option, reader.need_parts(key, _OPTIONS))))


def _conditional_option(reader: Reader) -> ConditionalOption:
    if not reader.node.keys() <= _CONDITIONAL_KEYS:
        reader.note_unknown_keys(_CONDITIONAL_KEYS)
    return ConditionalOption(reader.need_text("transition", _TARGET), optional_condition(reader))


def _complex(reader: Reader, key: str) -> Transition:
    return ComplexTransition(tuple(map(_complex_option, reader.need_parts(key, _OPTIONS))))


def _complex_option(reader: Reader) -> ComplexOption:
    if not reader.node.keys() <= _COMPLEX_KEYS:
        reader.note_unknown_keys(_COMPLEX_KEYS)
    condition, target = optional_condition(reader), reader.text("transition")
    distributions = tuple(map(_distributed_option, reader.parts("distributions")))
    if target is None and not distributions and not reader.node.get("distributions"):
        if reader.node.get("distributions") == []:
            reader.report(
                "GMF109", "empty list 'distributions' and no 'transition': expected one of them", "distributions"
            )
        else:
            reader.report("GMF103", "missing key: expected 'transition' or 'distributions'")
    if target is not None:
        distributions = ()  # Synthea looks at `transition` first
    return ComplexOption(target, distributions, condition)


def _lookup(reader: Reader, key: str) -> Transition:
    return LookupTableTransition(tuple(map(_lookup_option, reader.need_parts(key, _OPTIONS))))


def _lookup_option(reader: Reader) -> LookupOption:
    if not reader.node.keys() <= _LOOKUP_KEYS:
        reader.note_unknown_keys(_LOOKUP_KEYS)
    has_default = reader.node.get("default_probability") is not None
    return LookupOption(
        reader.need_text("transition", _TARGET),
        reader.need_text("lookup_table_name", "the file name of a lookup table"),
        need_probability(reader, "default_probability") if has_default else 0.0,
    )


def _type_of_care(reader: Reader, key: str) -> Transition | None:
    part = reader.part(key)
    if part is None:
        return None
    part.note_unknown_keys(_CARE_KEYS)
    return TypeOfCareTransition(
        *(part.need_text(name, _TARGET) for name in ("ambulatory", "emergency", "telemedicine"))
    )


_DECODERS: dict[str, Callable[[Reader, str], Transition | None]] = {
    "direct_transition": _direct,
    "distributed_transition": _distributed,
    "conditional_transition": _conditional,
    "complex_transition": _complex,
    "lookup_table_transition": _lookup,
    "type_of_care_transition": _type_of_care,
}
TRANSITION_KEYS = tuple(_DECODERS)
