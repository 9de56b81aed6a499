"""Between which values a laboratory result of an adult is usually called normal.

Source: MedlinePlus medical tests and the reference ranges of the American Board of Internal Medicine (January 2024),
rounded where they name both sexes apart; conventional US units. A result in another unit has no range.
"""

from collections.abc import Mapping
from typing import Any

from fhir.resources.R4B.observation import ObservationReferenceRange

from fhir_export.concepts import checked
from fhir_export.vocabulary import UCUM, ucum_code

LOW, NORMAL, HIGH = range(1, 4)

# LOINC code: lowest, highest (None: open), UCUM unit.
RANGES: Mapping[str, tuple[float | None, float | None, str]] = {
    "2339-0": (70, 99, "mg/dL"), "2345-7": (70, 99, "mg/dL"), "1558-6": (70, 99, "mg/dL"), "4548-4": (4, 5.6, "%"),
    "3094-0": (8, 20, "mg/dL"), "6299-2": (8, 20, "mg/dL"), "38483-4": (0.6, 1.3, "mg/dL"),
    "2160-0": (0.6, 1.3, "mg/dL"), "49765-1": (8.6, 10.2, "mg/dL"), "17861-6": (8.6, 10.2, "mg/dL"),
    "2947-0": (136, 145, "mmol/L"), "2951-2": (136, 145, "mmol/L"), "6298-4": (3.5, 5, "mmol/L"),
    "2823-3": (3.5, 5, "mmol/L"), "2069-3": (98, 106, "mmol/L"), "2075-0": (98, 106, "mmol/L"),
    "20565-8": (23, 28, "mmol/L"), "2028-9": (23, 28, "mmol/L"), "2885-2": (6, 7.8, "g/dL"),
    "1751-7": (3.5, 5.5, "g/dL"), "10834-0": (2, 3.5, "g/dL"), "1975-2": (0.3, 1, "mg/dL"),
    "6768-6": (30, 120, "U/L"), "1742-6": (10, 40, "U/L"), "1920-8": (10, 40, "U/L"),
    "2093-3": (None, 200, "mg/dL"), "2571-8": (None, 150, "mg/dL"), "18262-6": (None, 100, "mg/dL"),
    "2085-9": (40, None, "mg/dL"), "718-7": (12, 17, "g/dL"), "20570-8": (36, 51, "%"), "4544-3": (36, 51, "%"),
    "6690-2": (4, 10, "10*3/uL"), "777-3": (150, 350, "10*3/uL"), "789-8": (4, 6, "10*6/uL"),
    "787-2": (80, 100, "fL"), "785-6": (28, 32, "pg"), "786-4": (33, 36, "g/dL"), "21000-5": (39, 46, "fL"),
    "2857-1": (None, 4, "ng/mL"), "14959-1": (None, 30, "mg/g"), "33914-3": (60, None, "mL/min/{1.73_m2}"),
    "2276-4": (15, 200, "ng/mL"), "2498-4": (50, 150, "ug/dL"), "2500-7": (250, 310, "ug/dL"),
    "10230-1": (55, 70, "%"), "1988-5": (None, 8, "mg/L"), "33762-6": (None, 125, "pg/mL"),
    "48065-7": (None, 0.5, "ug/mL"), "5902-2": (11, 13, "s"), "6301-6": (0.9, 1.1, "{INR}"),
    "2532-0": (60, 160, "U/L"), "2703-7": (75, 100, "mm[Hg]"), "2019-8": (35, 45, "mm[Hg]"),
}  # fmt: skip


def range_of(system: str | None, code: str | None, unit: str | None) -> tuple[float | None, float | None] | None:
    """The lowest and the highest normal value; None: not in the table, or in another unit."""
    known = RANGES.get(code or "") if system == "LOINC" else None
    return known[:2] if known is not None and known[2] == ucum_code(unit) else None


def reference_range(system: str | None, code: str | None, unit: str | None) -> bytes:
    """The Observation.referenceRange of a code that has one."""
    low, high = range_of(system, code, unit) or (None, None)
    content: dict[str, Any] = {}
    for name, value in (("low", low), ("high", high)):
        if value is not None:
            content[name] = {"value": value, "unit": unit, "system": UCUM, "code": ucum_code(unit)}
    return checked(ObservationReferenceRange, content)
