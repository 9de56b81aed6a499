import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trials.forecast.logs import AS_OF, draw_trial, write
from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws
from trajsim.trials.forecast.enrollment import PlannedSite, fit_enrollment
from trajsim.trials.forecast.log import AccrualLog
from trajsim.trials.forecast.log_reader import read_accrual_log
from trajsim.trials.rates.calendars import Calendar


def test_the_rates_are_those_of_the_log(tmp_path: Path) -> None:
    path, sites = draw_trial(tmp_path, seed=2)
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    found = fit_enrollment(log, shapes=["constant"])
    assert found.counts.tolist() == log.counts().tolist()
    days = [log.as_of + 1 - site.opened for site in log.sites]
    assert found.exposures.tolist() == days
    assert found.choice.best.gamma.mean == pytest.approx(log.n_subjects / sum(days), rel=0.1)
    assert found.plan.since == log.as_of + 1 - min(site.opened for site in log.sites)
    assert found.plan.sites[3].rate.shape == pytest.approx(found.choice.best.gamma.shape + log.counts()[3])


def test_the_distribution_of_rates_is_uncertain(tmp_path: Path) -> None:
    path, sites = draw_trial(tmp_path, seed=2)
    found = fit_enrollment(read_accrual_log(path, as_of=AS_OF, sites=sites), shapes=["constant"])
    shapes, rates = found.knowledge(Draws(1))(np.arange(500))
    assert shapes.shape == rates.shape == (500, 20)
    alphas = shapes[:, 0] - found.counts[0]
    assert np.median(alphas) == pytest.approx(found.choice.best.gamma.shape, rel=0.5)
    assert alphas.std() > 0.1
    means = alphas / (rates[:, 0] - found.exposures[0])
    assert means.mean() == pytest.approx(found.choice.best.gamma.mean, rel=0.1)


def test_without_a_file_of_sites_the_first_patient_does_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "subject,site,randomised", "a,A,2025-03-01", "b,A,2025-03-11", "c,B,2025-05-01")
    found = fit_enrollment(read_accrual_log(path, as_of=AS_OF), shapes=["constant"])
    assert found.counts.tolist() == [1, 0]
    assert found.exposures.tolist() == [305.5, 244.5]


def test_planned_sites_join_with_the_rate_of_the_others(tmp_path: Path) -> None:
    path, sites = draw_trial(tmp_path, seed=2)
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    planned = [PlannedSite(name="new", start=dt.date(2026, 3, 1), closes=dt.date(2026, 12, 31), cap=7)]
    found = fit_enrollment(log, planned=planned, shapes=["constant"])
    new = found.plan.sites[-1]
    assert (new.name, new.cap, new.rate) == ("new", 7, found.choice.best.gamma)
    assert new.start == found.plan.since + 31 + 28
    assert found.counts[-1] == found.exposures[-1] == 0


def test_a_calendar_counts_active_days(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "subject,site,randomised", "a,A,2025-12-03", "b,A,2025-12-10")
    sites = write(tmp_path / "sites.csv", "site,opened,cap", "A,2025-12-01,3")
    log = read_accrual_log(path, as_of=dt.date(2025, 12, 14), sites=sites)
    found = fit_enrollment(log, calendar=Calendar(), shapes=["constant"])
    assert found.exposures.tolist() == [10.0]
    assert found.plan.sites[0].cap == 1


def test_a_log_that_says_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "subject,site,randomised")
    with pytest.raises(ConfigError, match="neither a site nor a subject"):
        fit_enrollment(read_accrual_log(path, as_of=AS_OF))
    sites = write(tmp_path / "sites.csv", "site,opened", "A,2026-12-01")
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    assert isinstance(log, AccrualLog)
    with pytest.raises(ConfigError, match="no site has opened"):
        fit_enrollment(log)
