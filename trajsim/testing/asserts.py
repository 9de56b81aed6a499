"""Comparisons that say where two things differ, not only that they do."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.life import Life
from trajsim.engine.program import Program
from trajsim.engine.reference import simulate_patient
from trajsim.engine.simulate import simulate_life
from trajsim.errors import EngineFault
from trajsim.testing.strategies import Scenario
from trajsim.trajectory_model import TrajectoryModel

Place = tuple[str, str, int, int]  # module, state, patient, time


def differing_rows(first: NDArray[np.void], second: NDArray[np.void], catalogue: Catalogue) -> list[str]:
    """The first rows at which two logs differ, in words; empty if they are equal in every bit of every field."""
    names = first.dtype.names or ()
    if len(first) == len(second) and all(first[name].tobytes() == second[name].tobytes() for name in names):
        return []
    common = min(len(first), len(second))
    at = next((k for k in range(common) if first[k].tolist() != second[k].tolist()), common)
    words = [f"{len(first)} and {len(second)} rows; the first difference is in row {at}"]
    for title, log in (("first", first), ("second", second)):
        words += [f"{title} {_row(log[k], k, catalogue)}" for k in range(max(at - 2, 0), min(at + 2, len(log)))]
    return words


def _row(row: np.void, index: int, catalogue: Catalogue) -> str:
    source = catalogue.sources[int(row["state"])]
    kind = EventKind(int(row["kind"])).name
    return f"[{index}] {kind} of {source.module} {source.state!r} child {source.child}: {row.tolist()!r}"


def life_or_fault(simulate: Callable[[], Life]) -> Life | Place:
    """A life, or the place where the engine stopped."""
    try:
        return simulate()
    except EngineFault as fault:
        return fault.module, fault.state, fault.patient_id, fault.time_ms


def assert_same_lives(first: Life | Place, second: Life | Place, catalogue: Catalogue) -> None:
    """Two lives must be the same: events byte for byte, death, attributes, history; or both stop at the same place."""
    if not isinstance(first, Life) or not isinstance(second, Life):
        assert first == second, f"one engine stopped or both did, at different places: {first} and {second}"
        return
    rows = differing_rows(first.events, second.events, catalogue)
    assert not rows, "\n".join(rows)
    assert first.death_ms == second.death_ms, f"death at {first.death_ms} and at {second.death_ms}"
    kinds = [{(name, type(value), value) for name, value in life.attributes.items()} for life in (first, second)]
    assert kinds[0] == kinds[1], f"attributes: only {kinds[0] - kinds[1]}, only {kinds[1] - kinds[0]}"
    modules = first.history.keys() | second.history.keys()
    other = [name for name in sorted(modules) if first.history.get(name) != second.history.get(name)]
    assert not other, "\n".join(f"{name}:\n{first.history.get(name)}\n{second.history.get(name)}" for name in other)


def assert_machine_equals_reference(
    scenario: Scenario,
    *,
    program: Program | None = None,
    model: TrajectoryModel | None = None,
    death_offset: NDArray[np.float64] | None = None,
) -> None:
    """Every patient of a scenario lives the same life on the virtual machine and in the reference interpreter."""
    learned: dict[str, Any] = {"model": model, "death_offset": death_offset}
    cohort, options = scenario.cohort, scenario.options
    catalogue = Catalogue(scenario.modules, extra_strings=cohort.texts())
    if program is None:
        program = compile_modules(scenario.modules, catalogue=catalogue, lifecycle=options.lifecycle)
    for row in range(len(cohort)):

        def reference(row: int = row) -> Life:
            return simulate_patient(scenario.modules, catalogue, cohort, row, options, history=True, **learned)

        def machine(row: int = row) -> Life:
            return simulate_life(
                scenario.modules, catalogue, cohort, row, options, history=True, program=program, **learned
            )

        assert_same_lives(life_or_fault(reference), life_or_fault(machine), catalogue)
