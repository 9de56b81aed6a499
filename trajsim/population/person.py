"""One block of patients as numbers: the demographics that everything else about them follows from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """Demographics of a block of patients, as numbers; [n] each.

    Attributes:
        sex: Index into `SEXES`.
        race: Index into `RACES`.
        ethnicity: Index into `ETHNICITIES`.
        place: Index into the table of places.
        language: Index into `languages_of` the table.
        education: Index into `EDUCATIONS`.
        education_level: 0 ... 1.
        income: USD a year.
        occupation_level: 0 ... 1.
    """

    sex: NDArray[np.int64]
    race: NDArray[np.int64]
    ethnicity: NDArray[np.int64]
    place: NDArray[np.int64]
    language: NDArray[np.int64]
    education: NDArray[np.int64]
    education_level: NDArray[np.float64]
    income: NDArray[np.int64]
    occupation_level: NDArray[np.float64]
