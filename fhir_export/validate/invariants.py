"""The constraints of FHIR R4 and US Core, written in Python: by key, a test of one element and its resource.

The definitions state them in FHIRPath, which is slow to interpret; what stands here was translated by hand, one line a
key. A key of the definitions that this table lacks is not checked, and the report says so by name.

Source: FHIR R4 4.0.1 and US Core 6.1.0, 7.0.0 and 8.0.0, `ElementDefinition.constraint`.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_export.validate.codes import UCUM
from fhir_export.validate.packages import Value
from trajsim.codes import is_valid_luhn

Test = Callable[[Any, Mapping[str, Any]], bool]
"""From an element and the resource that holds it to whether the constraint is kept."""

_DONE = frozenset({"partial", "preliminary", "final", "amended", "corrected", "appended"})
_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ENTERED = "entered-in-error"
_NPI = re.compile(r"[0-9]{10}")
_CLIA = re.compile(r"[0-9]{2}D[0-9]{7}")
_NAIC = re.compile(r"[0-9]{5}")
_MEAL_TIMES = frozenset({"C", "CM", "CD", "CV"})


def _list(value: Value) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Value) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _has(owner: Value, name: str) -> bool:
    """Whether an element is there, with a value or with an extension in its place."""
    return name in owner or "_" + name in owner


def _choice(owner: Mapping[str, Any], name: str) -> Value:
    """The value of a choice element (``value`` of ``valueQuantity``); None: none."""
    n = len(name)
    for key, value in owner.items():
        if key.startswith(name) and key[n : n + 1].isupper():
            return value
    return None


def _codes(concept: Value) -> Iterable[tuple[Any, Any]]:
    return [(_dict(c).get("system"), _dict(c).get("code")) for c in _list(_dict(concept).get("coding"))]


def _has_code(concept: Value, *codes: str) -> bool:
    return any(code in codes for _, code in _codes(concept))


def _implies(premise: bool, conclusion: bool) -> bool:  # noqa: FBT001
    return not premise or conclusion


def _measure(e: Mapping[str, Any]) -> bool:
    """A quantity with a value has a code, of UCUM."""
    return ("code" in e or not _has(e, "value")) and e.get("system", UCUM) == UCUM


def _observed(e: Mapping[str, Any]) -> bool:
    return "component" in e or "hasMember" in e or _has(e, "dataAbsentReason") or _choice(e, "value") is not None


def _ratio(e: Mapping[str, Any]) -> bool:
    return ("numerator" in e) == ("denominator" in e) and ("numerator" in e or "extension" in e)


def _low_to_high(e: Mapping[str, Any]) -> bool:
    low, high = _dict(e.get("low")), _dict(e.get("high"))
    if not (isinstance(low.get("value"), int | float) and isinstance(high.get("value"), int | float)):
        return True
    return low.get("code") != high.get("code") or bool(low["value"] <= high["value"])


def _component_codes(e: Mapping[str, Any]) -> bool:
    own = set(_codes(e.get("code")))
    return _choice(e, "value") is None or not any(
        own & set(_codes(_dict(c).get("code"))) for c in _list(e.get("component"))
    )


def _extension(e: Mapping[str, Any]) -> bool:
    if "extension" in e:
        return not any(key.startswith(("value", "_value")) for key in e)
    return any(key.startswith(("value", "_value")) for key in e)


def _npi_digits(e: Mapping[str, Any]) -> bool:
    value = e.get("value")
    return not isinstance(value, str) or not _NPI.fullmatch(value) or is_valid_luhn("80840" + value)


def _matches(pattern: re.Pattern[str]) -> Test:
    def test(e: Value, _: Mapping[str, Any]) -> bool:
        value = e.get("value")
        return not isinstance(value, str) or pattern.fullmatch(value) is not None

    return test


def _race(e: Mapping[str, Any]) -> bool:
    codes = [
        _dict(x.get("valueCoding")).get("code") for x in _list(e.get("extension")) if x.get("url") == "ombCategory"
    ]
    return _implies("ASKU" in codes or "UNK" in codes, len(codes) == 1)


def _bundle_urls(e: Mapping[str, Any]) -> bool:
    if e.get("type") == "history":
        return True
    urls = [
        (x["fullUrl"], _dict(_dict(x.get("resource")).get("meta")).get("versionId"))
        for x in _list(e.get("entry"))
        if isinstance(x, dict) and "fullUrl" in x
    ]
    return len(set(urls)) == len(urls)


def _entries_have(name: str, *types: str) -> Test:
    def test(e: Value, _: Mapping[str, Any]) -> bool:
        wanted = e.get("type") in types
        return all((name in x) == wanted for x in _list(e.get("entry")) if isinstance(x, dict))

    return test


def _first_entry(bundle_type: str, resource_type: str) -> Test:
    def test(e: Value, _: Mapping[str, Any]) -> bool:
        entries = _list(e.get("entry"))
        first = _dict(_dict(entries[0]).get("resource")).get("resourceType") if entries else None
        return _implies(e.get("type") == bundle_type, first == resource_type)

    return test


def _no_home(e: Value, _: Mapping[str, Any]) -> bool:
    return not isinstance(e, dict) or e.get("use") != "home"


def _all_contained(name: str) -> Test:
    def test(e: Value, _: Mapping[str, Any]) -> bool:
        return all(name not in _dict(c.get("meta")) for c in _list(e.get("contained")) if isinstance(c, dict))

    return test


INVARIANTS: Mapping[str, Test] = {
    # Elements and data types
    "age-1": lambda e, _: _measure(e) and (not isinstance(e.get("value"), int | float) or e["value"] > 0),
    "att-1": lambda e, _: _implies("data" in e, _has(e, "contentType")),
    "cnt-3": lambda e, _: _measure(e) and e.get("code", "1") == "1" and not isinstance(e.get("value"), float),
    "cpt-2": lambda e, _: _implies("value" in e, _has(e, "system")),
    "dis-1": lambda e, _: _measure(e),
    "drt-1": lambda e, _: _implies("code" in e, e.get("system") == UCUM and _has(e, "value")),
    "exp-1": lambda e, _: _has(e, "expression") or _has(e, "reference"),
    "ext-1": lambda e, _: _extension(e),
    "mqty-1": lambda e, _: (
        ("code" in e or not _has(e, "value")) and e.get("system", "urn:iso:std:iso:4217") == "urn:iso:std:iso:4217"
    ),
    "per-1": lambda e, _: is_in_order(e.get("start"), e.get("end")),
    "qty-3": lambda e, _: _implies("code" in e, _has(e, "system")),
    "rat-1": lambda e, _: _ratio(e),
    "rng-2": lambda e, _: _low_to_high(e),
    "sqty-1": lambda e, _: "comparator" not in e,
    "tim-1": lambda e, _: _implies("duration" in e, _has(e, "durationUnit")),
    "tim-10": lambda e, _: not ("timeOfDay" in e and "when" in e),
    "tim-2": lambda e, _: _implies("period" in e, _has(e, "periodUnit")),
    "tim-4": lambda e, _: not isinstance(e.get("duration"), int | float) or e["duration"] >= 0,
    "tim-5": lambda e, _: not isinstance(e.get("period"), int | float) or e["period"] >= 0,
    "tim-6": lambda e, _: _implies("periodMax" in e, _has(e, "period")),
    "tim-7": lambda e, _: _implies("durationMax" in e, _has(e, "duration")),
    "tim-8": lambda e, _: _implies("countMax" in e, _has(e, "count")),
    "tim-9": lambda e, _: _implies(
        "offset" in e, "when" in e and not _MEAL_TIMES.intersection(map(str, _list(e["when"])))
    ),
    # Every resource
    "dom-2": lambda e, _: all("contained" not in c for c in _list(e.get("contained")) if isinstance(c, dict)),
    "dom-4": _all_contained("versionId"),
    "dom-5": _all_contained("security"),
    # Bundle
    "bdl-1": lambda e, _: _implies("total" in e, e.get("type") in ("searchset", "history")),
    "bdl-10": lambda e, _: _implies(e.get("type") == "document", "timestamp" in e),
    "bdl-11": _first_entry("document", "Composition"),
    "bdl-12": _first_entry("message", "MessageHeader"),
    "bdl-2": lambda e, _: e.get("type") == "searchset" or not any("search" in _dict(x) for x in _list(e.get("entry"))),
    "bdl-3": _entries_have("request", "batch", "transaction", "history"),
    "bdl-4": _entries_have("response", "batch-response", "transaction-response", "history"),
    "bdl-5": lambda e, _: "resource" in e or "request" in e or "response" in e,
    "bdl-7": lambda e, _: _bundle_urls(e),
    "bdl-8": lambda e, _: "/_history/" not in str(e.get("fullUrl", "")),
    "bdl-9": lambda e, _: _implies(
        e.get("type") == "document", {"system", "value"} <= _dict(e.get("identifier")).keys()
    ),
    # Clinical resources
    "ait-1": lambda e, _: _has_code(e.get("verificationStatus"), _ENTERED) or "clinicalStatus" in e,
    "ait-2": lambda e, _: not (_has_code(e.get("verificationStatus"), _ENTERED) and "clinicalStatus" in e),
    "con-1": lambda e, _: "summary" in e or "assessment" in e,
    "con-2": lambda e, _: "code" in e or "detail" in e,
    "con-3": lambda e, _: (
        "clinicalStatus" in e
        or _has_code(e.get("verificationStatus"), _ENTERED)
        or not any(_has_code(c, "problem-list-item") for c in _list(e.get("category")))
    ),
    "con-4": lambda e, _: _implies(
        _choice(e, "abatement") is not None,
        any(s == _CLINICAL and c in ("resolved", "remission", "inactive") for s, c in _codes(e.get("clinicalStatus"))),
    ),
    "con-5": lambda e, _: not (_has_code(e.get("verificationStatus"), _ENTERED) and "clinicalStatus" in e),
    "cpl-3": lambda e, _: not ("detail" in e and "reference" in e),
    "fhs-1": lambda e, _: _choice(e, "age") is None or _choice(e, "born") is None,
    "fhs-2": lambda e, _: _choice(e, "age") is not None or not _has(e, "estimatedAge"),
    "gol-1": lambda e, _: _implies(_choice(e, "detail") is not None, "measure" in e),
    "grp-1": lambda e, _: _implies("member" in e, e.get("actual") is True),
    "imm-1": lambda e, _: _has(e, "documentType") or _has(e, "reference"),
    "inv-1": lambda e, _: ("part" in e) + (_choice(e, "value") is not None) + ("resource" in e) == 1,
    "mad-1": lambda e, _: "dose" in e or _choice(e, "rate") is not None,
    "mdd-1": lambda e, _: is_in_order(e.get("whenPrepared"), e.get("whenHandedOver")),
    "obs-3": lambda e, _: "low" in e or "high" in e or _has(e, "text"),
    "obs-6": lambda e, _: not ("dataAbsentReason" in e and _choice(e, "value") is not None),
    "obs-7": lambda e, _: _component_codes(e),
    "org-1": lambda e, _: "identifier" in e or _has(e, "name"),
    "org-2": _no_home,
    "org-3": _no_home,
    "pat-1": lambda e, _: any(name in e for name in ("name", "telecom", "address", "organization")),
    "prr-1": lambda e, _: _implies("orderDetail" in e, "code" in e),
    "qrs-1": lambda e, _: not ("answer" in e and "item" in e),
    "vs-1": lambda e, _: not isinstance(e, str) or len(e) >= 8,
    "vs-2": lambda e, _: _observed(e),
    "vs-3": lambda e, _: "dataAbsentReason" in e or _choice(e, "value") is not None,
    # US Core
    "pd-1": lambda e, _: "telecom" in e or "endpoint" in e,
    "us-core-1": lambda e, _: not isinstance(e, str) or len(e) >= 10,
    "us-core-10": lambda e, _: _implies(e.get("status") in _DONE, _has_choice(e, "effective")),
    "us-core-13": lambda e, _: any(n in e for n in ("practitioner", "organization", "healthcareService", "location")),
    "us-core-14": lambda e, _: "name" in e or "relationship" in e,
    "us-core-15": lambda e, _: (
        _has(e, "subscriberId") or any(_has_code(_dict(i).get("type"), "MB") for i in _list(e.get("identifier")))
    ),
    "us-core-16": _matches(_NPI),
    "us-core-17": lambda e, _: _npi_digits(e),
    "us-core-18": _matches(_CLIA),
    "us-core-19": _matches(_NAIC),
    "us-core-2": lambda e, _: _observed(e),
    "us-core-20": lambda e, _: _implies(e.get("status") == "completed", _has(e, "whenHandedOver")),
    "us-core-21": lambda e, _: _implies(e.get("intent") in _ORDERS, "requester" in e),
    "us-core-22": lambda e, _: all(_dict(e.get(n)).get("system", UCUM) == UCUM for n in ("low", "high")),
    "us-core-23": lambda e, _: _race(e),
    "us-core-24": lambda e, _: _implies(
        _has_code(e.get("code"), "72166-2", "11367-0") and _choice(e, "value") is not None, "valueCodeableConcept" in e
    ),
    "us-core-25": lambda e, _: _implies(
        _has_code(e.get("code"), "401201003", "782516008") and _choice(e, "value") is not None, "valueQuantity" in e
    ),
    "us-core-26": lambda e, _: "dataAbsentReason" in e or _choice(e, "value") is not None,
    "us-core-3": lambda e, _: not isinstance(e, dict) or _dict(e.get("valueQuantity", e)).get("system", UCUM) == UCUM,
    "us-core-6": lambda e, _: _name_or_data(e),
    "us-core-7": lambda e, _: _implies(e.get("status") in ("completed", "in-progress"), _has_choice(e, "performed")),
    "us-core-8": lambda e, _: _implies(e.get("status") in _DONE, _has_choice(e, "effective")),
    "us-core-9": lambda e, _: _implies(e.get("status") in _DONE, _has(e, "issued")),
}
"""By key."""


def _has_choice(owner: Mapping[str, Any], name: str) -> bool:
    return _choice(owner, name) is not None or any(key.startswith("_" + name) for key in owner)


def _name_or_data(e: Mapping[str, Any]) -> bool:
    """us-core-6 is one rule for names of patients and another for attachments of documents."""
    if "url" in e or "data" in e or "contentType" in e:
        return "url" in e or "data" in e
    absent = any("data-absent-reason" in str(_dict(x).get("url")) for x in _list(e.get("extension")))
    named = _has(e, "family") or _has(e, "given")
    return named != absent


def is_in_order(start: Value, end: Value) -> bool:
    """Whether an instant or day is not after another; what cannot be compared is in order.

    Times are compared as instants when both have a zone, else by the part that both have.
    """
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    n = min(len(start), len(end))
    if n <= 10:
        return start[:n] <= end[:n]
    if start[10:11] == "T" and start[-6:] == end[-6:] and len(start) == len(end):
        return start <= end
    try:
        return dt.datetime.fromisoformat(start) <= dt.datetime.fromisoformat(end)
    except (ValueError, TypeError):
        return True
