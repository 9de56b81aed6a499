"""Code systems: their names in modules, URIs and check digits, and whose wordings may be shown."""

from trajsim.codes.check_digits import (
    is_valid_loinc,
    is_valid_luhn,
    is_valid_npi,
    is_valid_snomed,
    luhn_digit,
    npi_check_digit,
)
from trajsim.codes.race_ethnicity import OmbCategory, ethnicity_category, race_category
from trajsim.codes.systems import is_display_free, system_uri

__all__ = [
    "OmbCategory",
    "ethnicity_category",
    "is_display_free",
    "is_valid_loinc",
    "is_valid_luhn",
    "is_valid_npi",
    "is_valid_snomed",
    "luhn_digit",
    "npi_check_digit",
    "race_category",
    "system_uri",
]
