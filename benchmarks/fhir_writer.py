"""How fast Records become FHIR: rows made from tables, then bytes.

Synthetic patients with the mix of whole histories of the stock modules (about 2,000 to 2,500 resources each), all
templates and codes seen before; times are user plus system seconds of this process.

    python benchmarks/fhir_writer.py [--patients 64] [--rounds 5] [--out DIR]

With ``--out`` the NDJSON files are written to disk as well (and stay there).
"""

import argparse
import datetime as dt
import platform
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from fhir_export.exporter import FhirExporter
from fhir_export.ndjson import lines
from trajsim.records.schema import arrow_schema
from trajsim.records.table import Records

# Rows a patient, and how many distinct codes the table has.
_MIX = {
    "encounters": (150, 40),
    "conditions": (60, 300),
    "observations": (1300, 400),
    "medications": (150, 250),
    "procedures": (350, 300),
    "immunizations": (30, 20),
    "allergies": (1, 30),
    "careplans": (8, 40),
    "devices": (1, 10),
    "supplies": (6, 20),
    "imaging": (3, 10),
    "reports": (100, 30),
}
_YEAR_US = 365 * 86_400_000_000


def _texts(values: list[str | None], indices: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(values, pa.string()))


def _column(field: pa.Field, n_rows: int, n_codes: int, code: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """Values of a column that no rule below fixes."""
    if field.name in {"system", "reason_system", "procedure_system", "body_site_system"}:
        return _texts(["SNOMED-CT"], np.zeros(n_rows))
    if field.name in {"code", "reason_code", "procedure_code", "body_site_code"}:
        return _texts([str(400000 + k) for k in range(n_codes)], code)
    if field.name in {"display", "reason_display", "procedure_display", "body_site_display"}:
        return _texts([f"Wording number {k} of a coded finding (finding)" for k in range(n_codes)], code)
    if field.name in {"module", "state"}:
        return _texts([f"module_{k}" for k in range(200)], rng.integers(0, 200, n_rows))
    if field.nullable:
        return pa.nulls(n_rows, field.type)
    if pa.types.is_dictionary(field.type):
        return _texts(["ambulatory"], np.zeros(n_rows))
    if pa.types.is_boolean(field.type):
        return pa.array(np.zeros(n_rows, bool))
    return pa.array(np.ones(n_rows), pa.float64()).cast(field.type)


def _patients(ids: np.ndarray) -> pa.Table:
    n = len(ids)
    fixed = {
        "patient_id": pa.array(ids),
        "birth_time": pa.array(np.full(n, -10 * _YEAR_US), pa.timestamp("us", tz="UTC")),
        "last_time": pa.array(np.full(n, 50 * _YEAR_US), pa.timestamp("us", tz="UTC")),
        "sex": _texts(["F", "M"], np.arange(n) % 2),
        "race": _texts(["white", "black", "asian"], np.arange(n) % 3),
        "ethnicity": _texts(["nonhispanic", "hispanic"], np.arange(n) % 2),
        "state": _texts(["Massachusetts", "Texas"], np.arange(n) % 2),
        "given_name": pa.array([f"Given{k}" for k in range(n)]),
        "family_name": pa.array([f"Family{k}" for k in range(n)]),
        "ssn": pa.array([f"999-{k % 100:02d}-{k % 10000:04d}" for k in range(n)]),
    }
    return pa.Table.from_arrays(
        [fixed[f.name] if f.name in fixed else pa.nulls(n, f.type) for f in arrow_schema("patients")],
        schema=arrow_schema("patients"),
    )


def _keys(table: int, rows: np.ndarray) -> np.ndarray:
    return (np.uint64(table) << np.uint64(32)) | rows.astype(np.uint64)


def _table(name: str, ids: np.ndarray, number: int, rng: np.random.Generator) -> pa.Table:
    per_patient, n_codes = _MIX[name]
    n = len(ids) * per_patient
    ordinal = np.tile(np.arange(per_patient), len(ids))
    encounter = ordinal * _MIX["encounters"][0] // per_patient
    start = (
        encounter * (40 * _YEAR_US // _MIX["encounters"][0])
        + np.repeat(rng.integers(0, 86_400_000, len(ids)), per_patient) * 1000
    )
    code = rng.integers(0, n_codes, n)
    fixed = {
        "patient_id": pa.array(np.repeat(ids, per_patient)),
        "row_key": pa.array(_keys(number, ordinal)),
        "encounter_key": pa.array(_keys(0, encounter)),
        "time": pa.array(start, pa.timestamp("us", tz="UTC")),
        "stop": pa.array(start + 900_000_000, pa.timestamp("us", tz="UTC")),
        **_special(name, n, ordinal, code, rng),
    }
    fields = arrow_schema(name)
    return pa.Table.from_arrays(
        [
            fixed[f.name].cast(f.type) if f.name in fixed else _column(f, n, n_codes, code, rng).cast(f.type)
            for f in fields
        ],
        schema=fields,
    )


def _special(name: str, n: int, ordinal: np.ndarray, code: np.ndarray, rng: np.random.Generator) -> dict[str, pa.Array]:
    """What makes a table look like itself: panels of two, reports of eight, reasons, prescriptions, coded values."""
    reasons = (np.uint64(1) << np.uint64(32)) | rng.integers(0, _MIX["conditions"][0], n).astype(np.uint64)
    if name == "observations":
        panels = np.where(
            ordinal % 13 < 2, (np.uint64(2) << np.uint64(32)) | (ordinal // 13 * 13 + 2).astype(np.uint64), np.uint64(0)
        )
        reports = np.where(
            (ordinal % 13 > 4), (np.uint64(11) << np.uint64(32)) | (ordinal // 13).astype(np.uint64), np.uint64(0)
        )
        kind = code % 10
        return {
            "numeric_value": pa.array(np.round(rng.normal(90, 20, n), 1), mask=(kind == 0) | (ordinal % 13 == 2)),
            "value_system": _texts(["SNOMED-CT", None], (kind != 0).astype(int)),
            "value_code": _texts(["260385009", "10828004", None], np.where(kind == 0, code % 2, 2)),
            "value_display": _texts(["Negative", "Positive", None], np.where(kind == 0, code % 2, 2)),
            "unit": _texts(["mg/dL", "mmol/L", "%", "mm[Hg]"], code % 4),
            "category": _texts(["laboratory", "vital-signs", "survey"], code % 3),
            "panel_key": pa.array(panels),
            "report_key": pa.array(reports),
            "is_panel": pa.array(ordinal % 13 == 2),
        }
    if name in {"procedures", "medications"}:
        dose = '"dosage":{"amount":1,"frequency":1,"period":1,"unit":"days"}'
        plan = f'{{{dose},"duration":{{"quantity":30,"unit":"days"}},"refills":3}}'
        extra = {"prescription": _texts([plan, None], code % 2)} if name == "medications" else {}
        return {"reason_key": pa.array(np.where(code % 2 == 0, reasons, np.uint64(0)))} | extra
    if name == "imaging":
        return {
            "study_key": pa.array((np.uint64(99) << np.uint64(32)) | ordinal.astype(np.uint64)),
            "modality_code": _texts(["DX"], np.zeros(n)),
        }
    return {}


def synthetic_records(n_patients: int) -> Records:
    """Patients with the mix above."""
    rng = np.random.default_rng(np.random.Philox(key=8))
    ids = np.arange(1, n_patients + 1, dtype=np.uint64)
    tables = {name: _table(name, ids, number, rng) for number, name in enumerate(_MIX)}
    return Records({"patients": _patients(ids)} | tables)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    records = synthetic_records(options.patients)
    exporter = FhirExporter(seed=8)
    start = time.perf_counter()
    n_bytes = sum(map(len, exporter.ndjson_bytes(records).values()))
    first = time.perf_counter() - start
    rows: list[float] = []
    fill: list[float] = []
    n_resources = 0
    for _ in range(options.rounds):
        begin = _cpu_seconds()
        shard = exporter._shard(records)
        shard.packed()
        middle = _cpu_seconds()
        n_bytes = sum(len(piece) for _, pieces in lines(shard, exporter._pen()) for piece in pieces)
        end = _cpu_seconds()
        rows.append(middle - begin)
        fill.append(end - middle)
        n_resources = sum(
            int(s.n_rows - shard.is_part[s.base : s.base + s.n_rows].sum()) for s in shard.resource_sections()
        )
    n = options.patients
    row_s, fill_s = statistics.median(rows), statistics.median(fill)
    print(f"{dt.date.today()}  {platform.machine()}  python {platform.python_version()}")  # noqa: DTZ011
    print(f"{n} patients of {n_resources / n:,.0f} resources and {n_bytes / n / 1e6:.2f} MB; first call {first:.1f} s")
    speed, count = n_bytes / fill_s / 1e6, n_resources / fill_s / 1e6
    print(f"writer: {speed:,.0f} MB/s, {count:.2f} M resources/s, {1e3 * fill_s / n:.2f} ms a patient")
    print(f"rows from tables, UUIDs included: {1e3 * row_s / n:.2f} ms a patient")
    speed, count = n_bytes / (row_s + fill_s) / 1e6, n / (row_s + fill_s)
    print(f"together: {speed:,.0f} MB/s, {count:,.0f} patients per CPU-second")
    if options.out:
        before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        report = exporter.write_ndjson(records, options.out, shard=0)
        after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begin
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        print(f"to disk: {report.n_bytes / 1e6:,.0f} MB; a patient: {1e3 * user / n:.2f} ms user,", end=" ")
        print(f"{1e3 * system / n:.2f} ms system, {1e3 * wall / n:.2f} ms wall")


if __name__ == "__main__":
    main()
