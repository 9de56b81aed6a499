"""Units, durations, languages, states: what FHIR calls them."""

import orjson
import pytest

from fhir_export.concepts import concept, dispense, dosage, narrative, reactions
from fhir_export.us_states import US_STATES, offset_minutes
from fhir_export.vocabulary import code_in_system, days_of, language_tag, period_unit, ucum_code
from trajsim.errors import ExportError


def test_units() -> None:
    assert ucum_code("mg/dL") == "mg/dL"
    assert ucum_code("K/uL") == "10*3/uL"
    assert ucum_code("") is ucum_code(None) is ucum_code("n/a") is None


def test_durations() -> None:
    assert (period_unit("weeks"), days_of(2, "weeks"), days_of(48, "hours")) == ("wk", 14, 2)
    with pytest.raises(ExportError, match="unknown time unit 'moons'"):
        period_unit("moons")


def test_languages_and_sop_classes() -> None:
    assert (language_tag("english"), language_tag("klingon")) == ("en-US", None)
    assert code_in_system("DICOM-SOP", "1.2") == "urn:oid:1.2"
    assert code_in_system("LOINC", "1-8") == "1-8"


def test_states_have_their_own_numbers_and_a_standard_time() -> None:
    assert len(US_STATES) == 52
    assert len({state.fips for state in US_STATES.values()}) == len({s.abbreviation for s in US_STATES.values()}) == 52
    assert {state.offset_minutes for state in US_STATES.values()} == {-240, -300, -360, -420, -480, -540, -600}
    assert (offset_minutes("Texas"), offset_minutes("Atlantis"), offset_minutes(None)) == (-360, 0, 0)


def test_a_code_is_listed_once() -> None:
    more = '[{"system":"SNOMED","code":"1"},{"system":"LOINC","code":"1-8"}]'
    codings = orjson.loads(concept("SNOMED-CT", "1", " ", more))
    assert codings == {
        "coding": [{"system": "http://snomed.info/sct", "code": "1"}, {"system": "http://loinc.org", "code": "1-8"}]
    }


def test_prescriptions_that_say_little() -> None:
    assert dosage("{}", None) == dosage(None, None) == dispense(None) == b""
    needed = '{"as_needed":true}'
    assert orjson.loads(dosage(needed, None)) == {"sequence": 1, "text": "As needed", "asNeededBoolean": True}
    assert orjson.loads(b"{" + dispense('{"refills":2}') + b"}") == {"numberOfRepeatsAllowed": 2}
    one = '{"dosage":{"amount":0.5,"frequency":1,"period":6,"unit":"hours"}}'
    assert orjson.loads(dosage(one, None))["text"] == "Take 0.5, once every 6 hours"
    assert dispense(one) == b""
    never = '{"dosage":{"amount":1,"frequency":0,"period":1,"unit":"days"},"duration":{"quantity":5,"unit":"days"}}'
    assert dosage(never, None) == b""
    assert b'"quantity"' not in dispense(never)


@pytest.mark.parametrize(
    ("wording", "route"),
    [
        ("Naproxen 220 MG Oral Tablet", "C38288"),
        ("120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler [Flovent]", "C38216"),
        ("72 HR Fentanyl 0.025 MG/HR Transdermal System", "C38305"),
        ("Penicillin G 375 MG/ML Injectable Solution", None),
        ("chloral hydrate", None),
        (None, None),
    ],
)
def test_the_route_is_that_of_the_dose_form(wording: str | None, route: str | None) -> None:
    said = orjson.loads(dosage('{"as_needed":true}', wording)).get("route")
    assert (said and said["coding"][0]["code"]) == route


def test_reactions_and_goals() -> None:
    assert reactions("[]") == b""
    assert "severity" not in orjson.loads(reactions('[{"system":"SNOMED-CT","code":"1","display":"x"}]'))
    goals = '[{"observation":{"codes":[{"display":"HbA1c"}],"operator":"<","value":7}},{"addresses":["x"]}]'
    assert "<li>HbA1c &lt; 7</li></ul>" in orjson.loads(narrative("Plan", None, goals))["div"]
