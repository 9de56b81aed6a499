"""The gates side by side: known errors seeded into valid resources, and the judges that are run on them."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path("tools/fhir-gates")
SAMPLE = ("patient_12", "hospitals", "practitioners")
_URN = re.compile(r'"reference": "(urn:uuid:([^"]+))"')

Each = Mapping[str, Mapping[str, Sequence[str]]]


def ndjson_of_bundles(files: Sequence[Path], folder: Path) -> None:
    """Writes the entries of transaction bundles as NDJSON, their references relative."""
    entries = [entry for file in files for entry in json.loads(gzip.decompress(file.read_bytes()))["entry"]]
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries}
    lines: dict[str, list[str]] = {}
    for entry in entries:
        text = _URN.sub(lambda m: f'"reference": "{types[m[1]]}/{m[2]}"', json.dumps(entry["resource"]))
        lines.setdefault(entry["resource"]["resourceType"], []).append(text + "\n")
    for kind, those in lines.items():
        (folder / f"{kind}.ndjson").write_text("".join(those))


def seed(shared: Path, source: Path, out: Path) -> dict[str, tuple[str, str]]:
    """Seeds errors: writes copies with one error each, their controls and bundles.

    Returns:
        By id of the copy: what was done, and the name of its control.
    """
    script = shared / TOOLS / "seed_errors.py"
    subprocess.run([sys.executable, str(script), str(source), str(out)], check=True, capture_output=True, text=True)
    return {key: (title, control) for key, (title, control) in json.loads((out / "seeds.json").read_text()).items()}


def caught(seeds: Mapping[str, tuple[str, str]], each: Each) -> set[str]:
    """The seeds that brought an error which their control has not."""
    found = set()
    for key, (title, control) in seeds.items():
        before = each.get(f"control-{control}", {}).get("error", [])
        if any(message not in before for message in each.get(key, {}).get("error", [])):
            found.add(title)
    return found


def flagged_controls(each: Each) -> list[str]:
    """The controls that have an error."""
    return [key for key, found in each.items() if key.startswith("control-") and found.get("error")]


def require_java(shared: Path) -> dict[str, str]:
    """The environment of the Java judges, or a skip that says what is missing."""
    for program in ("java", "javac", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: the Java judges need a JDK and Maven")
    if not (shared / TOOLS / "judge").is_file():
        pytest.skip("no Java judges among the shared inputs")
    cache = Path(os.environ.get("FHIR_GATES_CACHE", Path.home() / ".cache" / "trajsim" / "fhir-gates"))
    cache.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "FHIR_GATES_CACHE": str(cache), "FHIR_PACKAGES": str(shared / "fhir")}


def judge(
    shared: Path, engine: str, us_core: str, places: Sequence[Path], report: Path, *options: str
) -> dict[str, Any]:
    """Runs a Java judge; Maven fills its cache the first time."""
    environment = require_java(shared)
    command = [str(shared / TOOLS / "judge"), engine, us_core, *options, "--out", str(report), *map(str, places)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    if not report.is_file():
        if "Could not resolve" in done.stderr or "Could not transfer" in done.stderr:
            pytest.skip("Maven cannot fetch the libraries of the Java judges")
        pytest.fail(f"the judge {engine} ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(report.read_text())
    return result
