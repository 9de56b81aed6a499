"""What a design leads to, by formula: events, times of analyses, means of the statistic, power.

The expected numbers at risk follow from accrual, hazards and dropout; the score and the variance of the weighted
log-rank test are integrals over them, also when hazards are not proportional. A simulation of the same design stands
beside it (`trajsim.trials.design.simulation`).

Source: Lakatos (1988), Sample sizes based on the log-rank statistic in complex clinical trials, Biometrics 44:229;
Hasegawa (2014), Sample size determination for the weighted log-rank test with the Fleming-Harrington class of weights
in cancer vaccine studies, Pharmaceutical Statistics 13:128.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from trajsim.errors import ConfigError
from trajsim.trials.design.group_sequential import Crossing
from trajsim.trials.design.survival_design import Stratum, SurvivalDesign

Floats = NDArray[np.float64]

_STEPS = 2_000


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A design by formula.

    Attributes:
        n_subjects: Subjects recruited by the end of accrual.
        events: Events at each analysis.
        times: Calendar time of each.
        subjects: Subjects randomised by then.
        dropouts: Subjects lost by then.
        means: Mean of z there.
        information: Variance of the score there.
        crossing: Probabilities of stopping.
    """

    n_subjects: int
    events: tuple[int, ...]
    times: Floats
    subjects: Floats
    dropouts: Floats
    means: Floats
    information: Floats
    crossing: Crossing

    @property
    def power(self) -> float:
        """Probability that the trial rejects."""
        return self.crossing.power

    @property
    def expected_time(self) -> float:
        """Mean time at which it stops."""
        stops = self.crossing.efficacy + self.crossing.futility
        return float(np.sum(stops[:-1] * self.times[:-1]) + (1.0 - stops[:-1].sum()) * self.times[-1])


@dataclass(frozen=True)
class _AtRisk:
    """Expected numbers of a stratum by time since randomisation, on the middles of equal steps."""

    control: Floats
    treated: Floats
    control_hazard: Floats
    treated_hazard: Floats
    step: float

    @property
    def events(self) -> float:
        """Expected events."""
        return float(np.sum(self.control * self.control_hazard + self.treated * self.treated_hazard) * self.step)


def _at_risk(design: SurvivalDesign, part: Stratum, time: float) -> _AtRisk:
    """Expected numbers at risk at a calendar time."""
    step = time / _STEPS
    middle = (np.arange(_STEPS) + 0.5) * step
    entered = design.accrual.cumulative(np.minimum(time - middle, design.accrual_duration)) * part.share
    arms = []
    for hazard, dropout, share in (
        (design.control, design.control_dropout, 1.0 - design.treated_share),
        (design.treated, design.treated_dropout, design.treated_share),
    ):
        arms.append(share * entered * np.exp(-part.factor * hazard.cumulative(middle) - dropout * middle))
    return _AtRisk(
        arms[0],
        arms[1],
        part.factor * design.control.relative(middle),
        part.factor * design.treated.relative(middle),
        step,
    )


def expected_events_by(design: SurvivalDesign, time: float) -> float:
    """Expected events of both arms by a calendar time."""
    return sum(_at_risk(design, part, time).events for part in design.parts) if time > 0.0 else 0.0


def time_of_events(design: SurvivalDesign, events: float) -> float:
    """The calendar time at which a number of events is expected.

    Raises:
        ConfigError: Dropout and hazards leave fewer events than that.
    """
    high = design.accrual_duration
    while expected_events_by(design, high) < events:
        high *= 1.5
        if high > 1e4 * design.accrual_duration:
            most = expected_events_by(design, high)
            msg = f"{events} events are never expected: {most:.1f} are the most that the design leads to"
            raise ConfigError(msg, hint="recruit more subjects, or ask for fewer events")
    return float(optimize.brentq(lambda time: expected_events_by(design, time) - events, 0.0, high, xtol=1e-9))


def _score(design: SurvivalDesign, time: float) -> tuple[float, float, float]:
    """Mean and variance of the score at a calendar time, and dropouts."""
    mean = variance = lost = 0.0
    for part in design.parts:
        here = _at_risk(design, part, time)
        total = here.control + here.treated
        safe = np.where(total > 0.0, total, 1.0)
        hazard = here.control * here.control_hazard + here.treated * here.treated_hazard
        weight = np.ones(total.shape)
        if design.rho > 0.0 or design.gamma > 0.0:
            each = hazard / safe * here.step
            survival = np.exp(-(np.cumsum(each) - each / 2.0))
            weight = survival**design.rho * (1.0 - survival) ** design.gamma
        product = here.control * here.treated / safe
        mean += float(np.sum(weight * product * (here.control_hazard - here.treated_hazard)) * here.step)
        variance += float(np.sum(weight**2 * product / safe * hazard) * here.step)
        both = here.control * design.control_dropout + here.treated * design.treated_dropout
        lost += float(np.sum(both) * here.step)
    return mean, variance, lost


def expect(design: SurvivalDesign) -> Expectation:
    """What a design leads to, by formula.

    Args:
        design: The trial.

    Returns:
        Times of the analyses, means of z (positive where the treated do better), probabilities of stopping.

    Raises:
        ConfigError: The events are never expected.
    """
    times = np.array([time_of_events(design, events) for events in design.events])
    scores = np.array([_score(design, time) for time in times.tolist()])
    means = scores[:, 0] / np.sqrt(scores[:, 1])
    return Expectation(
        n_subjects=design.n_subjects,
        events=design.events,
        times=times,
        subjects=design.accrual.cumulative(np.minimum(times, design.accrual_duration)),
        dropouts=scores[:, 2],
        means=means,
        information=scores[:, 1],
        crossing=design.bounds.crossing(means.tolist(), scores[:, 1].tolist()),
    )
