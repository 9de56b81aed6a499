"""What states and conditions are made of: codes, quantities, distributions."""

from typing import Literal

from msgspec import Struct

TimeUnit = Literal["seconds", "minutes", "hours", "days", "weeks", "months", "years"]
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "is nil", "is not nil"]
JsonScalar = str | float | int | bool | None


class Code(Struct, frozen=True):
    """One coding. Equality is by all fields; the engine's identity is (system, code). Integer codes are text here."""

    system: str
    code: str
    display: str = ""
    version: str | None = None
    value_set: str | None = None


class Exact(Struct, frozen=True):
    """``{"quantity": ..., "unit": ...}``; the quantity of an Observation may be any scalar."""

    quantity: str | float | int | bool
    unit: str | None = None


class Range(Struct, frozen=True):
    """``{"low": ..., "high": ..., "unit": ..., "decimals": ...}``: uniform."""

    low: float
    high: float
    unit: str | None = None
    decimals: int | None = None


class Distribution(Struct, frozen=True):
    """A version-2 distribution; the parameters that the kind does not use are None."""

    kind: Literal["EXACT", "UNIFORM", "GAUSSIAN", "EXPONENTIAL", "TRIANGULAR"]
    round: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    min: float | None = None
    max: float | None = None
    mode: float | None = None
