"""Our own runs as sources, and the last day that any source can know."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.readers.fhir_forms import day_of

_EARLIEST_ZONE = timedelta(hours=14)


def seed_of_run(run: Path) -> int | None:
    """The seed in the manifest of a run of ours; none where there is no manifest."""
    seed = manifest_of_run(run).get("seed")
    return seed if isinstance(seed, int) else None


def end_of_run(source: Path) -> int | None:
    """The day on which a run of ours ended, by the manifest in the folder or the one above; none where it is no run."""
    for folder in (source, source.parent):
        options = manifest_of_run(folder).get("options")
        end = options.get("--end") if isinstance(options, dict) else None
        if isinstance(end, str):
            return day_of(end)
    return None


def manifest_of_run(run: Path) -> Mapping[str, object]:
    """The part ``run`` of the manifest of a run of ours; empty where it is none."""
    path = run / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    found = manifest.get("run") if isinstance(manifest, dict) else None
    return found if isinstance(found, dict) else {}


def last_day_of(source: Path, mapping: SourceMapping) -> int | None:
    """The last day on which anything in a source can have happened.

    Args:
        source: Folder or file.
        mapping: May say it. Records say themselves until when they observe; days since entry are no dates.

    Returns:
        What the mapping says, or else the day of reading, or the end of a run of ours where that is later. None: any
        day can be.
    """
    if mapping.last_day is not None:
        return mapping.last_day
    if mapping.format == "records" or mapping.clock == "entry":
        return None
    today = day_of((datetime.now(UTC) + _EARLIEST_ZONE).date().isoformat())  # sources without zones write local days
    assert today is not None
    return max(today, end_of_run(source) or today)
