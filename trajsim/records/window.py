"""The last years of histories: what a record system that began then would hold.

A year is 365 days, as in Synthea's property `exporter.years_of_history`.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.records.invariants import REFERENCES
from trajsim.records.schema import EVENT_TABLES, TABLES
from trajsim.records.table import TABLE_NAMES, Records

Mask = NDArray[np.bool_]

_YEAR_US = 365 * 86_400_000_000
_STAY_WHILE_ACTIVE = ("conditions", "allergies", "medications", "careplans", "coverages")
# The death certificate: the encounter, the observation of the cause and the report (SNOMED CT and LOINC).
_OF_DEATH = {"encounters": "308646001", "observations": "69453-9", "reports": "69409-1"}


def keep_years(records: Records, n_years: int, *, end_us: int) -> Records:
    """Keeps the last years before the end.

    What began or ended inside the window stays; so do conditions, allergies, medications, care plans and coverages that
    are still open, the death and its certificate, and every encounter that something else that stays belongs to. An
    encounter before the window of which nothing stays goes. The lines of a claim stay with it. Patients stay, all of
    them.

    Args:
        records: Whole lives.
        n_years: Years to keep; 0 keeps all.
        end_us: End of the run, microseconds since 1970-01-01 UTC.

    Returns:
        Records in which no key names a row that went: such a key is 0, its code stays.

    Raises:
        ConfigError: `n_years` is negative.

    Guarantees:
        Every invariant that held still holds. (tests/unit/records/test_window.py)

    Source:
        Synthea, export/Exporter.java, filterForExport; but devices, supplies and images go like everything else.
    """
    if n_years < 0:
        msg = f"--years must not be negative, got {n_years}"
        raise ConfigError(msg)
    if n_years == 0:
        return records
    cutoff = end_us - n_years * _YEAR_US
    keys = _Keys(records)
    kept = {name: _stays(records[name], name, cutoff) for name in EVENT_TABLES}
    kept["observations"] |= keys.are_in("observations", "panel_key", "observations", kept["observations"])
    for name in EVENT_TABLES:
        if "encounter_key" in TABLES[name]:
            kept["encounters"] |= keys.named_by(name, "encounter_key", kept[name])
    kept["claim_lines"] = keys.are_in("claim_lines", "claim_key", "claims", kept["claims"])
    tables = {name: records[name].filter(pa.array(kept[name])) for name in EVENT_TABLES}
    tables |= {name: records[name] for name in TABLE_NAMES if name not in tables}
    whole = {name: np.ones(records[name].num_rows, np.bool_) for name in TABLE_NAMES} | kept
    for name in TABLE_NAMES:
        for column, targets in REFERENCES.items():
            if column in TABLES[name]:
                tables[name] = _without_lost(tables[name], column, keys.lost(name, column, targets, kept)[whole[name]])
    tables["reports"] = _with_counts(tables["reports"], keys.listed(kept))
    return Records(tables)


def _stays(table: pa.Table, name: str, cutoff: int) -> Mask:
    """Rows that stay for themselves."""
    stays: Mask = table.column("time").cast(pa.int64()).to_numpy() > cutoff
    if "stop" in TABLES[name]:
        stop = table.column("stop").cast(pa.int64())
        stays = stays | (stop.fill_null(cutoff).to_numpy() > cutoff)
        if name in _STAY_WHILE_ACTIVE:
            stays |= stop.is_null().to_numpy()
    if name in _OF_DEATH:
        is_certificate = pc.equal(table.column("code").cast(pa.string()), _OF_DEATH[name])
        stays |= is_certificate.to_numpy(zero_copy_only=False)
    return stays


class _Keys:
    """Row keys as whole numbers that are exact and unique over all patients."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._patients = np.sort(records.patient_ids)
        own = [_numbers(records[name], "row_key") for name in EVENT_TABLES]
        self._distinct = np.unique(np.concatenate([np.zeros(1, np.uint64), *own]))
        self._rows = {name: self._packed(name, "row_key") for name in EVENT_TABLES}

    def _packed(self, name: str, column: str) -> NDArray[np.int64]:
        """One number for each pair of patient and key; -1: no row has the key, or there is none."""
        keys = _numbers(self._records[name], column)
        place = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        patients = np.searchsorted(self._patients, self._records.ids_of(name))
        known = (self._distinct[place] == keys) & (keys != 0)
        return np.where(known, patients * len(self._distinct) + place, -1)

    def are_in(self, name: str, column: str, target: str, kept: Mask) -> Mask:
        """Rows whose key names one of some rows of a table."""
        return np.isin(self._packed(name, column), self._rows[target][kept], kind="sort")

    def named_by(self, name: str, column: str, kept: Mask) -> Mask:
        """Encounters that some rows of a table name."""
        return np.isin(self._rows["encounters"], self._packed(name, column)[kept], kind="sort")

    def lost(self, name: str, column: str, targets: tuple[str, ...], kept: Mapping[str, Mask]) -> Mask:
        """Rows whose key names a row that goes."""
        gone = np.concatenate([self._rows[target][~kept[target]] for target in targets])
        return np.isin(self._packed(name, column), gone, kind="sort")

    def listed(self, kept: Mapping[str, Mask]) -> NDArray[np.int64]:
        """How many of the observations that stay each report that stays lists."""
        owners = np.sort(self._packed("observations", "report_key")[kept["observations"]])
        reports = self._rows["reports"][kept["reports"]]
        return np.searchsorted(owners, reports, side="right") - np.searchsorted(owners, reports, side="left")


def _numbers(table: pa.Table, column: str) -> NDArray[np.uint64]:
    numbers: NDArray[np.uint64] = table.column(column).to_numpy()
    return numbers


def _without_lost(table: pa.Table, column: str, lost: Mask) -> pa.Table:
    """Keys of rows that went become 0."""
    if not lost.any():
        return table
    place = table.schema.get_field_index(column)
    keys = np.where(lost, np.uint64(0), _numbers(table, column))
    return table.set_column(place, table.schema.field(place), pa.array(keys))


def _with_counts(reports: pa.Table, counts: NDArray[np.int64]) -> pa.Table:
    """Reports that say how many observations are left to them."""
    place = reports.schema.get_field_index("n_observations")
    return reports.set_column(place, reports.schema.field(place), pa.array(counts.astype(np.int32)))
