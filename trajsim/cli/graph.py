"""``trajsim graph``: one module as a picture that a clinician can read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli.console import say
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` does not load the modules
    from trajsim.gmf.model import Module


def graph(
    module: Annotated[
        str,
        typer.Argument(metavar="MODULE", help="A module file, or the name of a module in the bundled or given folder."),
    ],
    out: Annotated[Path, typer.Option("--out", help="SVG file to write.")],
    modules_dir: Annotated[
        Path | None, typer.Option("--modules-dir", help="Folder in which to look for the name.", show_default=False)
    ] = None,
) -> None:
    """Draw one module as an SVG: states, transitions with their conditions and probabilities, submodule calls.

    Example: trajsim graph hypertension --out hypertension.svg
    """
    from trajsim.cli.run_folder import write_whole
    from trajsim.gmf.draw import draw_module

    if out.suffix.lower() != ".svg":
        msg = f"--out must end in .svg, got {str(out)!r}"
        raise ConfigError(msg)
    chosen = find_module(module, modules_dir)
    picture = draw_module(chosen)
    write_whole(out, picture.encode())
    say(f"{out}: {len(chosen.states)} states of {chosen.name}")


def find_module(name: str, modules_dir: Path | None) -> "Module":
    """The module that a file name or a key means.

    Raises:
        ModuleError: It cannot be read.
        ConfigError: There is none of that name.
    """
    from trajsim.errors import ModuleError
    from trajsim.gmf.check import modules_root_of
    from trajsim.gmf.findings import errors_of, near_names
    from trajsim.gmf.library import bundled_modules_root, read_library

    path = Path(name)
    if path.suffix == ".json" and not path.is_file():
        msg = f"module file {name!r} does not exist"
        raise ConfigError(msg)
    if path.is_file():
        root = modules_root_of(path)
        key = path.resolve().relative_to(root.resolve()).with_suffix("").as_posix()
    else:
        root, key = modules_dir or bundled_modules_root(), name
    library = read_library(root)
    if key not in library.modules:
        near = near_names(key, library.modules)
        msg = f"no module {name!r} in {str(root)!r}"
        raise ConfigError(msg, hint=f"near names: {', '.join(near)}" if near else None)
    chosen = library.modules[key]
    faults = [finding for finding in errors_of(library.findings) if finding.file == str(chosen.file)]
    if faults:
        raise ModuleError(faults)
    return chosen
