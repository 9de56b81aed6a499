"""Re-forecast of a running trial: from its log so far to the dates of its last subject and its last event.

`log_reader` reads the log and tells all faults, `enrollment` fits the rates, `survival` the times to event and dropout,
`dates` draws the futures; `reforecast` does all of it for a trial spec.
"""

from trajsim.trials.forecast.dates import FanChart, Forecast, ForecastOptions, Milestone, forecast
from trajsim.trials.forecast.enrollment import Enrollment, PlannedSite, fit_enrollment
from trajsim.trials.forecast.log import AccrualLog, LogSite
from trajsim.trials.forecast.log_reader import read_accrual_log
from trajsim.trials.forecast.reforecast import Reforecast, ReforecastOptions, reforecast
from trajsim.trials.forecast.survival import TimeFit, TimeModel, fit_times

__all__ = [
    "AccrualLog",
    "Enrollment",
    "FanChart",
    "Forecast",
    "ForecastOptions",
    "LogSite",
    "Milestone",
    "PlannedSite",
    "Reforecast",
    "ReforecastOptions",
    "TimeFit",
    "TimeModel",
    "fit_enrollment",
    "fit_times",
    "forecast",
    "read_accrual_log",
    "reforecast",
]
