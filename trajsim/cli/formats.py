"""The formats that a run can be written in: for each, where its files go and who writes them.

A writer gets the Records of one shard and a folder, and writes the files of that shard below it under their final
relative paths. The libraries behind a format are loaded when it is asked for.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trajsim.cli import later
from trajsim.cli.output_options import OutputOptions
from trajsim.errors import ConfigError
from trajsim.units import us_from_ms

if TYPE_CHECKING:  # `trajsim --help` loads neither Arrow nor FHIR
    from trajsim.records.table import Records

WriteShard = Callable[["Records", Path, int], None]

FORMATS = ("parquet", "csv", "fhir", "fhir-ndjson")
NOTHING = "none"
DEFAULT_FORMATS = "fhir,csv"


def parse_formats(text: str) -> tuple[str, ...]:
    """Reads ``parquet,csv``; ``none`` alone means no output.

    Returns:
        The formats in their fixed order, each once.

    Raises:
        ConfigError: A name is unknown or not there yet, or ``none`` stands beside others.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        later.refuse_later_value("--format", name, later.FORMATS)
        if name not in (*FORMATS, NOTHING):
            msg = f"--format {name!r} is unknown: expected some of {', '.join((*FORMATS, NOTHING))}"
            raise ConfigError(msg)
    if not names or (NOTHING in names and len(set(names)) > 1):
        msg = f"--format must name one or more of {', '.join(FORMATS)}, or {NOTHING} alone, got {text!r}"
        raise ConfigError(msg)
    return tuple(name for name in FORMATS if name in names)


def shard_writers(formats: Sequence[str], output: OutputOptions, *, seed: int) -> list[WriteShard]:
    """One writer a format.

    Args:
        formats: Names as `parse_formats` returns them.
        output: What is written and how.
        seed: Run seed, from which ids are made.
    """
    makers = {"parquet": _parquet, "csv": _csv, "fhir": _fhir, "fhir-ndjson": _ndjson}
    return [makers[name](seed, output) for name in formats]


def growing_files(formats: Sequence[str], *, claims: bool = False) -> dict[str, bytes]:
    """Files that all shards write together: path below the run's folder, and the first line."""
    files: dict[str, bytes] = {}
    if "csv" in formats:
        from trajsim.records.csv_layout import headers

        named = headers(claims=claims).items()
        files |= {_csv_path(kind): (",".join(names) + "\n").encode() for kind, names in named}
    return files | dict.fromkeys(_shared_paths(formats), b"")


def distinct_files(formats: Sequence[str]) -> frozenset[str]:
    """Those of `growing_files` that hold every line once, although several shards may have it."""
    shared = frozenset(_shared_paths(formats))
    if "csv" not in formats:
        return shared
    from trajsim.records.csv_layout import DISTINCT_FILES

    return shared | {_csv_path(kind) for kind in DISTINCT_FILES}


def write_set_files(formats: Sequence[str], output: OutputOptions, root: Path, *, seed: int, end_ms: int) -> list[Path]:
    """Writes the files that describe all shards of a format together, and names them.

    Args:
        formats: Names as `parse_formats` returns them.
        output: What is written and how.
        root: The run's folder, all shards in it.
        seed: Run seed.
        end_ms: End of the run, milliseconds since 1970-01-01 UTC.
    """
    if "fhir-ndjson" not in formats:
        return []
    from fhir_export import FhirExporter

    exporter = FhirExporter(seed=seed, layout=output.layout(), us_core=output.us_core)
    report = exporter.finish_ndjson(root / "fhir-ndjson", end_us=us_from_ms(end_ms))
    return list(report.files)


def _shared_paths(formats: Sequence[str]) -> list[str]:
    """Files of the resources that shards have in common: sites, clinicians, payers."""
    if "fhir-ndjson" not in formats:
        return []
    from fhir_export.ndjson import SHARED_TYPES, line_file

    return [f"fhir-ndjson/{line_file(kind, 0)}" for kind in SHARED_TYPES]


def _csv_path(kind: str) -> str:
    return f"csv/{kind}.csv"


def _parquet(_seed: int, _output: OutputOptions) -> WriteShard:
    from trajsim.records.parquet import write_parquet

    def write(records: "Records", folder: Path, shard: int) -> None:
        write_parquet(records, folder / "parquet", shard=shard)

    return write


def _csv(seed: int, output: OutputOptions) -> WriteShard:
    from trajsim.records.csv import write_csv

    def write(records: "Records", folder: Path, shard: int) -> None:
        parts = folder / "csv" / ".parts"
        for kind, part in write_csv(records, parts, shard=shard, seed=seed, claims=output.claims).items():
            part.replace(folder / _csv_path(kind))
        shutil.rmtree(parts)

    return write


def _fhir(seed: int, output: OutputOptions) -> WriteShard:
    from fhir_export import FhirExporter

    exporter = FhirExporter(seed=seed, layout=output.layout(), us_core=output.us_core)

    def write(records: "Records", folder: Path, _shard: int) -> None:
        exporter.write_bundles(records, folder / "fhir")

    return write


def _ndjson(seed: int, output: OutputOptions) -> WriteShard:
    from fhir_export import FhirExporter
    from fhir_export.ndjson import SHARED_TYPES, line_file

    exporter = FhirExporter(seed=seed, layout=output.layout(), us_core=output.us_core)

    def write(records: "Records", folder: Path, shard: int) -> None:
        place = folder / "fhir-ndjson"
        exporter.write_ndjson(records, place, shard=shard)
        for kind in SHARED_TYPES:  # all shards write these together
            part = place / line_file(kind, shard)
            part.touch()
            part.replace(place / line_file(kind, 0))

    return write
