"""US states as an address, a driver's licence and a clock need them.

Offsets are standard time of the zone in which most people of the state live; there is no daylight saving in this
version, so an instant is right and its local hour may be one off in summer.

Source: FIPS PUB 5-2 (codes); HL7 OID registry, 2.16.840.1.113883.4.3.<FIPS> (driver's licence numbers by state); 15
U.S.C. 260a and following with 49 CFR part 71 (standard time zones).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class UsState:
    """One state: postal abbreviation, FIPS number, minutes from UTC in standard time."""

    abbreviation: str
    fips: int
    offset_minutes: int


_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = -300, -360, -420, -480

US_STATES = {
    "Alabama": UsState("AL", 1, _CENTRAL),
    "Alaska": UsState("AK", 2, -540),
    "Arizona": UsState("AZ", 4, _MOUNTAIN),
    "Arkansas": UsState("AR", 5, _CENTRAL),
    "California": UsState("CA", 6, _PACIFIC),
    "Colorado": UsState("CO", 8, _MOUNTAIN),
    "Connecticut": UsState("CT", 9, _EASTERN),
    "Delaware": UsState("DE", 10, _EASTERN),
    "District of Columbia": UsState("DC", 11, _EASTERN),
    "Florida": UsState("FL", 12, _EASTERN),
    "Georgia": UsState("GA", 13, _EASTERN),
    "Hawaii": UsState("HI", 15, -600),
    "Idaho": UsState("ID", 16, _MOUNTAIN),
    "Illinois": UsState("IL", 17, _CENTRAL),
    "Indiana": UsState("IN", 18, _EASTERN),
    "Iowa": UsState("IA", 19, _CENTRAL),
    "Kansas": UsState("KS", 20, _CENTRAL),
    "Kentucky": UsState("KY", 21, _EASTERN),
    "Louisiana": UsState("LA", 22, _CENTRAL),
    "Maine": UsState("ME", 23, _EASTERN),
    "Maryland": UsState("MD", 24, _EASTERN),
    "Massachusetts": UsState("MA", 25, _EASTERN),
    "Michigan": UsState("MI", 26, _EASTERN),
    "Minnesota": UsState("MN", 27, _CENTRAL),
    "Mississippi": UsState("MS", 28, _CENTRAL),
    "Missouri": UsState("MO", 29, _CENTRAL),
    "Montana": UsState("MT", 30, _MOUNTAIN),
    "Nebraska": UsState("NE", 31, _CENTRAL),
    "Nevada": UsState("NV", 32, _PACIFIC),
    "New Hampshire": UsState("NH", 33, _EASTERN),
    "New Jersey": UsState("NJ", 34, _EASTERN),
    "New Mexico": UsState("NM", 35, _MOUNTAIN),
    "New York": UsState("NY", 36, _EASTERN),
    "North Carolina": UsState("NC", 37, _EASTERN),
    "North Dakota": UsState("ND", 38, _CENTRAL),
    "Ohio": UsState("OH", 39, _EASTERN),
    "Oklahoma": UsState("OK", 40, _CENTRAL),
    "Oregon": UsState("OR", 41, _PACIFIC),
    "Pennsylvania": UsState("PA", 42, _EASTERN),
    "Rhode Island": UsState("RI", 44, _EASTERN),
    "South Carolina": UsState("SC", 45, _EASTERN),
    "South Dakota": UsState("SD", 46, _CENTRAL),
    "Tennessee": UsState("TN", 47, _CENTRAL),
    "Texas": UsState("TX", 48, _CENTRAL),
    "Utah": UsState("UT", 49, _MOUNTAIN),
    "Vermont": UsState("VT", 50, _EASTERN),
    "Virginia": UsState("VA", 51, _EASTERN),
    "Washington": UsState("WA", 53, _PACIFIC),
    "West Virginia": UsState("WV", 54, _EASTERN),
    "Wisconsin": UsState("WI", 55, _CENTRAL),
    "Wyoming": UsState("WY", 56, _MOUNTAIN),
    "Puerto Rico": UsState("PR", 72, -240),
}


def offset_minutes(state: str | None) -> int:
    """Minutes from UTC of a state's standard time; 0 (UTC) where no US state is known."""
    known = US_STATES.get(state) if state is not None else None
    return 0 if known is None else known.offset_minutes
