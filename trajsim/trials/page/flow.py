"""The CONSORT flow with every way out at its step, so that the numbers add up from box to box."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.arms import STATUSES
from trajsim.trials.recruitment.result import RecruitmentResult

Values = NDArray[np.integer]

_BETWEEN_INVITATION_AND_SCREENING = (
    reasons.DECLINED,
    reasons.WAITED,
    reasons.DIED,
    reasons.SITE_FULL,
    reasons.TRIAL_FULL,
    reasons.UNFINISHED,
)
NO_VISIT = "no visit while a site was open"


def flow_steps(result: RecruitmentResult) -> list[dict[str, object]]:
    """Boxes from top to bottom: a name, people, and who leaves before the next box.

    Args:
        result: All replicates.

    Guarantees:
        In every replicate a box less those who leave is the next box. (tests/unit/trials/page/test_flow.py)
    """
    return [
        {
            "step": name,
            "people": _summary(people),
            "leave": [
                {"reason": reason, "people": _summary(count)}
                for reason, count in sorted(leave, key=lambda each: -float(each[1].mean()))
                if count.any()
            ],
        }
        for name, people, leave in boxes(result)
    ]


def boxes(result: RecruitmentResult) -> list[tuple[str, Values, list[tuple[str, Values]]]]:
    """The same by replicate.

    Args:
        result: All replicates.
    """
    counts, names = result.counts, result.reasons.names

    def ways(places: Sequence[int]) -> list[tuple[str, Values]]:
        return [(names[place], counts[:, place]) for place in places]

    chart = [reasons.NOT_REVIEWED, *_places(result.reasons.chart)]
    invitation = [reasons.NOT_REACHED, reasons.IN_ANOTHER_TRIAL]
    screening = [reasons.OTHERWISE, reasons.WITHDREW, *_places(result.reasons.screening)]
    seen = counts.sum(axis=1)
    passed = seen - counts[:, chart].sum(axis=1)
    invited = passed - counts[:, invitation].sum(axis=1)
    return [
        ("living in the catchments", result.n_living, [(NO_VISIT, result.n_living - seen)]),
        ("came to a visit while a site was open", seen, ways(chart)),
        ("chart passed", passed, ways(invitation)),
        ("invited", invited, ways(_BETWEEN_INVITATION_AND_SCREENING)),
        ("screened", result.n_screened, ways(screening)),
        ("randomized", counts[:, reasons.RANDOMIZED], []),
    ]


def flow_arms(result: RecruitmentResult) -> list[dict[str, object]]:
    """What became of the randomized, by arm.

    Args:
        result: All replicates.
    """
    table = result.outcomes
    return [
        {
            "arm": arm.name,
            "people": _summary(table[:, place].sum(axis=1)),
            "status": {name: _summary(table[:, place, code]) for code, name in enumerate(STATUSES)},
        }
        for place, arm in enumerate(result.spec.arms)
    ]


def _places(part: slice) -> range:
    return range(part.start, part.stop)


def _summary(values: Values) -> dict[str, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
