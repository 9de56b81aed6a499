"""The parts of FHIR R4 resources that ingest reads; everything else of a resource is passed over.

Fields have FHIR's own names.
"""

# ruff: noqa: N815 - FHIR's names

import re
from datetime import UTC, date, datetime

import msgspec

_YEAR, _MONTH, _DATE = 4, 7, 10
_NO_DAY = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")
_EPOCH = date(1970, 1, 1).toordinal()
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"


def day_of(text: str | None) -> int | None:
    """Days since 1970-01-01 (UTC) of a date or instant; none for none, for a bare year or month, and for no date."""
    if text is None or len(text) < _DATE:
        return None
    try:
        if len(text) == _DATE:
            return date.fromisoformat(text).toordinal() - _EPOCH
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):  # 0001-01-01 and 9999-12-31 have no other zone
        return None
    return instant.toordinal() - _EPOCH


def is_year_or_month(text: str) -> bool:
    """Whether a text is a date that FHIR allows, but no day."""
    return _NO_DAY.fullmatch(text) is not None


class Kind(msgspec.Struct):
    """Which resource it is."""

    resourceType: str


class Reference(msgspec.Struct):
    """A reference to another resource."""

    reference: str | None = None


class Coding(msgspec.Struct):
    """A code of a system."""

    system: str | None = None
    code: str | None = None


class Concept(msgspec.Struct):
    """A CodeableConcept."""

    coding: list[Coding] = []
    text: str | None = None


class Period(msgspec.Struct):
    """From when to when."""

    start: str | None = None
    end: str | None = None


class Quantity(msgspec.Struct):
    """A number with its unit."""

    value: float | None = None
    code: str | None = None
    unit: str | None = None


class Value(msgspec.Struct, kw_only=True):
    """The answer of an observation or of one of its components."""

    valueQuantity: Quantity | None = None
    valueCodeableConcept: Concept | None = None
    valueString: str | None = None
    valueBoolean: bool | None = None
    valueInteger: int | None = None

    def has_value(self) -> bool:
        """Whether there is any answer of a kind that is read."""
        answers = (
            self.valueQuantity, self.valueCodeableConcept, self.valueString, self.valueBoolean, self.valueInteger,
        )  # fmt: skip
        return any(answer is not None for answer in answers)


def answer_of(value: Value) -> tuple[float | None, str | None, str | None]:
    """Number, text (a code where there is one) and unit of an answer."""
    if value.valueQuantity is not None:
        return value.valueQuantity.value, None, value.valueQuantity.code or value.valueQuantity.unit
    if value.valueCodeableConcept is not None:
        concept = value.valueCodeableConcept
        code = next((coding.code for coding in concept.coding if coding.code), None)
        return None, code or concept.text, None
    if value.valueBoolean is not None:
        return None, "true" if value.valueBoolean else "false", None
    return (None if value.valueInteger is None else float(value.valueInteger)), value.valueString, None


class Component(Value, kw_only=True):
    """A component of an observation."""

    code: Concept | None = None


class _Extension(msgspec.Struct):
    url: str | None = None
    valueDateTime: str | None = None


class _Element(msgspec.Struct):
    extension: list[_Extension] = []


class Patient(msgspec.Struct, kw_only=True, rename={"birth_element": "_birthDate"}):
    """A patient."""

    id: str | None = None
    gender: str | None = None
    birthDate: str | None = None
    birth_element: _Element | None = None
    deceasedDateTime: str | None = None
    deceasedBoolean: bool = False

    def is_dead(self) -> bool:
        """Whether the source says so, on a day or without one."""
        return self.deceasedBoolean or bool(self.deceasedDateTime)

    def birth_text(self) -> str | None:
        """The instant of birth where it is known, the date of birth otherwise; the middle of a bare year or month."""
        times = [] if self.birth_element is None else self.birth_element.extension
        for extension in times:
            if extension.url == _BIRTH_TIME and extension.valueDateTime:
                return extension.valueDateTime
        if self.birthDate is not None and len(self.birthDate) == _YEAR:
            return f"{self.birthDate}-07-01"
        if self.birthDate is not None and len(self.birthDate) == _MONTH:
            return f"{self.birthDate}-15"
        return self.birthDate


class _Dated(msgspec.Struct, kw_only=True):
    subject: Reference | None = None
    status: str | None = None

    def when(self) -> str | None:
        """When it began or happened; none where the source does not say to the day."""
        raise NotImplementedError


def _to_the_day(*texts: str | None) -> str | None:
    found = [text for text in texts if text]
    precise = [text for text in found if not is_year_or_month(text)]
    return precise[0] if precise else None


class Encounter(_Dated, kw_only=True):
    """An encounter."""

    period: Period | None = None

    def when(self) -> str | None:
        """When it began."""
        return _to_the_day(self.period.start if self.period else None)


class Condition(_Dated, kw_only=True):
    """A condition."""

    code: Concept | None = None
    verificationStatus: Concept | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None

    def when(self) -> str | None:
        """When it began, or else was recorded."""
        return _to_the_day(
            self.onsetDateTime, self.onsetPeriod.start if self.onsetPeriod else None, self.recordedDate
        )  # fmt: skip

    def verification(self) -> set[str]:
        """Codes of its verification status."""
        codings = self.verificationStatus.coding if self.verificationStatus else []
        return {coding.code for coding in codings if coding.code}


class Observation(Value, kw_only=True):
    """An observation."""

    subject: Reference | None = None
    status: str | None = None
    code: Concept | None = None
    component: list[Component] = []
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Period | None = None
    issued: str | None = None

    def when(self) -> str | None:
        """When it was taken, or else published."""
        period = self.effectivePeriod.start if self.effectivePeriod else None
        return _to_the_day(self.effectiveDateTime, self.effectiveInstant, period, self.issued)


class Procedure(_Dated, kw_only=True):
    """A procedure."""

    code: Concept | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None

    def when(self) -> str | None:
        """When it was done."""
        return _to_the_day(self.performedDateTime, self.performedPeriod.start if self.performedPeriod else None)


class Immunization(msgspec.Struct, kw_only=True):
    """A vaccination."""

    patient: Reference | None = None
    status: str | None = None
    vaccineCode: Concept | None = None
    occurrenceDateTime: str | None = None

    @property
    def code(self) -> Concept | None:
        """What was given."""
        return self.vaccineCode

    def when(self) -> str | None:
        """When it was given."""
        return _to_the_day(self.occurrenceDateTime)


class Medication(msgspec.Struct, kw_only=True):
    """A medication that prescriptions refer to."""

    id: str | None = None
    code: Concept | None = None


class _Contained(Kind, kw_only=True):
    id: str | None = None


class Request(_Dated, kw_only=True):
    """A prescription."""

    medicationCodeableConcept: Concept | None = None
    medicationReference: Reference | None = None
    contained: list[msgspec.Raw] = []
    authoredOn: str | None = None

    def when(self) -> str | None:
        """When it was written."""
        return _to_the_day(self.authoredOn)

    def contained_medication(self) -> Concept | None:
        """What the medication inside of it is, where it refers to one (``#1``) and that one is there and has a code.

        Raises:
            msgspec.MsgspecError: It is no Medication.
        """
        name = (self.medicationReference and self.medicationReference.reference) or ""
        for raw in self.contained:
            inner = msgspec.json.decode(raw, type=_Contained)
            if inner.resourceType == "Medication" and (inner.id or "").removeprefix("#") == name.removeprefix("#"):
                return msgspec.json.decode(raw, type=Medication).code
        return None
