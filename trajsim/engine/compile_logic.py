"""Conditions compiled to a decision graph: every atom has a target if true and a target if false.

And, Or and Not become jumps, so the evaluator is one loop without stack or recursion and keeps the short-circuit order.
At Least and At Most evaluate all their children, as Synthea does, and count in a register.
"""

import math
from collections.abc import Sequence

from trajsim.engine.compile_heap import LONGEST_MS, Heap, compare_of, real_time
from trajsim.engine.events import EventKind
from trajsim.engine.opcodes import Compare, Tag, Test, Threshold
from trajsim.engine.program import COUNTERS
from trajsim.errors import CompileError
from trajsim.gmf.model import (
    ActiveCondition,
    AgeCondition,
    AttributeCondition,
    Code,
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
from trajsim.units import ms_from_iso

TRUE = -1
FALSE = -2
POLL = 1 << 62
_FIRST_YEAR, _LAST_YEAR = 1, 9999  # beyond them no life has a year to wait for

_ACTIVE_KIND = {
    "Condition": 0,
    "Allergy": 0,
    "Medication": int(EventKind.MEDICATION),
    "CarePlan": int(EventKind.CAREPLAN),
}


class LogicCompiler:
    """Compiles the conditions of one file into the node table of a heap."""

    def __init__(self, heap: Heap, prior: dict[str, int]) -> None:
        """Remembers where the file keeps its prior states."""
        self.heap = heap
        self.prior = prior

    def compile(self, condition: Condition, jt: int = TRUE, jf: int = FALSE, depth: int = 0) -> int:
        """Entry node of a condition; TRUE or FALSE if it is constant."""
        if isinstance(condition, ConstantCondition):
            return jt if condition.value else jf
        if isinstance(condition, NotCondition):
            return self.compile(condition.condition, jf, jt, depth)
        if isinstance(condition, LogicGroup):
            return self._group(condition, jt, jf, depth)
        return self._atom(condition, jt, jf)

    def _group(self, group: LogicGroup, jt: int, jf: int, depth: int) -> int:
        if group.kind == "And":
            entry = jt
            for child in reversed(group.conditions):
                entry = self.compile(child, entry, jf, depth)
            return entry
        if group.kind == "Or":
            entry = jf
            for child in reversed(group.conditions):
                entry = self.compile(child, jt, entry, depth)
            return entry
        if depth >= COUNTERS:
            msg = f"'At Least' and 'At Most' are nested more than {COUNTERS} deep"
            raise CompileError(msg)
        compare = Compare.GE if group.kind == "AtLeast" else Compare.LE
        entry = self.heap.node(Test.COUNT_TEST, compare, a=depth, f=float(group.n), jt=jt, jf=jf)
        for child in reversed(group.conditions):
            count = self.heap.node(Test.COUNT_ADD, a=depth, jt=entry, jf=entry)
            entry = self.compile(child, count, entry, depth + 1)
        return self.heap.node(Test.COUNT_RESET, a=depth, jt=entry, jf=entry)

    def _atom(self, atom: Condition, jt: int, jf: int) -> int:
        node = self.heap.node
        match atom:
            case AttributeCondition():
                return self._attribute(atom, jt, jf)
            case AgeCondition():
                test = Test.AGE_YEARS if atom.unit == "years" else Test.AGE_MONTHS
                return self._known(test, atom.operator, 0, atom.quantity, jt, jf)
            case GenderCondition():
                return self._same_text("gender", atom.gender, jt, jf, fold=False)
            case RaceCondition():
                return self._same_text("race", atom.race, jt, jf, fold=True)
            case SocioeconomicStatusCondition():
                return self._same_text("socioeconomic_category", atom.category, jt, jf, fold=False)
            case DateCondition():
                return self._date(atom, jt, jf)
            case SymptomCondition():
                symptom = self.heap.symptom(atom.symptom)
                return self._known(Test.SYMPTOM, atom.operator, symptom, _number(atom.value), jt, jf)
            case ObservationCondition():
                return self._observation(atom, jt, jf)
            case VitalSignCondition():
                sign = self.heap.sign(atom.vital_sign)
                return node(Test.VITAL_SIGN, compare_of(atom.operator), a=sign, f=_number(atom.value), jt=jt, jf=jf)
            case ActiveCondition():
                return self._active(atom, jt, jf)
            case PriorStateCondition():
                return self._prior(atom, jt, jf)
        msg = f"condition {type(atom).__name__} has no compiled form"
        raise CompileError(msg)

    def _known(self, test: Test, operator: str, a: int, number: float, jt: int, jf: int) -> int:
        """A test of something that is never absent: the nil tests are decided."""
        compare = compare_of(operator)
        if compare == Compare.NIL:
            return jf
        if compare == Compare.NOT_NIL:
            return jt
        return self.heap.node(test, compare, a=a, f=number, jt=jt, jf=jf)

    def _attribute(self, atom: AttributeCondition, jt: int, jf: int) -> int:
        slot = self.heap.attribute(atom.attribute)
        compare = compare_of(atom.operator)
        if compare in (Compare.NIL, Compare.NOT_NIL):
            test = Test.NIL if compare == Compare.NIL else Test.NOT_NIL
            return self.heap.node(test, a=slot, jt=jt, jf=jf)
        test, number, index = self._literal(atom.value, atom.value_code)
        return self.heap.node(test, compare, a=slot, b=index, f=number, jt=jt, jf=jf)

    def _literal(self, value: object, code: Code | None) -> tuple[Test, float, int]:
        """Test, number and index of the right side of a comparison; a code counts before a value."""
        if code is not None:
            return Test.CODE, 0.0, self.heap.code(code)
        if isinstance(value, bool):
            return Test.BOOLEAN, float(value), 0
        if isinstance(value, int | float):
            return Test.NUMBER, float(value), 0
        if isinstance(value, str):
            return Test.STRING, 0.0, self.heap.string(value)
        return Test.NO_VALUE, 0.0, 0

    def _same_text(self, attribute: str, text: str, jt: int, jf: int, *, fold: bool) -> int:
        slot = self.heap.attribute(attribute)
        index = self.heap.string(text)
        return self.heap.node(Test.SAME_TEXT, a=slot, b=index, tag=int(fold), jt=jt, jf=jf)

    def _date(self, atom: DateCondition, jt: int, jf: int) -> int:
        if atom.year is not None:
            return self._known(Test.DATE_YEAR, atom.operator, 0, float(atom.year), jt, jf)
        if atom.month is not None:
            return self._known(Test.DATE_MONTH, atom.operator, 0, float(atom.month), jt, jf)
        return self._known(Test.DATE_INSTANT, atom.operator, 0, float(atom.date_ms or 0), jt, jf)

    def _observation(self, atom: ObservationCondition, jt: int, jf: int) -> int:
        test, number, index = self._literal(atom.value, atom.value_code)
        compare = compare_of(atom.operator)
        if not atom.codes and atom.referenced_by_attribute is not None:
            slot = self.heap.attribute(atom.referenced_by_attribute)
            return self.heap.node(Test.OBSERVATION_ATTRIBUTE, compare, a=slot, jt=jt, jf=jf)
        watched = [self.heap.watched(code) for code in atom.codes]
        offset = self.heap.integers([len(watched), int(test), index, *watched])
        return self.heap.node(Test.OBSERVATION, compare, a=offset, f=number, jt=jt, jf=jf)

    def _active(self, atom: ActiveCondition, jt: int, jf: int) -> int:
        kind = _ACTIVE_KIND[atom.kind]
        if not atom.codes and atom.referenced_by_attribute is not None:
            slot = self.heap.attribute(atom.referenced_by_attribute)
            return self.heap.node(Test.PRESENT_ATTRIBUTE, a=slot, tag=kind, jt=jt, jf=jf)
        texts = [self.heap.code_text(self.heap.code(code)) for code in atom.codes]
        offset = self.heap.integers([len(texts), *texts])
        return self.heap.node(Test.PRESENT, a=offset, tag=kind, jt=jt, jf=jf)

    def _prior(self, atom: PriorStateCondition, jt: int, jf: int) -> int:
        slot = self.prior.get(atom.name, -1)
        since = -1 if atom.since is None else self.prior.get(atom.since, -1)
        within = -1.0
        if atom.within is not None:
            factor, unit = real_time(atom.within.unit or "")
            most = LONGEST_MS / unit
            within = float(int(min(max(factor * float(atom.within.quantity), -most), most)) * unit)
        return self.heap.node(Test.PRIOR_STATE, a=slot, b=since, f=within, jt=jt, jf=jf)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def guard_watch(heap: Heap, atoms: Sequence[Condition]) -> tuple[int, list[tuple[int, int]], bool]:
    """What can change a guard's condition: mask of slots, instants, and whether it must be tested every step."""
    mask = 0
    instants: list[tuple[int, int]] = []
    poll = False
    for atom in atoms:
        match atom:
            case AttributeCondition():
                mask |= heap.attribute_bit(heap.attribute(atom.attribute))
            case AgeCondition():
                months_per_unit = 12 if atom.unit == "years" else 1
                edges = (math.ceil(atom.quantity), math.floor(atom.quantity) + 1)  # of whole units
                instants += [(int(Threshold.AGE_MONTHS), edge * months_per_unit) for edge in edges]
            case DateCondition(year=int(year)):
                years = [y for y in (year, year + 1) if _FIRST_YEAR <= y <= _LAST_YEAR]
                instants += [(int(Threshold.INSTANT), ms_from_iso(f"{y:04d}-01-01")) for y in years]
            case DateCondition(month=int()):
                poll = True
            case DateCondition():
                instants += [(int(Threshold.INSTANT), edge) for edge in (atom.date_ms or 0, (atom.date_ms or 0) + 1)]
            case GenderCondition():
                mask |= heap.attribute_bit(heap.attribute("gender"))
            case RaceCondition():
                mask |= heap.attribute_bit(heap.attribute("race"))
            case SocioeconomicStatusCondition():
                mask |= heap.attribute_bit(heap.attribute("socioeconomic_category"))
            case SymptomCondition():
                mask |= heap.symptom_bit(heap.symptom(atom.symptom))
            case ActiveCondition(codes=codes) if codes:
                for code in codes:
                    mask |= heap.present_bit(heap.code_text(heap.code(code)))
            case ObservationCondition(codes=codes) if codes:
                for code in codes:
                    mask |= heap.watched_bit(heap.watched(code))
            case VitalSignCondition() if atom.vital_sign not in heap.generated_signs:
                mask |= heap.sign_bit(heap.sign(atom.vital_sign))
            case ConstantCondition():
                pass
            case _:
                poll = True
    return mask, instants, poll


TEXT_TAG = int(Tag.STRING)
