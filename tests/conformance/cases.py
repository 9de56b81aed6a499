"""Conformance cases: reading them, living them, comparing what came out with what the case expects.

The format is that of the shared cases (the README beside them); `README.md` in this folder says what our own cases add.
Everything that is expected comes from the files; what a file says and this reader does not know is an error, never
ignored.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance import observed
from tests.conformance.statistics import compare_counts, compare_durations
from trajsim.engine.events import Catalogue
from trajsim.engine.life import Life
from trajsim.engine.options import SimulationOptions
from trajsim.errors import EngineFault
from trajsim.gmf.library import load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.units import ms_from_iso

Simulate = Callable[..., Life]

_SEED = 20_260_101
_CASE_KEYS = frozenset({"about", "person", "run", "kind", "expect"})
_PERSON_ATTRIBUTES = {
    "sex": "gender",
    "race": "race",
    "ethnicity": "ethnicity",
    "language": "first_language",
    "income": "income",
    "socioeconomic_status": "socioeconomic_category",
}
_PERSON_KEYS = frozenset({"birth", "attributes", "vital_signs", *_PERSON_ATTRIBUTES})
_RUN_KEYS = frozenset({"end", "time_step_ms", "persons"})
_EXACT_KEYS = frozenset({"history", "attributes", "death_ms", "cause_of_death", "encounters", "coercions", "fault"})
_STATISTICAL_KEYS = frozenset({"end_state", "duration_ms", "death_ms"})
_UNORDERED = frozenset({"components"})
_TEXTS = frozenset({"unit", "category"})  # an empty text says as little as none
# What a case may say about a record and Java's recorder leaves out: compared where the case says it.
_OPTIONAL = frozenset({"reactions"})


class CaseError(ValueError):
    """A case that cannot be run: unknown keys, missing files."""


@dataclass(frozen=True)
class Case:
    """One case folder."""

    name: str
    folder: Path
    person: Mapping[str, Any]
    run: Mapping[str, Any]
    is_exact: bool
    expect: Mapping[str, Any]


def case_folders(root: Path) -> list[Path]:
    """The case folders below a folder.

    Raises:
        CaseError: It holds none, or one of them has no case.json.
    """
    if not root.is_dir():
        msg = f"no folder {root}"
        raise CaseError(msg)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    if not folders:
        msg = f"no case folder in {root}"
        raise CaseError(msg)
    bare = [path.name for path in folders if not (path / "case.json").is_file()]
    if bare:
        msg = f"no case.json in {', '.join(bare)}"
        raise CaseError(msg)
    return folders


def read_case(folder: Path) -> Case:
    """Reads a case folder.

    Raises:
        CaseError: A key is unknown or missing.
    """
    try:
        document = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{folder.name}: case.json: {error}"
        raise CaseError(msg) from error
    _require_keys(folder, "case.json", document, allowed=_CASE_KEYS, needed=_CASE_KEYS)
    _require_keys(folder, "person", document["person"], allowed=_PERSON_KEYS, needed={"birth", "sex"})
    _require_keys(folder, "run", document["run"], allowed=_RUN_KEYS, needed={"end", "time_step_ms"})
    if document["kind"] not in {"exact", "statistical"}:
        msg = f"{folder.name}: kind is {document['kind']!r}, expected 'exact' or 'statistical'"
        raise CaseError(msg)
    is_exact = document["kind"] == "exact"
    _require_keys(folder, "expect", document["expect"], allowed=_EXACT_KEYS if is_exact else _STATISTICAL_KEYS)
    if not document["expect"]:
        msg = f"{folder.name}: expects nothing"
        raise CaseError(msg)
    if not is_exact and "persons" not in document["run"]:
        msg = f"{folder.name}: a statistical case needs run.persons"
        raise CaseError(msg)
    return Case(folder.name, folder, document["person"], document["run"], is_exact, document["expect"])


def _require_keys(
    folder: Path,
    where: str,
    given: Mapping[str, Any],
    *,
    allowed: frozenset[str],
    needed: frozenset[str] | set[str] = frozenset(),
) -> None:
    unknown, missing = sorted(set(given) - allowed), sorted(set(needed) - set(given))
    if unknown or missing:
        msg = f"{folder.name}: {where}: unknown keys {unknown}, missing keys {missing}"
        raise CaseError(msg)


# --- living it --------------------------------------------------------------------------------------------------------


def cohort_of(case: Case, count: int) -> Cohort:
    """The person of a case, `count` times."""
    attributes = {_PERSON_ATTRIBUTES[key]: value for key, value in case.person.items() if key in _PERSON_ATTRIBUTES}
    columns = {name: _column(value, count) for name, value in attributes.items()}
    for name, value in case.person.get("attributes", {}).items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        columns[name] = _column(float(value) if is_number else value, count)
    return Cohort(
        patient_id=np.arange(count, dtype=np.uint64),
        birth_ms=np.full(count, ms_from_iso(case.person["birth"]), np.int64),
        death_ms=np.full(count, NEVER_MS, np.int64),
        attributes=columns,
        vital_signs=case.person.get("vital_signs", {}),
    )


def _column(value: object, count: int) -> AttributeColumn:
    if isinstance(value, bool):
        return AttributeColumn(kind="boolean", values=np.full(count, value))
    if isinstance(value, int):
        return AttributeColumn(kind="integer", values=np.full(count, value, np.int64))
    if isinstance(value, float):
        return AttributeColumn(kind="number", values=np.full(count, value))
    return AttributeColumn(kind="text", values=np.zeros(count, np.int32), categories=(str(value),))


@dataclass(frozen=True)
class Lived:
    """What came out of a case: the lives and what reads them."""

    modules: ModuleSet
    catalogue: Catalogue
    lives: list[Life]
    fault: EngineFault | None = None


def live(case: Case, simulate: Simulate) -> Lived:
    """Runs a case: one life, or as many as a statistical case asks for."""
    count = 1 if case.is_exact else int(case.run["persons"])
    modules = load_modules(case.folder / "modules")
    cohort = cohort_of(case, count)
    catalogue = Catalogue(modules, extra_strings=cohort.texts())
    options = SimulationOptions(
        seed=_SEED,
        end_ms=ms_from_iso(case.run["end"]),
        time_step_ms=int(case.run["time_step_ms"]),
        lifecycle=Lifecycle.NONE,
    )
    try:
        lives = [simulate(modules, catalogue, cohort, row, options, history=True) for row in range(count)]
    except EngineFault as fault:
        if "fault" not in case.expect:
            raise
        return Lived(modules, catalogue, [], fault)
    return Lived(modules, catalogue, lives)


# --- comparing it -----------------------------------------------------------------------------------------------------


def differences(case: Case, lived: Lived) -> list[str]:
    """What differs between what a case expects and what came out; empty if nothing does."""
    return list(_exact(case, lived) if case.is_exact else _statistical(case, lived))


def result_of(life: Life, catalogue: Catalogue) -> dict[str, Any]:
    """A life in the words of an exact case."""
    return {
        "history": observed.history_of(life),
        "attributes": observed.attributes_of(life),
        "death_ms": None if life.death_ms is None else life.death_ms - life.birth_ms,
        "cause_of_death": observed.cause_of_death(life, catalogue),
        "encounters": observed.encounters_of(life, catalogue),
        "coercions": observed.coercions_of(life, catalogue),
    }


def _exact(case: Case, lived: Lived) -> Iterator[str]:
    if "fault" in case.expect:
        fault = lived.fault
        got = fault and {"module": fault.module, "state": fault.state}
        yield from _unlike("fault", case.expect["fault"], got)
        return
    result = result_of(lived.lives[0], lived.catalogue)
    # A case that says nothing of coercions or of a cause expects none.
    expect = {"coercions": [], "cause_of_death": None, **case.expect}
    for key, wanted in expect.items():
        yield from _unlike(key, wanted, result[key])


def _unlike(path: str, wanted: object, got: object) -> Iterator[str]:
    """Differences of two JSON values; absent and null are alike."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(set(wanted) | set(got)):
            if not (key in _OPTIONAL and key not in wanted):
                yield from _unlike(f"{path}.{key}", wanted.get(key), got.get(key))
    elif isinstance(wanted, list) and isinstance(got, list):
        if path.rpartition(".")[2] in _UNORDERED:
            wanted, got = sorted(wanted, key=_sort_key), sorted(got, key=_sort_key)
        if len(wanted) != len(got):
            yield f"{path}: expected {len(wanted)} items, got {len(got)}: {_short(wanted)} against {_short(got)}"
        for index, (left, right) in enumerate(zip(wanted, got, strict=False)):
            yield from _unlike(f"{path}[{index}]", left, right)
    elif path.rpartition(".")[2] in _TEXTS and not wanted and not got:
        return
    elif isinstance(wanted, bool) != isinstance(got, bool) or wanted != got:
        yield f"{path}: expected {_short(wanted)}, got {_short(got)}"


def _sort_key(value: object) -> str:
    codes = value.get("codes") if isinstance(value, dict) else value
    return json.dumps(codes, sort_keys=True)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 300 else text[:300] + " ..."


def _statistical(case: Case, lived: Lived) -> Iterator[str]:
    lives = lived.lives
    for key, wanted in case.expect.items():
        if key == "end_state":
            yield from compare_counts("end_state", wanted, _end_states(case, lived))
        elif key == "duration_ms":
            for state, expected in wanted.items():
                values, unfinished = _durations(lives, state)
                yield from compare_durations(f"duration_ms.{state}", expected, values, unfinished)
        else:
            values = [life.death_ms - life.birth_ms for life in lives if life.death_ms is not None]
            yield from compare_durations("death_ms", wanted, values, len(lives) - len(values))


def _end_states(case: Case, lived: Lived) -> dict[str, int]:
    """Where the module stands in the end.

    That is the one top-level module that has all the states that the case names; all of them, if the counts say so.
    """
    wanted = case.expect["end_state"]
    modules = list(lived.modules.top_level())
    if sum(wanted.values()) != len(modules) * len(lived.lives):
        modules = [module for module in modules if set(wanted) <= set(module.states)]
        if len(modules) != 1:
            msg = f"{case.name}: {len(modules)} modules have the states {sorted(wanted)}"
            raise CaseError(msg)
    counts: dict[str, int] = {}
    for life in lived.lives:
        for module in modules:
            state = life.history[module.name][-1].state
            counts[state] = counts.get(state, 0) + 1
    return counts


def _durations(lives: list[Life], state: str) -> tuple[list[int], int]:
    """Times between entering and leaving a state, and how many have not left it."""
    rows = [row for life in lives for rows in life.history.values() for row in rows if row.state == state]
    left = [row.exited_ms - row.entered_ms for row in rows if row.exited_ms is not None and row.entered_ms is not None]
    return left, len(rows) - len(left)
