import pytest

from trajsim.cli import later
from trajsim.cli.app import app, main
from trajsim.errors import ConfigError


def test_nothing_is_refused_that_is_there() -> None:
    later.refuse_later([])
    later.refuse_later(["generate", "-n", "10", "--seed", "7", "--no-model"])
    later.refuse_later(["check", "--", "--model"])


@pytest.mark.parametrize("verb", later.VERBS)
def test_a_verb_of_a_later_release_is_refused_by_name(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--anything"]) == 2
    assert f"`trajsim {verb}`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "option"), [(verb, option) for verb in later.OPTIONS for option in later.OPTIONS[verb]]
)
def test_an_option_of_a_later_release_is_refused_by_name(
    verb: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for argument in (option, f"{option}=x"):
        assert main([verb, argument]) == 2
        assert f"{option} (" in capsys.readouterr().err


@pytest.mark.parametrize("name", later.FORMATS)
def test_a_format_of_a_later_release_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--format {name}"):
        later.refuse_later_value("--format", name, later.FORMATS)


def test_what_is_there_is_not_listed_as_later() -> None:
    verbs = {command.name for command in app.registered_commands}
    assert not verbs & set(later.VERBS)
    assert set(later.OPTIONS) <= verbs


def test_an_unknown_verb_or_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulat"]) == 2
    assert main(["generate", "--sede", "7"]) == 2
    assert "--sede" in capsys.readouterr().err
