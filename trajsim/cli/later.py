"""What the command line promises and does not hold yet: one table, so that nothing is ever ignored in silence.

Scripts are written against the contract of the command line. A verb, option or value of it that a later release brings
is refused by name, with exit code 2; the release that brings it deletes its line here.
"""

from collections.abc import Mapping, Sequence

from trajsim.errors import ConfigError

VERBS: Mapping[str, str] = {
    "calibrate": "modules to published targets, and mortality offsets",
    "evaluate": "report on fidelity, utility and privacy",
    "lint-data": "checks of anyone's data",
}

_OPTIONS: Mapping[str, str] = {"--strict-semantics": "GMF without Synthea's quirks"}

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "generate": _OPTIONS,
    "trace": _OPTIONS,
    "parity": {},
    "export": {},
}

FORMATS: Mapping[str, str] = {"omop": "OMOP CDM tables", "meds": "MEDS event tables"}
SOURCES: Mapping[str, str] = {"omop": "OMOP CDM tables", "meds": "MEDS event tables", "fhir": "FHIR bundles and NDJSON"}


def refuse_later(arguments: Sequence[str]) -> None:
    """Refuses a verb or option that the contract names and this release lacks.

    Args:
        arguments: The command line without the program's name.

    Raises:
        ConfigError: It is not there yet.
    """
    if not arguments:
        return
    verb = arguments[0]
    if verb in VERBS:
        msg = f"`trajsim {verb}` ({VERBS[verb]}) comes with a later release"
        raise ConfigError(msg, hint="`trajsim --help` lists the commands that are there")
    options = OPTIONS.get(verb, {})
    for argument in arguments[1:]:
        name = argument.partition("=")[0]
        if name == "--":
            return
        if name in options:
            msg = f"{name} ({options[name]}) comes with a later release, so `trajsim {verb}` does not take it yet"
            raise ConfigError(msg, hint="leave it out")


def refuse_later_value(option: str, value: str, later: Mapping[str, str]) -> None:
    """Refuses a value of an option that this release lacks.

    Raises:
        ConfigError: It is not there yet.
    """
    if value in later:
        msg = f"{option} {value} ({later[value]}) comes with a later release"
        raise ConfigError(msg)
