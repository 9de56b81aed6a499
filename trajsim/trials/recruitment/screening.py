"""The screening visit: what it measures, and what the chart did not know, decides who is eligible."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.chances import lognormal_quantile, rate_quantile
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.eligibility import FALSE, TRUE, UNKNOWN
from trajsim.trials.recruitment.world import World
from trajsim.trials.spec import Lab

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_GOING_ON = -1


def screen(world: World, draws: Draws, patient: Ints, copy: Ints, visit: Ints) -> Ints:
    """Holds the screening visit of some people.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        patient: Rows among the patients.
        copy: Which of the people that a patient stands for.
        visit: Visit at which the chart passed.

    Returns:
        Why each is excluded; -1 for the eligible.
    """
    ids = world.people.patient_id[patient]
    answers = world.pass_answers[visit].copy()
    for rule, chance in enumerate(world.unknown_chances):
        unknown = np.flatnonzero(answers[:, rule] == UNKNOWN)
        if len(unknown):
            u = draws.uniforms(purpose.UNKNOWN, ids[unknown], copy[unknown], item=rule)
            answers[unknown, rule] = np.where(u < chance, TRUE, FALSE)
    reason = np.full(len(patient), _GOING_ON, np.int64)
    beside: list[tuple[int, NDArray[np.bool_]]] = []
    for place, lab in enumerate(world.spec.screening.labs):
        value = measured(world, draws, lab, place, patient, copy, visit)
        is_eligible = (value >= lab.low) & (value <= lab.high)
        if lab.decides in world.rule_names:
            answers[:, world.rule_names.index(str(lab.decides))] = np.where(is_eligible, TRUE, FALSE)
        else:
            beside.append((place, is_eligible))
    if answers.shape[1]:
        denied = answers == FALSE
        fails = denied.any(axis=1)
        reason[fails] = world.reasons.screening.start + denied.argmax(axis=1)[fails]
    for place, is_eligible in beside:
        out = ~is_eligible & (reason == _GOING_ON)
        reason[out] = world.reasons.screening.start + world.reasons.n_rules + place
    chance = rate_quantile(world.spec.funnel.eligible, draws.uniform(purpose.RATE, "eligible"))
    going = np.flatnonzero(reason == _GOING_ON)
    u = draws.uniforms(purpose.OTHERWISE, ids[going], copy[going])
    reason[going[~(u < chance)]] = reasons.OTHERWISE
    return reason


def measured(world: World, draws: Draws, lab: Lab, place: int, patient: Ints, copy: Ints, visit: Ints) -> Floats:
    """What the assay reads: the last recorded value (or one like it for people without), and its noise."""
    ids = world.people.patient_id[patient]
    latent: Floats = world.pass_labs[place, visit]
    missing = np.flatnonzero(np.isnan(latent))
    if len(missing):
        u = draws.uniforms(purpose.UNMEASURED, ids[missing], copy[missing], item=place)
        if lab.unmeasured is not None:
            latent[missing] = lognormal_quantile(lab.unmeasured, u)
        else:
            female = world.people.is_female[patient[missing]]
            for sex in (False, True):
                own, values = female == sex, world.donors[place][int(sex)]
                latent[missing[own]] = values[np.minimum((u[own] * len(values)).astype(np.int64), len(values) - 1)]
    variation = float(np.hypot(lab.analytical_cv, lab.within_person_cv))
    if variation == 0.0:
        return latent
    noise = special.ndtri(draws.uniforms(purpose.ASSAY, ids, copy, item=place))
    return np.asarray(latent * (1.0 + variation * noise), np.float64)
