"""One measured number with what is needed to believe it: its interval, how much it rests on, and what chance does."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Mode = Literal["teacher_forced", "free_run"]

TEACHER_FORCED: Mode = "teacher_forced"
FREE_RUN: Mode = "free_run"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measure of a model, or of a cohort that it drew, against real patients.

    Attributes:
        name: The measure, for example ``cif_gap``.
        mode: ``teacher_forced``: the model saw real histories; ``free_run``: it wrote its own.
        outcome: What it was measured on; empty for all together.
        value: The number.
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
        n: Patients, events or values that it rests on.
        floor: What real patients reach against real ones by chance (`trajsim.evaluate.resampling.compare`), or the
            value of a model that learned nothing; NaN where there is none.
    """

    name: str
    mode: Mode
    outcome: str = ""
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int
    floor: float = math.nan

    @property
    def key(self) -> str:
        """``<metric>.<mode>[.<outcome>]``."""
        return ".".join(part for part in (self.name, self.mode, self.outcome) if part)


def to_json(metrics: Iterable[Metric]) -> dict[str, dict[str, float | int | None]]:
    """Flat keys; NaN is null."""
    return {
        metric.key: {
            "value": _number(metric.value),
            "low": _number(metric.low),
            "high": _number(metric.high),
            "n": metric.n,
            "floor": _number(metric.floor),
        }
        for metric in metrics
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
