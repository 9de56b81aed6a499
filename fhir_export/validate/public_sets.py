"""Small value sets that US Core takes from a licensed source although their codes are public: written out here.

Source: Office of Management and Budget (1997), race and ethnicity categories, in the codes of `trajsim.codes`; HL7 v3
AdministrativeGender and NullFlavor.
"""

from collections.abc import Mapping
from typing import Any

from trajsim.codes import ethnicity_category, race_category, system_uri

_US_CORE = "http://hl7.org/fhir/us/core/ValueSet/"
_OMB = system_uri("OMB")
_NULL = system_uri("NullFlavor")
_GENDER = "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender"
_RACES = sorted(race_category(word).code for word in ("white", "black", "asian", "native", "hawaiian"))
_ETHNICITIES = sorted(ethnicity_category(word).code for word in ("hispanic", "nonhispanic"))

PUBLIC_SETS: Mapping[str, Mapping[str, Any]] = {
    _US_CORE + "birthsex": {"codes": {_GENDER: ["F", "M"], _NULL: ["ASKU", "OTH", "UNK"]}, "open": []},
    _US_CORE + "omb-race-category": {"codes": {_OMB: _RACES, _NULL: ["ASKU", "UNK"]}, "open": []},
    _US_CORE + "omb-ethnicity-category": {"codes": {_OMB: _ETHNICITIES, _NULL: ["ASKU", "UNK"]}, "open": []},
}
"""By canonical address, in the form of the tables."""
