"""Conditions of a module: the typed form of every `condition_type`."""

from typing import Literal

from msgspec import Struct

from trajsim.gmf.values import Code, Exact, JsonScalar


class Condition(Struct, frozen=True, kw_only=True):
    """Base of all logic. `condition_type` of a subclass is its GMF spelling without spaces."""


class AttributeCondition(Condition, frozen=True, kw_only=True):
    """``Attribute``: compares an attribute with a literal (`value` may be a bool, number or string)."""

    attribute: str
    operator: str
    value: JsonScalar = None
    value_code: Code | None = None


class AgeCondition(Condition, frozen=True, kw_only=True):
    """``Age``: whole years or months."""

    operator: str
    quantity: float
    unit: str


class GenderCondition(Condition, frozen=True, kw_only=True):
    """``Gender``: M or F."""

    gender: str


class DateCondition(Condition, frozen=True, kw_only=True):
    """``Date``: first present of year, month, date. `date_ms` is the instant of ``date`` in UTC."""

    operator: str
    year: int | None = None
    month: int | None = None
    date_ms: int | None = None


class RaceCondition(Condition, frozen=True, kw_only=True):
    """``Race``."""

    race: str


class SocioeconomicStatusCondition(Condition, frozen=True, kw_only=True):
    """``Socioeconomic Status``: High, Middle or Low."""

    category: str


class SymptomCondition(Condition, frozen=True, kw_only=True):
    """``Symptom``."""

    symptom: str
    operator: str
    value: float | None = None


class ObservationCondition(Condition, frozen=True, kw_only=True):
    """``Observation``: the latest observation of any of the codes, or of the attribute's entry."""

    operator: str
    codes: tuple[Code, ...] = ()
    referenced_by_attribute: str | None = None
    value: JsonScalar = None
    value_code: Code | None = None


class VitalSignCondition(Condition, frozen=True, kw_only=True):
    """``Vital Sign``."""

    vital_sign: str
    operator: str
    value: float | None = None


class ActiveCondition(Condition, frozen=True, kw_only=True):
    """``Active Condition``, ``Active Allergy``, ``Active Medication``, ``Active CarePlan``."""

    kind: Literal["Condition", "Allergy", "Medication", "CarePlan"]
    codes: tuple[Code, ...] = ()
    referenced_by_attribute: str | None = None


class PriorStateCondition(Condition, frozen=True, kw_only=True):
    """``PriorState``."""

    name: str
    since: str | None = None
    within: Exact | None = None


class LogicGroup(Condition, frozen=True, kw_only=True):
    """``And``, ``Or``, ``At Least`` (n = minimum), ``At Most`` (n = maximum)."""

    kind: Literal["And", "Or", "AtLeast", "AtMost"]
    conditions: tuple[Condition, ...]
    n: int = 0


class NotCondition(Condition, frozen=True, kw_only=True):
    """``Not``."""

    condition: Condition


class ConstantCondition(Condition, frozen=True, kw_only=True):
    """``True`` and ``False``."""

    value: bool
