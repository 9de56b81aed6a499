"""A trial with a time to an event as its endpoint: accrual, hazards, dropout, strata, weights, analyses."""

import dataclasses
import math
from dataclasses import dataclass, field

from trajsim.errors import ConfigError
from trajsim.trials.design.group_sequential import GroupSequential
from trajsim.trials.rates.shapes import Piecewise


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A part of the population with hazards of its own.

    Attributes:
        share: Its share.
        factor: What multiplies the hazards of both arms.
    """

    share: float
    factor: float


def constant(level: float) -> Piecewise:
    """One level at all times."""
    return Piecewise([], [level])


def delayed_effect(control: Piecewise, *, hazard_ratio: float, delay: float) -> Piecewise:
    """The hazard of an arm whose treatment works after a delay.

    Args:
        control: Hazard without treatment.
        hazard_ratio: After the delay.
        delay: Until then the hazards are the same.

    Returns:
        The hazard of the treated.
    """
    if delay <= 0.0:
        return Piecewise(control.cuts.tolist(), (control.levels * hazard_ratio).tolist())
    cuts = sorted({*control.cuts.tolist(), delay})
    starts = [0.0, *cuts]
    levels = [float(control.relative(start)) * (hazard_ratio if start >= delay else 1.0) for start in starts]
    return Piecewise(cuts, levels)


@dataclass(frozen=True, kw_only=True)
class SurvivalDesign:
    """A randomised trial of two arms, analysed at numbers of events.

    Attributes:
        accrual: Subjects per unit of time, both arms together.
        accrual_duration: How long; then recruitment stops.
        control: Hazard of the event in arm 0, by time since randomisation.
        treated: Hazard in arm 1.
        events: Events at each analysis, rising.
        bounds: The analyses; its information fractions are those of the events unless they are given.
        control_dropout: Hazard of being lost in arm 0.
        treated_dropout: Hazard in arm 1.
        treated_share: Share of subjects in arm 1: 1/2, 1/3, 2/3 and the like, randomised in permuted blocks.
        strata: Strata of the randomisation and of the test; none if empty.
        rho: Exponents of the Fleming-Harrington weights.
        gamma: The second of them.
    """

    accrual: Piecewise
    accrual_duration: float
    control: Piecewise
    treated: Piecewise
    events: tuple[int, ...]
    bounds: GroupSequential = field(default_factory=GroupSequential)
    control_dropout: float = 0.0
    treated_dropout: float = 0.0
    treated_share: float = 0.5
    strata: tuple[Stratum, ...] = ()
    rho: float = 0.0
    gamma: float = 0.0

    def __post_init__(self) -> None:
        """Finds all faults at once."""
        faults = []
        if not (math.isfinite(self.accrual_duration) and self.accrual_duration > 0.0):
            faults.append(f"accrual_duration must be positive, got {self.accrual_duration!r}")
        elif self.n_subjects < 2:
            faults.append(f"accrual brings {self.n_subjects} subjects, fewer than two")
        elif self.events and self.events[-1] > self.n_subjects:
            faults.append(f"{self.events[-1]} events are asked of {self.n_subjects} subjects")
        if not self.events or list(self.events) != sorted({*self.events}) or self.events[0] < 1:
            faults.append(f"events must be positive and rise, got {self.events!r}")
        if len(self.events) != len(self.bounds.fractions):
            faults.append(f"{len(self.events)} numbers of events for {len(self.bounds.fractions)} analyses")
        if self.control_dropout < 0.0 or self.treated_dropout < 0.0:
            faults.append(
                f"hazards of dropout must not be negative, got {self.control_dropout!r}, {self.treated_dropout!r}"
            )
        if not 0.0 < self.treated_share < 1.0 or _block(self.treated_share) is None:
            faults.append(
                f"treated_share must be a fraction with a denominator of at most 12, got {self.treated_share!r}"
            )
        if self.strata and abs(sum(each.share for each in self.strata) - 1.0) > 1e-9:
            faults.append(f"the shares of the strata must sum to 1, got {sum(each.share for each in self.strata)!r}")
        faults += [
            f"a stratum needs a positive share and factor, got {each.share!r} and {each.factor!r}"
            for each in self.strata
            if not (each.share > 0.0 and each.factor > 0.0)
        ]
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)

    @property
    def n_subjects(self) -> int:
        """Subjects recruited by the end of accrual."""
        return round(float(self.accrual.cumulative(self.accrual_duration)))

    @property
    def parts(self) -> tuple[Stratum, ...]:
        """The strata, or the one that everybody is in."""
        return self.strata or (Stratum(share=1.0, factor=1.0),)

    @property
    def block(self) -> tuple[int, int]:
        """Treated subjects and all subjects of a block of the randomisation."""
        found = _block(self.treated_share)
        assert found is not None
        return found

    def under_null(self) -> "SurvivalDesign":
        """The same trial of a treatment that does nothing: what rejects then is type I error."""
        return dataclasses.replace(self, treated=self.control, treated_dropout=self.control_dropout)


def _block(share: float) -> tuple[int, int] | None:
    """The smallest block of four or more in which the share is whole."""
    for size in range(4, 25):
        treated = round(share * size)
        if abs(treated - share * size) < 1e-9 and 0 < treated < size:
            return treated, size
    return None
