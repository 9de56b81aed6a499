import pytest

from tests.unit.trials.design.published import CONTROL, DESIGN
from trajsim.errors import ConfigError
from trajsim.trials.design.survival_design import Stratum, SurvivalDesign, constant, delayed_effect
from trajsim.trials.rates.shapes import Piecewise


def test_a_delayed_effect_begins_after_the_delay() -> None:
    hazard = delayed_effect(Piecewise([4.0, 8.0], [1.0, 2.0, 3.0]), hazard_ratio=0.5, delay=6.0)
    assert (hazard.cuts.tolist(), hazard.levels.tolist()) == ([4.0, 6.0, 8.0], [1.0, 2.0, 1.0, 1.5])
    assert delayed_effect(CONTROL, hazard_ratio=0.5, delay=0.0).levels[0] == CONTROL.levels[0] / 2


def test_the_published_design_has_its_subjects() -> None:
    assert DESIGN.n_subjects == 468
    assert DESIGN.under_null().treated is DESIGN.control


@pytest.mark.parametrize(("share", "block"), [(0.5, (2, 4)), (2 / 3, (4, 6)), (0.25, (1, 4)), (0.4, (2, 5))])
def test_blocks_hold_the_share(share: float, block: tuple[int, int]) -> None:
    design = SurvivalDesign(
        accrual=constant(10.0),
        accrual_duration=10.0,
        control=CONTROL,
        treated=CONTROL,
        events=(50,),
        treated_share=share,
    )
    assert design.block == block


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        SurvivalDesign(
            accrual=constant(10.0),
            accrual_duration=10.0,
            control=CONTROL,
            treated=CONTROL,
            events=(60, 50, 200),
            control_dropout=-1.0,
            treated_share=0.123456,
            strata=(Stratum(share=0.5, factor=0.0),),
        )
    assert len(str(caught.value).splitlines()) == 7
    for duration, words in ((0.0, "accrual_duration"), (0.1, "fewer than two")):
        with pytest.raises(ConfigError, match=words):
            SurvivalDesign(
                accrual=constant(10.0), accrual_duration=duration, control=CONTROL, treated=CONTROL, events=(1,)
            )
