"""Who lives: demographics, places, births and background deaths, drawn from US census figures and life tables."""

from trajsim.population.build import build_cohort
from trajsim.population.cohort import NEVER_MS, SEXES, AttributeColumn, Cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import load_bundled_mortality_offset, read_mortality_offset

__all__ = [
    "NEVER_MS",
    "SEXES",
    "AttributeColumn",
    "Cohort",
    "PopulationOptions",
    "build_cohort",
    "load_bundled_mortality_offset",
    "read_mortality_offset",
]
