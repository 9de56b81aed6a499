"""Is the rate the same at all times, and the same at all sites? Two tests that answer before a model is chosen."""

import numpy as np
from scipy import special

from trajsim.errors import ConfigError


def decay_p_value(early: int, late: int, *, early_exposure: float = 1.0, late_exposure: float = 1.0) -> float:
    """One-sided test that a rate falls: a Poisson likelihood ratio of two windows.

    Args:
        early: Patients of the first window.
        late: Patients of the second.
        early_exposure: Site time of the first window.
        late_exposure: Site time of the second.

    Returns:
        0.5 (1 - F(-2 ln L)) with F the distribution function of chi-squared with one degree of freedom where the late
        rate is lower, and 1 minus that where it is not.

    Source:
        Urbas, Sherlock, Metcalfe (2019), arXiv 1910.07965, function `pois.LRT` of its code.
    """
    if early < 0 or late < 0 or early_exposure <= 0.0 or late_exposure <= 0.0:
        msg = f"counts must not be negative and exposures positive, got {early!r}, {late!r}"
        raise ConfigError(msg)
    total, exposure = early + late, early_exposure + late_exposure
    expected = np.array([total * early_exposure / exposure, total * late_exposure / exposure])
    observed = np.array([early, late], np.float64)
    statistic = 2.0 * float(np.sum(special.xlogy(observed, observed) - special.xlogy(observed, expected)))
    upper = float(special.chdtrc(1.0, max(statistic, 0.0)))
    return 0.5 * upper if late / late_exposure < early / early_exposure else 1.0 - 0.5 * upper


def heterogeneity_p_value(poisson_log_likelihood: float, gamma_log_likelihood: float) -> float:
    """Test that sites differ: one rate for all (Poisson) against rates from a gamma distribution.

    Equal rates lie on the edge of the gamma model, so the statistic is a half chi-squared with one degree of freedom
    and half 0.

    Args:
        poisson_log_likelihood: Maximum with one rate.
        gamma_log_likelihood: Maximum with gamma distributed rates, of the same data.

    Returns:
        The p-value.

    Source:
        Self, Liang (1987), Asymptotic properties of maximum likelihood estimators and likelihood ratio tests under
        nonstandard conditions, JASA 82:605, case 5.
    """
    statistic = max(2.0 * (gamma_log_likelihood - poisson_log_likelihood), 0.0)
    return 1.0 if statistic == 0.0 else 0.5 * float(special.chdtrc(1.0, statistic))
