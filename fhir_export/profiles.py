"""Which US Core profiles resources claim, and what one version of US Core has its own way.

A resource claims a profile where its shape is known to keep it, and not otherwise: `none` claims nothing and leaves out
what only US Core wants. Versions differ in little. What a later version adds is allowed in the earlier ones, so nearly
all of it is written whatever the version; an `Edition` names the rest. Shapes ask for it when they are built, once a
template, and whole sections when they are planned.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trajsim.errors import ConfigError

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
DEFAULT_US_CORE = "6.1.0"
NO_US_CORE = "none"

_DATED = (
    "us-core-condition-problems-health-concerns",
    "us-core-diagnosticreport-lab",
    "us-core-encounter",
    "us-core-observation-lab",
)
_ADDED_BY_7 = (
    "us-core-average-blood-pressure",
    "us-core-care-experience-preference",
    "us-core-treatment-intervention-preference",
)
_ADDED_BY_8 = ("us-core-adi-documentreference", "us-core-observation-adi-documentation")
_ADDED = frozenset({*_ADDED_BY_7, *_ADDED_BY_8})


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What a version of US Core has its own way.

    Attributes:
        claims_profiles: Whether resources claim profiles, and say what only US Core wants.
        has_birth_sex: Whether a Patient says the sex at birth.
        has_coded_sex: Whether the value of `us-core-sex` is a Coding; else it is a bare code.
        discharge_system: Address of the codes (NUBC) that say where a stay ended.
        dated_profiles: Short names of the profiles that want `meta.lastUpdated`.
        added_profiles: Those that 6.1.0 lacks; resources that only they describe are written with them alone.
        has_pack_years: Whether the profile of smoking takes an amount.
    """

    claims_profiles: bool = True
    has_birth_sex: bool = True
    has_coded_sex: bool = False
    discharge_system: str = "http://www.nubc.org/patient-discharge"
    dated_profiles: tuple[str, ...] = ()
    added_profiles: tuple[str, ...] = ()
    has_pack_years: bool = False


_DISCHARGE_STATUS = "https://www.nubc.org/CodeSystem/PatDischargeStatus"

EDITIONS: Mapping[str, Edition] = {
    DEFAULT_US_CORE: Edition(),
    "7.0.0": Edition(
        discharge_system=_DISCHARGE_STATUS, dated_profiles=_DATED, added_profiles=_ADDED_BY_7, has_pack_years=True
    ),
    "8.0.0": Edition(
        discharge_system=_DISCHARGE_STATUS,
        dated_profiles=_DATED,
        added_profiles=(*_ADDED_BY_7, *_ADDED_BY_8),
        has_pack_years=True,
        has_birth_sex=False,
        has_coded_sex=True,
    ),
    NO_US_CORE: Edition(claims_profiles=False),
}
US_CORE_VERSIONS = tuple(EDITIONS)


def edition_of(version: str) -> Edition:
    """What is particular to a version of US Core.

    Raises:
        ConfigError: It is not one of `US_CORE_VERSIONS`.
    """
    require_us_core(version)
    return EDITIONS[version]


def require_us_core(version: str) -> None:
    """Refuses a version of US Core that the exporter does not write.

    Raises:
        ConfigError: It is not one of `US_CORE_VERSIONS`.
    """
    if version not in EDITIONS:
        msg = f"--us-core must be one of {', '.join(US_CORE_VERSIONS)}, got {version!r}"
        raise ConfigError(msg)


def profile_uris(version: str, names: tuple[str, ...]) -> list[str]:
    """The canonical addresses of some profiles by their short names; without those that the version lacks."""
    edition = edition_of(version)
    known = [name for name in names if name not in _ADDED or name in edition.added_profiles]
    return [US_CORE + name for name in known] if edition.claims_profiles else []
