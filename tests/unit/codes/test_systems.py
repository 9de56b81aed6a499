"""Names of code systems become URIs; wordings are shown from public systems alone."""

import pytest

from trajsim.codes import ethnicity_category, is_display_free, race_category, system_uri
from trajsim.codes.systems import SYSTEM_URIS
from trajsim.errors import ConfigError
from trajsim.population.tables import ETHNICITIES, RACES


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("SNOMED-CT", "http://snomed.info/sct"),
        ("snomed ct", "http://snomed.info/sct"),
        ("SNOMED", "http://snomed.info/sct"),
        ("LOINC", "http://loinc.org"),
        ("RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("CVX", "http://hl7.org/fhir/sid/cvx"),
        ("ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("DICOM-DCM", "http://dicom.nema.org/resources/ontology/DCM"),
        ("DICOM-SOP", "urn:ietf:rfc:3986"),
        ("NUBC", "http://www.nubc.org/patient-discharge"),
        ("NullFlavor", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"),
        ("UCUM", "http://unitsofmeasure.org"),
        ("http://example.org/own", "http://example.org/own"),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
    ],
)
def test_uri(name: str, uri: str) -> None:
    assert system_uri(name) == uri


def test_an_unknown_system_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown code system 'LOINK'[\s\S]*SNOMED-CT"):
        system_uri("LOINK")


def test_wordings_are_shown_from_public_systems_alone() -> None:
    free = {name for name in SYSTEM_URIS if is_display_free(name)}
    assert free == {"CVX", "OMB", "NullFlavor", "ActCode"}
    assert is_display_free("http://terminology.hl7.org/CodeSystem/condition-category")
    assert is_display_free("http://hl7.org/fhir/us/core/CodeSystem/us-core-category")


def test_every_race_and_ethnicity_has_a_category() -> None:
    categories = [race_category(race) for race in RACES] + [ethnicity_category(word) for word in ETHNICITIES]
    assert len({category.code for category in categories}) == len(categories)
    assert [category.display for category in categories if not category.is_omb] == ["Other Race"]
    assert race_category("white").system == "urn:oid:2.16.840.1.113883.6.238"


def test_other_words_have_no_category() -> None:
    with pytest.raises(ConfigError, match="unknown race"):
        race_category("green")
    with pytest.raises(ConfigError, match="unknown ethnicity"):
        ethnicity_category("green")
