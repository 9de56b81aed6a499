"""Why somebody who came to a visit is not in the trial: every way out, in the order in which people meet them."""

from dataclasses import dataclass
from typing import Final

RANDOMIZED: Final = 0
NOT_REVIEWED: Final = 1
NOT_REACHED: Final = 2
IN_ANOTHER_TRIAL: Final = 3
DECLINED: Final = 4
WAITED: Final = 5
DIED: Final = 6
OTHERWISE: Final = 7
WITHDREW: Final = 8
SITE_FULL: Final = 9
TRIAL_FULL: Final = 10
UNFINISHED: Final = 11
N_FIXED: Final = 12

_FIXED = (
    "randomized",
    "chart not reviewed",
    "not reached",
    "in another trial",
    "declined",
    "no screening visit soon enough",
    "died before randomization",
    "excluded at screening for what records do not hold",
    "eligible, withdrew before randomization",
    "eligible, site was full",
    "eligible, trial was full",
    "not finished at the end",
)


@dataclass(frozen=True)
class Reasons:
    """The ways out of one trial: the fixed ones, one a criterion at the chart, one a criterion or lab at screening.

    Attributes:
        names: All of them; their places are the codes.
        n_rules: Criteria.
        n_labs: Labs that the screening visit measures.
    """

    names: tuple[str, ...]
    n_rules: int
    n_labs: int

    @classmethod
    def of(cls, rules: tuple[str, ...], labs: tuple[str, ...]) -> "Reasons":
        """The ways out of a trial with some criteria and labs."""
        names = _FIXED + tuple(f"chart: {name}" for name in rules) + tuple(f"screening: {name}" for name in rules)
        return cls(names + tuple(f"screening lab: {name}" for name in labs), len(rules), len(labs))

    @property
    def chart(self) -> slice:
        """Criteria that the chart denies."""
        return slice(N_FIXED, N_FIXED + self.n_rules)

    @property
    def screening(self) -> slice:
        """Criteria and labs that the screening visit denies."""
        return slice(N_FIXED + self.n_rules, N_FIXED + 2 * self.n_rules + self.n_labs)
