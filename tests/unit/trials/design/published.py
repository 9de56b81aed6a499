"""The published design: lrstat's vignette on a delayed treatment effect."""

import math

from trajsim.trials.design.events import dropout_hazard
from trajsim.trials.design.group_sequential import GroupSequential
from trajsim.trials.design.survival_design import SurvivalDesign, constant, delayed_effect
from trajsim.trials.rates.shapes import Piecewise

CONTROL = constant(math.log(2) / 13)
LOST = dropout_hazard(0.05, time=12)
DESIGN = SurvivalDesign(
    accrual=Piecewise(list(range(1, 9)), [26 / 9 * month for month in range(1, 10)]),
    accrual_duration=22.0,
    control=CONTROL,
    treated=delayed_effect(CONTROL, hazard_ratio=0.58, delay=6.0),
    events=(252, 315),
    bounds=GroupSequential(fractions=(0.8, 1.0)),
    control_dropout=LOST,
    treated_dropout=LOST,
)
