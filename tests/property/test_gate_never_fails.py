"""Whatever JSON stands in a resource, the FHIR gate says what is wrong with it and goes on."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir_export.validate import Gate, GateOptions
from tests.unit.fhir_export.validate.resources import all_resources

_GATE = Gate(GateOptions(packages=None))
_PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=3),
    st.sampled_from(["Patient/p1", "#x", "a?b", "urn:uuid:x", "http://loinc.org", "2019-01-01", "final"]),
)  # fmt: skip
_NAMES = st.sampled_from(
    ["coding", "code", "system", "value", "extension", "url", "reference", "contained", "id", "meta", "profile",
     "resourceType", "valueQuantity", "start", "end", "identifier", "_value", "entry", "resource", "low", "component"]
)  # fmt: skip
_JSON = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4), max_leaves=8
)
_TYPES = ["Bundle", "Coverage", "DocumentReference", "MedicationRequest", "Parameters", "PractitionerRole", "Timing"]


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        found += _places(below, (*path, step))
    return found


@given(data=st.data())
def test_a_resource_with_anything_in_any_place(data: st.DataObject) -> None:
    resource = copy.deepcopy(data.draw(st.sampled_from(all_resources())))
    *above, last = data.draw(st.sampled_from(_places(resource)))
    place: Any = resource
    for step in above:
        place = place[step]
    place[last] = data.draw(_JSON)
    for finding in _GATE.validate(resource):
        assert finding.severity in ("error", "warning", "information")


@given(kind=st.sampled_from(_TYPES), content=st.dictionaries(_NAMES, _JSON, max_size=6))
def test_a_resource_of_anything(kind: str, content: dict[str, Any]) -> None:
    _GATE.validate({**content, "resourceType": kind})
    _GATE.closure.add_resource({**content, "resourceType": kind}, _GATE._set)
