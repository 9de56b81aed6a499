"""Rules GMF4xx: codes. A wrong code is recorded and exported as it stands, so a slip here reaches every user."""

import re
from collections import Counter
from collections.abc import Iterator

from trajsim.gmf import model
from trajsim.gmf.findings import Finding, did_you_mean
from trajsim.gmf.model import Code, Module, State
from trajsim.gmf.rules.rule import Subject, warning
from trajsim.gmf.walk import Steps, codes

CODE_SYSTEMS = (
    "SNOMED-CT", "LOINC", "RxNorm", "CVX", "NUBC", "DICOM-DCM", "DICOM-SOP", "NullFlavor", "ICD10", "ICD10-CM",
    "ICD-10-CM", "ICD10-PCS", "ICD-10-PCS", "ICD9", "ICD-9-CM", "CPT", "HCPCS", "NDC", "CDT", "UCUM",
)  # fmt: skip

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
_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)

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
    if code.system not in CODE_SYSTEMS:
        near = did_you_mean(code.system, CODE_SYSTEMS)
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


def is_valid_snomed(code: str) -> bool:
    """Whether the last digit is the Verhoeff check digit of the rest.

    Source: Verhoeff (1969), Error detecting decimal codes; SNOMED CT release file specification, check digit.
    """
    check = 0
    for position, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(position % 8):
            value = _VERHOEFF_PERMUTATION[value]
        check = _dihedral(check, value)
    return check == 0


def _dihedral(left: int, right: int) -> int:
    """Product in the dihedral group of order 10: 0 to 4 are rotations, 5 to 9 reflections."""
    if left < 5:
        return (left + right) % 5 if right < 5 else 5 + (left + right) % 5
    return 5 + (left - right) % 5 if right < 5 else (left - right) % 5


def is_valid_loinc(code: str) -> bool:
    """Whether the digit after the hyphen is the modulus-10 check digit of the number before it.

    Answers and parts (``LA``, ``LP``) count as valid: their digit follows another rule.

    Source: LOINC Users' Guide, appendix on the check digit.
    """
    number, _, given = code.rpartition("-")
    if not number.isdigit():
        return True
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(given)
