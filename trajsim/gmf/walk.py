"""Walks over a typed module: every target, condition, code and attribute of a state, with its JSON steps.

Checks, graphs and pictures ask here what a state refers to, so that no two of them disagree.
"""

from collections.abc import Iterator, Mapping

from trajsim.gmf import model
from trajsim.gmf.document import Step, json_path
from trajsim.gmf.expression import VITAL_SIGN_NAMES, names_of, parse_expression
from trajsim.gmf.model import (
    ActiveCondition,
    AttributeCondition,
    Code,
    ComplexOption,
    ComplexTransition,
    Condition,
    ConditionalTransition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    LogicGroup,
    LookupTableTransition,
    Module,
    NotCondition,
    ObservationCondition,
    State,
    Transition,
    TypeOfCareTransition,
)

Steps = tuple[Step, ...]

END_FIELDS = {
    "ConditionEnd": "condition_onset",
    "AllergyEnd": "allergy_onset",
    "MedicationEnd": "medication_order",
    "CarePlanEnd": "careplan",
    "DeviceEnd": "device",
    "Death": "condition_onset",
}
STARTS: Mapping[str, type[State]] = {
    "ConditionEnd": model.ConditionOnset,
    "AllergyEnd": model.AllergyOnset,
    "MedicationEnd": model.MedicationOrder,
    "CarePlanEnd": model.CarePlanStart,
    "DeviceEnd": model.Device,
    "Death": model.ConditionOnset,
}


def state_path(state: str, steps: Steps = ()) -> str:
    """JSON path of a place inside a state."""
    return json_path(("states", state, *steps))


def transition_key(transition: Transition) -> str:
    """GMF's key of a transition."""
    return _TRANSITION_KEYS[type(transition)]


_TRANSITION_KEYS: dict[type, str] = {
    DirectTransition: "direct_transition",
    DistributedTransition: "distributed_transition",
    ConditionalTransition: "conditional_transition",
    ComplexTransition: "complex_transition",
    LookupTableTransition: "lookup_table_transition",
    TypeOfCareTransition: "type_of_care_transition",
}


def targets(state: State) -> Iterator[tuple[Steps, str]]:
    """Every state that a state's transition names, with the steps from the state to the name."""
    transition = state.transition
    if transition is None:
        return
    key = transition_key(transition)
    if isinstance(transition, DirectTransition):
        yield ("alt_direct_transition" if isinstance(state, model.Physiology) else key,), transition.transition
    elif isinstance(transition, TypeOfCareTransition):
        for name in ("ambulatory", "emergency", "telemedicine"):
            yield (key, name), getattr(transition, name)
    elif isinstance(transition, ComplexTransition):
        for index, option in enumerate(transition.options):
            yield from _complex_targets((key, index), option)
    elif isinstance(transition, DistributedTransition):  # noqa: SIM114 - joined, the options lose their type
        yield from _numbered(key, [option.transition for option in transition.options])
    elif isinstance(transition, ConditionalTransition):
        yield from _numbered(key, [option.transition for option in transition.options])
    else:
        yield from _numbered(key, [option.transition for option in transition.options])


def _complex_targets(steps: Steps, option: ComplexOption) -> Iterator[tuple[Steps, str]]:
    if option.distributions:
        for index, part in enumerate(option.distributions):
            yield (*steps, "distributions", index, "transition"), part.transition
    else:
        yield (*steps, "transition"), option.transition or ""


def _numbered(key: str, names: list[str]) -> Iterator[tuple[Steps, str]]:
    return (((key, index, "transition"), name) for index, name in enumerate(names))


def distributed_lists(transition: Transition | None) -> Iterator[tuple[Steps, tuple[DistributedOption, ...]]]:
    """Every list of options that is chosen from by probabilities in the file itself."""
    match transition:
        case DistributedTransition():
            yield ("distributed_transition",), transition.options
        case ComplexTransition():
            for index, option in enumerate(transition.options):
                if option.distributions:
                    yield ("complex_transition", index, "distributions"), option.distributions


def conditions(state: State) -> Iterator[tuple[Steps, Condition]]:
    """Every condition of a state, groups before their parts."""
    if isinstance(state, model.Guard):
        yield from nested_conditions(state.allow, ("allow",))
    transition = state.transition
    if isinstance(transition, ConditionalTransition | ComplexTransition):
        key = transition_key(transition)
        for index, condition in enumerate(option_conditions(transition)):
            if condition is not None:
                yield from nested_conditions(condition, (key, index, "condition"))


def option_conditions(transition: ConditionalTransition | ComplexTransition) -> list[Condition | None]:
    """The conditions of the options, in order."""
    if isinstance(transition, ConditionalTransition):
        return [option.condition for option in transition.options]
    return [option.condition for option in transition.options]


def nested_conditions(condition: Condition, steps: Steps = ()) -> Iterator[tuple[Steps, Condition]]:
    """A condition and all below it."""
    yield steps, condition
    if isinstance(condition, LogicGroup):
        for index, part in enumerate(condition.conditions):
            yield from nested_conditions(part, (*steps, "conditions", index))
    elif isinstance(condition, NotCondition):
        yield from nested_conditions(condition.condition, (*steps, "condition"))


def bodies(state: State) -> Iterator[tuple[Steps, model.ObservationBody]]:
    """The observations that a state records."""
    if isinstance(state, model.Observation):
        yield (), state.body
    elif isinstance(state, model.MultiObservation | model.DiagnosticReport):
        for index, body in enumerate(state.observations):
            yield ("observations", index), body


def codes(state: State) -> Iterator[tuple[Steps, Code]]:
    """Every code of a state and of its conditions, with the steps from the state."""
    yield from _list(getattr(state, "codes", ()), ("codes",))
    for steps, body in bodies(state):
        yield from _list(body.codes, (*steps, "codes"))
        if body.value_code is not None:
            yield (*steps, "value_code"), body.value_code
    yield from _own_codes(state)
    for steps, condition in conditions(state):
        if isinstance(condition, ActiveCondition | ObservationCondition):
            yield from _list(condition.codes, (*steps, "codes"))
        if isinstance(condition, AttributeCondition | ObservationCondition) and condition.value_code is not None:
            yield (*steps, "value_code"), condition.value_code


def _own_codes(state: State) -> Iterator[tuple[Steps, Code]]:
    match state:
        case model.SetAttribute(value_code=Code() as code):
            yield ("value_code",), code
        case model.EncounterEnd(discharge_disposition=Code() as code):
            yield ("discharge_disposition",), code
        case model.MedicationOrder():
            yield from _list(state.instructions, ("prescription", "instructions"))
        case model.CarePlanStart():
            yield from _list(state.activities, ("activities",))
        case model.AllergyOnset():
            for index, reaction in enumerate(state.reactions):
                yield ("reactions", index, "reaction"), reaction.reaction
        case model.Device():
            yield ("code",), state.code
        case model.SupplyList():
            for index, supply in enumerate(state.supplies):
                yield ("supplies", index, "code"), supply.code
        case model.ImagingStudy():
            yield ("procedure_code",), state.procedure_code
            for index, series in enumerate(state.series):
                yield ("series", index, "body_site"), series.body_site
                yield ("series", index, "modality"), series.modality
                for inner, instance in enumerate(series.instances):
                    yield ("series", index, "instances", inner, "sop_class"), instance.sop_class


def _list(items: tuple[Code, ...], steps: Steps) -> Iterator[tuple[Steps, Code]]:
    for index, code in enumerate(items):
        yield (*steps, index), code


def attributes_written(state: State) -> Iterator[str]:
    """Attributes that a state may write."""
    if isinstance(state, model.SetAttribute | model.Counter):
        yield state.attribute
    name = getattr(state, "assign_to_attribute", None)
    if name is not None:
        yield name


def attributes_read(state: State) -> Iterator[tuple[Steps, str]]:
    """Attributes that a state reads by name. A `reason` is left out: it may also name a state."""
    if isinstance(state, model.SetAttribute) and state.value_attribute is not None:
        yield ("value_attribute",), state.value_attribute
    for used in _expression_names(getattr(state, "expression", None)):
        yield ("expression",), used
    name = getattr(state, "referenced_by_attribute", None)
    if name is not None:
        yield ("referenced_by_attribute",), name
    for steps, body in bodies(state):
        if body.attribute is not None:
            yield (*steps, "attribute"), body.attribute
    for steps, options in distributed_lists(state.transition):
        for index, option in enumerate(options):
            if isinstance(option.distribution, model.NamedDistribution):
                yield (*steps, index, "distribution", "attribute"), option.distribution.attribute
    for steps, condition in conditions(state):
        if isinstance(condition, AttributeCondition):
            yield (*steps, "attribute"), condition.attribute
        elif isinstance(condition, ActiveCondition | ObservationCondition) and condition.referenced_by_attribute:
            yield (*steps, "referenced_by_attribute"), condition.referenced_by_attribute


def _expression_names(text: str | None) -> Iterator[str]:
    """Attributes that an expression reads; its other names are vital signs and the age."""
    if text is not None:
        for name in names_of(parse_expression(text)):
            if name != "age" and name.lower() not in VITAL_SIGN_NAMES:
                yield name


def ended_state(state: State) -> tuple[str, str] | None:
    """Field and name of the state whose entry this state ends or dies of, if it ends by state name."""
    field = END_FIELDS.get(type(state).__name__)
    name = None if field is None else getattr(state, field)
    return None if field is None or name is None else (field, name)


def submodule_calls(module: Module) -> Iterator[tuple[str, str]]:
    """State name and submodule key of every call."""
    for state in module.states.values():
        if isinstance(state, model.CallSubmodule):
            yield state.name, state.submodule


def table_uses(modules: Mapping[str, Module]) -> Iterator[tuple[Module, str, LookupTableTransition]]:
    """Every state that has a lookup-table transition."""
    for module in modules.values():
        for state in module.states.values():
            if isinstance(state.transition, LookupTableTransition):
                yield module, state.name, state.transition


def may_block(state: State) -> bool:
    """Whether time may pass in a state by itself: false means that the engine always goes on in the same instant.

    A wait of zero length does not count. A submodule counts as blocking: whether it does is its own affair.
    """
    match state:
        case model.Delay():
            return not _is_zero_wait(state)
        case model.Procedure():
            return state.duration is not None or state.distribution is not None
        case model.Guard() | model.Encounter() | model.CallSubmodule() | model.Terminal():
            return True
    return False


def _is_zero_wait(state: model.Delay) -> bool:
    if state.range is not None:
        return state.range.low <= 0 and state.range.high <= 0
    if state.exact is not None:
        return isinstance(state.exact.quantity, int | float) and state.exact.quantity <= 0
    distribution = state.distribution
    return distribution is not None and distribution.kind == "EXACT" and (distribution.value or 0.0) < 1.0
