"""Conditions and transitions as Synthea evaluates them (gmf-semantics 4 and 5, docs/draws.md 8 and 9)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from trajsim.engine.events import Coercion, EventKind
from trajsim.engine.life import Placeholder
from trajsim.engine.reference.frames import Frame
from trajsim.engine.reference.health_record import Entry
from trajsim.engine.reference.observer import Choice, ConditionTest
from trajsim.engine.reference.patient import Patient, StoredValue
from trajsim.engine.reference.quantities import age_months, age_years, date_at, real_time
from trajsim.gmf.model import (
    ActiveCondition,
    AgeCondition,
    AttributeCondition,
    Code,
    ComplexTransition,
    Condition,
    ConditionalTransition,
    ConstantCondition,
    DateCondition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    GenderCondition,
    LogicGroup,
    LookupRow,
    LookupTable,
    LookupTableTransition,
    NamedDistribution,
    NotCondition,
    ObservationCondition,
    PriorStateCondition,
    RaceCondition,
    SocioeconomicStatusCondition,
    SymptomCondition,
    Transition,
    TypeOfCareTransition,
    VitalSignCondition,
)

_Orderable = TypeVar("_Orderable", float, bytes)
_MEDICATION_KINDS = {"Medication": EventKind.MEDICATION, "CarePlan": EventKind.CAREPLAN}
_TELEMEDICINE_FROM_MS = 1_577_836_800_000  # 2020-01-01T00:00Z
_CARE_BEFORE = (0.65, 0.35)
_CARE_AFTER = (0.66, 0.25, 0.09)
_CARE_BEFORE_TYPICAL = (0.75, 0.25)
_CARE_AFTER_TYPICAL = (0.56, 0.20, 0.24)


def utf16(text: str) -> bytes:
    """A key that sorts texts by UTF-16 code units, as Java does."""
    return text.encode("utf-16-be", "surrogatepass")


def compare(lhs: object, operator: str, rhs: object, coerce: Callable[[], None]) -> bool:
    """Synthea's generic comparison of two values.

    Args:
        lhs: What the patient has; None if it is absent.
        operator: The operator as written.
        rhs: What the module names; None if it names nothing.
        coerce: Called where the kinds do not go together.

    Returns:
        The outcome; False after a coercion.
    """
    if operator == "is nil":
        return lhs is None
    if operator == "is not nil":
        return lhs is not None
    if lhs is None:
        return False
    if isinstance(lhs, bool) and isinstance(rhs, bool):
        return lhs == rhs if operator == "==" else operator in {"!=", "<", "<=", ">", ">="} and lhs != rhs
    if isinstance(lhs, bool) or isinstance(rhs, bool):
        coerce()
        return False
    if isinstance(lhs, int | float) and isinstance(rhs, int | float):
        return _ordered(float(lhs), operator, float(rhs))
    if isinstance(lhs, str) and isinstance(rhs, str):
        return _ordered(utf16(lhs), operator, utf16(rhs))
    if isinstance(lhs, Code) and isinstance(rhs, Code):
        same = (lhs.system, lhs.code) == (rhs.system, rhs.code)
        return same if operator == "==" else operator == "!=" and not same
    coerce()
    return False


def _ordered(lhs: _Orderable, operator: str, rhs: _Orderable) -> bool:
    outcomes: dict[str, bool] = {
        "==": lhs == rhs, "!=": lhs != rhs, "<": lhs < rhs, "<=": lhs <= rhs, ">": lhs > rhs, ">=": lhs >= rhs,
    }  # fmt: skip
    return outcomes.get(operator, False)


class Logic:
    """Evaluates conditions and chooses transitions for one patient."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._leaves: dict[type[Condition], Callable[[Any, Frame, int], tuple[object, bool]]] = {
            AttributeCondition: self._attribute,
            AgeCondition: self._age,
            GenderCondition: self._gender,
            DateCondition: self._date,
            RaceCondition: self._race,
            SocioeconomicStatusCondition: self._status,
            SymptomCondition: self._symptom,
            ObservationCondition: self._observation,
            VitalSignCondition: self._vital_sign,
            ActiveCondition: self._active,
            PriorStateCondition: self._prior_state,
            ConstantCondition: lambda condition, _frame, _time: (None, condition.value),
        }

    # --- conditions -----------------------------------------------------------------------------------------------

    def holds(self, condition: Condition, frame: Frame, time: int) -> bool:
        """Whether a condition holds for the patient at a time, inside a frame."""
        if isinstance(condition, LogicGroup):
            result = self._group(condition, frame, time)
        elif isinstance(condition, NotCondition):
            result = not self.holds(condition.condition, frame, time)
        else:
            actual, result = self._leaves[type(condition)](condition, frame, time)
            if self._patient.observer is not None:
                self._patient.tests.append(ConditionTest(condition, actual, result))
        return result

    def _group(self, group: LogicGroup, frame: Frame, time: int) -> bool:
        if group.kind == "And":
            return all(self.holds(part, frame, time) for part in group.conditions)
        if group.kind == "Or":
            return any(self.holds(part, frame, time) for part in group.conditions)
        count = sum([self.holds(part, frame, time) for part in group.conditions])
        return count >= group.n if group.kind == "AtLeast" else count <= group.n

    def _compare(self, lhs: object, operator: str, rhs: object, time: int) -> bool:
        return compare(lhs, operator, rhs, lambda: self._patient.coerce(Coercion.COMPARISON, time))

    def _attribute(self, condition: AttributeCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        value = self._patient.attributes.get(condition.attribute)
        rhs = condition.value_code if condition.value_code is not None else condition.value
        return value, self._compare(value, condition.operator, rhs, time)

    def _age(self, condition: AgeCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        measure = age_months if condition.unit == "months" else age_years
        age = measure(self._patient.birth, time)
        return age, self._compare(age, condition.operator, condition.quantity, time)

    def _gender(self, condition: GenderCondition, _frame: Frame, _time: int) -> tuple[object, bool]:
        gender = self._patient.attributes.get("gender")
        return gender, gender == condition.gender

    def _date(self, condition: DateCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        date = date_at(time)
        if condition.year is not None:
            return date.year, self._compare(date.year, condition.operator, condition.year, time)
        if condition.month is not None:
            return date.month, self._compare(date.month, condition.operator, condition.month, time)
        return time, self._compare(time, condition.operator, condition.date_ms, time)

    def _race(self, condition: RaceCondition, _frame: Frame, _time: int) -> tuple[object, bool]:
        race = self._patient.attributes.get("race")
        return race, isinstance(race, str) and race.lower() == condition.race.lower()

    def _status(self, condition: SocioeconomicStatusCondition, _frame: Frame, _time: int) -> tuple[object, bool]:
        category = self._patient.attributes.get("socioeconomic_category")
        return category, category == condition.category

    def _symptom(self, condition: SymptomCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        value = self._patient.symptom(condition.symptom)
        return value, self._compare(value, condition.operator, condition.value, time)

    def _observation(self, condition: ObservationCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        patient = self._patient
        if not condition.codes and condition.referenced_by_attribute is not None:
            value = patient.attributes.get(condition.referenced_by_attribute)
            if value is not None:
                patient.coerce(Coercion.OTHER_KIND, time)
            return value, False
        hits = (patient.record.latest_observation(code.code) for code in condition.codes)
        hit = next((found for found in hits if found is not None), None)
        if condition.operator in {"is nil", "is not nil"}:
            return hit and hit[1], (hit is None) == (condition.operator == "is nil")
        if hit is None:
            patient.coerce(Coercion.NO_OBSERVATION, time)
            return None, False
        rhs = condition.value_code if condition.value_code is not None else condition.value
        return hit[1], self._compare(hit[1], condition.operator, rhs, time)

    def _vital_sign(self, condition: VitalSignCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        value = self._patient.vital_sign(condition.vital_sign, time)
        return value, value is not None and self._compare(value, condition.operator, condition.value, time)

    def _active(self, condition: ActiveCondition, _frame: Frame, time: int) -> tuple[object, bool]:
        patient = self._patient
        kind = _MEDICATION_KINDS.get(condition.kind)
        if condition.codes or condition.referenced_by_attribute is None:
            for code in condition.codes:
                if self._is_active(code.code, kind, time):
                    return code.code, True
            return None, False
        value = patient.attributes.get(condition.referenced_by_attribute)
        if value is None:
            return None, False
        if isinstance(value, Entry) and (kind is None or value.kind == kind):
            return value, self._is_active(value.code.code, kind, time)
        if isinstance(value, Placeholder) and kind is None:
            return value, patient.catalogue.sources[value.source].codes[0].code in patient.record.present
        patient.coerce(Coercion.OTHER_KIND, time)
        return value, False

    def _is_active(self, code: str, kind: EventKind | None, time: int) -> bool:
        """Whether a code is present, as an entry of a kind if one is asked for."""
        entry = self._patient.record.present.get(code)
        if entry is None or kind is None or entry.kind == kind:
            return entry is not None
        self._patient.coerce(Coercion.OTHER_KIND, time)
        return False

    def _prior_state(self, condition: PriorStateCondition, frame: Frame, time: int) -> tuple[object, bool]:
        window = condition.within
        not_before = None if window is None else time - real_time(float(window.quantity), window.unit)
        return None, frame.had_prior_state(condition.name, condition.since, not_before)

    # --- transitions ----------------------------------------------------------------------------------------------

    def choose(self, transition: Transition | None, frame: Frame, time: int) -> Choice:
        """The next state, with the reason. Only a Terminal has no transition, and it never gets here."""
        if isinstance(transition, DirectTransition):
            return Choice(transition=transition, target=transition.transition)
        if isinstance(transition, ConditionalTransition):
            index, is_fallback = self._first(transition.options, frame, time)
            target = transition.options[index].transition
            return Choice(transition=transition, target=target, option=index, is_fallback=is_fallback)
        if isinstance(transition, DistributedTransition):
            return self._distributed(transition, transition.options, time)
        if isinstance(transition, ComplexTransition):
            index, is_fallback = self._first(transition.options, frame, time)
            option = transition.options[index]
            if option.distributions:
                return self._distributed(transition, option.distributions, time, index, is_fallback=is_fallback)
            assert option.transition is not None
            return Choice(transition=transition, target=option.transition, option=index, is_fallback=is_fallback)
        if isinstance(transition, LookupTableTransition):
            return self._lookup(transition, time)
        assert isinstance(transition, TypeOfCareTransition)
        u = self._patient.uniform()
        index, sums = _pick(u, self._care_probabilities(time))
        target = (transition.ambulatory, transition.emergency, transition.telemedicine)[index]
        return Choice(transition=transition, target=target, option=index, uniform=u, cumulative=sums)

    def _care_probabilities(self, time: int) -> tuple[float, ...]:
        """Of ambulatory, emergency and telemedicine, by the insurance of the patient."""
        lifecycle = self._patient.lifecycle
        if lifecycle is None or lifecycle.insurance.has_low_access:
            return _CARE_BEFORE if time < _TELEMEDICINE_FROM_MS else _CARE_AFTER
        return _CARE_BEFORE_TYPICAL if time < _TELEMEDICINE_FROM_MS else _CARE_AFTER_TYPICAL

    def _first(self, options: Sequence[Any], frame: Frame, time: int) -> tuple[int, bool]:
        """Index of the first option whose condition is absent or holds, else the last, which is then a fallback."""
        for index, option in enumerate(options):
            if option.condition is None or self.holds(option.condition, frame, time):
                return index, False
        return len(options) - 1, True

    def _distributed(
        self,
        transition: Transition,
        options: Sequence[DistributedOption],
        time: int,
        condition_option: int = -1,
        *,
        is_fallback: bool = False,
    ) -> Choice:
        u = self._patient.uniform()
        total, sums = 0.0, []
        index = len(options) - 1
        for position, option in enumerate(options):
            total += self._probability(option.distribution, time)
            sums.append(total)
            if u < total:
                index = position
                break
        return Choice(
            transition=transition, target=options[index].transition, option=index, condition_option=condition_option,
            uniform=u, cumulative=tuple(sums), is_fallback=is_fallback,
        )  # fmt: skip

    def _probability(self, given: float | NamedDistribution, time: int) -> float:
        if not isinstance(given, NamedDistribution):
            return given
        value = self._patient.attributes.get(given.attribute)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if value is not None:
            self._patient.coerce(Coercion.NAMED_PROBABILITY, time)
        return given.default

    def _lookup(self, transition: LookupTableTransition, time: int) -> Choice:
        options = transition.options
        table = self._patient.modules.tables[options[0].lookup_table_name, len(options)]
        u = self._patient.uniform()
        row = self._row(table, time)
        if row is None:
            targets = [option.transition for option in options]
            probabilities = [option.default_probability for option in options]
        else:
            targets, probabilities = list(table.targets), list(row.probabilities)
        index, sums = _pick(u, probabilities)
        target = targets[index]
        option = next(i for i, o in enumerate(options) if o.transition == target)
        return Choice(transition=transition, target=target, option=option, uniform=u, cumulative=sums, row=row)

    def _row(self, table: LookupTable, time: int) -> LookupRow | None:
        """The first row that matches the patient, or None."""
        values = [self._patient.attributes.get(name) for name in table.key_columns]
        if any(value is None for value in values):
            self._patient.coerce(Coercion.LOOKUP_ATTRIBUTE, time)
            return None
        texts = tuple(text_form(value) for value in values)
        age = age_years(self._patient.birth, time)
        for row in table.rows:
            if (
                row.keys == texts
                and _within(row.age_low, age, row.age_high)
                and _within(row.time_low, time, row.time_high)
            ):
                return row
        return None


def _within(low: int | None, value: int, high: int | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _pick(u: float, probabilities: Sequence[float]) -> tuple[int, tuple[float, ...]]:
    """Index of the first option whose cumulative sum exceeds u, else the last; and the sums so far."""
    total, sums = 0.0, []
    for index, probability in enumerate(probabilities):
        total += probability
        sums.append(total)
        if u < total:
            return index, tuple(sums)
    return len(probabilities) - 1, tuple(sums)


def text_form(value: StoredValue | None) -> str | None:
    """The text of an attribute as Java writes it; None for what has none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, float):
        return None
    if value == 0.0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, exponent = _scientific(value)
    return f"{mantissa}E{exponent}"


def _scientific(value: float) -> tuple[str, int]:
    """Shortest digits of a double as d.ddd, and its power of ten."""
    digits, exponent = f"{abs(value):.16e}".split("e")
    for precision in range(1, 17):
        text = f"{abs(value):.{precision}e}"
        if float(text) == abs(value):
            digits, exponent = text.split("e")
            break
    head, _, tail = digits.partition(".")
    return ("-" if value < 0 else "") + head + "." + (tail.rstrip("0") or "0"), int(exponent)
