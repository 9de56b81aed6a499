"""What of a trial becomes FHIR, apart from its people."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trajsim.errors import ConfigError


class SubjectStatus(StrEnum):
    """Where somebody who agreed to take part ended; values are codes of R4's research-subject-status."""

    INELIGIBLE = "ineligible"
    """The screening visit excluded them."""
    NOT_REGISTERED = "not-registered"
    """They were never randomized, and neither they nor what was measured is the reason."""
    OFF_STUDY = "off-study"
    """They were randomized, and their follow-up is over, whatever ended it."""
    WITHDRAWN = "withdrawn"
    """They were eligible and withdrew before they were randomized."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """An eligibility criterion in words.

    Attributes:
        name: Its name.
        text: What it asks for, as a clinician reads it.
        is_exclusion: Whether those who fulfil it may not take part.
    """

    name: str
    text: str
    is_exclusion: bool = False


@dataclass(frozen=True, kw_only=True)
class Study:
    """A trial.

    Attributes:
        key: Tells this trial, seed and replicate apart from all others; ids are made of it.
        title: One line.
        description: What it is, and that it is simulated.
        start: First day.
        end: Last day.
        sites: Their names.
        arms: Names and what is done in each; the first is the control.
        criteria: Who may take part.
        endings: Every reason for which candidates leave, with where that leaves them; None for those who leave before
            they agree to take part.
    """

    key: str
    title: str
    description: str
    start: dt.date
    end: dt.date
    sites: tuple[str, ...]
    arms: tuple[tuple[str, str], ...]
    criteria: tuple[Criterion, ...]
    endings: Mapping[str, SubjectStatus | None]

    def __post_init__(self) -> None:
        """Refuses what could not be told apart, or lies about time."""
        faults = []
        for what, names in (
            ("site", self.sites),
            ("arm", tuple(name for name, _ in self.arms)),
            ("criterion", tuple(each.name for each in self.criteria)),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            faults += [f"the {what} {name!r} stands twice" for name in twice]
            if "" in names or any(name != name.strip() for name in names):
                faults.append(f"the name of each {what} must be there, without space around it")
        if not self.key or not self.title:
            faults.append("a study needs a key and a title")
        if self.end < self.start:
            faults.append(f"the study ends on {self.end}, before it starts on {self.start}")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)
