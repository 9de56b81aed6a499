"""Which US Core profiles resources claim, by version of US Core.

A resource claims a profile where its shape is known to keep it, and not otherwise: `none` claims nothing and leaves out
what only US Core wants.
"""

from trajsim.errors import ConfigError

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
DEFAULT_US_CORE = "6.1.0"
NO_US_CORE = "none"
US_CORE_VERSIONS = (DEFAULT_US_CORE, NO_US_CORE)


def require_us_core(version: str) -> None:
    """Refuses a version of US Core that the exporter does not write.

    Raises:
        ConfigError: It is not one of `US_CORE_VERSIONS`.
    """
    if version not in US_CORE_VERSIONS:
        msg = f"--us-core must be one of {', '.join(US_CORE_VERSIONS)}, got {version!r}"
        raise ConfigError(msg)


def profile_uris(version: str, names: tuple[str, ...]) -> list[str]:
    """The canonical addresses of some profiles by their short names; empty for `none`."""
    return [] if version == NO_US_CORE else [US_CORE + name for name in names]
