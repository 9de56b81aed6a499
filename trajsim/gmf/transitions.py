"""Transitions of a module: how a state names its successors."""

from msgspec import Struct

from trajsim.gmf.conditions import Condition


class NamedDistribution(Struct, frozen=True):
    """``{"attribute": ..., "default": ...}``: a probability read from the patient."""

    attribute: str
    default: float = 0.0


class DistributedOption(Struct, frozen=True):
    """One option of a distributed list."""

    transition: str
    distribution: float | NamedDistribution


class ConditionalOption(Struct, frozen=True):
    """One option of a conditional list."""

    transition: str
    condition: Condition | None = None


class ComplexOption(Struct, frozen=True):
    """One option of a complex list: a target, or a non-empty distributed list; a target wins over a list."""

    transition: str | None = None
    distributions: tuple[DistributedOption, ...] = ()
    condition: Condition | None = None


class LookupOption(Struct, frozen=True):
    """One option of a lookup-table list."""

    transition: str
    lookup_table_name: str
    default_probability: float = 0.0


class DirectTransition(Struct, frozen=True):
    """``direct_transition``."""

    transition: str


class DistributedTransition(Struct, frozen=True):
    """``distributed_transition``."""

    options: tuple[DistributedOption, ...]


class ConditionalTransition(Struct, frozen=True):
    """``conditional_transition``."""

    options: tuple[ConditionalOption, ...]


class ComplexTransition(Struct, frozen=True):
    """``complex_transition``."""

    options: tuple[ComplexOption, ...]


class LookupTableTransition(Struct, frozen=True):
    """``lookup_table_transition``."""

    options: tuple[LookupOption, ...]


class TypeOfCareTransition(Struct, frozen=True):
    """``type_of_care_transition``."""

    ambulatory: str
    emergency: str
    telemedicine: str


Transition = (
    DirectTransition
    | DistributedTransition
    | ConditionalTransition
    | ComplexTransition
    | LookupTableTransition
    | TypeOfCareTransition
)
