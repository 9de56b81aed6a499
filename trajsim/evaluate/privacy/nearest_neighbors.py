"""Whether synthetic patients lie closer to those that were trained on than to those that were not."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.metric import FREE_RUN, Metric
from trajsim.evaluate.privacy.distances import nearest, patient_vectors
from trajsim.evaluate.resampling import FLOOR_QUANTILE, Resampling, bootstrap_interval, random_part
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

DCR_SHARE = "dcr_share"
DCR_LOW = "dcr_5th_percentile"
NNDR = "nearest_neighbor_distance_ratio"
N_FLOOR = 5
MIN_PATIENTS = 3


def nearest_neighbors(
    real: EventSequences, other: EventSequences, *, train: EventSequences | None = None,
    resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Compares distances of a cohort to training patients with those to as many held-out ones.

    Gives the share of the cohort closer to the training patients (ideal .5; ties count half), the 5th percentile of
    the distance to the closest record, and the median ratio of the distances to the nearest and the second. The floor
    of the share is .5 and the 95 % quantile of how far random training patients in place of the cohort lie from it;
    that of the others is the same number against held-out patients. Nothing without training patients.

    Args:
        real: Held-out patients.
        other: A synthetic cohort.
        train: Patients that the model was trained on.
        resampling: How many resamples of the cohort are behind the intervals.
    """
    resampling = resampling or Resampling()
    if train is None or min(len(train), len(real), len(other)) < MIN_PATIENTS:
        return ()
    generator = np.random.default_rng(resampling.seed)
    size = min(len(train), len(real))
    order = generator.permutation(len(train))
    members, rest = train.take(np.sort(order[:size])), train.take(np.sort(order[size:]))
    holdout = random_part(real, size, generator)
    synthetic, near, far, others = patient_vectors([other, members, holdout, rest], scaled_by=2)
    to_train, to_holdout = nearest(synthetic, near), nearest(synthetic, far)
    closer = _closer(to_train, to_holdout)
    low, high = bootstrap_interval(lambda some: float(closer @ some / some.sum()), len(closer), resampling=resampling)
    return (
        Metric(name=DCR_SHARE, mode=FREE_RUN, value=float(closer.mean()), low=low, high=high, n=len(closer),
               floor=_share_floor(others, near, far, generator, resampling)),
        Metric(name=DCR_LOW, mode=FREE_RUN, value=float(np.quantile(to_train[:, 0], 0.05)), n=len(closer),
               floor=float(np.quantile(to_holdout[:, 0], 0.05))),
        Metric(name=NNDR, mode=FREE_RUN, value=_ratio(to_train), n=len(closer), floor=_ratio(to_holdout)),
    )  # fmt: skip


def _closer(to_train: Floats, to_holdout: Floats) -> Floats:
    """[n] 1 where the nearest patient was trained on, .5 for a tie."""
    return np.where(to_train[:, 0] == to_holdout[:, 0], 0.5, to_train[:, 0] < to_holdout[:, 0])


def _share_floor(
    others: Floats, near: Floats, far: Floats, generator: np.random.Generator, resampling: Resampling
) -> float:
    """.5 and how far the share lies from it when both sides are drawn from real patients."""
    if len(others) < MIN_PATIENTS or not resampling.n_floor:
        return float("nan")
    pool = np.vstack([near, far])
    found = []
    for _ in range(min(N_FLOOR, resampling.n_floor)):
        order = generator.permutation(len(pool))
        halves = pool[order[: len(near)]], pool[order[len(near) :]]
        found.append(abs(_closer(nearest(others, halves[0]), nearest(others, halves[1])).mean() - 0.5))
    return 0.5 + float(np.quantile(found, FLOOR_QUANTILE))


def _ratio(distances: Floats) -> float:
    """Median of first over second distance; 1 where both are nothing."""
    return float(
        np.median(
            np.where(distances[:, 1] > 0, distances[:, 0] / np.where(distances[:, 1] > 0, distances[:, 1], 1.0), 1.0)
        )
    )
