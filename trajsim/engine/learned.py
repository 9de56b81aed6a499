"""A learned model joined to a program: its numbers, its bindings, and what it needs in a patient's record."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.program import Program, capacity_for, sections
from trajsim.engine.tile import Tile
from trajsim.errors import ConfigError
from trajsim.event_sequences import DEATH
from trajsim.formula import FIELDS, Formula, Operation
from trajsim.gmf import model as gmf
from trajsim.gmf.walk import bodies
from trajsim.streams.keys import stream_id
from trajsim.trajectory_model import INPUTS, VISIT, TrajectoryModel, formula_of, n_question

STREAM = "@model"
_SECTIONS = ("f_log", "f_co", "f_panel", "f_weight", "f_mean", "f_scale")  # of a record, in the order of `FIELDS`
_DAY_MS = 86_400_000
_YEAR_MS = 31_557_600_000.0
_MOST_VALUES = 12  # a panel is one of 2^n sets


def with_model(program: Program, model: TrajectoryModel, death_offset: NDArray[np.float64] | None = None) -> Program:
    """A program whose bound states follow a model.

    Args:
        program: Compiled modules; their states name events and measurements (`trajsim.gmf.model.Binding`).
        model: What times them. Names that it does not know leave a state as it is.
        death_offset: [sex (F, M), age in whole years] hazards a year with which the modules kill already; taken off the
            model's hazard of death. None takes nothing off.

    Returns:
        The same program, to be run with this model only.

    Raises:
        ConfigError: The model does not say what it must, or a state measures in another unit than it; all faults are
            named.
    """
    faults = [*_faults(model), *_wrong_units(program.modules, model)]
    formula = formula_of(model)
    if formula is not None and not faults:
        faults = formula.faults(n_question=n_question(model), widths=_widths(model, formula.n_components))
    if death_offset is not None and (death_offset.ndim != 2 or len(death_offset) != 2 or not (death_offset >= 0).all()):
        faults.append(f"a mortality offset is [2, ages] hazards of 0 or more, got shape {death_offset.shape}")
    if faults:
        msg = "\n".join(["this model cannot be asked by these modules", *faults])
        raise ConfigError(msg)
    header = program.header.copy().view(np.recarray)
    integers, floats = list(map(int, program.integers)), list(map(float, program.floats))

    def to_z(values: list[int]) -> int:
        integers.extend(values)
        return len(integers) - len(values)

    def to_d(values: list[float]) -> int:
        floats.extend(values)
        return len(floats) - len(values)

    h = header[0]
    timed = timed_events(model)
    names = [value.name for value in model.values]
    h.model, h.m_events, h.m_pieces, h.m_values = 1, len(model.events), len(model.piece_days), len(model.values)
    h.m_visit = len(timed) if len(timed) < len(model.events) else -1
    h.m_death = timed.index(DEATH) if DEATH in timed else -1
    h.m_refresh, h.m_min_age = refresh_ms(model), min_age_ms(model)
    h.m_stream = stream_id(STREAM)
    h.z_pieces = to_z([int(days * _DAY_MS) for days in model.piece_days])
    h.z_bound_events = to_z([timed.index(name) if name in timed else -1 for name in program.bound_events])
    h.z_bound_labs = to_z([names.index(name) if name in names else -1 for name in program.bound_labs])
    h.z_standing = to_z([0, *np.cumsum(program.standing).tolist()])
    h.z_standing_file = to_z([file for file, most in enumerate(program.standing) for _ in range(most)])
    h.z_inputs, h.n_inputs = to_z([INPUTS.index(name) for name in model.inputs]), len(model.inputs)
    h.z_values = to_z([int(flag) for value in model.values for flag in (value.is_flag, value.is_log)])
    h.d_values = to_d([number for v in model.values for number in (v.centre, v.spread, v.low, v.high, v.resolution)])
    h.d_offset = -1 if death_offset is None else to_d(death_offset.ravel().tolist())
    h.n_offset = 0 if death_offset is None else death_offset.shape[1]
    h.m_standing = sum(program.standing)
    h.suspends = formula is None
    h.m_components = Tile(model).n_components if formula is None else formula.n_components
    _lay_out(h, len(program.file_keys), _widths(model, int(h.m_components)).values(), formula)
    if formula is not None:
        _write_out(h, formula, to_z, to_d)
    return replace(
        program,
        header=header,
        integers=np.array(integers, dtype=np.int64),
        floats=np.array(floats, dtype=np.float64),
        capacity=capacity_for(int(h.n_words), int(h.n_floats)),
        model=model,
    )


def _lay_out(h: np.record, n_files: int, widths: Iterable[int], formula: Formula | None) -> None:
    """Adds the model's sections to the patient's record; `widths` are those of the fields of an answer."""
    standing, events, values = int(h.m_standing), int(h.m_events), int(h.m_values)
    words = {
        "w_kind": standing, "w_since": standing, "w_fire": standing, "w_by": standing, "w_target": standing,
        "w_goal": n_files, "w_now": events, "w_fresh": values, "w_measured": values,
    }  # fmt: skip
    numbers = {
        "f_threshold": standing, "f_integral": standing, "f_hazard": events * int(h.m_pieces), "f_value": values,
    }  # fmt: skip
    h.n_words = sections(h, words, start=int(h.n_words))
    h.n_floats = sections(h, numbers, start=int(h.n_floats))
    if formula is None:
        h.n_floats = sections(h, dict(zip(_SECTIONS, widths, strict=True)), start=int(h.n_floats))
        return
    h.n_formula = len(formula.start)
    h.n_floats = sections(h, {"f_formula": len(formula.start)}, start=int(h.n_floats))
    for section, name in zip(_SECTIONS, FIELDS, strict=True):
        h[section] = h.f_formula + formula.places[name]


def _write_out(
    h: np.record, formula: Formula, to_z: Callable[[list[int]], int], to_d: Callable[[list[float]], int]
) -> None:
    """Adds the instructions of a formula to the program, with places as the kernels find them."""
    h.d_formula = to_d(formula.start.tolist())
    weights = to_d(formula.weights.tolist())
    moved = formula.instructions.copy()
    has_weights = np.isin(moved[:, 0], [Operation.LINEAR, Operation.COUNT, Operation.ROW])
    moved[:, [2, 4]] += int(h.f_formula)
    moved[:, 6] += np.where(has_weights, weights, int(h.f_formula))
    first = to_z(moved.ravel().tolist())
    h.z_parts = to_z([first, *(first + moved.shape[1] * end for end in formula.ends)])


def _widths(model: TrajectoryModel, n_components: int) -> dict[str, int]:
    """Numbers of every field of an answer."""
    events, values = len(model.events), len(model.values)
    mixtures = values * n_components
    widths = (events * len(model.piece_days), events, 1 << values, mixtures, mixtures, mixtures)
    return dict(zip(FIELDS, widths, strict=True))


def timed_events(model: TrajectoryModel) -> list[str]:
    """The events that a Delay can be bound to: all but the visit."""
    return [name for name in model.events if name != VISIT]


def refresh_ms(model: TrajectoryModel) -> int:
    """After how long a patient is asked about again."""
    return int(model.refresh_days * _DAY_MS)


def min_age_ms(model: TrajectoryModel) -> int:
    """Age at which the model's domain begins."""
    return math.ceil(model.min_age_years * _YEAR_MS)


def bound_events(modules: gmf.ModuleSet) -> frozenset[str]:
    """Events that some Delay of these modules is bound to."""
    return frozenset(name for _, state in _states(modules) if state.trajsim for name in state.trajsim.events)


def _states(modules: gmf.ModuleSet) -> Iterator[tuple[str, gmf.State]]:
    return ((key, state) for key, module in modules.modules.items() for state in module.states.values())


def _faults(model: TrajectoryModel) -> Iterator[str]:
    """What a model says of itself that nothing could follow."""
    if len(set(model.events)) != len(model.events) or not model.events:
        yield f"events must be named once each, got {', '.join(map(repr, model.events))}"
    elif VISIT in model.events[:-1]:
        yield f"{VISIT!r} must be the last event, got {', '.join(map(repr, model.events))}"
    pieces = tuple(model.piece_days)
    if not pieces or pieces[0] != 0 or any(b <= a for a, b in pairwise(pieces)):
        yield f"pieces of a hazard must begin at day 0 and ascend, got {pieces}"
    if not 1 <= model.refresh_days <= 366:
        yield f"days until a refresh must lie in 1 ... 366, got {model.refresh_days}"
    if not 0 <= model.min_age_years < 200:
        yield f"the age from which a model acts must lie in 0 ... 200, got {model.min_age_years}"
    for name in model.inputs:
        if name not in INPUTS:
            yield f"unknown input {name!r}: one of {', '.join(INPUTS)}"
    if len(model.values) > _MOST_VALUES:
        yield f"at most {_MOST_VALUES} measurements, got {len(model.values)}"
    for value in model.values:
        if not value.resolution > 0 or not value.low <= value.high:
            yield f"measurement {value.name!r} needs a positive resolution and low <= high"


def _wrong_units(modules: gmf.ModuleSet, model: TrajectoryModel) -> Iterator[str]:
    units = {value.name: value.unit for value in model.values if not value.is_flag}
    for key, state in _states(modules):
        bound: list[tuple[gmf.Binding | None, str | None]] = [(body.trajsim, body.unit) for _, body in bodies(state)]
        if isinstance(state, gmf.Observation):
            bound = [(state.trajsim, state.body.unit)]
        elif isinstance(state, gmf.VitalSign):
            bound = [(state.trajsim, state.unit)]
        for binding, unit in bound:
            wanted = None if binding is None or binding.lab is None else units.get(binding.lab)
            if binding is not None and wanted is not None and unit not in (None, wanted):
                yield f"module {key!r}, state {state.name!r}: {binding.lab!r} is in {wanted}, not in {unit}"
