"""Must-support coverage: which elements that the claimed profiles want are in the data at least once."""

from collections.abc import Iterable
from typing import Any

from fhir_export.validate.profiles import CompiledProfile


def coverage(claimed: Iterable[CompiledProfile], all_profiles: Iterable[str]) -> dict[str, Any]:
    """The coverage of every profile that some resource claims.

    Args:
        claimed: The profiles that were met, after the run.
        all_profiles: Addresses of the resource profiles of the US Core version.
    """
    profiles = []
    met = set()
    for compiled in sorted(claimed, key=lambda c: c.name):
        met.add(compiled.profile.url)
        places = {support.path: False for support in compiled.supports}
        for support in compiled.supports:
            places[support.path] |= support.is_seen
        missing = sorted(path for path, seen in places.items() if not seen)
        profiles.append(
            {
                "profile": compiled.name,
                "elements": len(places),
                "populated": len(places) - len(missing),
                "missing": missing,
            }
        )
    return {
        "elements": sum(p["elements"] for p in profiles),
        "populated": sum(p["populated"] for p in profiles),
        "profiles": profiles,
        "neverClaimed": sorted(url.rpartition("/")[2] for url in set(all_profiles) - met),
    }
