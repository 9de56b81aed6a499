"""Codes of the reference that trajsim leaves out on purpose: they are listed, not compared."""

from collections.abc import Mapping
from dataclasses import replace

from trajsim.evaluate.parity.reference import Reference

_QUALITY_OF_LIFE = (
    "written by Java's Quality of Life module from disability weights whose licence forbids commercial use; trajsim "
    "has no such module, and no clinical module reads its results"
)
LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("observation", "DALY"): _QUALITY_OF_LIFE,
    ("observation", "QALY"): _QUALITY_OF_LIFE,
    ("observation", "QOLS"): _QUALITY_OF_LIFE,
}
"""Why, by kind and code."""


def without_left_out(reference: Reference) -> Reference:
    """The reference without these codes."""
    observed = {code for kind, code in LEFT_OUT if kind == "observation"}
    tables = dict(reference.tables)
    for name, frame in reference.tables.items():
        if "code" not in frame.columns:
            continue
        if "kind" in frame.columns:
            keys = zip(frame["kind"], frame["code"], strict=True)
            tables[name] = frame[[key not in LEFT_OUT for key in keys]].reset_index(drop=True)
        elif name.startswith("observation_"):
            tables[name] = frame[~frame["code"].isin(observed)].reset_index(drop=True)
    totals = reference.totals
    has_any = len(tables["codes"]) < len(reference["codes"])
    if totals is not None and has_any:  # its count of observations holds them too
        totals = totals.drop(columns="observations", errors="ignore")
    return replace(reference, tables=tables, totals=totals)


def left_out_rows() -> list[Mapping[str, str]]:
    """For the list of what is not compared."""
    return [{"what": f"{kind} {code}", "why": why} for (kind, code), why in LEFT_OUT.items()]
