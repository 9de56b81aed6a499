"""What the tests of the repository itself look at: its files, as git or an archive of it holds them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("trajsim", "fhir_export")
PUBLIC_NAMES = Path(__file__).with_name("public_names.txt")
BUNDLED_MODULES = Path(__file__).with_name("bundled_modules.sha256")

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def python_files(*folders: str) -> list[Path]:
    """Python files below some folders of the root, sorted."""
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
    )


def markdown_files() -> list[Path]:
    """All pages of the repository: those at the root, and those of the folders that hold some."""
    folders = ("docs", "modules", "tests", "benchmarks", "notebooks")
    return sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))])


def code_blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of one language in a page."""
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block[1] == language:
            yield block[2]


def public_names() -> list[str]:
    """Every name that a room offers, as ``room.name``, sorted."""
    import importlib

    rooms = sorted(
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    )
    return sorted(f"{room}.{name}" for room in rooms for name in getattr(importlib.import_module(room), "__all__", ()))


def bundled_digests() -> list[str]:
    """``sha256  path`` of every file below modules/ that a run may read, sorted by path."""
    import hashlib

    files = sorted(path for kind in ("*.json", "*.csv") for path in (ROOT / "modules").rglob(kind))
    return [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ROOT).as_posix()}" for path in files]
