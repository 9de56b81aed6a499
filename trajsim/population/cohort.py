"""Who lives: one row a patient, with what modules may read about them at birth.

A cohort is columns, not objects: the engine fills its slots from them for a million patients as for one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

NEVER_MS = np.iinfo(np.int64).max
SEXES = ("F", "M")


@dataclass(frozen=True, kw_only=True, eq=False)
class AttributeColumn:
    """One attribute that is present at birth, for all patients of a cohort.

    Attributes:
        kind: What GMF sees: ``number`` (double), ``integer``, ``boolean`` or ``text``.
        values: [n]; float64 for number, int64 for integer, bool for boolean, int32 index into `categories` for text. A
            constant is a broadcast array.
        categories: Texts of a text column.
    """

    kind: Literal["number", "integer", "boolean", "text"]
    values: NDArray[np.generic]
    categories: tuple[str, ...] = ()

    def at(self, row: int) -> float | int | bool | str:
        """The value of one patient as Python sees it."""
        value: Any = self.values[row].item()
        item: float | int | bool | str = self.categories[value] if self.kind == "text" else value
        return item


@dataclass(frozen=True, kw_only=True, eq=False)
class Cohort:
    """Patients before birth.

    Attributes:
        patient_id: [n] uint64, rising. A patient's life depends on the id, never on the position.
        birth_ms: [n] int64, milliseconds since 1970-01-01 UTC.
        death_ms: [n] int64; background death, `NEVER_MS` if none. Modules may only bring death forward.
        attributes: Attributes present at birth, by name (``gender``, ``race``, ``ethnicity``, ``state``, ...).
        vital_signs: Constants for runs without a lifecycle (tests of the engine), by name of the sign.
        parameters: Numbers that the lifecycle needs of each patient and no module reads, by name; [n] each
            (``unemployment_probability``: share of the county that is out of work).
        identity: Columns of names, addresses and the like, for Records only; no module reads them. [n] each.
    """

    patient_id: NDArray[np.uint64]
    birth_ms: NDArray[np.int64]
    death_ms: NDArray[np.int64]
    attributes: Mapping[str, AttributeColumn]
    vital_signs: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    identity: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.patient_id)

    def rows(self, start: int, stop: int) -> "Cohort":
        """The patients at positions start ... stop - 1, without copying."""
        return Cohort(
            patient_id=self.patient_id[start:stop],
            birth_ms=self.birth_ms[start:stop],
            death_ms=self.death_ms[start:stop],
            attributes={
                name: AttributeColumn(kind=column.kind, values=column.values[start:stop], categories=column.categories)
                for name, column in self.attributes.items()
            },
            vital_signs=self.vital_signs,
            parameters={name: values[start:stop] for name, values in self.parameters.items()},
            identity={name: values[start:stop] for name, values in self.identity.items()},
        )

    def texts(self) -> Iterator[str]:
        """Every text that an attribute of the cohort may hold, in column order (strings of the catalogue)."""
        for column in self.attributes.values():
            yield from column.categories
