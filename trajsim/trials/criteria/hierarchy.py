"""Codes of Records as whole numbers, and which codes stand below which: from a table that the user supplies.

Terminologies are licensed, so trajsim brings none. Without a table a code stands for itself alone.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from trajsim.codes import ethnicity_category, race_category, system_uri
from trajsim.errors import ConfigError, DataFileError
from trajsim.trials.criteria.days import Keys
from trajsim.trials.criteria.form import CodeSet, Coding
from trajsim.trials.criteria.source import as_keys

Code = tuple[str, str]
"""Code system in one spelling, and code."""

_COLUMNS = ("ancestor_system", "ancestor_code", "system", "code")

# What OMOP's own vocabularies call the words of Records.
_SEXES = {"F": "F", "M": "M", "FEMALE": "F", "MALE": "M"}
_RACES = {"5": "white", "3": "black", "2": "asian", "1": "native", "4": "hawaiian"}
_ETHNICITIES = {"Hispanic": "hispanic", "Not Hispanic": "nonhispanic"}
_VISITS = {
    "IP": ("inpatient",),
    "ER": ("emergency",),
    "OP": ("ambulatory", "outpatient", "wellness", "urgentcare", "virtual", "home"),
    "LTCP": ("snf",),
}


def plain_system(name: str) -> str:
    """One spelling a code system: its URI where it has one, else letters and digits in upper case."""
    try:
        return system_uri(name)
    except ConfigError:
        return "".join(letter for letter in name.upper() if letter.isalnum())


SEX, RACE, ETHNICITY, VISIT, UNIT = "GENDER", "RACE", "ETHNICITY", "VISIT", plain_system("UCUM")


def words_of(coding: Coding) -> Iterator[Code]:
    """The codes of Records that a code stands for: itself, or the words of Records for a sex, a race, a visit."""
    system = plain_system(coding.system)
    code = coding.code
    if system == SEX:
        yield SEX, _SEXES.get(code.upper(), code)
    elif system == RACE:
        yield RACE, _RACES.get(code, code.lower())
    elif system == ETHNICITY:
        yield ETHNICITY, _ETHNICITIES.get(code, code.lower())
    elif system == VISIT:
        for each in _VISITS.get(code, (code.lower(),)):
            yield VISIT, each
    elif system == plain_system("OMB"):
        yield from _omb(code)
    else:
        yield system, code


def _omb(code: str) -> Iterator[Code]:
    for race in ("white", "black", "asian", "native", "hawaiian", "other"):
        if race_category(race).code == code:
            yield RACE, race
    for ethnicity in ("hispanic", "nonhispanic"):
        if ethnicity_category(ethnicity).code == code:
            yield ETHNICITY, ethnicity


class Hierarchy:
    """Which codes stand below which.

    Rows may be direct (parent, child) or whole (ancestor, descendant); both give the same answer.

    Example:
        >>> tree = Hierarchy([(("SNOMED-CT", "73211009"), ("SNOMED-CT", "44054006"))])
        >>> len(tree.below(("SNOMED-CT", "73211009")))
        1
    """

    def __init__(self, pairs: Iterable[tuple[Code, Code]] = ()) -> None:
        """Takes pairs of a code and one below it."""
        self._children: dict[Code, list[Code]] = {}
        for above, below in pairs:
            parent = plain_system(above[0]), above[1]
            self._children.setdefault(parent, []).append((plain_system(below[0]), below[1]))

    def __len__(self) -> int:
        """How many codes have others below them."""
        return len(self._children)

    def below(self, code: Code) -> set[Code]:
        """All codes below a code, itself left out."""
        found: set[Code] = set()
        waiting = [(plain_system(code[0]), code[1])]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found


def read_hierarchy(path: Path) -> Hierarchy:
    """Reads a hierarchy table.

    Args:
        path: CSV with the columns ancestor_system, ancestor_code, system, code; one pair a row.

    Returns:
        The hierarchy.

    Raises:
        DataFileError: There is no such file, or columns or cells are missing; all faults at once.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: not a readable CSV file ({error})"
        raise DataFileError(msg) from error
    missing = [name for name in _COLUMNS if rows and name not in rows[0]]
    if missing or not rows:
        msg = f"{path}: expected rows with the columns {', '.join(_COLUMNS)}, missing: {', '.join(missing) or 'rows'}"
        raise DataFileError(msg)
    faults = [
        f"{path}: row {number}: no {name}" for number, row in enumerate(rows, 2) for name in _COLUMNS if not row[name]
    ]
    if faults:
        raise DataFileError("\n".join(faults))
    return Hierarchy(((row["ancestor_system"], row["ancestor_code"]), (row["system"], row["code"])) for row in rows)


class CodeBook:
    """Gives every code a number, the same as long as the book lives."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        """Starts empty."""
        self.hierarchy = hierarchy
        self._numbers: dict[Code, int] = {}

    def number(self, code: Code) -> int:
        """The number of a code whose system is in its one spelling."""
        return self._numbers.setdefault(code, len(self._numbers))

    def keys_of_list(self, codes: Iterable[Coding]) -> Keys:
        """The numbers of codes as they stand."""
        return as_keys([self.number(word) for each in codes for word in words_of(each)])

    def keys_of_set(self, code_set: CodeSet) -> Keys:
        """The numbers of a set: descendants put in where asked, excluded codes taken out."""
        included = self._expanded(each for each in code_set.codes if not each.excluded)
        excluded = self._expanded(each for each in code_set.codes if each.excluded)
        return np.setdiff1d(included, excluded)

    def _expanded(self, codes: Iterable[Coding]) -> Keys:
        found: set[int] = set()
        for each in codes:
            for word in words_of(each):
                found.add(self.number(word))
                if each.descendants:
                    found.update(self.number(below) for below in self.hierarchy.below(word))
        return as_keys(found)
