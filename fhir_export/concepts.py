"""Parts of resources that depend on codes alone: built and checked by `fhir.resources` once, then used as text.

Each function takes values as Records hold them and returns JSON bytes. A wording goes into `text`, never into
`display`.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import orjson
from fhir.resources.R4B.allergyintolerance import AllergyIntoleranceReaction
from fhir.resources.R4B.careplan import CarePlanActivity
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.dosage import Dosage
from fhir.resources.R4B.medicationrequest import MedicationRequestDispenseRequest
from fhir.resources.R4B.narrative import Narrative
from fhir.resources.R4B.quantity import Quantity
from pydantic import BaseModel

from fhir_export.vocabulary import UCUM, code_in_system, days_of, period_unit, ucum_code
from trajsim.codes import system_uri

Json = dict[str, Any]

_DOSE_TYPE = {"system": "http://terminology.hl7.org/CodeSystem/dose-rate-type", "code": "ordered", "display": "Ordered"}

_NCI_THESAURUS = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
# Beginnings of words in the name of a dose form, and the route of FDA's structured product labels in NCI Thesaurus.
_ROUTES = {
    " oral": ("C38288", "by mouth"),
    " chewable": ("C38288", "by mouth"),
    " inhal": ("C38216", "inhaled"),
    " transdermal": ("C38305", "through the skin"),
    " topical": ("C38304", "on the skin"),
    " nasal": ("C38284", "through the nose"),
    " ophthalmic": ("C38287", "in the eye"),
    " vaginal": ("C38313", "in the vagina"),
}


def checked(model: type[BaseModel], content: Json) -> bytes:
    """The JSON of an element after its model has seen it."""
    return model.model_validate(content).model_dump_json().encode()


def members(model: type[BaseModel], content: Json) -> bytes:
    """The members of an element without its braces."""
    return checked(model, content)[1:-1]


def coding_content(system: str | None, code: str | None) -> Json:
    """A Coding without display."""
    system = system or ""
    return {"system": system_uri(system), "code": code_in_system(system, code or "")}


def concept_content(system: str | None, code: str | None, wording: str | None, more_codes: str | None = None) -> Json:
    """A CodeableConcept: all codes, and the wording of the first as text."""
    codings = [coding_content(system, code)] if code else []
    for each in orjson.loads(more_codes) if more_codes else ():
        coding = coding_content(each["system"], each["code"])
        if coding not in codings:
            codings.append(coding)
    content: Json = {"coding": codings} if codings else {}
    if wording and wording.strip():
        content["text"] = wording
    return content


def concept(system: str | None, code: str | None, wording: str | None, more_codes: str | None = None) -> bytes:
    """A CodeableConcept as JSON."""
    return checked(CodeableConcept, concept_content(system, code, wording, more_codes))


def coding(system: str | None, code: str | None) -> bytes:
    """A Coding as JSON."""
    return checked(Coding, coding_content(system, code))


def coded(system: str, code: str, display: str | None = None, text: str | None = None) -> bytes:
    """A CodeableConcept of a constant of this room; `system` is a URI and owns `display`."""
    content: Json = {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}
    return checked(CodeableConcept, content | ({"text": text} if text else {}))


def unit_members(unit: str | None) -> bytes:
    """The members of a Quantity that name its unit."""
    code = ucum_code(unit)
    if code is None:
        msg = f"no unit in {unit!r}"
        raise ValueError(msg)
    return members(Quantity, {"unit": unit, "system": UCUM, "code": code})


def reactions(text: str | None) -> bytes:
    """The reactions of an allergy, comma-separated."""
    parts = []
    for each in orjson.loads(text or "[]"):
        content: Json = {"manifestation": [concept_content(each["system"], each["code"], each.get("display"))]}
        severity = (each.get("severity") or "").lower()
        if severity in {"mild", "moderate", "severe"}:
            content["severity"] = severity
        parts.append(checked(AllergyIntoleranceReaction, content))
    return b",".join(parts)


def has_severe(text: str | None) -> bool:
    """Whether a reaction of the list is severe."""
    return any((each.get("severity") or "").lower() == "severe" for each in orjson.loads(text or "[]"))


def activities(text: str | None, status: str) -> bytes:
    """The activities of a care plan, comma-separated."""
    parts = []
    for each in orjson.loads(text or "[]"):
        code = concept_content(each["system"], each["code"], each.get("display"))
        parts.append(checked(CarePlanActivity, {"detail": {"code": code, "status": status}}))
    return b",".join(parts)


def goal_wording(goal: Mapping[str, Any]) -> str:
    """A goal of a care plan in words."""
    if goal.get("text"):
        return str(goal["text"])
    observation = goal.get("observation") or {}
    codes: Iterable[Mapping[str, Any]] = observation.get("codes") or [{}]
    name = next(iter(codes)).get("display", "")
    return f"{name} {observation.get('operator', '')} {observation.get('value', '')}".strip()


def narrative(wording: str | None, activities_text: str | None, goals_text: str | None) -> bytes:
    """The narrative of a care plan: its name, its activities, its goals."""
    body = f"<p>{escape(wording or 'Care plan', quote=False)}</p>"
    names = [str(each.get("display") or each["code"]) for each in orjson.loads(activities_text or "[]")]
    goals = [goal_wording(each) for each in orjson.loads(goals_text or "[]")]
    for title, items in (("Activities", names), ("Goals", [goal for goal in goals if goal])):
        if items:
            body += f"<p>{title}</p><ul>{''.join(f'<li>{escape(item, quote=False)}</li>' for item in items)}</ul>"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'
    return checked(Narrative, {"status": "generated", "div": div})


def _plain(value: float) -> float | int:
    """A whole number without a point."""
    return int(value) if float(value).is_integer() else float(value)


def _dose(prescription: Json) -> Json:
    """How much how often; empty where the prescription does not say, or says never."""
    dose: Json = prescription.get("dosage") or {}
    return dose if dose and float(dose["frequency"]) >= 1 and float(dose["period"]) > 0 else {}


def route_of(wording: str | None) -> tuple[str, str] | None:
    """How a medication gets into the body, as its wording tells: code and name in NCI Thesaurus; None: it does not."""
    text = f" {wording or ''}".lower()
    return next((route for word, route in _ROUTES.items() if word in text), None)


def dosage(prescription: str | None, wording: str | None) -> bytes:
    """The dosage instruction of a prescription; empty if it says nothing about how to take the medication."""
    content: Json = orjson.loads(prescription or "{}")
    dose = _dose(content)
    instruction: Json = {"sequence": 1}
    words = []
    if dose:
        amount, frequency, period = _plain(dose["amount"]), int(dose["frequency"]), _plain(dose["period"])
        unit = period_unit(dose["unit"])
        instruction["timing"] = {"repeat": {"frequency": frequency, "period": period, "periodUnit": unit}}
        instruction["doseAndRate"] = [{"type": {"coding": [_DOSE_TYPE]}, "doseQuantity": {"value": amount}}]
        times = "once" if frequency == 1 else f"{frequency} times"
        every = dose["unit"].removesuffix("s") if period == 1 else f"{period} {dose['unit']}"
        words.append(f"take {amount}, {times} every {every}")
    if "as_needed" in content:
        instruction["asNeededBoolean"] = bool(content["as_needed"])
        if content["as_needed"]:
            words.append("as needed")
    notes = content.get("instructions") or []
    if notes:
        instruction["additionalInstruction"] = [
            concept_content(each["system"], each["code"], each.get("display")) for each in notes
        ]
    if not words and not notes:
        return b""
    route = route_of(wording)
    if route is not None:
        instruction["route"] = {"coding": [{"system": _NCI_THESAURUS, "code": route[0]}], "text": route[1]}
    if words:
        text = ", ".join(words)
        instruction["text"] = text[0].upper() + text[1:]
    return checked(Dosage, instruction)


def _supplied(content: Json) -> float | int | None:
    """How many doses a prescription supplies at a time; None: it does not say."""
    duration: Json = content.get("duration") or {}
    dose = _dose(content)
    if not duration or not dose:
        return None
    per_day = float(dose["amount"]) * float(dose["frequency"]) / days_of(float(dose["period"]), dose["unit"])
    amount = per_day * days_of(float(duration["quantity"]), duration["unit"])
    return _plain(round(amount, 3)) if amount > 0 else None


def dispensed(prescription: str | None) -> bytes:
    """The quantity of a dispense; empty if the prescription does not say."""
    amount = _supplied(orjson.loads(prescription or "{}"))
    return b"" if amount is None else checked(Quantity, {"value": amount})


def dispense(prescription: str | None) -> bytes:
    """The members of a dispense request that a prescription fixes; may be empty."""
    content: Json = orjson.loads(prescription or "{}")
    request: Json = {}
    if content.get("refills"):
        request["numberOfRepeatsAllowed"] = int(content["refills"])
    duration: Json = content.get("duration") or {}
    if duration:
        amount = _supplied(content)
        if amount is not None:
            request["quantity"] = {"value": amount}
        unit = period_unit(duration["unit"])
        request["expectedSupplyDuration"] = {
            "value": _plain(duration["quantity"]), "unit": duration["unit"], "system": UCUM, "code": unit,
        }  # fmt: skip
    return members(MedicationRequestDispenseRequest, request) if request else b""
