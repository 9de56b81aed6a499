"""Conditions, transitions and states in words that a clinician reads.

Pictures, traces and error messages share these sentences, so a rule of a module reads the same everywhere.
"""

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct

from trajsim.gmf import model
from trajsim.gmf.model import (
    Code,
    ComplexTransition,
    Condition,
    ConditionalTransition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    Distribution,
    Exact,
    LogicGroup,
    LookupTableTransition,
    NamedDistribution,
    Range,
    State,
    TimeUnit,
    Transition,
    TypeOfCareTransition,
)
from trajsim.units import iso_from_ms

TIME_UNITS: frozenset[str] = frozenset(get_args(TimeUnit))
_SIGNS = {"==": "is", "!=": "is not", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_SEX = {"F": "female", "M": "male"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Arrow(Struct, frozen=True, kw_only=True):
    """One way out of a state: target, the words on the arrow, and what they were made of.

    Attributes:
        target: Name of the state that follows.
        label: Empty where the way is certain.
        condition: The condition in words, None where there is none.
        probability: None where it is not a number of the file.
    """

    target: str
    label: str = ""
    condition: str | None = None
    probability: float | None = None


def describe_condition(condition: Condition) -> str:
    """A condition in words, for example ``age ≥ 18 years and (smoker is true or female)``.

    Example:
        >>> describe_condition(model.AgeCondition(operator=">=", quantity=18, unit="years"))
        'age ≥ 18 years'
    """
    match condition:
        case LogicGroup():
            return _group(condition)
        case model.NotCondition():
            return f"not {_bracketed(condition.condition)}"
        case model.ConstantCondition():
            return "always" if condition.value else "never"
        case model.AttributeCondition():
            return _compared(condition.attribute, condition.operator, _literal(condition.value, condition.value_code))
        case model.ObservationCondition():
            named = _codes(condition.codes) or condition.referenced_by_attribute or ""
            return _compared(f"last {named}", condition.operator, _literal(condition.value, condition.value_code))
        case model.ActiveCondition():
            return _active(condition)
        case model.PriorStateCondition():
            since = f" since {condition.since!r}" if condition.since else ""
            within = f" within the last {_exact(condition.within)}" if condition.within else ""
            return f"{condition.name!r} was visited{since}{within}"
    return _person(condition)


def _person(condition: Condition) -> str:
    """Conditions about the person and the calendar."""
    match condition:
        case model.AgeCondition():
            return _compared("age", condition.operator, _with_unit(_number(condition.quantity), condition.unit))
        case model.GenderCondition():
            return _SEX.get(condition.gender, f"sex is {condition.gender}")
        case model.RaceCondition():
            return f"race is {condition.race}"
        case model.SocioeconomicStatusCondition():
            return f"socioeconomic status is {condition.category}"
        case model.SymptomCondition():
            return _compared(f"symptom {condition.symptom}", condition.operator, _literal(condition.value))
        case model.VitalSignCondition():
            return _compared(condition.vital_sign, condition.operator, _literal(condition.value))
        case model.DateCondition():
            return _date(condition)
    msg = f"no words for a {type(condition).__name__}"
    raise AssertionError(msg)


def _date(condition: model.DateCondition) -> str:
    if condition.year is not None:
        return _compared("year", condition.operator, str(condition.year))
    if condition.month is not None:
        month = _MONTHS[condition.month - 1] if 1 <= condition.month <= 12 else str(condition.month)
        return _compared("month", condition.operator, month)
    moment = iso_from_ms(condition.date_ms or 0).removesuffix("T00:00:00Z")
    return _compared("date", condition.operator, moment)


def _group(group: LogicGroup) -> str:
    parts = [_bracketed(part) for part in group.conditions]
    if group.kind in {"And", "Or"}:
        return f" {group.kind.lower()} ".join(parts) or ("always" if group.kind == "And" else "never")
    limit = "at least" if group.kind == "AtLeast" else "at most"
    return f"{limit} {group.n} of: " + "; ".join(describe_condition(part) for part in group.conditions)


def _bracketed(condition: Condition) -> str:
    words = describe_condition(condition)
    is_compound = isinstance(condition, LogicGroup) and len(condition.conditions) > 1
    return f"({words})" if is_compound else words


def _active(condition: model.ActiveCondition) -> str:
    kind = {"CarePlan": "care plan"}.get(condition.kind, condition.kind.lower())
    named = _codes(condition.codes) or f"the one in {condition.referenced_by_attribute!r}"
    return f"active {kind}: {named}"


def _compared(subject: str, operator: str, value: str) -> str:
    if operator in {"is nil", "is not nil"}:
        return f"{subject} is {'not ' if operator == 'is nil' else ''}set"
    return f"{subject} {_SIGNS.get(operator, operator)} {value}"


def _literal(value: object, code: Code | None = None) -> str:
    if code is not None:
        return code.display or code.code
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    return "nothing" if value is None else str(value)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _codes(codes: Sequence[Code]) -> str:
    return " / ".join(dict.fromkeys(code.display.strip() or code.code for code in codes))


# --- transitions ------------------------------------------------------------------------------------------------------


def describe_transition(transition: Transition | None) -> list[Arrow]:
    """The ways out of a state, in the order in which they are tried.

    Example:
        >>> [arrow.label for arrow in describe_transition(DirectTransition("Next"))]
        ['']
    """
    match transition:
        case DirectTransition():
            return [Arrow(target=transition.transition)]
        case DistributedTransition():
            return _distributed(transition.options)
        case ConditionalTransition():
            last = len(transition.options) - 1
            return [
                _conditional(option.transition, option.condition, is_only=last == 0, is_last=index == last)
                for index, option in enumerate(transition.options)
            ]
        case ComplexTransition():
            return _complex(transition)
        case LookupTableTransition():
            return [
                Arrow(target=option.transition, label=f"by table {option.lookup_table_name}")
                for option in transition.options
            ]
        case TypeOfCareTransition():
            kinds = ("ambulatory", "emergency", "telemedicine")
            return [Arrow(target=getattr(transition, kind), label=f"{kind} care") for kind in kinds]
    return []


def _distributed(
    options: Sequence[DistributedOption], prefix: str | None = None, condition: str | None = None
) -> list[Arrow]:
    arrows = []
    for option in options:
        chance = option.distribution
        if isinstance(chance, NamedDistribution):
            words, probability = f"chance {chance.attribute} (else {_percent(chance.default)})", None
        else:
            words, probability = _percent(chance), chance
        label = words if prefix is None else f"{prefix}: {words}"
        arrows.append(Arrow(target=option.transition, label=label, condition=condition, probability=probability))
    return arrows


def _conditional(target: str, condition: Condition | None, *, is_only: bool, is_last: bool) -> Arrow:
    if is_only:
        return Arrow(target=target)
    label, words = _condition_label(condition, is_last=is_last)
    return Arrow(target=target, label=label, condition=words)


def _condition_label(condition: Condition | None, *, is_last: bool) -> tuple[str, str | None]:
    """The last option is taken whatever its condition says, and the label says so."""
    words = None if condition is None else describe_condition(condition)
    if is_last or words is None:
        return "otherwise", words
    return f"if {words}", words


def _complex(transition: ComplexTransition) -> list[Arrow]:
    arrows: list[Arrow] = []
    last = len(transition.options) - 1
    for index, option in enumerate(transition.options):
        label, words = _condition_label(option.condition, is_last=index == last)
        prefix = None if last == 0 else label
        if option.distributions:
            arrows += _distributed(option.distributions, prefix, words)
        elif option.transition is not None:
            arrows.append(Arrow(target=option.transition, label=prefix or "", condition=words))
    return arrows


def _percent(chance: float) -> str:
    return f"{chance * 100:.6g}%"


# --- states -----------------------------------------------------------------------------------------------------------


def describe_state(state: State) -> str:
    """What a state does, in a few words; empty where its type and name say all.

    Example:
        >>> describe_state(model.Delay(name="Wait", exact=Exact(3, "days")))
        'wait 3 days'
    """
    match state:
        case model.Delay():
            is_legacy = state.exact is not None or state.range is not None
            return f"wait {_spread(state.exact, state.range, state.distribution, None if is_legacy else state.unit)}"
        case model.Guard():
            return f"wait until {describe_condition(state.allow)}"
        case model.SetAttribute():
            return _set_attribute(state)
        case model.Counter():
            sign = "+" if state.action == "increment" else "-"
            return f"{state.attribute} {sign}= {_number(state.amount or 1.0)}"
        case model.CallSubmodule():
            return state.submodule
        case model.Encounter():
            return _encounter(state)
        case model.EncounterEnd():
            disposition = state.discharge_disposition
            return "" if disposition is None else disposition.display
        case model.Symptom():
            chance = "" if state.probability >= 1.0 else f", in {_percent(state.probability)}"
            return f"{state.symptom}: {_spread(state.exact, state.range, state.distribution)}{chance}"
        case model.Death():
            return _death(state)
    return _ended(state) or _recorded(state)


def _set_attribute(state: model.SetAttribute) -> str:
    value: str
    if state.expression is not None:
        value = state.expression
    elif state.range is not None or state.distribution is not None:
        value = _spread(None, state.range, state.distribution)
    elif state.series_data is not None:
        value = "a time series"
    elif state.value_attribute is not None:
        value = f"the value of {state.value_attribute}"
    elif state.value_code is None and state.value is None:
        return f"clear {state.attribute}"
    else:
        value = _literal(state.value, state.value_code)
    return f"{state.attribute} = {value}"


def _encounter(state: model.Encounter) -> str:
    if state.wellness:
        return "at the next wellness visit"
    kind = f"{state.encounter_class or 'ambulatory'}: {_codes(state.codes)}"
    return kind + (f", because of {state.reason}" if state.reason else "")


def _death(state: model.Death) -> str:
    cause = _codes(state.codes) or state.condition_onset or state.referenced_by_attribute or ""
    after = f"within {_spread(state.exact, state.range, None)}" if state.exact or state.range else "now"
    return f"{after}: {cause}" if cause else after


def _ended(state: State) -> str:
    """What an end state ends; empty for other states."""
    match state:
        case model.ConditionEnd():
            name = state.condition_onset
        case model.AllergyEnd():
            name = state.allergy_onset
        case model.MedicationEnd():
            name = state.medication_order
        case model.CarePlanEnd():
            name = state.careplan
        case model.DeviceEnd():
            name = state.device
        case _:
            return ""
    return f"ends {name or state.referenced_by_attribute or _codes(state.codes)}"


def _recorded(state: State) -> str:
    """What a clinical state records."""
    because = f", because of {reason}" if (reason := getattr(state, "reason", None)) else ""
    match state:
        case model.Observation():
            return f"{_codes(state.body.codes)}: {describe_value(state.body)}"
        case model.MultiObservation() | model.DiagnosticReport():
            parts = ", ".join(_codes(body.codes) for body in state.observations)
            return f"{_codes(state.codes)}: {parts}" if parts else _codes(state.codes)
        case model.VitalSign():
            value = state.expression or _spread(state.exact, state.range, state.distribution)
            return f"{state.vital_sign}: {value}"
        case model.Procedure():
            is_timed = state.duration is not None or state.distribution is not None
            unit = state.unit if state.duration is None else None
            took = f", takes {_spread(None, state.duration, state.distribution, unit)}" if is_timed else ""
            return _codes(state.codes) + took + because
        case model.MedicationOrder():
            how = "given now: " if state.administration else "chronic: " if state.chronic else ""
            return how + _codes(state.codes) + because
        case model.CarePlanStart():
            return _codes((*state.codes, *state.activities)) + because
        case model.ImagingStudy():
            return _codes((state.procedure_code,))
        case model.Device():
            return _codes((state.code,))
        case model.SupplyList():
            return ", ".join(f"{_number(item.quantity)} x {_codes((item.code,))}" for item in state.supplies)
        case model.ConditionOnset() | model.AllergyOnset():
            at = f", diagnosed at {state.target_encounter!r}" if state.target_encounter else ""
            return _codes(state.codes) + at
        case model.Vaccine():
            return _codes(state.codes)
    return ""


def describe_value(body: model.ObservationBody) -> str:
    """The value that an observation records, in words."""
    unit = f" {body.unit}" if body.unit else ""
    if body.exact is not None or body.range is not None or body.distribution is not None:
        return _spread(None if body.range else body.exact, body.range, body.distribution) + unit
    if body.attribute is not None:
        return f"the value of {body.attribute}"
    if body.vital_sign is not None:
        return f"{body.vital_sign}{unit}"
    if body.value_code is not None:
        return body.value_code.display or body.value_code.code
    if body.expression is not None:
        return body.expression
    return "a time series" if body.sampled_data else "an attachment" if body.attachment else "no value"


def _exact(value: Exact) -> str:
    return _with_unit(_literal(value.quantity), value.unit)


def _with_unit(words: str, unit: str | None) -> str:
    """``1 year``, ``2 years``, ``120 mg/dL``."""
    if not unit:
        return words
    return f"{words} {unit.removesuffix('s') if words == '1' and unit in TIME_UNITS else unit}"


def _spread(
    exact: Exact | None, spread: Range | None, distribution: Distribution | None, unit: str | None = None
) -> str:
    """The first present of the three, in words; `unit` is the state's own."""
    if exact is not None:
        return _exact(exact)
    if spread is not None:
        return _with_unit(f"{_number(spread.low)} to {_number(spread.high)}", spread.unit)
    return "nothing" if distribution is None else _with_unit(_distribution(distribution), unit)


def _distribution(distribution: Distribution) -> str:
    match distribution:
        case Distribution(kind="EXACT", value=value) if value is not None:
            return _number(value)
        case Distribution(kind="UNIFORM", low=low, high=high) if low is not None and high is not None:
            return f"{_number(low)} to {_number(high)}"
        case Distribution(kind="GAUSSIAN", mean=mean, standard_deviation=sd) if mean is not None and sd is not None:
            return f"{_number(mean)} ± {_number(sd)}"
        case Distribution(kind="EXPONENTIAL", mean=mean) if mean is not None:
            return f"exponential, mean {_number(mean)} + 1"
        case Distribution(kind="TRIANGULAR", min=low, mode=mode, max=high) if low is not None and high is not None:
            return f"{_number(low)} to {_number(high)}, mostly {_number(mode or 0.0)}"
    return distribution.kind.lower()
