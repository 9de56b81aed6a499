"""Whether a classifier can tell patients of a cohort from real ones: .5 if not at all."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.boosting import boosted_scores
from trajsim.evaluate.metric import FREE_RUN, Metric
from trajsim.evaluate.patient_features import as_matrix, course_features, entry_features
from trajsim.evaluate.ranking import RankedScores
from trajsim.evaluate.resampling import FLOOR_QUANTILE, Resampling, bootstrap_interval, random_part
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "discriminator"
N_FOLDS = 4
MIN_PATIENTS = 20
N_FLOOR = 5
"""Random parts behind the floor: each one is a classifier of its own, so there are few."""


def out_of_fold_scores(features: Floats, is_case: NDArray[np.bool_], *, seed: int) -> Floats:
    """What gradient boosting, trained on the other three quarters of patients, says of each patient."""
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty(len(is_case))
    for rest, fold in StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(features, is_case):
        scores[fold] = boosted_scores(features[rest], is_case[rest], features[fold], seed=seed)
    return scores


def _ranked(real: EventSequences, other: EventSequences, *, with_course: bool, seed: int) -> RankedScores:
    """Scores of both groups, equally large."""
    size = min(len(real), len(other))
    generator = np.random.default_rng(seed)
    both = [random_part(group, size, generator) for group in (real, other)]
    blocks = [as_matrix({**entry_features(group), **(course_features(group) if with_course else {})}) for group in both]
    is_other = np.repeat([False, True], size)
    return RankedScores(out_of_fold_scores(np.vstack(blocks), is_other, seed=seed), is_other)


def discriminator(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Area under the curve in four folds: on the whole course of a patient, and on the state at entry alone.

    As many of the cohort are taken as there are real patients. The interval is a bootstrap of patients whose scores
    stay as they are; the floor is that of a few classifiers of training patients against the real ones. Nothing where
    there are too few patients.
    """
    resampling = resampling or Resampling()
    metrics: list[Metric] = []
    if min(len(real), len(other)) < MIN_PATIENTS:
        return ()
    for outcome, with_course in (("", True), ("entry", False)):
        ranked = _ranked(real, other, with_course=with_course, seed=resampling.seed)
        size = min(len(real), len(other))
        low, high = bootstrap_interval(ranked.auc, 2 * size, resampling=resampling)
        floor = np.nan
        if train is not None and len(train) and resampling.n_floor:
            found = [
                _ranked(real, train, with_course=with_course, seed=resampling.seed + 1 + index).auc()
                for index in range(min(N_FLOOR, resampling.n_floor))
            ]
            floor = float(np.quantile(found, FLOOR_QUANTILE))
        metrics.append(
            Metric(
                name=NAME, mode=FREE_RUN, outcome=outcome, value=ranked.auc(), low=low, high=high, n=size, floor=floor
            )
        )
    return tuple(metrics)
