"""A model after training: parameters, the shape they belong to, and what else it needs to be asked or sampled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import Legality
from trajsim.learn.models.network import Parameters
from trajsim.learn.models.specification import ModelSpecification

AGE_BAND_YEARS = 5
N_AGE_BANDS = 20
FOLLOW_UP_AGE_YEARS = (0.0, 40.0, 55.0, 70.0)


@dataclass(frozen=True, eq=False)
class Demographics:
    """Who enters a cohort and for how long: counts that were released, with noise where the training was private.

    Attributes:
        sex_age: [2, `N_AGE_BANDS`] Patients by sex (F, M) and age at entry, in bands of five years from 0 on.
        follow_up: [age bands of `FOLLOW_UP_AGE_YEARS`, years, 2] Patients by age at entry, whole year in which
            observation ended, and whether it ended by death.
    """

    sex_age: NDArray[np.float64]
    follow_up: NDArray[np.float64]

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """[n] Whether new patients are male, and [n] their ages at entry in years."""
        counts = np.maximum(self.sex_age, 0.0).ravel()
        cell = rng.choice(len(counts), size=n, p=counts / counts.sum())
        bands = self.sex_age.shape[1]
        return cell >= bands, (cell % bands + rng.random(n)) * AGE_BAND_YEARS


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """Everything a checkpoint holds but its cards.

    Attributes:
        spec: Shape of the network.
        params: Parameters, calibration included.
        legality: What may follow what: the mask of training and of the sampler.
        demographics: Of the cohort that it was trained on; None for a model that cannot draw one.
        min_age_years: Below this age it does not act in the engine.
        digest: sha256 of the checkpoint it was read from, or empty.
        modules: sha256 of every module that it was trained with, by key; empty where no module is bound to its events.
    """

    spec: ModelSpecification
    params: Parameters
    legality: Legality
    demographics: Demographics | None = None
    min_age_years: float = 18.0
    digest: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
