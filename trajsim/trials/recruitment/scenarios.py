"""What a rescue would change: trials that differ from the spec in a few places, on the same chances.

Every scenario is the spec with some values set, added or removed, read and checked like any other spec. All of them
run on the same seed, so that a candidate whom a change does not touch meets the same fate, and a difference is an
effect and not luck. Differences are taken replicate by replicate.
"""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajsim.documents import Faults, Fields
from trajsim.errors import ConfigError, TrajsimError
from trajsim.records import Records
from trajsim.trials.draws import Performance
from trajsim.trials.recruitment.eligibility import Eligibility, Remembered
from trajsim.trials.recruitment.result import RecruitmentResult
from trajsim.trials.recruitment.run import simulate_recruitment
from trajsim.trials.recruitment.world import World, build_world
from trajsim.trials.spec import TrialSpec
from trajsim.trials.spec_reading import spec_from

Floats = NDArray[np.float64]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One change of a trial.

    Attributes:
        name: Unique.
        put: Values by path, as ``funnel.consent`` or ``sites[0].cap``.
        add: Items by the path of a list, put at its end.
        drop: Names of items by the path of a list.
    """

    name: str
    put: Mapping[str, object]
    add: Mapping[str, Sequence[object]]
    drop: Mapping[str, Sequence[str]]

    def apply(self, document: Mapping[str, object], faults: Faults, path: str) -> dict[str, object]:
        """The changed document; what cannot be changed is a fault."""
        changed = copy.deepcopy(dict(document))
        for where, value in self.put.items():
            _put(changed, where, copy.deepcopy(value), faults, path)
        for where, items in self.add.items():
            old = _list_at(changed, where, faults, f"{path}.add")
            if old is not None:
                old.extend(copy.deepcopy(list(items)))
        for where, names in self.drop.items():
            old = _list_at(changed, where, faults, f"{path}.remove")
            for name in names if old is not None else ():
                hits = [item for item in old or () if item == name or _name_of(item) == name]
                if not hits:
                    faults.add(f"{path}.remove", f"no item {name!r} under {where!r}")
                for item in hits:
                    if old is not None:
                        old.remove(item)
        return changed


def scenarios_from(document: object, *, source: Path) -> tuple[Scenario, ...]:
    """Makes scenarios of a document: a list of ``{name, set, add, remove}`` under ``scenarios``.

    Args:
        document: What the file holds.
        source: Its path, for messages.

    Raises:
        ConfigError: Faults of form, all of them.
    """
    faults = Faults(source.name)
    root = Fields(document, "$", faults)
    found: list[Scenario] = []
    for part in root.each("scenarios"):
        scenario = Scenario(
            name=part.text("name"),
            put=_mapping(part, "set"),
            add={where: _items(value) for where, value in _mapping(part, "add").items()},
            drop={where: [str(name) for name in _items(value)] for where, value in _mapping(part, "remove").items()},
        )
        part.done()
        if scenario.name in {other.name for other in found}:
            part.fault("name", f"the scenario {scenario.name!r} stands twice")
        if not (scenario.put or scenario.add or scenario.drop):
            faults.add(part.path, "changes nothing: expected `set`, `add` or `remove`")
        found.append(scenario)
    root.done()
    if not found:
        faults.add("$.scenarios", "no scenario")
    faults.require_none("the scenarios")
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A scenario minus the trial as it is, replicate by replicate.

    Attributes:
        mean: Mean difference.
        low: Lower end of the 95 % interval of the mean over replicates.
        high: Upper end.
        p10: A tenth of the replicates differ by less.
        p90: A tenth differ by more.
    """

    mean: float
    low: float
    high: float
    p10: float
    p90: float

    @classmethod
    def of(cls, pairs: Floats) -> "Difference":
        """Summarises paired differences; those that are not finite are left out."""
        known = pairs[np.isfinite(pairs)]
        if not len(known):
            return cls(mean=np.nan, low=np.nan, high=np.nan, p10=np.nan, p90=np.nan)
        error = 1.959964 * float(known.std(ddof=1)) / len(known) ** 0.5 if len(known) > 1 else np.nan
        mean = float(known.mean())
        p10, p90 = (float(q) for q in np.quantile(known, (0.1, 0.9)))
        return cls(mean=mean, low=mean - error, high=mean + error, p10=p10, p90=p90)

    def to_json(self) -> dict[str, float | None]:
        """Plain values."""
        return {name: value if np.isfinite(value) else None for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """One scenario beside the trial as it is.

    Attributes:
        name: The scenario.
        result: Its replicates.
        enrolled: Randomized by the planned end of the trial as it is.
        days_to_target: Days to the target, counted to the earlier of both horizons at most.
        probability: Whether the target is reached by the planned end of the trial as it is.
        cost: Total cost.
        cost_per_randomized: Cost over randomized.
    """

    name: str
    result: RecruitmentResult
    enrolled: Difference
    days_to_target: Difference
    probability: Difference
    cost: Difference
    cost_per_randomized: Difference

    def to_json(self) -> dict[str, object]:
        """The differences, and the headline of the scenario itself."""
        planned = self.result.spec.n_planned_days - 1
        return {
            "scenario": self.name,
            "probability_by_its_planned_end": self.result.probability_by(planned),
            "enrolled": self.enrolled.to_json(),
            "days_to_target": self.days_to_target.to_json(),
            "probability": self.probability.to_json(),
            "cost": self.cost.to_json(),
            "cost_per_randomized": self.cost_per_randomized.to_json(),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenarios:
    """The trial as it is, and every scenario beside it."""

    base: RecruitmentResult
    comparisons: tuple[Comparison, ...]

    def to_json(self) -> dict[str, object]:
        """The report of the trial as it is, and a row a scenario."""
        return {"base": self.base.to_json(), "scenarios": [each.to_json() for each in self.comparisons]}


def scenario_worlds(
    document: Mapping[str, object],
    scenarios: Sequence[Scenario],
    records: Records,
    criteria: Callable[[TrialSpec], Eligibility],
    *,
    source: Path,
    seed: int,
) -> tuple[World, ...]:
    """Prepares the scenarios of a trial, so that whatever is wrong with one is known before anything runs.

    Args:
        document: The spec as its file has it.
        scenarios: What to change.
        records: The people.
        criteria: Makes the criteria of a spec ready for the records.
        source: Path of the spec.
        seed: Seed of the run.

    Returns:
        A world a scenario.

    Raises:
        ConfigError: A change cannot be made, makes a faulty spec, or one that does not go with the records; all faults
            of all scenarios at once.
    """
    specs = changed_specs(document, scenarios, source=source)
    faults = Faults(source.name)
    found = []
    for place, (scenario, spec) in enumerate(zip(scenarios, specs, strict=True)):
        try:
            found.append(build_world(spec, records, criteria(spec), seed=seed))
        except TrajsimError as error:
            faults.add(f"$.scenarios[{place}]", f"{scenario.name!r}: {error.message}")
    faults.require_none("the scenarios")
    return tuple(found)


def compare_worlds(
    base: RecruitmentResult,
    scenarios: Sequence[Scenario],
    worlds: Sequence[World],
    *,
    performance: Performance | None = None,
) -> Scenarios:
    """Runs scenarios on the random numbers of a trial that has been simulated.

    Args:
        base: The trial as it is.
        scenarios: What was changed.
        worlds: The changed trials (`scenario_worlds` with the seed of `base`).
        performance: Threads; they change no number.
    """
    comparisons = []
    for scenario, world in zip(scenarios, worlds, strict=True):
        other = simulate_recruitment(world, replicates=base.n_replicates, seed=base.seed, performance=performance)
        comparisons.append(_compared(scenario.name, base, other))
    return Scenarios(base=base, comparisons=tuple(comparisons))


def compare_scenarios(
    document: Mapping[str, object],
    scenarios: Sequence[Scenario],
    records: Records,
    criteria: Callable[[TrialSpec], Eligibility],
    *,
    source: Path,
    replicates: int,
    seed: int,
    performance: Performance | None = None,
) -> Scenarios:
    """Runs a trial and its scenarios on common random numbers.

    Args:
        document: The spec as its file has it.
        scenarios: What to change.
        records: The people.
        criteria: Makes the criteria of a spec ready for the records; asked once for equal criteria.
        source: Path of the spec.
        replicates: How many of each.
        seed: The same for all.
        performance: Threads; they change no number.

    Returns:
        The trial as it is and the differences.

    Raises:
        ConfigError: A change cannot be made or makes a faulty spec; all faults of all scenarios at once, before a run.

    Guarantees:
        A scenario that changes nothing differs by exactly 0. (tests/unit/trials/recruitment/test_scenarios.py)
    """
    base_spec = spec_from(document, source=source)
    remembering = RememberedCriteria(criteria)
    worlds = scenario_worlds(document, scenarios, records, remembering, source=source, seed=seed)
    world = build_world(base_spec, records, remembering(base_spec), seed=seed)
    base = simulate_recruitment(world, replicates=replicates, seed=seed, performance=performance)
    return compare_worlds(base, scenarios, worlds, performance=performance)


class RememberedCriteria:
    """Makes criteria ready once for equal criteria, and remembers their answers."""

    def __init__(self, criteria: Callable[[TrialSpec], Eligibility]) -> None:
        """Takes what makes them ready."""
        self._criteria = criteria
        self._known: list[tuple[Mapping[str, object], Remembered]] = []

    def __call__(self, spec: TrialSpec) -> Remembered:
        """The criteria of a spec."""
        remembered = next((each for content, each in self._known if content == spec.criteria), None)
        if remembered is None:
            remembered = Remembered(self._criteria(spec))
            self._known.append((spec.criteria, remembered))
        return remembered


def changed_specs(
    document: Mapping[str, object], scenarios: Sequence[Scenario], *, source: Path
) -> tuple[TrialSpec, ...]:
    """The spec of every scenario.

    Raises:
        ConfigError: A change cannot be made or makes a faulty spec; all faults of all scenarios at once.
    """
    faults = Faults(source.name)
    specs = []
    for place, scenario in enumerate(scenarios):
        changed = scenario.apply(document, faults, f"$.scenarios[{place}]")
        try:
            specs.append(spec_from(changed, source=source))
        except ConfigError as error:
            faults.add(f"$.scenarios[{place}]", f"{scenario.name!r} makes a faulty spec: {error.message}")
    faults.require_none("the scenarios")
    return tuple(specs)


def _compared(name: str, base: RecruitmentResult, other: RecruitmentResult) -> Comparison:
    planned = base.spec.n_planned_days - 1
    days, other_days = base.target_day(), other.target_day()
    end = min(base.spec.n_days, other.spec.n_days)
    with np.errstate(invalid="ignore"):
        per_randomized = other.cost_per_randomized() - base.cost_per_randomized()
    return Comparison(
        name=name,
        result=other,
        enrolled=Difference.of((other.enrolled_by(planned) - base.enrolled_by(planned)).astype(np.float64)),
        days_to_target=Difference.of(np.minimum(other_days, end) - np.minimum(days, end).astype(np.float64)),
        probability=Difference.of((other_days <= planned).astype(np.float64) - (days <= planned)),
        cost=Difference.of(other.cost - base.cost),
        cost_per_randomized=Difference.of(per_randomized),
    )


def _mapping(part: Fields, key: str) -> Mapping[str, object]:
    value = part.take(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        part.fault(key, "expected a mapping of paths")
        return {}
    return {str(path): item for path, item in value.items()}


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _name_of(item: object) -> object:
    return item.get("name") if isinstance(item, Mapping) else None


def _steps(where: str) -> list[str | int] | None:
    """``sites[0].cap`` as steps; None if it is no path."""
    steps: list[str | int] = []
    at = 0
    while at < len(where):
        match = _STEP.match(where, at)
        if match is None:
            return None
        steps.append(match.group(1) if match.group(2) is None else int(match.group(2)))
        at = match.end()
    return steps or None


def _put(document: dict[str, object], where: str, value: object, faults: Faults, path: str) -> None:
    steps = _steps(where)
    if steps is None:
        faults.add(f"{path}.set", f"expected a path as funnel.consent or sites[0].cap, got {where!r}")
        return
    here: object = document
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            if not isinstance(here, list) or step >= len(here):
                faults.add(f"{path}.set", f"{where!r}: there is no item {step}")
                return
            if following is None:
                here[step] = value
                return
            here = here[step]
        elif isinstance(here, dict):
            if following is None:
                here[step] = value
                return
            here = here.setdefault(step, {})
        else:
            faults.add(f"{path}.set", f"{where!r}: {step!r} does not lie in a mapping")
            return


def _list_at(document: dict[str, object], where: str, faults: Faults, path: str) -> list[object] | None:
    here: object = document
    for step in _steps(where) or ():
        if isinstance(here, dict) and isinstance(step, str):
            here = here.setdefault(step, [])
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
    if not isinstance(here, list):
        faults.add(path, f"{where!r} is no list")
        return None
    return here
