"""Random small parts of modules: names out of small pools, numbers, codes, quantities, conditions.

Pools are small on purpose: modules that share codes, attributes and state names meet each other.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from trajsim.testing import draw_life

Json = dict[str, Any]
T = TypeVar("T")

STATE_NAMES = tuple(f"N{k}" for k in range(12))
# What a state of that name mostly is, in every file: so that names find what they look for.
LIKELY_TYPES = {
    "N0": "Encounter",
    "N1": "Encounter",
    "N2": "ConditionOnset",
    "N3": "AllergyOnset",
    "N4": "MedicationOrder",
    "N5": "CarePlanStart",
    "N6": "Device",
}
ENTRY_ATTRIBUTES = ("a3", "a4", "N1", "N2")
ATTRIBUTES = ("a0", "a1", "a2", "a3", "a4", "N1", "N2", "gender", "score")
CODES = (
    {"system": "SNOMED-CT", "code": "3001", "display": "one"},
    {"system": "SNOMED-CT", "code": "3002", "display": "two"},
    {"system": "RxNorm", "code": "3001", "display": "the same text in another system"},
    {"system": "LOINC", "code": "Aa", "display": "shares its hash"},
    {"system": "LOINC", "code": "BB", "display": "with this one"},
    {"system": "RxNorm", "code": "860975", "display": "metformin"},
    {"system": "SNOMED-CT", "code": "195967001", "display": "another"},
)
SIGNS = ("Systolic Blood Pressure", "Height", "BMI", "Heart Rate", "Oxygen Saturation", "Own sign")
SYMPTOMS = ("cough", "pain", "fatigue")
TEXTS = ("no", "yes", "M", "F", "3", "3.0", "true", "\u00e9", "\U0001f600")
NUMBERS = (0, 1, 2, 3, 0.5, 1.5, -1, 2.25, 3.0, 100, 1e7, 0.001, 0.1)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "is nil", "is not nil", "=>")
UNITS = ("days", "weeks", "months", "hours", "minutes", "seconds", "years")
PARTS_OF_EXPRESSIONS = (
    "#{a0}", "#{a1}", "#{a2}", "#{a3}", "1", "2.5", "0", "'yes'", "'M'", "true", "null", "#{age}", "#{BMI}",
    "#{height}", "#{heart_rate}", "#{oxygen saturation}", "#{gender}", "0.5", "-3",
)  # fmt: skip


class Parts:
    """Draws parts of modules from one source of choices.

    Attributes:
        life: One name in how many (of an attribute, sign or code) is one that the lifecycle knows.
    """

    def __init__(self, whole: Callable[[int, int], int]) -> None:
        """Takes the one choice that all others are made of: a whole number from low to high, both included."""
        self.whole = whole
        self.life = 7

    # --- choices ------------------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[T]) -> T:
        """One of several; the first is the simplest."""
        return options[self.whole(0, len(options) - 1)]

    def one_in(self, n: int) -> bool:
        """Whether something rare happens."""
        return self.whole(1, n) == n

    def number(self) -> float:
        """A number."""
        return self.pick(NUMBERS)

    def share(self) -> float:
        """A probability, sometimes an odd one."""
        return self.pick((0.5, 1.0, 0.25, 0.0, 0.75, 0.1, 1.5, -0.25))

    def attribute(self) -> str:
        """Name of an attribute."""
        return self.pick(draw_life.ATTRIBUTES if self.one_in(self.life) else ATTRIBUTES)

    def probability_attribute(self) -> str:
        """Name of an attribute that a transition reads as a probability."""
        return self.pick(draw_life.RISKS) if self.one_in(self.life) else self.attribute()

    def sign(self) -> str:
        """Name of a vital sign."""
        return self.pick(draw_life.SIGNS if self.one_in(self.life) else SIGNS)

    def name(self) -> str:
        """Name of a state of some module."""
        return self.pick(STATE_NAMES)

    def visit_name(self) -> str:
        """Name of a state that is mostly an Encounter."""
        return self.pick(("N0", "N1", "N0", *STATE_NAMES[:4]))

    def entry_name(self) -> str:
        """Name of a state that mostly starts something."""
        return self.pick(("N2", "N3", "N4", "N5", "N6", "N2", *STATE_NAMES[7:10]))

    def entry_attribute(self) -> str:
        """Name of an attribute that often holds an entry."""
        return self.pick((*ENTRY_ATTRIBUTES, *ENTRY_ATTRIBUTES, *ATTRIBUTES))

    def maybe(self, key: str, make: Callable[[], object], *, one_in: int = 2) -> Json:
        """A key that is often absent."""
        return {key: make()} if self.one_in(one_in) else {}

    # --- values -------------------------------------------------------------------------------------------------------

    def code(self, life: Sequence[Json] = draw_life.CODES) -> Json:
        """A code; of those that the lifecycle knows, one of the given ones."""
        return dict(self.pick(life if self.one_in(self.life) else CODES))

    def codes(self, life: Sequence[Json] = draw_life.CODES) -> list[Json]:
        """One code or two."""
        return [self.code(life) for _ in range(self.pick((1, 1, 2)))]

    def scalar(self) -> object:
        """A number, text or boolean."""
        return self.pick((*NUMBERS, *TEXTS, True, False))

    def range(self, *, decimals: bool = False) -> Json:
        """A range without a unit."""
        low = self.number()
        span: Json = {"low": low, "high": low + self.pick((0, 1, 2.5, 10, 150))}
        return span | (self.maybe("decimals", lambda: self.whole(0, 3)) if decimals else {})

    def distribution(self) -> Json:
        """A version-2 distribution."""
        kind = self.pick(("EXACT", "UNIFORM", "GAUSSIAN", "EXPONENTIAL", "TRIANGULAR"))
        low = self.number()
        parameters: Json
        if kind == "EXACT":
            parameters = {"value": low}
        elif kind == "UNIFORM":
            parameters = {"low": low, "high": low + self.pick((0, 1, 3.5))}
        elif kind == "GAUSSIAN":
            parameters = {"mean": low, "standardDeviation": self.pick((1, 0, 2.5, 40))}
            parameters |= self.maybe("min", lambda: low - 1) | self.maybe("max", lambda: low + self.pick((1, -2)))
        elif kind == "EXPONENTIAL":
            parameters = {"mean": self.pick((1, 3, 0.5))}
        else:
            parameters = {"min": low, "mode": low + 1, "max": low + self.pick((2, 1, 5.5))}
            if self.one_in(5):
                parameters = {"min": low, "mode": low, "max": low}
        return {"kind": kind, "parameters": parameters} | self.maybe("round", lambda: True, one_in=3)

    def length(self, *, positive: bool) -> Json:
        """A length of time in one of the three forms of a Delay."""
        unit = self.pick(UNITS[:3]) if positive else self.pick(UNITS)
        low = self.pick((1, 2, 3.5, 10, 1.5)) if positive else self.pick((1, 0, 0.5, 2, -1, 30))
        form = self.whole(0, 4)
        if form <= 1:
            return {"exact": {"quantity": low, "unit": unit}}
        if form == 2:
            return {"range": {"low": low, "high": low + self.pick((1, 0, 4.5)), "unit": unit}}
        if positive:
            kind = {"kind": "UNIFORM", "parameters": {"low": low, "high": low + 3}, "round": self.one_in(2)}
            return {"distribution": kind, "unit": unit}
        return {"distribution": self.distribution(), "unit": unit}

    def numeric_value(self) -> Json:
        """`exact`, `range` or `distribution` of a Symptom."""
        form = self.whole(0, 3)
        if form == 0:
            return {"exact": {"quantity": self.pick((320, 0, 10, 380, 600, -4, 33.7))}}
        if form == 1:
            return {"range": {"low": 10, "high": self.pick((400, 700, 10))}}
        return {"distribution": self.distribution()} if form == 2 else {}

    # --- expressions --------------------------------------------------------------------------------------------------

    def expression(self, depth: int = 0) -> str:
        """A CQL expression, sometimes with a `define`."""
        if depth == 0 and self.one_in(4):
            text = self.expression(1)
            return f"define it: {text}\nit {self.pick(('+', '*', '=', 'and', '<'))} ({self.expression(1)})"
        form = self.whole(0, 9) if depth < 3 else 0
        if form <= 2:
            return self.pick(draw_life.PARTS_OF_EXPRESSIONS if self.one_in(self.life) else PARTS_OF_EXPRESSIONS)
        inner = [f"({self.expression(depth + 1)})" for _ in range(2)]
        if form <= 4:
            return f" {self.pick(('+', '-', '*', '/', '^'))} ".join(inner)
        if form == 5:
            return f" {self.pick(('=', '!=', '<', '<=', '>', '>=', '<>'))} ".join(inner)
        if form == 6:
            return f" {self.pick(('and', 'or'))} ".join(inner)
        if form == 7:
            return f"if {inner[0]} then {inner[1]} else ({self.expression(depth + 1)})"
        if form == 8:
            return f"{self.pick(('not', '-'))} {inner[0]}"
        function = self.pick(("Min", "Max", "Round", "Abs", "Ln", "Exp"))
        return f"{function}({', '.join(inner) if function in {'Min', 'Max', 'Round'} else inner[0]})"

    # --- conditions ---------------------------------------------------------------------------------------------------

    def condition(self, depth: int = 0) -> Json:
        """A condition of any type."""
        leaves: tuple[Callable[[], Json], ...] = (
            self._attribute, self._attribute, self._age, self._date, self._active, self._active, self._prior,
            self._prior, self._observation, self._vital_sign, self._symptom, self._person,
        )  # fmt: skip
        which = self.whole(0, len(leaves) + (4 if depth < 2 else 0) - 1)
        return leaves[which]() if which < len(leaves) else self._group(depth)

    def _group(self, depth: int) -> Json:
        kind = self.pick(("And", "Or", "Not", "At Least", "At Most"))
        if kind == "Not":
            return {"condition_type": "Not", "condition": self.condition(depth + 1)}
        group: Json = {
            "condition_type": kind,
            "conditions": [self.condition(depth + 1) for _ in range(self.whole(1, 3))],
        }
        if kind in {"At Least", "At Most"}:
            group["minimum" if kind == "At Least" else "maximum"] = self.whole(0, 2)
        return group

    def _right_side(self) -> Json:
        """`value`, `value_code`, both or none."""
        side = self.maybe("value_code", self.code, one_in=4)
        return side if side and not self.one_in(4) else side | ({} if self.one_in(8) else {"value": self.scalar()})

    def _attribute(self) -> Json:
        name = self.attribute()
        if name in draw_life.ATTRIBUTES and not self.one_in(4):
            value = self.pick(draw_life.RIGHT_SIDES.get(name, (True, False)))
            operator = self.pick(OPERATORS)
            return {"condition_type": "Attribute", "attribute": name, "operator": operator, "value": value}
        return {
            "condition_type": "Attribute", "attribute": name, "operator": self.pick(OPERATORS),
            **self._right_side(),
        }  # fmt: skip

    def _age(self) -> Json:
        quantity = self.pick((1, 3, 0, 2, 18, 30, 1.5))
        unit = self.pick(("years", "months"))
        return {"condition_type": "Age", "operator": self.pick(OPERATORS), "quantity": quantity, "unit": unit}

    def _date(self) -> Json:
        form = self.pick(("year", "month", "date"))
        given: object = self.whole(1, 12)
        if form == "year":
            given = self.pick((1970, 1972, 2000, 2016, 2020, 1900, 10_000))
        elif form == "date":
            given = {
                "year": self.pick((1970, 2001, 2017)),
                "month": self.whole(1, 12),
                "day": 28,
                "hour": self.whole(0, 23),
            }
        return {"condition_type": "Date", "operator": self.pick(OPERATORS), form: given}

    def _active(self) -> Json:
        kind = self.pick(("Condition", "Medication", "CarePlan", "Allergy"))
        what = {"referenced_by_attribute": self.entry_attribute()} if self.one_in(3) else {"codes": self.codes()}
        return {"condition_type": f"Active {kind}", **what}

    def _prior(self) -> Json:
        within = {"quantity": self.pick((1, 2.5, 30)), "unit": self.pick(UNITS[:4])}
        return {
            "condition_type": "PriorState", "name": self.name(), **self.maybe("since", self.name),
            **self.maybe("within", lambda: within),
        }  # fmt: skip

    def _observation(self) -> Json:
        what = {"referenced_by_attribute": self.attribute()} if self.one_in(8) else {"codes": self.codes()}
        return {"condition_type": "Observation", "operator": self.pick(OPERATORS), **what, **self._right_side()}

    def _vital_sign(self) -> Json:
        limits = draw_life.SIGN_LIMITS if self.one_in(self.life) else (2, 100, 0.5, 50)
        value = {} if self.one_in(8) else {"value": self.pick(limits)}
        return {
            "condition_type": "Vital Sign",
            "vital_sign": self.sign(),
            "operator": self.pick(OPERATORS),
            **value,
        }

    def _symptom(self) -> Json:
        value = {} if self.one_in(8) else {"value": self.pick((0, 10, 300))}
        return {"condition_type": "Symptom", "symptom": self.pick(SYMPTOMS), "operator": self.pick(OPERATORS), **value}

    def _person(self) -> Json:
        return self.pick((
            {"condition_type": "True"}, {"condition_type": "False"}, {"condition_type": "Gender", "gender": "F"},
            {"condition_type": "Race", "race": "White"}, {"condition_type": "Socioeconomic Status", "category": "High"},
        ))  # fmt: skip
