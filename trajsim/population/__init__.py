"""Who lives: demographics, places, births and background deaths.

Drawn from US census figures and life tables, or from anybody's own file of places.
"""

from trajsim.population.build import build_cohort
from trajsim.population.cohort import NEVER_MS, SEXES, AttributeColumn, Cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.places import PlaceTable, us_places
from trajsim.population.population_file import read_population_file
from trajsim.population.tables import load_bundled_mortality_offset, read_mortality_offset

__all__ = [
    "NEVER_MS",
    "SEXES",
    "AttributeColumn",
    "Cohort",
    "PlaceTable",
    "PopulationOptions",
    "build_cohort",
    "load_bundled_mortality_offset",
    "read_mortality_offset",
    "read_population_file",
    "us_places",
]
