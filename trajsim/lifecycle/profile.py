"""Which lifecycle a run has."""

import enum


class Lifecycle(enum.StrEnum):
    """What happens beside the modules: ageing, growth, vital signs, risks, vaccines, insurance.

    NONE leaves vital signs and attributes at the constants of the cohort (tests of the engine). SYNTHEA reproduces
    Synthea's Java modules, quirks included. DEFAULT is the same with its plain bugs repaired (docs/draws.md, 10.10).
    """

    NONE = "none"
    DEFAULT = "default"
    SYNTHEA = "synthea"
