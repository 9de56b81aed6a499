"""Check digits: they catch a mistyped code before anybody believes it.

Source: Verhoeff (1969), Error detecting decimal codes, for SNOMED CT identifiers (SNOMED International, Technical
Implementation Guide, "Check-digit"); Regenstrief Institute, LOINC Users' Guide, appendix C, mod 10; ISO/IEC 7812-1,
annex B (Luhn); Centers for Medicare & Medicaid Services, Requirements for National Provider Identifier and NPI check
digit.
"""

# Multiplication in the dihedral group of order ten, and the permutation that Verhoeff chose.
_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_PERMUTATION_ORDER = 8

_SNOMED_MIN_LENGTH = 6
_SNOMED_MAX_LENGTH = 18
_SNOMED_PARTITIONS = frozenset({"00", "01", "02", "10", "11", "12"})
_LOINC_PREFIXES = ("LA", "LP")
_NPI_PREFIX = "80840"
_NPI_LENGTH = 10


def _permutations() -> tuple[tuple[int, ...], ...]:
    """Powers 0 ... 7 of the permutation."""
    powers = [tuple(range(10))]
    for _ in range(_PERMUTATION_ORDER - 1):
        powers.append(tuple(_PERMUTATION[digit] for digit in powers[-1]))
    return tuple(powers)


_POWERS = _permutations()


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def is_valid_snomed(code: str) -> bool:
    """Whether a text is a SNOMED CT identifier: 6 to 18 digits, a known partition, a right Verhoeff digit."""
    if not _is_digits(code) or not _SNOMED_MIN_LENGTH <= len(code) <= _SNOMED_MAX_LENGTH or code.startswith("0"):
        return False
    if code[-3:-1] not in _SNOMED_PARTITIONS:
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _DIHEDRAL[check][_POWERS[place % _PERMUTATION_ORDER][int(digit)]]
    return check == 0


def _mod_10(text: str) -> int:
    """The mod 10 digit that follows a text: from the last on, every second character is doubled, its digits summed."""
    total = 0
    for place, character in enumerate(reversed(text)):
        value = ord(character) - ord("0")
        total += value if place % 2 else sum(int(digit) for digit in str(2 * value))
    return -total % 10


def luhn_digit(digits: str) -> int:
    """The Luhn digit that follows a string of digits."""
    return _mod_10(digits)


def is_valid_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn digit of those before."""
    return len(digits) > 1 and _is_digits(digits) and luhn_digit(digits[:-1]) == int(digits[-1])


def is_valid_loinc(code: str) -> bool:
    """Whether a text is a LOINC number ``n-c`` with the mod 10 digit c; also of a part or answer (``LP``, ``LA``).

    The letters of a prefix count like digits, by their distance from the character 0 (A is 17, L is 28, P is 32).
    """
    number, hyphen, check = code.partition("-")
    digits = number[2:] if number[:2] in _LOINC_PREFIXES else number
    if not hyphen or not _is_digits(digits) or len(check) != 1 or not _is_digits(check):
        return False
    return _mod_10(number) == int(check)


def npi_check_digit(first_nine: str) -> int:
    """The check digit of a US National Provider Identifier, from its first nine digits (Luhn with prefix 80840)."""
    return luhn_digit(_NPI_PREFIX + first_nine)


def is_valid_npi(npi: str) -> bool:
    """Whether ten digits form an NPI: first digit 1 or 2, right check digit."""
    if len(npi) != _NPI_LENGTH or not _is_digits(npi) or npi[0] not in "12":
        return False
    return npi_check_digit(npi[:-1]) == int(npi[-1])
