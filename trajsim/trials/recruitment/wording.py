"""What each criterion asks, in plain English, under the name that people leave by: for a clinician to correct."""

from collections.abc import Sequence

from trajsim.trials.criteria.english import describe_entry, describe_group
from trajsim.trials.criteria.form import Definition
from trajsim.trials.recruitment.chart_review import names_of


def words_of(definition: Definition) -> dict[str, str]:
    """Says every criterion of a chart review.

    Args:
        definition: The criteria.

    Returns:
        One text a criterion, in the order of `names_of`: the entry event, additional criteria if there are any, rules.

    Example:
        >>> from trajsim.trials.criteria.form import Entry, EventCriterion
        >>> words_of(Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),))))
        {'entry event': 'an observation period'}
    """
    groups = [] if definition.additional is None else [definition.additional]
    groups += [rule.group for rule in definition.rules]
    texts = [_one_text(describe_entry(definition)), *(_one_text(describe_group(each, definition)) for each in groups)]
    return dict(zip(names_of(definition), texts, strict=True))


def _one_text(lines: Sequence[str]) -> str:
    """Lines in one, for where there are no lines: what follows a heading stands behind its colon."""
    text = ""
    for line in lines:
        text += f"{' ' if text.endswith(':') else '; ' if text else ''}{line.strip()}"
    return text
