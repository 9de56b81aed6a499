"""What a folder of FHIR becomes on its way to a server: bundles, in an order in which every reference resolves."""

import re
from collections.abc import Iterator
from pathlib import Path

from fhir_export.bundle_files import uploads_of_bundles
from fhir_export.line_files import LINE_FILE, uploads_of_lines
from fhir_export.upload import Upload
from trajsim.errors import ConfigError

DEFAULT_ENTRIES = 500  # most servers take no more in one request
_BUNDLE_FILE = re.compile(r".+\.json(\.gz|\.zst)?")
_BESIDE = re.compile(r"(manifest|parameters|log|outcome|report|states)\.json")


class UploadFolder:
    """A folder of bundles, of NDJSON, or of folders of these.

    Args:
        directory: The folder.
        most: Entries of a request that is made here; bundles go as large as they are.

    Attributes:
        n_bytes: How much there is to read.

    Raises:
        ConfigError: There is no such folder, no FHIR in it, or FHIR of two kinds.
    """

    def __init__(self, directory: Path, *, most: int = DEFAULT_ENTRIES) -> None:
        if not directory.is_dir():
            msg = f"{str(directory)!r} is no folder"
            raise ConfigError(msg)
        self._directory, self._most = directory, most
        self._bundles: list[Path] = []
        self._lines: dict[Path, list[Path]] = {}
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            inside = path.relative_to(directory).parts
            if any(part.startswith(".") for part in inside):
                continue
            if LINE_FILE.fullmatch(path.name):
                self._lines.setdefault(path.parent, []).append(path)
            elif _BUNDLE_FILE.fullmatch(path.name) and not _BESIDE.fullmatch(path.name):
                self._bundles.append(path)
        if not self._lines and not self._bundles:
            msg = f"no FHIR in {str(directory)!r}: expected bundles (.json) or NDJSON (Type-00000.ndjson)"
            raise ConfigError(msg)
        if self._lines and self._bundles:
            msg = f"{str(directory)!r} holds bundles and NDJSON: the same patients would be loaded twice"
            raise ConfigError(msg, hint="name one of its folders")
        every = [*self._bundles, *(path for files in self._lines.values() for path in files)]
        self.n_bytes = sum(path.stat().st_size for path in every)

    def __iter__(self) -> Iterator[Upload]:
        """The requests; few are in memory at a time.

        Raises:
            DataFileError: A file is not FHIR.
            ExportError: A resource and what it refers to are more than a request may hold.
        """
        yield from uploads_of_bundles(self._bundles, self._directory, self._most)
        for folder, files in self._lines.items():
            place = folder.relative_to(self._directory).as_posix()
            yield from uploads_of_lines(files, "" if place == "." else f"{place}/", self._most)
