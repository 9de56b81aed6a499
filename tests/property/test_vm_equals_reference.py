"""The virtual machine lives the lives of the reference interpreter, byte for byte, on modules that nobody wrote."""

from hypothesis import given

from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.strategies import Scenario, scenarios


@given(scenarios())
def test_random_modules(scenario: Scenario) -> None:
    assert_machine_equals_reference(scenario)
