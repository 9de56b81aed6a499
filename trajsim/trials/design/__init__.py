"""Operating characteristics: what a trial of a given design can show, by formula and by simulation beside each other.

Time is a float in one unit of the caller's choice. `survival_design` is the trial, `events` and `expectation` the
formulas, `simulation` and `logrank` the patients, `group_sequential` the interim analyses, `borrowing` and `procova`
what the past can add and what it costs.
"""

from trajsim.trials.design.borrowing import (
    BorrowingResult,
    BorrowingTrial,
    Commensurate,
    PowerPrior,
    borrow,
    power_prior_formula,
)
from trajsim.trials.design.events import dropout_hazard, events_for_logrank, expected_events
from trajsim.trials.design.expectation import Expectation, expect, expected_events_by, time_of_events
from trajsim.trials.design.group_sequential import Crossing, GroupSequential, spent
from trajsim.trials.design.logrank import LogRank, logrank
from trajsim.trials.design.procova import ProcovaResult, ProcovaTrial, procova, procova_sample_size
from trajsim.trials.design.simulation import Simulation, simulate_design
from trajsim.trials.design.survival_design import Stratum, SurvivalDesign, constant, delayed_effect

__all__ = [
    "BorrowingResult",
    "BorrowingTrial",
    "Commensurate",
    "Crossing",
    "Expectation",
    "GroupSequential",
    "LogRank",
    "PowerPrior",
    "ProcovaResult",
    "ProcovaTrial",
    "Simulation",
    "Stratum",
    "SurvivalDesign",
    "borrow",
    "constant",
    "delayed_effect",
    "dropout_hazard",
    "events_for_logrank",
    "expect",
    "expected_events",
    "expected_events_by",
    "logrank",
    "power_prior_formula",
    "procova",
    "procova_sample_size",
    "simulate_design",
    "spent",
    "time_of_events",
]
