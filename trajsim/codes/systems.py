"""The names that modules give to code systems, and the URIs that identify them everywhere else.

Modules write a short name (``SNOMED-CT``); records keep it; what leaves for other software carries the URI.

Source: HL7 Terminology (THO), external code systems, and the pages of their owners.
"""

from collections.abc import Mapping

from trajsim.errors import ConfigError

SYSTEM_URIS: Mapping[str, str] = {
    "SNOMED-CT": "http://snomed.info/sct",
    "LOINC": "http://loinc.org",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD9CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD10PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "CDT": "http://www.ada.org/cdt",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "DICOM-DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "DICOM-SOP": "urn:ietf:rfc:3986",
    "NUBC": "http://www.nubc.org/patient-discharge",
    "NullFlavor": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    "UCUM": "http://unitsofmeasure.org",
    "ActCode": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "OMB": "urn:oid:2.16.840.1.113883.6.238",
    "UNII": "http://fdasis.nlm.nih.gov",
    "NPI": "http://hl7.org/fhir/sid/us-npi",
    "SSN": "http://hl7.org/fhir/sid/us-ssn",
}
"""By name, in the spelling of modules. Stock modules use CVX, DICOM-DCM, DICOM-SOP, LOINC, NUBC, NullFlavor, RxNorm and
SNOMED-CT."""

_ALIASES: Mapping[str, str] = {
    "SNOMED": "SNOMED-CT",
    "SCT": "SNOMED-CT",
    "DICOM": "DICOM-DCM",
    "DCM": "DICOM-DCM",
    "RXCUI": "RxNorm",
    "ICD10CMUS": "ICD10CM",
    "ICD9": "ICD9CM",
    "V3NULLFLAVOR": "NullFlavor",
    "CDCREC": "OMB",
}


def _key(name: str) -> str:
    """Letters and digits alone, in upper case: ``icd-10-cm`` and ``ICD10CM`` are the same system."""
    return "".join(letter for letter in name.upper() if letter.isalnum())


_BY_KEY = {_key(name): uri for name, uri in SYSTEM_URIS.items()} | {
    alias: SYSTEM_URIS[name] for alias, name in _ALIASES.items()
}

_URI_BEGINNINGS = ("http://", "https://", "urn:")
_DISPLAY_FREE_BEGINNINGS = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
_DISPLAY_FREE = frozenset({SYSTEM_URIS["CVX"], SYSTEM_URIS["OMB"]})
_NOT_HL7 = frozenset(SYSTEM_URIS[name] for name in ("ICD10CM", "ICD10", "ICD9CM", "NDC", "NPI", "SSN"))


def system_uri(name: str) -> str:
    """The URI of a code system.

    Args:
        name: As modules spell it; case, hyphens and blanks do not matter. A URI is returned as it is.

    Returns:
        The URI.

    Raises:
        ConfigError: No such system is known.

    Example:
        >>> system_uri("SNOMED-CT")
        'http://snomed.info/sct'
    """
    if name.startswith(_URI_BEGINNINGS):
        return name
    uri = _BY_KEY.get(_key(name))
    if uri is None:
        msg = f"unknown code system {name!r}"
        raise ConfigError(msg, hint=f"known: {', '.join(sorted(SYSTEM_URIS))}, or any URI")
    return uri


def is_display_free(name: str) -> bool:
    """Whether wordings of a code system (name or URI) may be shown as its own.

    True for systems that HL7 owns and for CVX and the race and ethnicity codes, whose wordings are public. The wordings
    of other systems (SNOMED CT, LOINC, RxNorm, CPT, ...) are licensed, and one that differs from theirs is an error for
    validators: what a module says goes into free text instead.
    """
    uri = system_uri(name)
    if uri in _NOT_HL7:
        return False
    return uri in _DISPLAY_FREE or uri.startswith(_DISPLAY_FREE_BEGINNINGS)
