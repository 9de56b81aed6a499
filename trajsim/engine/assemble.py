"""From logs to Records: the engine's events become tables that know nothing of the engine.

A kernel finds out what became of every event (kept, stopped, attached to what); NumPy then takes each column of each
table from arrays that were made once a run. What a row says depends on its patient's log alone, so neither the size of
the chunk nor what else is in it shows.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.engine.assemble_columns import ChunkColumns
from trajsim.engine.assemble_coverages import stop_coverages
from trajsim.engine.assemble_lists import ListMerger
from trajsim.engine.assemble_patients import patients_table
from trajsim.engine.assemble_sources import source_columns
from trajsim.engine.events import (
    EVENT_DTYPE,
    MEDICATION_ADMINISTRATION,
    MEDICATION_CHRONIC,
    Catalogue,
    Coercion,
    EncounterClass,
    EventKind,
)
from trajsim.engine.kernels import assembly as kernel
from trajsim.errors import ConfigError
from trajsim.gmf.model import Encounter, EncounterEnd, MedicationOrder
from trajsim.population.cohort import Cohort
from trajsim.records.table import TABLE_NAMES, Records
from trajsim.units import MINUTE_MS

_ROLES: Mapping[EventKind, int] = {
    EventKind.ENCOUNTER: kernel.ROLE_ENCOUNTER,
    EventKind.ENCOUNTER_END: kernel.ROLE_ENCOUNTER_END,
    EventKind.CONDITION: kernel.ROLE_ENTRY,
    EventKind.CONDITION_AGAIN: kernel.ROLE_AGAIN,
    EventKind.CONDITION_END: kernel.ROLE_END,
    EventKind.ALLERGY: kernel.ROLE_ENTRY,
    EventKind.ALLERGY_AGAIN: kernel.ROLE_AGAIN,
    EventKind.ALLERGY_END: kernel.ROLE_END,
    EventKind.REACTION: kernel.ROLE_REACTION,
    EventKind.MEDICATION: kernel.ROLE_MEDICATION,
    EventKind.MEDICATION_AGAIN: kernel.ROLE_MEDICATION_AGAIN,
    EventKind.MEDICATION_END: kernel.ROLE_END,
    EventKind.CAREPLAN: kernel.ROLE_CAREPLAN,
    EventKind.CAREPLAN_AGAIN: kernel.ROLE_CAREPLAN_AGAIN,
    EventKind.CAREPLAN_END: kernel.ROLE_END,
    EventKind.PROCEDURE: kernel.ROLE_PROCEDURE,
    EventKind.OBSERVATION: kernel.ROLE_OBSERVATION,
    EventKind.MULTI_OBSERVATION: kernel.ROLE_PARENT,
    EventKind.REPORT: kernel.ROLE_PARENT,
    EventKind.IMMUNIZATION: kernel.ROLE_POINT,
    EventKind.DEVICE: kernel.ROLE_ENTRY,
    EventKind.DEVICE_END: kernel.ROLE_END,
    EventKind.SUPPLY: kernel.ROLE_POINT,
    EventKind.IMAGING: kernel.ROLE_STUDY,
    EventKind.SERIES: kernel.ROLE_SERIES,
    EventKind.DEATH: kernel.ROLE_DEATH,
    EventKind.COERCED: kernel.ROLE_IGNORED,
    EventKind.COVERAGE: kernel.ROLE_POINT,
}
_TABLES: Mapping[EventKind, str] = {
    EventKind.ENCOUNTER: "encounters",
    EventKind.CONDITION: "conditions",
    EventKind.ALLERGY: "allergies",
    EventKind.MEDICATION: "medications",
    EventKind.CAREPLAN: "careplans",
    EventKind.PROCEDURE: "procedures",
    EventKind.OBSERVATION: "observations",
    EventKind.MULTI_OBSERVATION: "observations",
    EventKind.REPORT: "reports",
    EventKind.IMMUNIZATION: "immunizations",
    EventKind.DEVICE: "devices",
    EventKind.SUPPLY: "supplies",
    EventKind.SERIES: "imaging",
    EventKind.COVERAGE: "coverages",
    EventKind.DEATH: "deaths",
}
_LENGTHS_MIN: Mapping[EncounterClass, int] = {
    EncounterClass.EMERGENCY: 60,
    EncounterClass.INPATIENT: 1_440,
    EncounterClass.HOSPICE: 1_440,
    EncounterClass.SNF: 1_440,
}
_OTHER_LENGTH_MIN = 15


def _rules(catalogue: Catalogue, lists: NDArray[np.int32]) -> kernel.Rules:
    """What the numbers in the logs mean to the kernel."""
    states = [source.definition for source in catalogue.sources]
    roles = np.zeros(max(EventKind) + 1, np.uint8)
    tables = np.full(max(EventKind) + 1, kernel.NO_TABLE, np.uint8)
    for kind, role in _ROLES.items():
        roles[kind] = role
    for kind, name in _TABLES.items():
        tables[kind] = TABLE_NAMES.index(name)
    lengths_min = [_LENGTHS_MIN.get(each, _OTHER_LENGTH_MIN) for each in EncounterClass]
    return kernel.Rules(
        roles=roles,
        tables=tables,
        streams=np.array(catalogue.stream_ids, np.uint64),
        lists=lists,
        prescribes=np.array(
            [isinstance(state, MedicationOrder) and state.prescription is not None for state in states], np.bool_
        ),
        discharges=np.array(
            [isinstance(state, EncounterEnd) and state.discharge_disposition is not None for state in states], np.bool_
        ),
        visits=np.array([isinstance(state, Encounter) for state in states], np.bool_),
        lengths=np.array(lengths_min, np.int64) * MINUTE_MS,
        chronic=MEDICATION_CHRONIC,
        administered=MEDICATION_ADMINISTRATION,
    )


@dataclass(frozen=True, kw_only=True)
class AssemblyReport:
    """What was left out or changed so that Records keep their guarantees, and what the engine coerced.

    Attributes:
        rows_after_death: Rows left out because they began after the death of their patient.
        rows_before_birth: Rows left out because they began before the birth.
        stops_clipped: Stops after the death, set to the death.
        stops_raised: Stops before the start (an end that a rewind put first), set to the start.
        rows_moved: Rows of an encounter that was left out, attached to the last one before it (else the first).
        deaths_after_end: Deaths at or after the end of the run: the patient is alive at the end.
        values_not_finite: Observed numbers that are infinite or not a number, set to null.
        coerced: Coercions by (`Coercion` name in lower case, module, state).
    """

    rows_after_death: int = 0
    rows_before_birth: int = 0
    stops_clipped: int = 0
    stops_raised: int = 0
    rows_moved: int = 0
    deaths_after_end: int = 0
    values_not_finite: int = 0
    coerced: Mapping[tuple[str, str, str], int] = field(default_factory=dict)

    def __add__(self, other: "AssemblyReport") -> "AssemblyReport":
        """The report of both chunks together."""
        return AssemblyReport(
            rows_after_death=self.rows_after_death + other.rows_after_death,
            rows_before_birth=self.rows_before_birth + other.rows_before_birth,
            stops_clipped=self.stops_clipped + other.stops_clipped,
            stops_raised=self.stops_raised + other.stops_raised,
            rows_moved=self.rows_moved + other.rows_moved,
            deaths_after_end=self.deaths_after_end + other.deaths_after_end,
            values_not_finite=self.values_not_finite + other.values_not_finite,
            coerced=dict(sorted((Counter(self.coerced) + Counter(other.coerced)).items())),
        )


@dataclass(frozen=True, eq=False)
class Assembly:
    """Records of a chunk, and the report of how they came about."""

    records: Records
    report: AssemblyReport


class Assembler:
    """Turns logs into Records; built once a run, used by any number of threads.

    Guarantees:
        No row begins before birth or after death, no stop lies after death; every key names a row that is there.
        (tests/unit/engine/test_assemble.py)
        Rows depend on the patient's log alone. (tests/unit/engine/test_assemble.py)
    """

    def __init__(self, catalogue: Catalogue) -> None:
        """Looks up what rows inherit from their sources.

        Args:
            catalogue: What the numbers in the logs mean.
        """
        self._catalogue = catalogue
        self._columns = source_columns(catalogue)
        self._rules = _rules(catalogue, self._columns.lists)

    def records(self, events: NDArray[np.void], offsets: NDArray[np.int64], cohort: Cohort, *, end_ms: int) -> Records:
        """Records of a chunk; see `assemble`."""
        return self.assemble(events, offsets, cohort, end_ms=end_ms).records

    def assemble(
        self, events: NDArray[np.void], offsets: NDArray[np.int64], cohort: Cohort, *, end_ms: int
    ) -> Assembly:
        """Makes the tables of a chunk of patients.

        Args:
            events: Logs of the patients, one after the other (`EVENT_DTYPE`); indexes count within a patient.
            offsets: Patient i has events offsets[i] ... offsets[i + 1] - 1.
            cohort: The patients, in the order of the logs.
            end_ms: End of the run, milliseconds since 1970-01-01 UTC.

        Returns:
            Records, and what was left out of them.

        Raises:
            ConfigError: Logs, offsets and cohort do not fit together, or the cohort lacks what `patients` needs.

        Source:
            docs/draws.md, sections 6 and 7.
        """
        self._require(events, offsets, cohort)
        offsets = np.ascontiguousarray(offsets, np.int64)
        n_patients = len(cohort)
        deaths = np.full(n_patients, -1, np.int64)
        details = np.empty(len(events), kernel.DETAIL_DTYPE)
        merges = np.empty(len(events), np.int64)
        counts = np.zeros((n_patients, len(TABLE_NAMES)), np.int64)
        tallies = np.zeros(kernel.N_TALLIES, np.int64)
        kernel.find_deaths(events, offsets, self._rules.roles, end_ms, deaths, tallies)
        n_merges = kernel.resolve(
            events, offsets, np.ascontiguousarray(cohort.birth_ms, np.int64), deaths, self._rules, details,
            np.empty(len(events), np.int64), np.empty(len(events), np.int32), merges, counts, tallies,
        )  # fmt: skip
        starts = np.r_[0, np.cumsum(counts.sum(axis=0))]
        positions = np.empty(int(starts[-1]), np.int64)
        kernel.positions_by_table(details, starts[:-1].copy(), positions)
        coverages = TABLE_NAMES.index("coverages")
        stop_coverages(
            details, events["time"], positions[starts[coverages] : starts[coverages + 1]], counts[:, coverages],
            np.where(deaths < 0, kernel.OPEN, self._death_ms(events, cohort, deaths)),
        )  # fmt: skip
        lists = ListMerger(self._catalogue, events, offsets).run(merges[:n_merges]) if n_merges else {}
        columns = ChunkColumns(self._columns, events, details, lists)
        tables = {
            name: columns.table(name, positions[starts[k] : starts[k + 1]], np.repeat(cohort.patient_id, counts[:, k]))
            for k, name in enumerate(TABLE_NAMES)
            if name != "patients"
        }
        tables["patients"] = self._patients(events, cohort, deaths, end_ms)
        return Assembly(Records(tables), self._report(events, tallies, columns.n_not_finite))

    @staticmethod
    def _require(events: NDArray[np.void], offsets: NDArray[np.int64], cohort: Cohort) -> None:
        if events.dtype != EVENT_DTYPE:
            msg = f"expected logs of type EVENT_DTYPE, got {events.dtype}"
            raise ConfigError(msg)
        if len(offsets) != len(cohort) + 1 or offsets[0] != 0 or offsets[-1] != len(events):
            msg = f"offsets of {len(offsets) - 1} logs with {len(events)} events do not fit {len(cohort)} patients"
            raise ConfigError(msg)

    @staticmethod
    def _patients(events: NDArray[np.void], cohort: Cohort, deaths: NDArray[np.int64], end_ms: int) -> pa.Table:
        return patients_table(cohort, Assembler._death_ms(events, cohort, deaths), deaths >= 0, end_ms)

    @staticmethod
    def _death_ms(events: NDArray[np.void], cohort: Cohort, deaths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Time of death, no earlier than birth; without meaning for those who live."""
        died = deaths >= 0
        death_ms = np.zeros(len(cohort), np.int64)
        death_ms[died] = events["time"][deaths[died]]
        return np.maximum(death_ms, cohort.birth_ms)

    def _report(self, events: NDArray[np.void], tallies: NDArray[np.int64], n_not_finite: int) -> AssemblyReport:
        coerced: Counter[tuple[str, str, str]] = Counter()
        rows = events[events["kind"] == EventKind.COERCED]
        for state, tag in zip(rows["state"].tolist(), rows["tag"].tolist(), strict=True):
            source = self._catalogue.sources[state]
            coerced[Coercion(tag).name.lower(), source.module, source.state] += 1
        return AssemblyReport(
            rows_after_death=int(tallies[kernel.TALLY_AFTER_DEATH]),
            rows_before_birth=int(tallies[kernel.TALLY_BEFORE_BIRTH]),
            stops_clipped=int(tallies[kernel.TALLY_CLIPPED]),
            stops_raised=int(tallies[kernel.TALLY_BACKWARD]),
            rows_moved=int(tallies[kernel.TALLY_MOVED]),
            deaths_after_end=int(tallies[kernel.TALLY_LATE_DEATH]),
            values_not_finite=n_not_finite,
            coerced=dict(sorted(coerced.items())),
        )
