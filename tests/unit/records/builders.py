"""Random Records that keep every invariant, with the texts that formats stumble over."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.records.invariants import ENTRIES, REFERENCES
from trajsim.records.schema import EVENT_TABLES, TABLES, TEXT, TIME
from trajsim.records.table import Records, schema_of

DAY_US = 86_400_000_000
TEXTS = (
    "plain",
    "comma, here",
    "line\nbreak",
    'quote "',
    "",
    "ümlaut ß 漢字",
    "back\\slash",
    "  blanks  ",
    "true",
    "1e3",
)
CODES = ("1", "22", "333", "8302-2")
SYSTEMS = ("SNOMED-CT", "LOINC", "RxNorm", "house codes")
CODED_JSON = (
    '[{"system":"SNOMED-CT","code":"31","display":"rash, red","severity":"mild"}]',
    '[{"system":"SNOMED-CT","code":"31","display":"rash","severity":"mild"},'
    '{"system":"SNOMED-CT","code":"32","display":"wheal","severity":"severe"}]',
)
PLANS = (
    (None, None, "none"), ("Medicare", "Medicare", "medicare"), ("Dual Eligible", "both", "dual"),
    ("Comma, Inc", "Silver", "aca"), ("Comma, Inc", "Gold", "private"), ("ümlaut ß", None, "private"),
)  # fmt: skip
_EXACT_TEXTS = {
    "sex": ("F", "M"), "category": ("laboratory", "survey", ""), "reactions": CODED_JSON, "more_codes": CODED_JSON,
    "encounter_class": ("wellness", "inpatient"), "prescription": ('{"duration":{"quantity":2,"unit":"months"}}', "{}"),
}  # fmt: skip


class _Maker:
    def __init__(self, seed: int, n_patients: int, max_rows: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.ids = np.cumsum(self.rng.integers(1, 2**60, n_patients).astype(np.uint64))
        self.birth = self.rng.integers(-30_000 * DAY_US, 10_000 * DAY_US, n_patients)
        self.last = self.birth + self.rng.integers(0, 20_000 * DAY_US, n_patients)
        self.dead = self.rng.random(n_patients) < 0.4
        self.rows = {name: self.rng.integers(0, max_rows + 1, n_patients) for name in EVENT_TABLES}
        self.patient = {name: np.repeat(np.arange(n_patients), counts) for name, counts in self.rows.items()}
        self.keys = self._keys()

    def _keys(self) -> dict[str, NDArray[np.uint64]]:
        """Random stream numbers with ordinals that are unique within a patient over all tables."""
        keys = {}
        for number, name in enumerate(EVENT_TABLES):
            ordinal = np.arange(len(self.patient[name])).astype(np.uint64)
            streams = self.rng.integers(1, 2**32, len(ordinal)).astype(np.uint64) << np.uint64(32)
            keys[name] = streams | (ordinal * np.uint64(len(EVENT_TABLES)) + np.uint64(number))
        return keys

    def some_key(self, name: str, targets: Sequence[str]) -> NDArray[np.uint64]:
        """Keys of rows of the same patient in other tables, or 0."""
        found = np.zeros(len(self.patient[name]), np.uint64)
        for row, patient in enumerate(self.patient[name]):
            target = targets[int(self.rng.integers(len(targets)))]
            mine = self.keys[target][self.patient[target] == patient]
            if len(mine) and self.rng.random() < 0.7:
                found[row] = self.rng.choice(mine)
        return found

    def column(self, name: str, arrow_type: pa.DataType, n: int, *, nullable: bool) -> pa.Array:
        mask = self.rng.random(n) < 0.3 if nullable else None
        if arrow_type == TEXT or pa.types.is_string(arrow_type):
            default = CODES if name.endswith("code") else SYSTEMS if name.endswith("system") else TEXTS
            choices = _EXACT_TEXTS.get(name, default)
            picks = self.rng.integers(0, len(choices), n).astype(np.int32)
            text = pa.DictionaryArray.from_arrays(pa.array(picks, mask=mask), pa.array(choices, pa.string()))
            return text if arrow_type == TEXT else text.cast(pa.string())
        if pa.types.is_boolean(arrow_type):
            return pa.array(self.rng.random(n) < 0.5, mask=mask)
        if pa.types.is_floating(arrow_type):
            if name == "quantity":
                return pa.array(self.rng.choice([0.0, 0.5, 1.0, 12.0], n), arrow_type, mask=mask)
            values = self.rng.choice([0.1, -2.5, 3.0, 1e-7, 1e22, 123456.789], n)
            return pa.array(values, arrow_type, mask=mask)
        return pa.array(self.rng.integers(1, 6, n), arrow_type, mask=mask)

    def times(self, patient: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A start and a later stop within the life."""
        length = self.last[patient] - self.birth[patient]
        parts = np.sort(self.rng.random((len(patient), 2)), axis=1)
        starts = self.birth[patient] + (parts[:, 0] * length).astype(np.int64)
        stops = self.birth[patient] + (parts[:, 1] * length).astype(np.int64)
        return starts, np.maximum(starts, stops)

    def table(self, name: str) -> pa.Table:
        patient = self.patient[name]
        starts, stops = self.times(patient)
        columns = []
        for column, about in TABLES[name].items():
            if column == "patient_id":
                columns.append(pa.array(self.ids[patient], pa.uint64()))
            elif column == "row_key":
                columns.append(pa.array(self.keys[name]))
            elif column == "time":
                columns.append(pa.array(starts).view(TIME))
            elif column == "stop":
                mask = self.rng.random(len(stops)) < 0.3 if about.nullable else None
                columns.append(pa.array(stops, mask=mask).view(TIME))
            elif column in ("encounter_key", "reason_key", "report_key"):
                targets = {"encounter_key": ("encounters",), "reason_key": ENTRIES, "report_key": ("reports",)}[column]
                columns.append(pa.array(self.some_key(name, targets)))
            elif column in ("medication_key", "coverage_key", "claim_key", "item_key"):
                columns.append(pa.array(self.some_key(name, REFERENCES[column])))
            elif column == "panel_key":
                columns.append(pa.array(np.zeros(len(patient), np.uint64)))
            elif column == "study_key":
                columns.append(pa.array(self.keys[name] | np.uint64(1 << 31)))
            else:
                columns.append(self.column(column, about.type, len(patient), nullable=about.nullable))
        return pa.Table.from_arrays(columns, schema=schema_of(name))

    def coverages(self) -> pa.Table:
        """One after the other from birth on; the last one until the death, or in force."""
        patient = self.patient["coverages"]
        first = np.diff(patient, prepend=-1) > 0
        last = np.append(first[1:], True)[: len(first)]
        length = (self.last - self.birth)[patient]
        when = self.birth[patient] + (self.rng.random(len(patient)) * length).astype(np.int64)
        when[first] = self.birth[patient[first]]
        when = when[np.lexsort((when, patient))]
        stops = np.where(last, self.last[patient], np.roll(when, -1))
        picks = [PLANS[k] for k in self.rng.integers(0, len(PLANS), len(patient))]
        given = {
            "patient_id": pa.array(self.ids[patient], pa.uint64()),
            "row_key": pa.array(self.keys["coverages"]),
            "time": pa.array(when).view(TIME),
            "stop": pa.array(stops, mask=last & ~self.dead[patient]).view(TIME),
        } | {
            name: pa.array([pick[k] for pick in picks], pa.string()).dictionary_encode()
            for k, name in enumerate(("payer", "plan", "kind"))
        }
        columns = [
            given[name] if name in given else self.column(name, about.type, len(patient), nullable=about.nullable)
            for name, about in TABLES["coverages"].items()
        ]
        return pa.Table.from_arrays(columns, schema=schema_of("coverages"))

    def money(self, claims: pa.Table, lines: pa.Table) -> dict[str, pa.Table]:
        """Lines whose amounts add up, and claims that are the sums of their lines."""
        pays = claims["payer"].is_valid().to_numpy()
        owner = list(zip(claims["patient_id"].to_pylist(), claims["row_key"].to_pylist(), strict=True))
        place = {pair: row for row, pair in enumerate(owner)}
        named = zip(lines["patient_id"].to_pylist(), lines["claim_key"].to_pylist(), strict=True)
        of_line = np.array([place.get(pair, -1) for pair in named], np.int64)
        billed = self.rng.integers(0, 100_000, len(of_line))
        covered = np.where(np.append(pays, True)[of_line], (billed * self.rng.random(len(of_line))).astype(np.int64), 0)
        paid = billed - covered
        deductible = (paid * self.rng.random(len(of_line))).astype(np.int64)
        amounts = dict(
            zip(("billed", "covered", "out_of_pocket", "deductible"), (billed, covered, paid, deductible), strict=True)
        )
        for name, values in amounts.items():
            sums = np.zeros(len(owner), np.int64)
            np.add.at(sums, of_line[of_line >= 0], values[of_line >= 0])
            claims, lines = (_put(each, f"{name}_cents", new) for each, new in ((claims, sums), (lines, values)))
        return {"claims": claims, "claim_lines": lines}

    def people(self) -> pa.Table:
        times = {
            "patient_id": pa.array(self.ids, pa.uint64()),
            "birth_time": pa.array(self.birth).view(TIME),
            "death_time": pa.array(self.last, mask=~self.dead).view(TIME),
            "last_time": pa.array(self.last).view(TIME),
        }
        columns = [
            times[name] if name in times else self.column(name, column.type, len(self.ids), nullable=column.nullable)
            for name, column in TABLES["patients"].items()
        ]
        return pa.Table.from_arrays(columns, schema=schema_of("patients"))

    def deaths(self) -> pa.Table:
        given = {
            "patient_id": pa.array(self.ids[self.dead], pa.uint64()),
            "time": pa.array(self.last[self.dead]).view(TIME),
            "cause_key": pa.array(np.zeros(int(self.dead.sum()), np.uint64)),
        }
        columns = [
            given[name]
            if name in given
            else self.column(name, column.type, int(self.dead.sum()), nullable=column.nullable)
            for name, column in TABLES["deaths"].items()
        ]
        return pa.Table.from_arrays(columns, schema=schema_of("deaths"))


def random_records(*, seed: int, n_patients: int = 3, max_rows: int = 5) -> Records:
    """Records of some patients with a few rows in every table."""
    maker = _Maker(seed, n_patients, max_rows)
    tables = {name: maker.table(name) for name in EVENT_TABLES if name != "coverages"}
    tables["coverages"] = maker.coverages()
    tables |= maker.money(tables["claims"], tables["claim_lines"])
    return Records(tables | {"patients": maker.people(), "deaths": maker.deaths()})


def _put(table: pa.Table, column: str, values: NDArray[np.int64]) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(place), pa.array(values))


def with_column(records: Records, table: str, column: str, values: pa.Array) -> Records:
    """The same Records with one column replaced."""
    old = records[table]
    position = old.schema.get_field_index(column)
    changed = old.set_column(position, old.schema.field(position), values)
    return Records({**records.tables, table: changed})
