"""``trajsim export``: Records that lie on disk, in another format, one shard after the other."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli import later
from trajsim.cli import output_options as output
from trajsim.cli.console import count, show, size
from trajsim.cli.formats import FORMATS, NOTHING, parse_formats
from trajsim.errors import ConfigError, ExportError
from trajsim.units import ms_from_iso

if TYPE_CHECKING:  # `trajsim --help` does not load Arrow
    from trajsim.cli.rewrite import Source
    from trajsim.provenance import Manifest

SOURCES = ("records", "synthea-csv")


def export(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder to read: out/, out/parquet, or Synthea's csv folder.")
    ],
    formats: Annotated[str, typer.Option("--format", help=f"Comma-separated: {', '.join(FORMATS)}.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; new or empty.")],
    kind: Annotated[str, typer.Option("--from", metavar="|".join(SOURCES), help="What SOURCE holds.")] = "records",
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of resource ids. Default: that of the run, else 0.", show_default=False),
    ] = None,
    bundle: output.Bundle = output.DEFAULT_BUNDLE,
    bundle_size: output.BundleSize = None,
    compress: output.Compress = None,
    years: output.Years = 0,
    us_core: output.UsCore = output.DEFAULT_US_CORE,
    claims: output.Claims = False,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Shards written at once. Default: all processors.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Write Records in another format.

    Example: trajsim export out/ --from records --format fhir-ndjson --compress gzip --out ndjson/
    """
    later.refuse_later_value("--from", kind, later.SOURCES)
    if kind not in SOURCES:
        msg = f"--from must be one of {', '.join(SOURCES)}, got {kind!r}"
        raise ConfigError(msg)
    chosen = parse_formats(formats)
    if not chosen:
        msg = f"--format {NOTHING} leaves nothing to write"
        raise ConfigError(msg)
    if threads is not None and threads < 1:
        msg = f"--threads must be positive, got {threads}"
        raise ConfigError(msg)
    options = output.resolve_output_options(
        chosen,
        bundle=bundle,
        bundle_size=bundle_size,
        compress=compress,
        years=years,
        us_core=us_core,
        claims=claims,
    )
    _require_new(out)
    opened = open_source(source, kind)
    run = _run_of(source)
    if seed is None:
        seed = 0 if run is None else run.run.seed
    from trajsim.cli.rewrite import Rewrite

    end_ms = _end_ms(run, opened.end_ms)
    rewrite = Rewrite(out, chosen, options, seed=seed, end_ms=end_ms)
    rewrite.run(opened, n_threads=threads or os.cpu_count() or 1, quiet=quiet)
    if not quiet:
        written = [path for path in out.rglob("*") if path.is_file()]
        n_bytes = sum(path.stat().st_size for path in written)
        show(f"{count(opened.n_patients, 'patient')}, {count(len(written), 'file')}, {size(n_bytes)} in {out}")


def open_source(source: Path, kind: str) -> "Source":
    """Finds Records in a folder.

    Raises:
        ConfigError: There is no such folder.
        DataFileError: It does not hold what it should.
    """
    if not source.is_dir():
        msg = f"SOURCE {str(source)!r} is no folder"
        raise ConfigError(msg)
    from trajsim.cli.rewrite import open_parquet, open_synthea_csv

    if kind == "synthea-csv":
        return open_synthea_csv(source / "csv" if (source / "csv").is_dir() else source)
    return open_parquet(source / "parquet" if (source / "parquet").is_dir() else source)


def _run_of(source: Path) -> "Manifest | None":
    """The run that the folder, or the one above it, holds."""
    from trajsim.provenance import read_manifest

    for folder in (source, source.absolute().parent):
        if (folder / "manifest.json").is_file():
            return read_manifest(folder / "manifest.json")
    return None


def _end_ms(run: "Manifest | None", last_ms: int) -> int:
    """The end of the run where it is known, else the last instant that any patient was observed."""
    end = None if run is None else run.run.options.get("--end")
    return ms_from_iso(end) if isinstance(end, str) else last_ms


def _require_new(out: Path) -> None:
    if out.is_file():
        msg = f"--out {str(out)!r} is a file: expected a folder"
        raise ConfigError(msg)
    try:
        is_used = out.is_dir() and any(out.iterdir())
    except OSError as error:
        msg = f"--out {str(out)!r} cannot be read: {error.strerror}"
        raise ExportError(msg) from error
    if is_used:
        msg = f"--out {str(out)!r} is not empty"
        raise ConfigError(msg, hint="choose another folder, or empty this one")
