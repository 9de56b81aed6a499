"""Race and ethnicity as codes: the categories of the US Office of Management and Budget in the CDC code system.

Source: Office of Management and Budget (1997), Standards for the Classification of Federal Data on Race and Ethnicity;
CDC Race and Ethnicity Code Set (urn:oid:2.16.840.1.113883.6.238).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trajsim.codes.systems import system_uri
from trajsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class OmbCategory:
    """One category.

    Attributes:
        code: Code of the CDC code system.
        display: Its wording there.
        is_omb: Whether it is one of the categories of 1997. ``Other Race`` is a code of the system but no category, so
            profiles that are bound to the categories take its text alone.
        system: URI of the code system.
    """

    code: str
    display: str
    is_omb: bool = True
    system: str = system_uri("OMB")


_RACES: Mapping[str, OmbCategory] = {
    "white": OmbCategory(code="2106-3", display="White"),
    "black": OmbCategory(code="2054-5", display="Black or African American"),
    "asian": OmbCategory(code="2028-9", display="Asian"),
    "native": OmbCategory(code="1002-5", display="American Indian or Alaska Native"),
    "hawaiian": OmbCategory(code="2076-8", display="Native Hawaiian or Other Pacific Islander"),
    "other": OmbCategory(code="2131-1", display="Other Race", is_omb=False),
}
_ETHNICITIES: Mapping[str, OmbCategory] = {
    "hispanic": OmbCategory(code="2135-2", display="Hispanic or Latino"),
    "nonhispanic": OmbCategory(code="2186-5", display="Not Hispanic or Latino"),
}


def _category(what: str, word: str, known: Mapping[str, OmbCategory]) -> OmbCategory:
    found = known.get(word)
    if found is None:
        msg = f"unknown {what} {word!r}, expected one of {', '.join(known)}"
        raise ConfigError(msg)
    return found


def race_category(race: str) -> OmbCategory:
    """The category of a race, in the words of modules: white, black, asian, native, hawaiian, other.

    Raises:
        ConfigError: Another word.
    """
    return _category("race", race, _RACES)


def ethnicity_category(ethnicity: str) -> OmbCategory:
    """The category of an ethnicity: hispanic, nonhispanic.

    Raises:
        ConfigError: Another word.
    """
    return _category("ethnicity", ethnicity, _ETHNICITIES)
