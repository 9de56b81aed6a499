"""``trajsim export``: Records that lie on disk, in another format."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli import later
from trajsim.cli.console import count, show, size
from trajsim.cli.formats import FORMATS, NOTHING, growing_files, parse_formats, shard_writers, write_set_files
from trajsim.errors import ConfigError, ExportError

if TYPE_CHECKING:  # `trajsim --help` does not load Arrow
    from trajsim.records.table import Records

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
) -> None:
    """Write Records in another format.

    Example: trajsim export out/ --from records --format fhir-ndjson --out ndjson/
    """
    later.refuse_later_value("--from", kind, later.SOURCES)
    if kind not in SOURCES:
        msg = f"--from must be one of {', '.join(SOURCES)}, got {kind!r}"
        raise ConfigError(msg)
    chosen = parse_formats(formats)
    if not chosen:
        msg = f"--format {NOTHING} leaves nothing to write"
        raise ConfigError(msg)
    _require_new(out)
    records = read_source(source, kind)
    written = write_records(records, out, chosen, seed=_seed_of(source) if seed is None else seed)
    n_bytes = sum(path.stat().st_size for path in written)
    show(f"{count(records.n_patients, 'patient')}, {count(len(written), 'file')}, {size(n_bytes)} in {out}")


def read_source(source: Path, kind: str) -> "Records":
    """Reads Records from a folder.

    Raises:
        ConfigError: There is no such folder.
        DataFileError: It does not hold what it should.
    """
    if not source.is_dir():
        msg = f"SOURCE {str(source)!r} is no folder"
        raise ConfigError(msg)
    if kind == "synthea-csv":
        from trajsim.records.csv_read import read_synthea_csv

        return read_synthea_csv(source / "csv" if (source / "csv").is_dir() else source)
    from trajsim.records.parquet import read_parquet

    return read_parquet(source / "parquet" if (source / "parquet").is_dir() else source)


def write_records(records: "Records", out: Path, formats: tuple[str, ...], *, seed: int) -> list[Path]:
    """Writes Records as one shard.

    Returns:
        All files.

    Raises:
        ExportError: The disk is full, or not to be written.
    """
    from trajsim.cli.os_faults import error_from_os

    try:
        for write in shard_writers(formats, seed=seed):
            write(records, out, 0)
        for path, header in growing_files(formats).items():
            rows = (out / path).read_bytes()
            (out / path).write_bytes(header + rows)
        write_set_files(formats, out, seed=seed, end_ms=_last_ms(records))
        return sorted(path for path in out.rglob("*") if path.is_file())
    except OSError as error:
        raise error_from_os(error) from error


def _last_ms(records: "Records") -> int:
    """The instant up to which the records are complete: the last that any patient was observed."""
    import pyarrow.compute as pc

    last = pc.max(records["patients"]["last_time"].cast("int64")).as_py()
    return (last or 0) // 1000


def _seed_of(source: Path) -> int:
    """The seed of the run that the folder, or the one above it, holds."""
    from trajsim.provenance import read_manifest

    for folder in (source, source.absolute().parent):
        if (folder / "manifest.json").is_file():
            return read_manifest(folder / "manifest.json").run.seed
    return 0


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
