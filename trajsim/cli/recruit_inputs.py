"""What ``trajsim recruit`` reads: spec, criteria, scenarios, log; every fault of all of them before anything runs."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.cli.keep_modules import KEY as KEEP_MODULES
from trajsim.cli.keep_modules import is_keep_module, with_keep_modules
from trajsim.documents import read_document
from trajsim.errors import DataFileError, TrajsimError
from trajsim.records import Records
from trajsim.trials.criteria.circe import import_circe
from trajsim.trials.criteria.findings import CriteriaError, Finding, errors_of
from trajsim.trials.criteria.form import Definition, Entry, EventCriterion
from trajsim.trials.criteria.hierarchy import Hierarchy, read_hierarchy
from trajsim.trials.criteria.read import decode_criteria
from trajsim.trials.criteria.records_source import RecordsSource
from trajsim.trials.criteria.truth import Reading
from trajsim.trials.forecast import AccrualLog, read_accrual_log
from trajsim.trials.recruitment.chart_review import ChartReview, names_of
from trajsim.trials.recruitment.eligibility import TRUE, Eligibility, Remembered
from trajsim.trials.recruitment.held_codes import code_findings
from trajsim.trials.recruitment.scenarios import (
    RememberedCriteria,
    Scenario,
    changed_specs,
    scenario_worlds,
    scenarios_from,
)
from trajsim.trials.recruitment.world import World, build_world
from trajsim.trials.spec import TrialSpec
from trajsim.trials.spec_reading import spec_from

_T = TypeVar("_T")

_EVERYBODY = Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),)))


class ReadyCriteria(Remembered):
    """Answers that are remembered, and the review that gives them."""

    def __init__(self, inner: ChartReview) -> None:
        """Takes the review."""
        super().__init__(inner)
        self.inner = inner


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialInputs:
    """A trial on its people, ready to be simulated.

    Attributes:
        world: The trial as it is.
        review: Its criteria on the records.
        scenario_worlds: The trial as each scenario changes it.
        remarks: What may be wrong and is no fault.
    """

    world: World
    review: ReadyCriteria
    scenario_worlds: tuple[World, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What the files say.

    Attributes:
        source: File of the spec.
        document: What it holds.
        spec: The trial.
        definition: Its criteria.
        scenarios: What to compare it with.
        log: The trial so far; None without a file.
        hierarchy: Codes below codes; None without a file.
    """

    source: Path
    document: Mapping[str, object]
    spec: TrialSpec
    definition: Definition
    scenarios: tuple[Scenario, ...]
    log: AccrualLog | None
    hierarchy: Hierarchy | None

    def on(self, records: Records, *, seed: int) -> TrialInputs:
        """Brings the trial and its people together.

        Args:
            records: The people.
            seed: Seed of the run.

        Raises:
            DataFileError: They do not go together: a code that no record holds, a target above the catchments and
                whatever else there is, of the trial and of its scenarios, all at once.
        """
        faults = _Faults()
        source = RecordsSource(records, hierarchy=self.hierarchy)
        findings = code_findings(self.definition, source, has_hierarchy=self.hierarchy is not None)
        located = [_located(each, self.spec, self.source) for each in findings]
        errors = errors_of(located)
        review = faults.tried(lambda: _reviewed(self.definition, source, errors, self.spec, self.source))
        asked: Eligibility = review or _AllMet(names_of(self.definition))
        world = faults.tried(lambda: build_world(self.spec, records, asked, seed=seed), prefix=self.source.name)

        def ready(spec: TrialSpec) -> Eligibility:
            if spec.criteria == self.spec.criteria:
                return asked
            definition = definition_of(spec, source=self.source)
            own = [_located(each, spec, self.source) for each in code_findings(definition, source, has_hierarchy=True)]
            return _reviewed(definition, source, errors_of(own), spec, self.source)

        worlds: tuple[World, ...] | None = ()
        if self.scenarios and not faults.lines:
            worlds = faults.tried(
                lambda: scenario_worlds(
                    self.document, self.scenarios, records, RememberedCriteria(ready), source=self.source, seed=seed
                )
            )
        faults.require_none()
        assert review is not None  # or there was a fault
        assert world is not None
        assert worlds is not None
        remarks = tuple(each.render() for each in located if each.severity != "error")
        return TrialInputs(world=world, review=review, scenario_worlds=worlds, remarks=remarks)


def read_inputs(
    path: Path,
    *,
    scenario: Path | None = None,
    accrual_log: Path | None = None,
    as_of: dt.date | None = None,
    sites: Path | None = None,
    hierarchy: Path | None = None,
) -> Inputs:
    """Reads all files.

    Args:
        path: The spec.
        scenario: Scenarios.
        accrual_log: The trial so far.
        as_of: Last day that it covers.
        sites: When its sites opened and closed.
        hierarchy: Codes below codes.

    Raises:
        DataFileError: Every fault of every file, by file and path.
    """
    faults = _Faults()
    document = faults.tried(lambda: read_document(path))
    spec = None if document is None else faults.tried(lambda: spec_from(document, source=path))
    definition = None if document is None else faults.tried(lambda: _criteria_of(document, path))
    scenarios: tuple[Scenario, ...] | None = ()
    if scenario is not None:
        scenarios = faults.tried(lambda: scenarios_from(read_document(scenario), source=scenario))
        if spec is not None and scenarios and isinstance(document, Mapping):
            changed = faults.tried(lambda: changed_specs(document, scenarios or (), source=path))
            for each in changed or ():
                if each.criteria != spec.criteria:
                    faults.tried(lambda each=each: definition_of(each, source=path))  # type: ignore[misc]
    log = None
    if accrual_log is not None and as_of is not None:
        names = None if spec is None else [site.name for site in spec.sites]
        log = faults.tried(lambda: read_accrual_log(accrual_log, as_of=as_of, sites=sites, names=names))
    codes = None if hierarchy is None else faults.tried(lambda: read_hierarchy(hierarchy))
    faults.require_none()
    assert isinstance(document, Mapping)  # or there was a fault
    assert spec is not None
    assert definition is not None
    return Inputs(
        source=path,
        document={str(key): value for key, value in document.items()},
        spec=spec,
        definition=definition,
        scenarios=scenarios or (),
        log=log,
        hierarchy=codes,
    )


def definition_of(spec: TrialSpec, *, source: Path) -> Definition:
    """The criteria of a spec.

    Args:
        spec: The trial.
        source: File of the spec; criteria that stand in it have paths of it.

    Raises:
        CriteriaError: Every fault, by file and path.
    """
    is_inline = spec.criteria_source == source
    return _decoded(spec.criteria, spec.criteria_source, is_inline=is_inline)


def _criteria_of(document: object, path: Path) -> Definition | None:
    """The criteria of a document, whatever else is wrong with it; None where the spec itself tells the fault."""
    value = document.get("criteria") if isinstance(document, Mapping) else None
    if isinstance(value, Mapping):
        return _decoded(value, path, is_inline=True)
    if isinstance(value, str) and value:
        place = path.parent / value
        try:
            found = read_document(place)
        except DataFileError:
            return None
        return _decoded(found, place, is_inline=False) if isinstance(found, Mapping) else None
    return None


def _decoded(criteria: Mapping[str, object], file: Path, *, is_inline: bool) -> Definition:
    """Criteria of a document, and of the keep modules that it names or is."""
    if is_keep_module(criteria):
        return with_keep_modules(_EVERYBODY, [file], file=file.name)
    own = {key: value for key, value in criteria.items() if key != KEEP_MODULES}
    named = criteria.get(KEEP_MODULES)
    if named is None or _is_circe(criteria):
        return _placed(lambda: _without_keep_modules(criteria, file), is_inline=is_inline)
    faults = _Faults()
    paths = faults.tried(lambda: _paths_of(named, file, is_inline=is_inline)) or []
    definition: Definition | None = _EVERYBODY
    if own:
        whole = {"entry": {"any_of": [{"domain": "observation_period"}]}} | own
        definition = faults.tried(lambda: _placed(lambda: _without_keep_modules(whole, file), is_inline=is_inline))
    base = definition or _EVERYBODY
    found = faults.tried(lambda: _placed(lambda: with_keep_modules(base, paths, file=file.name), is_inline=is_inline))
    faults.require_none()
    assert found is not None  # or there was a fault
    return found


def _is_circe(criteria: Mapping[str, object]) -> bool:
    return "PrimaryCriteria" in criteria or "ConceptSets" in criteria


def _without_keep_modules(criteria: Mapping[str, object], file: Path) -> Definition:
    if _is_circe(criteria):
        text = json.dumps(criteria, default=str).encode()
        return import_circe(text, file=file.name, reading=Reading.SCREENING)
    return decode_criteria(dict(criteria), file=file.name)


def _paths_of(named: object, file: Path, *, is_inline: bool) -> list[Path]:
    """The files of keep modules, which lie beside the file that names them."""
    items = named if isinstance(named, list) else [named]
    where = f"{file.name}: $.{'criteria.' if is_inline else ''}{KEEP_MODULES}"
    faults = [
        f"{where}[{place}]: expected the name of a file of its own, got {item!r}"
        for place, item in enumerate(items)
        if not isinstance(item, str) or not item or item in items[:place]
    ]
    if faults:
        raise DataFileError("\n".join(faults))
    return [file.parent / str(item) for item in items]


def _placed(read: Callable[[], Definition], *, is_inline: bool) -> Definition:
    """What a reader gives; the paths of its faults begin at the document that holds the criteria."""
    try:
        return read()
    except CriteriaError as error:
        if not is_inline:
            raise
        raise CriteriaError([_inside(finding) for finding in error.findings]) from error


def _inside(finding: Finding) -> Finding:
    """The same, where criteria stand under the key `criteria` of a spec."""
    return replace(finding, path=f"$.criteria{finding.path.removeprefix('$')}")


def _located(finding: Finding, spec: TrialSpec, source: Path) -> Finding:
    """A finding about criteria that were read, with its file."""
    own = replace(finding, file=spec.criteria_source.name)
    return _inside(own) if spec.criteria_source == source else own


def _reviewed(
    definition: Definition, source: RecordsSource, errors: Sequence[Finding], spec: TrialSpec, file: Path
) -> ReadyCriteria:
    """Criteria on records; their faults and those of their codes together."""
    found = list(errors)
    try:
        review = ChartReview(definition, source)
    except CriteriaError as error:
        found += [_located(each, spec, file) for each in error.findings]
        raise CriteriaError(found) from error
    if found:
        raise CriteriaError(found)
    return ReadyCriteria(review)


class _AllMet:
    """Stands in for criteria that cannot be asked, so that the other faults of a trial are found too."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rule_names = tuple(names)

    def evaluate(self, patient: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.int8]:
        """Everything is met."""
        del time_us
        return np.full((len(patient), len(self.rule_names)), TRUE, np.int8)


class _Faults:
    """What is wrong with several files."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tried(self, read: Callable[[], _T], *, prefix: str = "") -> _T | None:
        """What a reader gives, or None and its faults are noted."""
        try:
            return read()
        except TrajsimError as error:
            lines = error.message.splitlines()
            self.lines += [f"{prefix}: {line}" for line in lines] if prefix else lines
            return None

    def require_none(self) -> None:
        """Raises all faults together."""
        if self.lines:
            raise DataFileError("\n".join(self.lines))
