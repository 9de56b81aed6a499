"""Rules GMF4xx: codes. A wrong code is recorded and exported as it stands, so a slip here reaches every user."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from trajsim.codes import is_valid_loinc, is_valid_snomed, system_uri
from trajsim.codes.systems import SYSTEM_URIS
from trajsim.errors import ConfigError
from trajsim.gmf import model
from trajsim.gmf.findings import Finding, did_you_mean
from trajsim.gmf.model import Code, Module, State
from trajsim.gmf.rules.rule import Subject, warning
from trajsim.gmf.walk import Steps, codes

SNOMED_DIGIT = warning(
    "GMF401",
    "a SNOMED CT code fails its check digit",
    "The last digit of a SNOMED CT identifier is a Verhoeff check digit. A code that fails it does not exist: usually "
    "one digit is wrong or two have changed places.",
    "Look the concept up and correct the code.",
)
LOINC_DIGIT = warning(
    "GMF402",
    "a LOINC code fails its check digit",
    "The digit after the hyphen is a check digit (modulus 10). A code that fails it does not exist.",
    "Look the term up and correct the code.",
)
SEVERAL_DISPLAYS = warning(
    "GMF403",
    "one code has several displays",
    "The same code is written with different wordings. Either the wording varies, which confuses readers of the "
    "output, or one of the codes is wrong.",
    "Use one wording for a code in all files, or correct the code that is wrong.",
)
UNKNOWN_SYSTEM = warning(
    "GMF404",
    "the code system is unknown",
    "Exporters turn the short name of a code system into its official address. An unknown name has none.",
    "Use one of the usual short names, such as `SNOMED-CT`, `LOINC`, `RxNorm`, `CVX`.",
)
NOT_DIGITS = warning(
    "GMF405",
    "a code does not have the form of its code system",
    "SNOMED CT, RxNorm and CVX codes are digits; a LOINC code is digits, a hyphen and one digit.",
    "Look the concept up and correct the code.",
)
NO_VISIT_CODE = warning(
    "GMF406",
    "an encounter has no code",
    "It is recorded without saying what kind of visit it was. (A wellness Encounter needs none: it joins a visit.)",
    "Give it a code, for example SNOMED CT 185349003, encounter for check up.",
)

RULES = (SNOMED_DIGIT, LOINC_DIGIT, SEVERAL_DISPLAYS, UNKNOWN_SYSTEM, NOT_DIGITS, NO_VISIT_CODE)

_FORM = {
    "SNOMED-CT": re.compile(r"[1-9]\d{5,17}\Z"),
    "LOINC": re.compile(r"(LP|LA)?\d{1,7}-\d\Z"),
    "RxNorm": re.compile(r"\d{1,8}\Z"),
    "CVX": re.compile(r"\d{1,3}\Z"),
}

Place = tuple[Module, State, Steps]


def check(subject: Subject) -> Iterator[Finding]:
    """All rules of this file."""
    displays: dict[tuple[str, str], Counter[str]] = {}
    places: dict[tuple[str, str, str], Place] = {}
    for module in subject.sound.values():
        for state in module.states.values():
            for steps, code in codes(state):
                yield from _one_code(module, state, steps, code)
                if code.display:
                    displays.setdefault((code.system, code.code), Counter())[code.display] += 1
                    places.setdefault((code.system, code.code, code.display), (module, state, steps))
            if isinstance(state, model.Encounter) and not state.codes and not state.wellness:
                yield NO_VISIT_CODE.at_state(module, state.name, (), "this encounter has no code")
    for (system, code_text), counts in displays.items():
        if len(counts) > 1:
            ranked = sorted(counts, key=lambda text: (-counts[text], text))
            module, state, steps = places[system, code_text, ranked[-1]]
            shown = ", ".join(f"{text!r} ({counts[text]})" for text in ranked)
            message = f"{system} {code_text} has {len(counts)} displays: {shown}"
            yield SEVERAL_DISPLAYS.at_state(module, state.name, (*steps, "display"), message)


def _one_code(module: Module, state: State, steps: Steps, code: Code) -> Iterator[Finding]:
    if not _is_known(code.system):
        near = did_you_mean(code.system, SYSTEM_URIS)
        message = f"code system {code.system!r}{near}"
        yield UNKNOWN_SYSTEM.at_state(module, state.name, (*steps, "system"), message)
    form = _FORM.get(code.system)
    place = (*steps, "code")
    if form is not None and not form.match(code.code):
        message = f"{code.code!r} does not look like a code of {code.system}"
        yield NOT_DIGITS.at_state(module, state.name, place, message)
    elif code.system == "SNOMED-CT" and not is_valid_snomed(code.code):
        message = f"SNOMED CT {code.code} ({code.display}) has a wrong check digit"
        yield SNOMED_DIGIT.at_state(module, state.name, place, message)
    elif code.system == "LOINC" and not is_valid_loinc(code.code):
        message = f"LOINC {code.code} ({code.display}) has a wrong check digit"
        yield LOINC_DIGIT.at_state(module, state.name, place, message)


@cache
def _is_known(system: str) -> bool:
    """Whether `trajsim.codes` has an address for a code system."""
    try:
        system_uri(system)
    except ConfigError:
        return False
    return True
