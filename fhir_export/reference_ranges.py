"""Between which values a laboratory result is usually called normal, by sex where it matters, in conventional US units.

Ranges differ between laboratories; these are single published ones, each with its source below. A result in another
unit has no range, nor has one of a child where growth moves it. Nobody knows a normal level of prostate-specific
antigen (National Cancer Institute; the American Board of Internal Medicine reports none), so there is none here.

Sources:
    Blood counts with differential: Merck Manual, table "Complete Blood Count".
    Sodium, potassium, albumin, C-reactive protein: American Board of Internal Medicine, laboratory test reference
        ranges, January 2024.
    Chloride, total bilirubin, pH and carbon dioxide of arterial blood: Merck Manual, table "Blood Tests"; its oxygen
        and bicarbonate: MedlinePlus 003855.
    Calcium, carbon dioxide, creatinine, total protein, ALT, AST, alkaline phosphatase, iron, ferritin, magnesium,
        phosphate, lactate dehydrogenase, thyrotropin, prothrombin time, pH of urine: MedlinePlus Medical Encyclopedia
        003477, 003469, 003475, 003483, 003473, 003472, 003470, 003488, 003490, 003487, 003478, 003471, 003684, 003652,
        003583.
    Urea nitrogen (about 7 to 20 mg/dL): Mayo Clinic, blood urea nitrogen (BUN) test.
    Fasting glucose, HbA1c: American Diabetes Association, Standards of Care in Diabetes 2024, section 2; the lower
        limit of HbA1c is the one of the American Board of Internal Medicine.
    Lipids: NCEP Adult Treatment Panel III (2001), table 2; low HDL of women: its table of the metabolic syndrome.
    Filtration rate, albumin in urine: KDIGO 2024 guideline of chronic kidney disease.
    Ejection fraction: Lang et al. (2015), recommendations for cardiac chamber quantification, table 4.
    NT-proBNP: Heidenreich et al. (2022), AHA/ACC/HFSA guideline of heart failure (ambulatory patients).
    D-dimer, procalcitonin, lactate, aPTT: the cut-offs that laboratories and guidelines use most (0.5 ug/mL FEU,
        0.1 ng/mL, 2 mmol/L, 25 to 35 s).
"""

from collections.abc import Mapping
from typing import Any

from fhir.resources.R4B.observation import ObservationReferenceRange

from fhir_export.concepts import checked
from fhir_export.vocabulary import UCUM, ucum_code

LOW, NORMAL, HIGH = range(1, 4)
FEMALE, MALE = "F", "M"
ADULT_YEARS = 18

Limits = tuple[float | None, float | None]

# LOINC code: lowest, highest (None: open), UCUM unit; of both sexes.
RANGES: Mapping[str, tuple[float | None, float | None, str]] = {
    "2339-0": (70, 99, "mg/dL"), "2345-7": (70, 99, "mg/dL"), "1558-6": (70, 99, "mg/dL"), "4548-4": (4, 5.6, "%"),
    "3094-0": (7, 20, "mg/dL"), "6299-2": (7, 20, "mg/dL"), "49765-1": (8.5, 10.2, "mg/dL"),
    "17861-6": (8.5, 10.2, "mg/dL"), "2947-0": (136, 145, "mmol/L"), "2951-2": (136, 145, "mmol/L"),
    "6298-4": (3.5, 5, "mmol/L"), "2823-3": (3.5, 5, "mmol/L"), "2069-3": (98, 106, "mmol/L"),
    "2075-0": (98, 106, "mmol/L"), "20565-8": (23, 29, "mmol/L"), "2028-9": (23, 29, "mmol/L"),
    "2885-2": (6, 8.3, "g/dL"), "1751-7": (3.5, 5.5, "g/dL"), "10834-0": (2, 3.5, "g/dL"),
    "1975-2": (None, 1, "mg/dL"), "6768-6": (44, 147, "U/L"), "1742-6": (4, 36, "U/L"), "1920-8": (8, 33, "U/L"),
    "2532-0": (105, 333, "U/L"), "14804-9": (105, 333, "U/L"), "19123-9": (1.7, 2.2, "mg/dL"),
    "2777-1": (2.8, 4.5, "mg/dL"), "3016-3": (0.5, 5, "m[IU]/L"), "32693-4": (None, 2, "mmol/L"),
    "2093-3": (None, 200, "mg/dL"), "2571-8": (None, 150, "mg/dL"), "18262-6": (None, 100, "mg/dL"),
    "6690-2": (4.5, 11, "10*3/uL"), "777-3": (140, 450, "10*3/uL"), "787-2": (80, 100, "fL"), "785-6": (28, 32, "pg"),
    "786-4": (32, 36, "g/dL"), "788-0": (11.5, 14.5, "%"), "751-8": (1.8, 7.7, "10*3/uL"),
    "731-0": (1, 4.8, "10*3/uL"), "742-7": (0.2, 1.2, "10*3/uL"), "711-2": (None, 0.9, "10*3/uL"),
    "704-7": (None, 0.3, "10*3/uL"), "770-8": (40, 70, "%"), "736-9": (22, 44, "%"), "5905-5": (4, 11, "%"),
    "713-8": (None, 8, "%"), "706-2": (None, 3, "%"), "14959-1": (None, 30, "mg/g"),
    "33914-3": (60, None, "mL/min/{1.73_m2}"), "2498-4": (60, 170, "ug/dL"), "2500-7": (240, 450, "ug/dL"),
    "2502-3": (20, 50, "%"), "1988-5": (None, 8, "mg/L"), "33959-8": (None, 0.1, "ng/mL"),
    "33762-6": (None, 125, "pg/mL"), "48065-7": (None, 0.5, "ug/mL"), "5902-2": (11, 13.5, "s"),
    "6301-6": (0.8, 1.1, "{INR}"), "3173-2": (25, 35, "s"), "2744-1": (7.35, 7.45, "[pH]"),
    "2703-7": (75, 100, "mm[Hg]"), "2019-8": (35, 45, "mm[Hg]"), "1960-4": (22, 28, "mmol/L"),
    "5803-2": (4.6, 8, "[pH]"),
}  # fmt: skip

# LOINC code: limits of women, limits of men, UCUM unit.
RANGES_BY_SEX: Mapping[str, tuple[Limits, Limits, str]] = {
    "38483-4": ((0.6, 1.1), (0.7, 1.3), "mg/dL"), "2160-0": ((0.6, 1.1), (0.7, 1.3), "mg/dL"),
    "2085-9": ((50, None), (40, None), "mg/dL"), "718-7": ((12, 16), (14, 17), "g/dL"),
    "20570-8": ((36, 47), (41, 51), "%"), "4544-3": ((36, 47), (41, 51), "%"),
    "789-8": ((4, 5.2), (4.5, 5.9), "10*6/uL"), "2276-4": ((12, 150), (12, 300), "ng/mL"),
    "10230-1": ((54, 74), (52, 72), "%"),
}  # fmt: skip

# Units that say the same of the codes above.
_SAME_UNITS = {("2276-4", "ug/L"): "ng/mL", ("33914-3", "mL/min"): "mL/min/{1.73_m2}"}

# Codes whose range holds for children too.
_ALL_AGES = frozenset({
    "2339-0", "2345-7", "1558-6", "4548-4", "2947-0", "2951-2", "6298-4", "2823-3", "2069-3", "2075-0", "1988-5",
    "33959-8", "48065-7", "6301-6", "2744-1", "2019-8", "5803-2",
})  # fmt: skip


def range_of(system: str | None, code: str | None, unit: str | None, sex: str) -> Limits | None:
    """The lowest and the highest normal value; None: not in the tables, or in another unit.

    Example:
        >>> range_of("LOINC", "718-7", "g/dL", FEMALE)
        (12, 16)
    """
    if system != "LOINC" or code is None:
        return None
    said = ucum_code(unit)
    said = _SAME_UNITS.get((code, said or ""), said)
    if code in RANGES_BY_SEX:
        women, men, wanted = RANGES_BY_SEX[code]
        return (women if sex == FEMALE else men) if said == wanted else None
    known = RANGES.get(code)
    return known[:2] if known is not None and known[2] == said else None


def is_of_all_ages(code: str | None) -> bool:
    """Whether the range of a code holds for children too."""
    return code in _ALL_AGES


def _reference_range(system: str | None, code: str | None, unit: str | None, sex: str) -> bytes:
    low, high = range_of(system, code, unit, sex) or (None, None)
    content: dict[str, Any] = {}
    for name, value in (("low", low), ("high", high)):
        if value is not None:
            content[name] = {"value": value, "unit": unit, "system": UCUM, "code": ucum_code(unit)}
    if code in RANGES_BY_SEX:
        content["appliesTo"] = [{"text": "Women" if sex == FEMALE else "Men"}]
    return checked(ObservationReferenceRange, content)


def women_reference_range(system: str | None, code: str | None, unit: str | None) -> bytes:
    """The Observation.referenceRange of a woman's result whose code has one."""
    return _reference_range(system, code, unit, FEMALE)


def men_reference_range(system: str | None, code: str | None, unit: str | None) -> bytes:
    """The Observation.referenceRange of a man's result whose code has one."""
    return _reference_range(system, code, unit, MALE)
