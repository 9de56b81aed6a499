"""With a learned model, too, the virtual machine lives the lives of the reference interpreter, byte for byte."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.testing.asserts import assert_machine_equals_reference
from trajsim.testing.bindings import bound, random_model, random_offset
from trajsim.testing.strategies import Scenario, scenarios

# A question has a whole tile of rows, so a life costs more here than without a model.
EXAMPLES = 20 if settings().max_examples < 1_000 else 500


@settings(max_examples=EXAMPLES)
@given(scenarios(), st.integers(0, 2**32))
def test_random_modules_with_random_models(scenario: Scenario, seed: int) -> None:
    assert_machine_equals_reference(bound(scenario, seed), model=random_model(seed), death_offset=random_offset(seed))
