"""Sites by time: people randomized and the share of replicates in which a site is open, period by period."""

import datetime as dt

import numpy as np

from trajsim.trials.recruitment.result import RecruitmentResult

_MOST = 52


def site_periods(result: RecruitmentResult) -> dict[str, object]:
    """Means over replicates by site and period of whole weeks.

    Args:
        result: All replicates.
    """
    spec = result.spec
    days = 7 * -(-spec.n_days // (7 * _MOST))
    n, n_sites = -(-spec.n_days // days), len(spec.sites)
    whole = np.pad(result.site_days, ((0, 0), (0, n * days - spec.n_days)))
    counts = whole.reshape(n_sites, n, days).sum(axis=2) / result.n_replicates
    first = np.arange(n) * days
    last = np.minimum(first + days, spec.n_days) - 1
    is_open = (result.opened[..., None] <= last) & (result.stopped[..., None] >= first)
    return {
        "days": days,
        "starts": [(spec.start + dt.timedelta(days=int(day))).isoformat() for day in first],
        "open_sites": [float(value) for value in is_open.sum(axis=1).mean(axis=0)],
        "sites": [
            {"site": site.name, "randomized": counts[k].tolist(), "open": is_open[:, k].mean(axis=0).tolist()}
            for k, site in enumerate(spec.sites)
        ],
    }
