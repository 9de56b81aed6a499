"""What an evaluation yields: every candidate event with the verdict of every rule, and the cohort."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.trials.criteria.days import Days, dates_of
from trajsim.trials.criteria.truth import FALSE, TRUE, UNKNOWN, Truth, both

_NAMES = {int(FALSE): "false", int(TRUE): "true", int(UNKNOWN): "unknown"}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Criteria evaluated on data.

    Attributes:
        rules: Names of the rules, in order.
        patient_ids: Ids of all patients that the data hold.
        patient: For every candidate event its patient, as a position in `patient_ids`.
        start: First day of the event (days since 1970-01-01).
        end: Last day; `days.NO_DAY` where unknown.
        additional: Verdict of the additional criteria on every event; never false.
        verdicts: Verdicts of the rules: one row a rule, one column an event; 0 false, 1 true, 2 unknown.
        cohort_patient: For every row of the cohort its patient, as a position in `patient_ids`.
        cohort_start: First day of membership.
        cohort_end: Last day of membership.
        cohort_verdict: True, or unknown where somebody still has to ask or measure.
        n_lost: Patients left without a row by the calendar window; None: there is no window.
    """

    rules: tuple[str, ...]
    patient_ids: NDArray[Any]
    patient: NDArray[np.int64]
    start: Days
    end: Days
    additional: Truth
    verdicts: NDArray[np.int8]
    cohort_patient: NDArray[np.int64]
    cohort_start: Days
    cohort_end: Days
    cohort_verdict: Truth
    n_lost: int | None = None

    @property
    def n_patients(self) -> int:
        """How many patients the data hold."""
        return len(self.patient_ids)

    @property
    def n_events(self) -> int:
        """How many candidate events."""
        return len(self.patient)

    def overall(self, *, without: int | None = None, first: int | None = None) -> Truth:
        """Verdict of the additional criteria and rules together, by event.

        Args:
            without: Leaves out the rule of that number.
            first: Only the first so many rules.
        """
        out = self.additional
        for number in range(len(self.rules) if first is None else first):
            if number != without:
                out = both(out, self.verdicts[number])
        return out

    def patients_of(self, truth: Truth) -> dict[str, int]:
        """Patients with an event of which something is true; those of whom it may be; the other candidates."""
        certain = np.unique(self.patient[truth == TRUE])
        possible = np.setdiff1d(np.unique(self.patient[truth == UNKNOWN]), certain)
        n_all = len(np.unique(self.patient))
        return {"true": len(certain), "unknown": len(possible), "false": n_all - len(certain) - len(possible)}

    def attrition(self) -> pd.DataFrame:
        """What each rule costs, in patients.

        Returns:
            One row a rule, `entry` first. `true`, `unknown`, `false`: the rule alone. `left`, `left_unknown`: patients
            who pass, or may pass, this rule and all before it. `without`, `without_unknown`: who pass or may pass all
            rules but this one, so that `without` minus the last `left` is what dropping the rule buys.
        """
        rows = []
        entry = self.patients_of(self.additional)
        total = self.patients_of(self.overall())
        rows.append(_row("entry", entry, entry, total))
        for number, name in enumerate(self.rules):
            alone = self.patients_of(self.verdicts[number])
            left = self.patients_of(self.overall(first=number + 1))
            rows.append(_row(name, alone, left, self.patients_of(self.overall(without=number))))
        return pd.DataFrame(rows)

    def masks(self) -> NDArray[Any]:
        """For every event the rules that it passes as bits, rule i as bit i."""
        if len(self.rules) > 62:
            bits = np.array([1 << number for number in range(len(self.rules))], object)
            wide: NDArray[Any] = ((self.verdicts == TRUE).astype(object) * bits[:, None]).sum(axis=0)
            return wide
        bits64 = np.int64(1) << np.arange(len(self.rules), dtype=np.int64)
        out: NDArray[Any] = ((self.verdicts == TRUE) * bits64[:, None]).sum(axis=0, dtype=np.int64)
        return out

    def best_events(self) -> NDArray[np.int64]:
        """The best event of every patient: most rules passed, then the lowest first passed rule, then the earliest."""
        passed = self.verdicts == TRUE
        n_passed = passed.sum(axis=0) if len(self.rules) else np.zeros(self.n_events, np.int64)
        lowest = np.argmax(passed, axis=0) if len(self.rules) else np.zeros(self.n_events, np.int64)
        order = np.lexsort((np.arange(self.n_events), self.start, lowest, -n_passed, self.patient))
        sorted_patient = self.patient[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = sorted_patient[1:] != sorted_patient[:-1]
        return order[is_first]

    def mask_counts(self, by: Literal["event", "patient"]) -> pd.DataFrame:
        """How many events, or best events of patients, pass which combination of rules; columns mask and n."""
        masks = self.masks()
        if by == "patient":
            masks = masks[self.best_events()]
        values, counts = np.unique(masks, return_counts=True)
        return pd.DataFrame({"mask": values, "n": counts})

    def cohort(self) -> pd.DataFrame:
        """The cohort: one row a period of membership, by patient and start; columns patient_id, start, end, verdict."""
        return pd.DataFrame(
            {
                "patient_id": self.patient_ids[self.cohort_patient],
                "start": dates_of(self.cohort_start),
                "end": dates_of(self.cohort_end),
                "verdict": [_NAMES[int(each)] for each in self.cohort_verdict],
            }
        )

    def candidates(self) -> pd.DataFrame:
        """Every candidate event with the verdict of every rule in words; one column a rule."""
        frame = pd.DataFrame(
            {
                "patient_id": self.patient_ids[self.patient],
                "start": dates_of(self.start),
                "end": dates_of(self.end),
            }
        )
        for number, name in enumerate(self.rules):
            label = name if name not in frame else f"{name} ({number + 1})"
            frame[label] = [_NAMES[int(each)] for each in self.verdicts[number]]
        return frame


def _row(name: str, alone: dict[str, int], left: dict[str, int], without: dict[str, int]) -> dict[str, Any]:
    return {
        "rule": name,
        **alone,
        "left": left["true"],
        "left_unknown": left["unknown"],
        "without": without["true"],
        "without_unknown": without["unknown"],
    }


def join_evaluations(parts: Sequence[Evaluation]) -> Evaluation:
    """Puts evaluations of different patients together, as shards of one run are.

    Args:
        parts: Evaluations of one definition; at least one.

    Returns:
        The evaluation of all patients.
    """
    offsets = np.cumsum([0, *(part.n_patients for part in parts)])[:-1]
    lost = [part.n_lost for part in parts if part.n_lost is not None]
    return Evaluation(
        rules=parts[0].rules,
        patient_ids=np.concatenate([part.patient_ids for part in parts]),
        patient=np.concatenate([part.patient + offset for part, offset in zip(parts, offsets, strict=True)]),
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        additional=np.concatenate([part.additional for part in parts]),
        verdicts=np.concatenate([part.verdicts for part in parts], axis=1),
        cohort_patient=np.concatenate(
            [part.cohort_patient + offset for part, offset in zip(parts, offsets, strict=True)]
        ),
        cohort_start=np.concatenate([part.cohort_start for part in parts]),
        cohort_end=np.concatenate([part.cohort_end for part in parts]),
        cohort_verdict=np.concatenate([part.cohort_verdict for part in parts]),
        n_lost=sum(lost) if lost else None,
    )
