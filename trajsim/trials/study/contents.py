"""What of a trial becomes FHIR, apart from its subjects."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from trajsim.errors import ConfigError
from trajsim.trials.spec import TrialSpec


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
    """

    key: str
    title: str
    description: str
    start: dt.date
    end: dt.date
    sites: tuple[str, ...]
    arms: tuple[tuple[str, str], ...]
    criteria: tuple[Criterion, ...]

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
                faults.append(f"a {what} has an empty name, or one with space around it")
        if not self.key or not self.title:
            faults.append("a study needs a key and a title")
        if self.end < self.start:
            faults.append(f"the study ends on {self.end}, before it starts on {self.start}")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)


def study_of(
    spec: TrialSpec, criteria: Sequence[Criterion], *, spec_digest: str, seed: int, replicate: int, end: dt.date
) -> Study:
    """The study that one replicate of a simulated trial is.

    Args:
        spec: The trial.
        criteria: Its criteria in words; those that are waived are left out.
        spec_digest: sha256 of the spec (`trajsim.trials.page.contents.digest_of`).
        seed: Seed of the run.
        replicate: Which replicate.
        end: Day on which its follow-up ended.
    """
    arms = tuple(
        (arm.name, f"{arm.ratio} in the allocation, hazard ratio {arm.hazard_ratio:g} against no treatment")
        for arm in spec.arms
    )
    said = f"Simulated, no real person takes part: replicate {replicate} of the run with seed {seed}."
    return Study(
        key=f"{spec_digest}/{seed}/{replicate}",
        title=spec.title,
        description=f"{said} Target {spec.target} randomized by {spec.planned_end.isoformat()}.",
        start=spec.start,
        end=end,
        sites=tuple(site.name for site in spec.sites),
        arms=arms,
        criteria=tuple(each for each in criteria if each.name not in spec.waived),
    )
