"""Train on synthetic, test on real: whether a classifier learns from a cohort what it learns from real patients."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.boosting import boosted_scores
from trajsim.evaluate.histories import DAYS_PER_YEAR
from trajsim.evaluate.metric import FREE_RUN, Metric
from trajsim.evaluate.patient_features import as_matrix, entry_features, entry_lab_features
from trajsim.evaluate.ranking import RankedScores
from trajsim.evaluate.resampling import Resampling, bootstrap_interval
from trajsim.event_sequences import DEATH, EventSequences

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RATIO = "tstr_over_trtr"
TSTR = "tstr"
TRTR = "trtr"
YEARS = 5.0
MIN_CASES = 20
OUTCOMES = ("myocardial_infarction", "stroke", DEATH)


def _labelled(sequences: EventSequences) -> tuple[Floats, Bools]:
    """Features at entry and outcome of those whose outcome is known: an event, or the whole time without one."""
    names = sequences.vocabulary.event_names
    kinds = [names.index(name) for name in OUTCOMES if name in names] or list(range(len(names)))
    horizon = int(YEARS * DAYS_PER_YEAR)
    first = sequences.first_days()[:, kinds]
    has_event: Bools = np.asarray(((first >= 0) & (first <= horizon)).any(axis=1))
    known: Bools = has_event | (sequences.follow_up_days >= horizon)
    features = as_matrix({**entry_features(sequences), **entry_lab_features(sequences)})
    return features[known], has_event[known]


def tstr(
    real: EventSequences, other: EventSequences, *, train: EventSequences | None = None,
    resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Area under the curve for infarction, stroke or death within five years, from the state at entry.

    Gives that of a classifier trained on the cohort, that of one trained on real training patients, and their ratio,
    all on the same real patients. Nothing where one group has too few cases.
    """
    resampling = resampling or Resampling()
    features, is_case = _labelled(real)
    ranked: dict[str, RankedScores] = {}
    for name, group in ((TSTR, other), (TRTR, train)):
        if group is None or not len(group):
            continue
        learned_from, labels = _labelled(group)
        if min(labels.sum(), (~labels).sum(), is_case.sum(), (~is_case).sum()) < MIN_CASES:
            continue
        scores = boosted_scores(learned_from, labels, features, seed=resampling.seed)
        ranked[name] = RankedScores(scores, is_case)
    n = len(is_case)
    metrics = [_metric(name, ranks.auc, n, resampling) for name, ranks in ranked.items()]
    if len(ranked) == 2:
        metrics.insert(0, _metric(RATIO, lambda some: ranked[TSTR].auc(some) / ranked[TRTR].auc(some), n, resampling))
    return tuple(metrics)


def _metric(name: str, value: Callable[[Floats], float], n: int, resampling: Resampling) -> Metric:
    low, high = bootstrap_interval(value, n, resampling=resampling)
    return Metric(name=name, mode=FREE_RUN, value=value(np.ones(n)), low=low, high=high, n=n)
