"""Given and family names by language, and invented streets.

They make records readable and nothing else: no rate of any name is claimed, and a full name that belongs to somebody is
a coincidence. No town has the streets: an invented first half is joined to a word that says what they are.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

BEARERS = ("women", "men")
"""Titles of the lists of given names, in the order of `SEXES`."""


@cache
def load_name_lists() -> Mapping[str, tuple[str, ...]]:
    """Lists by title: ``english women``, ``english men``, ``english families``, ..., ``street kinds``."""
    text = resources.files("trajsim.population").joinpath("data", "names.txt").read_text(encoding="utf-8")
    lists: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            words = lists.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words.extend(line.split())
    return {title: tuple(words) for title, words in lists.items()}
