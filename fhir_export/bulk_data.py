"""What stands beside the NDJSON of a run: a Group of its patients, a Bulk Data manifest, Parameters for ``$import``.

Addresses are file names, relative to the folder. A manifest is read where it lies; a server that imports asks for whole
addresses, so whoever serves the folder puts theirs before the names (docs/concepts/fhir.md).
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from fhir_export.compress import open_decompressed
from fhir_export.ids import GROUP_KEY, resource_id
from fhir_export.layout import Layout
from fhir_export.output import ExportReport, WholeFiles
from fhir_export.resources import KINDS
from fhir_export.templates import META
from trajsim.units import datetime_from_ms

MANIFEST = "manifest.json"
PARAMETERS = "parameters.json"
GROUP = "Group.ndjson"
_MEDIA_TYPE = "application/fhir+ndjson"
_FILE = re.compile(r"(?P<type>[A-Z][A-Za-z]+)-\d+\.ndjson(\.gz|\.zst)?")
_ORDER = tuple(kind.resource_type for kind in KINDS)


def write_set_files(directory: Path, layout: Layout, *, seed: int, end_us: int) -> ExportReport:
    """Writes what describes a finished set; the files appear together.

    Args:
        directory: Folder of the NDJSON files.
        layout: How they were written.
        seed: The run's seed, which the Group's id depends on.
        end_us: End of the run, microseconds since 1970-01-01 UTC: the instant up to which the set is complete. No
            clock.

    Returns:
        What was written.

    Source:
        FHIR Bulk Data Access 2.0.0, "Response - Complete Status"; the Bulk Import Manifest of HAPI FHIR's `$import`.
    """
    found = _data_files(directory)
    patients = [name for name, kind in found.items() if kind == "Patient"]
    counts: dict[str, int] = {}
    with WholeFiles(directory, compress=layout.compress) as files:
        if patients:
            files.write(GROUP, _group(directory, patients, seed=seed))
            found[GROUP + layout.suffix] = "Group"
            counts["Group"] = 1
        files.write(MANIFEST, _json(_manifest(found, end_us=end_us)), is_plain=True)
        files.write(PARAMETERS, _json(_parameters(found)), is_plain=True)
    return ExportReport(n_bytes=files.n_bytes, n_resources=counts, files=files.files)


def _data_files(directory: Path) -> dict[str, str]:
    """Names of the NDJSON files with their types; a type comes after those that it mostly refers to."""
    filled = [path.name for path in directory.iterdir() if path.stat().st_size]
    matches = [match for name in filled if (match := _FILE.fullmatch(name))]
    matches.sort(key=lambda match: (_ORDER.index(match["type"]) if match["type"] in _ORDER else len(_ORDER), match[0]))
    return {match[0]: match["type"] for match in matches}


def _group(directory: Path, patients: Sequence[str], *, seed: int) -> Iterator[bytes]:
    """One Group with all patients, in their order, without holding them in memory."""
    head = {
        "resourceType": "Group",
        "id": resource_id(seed, GROUP_KEY, GROUP_KEY),
        "meta": META,
        "active": True,
        "type": "person",
        "actual": True,
        "name": "All patients of the run",
    }
    yield orjson.dumps(head)[:-1] + b',"member":['
    n_members = 0
    for name in patients:
        with open_decompressed(directory / name) as lines:
            for line in lines:
                member = {"entity": {"reference": f"Patient/{orjson.loads(line)['id']}"}}
                yield (b"," if n_members else b"") + orjson.dumps(member)
                n_members += 1
    yield b'],"quantity":%d}\n' % n_members


def _manifest(found: Mapping[str, str], *, end_us: int) -> dict[str, object]:
    moment = datetime_from_ms(end_us // 1000).astimezone(dt.UTC)
    return {
        "transactionTime": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": MANIFEST,
        "requiresAccessToken": False,
        "output": [{"type": kind, "url": name} for name, kind in found.items()],
        "error": [],
    }


def _parameters(found: Mapping[str, str]) -> dict[str, object]:
    inputs = [
        {"name": "input", "part": [{"name": "type", "valueCode": kind}, {"name": "url", "valueUri": name}]}
        for name, kind in found.items()
    ]
    return {
        "resourceType": "Parameters",
        "meta": META,
        "parameter": [
            {"name": "inputFormat", "valueCode": _MEDIA_TYPE},
            {"name": "inputSource", "valueUri": "urn:trajsim"},
            {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
            *inputs,
        ],
    }


def _json(content: Mapping[str, object]) -> Iterator[bytes]:
    yield orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
