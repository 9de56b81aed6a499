from dataclasses import dataclass

import pytest

from trajsim import errors
from trajsim.errors import ConfigError, EngineFault, ModuleError, TrajsimError


@dataclass(frozen=True)
class Remark:
    text: str

    def render(self) -> str:
        return self.text


def test_the_cure_follows_the_sentence_after_a_blank_line() -> None:
    error = TrajsimError("no table 'x'", hint="did you mean 'y'?")
    assert str(error) == "no table 'x'\n\nHint: did you mean 'y'?"
    assert (error.message, error.hint) == ("no table 'x'", "did you mean 'y'?")


def test_without_a_cure_there_is_none() -> None:
    assert str(TrajsimError("no table 'x'")) == "no table 'x'"


@pytest.mark.parametrize(
    ("family", "code"),
    [
        ("ModuleError", 1),
        ("SchemaError", 1),
        ("DataFileError", 1),
        ("ConfigError", 2),
        ("CompileError", 3),
        ("EngineFault", 3),
        ("PrivacyError", 3),
        ("ExportError", 3),
        ("ServerError", 3),
    ],
)
def test_each_family_has_its_exit_code(family: str, code: int) -> None:
    kind = getattr(errors, family)
    assert issubclass(kind, TrajsimError)
    assert kind.exit_code == code


def test_a_module_error_shows_every_finding() -> None:
    error = ModuleError([Remark("a.json: broken"), Remark("b.json: broken too")], hint="look")
    assert str(error) == "2 faults in the modules\na.json: broken\nb.json: broken too\n\nHint: look"
    assert len(error.findings) == 2
    assert str(ModuleError([Remark("a.json: broken")])).startswith("1 fault in")


def test_an_engine_fault_says_where_it_happened() -> None:
    error = EngineFault("the module spins", module="copd", state="Wait", patient_id=12, time_ms=-5)
    assert str(error) == "the module spins (module 'copd', state 'Wait', patient 12, time -5 ms)"
    assert (error.module, error.state, error.patient_id, error.time_ms) == ("copd", "Wait", 12, -5)


def test_a_wrong_option_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="seed"):
        raise ConfigError("seed")  # noqa: EM101
