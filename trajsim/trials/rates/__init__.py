"""Recruitment rates: what a trial's sites will bring, by formula where one holds and by simulation elsewhere.

Time is a float in one unit of the caller's choice (days, months), counted from one instant; rates are per that unit.

`shapes` says how a rate changes, `calendars` which days count, `gamma_poisson` and `prior_weight` hold the closed
forms, `fit` finds the rates and the shape that a history supports, `plan`, `planning` and `arrivals` look ahead.
"""

from trajsim.trials.rates.arrivals import Arrivals, simulate_arrivals
from trajsim.trials.rates.calendars import Calendar
from trajsim.trials.rates.fit import AccrualHistory, RateChoice, RateFit, fit_rates
from trajsim.trials.rates.gamma_poisson import CountDistribution, GammaRate, TimeToMore, log_likelihood, matched_count
from trajsim.trials.rates.homogeneity import decay_p_value, heterogeneity_p_value
from trajsim.trials.rates.plan import AccrualPlan, Delay, SitePlan
from trajsim.trials.rates.planning import AccrualOutlook, plan_accrual, total_by
from trajsim.trials.rates.prior_weight import PriorWeight
from trajsim.trials.rates.shapes import Constant, Decay, Piecewise, Ramp, Shape

__all__ = [
    "AccrualHistory",
    "AccrualOutlook",
    "AccrualPlan",
    "Arrivals",
    "Calendar",
    "Constant",
    "CountDistribution",
    "Decay",
    "Delay",
    "GammaRate",
    "Piecewise",
    "PriorWeight",
    "Ramp",
    "RateChoice",
    "RateFit",
    "Shape",
    "SitePlan",
    "TimeToMore",
    "decay_p_value",
    "fit_rates",
    "heterogeneity_p_value",
    "log_likelihood",
    "matched_count",
    "plan_accrual",
    "simulate_arrivals",
    "total_by",
]
