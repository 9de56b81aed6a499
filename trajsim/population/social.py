"""Social determinants of health by county: what share of residents lacks food, housing, work, a car or insurance.

Synthea throws them once, at creation; modules about social needs read the result, and the lifecycle reads the county's
unemployment again later.

Source: Synthea, world/geography/Location.java at commit 2b0a55ba (the rule); County Health Rankings & Roadmaps (the
shares, `data/social_determinants.csv`).
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import AttributeColumn
from trajsim.population.draws import PopulationDraws, Purpose
from trajsim.population.tables import read_table_rows

SOCIAL_DETERMINANTS = (
    "food_insecurity", "severe_housing_cost_burden", "unemployed", "no_vehicle_access", "uninsured",
)  # fmt: skip
"""Attributes, in the order of every array of them."""

UNEMPLOYED = SOCIAL_DETERMINANTS.index("unemployed")
UNEMPLOYMENT_PROBABILITY = "unemployment_probability"
"""Name of the county's share among `Cohort.parameters`."""

_PURPOSES = (Purpose.FOOD, Purpose.HOUSING, Purpose.UNEMPLOYED, Purpose.VEHICLE, Purpose.UNINSURED)
Shares = NDArray[np.float64]


@cache
def load_social_determinants() -> Mapping[tuple[str, str], Shares]:
    """Shares of the determinants by (state, county), names as published. Do not write into them."""
    return {
        (row["state"], row["county"]): np.array([float(row[name]) for name in SOCIAL_DETERMINANTS])
        for row in read_table_rows("social_determinants.csv")
    }


@cache
def _by_folded_name() -> Mapping[tuple[str, str], Shares]:
    return {(state.casefold(), _folded(county)): row for (state, county), row in load_social_determinants().items()}


@cache
def _means() -> Mapping[str, Shares]:
    """Mean over the counties of each state, and over all counties under the empty name."""
    rows: dict[str, list[Shares]] = {"": []}
    for (state, _), row in load_social_determinants().items():
        rows.setdefault(state.casefold(), []).append(row)
        rows[""].append(row)
    return {state: np.mean(shares, axis=0) for state, shares in rows.items()}


def _folded(county: str) -> str:
    return county.casefold().removesuffix(" county")


def social_determinants_of(state: str, county: str) -> Shares:
    """Shares of one county; of an unknown one the mean over the state's counties, of an unknown state over all.

    Args:
        state: Full name, any case.
        county: With or without the word County, any case.

    Returns:
        [determinant], in the order of `SOCIAL_DETERMINANTS`.
    """
    found = _by_folded_name().get((state.casefold(), _folded(county)))
    return found if found is not None else _means().get(state.casefold(), _means()[""])


def social_columns(draws: PopulationDraws, shares: Shares) -> dict[str, AttributeColumn]:
    """Who lacks what at creation.

    Args:
        draws: Draws of these patients.
        shares: [n, determinant] probabilities.
    """
    return {
        name: AttributeColumn(kind="boolean", values=draws.uniform(purpose) <= shares[:, position])
        for position, (name, purpose) in enumerate(zip(SOCIAL_DETERMINANTS, _PURPOSES, strict=True))
    }
