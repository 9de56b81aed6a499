"""Criteria as a screener applies them on the day of a visit: what was recorded by then, nothing of what comes later.

Criteria speak of an entry event and of windows around it. A site does not wait for entry events, it looks at whoever
comes. So the visit takes the place of the entry event: the entry itself becomes the first criterion (it happened by
that day), windows of rules count from the visit, and whatever lies after it does not exist yet.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria import truth as truth_values
from trajsim.trials.criteria.days import NO_CODE, US_PER_DAY
from trajsim.trials.criteria.evaluate import evaluate
from trajsim.trials.criteria.events import Scope
from trajsim.trials.criteria.field_tests import CodeLookup
from trajsim.trials.criteria.form import Definition, Group
from trajsim.trials.criteria.groups import group_truth
from trajsim.trials.criteria.source import Source
from trajsim.trials.criteria.truth import Reading
from trajsim.trials.criteria.usable import require_usable
from trajsim.trials.criteria.windows import IndexEvents
from trajsim.trials.recruitment.eligibility import FALSE, TRUE, UNKNOWN

Ints = NDArray[np.int64]

ENTRY: Final = "entry event"
ADDITIONAL: Final = "additional criteria"


class ChartReview:
    """Criteria on a source, as `trajsim.trials.recruitment.eligibility.Eligibility`.

    Guarantees:
        What happened after a visit changes no answer at it. (tests/unit/trials/recruitment/test_chart_review.py)
    """

    def __init__(self, definition: Definition, source: Source) -> None:
        """Finds the entry events; rules are evaluated when visits are asked about.

        Args:
            definition: The criteria; limits, exits and censoring concern cohorts and are not used.
            source: The data; persons in the order of the table `patients`.

        Raises:
            CriteriaError: The criteria cannot be evaluated on these data; all faults at once.
        """
        require_usable(definition, source, Reading.SCREENING)
        self._definition = definition
        self._source = source
        self._groups: list[Group] = [] if definition.additional is None else [definition.additional]
        self._groups += [rule.group for rule in definition.rules]
        self._first_entry = _first_entries(definition, source)

    @property
    def rule_names(self) -> Sequence[str]:
        """The entry event, additional criteria if there are any, and the rules."""
        return names_of(self._definition)

    @property
    def groups(self) -> Sequence[Group]:
        """What each criterion after the entry event asks, in the order of `rule_names`."""
        return tuple(self._groups)

    def evaluate(self, patient: Ints, time_us: Ints) -> NDArray[np.int8]:
        """The answers at visits; see `Eligibility.evaluate`."""
        answers = np.empty((len(patient), len(self.rule_names)), np.int8)
        answers[:, 0] = np.where(self._first_entry[patient] <= time_us // US_PER_DAY, TRUE, FALSE)
        for place, group in enumerate(self._groups, 1):
            answers[:, place] = self.answer(group, patient, time_us)
        return answers

    def answer(self, group: Group, patient: Ints, time_us: Ints) -> NDArray[np.int8]:
        """What one group of criteria says at visits; it may be one that the criteria do not have.

        Args:
            group: What is asked; its code sets are those of the criteria.
            patient: Rows of patients, ascending.
            time_us: When the charts are read.
        """
        sets = {each.name: self._source.keys_of_set(each) for each in self._definition.code_sets}
        scope = Scope(source=self._source, codes=CodeLookup(self._source, sets), reading=Reading.SCREENING)
        truth = group_truth(group, self._index(patient, time_us // US_PER_DAY), scope)
        return np.where(truth == truth_values.UNKNOWN, UNKNOWN, truth).astype(np.int8)

    def _index(self, patient: Ints, day: Ints) -> IndexEvents:
        """Visits as index events of periods that end with them."""
        periods = self._source.periods
        if len(periods.person) == 0:
            start = day
        else:
            start = periods.start[np.minimum(periods.first[patient], len(periods.person) - 1)]
        return IndexEvents(
            person=patient,
            start=day,
            end=day,
            visit=np.full(len(patient), NO_CODE),
            period_start=np.minimum(start, day),
            period_end=day,
            event=np.arange(len(patient)),
            n_events=len(patient),
        )


def names_of(definition: Definition) -> tuple[str, ...]:
    """Names of criteria as a chart review answers them: the entry event, additional criteria, rules; none twice."""
    head = [ENTRY] if definition.additional is None else [ENTRY, ADDITIONAL]
    names: list[str] = []
    for number, rule in enumerate(definition.rules, 1):
        name = rule.name or f"rule {number}"
        names.append(name if name not in (*head, *names) else f"{name} ({number})")
    return (*head, *names)


def _first_entries(definition: Definition, source: Source) -> Ints:
    """Day of the first entry event of each person; far in the future for those without one."""
    entry = replace(definition.entry, keep="all", days_after=0)
    found = evaluate(Definition(entry=entry, code_sets=definition.code_sets), source, reading=Reading.SCREENING)
    first = np.full(len(source.people), np.int64(1) << 40)
    np.minimum.at(first, found.patient, found.start)
    return first
