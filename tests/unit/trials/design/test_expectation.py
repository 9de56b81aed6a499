import dataclasses
import math

import pytest

from tests.unit.trials.design.published import CONTROL, DESIGN, LOST
from trajsim.errors import ConfigError
from trajsim.trials.design.events import events_for_logrank, expected_events
from trajsim.trials.design.expectation import expect, expected_events_by, time_of_events
from trajsim.trials.design.group_sequential import GroupSequential
from trajsim.trials.design.survival_design import Stratum, SurvivalDesign, constant, delayed_effect


def test_the_published_numbers() -> None:
    """lrstat: interim at 31.4 months, final at 41.5, power 0.802, 29.8 dropouts."""
    found = expect(DESIGN)
    assert found.times.tolist() == pytest.approx([31.4, 41.5], abs=0.05)
    assert found.power == pytest.approx(0.802, abs=0.0005)
    assert found.dropouts[1] == pytest.approx(29.8, abs=0.05)
    assert (found.n_subjects, found.events) == (468, (252, 315))
    assert found.times[0] < found.expected_time < found.times[1]


@pytest.mark.parametrize("time", [0.0, 7.0, 15.0, 40.0])
def test_constant_hazards_have_the_closed_form(time: float) -> None:
    design = SurvivalDesign(
        accrual=constant(20.0),
        accrual_duration=12.0,
        control=CONTROL,
        treated=CONTROL,
        events=(50,),
        control_dropout=LOST,
        treated_dropout=LOST,
    )
    want = expected_events(time, accrual_rate=20.0, accrual_duration=12.0, hazard=math.log(2) / 13, dropout=LOST)
    assert expected_events_by(design, time) == pytest.approx(float(want), rel=1e-5)


def test_schoenfelds_events_have_the_power_that_they_are_for() -> None:
    events = round(events_for_logrank(0.7, alpha=0.05, power=0.9))
    design = SurvivalDesign(
        accrual=constant(40.0),
        accrual_duration=12.0,
        control=CONTROL,
        treated=delayed_effect(CONTROL, hazard_ratio=0.7, delay=0.0),
        events=(events,),
    )
    assert expect(design).power == pytest.approx(0.9, abs=0.01)


def test_a_useless_treatment_spends_alpha() -> None:
    assert expect(DESIGN.under_null()).power == pytest.approx(0.025, abs=1e-6)


def test_weights_on_late_events_help_a_delayed_effect() -> None:
    late = dataclasses.replace(DESIGN, gamma=1.0)
    early = dataclasses.replace(DESIGN, rho=1.0)
    assert expect(late).power > expect(DESIGN).power > expect(early).power


def test_one_stratum_is_no_stratum() -> None:
    halves = (Stratum(share=0.5, factor=1.0), Stratum(share=0.5, factor=1.0))
    assert expect(dataclasses.replace(DESIGN, strata=halves)).power == pytest.approx(expect(DESIGN).power)


def test_events_that_never_come_are_refused() -> None:
    design = dataclasses.replace(DESIGN, events=(468,), bounds=GroupSequential())
    with pytest.raises(ConfigError, match="never expected"):
        time_of_events(design, 468)
