"""The virtual machine lives the lives of the reference interpreter, byte for byte, on modules that nobody wrote."""

from hypothesis import given, settings

from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.strategies import Scenario, scenarios

# Whole module sets are worth more than single values, and cost more: 200 in a plain run, 2,500 a night.
EXAMPLES = 200 if settings().max_examples < 1_000 else 2_500


@settings(max_examples=EXAMPLES)
@given(scenarios())
def test_random_modules(scenario: Scenario) -> None:
    assert_machine_equals_reference(scenario)
