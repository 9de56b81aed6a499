"""What the page is made of: the results as they are, and small forms for what others compute."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trajsim.errors import ConfigError
from trajsim.provenance import digest_value
from trajsim.trials.feasibility import CriterionCounts, GroupCounts, Relaxation
from trajsim.trials.forecast.reforecast import Reforecast
from trajsim.trials.recruitment.bridge import Bridge
from trajsim.trials.recruitment.result import RecruitmentResult
from trajsim.trials.recruitment.scenarios import Scenarios


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
    criteria: tuple[CriterionCounts, ...]
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
            assessment: ``n_people``, ``n_eligible``, ``n_certain``; ``criteria``, each with the fields of
                `CriterionCounts`.
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
                    CriterionCounts(**{**each, "groups": tuple(GroupCounts(**group) for group in each["groups"])})
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
