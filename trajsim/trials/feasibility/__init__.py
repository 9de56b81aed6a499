"""Feasibility: who is eligible on paper, what each criterion costs, and what moving one would buy.

Before anybody simulates a trial its writer asks which criterion throws out the most people, whether others would have
thrown them out anyway, of whom the records do not know, and whether a slightly wider limit would help. `judge` takes
one visit a person, `assess` counts, `search_relaxations` moves limits.
"""

from trajsim.trials.feasibility.attrition import Assessment, CriterionCounts, GroupCounts, assess
from trajsim.trials.feasibility.judged import Judged, event_rate, judge
from trajsim.trials.feasibility.relaxation import Relaxation, search_relaxations

__all__ = [
    "Assessment",
    "CriterionCounts",
    "GroupCounts",
    "Judged",
    "Relaxation",
    "assess",
    "event_rate",
    "judge",
    "search_relaxations",
]
