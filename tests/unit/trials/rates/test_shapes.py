from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate

from trajsim.errors import ConfigError
from trajsim.trials.rates.shapes import Constant, Decay, Piecewise, Ramp, Shape

SHAPES = [
    Constant(),
    Decay(delta=0.1),
    Ramp(duration=6.0),
    Ramp(duration=6.0, first=0.3),
    Piecewise([2.0, 4.0, 6.0], [1.0, 0.0, 2.0, 0.5]),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_the_cumulative_rate_is_the_integral_of_the_rate(shape: Shape) -> None:
    for time in (0.5, 3.0, 5.5, 9.0):
        area, _ = integrate.quad(lambda t: float(shape.relative(t)), 0.0, time, points=[2.0, 4.0, 6.0], limit=200)
        assert float(shape.cumulative(time)) == pytest.approx(area, rel=1e-9)
    assert float(shape.cumulative(-1.0)) == float(shape.relative(-1.0)) == 0.0


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_the_inverse_is_the_first_time_that_reaches_an_amount(shape: Shape) -> None:
    amounts = shape.cumulative(np.linspace(0.0, 12.0, 49))
    np.testing.assert_allclose(shape.cumulative(shape.inverse(amounts)), amounts, rtol=1e-12)


def test_an_amount_that_is_never_reached_takes_for_ever() -> None:
    assert float(Decay(delta=0.1).inverse(10.0)) == np.inf
    assert float(Piecewise([2.0], [1.0, 0.0]).inverse(2.5)) == np.inf
    assert float(Piecewise([2.0], [1.0, 0.0]).inverse(2.0)) == 2.0
    assert float(Piecewise([2.0], [1.0, 1.0]).inverse(np.inf)) == np.inf


def test_a_step_of_level_0_is_skipped() -> None:
    assert float(Piecewise([2.0, 4.0], [1.0, 0.0, 1.0]).inverse(2.5)) == 4.5
    assert float(Piecewise([2.0], [0.0, 1.0]).inverse(0.5)) == 2.5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Decay(delta=0.0), "delta"),
        (lambda: Ramp(duration=-1.0), "duration"),
        (lambda: Ramp(duration=1.0, first=1.0), "first level"),
        (lambda: Piecewise([1.0], [1.0]), "one level more"),
        (lambda: Piecewise([2.0, 1.0], [1.0, 1.0, 1.0]), "rise"),
        (lambda: Piecewise([1.0], [1.0, -1.0]), "not negative"),
    ],
)
def test_impossible_shapes_are_refused(make: Callable[[], Shape], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()
