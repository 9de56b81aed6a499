"""What the page is made of: the results as they are, and small forms for what others compute."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trajsim.errors import ConfigError
from trajsim.provenance import digest_value
from trajsim.trials.feasibility import GroupCounts, Relaxation
from trajsim.trials.forecast.reforecast import Reforecast
from trajsim.trials.recruitment.bridge import Bridge
from trajsim.trials.recruitment.result import RecruitmentResult
from trajsim.trials.recruitment.scenarios import Scenarios


@dataclass(frozen=True, kw_only=True)
class Attrition:
    """What one criterion costs, among the people whose records were judged at one time.

    Attributes:
        criterion: Its name.
        n_removed: People lost at its place, those before it having been applied.
        n_failing: People it denies, whatever the others say.
        n_failing_alone: People whom it alone denies: they would come back if it were left out.
        n_unknown: People for whom the records do not answer it.
        groups: What the records say by sex, age, race and site.
    """

    criterion: str
    n_removed: int
    n_failing: int
    n_failing_alone: int
    n_unknown: int = 0
    groups: tuple[GroupCounts, ...] = ()

    def __post_init__(self) -> None:
        """Finds counts that contradict each other."""
        if min(self.n_removed, self.n_failing_alone, self.n_unknown) < 0:
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


@dataclass(frozen=True, kw_only=True)
class Feasibility:
    """Who is eligible on paper.

    Attributes:
        n_people: People judged.
        n_eligible: People whom no criterion denies.
        criteria: What each costs, in the order in which they are applied.
        n_certain: Of the eligible, people whose records answer every criterion; None if that was not counted.
        relaxations: What moving one would buy, best first.
    """

    n_people: int
    n_eligible: int
    criteria: tuple[Attrition, ...]
    n_certain: int | None = None
    relaxations: tuple[Relaxation, ...] = ()

    def __post_init__(self) -> None:
        """Refuses criteria that were counted in different groups."""
        if len({tuple((group.by, group.level) for group in each.groups) for each in self.criteria}) > 1:
            msg = "all criteria must be counted in the same groups"
            raise ConfigError(msg)

    @classmethod
    def from_json(cls, assessment: Mapping[str, Any], relaxations: Sequence[Mapping[str, Any]] = ()) -> "Feasibility":
        """Takes the plain values of an assessment and of a search for relaxations (`trajsim.trials.feasibility`).

        Args:
            assessment: ``n_people``, ``n_eligible``, ``n_certain``; ``criteria``, each with the fields of `Attrition`.
            relaxations: Each with the fields of `Relaxation`.

        Raises:
            ConfigError: A field is missing, or counts contradict each other.
        """
        try:
            return cls(
                n_people=assessment["n_people"],
                n_eligible=assessment["n_eligible"],
                n_certain=assessment.get("n_certain"),
                criteria=tuple(
                    Attrition(
                        criterion=each["criterion"],
                        n_removed=each["n_removed"],
                        n_failing=each["n_failing"],
                        n_failing_alone=each["n_failing_alone"],
                        n_unknown=each["n_unknown"],
                        groups=tuple(GroupCounts(**group) for group in each.get("groups", ())),
                    )
                    for each in assessment["criteria"]
                ),
                relaxations=tuple(Relaxation(**each) for each in relaxations),
            )
        except (KeyError, TypeError) as error:
            msg = f"the assessment of feasibility has not the form that the page expects: {error}"
            raise ConfigError(msg) from error


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers come from; the seed and the number of replicates stand in the result.

    Attributes:
        version: Version of trajsim.
        spec_digest: sha256 of the trial spec (`digest_of`).
        spec_file: Name of its file.
        records: In words, whose records were used.
        records_digest: sha256 that tells them apart, as their manifest or their writer gives it; None if there is none.
        command: How to make the page again; None if it was made from Python.
    """

    version: str
    spec_digest: str
    spec_file: str
    records: str
    records_digest: str | None = None
    command: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PageContents:
    """All that the page shows; what is None is left out, and the page says why.

    Attributes:
        result: The simulated recruitment of the trial as it is.
        provenance: Where the numbers come from.
        scenarios: Rescues beside it; their base must be `result`.
        bridge: The model of rates beside it.
        feasibility: Who is eligible on paper.
        forecast: Forecast from the log of a running trial.
    """

    result: RecruitmentResult
    provenance: Provenance
    scenarios: Scenarios | None = None
    bridge: Bridge | None = None
    feasibility: Feasibility | None = None
    forecast: Reforecast | None = None

    def __post_init__(self) -> None:
        """Refuses scenarios of another trial."""
        if self.scenarios is not None and self.scenarios.base is not self.result:
            msg = "the scenarios were compared with another result than the one that the page shows"
            raise ConfigError(msg)


def digest_of(document: Mapping[str, object]) -> str:
    """sha256 of a trial spec as its file holds it; dates count as their ISO text.

    Args:
        document: The spec as read from YAML or JSON.
    """
    return digest_value(_plain(document))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
