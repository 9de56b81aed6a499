"""The options that decide what is written of a life and how, shared by every command that writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` does not load FHIR
    from fhir_export import Layout

DEFAULT_BUNDLE = "transaction"
DEFAULT_US_CORE = "6.1.0"
_BUNDLES = "fhir"
_FHIR = ("fhir", "fhir-ndjson")
_ALL = ("parquet", "csv", *_FHIR)

Bundle = Annotated[
    str,
    typer.Option(
        "--bundle",
        metavar="transaction|put|collection",
        help="FHIR bundles: the server gives ids (POST), keeps ours (PUT: loading twice adds nothing), or no request.",
    ),
]
BundleSize = Annotated[
    int | None,
    typer.Option(
        "--bundle-size",
        help="Entries of a FHIR bundle at most. Pieces load alone, in any order; their entries are PUT. Default: all.",
        show_default=False,
    ),
]
Compress = Annotated[
    str | None,
    typer.Option(
        "--compress",
        metavar="gzip|zstd",
        help="Compress FHIR. (Parquet always is; CSV stays as its readers expect it.)",
        show_default=False,
    ),
]
Years = Annotated[
    int, typer.Option("--years", help="Years of history to keep, in every format; 0: the whole life.", min=0)
]
UsCore = Annotated[
    str,
    typer.Option(
        "--us-core",
        metavar="6.1.0|7.0.0|8.0.0|none",
        help="Version of US Core whose profiles FHIR claims; none: no profile.",
    ),
]

Claims = Annotated[
    bool,
    typer.Option("--claims", help="Write what care cost and who paid: claims, and in FHIR explanations of benefit."),
]


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is written of a life and how, as resolved values.

    Attributes:
        bundle: ``transaction``, ``put`` or ``collection``.
        bundle_size: Entries of a bundle at most; 0: no limit.
        compress: ``gzip``, ``zstd`` or None.
        years: Years of history to keep; 0: all.
        us_core: Version of US Core, or ``none``.
        claims: Whether costs and claims are written.
    """

    bundle: str = DEFAULT_BUNDLE
    bundle_size: int = 0
    compress: str | None = None
    years: int = 0
    us_core: str = DEFAULT_US_CORE
    claims: bool = False

    def layout(self) -> "Layout":
        """The same for FHIR.

        Raises:
            ConfigError: There is no such kind of bundle or compression.
        """
        from fhir_export import Layout

        return Layout(bundle=self.bundle, bundle_size=self.bundle_size, compress=self.compress)

    def recorded(self) -> dict[str, str | int | bool | list[str] | None]:
        """For the manifest, by option name."""
        return {
            "--bundle": self.bundle,
            "--bundle-size": self.bundle_size or None,
            "--claims": self.claims,
            "--compress": self.compress,
            "--us-core": self.us_core,
            "--years": self.years,
        }


def resolve_output_options(
    formats: Sequence[str],
    *,
    bundle: str,
    bundle_size: int | None,
    compress: str | None,
    years: int,
    us_core: str = DEFAULT_US_CORE,
    claims: bool = False,
) -> OutputOptions:
    """Checks the options against each other: none is ignored in silence.

    Args:
        formats: Names as `parse_formats` returns them.
        bundle: As given.
        bundle_size: As given.
        compress: As given.
        years: As given.
        us_core: As given.
        claims: As given.

    Raises:
        ConfigError: An option has no such value, or is about a format that is not written.
    """
    if bundle_size is not None and bundle_size < 1:
        msg = f"--bundle-size must be positive, got {bundle_size}"
        raise ConfigError(msg)
    _require_format("--bundle", formats, (_BUNDLES,), is_given=bundle != DEFAULT_BUNDLE)
    _require_format("--bundle-size", formats, (_BUNDLES,), is_given=bundle_size is not None)
    _require_format("--compress", formats, _FHIR, is_given=compress is not None)
    _require_format("--us-core", formats, _FHIR, is_given=us_core != DEFAULT_US_CORE)
    _require_format("--claims", formats, _ALL, is_given=claims)
    options = OutputOptions(
        bundle=bundle, bundle_size=bundle_size or 0, compress=compress, years=years, us_core=us_core, claims=claims
    )
    if set(formats) & set(_FHIR):
        from fhir_export.profiles import require_us_core

        options.layout()
        require_us_core(us_core)
    return options


def _require_format(option: str, formats: Sequence[str], needed: Sequence[str], *, is_given: bool) -> None:
    if is_given and not set(formats) & set(needed):
        msg = f"{option} is about the format {' or '.join(needed)}, which --format does not name"
        raise ConfigError(msg, hint=f"leave {option} out, or add --format {needed[0]}")
