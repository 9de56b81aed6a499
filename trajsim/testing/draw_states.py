"""Random states and transitions, as JSON: every type of GMF with all its keys."""

from collections.abc import Callable, Mapping, Sequence

from trajsim.testing import draw_life
from trajsim.testing.draw_parts import SYMPTOMS, UNITS, Json, Parts

# How often each type is drawn; a type that is not named here is drawn with weight 2.
_WEIGHTS = {
    "Delay": 6, "Simple": 1, "SetAttribute": 6, "Encounter": 3, "EncounterEnd": 4, "ConditionOnset": 3,
    "MedicationOrder": 3, "ConditionEnd": 6, "AllergyEnd": 5, "MedicationEnd": 7, "CarePlanEnd": 5, "DeviceEnd": 4,
    "Guard": 3, "Observation": 4, "Procedure": 4, "VitalSign": 4, "Symptom": 4, "Counter": 4, "Death": 2, "Terminal": 1,
}  # fmt: skip
_TYPES = (
    "Simple", "Delay", "Guard", "SetAttribute", "Counter", "Encounter", "EncounterEnd", "Symptom", "ConditionOnset",
    "ConditionEnd", "AllergyOnset", "AllergyEnd", "MedicationOrder", "MedicationEnd", "CarePlanStart", "CarePlanEnd",
    "Observation", "MultiObservation", "DiagnosticReport", "Procedure", "VitalSign", "ImagingStudy", "Device",
    "DeviceEnd", "SupplyList", "Vaccine", "Death", "Physiology", "Terminal",
)  # fmt: skip
STATE_TYPES = tuple(name for name in _TYPES for _ in range(_WEIGHTS.get(name, 2)))
CLASSES = ("ambulatory", "inpatient", "emergency", "wellness", "outpatient", "snf", "super", "HOSPICE", "virtual")
_DAYS = UNITS[:4]
_INSTANCE = {"title": "image", "sop_class": {"system": "DICOM-SOP", "code": "1.2.840", "display": "image"}}


class States:
    """Draws the states of one file."""

    def __init__(self, parts: Parts) -> None:
        """Remembers where choices come from."""
        self.parts = parts
        self._makers: Mapping[str, Callable[[], Json]] = {
            "Guard": self._guard,
            "SetAttribute": self._set_attribute,
            "Counter": self._counter,
            "Encounter": self._encounter,
            "EncounterEnd": lambda: parts.maybe("discharge_disposition", parts.code),
            "Symptom": self._symptom,
            "ConditionOnset": self._onset,
            "AllergyOnset": self._allergy,
            "ConditionEnd": lambda: self._end("condition_onset"),
            "AllergyEnd": lambda: self._end("allergy_onset"),
            "MedicationEnd": lambda: self._end("medication_order"),
            "CarePlanEnd": lambda: self._end("careplan"),
            "DeviceEnd": lambda: self._end("device"),
            "MedicationOrder": self._medication,
            "CarePlanStart": lambda: self._reasoned() | {"codes": parts.codes(draw_life.CARE_PLANS)} | self._assigned(),
            "Observation": self.observation,
            "MultiObservation": self._with_children,
            "DiagnosticReport": self._with_children,
            "Procedure": self._procedure,
            "VitalSign": self._vital_sign,
            "ImagingStudy": self._imaging,
            "Device": lambda: {"code": parts.code()} | self._assigned(),
            "SupplyList": lambda: {
                "supplies": [{"quantity": parts.number(), "code": parts.code()} for _ in range(parts.whole(1, 2))]
            },
            "Vaccine": lambda: {"codes": parts.codes(), **parts.maybe("series", lambda: parts.whole(0, 3))},
            "Death": self._death,
        }

    def state(self, kind: str, *, positive: bool = True) -> Json:
        """A state without its transition; a Delay that is `positive` lets time pass."""
        if kind == "Delay":
            return {"type": kind, **self.parts.length(positive=positive)}
        return {"type": kind, **self._makers.get(kind, dict)()}

    def state_of_sickness(self, kind: str) -> Json:
        """A state that sets what the lifecycle reads, or reads much of what it sets."""
        parts = self.parts
        if kind == "SetAttribute":
            name = parts.pick(tuple(draw_life.VALUES))
            return {"type": kind, "attribute": name, "value": parts.pick(draw_life.VALUES[name])}
        if kind == "DiagnosticReport":
            first = parts.whole(0, len(draw_life.SIGNS) - 1)
            read: list[Json] = [{"vital_sign": sign} for sign in draw_life.SIGNS[first : first + parts.whole(1, 12)]]
            read += [{"attribute": parts.attribute()} for _ in range(parts.whole(0, 3))]
            shared = {"category": "laboratory", "unit": "u", "codes": parts.codes()}
            return {"type": kind, "codes": parts.codes(), "observations": [{**shared, **each} for each in read]}
        return self.state(kind)

    def _guard(self) -> Json:
        """A Guard; most open with time."""
        condition = self.parts.condition()
        if self.parts.one_in(3):
            return {"allow": condition}
        old = {"condition_type": "Age", "operator": ">=", "quantity": self.parts.whole(1, 30), "unit": "months"}
        return {"allow": {"condition_type": "Or", "conditions": [condition, old]}}

    # --- shared keys --------------------------------------------------------------------------------------------------

    def _assigned(self) -> Json:
        return self.parts.maybe("assign_to_attribute", self.parts.entry_attribute)

    def _reasoned(self) -> Json:
        """A reason: the name of a state, or of an attribute."""
        return self.parts.maybe(
            "reason", lambda: self.parts.pick((self.parts.entry_name, self.parts.entry_attribute))()
        )

    def _end(self, key: str) -> Json:
        parts = self.parts
        form = parts.whole(0, 6)
        ways: Sequence[Json] = (
            {key: parts.entry_name()}, {"codes": parts.codes()}, {"referenced_by_attribute": parts.entry_attribute()},
        )  # fmt: skip
        if form == 6:  # several ways at once, or none
            return {**ways[0], **ways[1]} if parts.one_in(2) else {}
        return ways[form % 3]

    # --- attributes ---------------------------------------------------------------------------------------------------

    def _set_attribute(self) -> Json:
        parts = self.parts
        ways: tuple[Callable[[], Json], ...] = (
            lambda: {"value": parts.scalar()},
            lambda: {"value": parts.scalar()},
            lambda: {"range": parts.range(decimals=True)},
            lambda: {"distribution": parts.distribution()},
            lambda: {"expression": parts.expression()},
            lambda: {"expression": parts.expression()},
            lambda: {"value_code": parts.code()},
            lambda: {"value_attribute": parts.attribute(), **parts.maybe("value", parts.scalar)},
            lambda: {"series_data": "1 2.5 3", **parts.maybe("period", lambda: 2.0)},
            dict,
        )
        name = parts.attribute()
        if name in draw_life.VALUES and not parts.one_in(3):
            return {"attribute": name, "value": parts.pick(draw_life.VALUES[name])}
        return {"attribute": name, **parts.pick(ways)()}

    def _counter(self) -> Json:
        parts = self.parts
        action = parts.pick(("increment", "decrement", "other"))
        return {"attribute": parts.attribute(), "action": action, **parts.maybe("amount", parts.number)}

    def _vital_sign(self) -> Json:
        parts = self.parts
        ways: tuple[Callable[[], Json], ...] = (
            lambda: {"exact": {"quantity": parts.number()}},
            lambda: {"range": parts.range()},
            lambda: {"distribution": parts.distribution()},
            lambda: {"expression": parts.expression()},
            lambda: {"expression": parts.expression(), "distribution": parts.distribution()},
        )
        return {"vital_sign": parts.sign(), "unit": "u", **parts.pick(ways)()}

    def _symptom(self) -> Json:
        parts = self.parts
        return {
            "symptom": parts.pick(SYMPTOMS), **parts.maybe("probability", parts.share), **parts.numeric_value(),
        }  # fmt: skip

    # --- encounters and entries ---------------------------------------------------------------------------------------

    def _encounter(self) -> Json:
        parts = self.parts
        if parts.one_in(5):
            return {"wellness": True}
        return {
            "encounter_class": parts.pick(CLASSES), "codes": parts.codes(), **self._reasoned(),
            **parts.maybe("telemedicine_possibility", lambda: parts.pick(("possible", "always", "none")), one_in=3),
        }  # fmt: skip

    def _onset(self) -> Json:
        target = self.parts.maybe("target_encounter", self.parts.visit_name)
        return {"codes": self.parts.codes(draw_life.CONDITIONS), **target, **self._assigned()}

    def _allergy(self) -> Json:
        parts = self.parts
        levels = ("mild", "moderate", "severe", "none")

        def reaction() -> Json:
            severities = [
                {"level": parts.pick(levels), "value": parts.pick((0.5, 0, 1))} for _ in range(parts.whole(1, 3))
            ]
            return {"reaction": parts.code(), "possible_severities": severities}

        return {**self._onset(), "reactions": [reaction() for _ in range(parts.whole(0, 2))]}

    def _medication(self) -> Json:
        parts = self.parts
        return {
            "codes": parts.codes(draw_life.DRUGS), **self._reasoned(), **self._assigned(),
            **parts.maybe("chronic", lambda: True), **parts.maybe("administration", lambda: True, one_in=4),
        }  # fmt: skip

    def _procedure(self) -> Json:
        parts = self.parts
        low = parts.pick((10, 0, 2, -3, 0.5))
        span = {"low": low, "high": low + parts.pick((0, 20)), "unit": parts.pick(UNITS)}
        ways: tuple[Callable[[], Json], ...] = (
            dict,
            lambda: {"duration": span},
            lambda: {"distribution": parts.distribution(), "unit": parts.pick(_DAYS)},
        )
        return {"codes": parts.codes(), **self._reasoned(), **self._assigned(), **parts.pick(ways)()}

    def _death(self) -> Json:
        parts = self.parts
        causes: tuple[Callable[[], Json], ...] = (
            dict,
            lambda: {"codes": parts.codes()},
            lambda: {"condition_onset": parts.entry_name()},
            lambda: {"referenced_by_attribute": parts.entry_attribute()},
        )
        unit = {"unit": parts.pick(UNITS)}
        times: tuple[Callable[[], Json], ...] = (
            dict,
            lambda: {"exact": {"quantity": parts.pick((30, 0, 400, -1)), **unit}},
            lambda: {"range": {"low": 5, "high": 300, **unit}},
            lambda: {"exact": {"quantity": parts.pick((9, 3, 40, 2.5)), "unit": parts.pick(("days", "years"))}},
        )
        return {**parts.pick(causes)(), **parts.pick(times)()}

    # --- observations -------------------------------------------------------------------------------------------------

    def observation(self) -> Json:
        """An Observation, or a child of a panel or report."""
        parts = self.parts
        ways: tuple[Callable[[], Json], ...] = (
            lambda: {"exact": {"quantity": parts.scalar()}},
            lambda: {"range": parts.range(decimals=True)},
            lambda: {"exact": {"quantity": 1}, "range": parts.range()},
            lambda: {"distribution": parts.distribution()},
            lambda: {"attribute": parts.attribute()},
            lambda: {"vital_sign": parts.sign()},
            lambda: {"value_code": parts.code()},
            lambda: {"expression": "1 + 1"},
            dict,
        )
        return {"category": "laboratory", "unit": "u", "codes": parts.codes(), **parts.pick(ways)()}

    def _with_children(self) -> Json:
        children = [self.observation() for _ in range(self.parts.whole(0, 3))]
        return {"codes": self.parts.codes(), "observations": children}

    def _imaging(self) -> Json:
        parts = self.parts

        def series() -> Json:
            drawn = {"min_number_instances": parts.whole(0, 2), "max_number_instances": parts.whole(0, 4)}
            return {
                "body_site": parts.code(), "modality": parts.code(), "instances": [_INSTANCE] * parts.whole(1, 2),
                **(drawn if parts.one_in(2) else {}),
            }  # fmt: skip

        drawn = {"min_number_series": parts.whole(0, 2), "max_number_series": parts.whole(0, 3)}
        return {
            "procedure_code": parts.code(), "series": [series() for _ in range(parts.whole(1, 2))],
            **(drawn if parts.one_in(2) else {}),
        }  # fmt: skip
