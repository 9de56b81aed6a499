"""Attrition: what each criterion costs in its place, alone, and together with the others; and in which groups."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.trials.feasibility.judged import Flags, Judged
from trajsim.trials.recruitment.eligibility import FALSE, TRUE, UNKNOWN
from trajsim.trials.recruitment.people import age_band, age_band_names
from trajsim.trials.recruitment.world import World

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GroupCounts:
    """What the charts of one group of people say to one criterion.

    Attributes:
        by: What divides people: sex, age, race or site.
        level: The group.
        n_true: The criterion is met.
        n_false: It is not.
        n_unknown: The chart does not say.
    """

    by: str
    level: str
    n_true: int
    n_false: int
    n_unknown: int


@dataclass(frozen=True, kw_only=True)
class CriterionCounts:
    """What one criterion costs.

    Attributes:
        criterion: Its name.
        n_removed: People lost at its place, those before it having been applied.
        n_failing: People it denies, whatever the others say.
        n_failing_alone: People whom it alone denies: they come back if it is left out.
        n_true: People whose charts meet it.
        n_unknown: People whose charts do not say.
        groups: The same by sex, age, race and site.
        asks: What it asks, in plain English; empty if nobody said.
    """

    criterion: str
    n_removed: int
    n_failing: int
    n_failing_alone: int
    n_true: int
    n_unknown: int
    groups: tuple[GroupCounts, ...] = ()
    asks: str = ""

    def __post_init__(self) -> None:
        """Finds counts that contradict each other."""
        if min(self.n_removed, self.n_failing_alone, self.n_true, self.n_unknown) < 0:
            msg = f"the counts of the criterion {self.criterion!r} must not be negative"
            raise ConfigError(msg)
        if self.n_failing_alone > self.n_failing or self.n_removed > self.n_failing:
            sentence = "cannot lose more people in order or alone than it denies in all"
            msg = f"the criterion {self.criterion!r} {sentence}, {self.n_failing}"
            raise ConfigError(msg)

    @property
    def n_failing_with_others(self) -> int:
        """People whom another criterion denies too: the overlap."""
        return self.n_failing - self.n_failing_alone

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**vars(self), "groups": [dict(vars(group)) for group in self.groups]}


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Who is eligible on paper.

    Attributes:
        n_catchment: People who live in the catchments.
        n_people: Those who came to a visit in the time of the trial; they are judged.
        n_eligible: Whom no criterion denies at some visit.
        n_certain: Of these, whose charts answer every criterion.
        criteria: What each costs, in their order.
    """

    n_catchment: int
    n_people: int
    n_eligible: int
    n_certain: int
    criteria: tuple[CriterionCounts, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**vars(self), "criteria": [each.to_json() for each in self.criteria]}


def assess(world: World, judged: Judged, *, asks: Mapping[str, str] | None = None) -> Assessment:
    """Counts.

    Args:
        world: The trial and its people.
        judged: Its people at one visit each (`judge`).
        asks: What criteria ask in plain English, by name (`trajsim.trials.recruitment.wording.words_of`).
    """
    denied = judged.denied
    n_denied = denied.sum(axis=1)
    first = np.where(n_denied > 0, denied.argmax(axis=1), -1) if denied.shape[1] else np.full(len(denied), -1)
    groups = list(_groups(world, judged))
    return Assessment(
        n_catchment=len(world),
        n_people=len(judged.patient),
        n_eligible=int(judged.is_eligible.sum()),
        n_certain=int((judged.answers == TRUE).all(axis=1).sum()),
        criteria=tuple(
            CriterionCounts(
                criterion=name,
                n_removed=int((first == place).sum()),
                n_failing=int(denied[:, place].sum()),
                n_failing_alone=int((denied[:, place] & (n_denied == 1)).sum()),
                n_true=int((judged.answers[:, place] == TRUE).sum()),
                n_unknown=int((judged.answers[:, place] == UNKNOWN).sum()),
                groups=tuple(_counted(by, level, judged.answers[chosen, place]) for by, level, chosen in groups),
                asks=(asks or {}).get(name, ""),
            )
            for place, name in enumerate(judged.names)
        ),
    )


def _counted(by: str, level: str, answers: NDArray[np.int8]) -> GroupCounts:
    n_true, n_false, n_unknown = (int((answers == value).sum()) for value in (TRUE, FALSE, UNKNOWN))
    return GroupCounts(by=by, level=level, n_true=n_true, n_false=n_false, n_unknown=n_unknown)


def _groups(world: World, judged: Judged) -> Iterator[tuple[str, str, Flags]]:
    """What divides people, the group, and who is in it; groups without anybody are left out."""
    people = world.people
    ages = age_band(people.age_years(judged.patient, judged.day))
    divisions: list[tuple[str, tuple[str, ...], Ints]] = [
        ("sex", ("M", "F"), people.is_female[judged.patient].astype(np.int64)),
        ("age", age_band_names(), ages),
        ("race", people.races, people.race[judged.patient].astype(np.int64)),
        ("site", tuple(site.name for site in world.spec.sites), world.site[judged.patient]),
    ]
    for by, levels, places in divisions:
        for place, level in enumerate(levels):
            chosen = places == place
            if chosen.any():
                yield by, level, chosen
