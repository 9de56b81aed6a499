"""Hypothesis strategies: whole random module sets, with the people who run through them.

Everything that GMF knows can come out, in small pools of names, so that modules meet: one code as a condition and as a
drug, one state name in several files, one attribute with values of many kinds. Most cycles let time pass; some spin,
and then every interpreter must stop at the same place.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from trajsim.engine.options import SimulationOptions
from trajsim.gmf.findings import errors_of
from trajsim.gmf.model import LookupTable, Module, ModuleSet
from trajsim.gmf.parse import parse_module
from trajsim.gmf.rules.references import reference_errors
from trajsim.gmf.tables import mismatch, parse_table
from trajsim.gmf.walk import table_uses
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.testing.draw_parts import ATTRIBUTES, LIKELY_TYPES, STATE_NAMES, TEXTS, Json, Parts
from trajsim.testing.draw_states import STATE_TYPES, States
from trajsim.units import DAY_MS, ms_from_iso

# The core turn of the lifecycle comes before Zeta; of the last two sets, some or all run before it.
_TOP_KEYS = (
    ("beta", "alpha", "Zeta"), ("Aorta", "beta", "COVID-19"), ("COVID-19 Immunization Module", "Aorta", "BB"),
)  # fmt: skip
_SUB_KEYS = ("sub/one", "sub/two", "other/three")
_BIRTHS = (
    "2000-01-01", "1968-02-29", "1969-12-31T23:59:59.999", "1970-01-31", "2014-12-31", "2016-02-29T13:30:00",
    "1999-08-30", "2019-10-31", "1931-05-31", "2003-06-15T06:00:00", "2013-04-01", "2009-01-15",
)  # fmt: skip
_STEPS_DAYS = (7, 30, 1, 91, 10, 0.25)
_KINDS_OF_SICKNESS = (
    *("SetAttribute", "SetAttribute", "SetAttribute", "MedicationOrder", "Delay", "DiagnosticReport", "Observation"),
    *("VitalSign", "CarePlanStart", "ConditionOnset", "Guard", "Simple", "MedicationEnd", "ConditionEnd", "Encounter"),
    *("EncounterEnd", "EncounterEnd", "Death"),
)
_PAUSES = tuple(
    {"exact": {"quantity": quantity, "unit": unit}}
    for quantity, unit in ((1, "years"), (100, "days"), (3, "years"), (1, "weeks"), (10, "hours"))
)
# With a lifecycle: what happens at 16, 18, 20, 28, 65 years and in 2020 to 2022 must come within the run.
_LIFE_BIRTHS = (
    "1990-12-20", "2004-11-30T18:00:00", "1951-07-04", "1975-02-28", "1928-02-29", "2008-12-31", "1949-03-17T11:59:00",
    *_BIRTHS,
)  # fmt: skip
_LIFE_STEPS_DAYS = (365, 182, 365, 91, 400, 182, 300, 7, 30, 60, 1, 0.25)
_LENGTHS_DAYS = (None, None, None, None, None, 1, 40, 400, 1_000)
_LIFE_LENGTHS_DAYS = (*[None] * 12, 1, 400, 8_000, 20_000, 25_000)
_MOST_STEPS, _MOST_LONG_STEPS = 120, 75


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Modules, patients and options of a run.

    Attributes:
        files: Module files by key.
        table_files: Texts of the lookup tables by file name.
        modules: The same, parsed.
        cohort: Who lives.
        options: How.
    """

    files: Mapping[str, Json]
    table_files: Mapping[str, str]
    modules: ModuleSet
    cohort: Cohort
    options: SimulationOptions


def load(files: Mapping[str, Json], table_files: Mapping[str, str]) -> ModuleSet:
    """Parses module files and lookup tables that are not on disk.

    Raises:
        AssertionError: They have errors.
    """
    modules: dict[str, Module] = {}
    for key in sorted(files):
        module, findings = parse_module(json.dumps(files[key]).encode(), key=key, file=Path(f"{key}.json"))
        assert module is not None, [finding.render() for finding in errors_of(findings)]
        modules[key] = module
    errors = list(reference_errors(modules))
    assert not errors, [finding.render() for finding in errors]
    tables: dict[tuple[str, int], LookupTable] = {}
    for _, _, transition in table_uses(modules):
        name, n = transition.options[0].lookup_table_name, len(transition.options)
        table, findings = parse_table(table_files[name].encode(), name=name, n_targets=n, file=Path(name))
        assert table is not None, [finding.render() for finding in findings]
        assert mismatch(table, [option.transition for option in transition.options]) is None
        tables[name, n] = table
    return ModuleSet(modules=modules, tables=tables)


class _Files:
    """Draws the files of a module set."""

    def __init__(self, parts: Parts, *, spins: bool) -> None:
        self.parts = parts
        self.states = States(parts)
        self.table_files: dict[str, str] = {}
        self._spins = spins

    def file(self, key: str, callees: Sequence[str], *, n_states: int) -> Json:
        """One module; it may call the given submodules."""
        parts = self.parts
        parts.life = parts.pick((7, 2))
        names = ["Initial"]
        types = ["Initial"]
        for name in sorted(STATE_NAMES, key=lambda _: parts.whole(0, 99))[:n_states]:
            names.append(name)
            likely = LIKELY_TYPES.get(name)
            if callees and parts.one_in(6):
                types.append("CallSubmodule")
            else:
                types.append(likely if likely and not parts.one_in(3) else parts.pick(STATE_TYPES))
        self._end_visits(types)
        states: dict[str, Json] = {}
        for position, (name, kind) in enumerate(zip(names, types, strict=True)):
            if kind == "CallSubmodule":
                states[name] = {"type": kind, "submodule": parts.pick(callees)}
            elif kind == "Initial":
                states[name] = {"type": kind}
            else:
                states[name] = self.states.state(kind, positive=not parts.one_in(6))
            self._lead_on(states[name], position, names, types, f"{key.replace('/', '_')}_{name}.csv")
        again = {"type": "Delay", **parts.length(positive=True)}
        states["Again"] = {**again, "distributed_transition": [self._option(parts.pick(names)) for _ in range(3)]}
        states["End"] = {"type": "Terminal"}
        return {"name": f"Module {key}", "states": states}

    def sickness(self) -> Json:
        """A module that tells the lifecycle of diseases and drugs, asks it for everything, and begins again."""
        parts = self.parts
        parts.life = 1
        kinds = ["Initial", *(parts.pick(_KINDS_OF_SICKNESS) for _ in range(parts.whole(2, 12))), "Delay"]
        names = [kind if kind == "Initial" else f"L{number}" for number, kind in enumerate(kinds)]
        states: dict[str, Json] = {}
        for position, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            states[name] = {"type": kind} if kind == "Initial" else self.states.state_of_sickness(kind)
            following = (names[position + 1 :] or ["Again"])[0]
            form = parts.whole(0, 5)
            if form <= 3:
                states[name]["direct_transition"] = following
            elif form == 4:
                other = {"transition": parts.pick([*names[position + 1 :], "Again"]), "condition": parts.condition()}
                states[name]["conditional_transition"] = [other, {"transition": following}]
            else:
                states[name]["distributed_transition"] = [self._option("Again"), self._option(following)]
        again = [
            self._option(names[1]),
            self._option(parts.pick(names[1:])),
            {"transition": "End", "distribution": 0.1},
        ]
        states["Again"] = {"type": "Delay", **parts.pick(_PAUSES), "distributed_transition": again}
        states["End"] = {"type": "Terminal"}
        return {"name": "Sickness", "states": states}

    def _end_visits(self, types: list[str]) -> None:
        """Puts an EncounterEnd soon after most Encounters: a lock that is held for life stops everybody."""
        for position in range(len(types) - 2):
            if types[position] == "Encounter" and not self.parts.one_in(4):
                types[position + self.parts.whole(1, 2)] = "EncounterEnd"

    def _lead_on(self, state: Json, position: int, names: Sequence[str], types: Sequence[str], table: str) -> None:
        """Adds the transition."""
        if state["type"] == "Physiology":
            state["alt_direct_transition"] = self._target(position, names, types)
        elif state["type"] != "Terminal":
            state.update(self._transition(position, names, types, table))

    def _target(self, position: int, names: Sequence[str], types: Sequence[str]) -> str:
        """Mostly the next state, or one after it; sometimes back to a state that takes time."""
        parts = self.parts
        form = parts.whole(0, 11)
        if form >= 9:
            back = [k for k in range(1, position + 1) if types[k] == "Delay"]
            if back:
                return names[parts.pick(back)]
        if form == 8 and self._spins:
            return names[parts.whole(0, len(names) - 1)]
        forward = [*names[position + 1 :], "Again", "End"]
        return forward[0] if form < 6 else parts.pick(forward)

    def _transition(self, position: int, names: Sequence[str], types: Sequence[str], table: str) -> Json:
        parts = self.parts

        def target() -> str:
            return self._target(position, names, types)

        def shares() -> list[Json]:
            return [self._option(target()) for _ in range(parts.whole(1, 3))]

        form = parts.whole(0, 11)
        if form <= 4:
            return {"direct_transition": target()}
        if form <= 6:
            options = [{"transition": target(), "condition": parts.condition()} for _ in range(parts.whole(1, 2))]
            return {"conditional_transition": [*options, {"transition": target()}][: parts.whole(1, 3)]}
        if form == 7:
            return {"distributed_transition": shares()}
        if form == 8:
            return {
                "type_of_care_transition": {"ambulatory": target(), "emergency": target(), "telemedicine": target()}
            }
        if form == 9:
            return self._lookup(sorted({target() for _ in range(3)}), table)
        complex_options = [
            {
                **parts.maybe("condition", parts.condition),
                **({"distributions": shares()} if parts.one_in(2) else {"transition": target()}),
            }
            for _ in range(parts.whole(1, 3))
        ]
        return {"complex_transition": complex_options}

    def _option(self, target: str) -> Json:
        parts = self.parts
        share: object = parts.share()
        if parts.one_in(4):
            share = {"attribute": parts.probability_attribute(), "default": share}
        return {"transition": target, "distribution": share}

    def _lookup(self, targets: Sequence[str], table: str) -> Json:
        """A lookup-table transition; its table is written on the way."""
        parts = self.parts
        columns = [*(["time"] if parts.one_in(3) else []), *(["age"] if parts.one_in(2) else [])]
        keys = sorted({parts.attribute() for _ in range(parts.whole(0, 2))} - set(targets))
        if not columns and not keys:
            keys = ["gender"]
        lines = [",".join([*columns, *keys, *targets])]
        for _ in range(parts.whole(0, 4)):
            row: list[str] = []
            for column in columns:
                low = parts.whole(0, 3)
                row.append(
                    f"{low}-{low + parts.whole(0, 2)}" if column == "age"
                    else parts.pick(("1960-01-01-2001-01-15", "2001-01-16-2030-01-01", "0-1000000000000"))
                )  # fmt: skip
            row += [parts.pick(("M", "3", "3.0", "true", "yes", "1.0E7", "0.5", "-1", "0", "1")) for _ in keys]
            lines.append(",".join([*row, *(str(parts.share()) for _ in targets)]))
        self.table_files[table] = "\n".join(lines) + "\n"
        options = [
            {"transition": name, "lookup_table_name": table, **parts.maybe("default_probability", parts.share)}
            for name in targets
        ]
        return {"lookup_table_transition": options[::-1] if parts.one_in(2) else options}


def draw_files(parts: Parts, *, has_lifecycle: bool = False) -> tuple[dict[str, Json], dict[str, str]]:
    """Module files by key, and the texts of their lookup tables."""
    maker = _Files(parts, spins=parts.one_in(8))
    subs = _SUB_KEYS[: parts.whole(0, len(_SUB_KEYS))]
    keys = parts.pick(_TOP_KEYS)
    tops = keys[: parts.whole(1, len(keys))]
    files: dict[str, Json] = {}
    for position, key in enumerate(subs):
        files[key] = maker.file(key, subs[position + 1 :], n_states=parts.whole(1, 5))
    for key in tops:
        files[key] = maker.file(key, subs, n_states=parts.whole(2, 10))
    if has_lifecycle and parts.one_in(2):
        files[parts.pick(("Life", "Able"))] = maker.sickness()
    return files, maker.table_files


@st.composite
def module_sets(draw: st.DrawFn) -> ModuleSet:
    """Sets of one to three top-level modules with their submodules and lookup tables."""
    return load(*draw_files(_parts(draw)))


def draw_cohort(parts: Parts, *, has_lifecycle: bool) -> Cohort:
    """One patient or two: births before 1970, on 29 February and on the 31st, deaths in the background."""
    n = parts.whole(1, 2)
    first_birth = ms_from_iso(parts.pick(_LIFE_BIRTHS if has_lifecycle else _BIRTHS))
    birth = np.array([first_birth, first_birth + parts.pick((45, 0, 1, 400)) * DAY_MS][:n], dtype=np.int64)
    lengths = _LIFE_LENGTHS_DAYS if has_lifecycle else _LENGTHS_DAYS
    lived = [parts.pick(lengths) for _ in range(n)]
    death = [
        NEVER_MS if days is None else int(start) + days * DAY_MS + 5 for start, days in zip(birth, lived, strict=True)
    ]
    first = parts.pick((0, 7, 2**32 + 5, 2**63 - 3))
    unemployment = np.full(n, parts.pick((0.07, 0.0, 0.9)))
    return Cohort(
        patient_id=np.arange(n, dtype=np.uint64) + np.uint64(first),
        birth_ms=birth,
        death_ms=np.array(death, dtype=np.int64),
        attributes=_columns(parts, n),
        vital_signs={"Height": 171.26, "BMI": 24.125, "Systolic Blood Pressure": 119.5},
        parameters={} if parts.one_in(3) else {"unemployment_probability": unemployment},
    )


def _columns(parts: Parts, n: int) -> dict[str, AttributeColumn]:
    """The attributes at birth: some always, what the lifecycle reads and what modules overwrite sometimes."""
    columns = {
        "gender": AttributeColumn(kind="text", values=_indexes(parts, n, 2), categories=("F", "M")),
        "race": AttributeColumn(kind="text", values=_indexes(parts, n, 2), categories=("white", "black")),
        "socioeconomic_category": AttributeColumn(
            kind="text", values=_indexes(parts, n, 2), categories=("High", "Low")
        ),
        "score": AttributeColumn(kind="number", values=np.array([parts.number() for _ in range(n)], dtype=np.float64)),
    }
    if parts.one_in(2):
        incomes = np.array([parts.pick((9_000, 60_000, 0, 17_550, 25_000)) for _ in range(n)], dtype=np.int64)
        columns["income"] = AttributeColumn(kind="integer", values=incomes)
    if parts.one_in(2):
        columns["occupation_level"] = AttributeColumn(kind="number", values=np.array([0.7, 0.1][:n]))
    if parts.one_in(2):
        states = ("Massachusetts", "Elsewhere", "Texas", "California")
        columns["state"] = AttributeColumn(kind="text", values=_indexes(parts, n, len(states)), categories=states)
    if parts.one_in(5):
        columns["unemployed"] = AttributeColumn(kind="boolean", values=np.ones(n, dtype=np.bool_))
        columns["hypertension"] = AttributeColumn(kind="boolean", values=np.ones(n, dtype=np.bool_))
    if parts.one_in(3):
        columns[ATTRIBUTES[0]] = AttributeColumn(kind="integer", values=np.arange(n, dtype=np.int64))
        columns[ATTRIBUTES[1]] = AttributeColumn(kind="boolean", values=np.ones(n, dtype=np.bool_))
        columns[ATTRIBUTES[2]] = AttributeColumn(kind="text", values=_indexes(parts, n, 2), categories=TEXTS[:2])
    return columns


def _indexes(parts: Parts, n: int, choices: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array([parts.whole(0, choices - 1) for _ in range(n)], dtype=np.int32)


def draw_options(parts: Parts, cohort: Cohort, lifecycle: Lifecycle) -> SimulationOptions:
    """A seed, a step and an end that leave every patient at most so many steps."""
    step = int(parts.pick(_STEPS_DAYS if lifecycle is Lifecycle.NONE else _LIFE_STEPS_DAYS) * DAY_MS)
    is_long = step > 91 * DAY_MS  # a module may do much in such a step: fewer steps, each with more room
    steps = parts.whole(20, _MOST_LONG_STEPS if is_long else _MOST_STEPS)
    return SimulationOptions(
        seed=parts.pick((7, 0, 2**64 - 1, 123_456_789_012)),
        end_ms=int(cohort.birth_ms.min()) + steps * step - parts.pick((0, 1, step // 2)),
        time_step_ms=step,
        step_budget=parts.pick((160, 80) if is_long else (80, 40)),
        lifecycle=lifecycle,
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Whole runs: modules, patients, options. Failures shrink to a few states."""
    return draw_scenario(_parts(draw))


def seeded_scenarios() -> st.SearchStrategy[Scenario]:
    """Whole runs out of a seed alone: they do not shrink, but are cheap, and choices are as likely as they read."""
    return st.integers(0, 2**63 - 1).map(lambda seed: draw_scenario(Parts(random.Random(seed).randint)))


def _parts(draw: st.DrawFn) -> Parts:
    return Parts(lambda low, high: draw(st.integers(low, high)))


def draw_scenario(parts: Parts) -> Scenario:
    """A whole run."""
    lifecycle = parts.pick((Lifecycle.NONE, Lifecycle.SYNTHEA, Lifecycle.NONE, Lifecycle.DEFAULT))
    has_lifecycle = lifecycle is not Lifecycle.NONE
    files, table_files = draw_files(parts, has_lifecycle=has_lifecycle)
    cohort = draw_cohort(parts, has_lifecycle=has_lifecycle)
    return Scenario(
        files=files,
        table_files=table_files,
        modules=load(files, table_files),
        cohort=cohort,
        options=draw_options(parts, cohort, lifecycle),
    )
