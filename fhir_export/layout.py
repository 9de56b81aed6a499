"""How FHIR lies on disk: which kind of bundle, how many entries in one, how files are compressed."""

from dataclasses import dataclass
from enum import IntEnum

from fhir_export.compress import SUFFIXES
from trajsim.errors import ConfigError


class Variant(IntEnum):
    """The forms in which every template is cut; a form is chosen by adding its number to the template's."""

    LINE = 0  # NDJSON; references are Type/id
    POST = 1  # entry of a transaction; references are URNs of its entries
    PUT = 2  # entry of a transaction that keeps the ids; references are Type/id
    COLLECTED = 3  # entry of a collection; references are URNs of its entries


BUNDLES = {
    "transaction": ("transaction", Variant.POST),
    "put": ("transaction", Variant.PUT),
    "collection": ("collection", Variant.COLLECTED),
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How FHIR lies on disk.

    Attributes:
        bundle: ``transaction``: a server gives new ids (POST); ``put``: it keeps ours, so that loading twice adds
            nothing; ``collection``: nothing is asked of a server.
        bundle_size: Entries of a bundle at most; 0: one bundle a patient. Pieces repeat what their entries refer to, so
            that each loads alone and in any order; therefore the entries of a transaction are then PUT.
        compress: ``gzip``, ``zstd`` or None.

    Raises:
        ConfigError: A value is not one of these.
    """

    bundle: str = "transaction"
    bundle_size: int = 0
    compress: str | None = None

    def __post_init__(self) -> None:
        if self.bundle not in BUNDLES:
            msg = f"--bundle must be one of {', '.join(BUNDLES)}, got {self.bundle!r}"
            raise ConfigError(msg)
        if self.bundle_size < 0:
            msg = f"--bundle-size must not be negative, got {self.bundle_size}"
            raise ConfigError(msg)
        if self.compress is not None and self.compress not in SUFFIXES:
            msg = f"--compress must be one of {', '.join(SUFFIXES)}, got {self.compress!r}"
            raise ConfigError(msg)

    @property
    def bundle_type(self) -> str:
        """Bundle.type."""
        return BUNDLES[self.bundle][0]

    @property
    def variant(self) -> Variant:
        """The form of the entries."""
        variant = BUNDLES[self.bundle][1]
        return Variant.PUT if self.bundle_size and variant == Variant.POST else variant

    @property
    def suffix(self) -> str:
        """What compression adds to the name of a file."""
        return SUFFIXES[self.compress] if self.compress else ""
