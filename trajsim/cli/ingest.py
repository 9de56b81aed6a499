"""``trajsim ingest``: visits of real or simulated patients become event sequences, and what was left out is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli.console import count, say
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` does not load NumPy
    from trajsim.event_sequences import Legality, Vocabulary


def ingest(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder or file to read.", show_default=False)],
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping", metavar="NAME|FILE", help="What its codes mean, by name or YAML.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the event sequences.", show_default=False)
    ],
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Events and labs of your own, YAML.", show_default=False),
    ] = None,
    modules_dir: Annotated[
        str | None,
        typer.Option(
            "--modules-dir",
            metavar="DIR|bundled",
            help="Modules that the model is to be bound to: events that they forbid are marked and counted.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Make event sequences of visits, for `trajsim fit` and `trajsim score`.

    Everything that is left out is counted; codes and units that the mapping does not name are listed.

    Example: trajsim ingest visits/ --mapping mapping.yaml --out sequences/
    """
    from trajsim.cli.ingest_report import show_report
    from trajsim.learn.ingest.apply import make_sequences, require_patients
    from trajsim.learn.ingest.mapping_reading import read_mapping
    from trajsim.learn.ingest.source import read_clinical
    from trajsim.learn.sequence_files import require_own_folder, write_sequences

    if not source.exists():
        msg = f"{source}: no such folder or file"
        raise ConfigError(msg)
    read = read_mapping(mapping, events=events)
    require_own_folder(out)
    legality = None if modules_dir is None else _legality(modules_dir, read.vocabulary)
    sequences, report = make_sequences(read_clinical(source, read), read, source=source.name, legality=legality)
    require_patients(report)
    write_sequences(sequences, out, report=report.to_json())
    if not quiet:
        show_report(report)
        say(f"wrote {count(report.n_patients, 'patient')} to {out}")


def _legality(modules_dir: str, vocabulary: "Vocabulary") -> "Legality":
    """What the modules of a folder, or those that ship, allow."""
    from trajsim.cli.legality import legality_of
    from trajsim.gmf.library import bundled_modules_root, load_modules

    folder = bundled_modules_root() if modules_dir == "bundled" else Path(modules_dir)
    return legality_of(load_modules(folder), vocabulary)
