"""Modules bound at random to models that answer at random: for comparisons of the interpreters."""

import random
from dataclasses import replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from trajsim.gmf import model as gmf
from trajsim.gmf.graph import instant_successors
from trajsim.gmf.model import Binding, Module, ModuleSet, State
from trajsim.testing.closed_form_model import ClosedFormModel
from trajsim.testing.strategies import Scenario
from trajsim.trajectory_model import VISIT, LearnedValue

EVENTS = ("diabetes", "stroke", "fall", "death")
LABS = ("hdl", "sbp", "smoking")
_UNKNOWN = "unheard_of"
_SHARE_BOUND = 0.6
VALUES = (
    LearnedValue(name="hdl", unit="u", is_flag=False, is_log=True, centre=50.0, spread=0.3, low=5.0, high=200.0,
                 resolution=1.0),
    LearnedValue(name="sbp", unit="u", is_flag=False, is_log=False, centre=130.0, spread=20.0, low=60.0, high=300.0,
                 resolution=0.1),
    LearnedValue(name="smoking", unit="u", is_flag=True, is_log=False, centre=0.0, spread=1.0, low=0.0, high=1.0,
                 resolution=1.0),
)  # fmt: skip


def bind_at_random(modules: ModuleSet, seed: int) -> ModuleSet:
    """Binds many Delays and many measurements; some to names that no model knows."""
    rng = random.Random(seed)
    bound = {
        key: structs.replace(module, states={name: _bound(module, state, rng) for name, state in module.states.items()})
        for key, module in modules.modules.items()
    }
    return ModuleSet(modules=bound, tables=modules.tables)


def _bound(module: Module, state: State, rng: random.Random) -> State:
    match state:
        case gmf.Delay() if rng.random() < _SHARE_BOUND:
            following = sorted(instant_successors(module, state.name))
            names = rng.sample([*EVENTS, _UNKNOWN], k=rng.randint(1, 3))
            if len(names) == 1 and rng.random() < 0.5:
                return structs.replace(state, trajsim=Binding(events={names[0]: None}))
            return structs.replace(state, trajsim=Binding(events={name: rng.choice(following) for name in names}))
        case gmf.Observation() | gmf.VitalSign() | gmf.SetAttribute():
            return structs.replace(state, trajsim=_lab(rng))
        case gmf.MultiObservation() | gmf.DiagnosticReport():
            children = tuple(structs.replace(body, trajsim=_lab(rng)) for body in state.observations)
            return structs.replace(state, observations=children)
    return state


def _lab(rng: random.Random) -> Binding | None:
    return Binding(lab=rng.choice([*LABS, _UNKNOWN])) if rng.random() < _SHARE_BOUND else None


def random_model(seed: int) -> ClosedFormModel:
    """A model with events, visits, pieces and measurements as the seed says."""
    rng = random.Random(seed)
    events = rng.sample(EVENTS[:3], k=rng.randint(0, 3))
    rates = [(name, rng.choice((0.0, 0.02, 0.3, 5.0))) for name in events]
    if rng.random() < 0.6 or not events:
        rates.append(("death", rng.choice((0.001, 0.05))))
    if rng.random() < 0.7:
        rates.append((VISIT, rng.choice((0.1, 1.0, 3.0))))
    return ClosedFormModel(
        kind=rng.choice(("constant", "random", "random")),
        rates=tuple(rates),
        values=tuple(rng.sample(VALUES, k=rng.randint(0, 3))),
        inputs=tuple(rng.sample(("age_years", "is_male", "bmi"), k=rng.randint(0, 3))),
        piece_days=rng.choice(((0.0,), (0.0, 90.0), (0.0, 0.5, 30.25, 365.0))),
        growth=rng.choice((1.0, 0.3, 4.0)),
        refresh_days=rng.choice((365.0, 90.5, 30.0)),
        min_age_years=rng.choice((0.0, 0.0, 1.5, 18.0)),
        together=rng.choice((0.0, 0.2, 1.0)),
        wildness=rng.choice((0.0, 0.1, 0.5)),
    )


def random_offset(seed: int) -> NDArray[np.float64] | None:
    """Hazards that are taken off, or None."""
    rng = np.random.default_rng(seed)
    return rng.random((2, 111)) * 0.05 if rng.random() < 0.5 else None


def bound(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with bound modules."""
    return replace(scenario, modules=bind_at_random(scenario.modules, seed))
