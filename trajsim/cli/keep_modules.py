"""Translates keep modules of Synthea, which say whom a run keeps, into criteria of a trial.

A keep module is a GMF module that runs once, when a life has been simulated, and keeps whoever ends in its state
``Keep``. Criteria are asked at a visit, so the visit takes the place of that moment. Every way through the module
becomes one statement about the patient; what criteria cannot say (attributes, symptoms, what the module has visited,
the latest value of an observation) is refused by name and JSON path, all of it at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trajsim.cli.keep_conditions import Statement, Untranslatable, all_of, branched, statement_of
from trajsim.cli.keep_criteria import KeepCriteria, criteria_of
from trajsim.errors import DataFileError
from trajsim.gmf.model import (
    ComplexTransition,
    Condition,
    ConditionalTransition,
    DirectTransition,
    Guard,
    Initial,
    Module,
    Simple,
    State,
    Terminal,
)
from trajsim.gmf.parse import parse_module
from trajsim.gmf.walk import state_path, transition_key
from trajsim.trials.criteria.findings import require_no_errors
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.lint import lint

KEEP = "Keep"
KEY = "keep_modules"
_PASSED = (Initial, Simple, Guard)


def is_keep_module(document: Mapping[str, object]) -> bool:
    """Whether a document is a module of GMF and no criteria."""
    return "states" in document and "entry" not in document and "rules" not in document


def with_keep_modules(definition: Definition, paths: Sequence[Path], *, file: str) -> Definition:
    """Criteria that keep modules are added to: whoever they would not keep is not eligible.

    Args:
        definition: The criteria without them.
        paths: The modules.
        file: The file that names them, for messages.

    Returns:
        The criteria with the rules of the modules behind their own.

    Raises:
        DataFileError: A module cannot be read, is faulty, or says what criteria cannot say; all faults at once.
        CriteriaError: The rules of the modules and the others do not go together.
    """
    faults: list[str] = []
    read: list[KeepCriteria] = []
    for place, path in enumerate(paths):
        try:
            found = read_keep_module(path)
        except DataFileError as error:
            faults += error.message.splitlines()
            continue
        here = f"$.{KEY}[{place}]"
        read.append(
            KeepCriteria(
                rules=tuple(replace(rule, path=here, group=replace(rule.group, path=here)) for rule in found.rules),
                code_sets=tuple(replace(each, path=here) for each in found.code_sets),
            )
        )
    if faults:
        raise DataFileError("\n".join(faults))
    whole = replace(
        definition,
        rules=(*definition.rules, *(rule for each in read for rule in each.rules)),
        code_sets=(*definition.code_sets, *(code_set for each in read for code_set in each.code_sets)),
    )
    require_no_errors(replace(finding, file=file) for finding in lint(whole))
    return whole


def read_keep_module(path: Path) -> KeepCriteria:
    """Reads one keep module and translates it.

    Args:
        path: The file.

    Returns:
        Rules, one for each of the things that must all hold, named after the file; and the code sets that they name.

    Raises:
        DataFileError: It cannot be read, is faulty, or says what criteria cannot say; every fault by name and path.

    Example:
        >>> read_keep_module(Path("keep_diabetes.json")).rules[0].name  # doctest: +SKIP
        'keep_diabetes'
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise DataFileError(msg) from error
    module, findings = parse_module(data, key=path.stem, file=path)
    if module is None:
        lines = [finding.render() for finding in findings if finding.severity == "error"]
        raise DataFileError("\n".join(lines))
    walk = _Walk(module)
    kept = walk.kept("Initial", ())
    faults = [f"{path.name}: {fault.path}: {fault.sentence}" for fault in dict.fromkeys(walk.faults)]
    if not faults and isinstance(kept, bool):
        sentence = "everybody" if kept else "nobody"
        faults = [f"{path.name}: $.states: the module keeps {sentence}, so it says nothing about patients"]
    if faults:
        raise DataFileError("\n".join(faults))
    assert not isinstance(kept, bool)  # or there was a fault
    return criteria_of(kept, name=path.stem)


class _Walk:
    """Goes through a module and says of each state who ends in Keep from there."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._known: dict[str, Statement] = {}
        self.faults: list[Untranslatable] = []
        if KEEP not in module.states:
            self._fault("$.states", f"no state is called {KEEP!r}, so the module keeps nobody")

    def kept(self, name: str, above: tuple[str, ...]) -> Statement:
        """Who ends in Keep from a state; whatever cannot be said is noted and counts as not kept."""
        state = self._module.states.get(name)
        if state is None:
            return self._fault("$.states", f"no state is called {name!r}")
        if name in above:
            return self._fault(state_path(name), f"the state {name!r} is reached again from itself")
        if name not in self._known:
            self._known[name] = self._kept(state, (*above, name))
        return self._known[name]

    def _kept(self, state: State, above: tuple[str, ...]) -> Statement:
        if isinstance(state, Terminal):
            return state.name == KEEP
        if state.name == KEEP:
            return self._fault(state_path(KEEP), f"the state {KEEP!r} must be a Terminal")
        if not isinstance(state, _PASSED):
            kind = type(state).__name__
            return self._fault(state_path(state.name), f"a state of type {kind} cannot be said by criteria")
        onward = self._onward(state, above)
        if isinstance(state, Guard):
            return all_of([self._said(state, ("allow",), state.allow), onward])
        return onward

    def _onward(self, state: State, above: tuple[str, ...]) -> Statement:
        transition = state.transition
        if isinstance(transition, DirectTransition):
            return self.kept(transition.transition, above)
        if isinstance(transition, ConditionalTransition | ComplexTransition):
            ways = [(option.condition, option.transition) for option in transition.options if option.transition]
            if len(ways) == len(transition.options):
                return self._first_that_holds(state, ways, above)
        what = "no transition" if transition is None else f"a {transition_key(transition)} with chances"
        at = () if transition is None else (transition_key(transition),)
        return self._fault(state_path(state.name, at), f"{what} cannot be said by criteria")

    def _first_that_holds(
        self, state: State, ways: Sequence[tuple[Condition | None, str]], above: tuple[str, ...]
    ) -> Statement:
        """The first way whose condition holds is taken; the last one where none does."""
        assert state.transition is not None  # it has ways
        key = transition_key(state.transition)
        found: list[tuple[Statement, Statement]] = []
        for place, (condition, target) in enumerate(ways):
            is_sure = condition is None or place == len(ways) - 1
            said = True if is_sure or condition is None else self._said(state, (key, place, "condition"), condition)
            found.append((said, self.kept(target, above)))
            if is_sure:
                break
        kept: Statement = False
        for said, onward in reversed(found):
            kept = branched(said, onward, kept)
        return kept

    def _said(self, state: State, steps: tuple[str | int, ...], condition: Condition) -> Statement:
        return statement_of(condition, lambda more: state_path(state.name, (*steps, *more)), self.faults)

    def _fault(self, path: str, sentence: str) -> bool:
        self.faults.append(Untranslatable(path, sentence))
        return False
