"""What three validators say of our FHIR: HAPI's, the official one, and `trajsim validate`.

Draws patients of a module folder, writes the first of them at each version of US Core, and has 200 resources of each
type judged by each engine; then ten special patients whole: an infant, a child, a pregnancy, a death in
hospital, somebody of a hundred years, cancer, dialysis, a transplant, COVID-19, nobody ill at all. Exit status 1 if an
engine finds an error, or a reference leads nowhere.

    python benchmarks/fhir_gates.py --judge ../shared/tools/fhir-gates/judge \
        --modules-dir ../shared/synthea/modules --out DIR

The Java engines need a JDK and Maven; without ``--judge`` only `trajsim validate` judges.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fhir_export.exporter import FhirExporter  # noqa: E402
from fhir_export.layout import Layout  # noqa: E402
from fhir_export.validate import Gate, GateOptions  # noqa: E402
from trajsim.cli.app import main as trajsim  # noqa: E402
from trajsim.records.parquet import read_parquet_shards  # noqa: E402
from trajsim.records.table import Records, concat  # noqa: E402

VERSIONS = ("6.1.0", "7.0.0", "8.0.0")
ENGINES = ("hapi", "official")
NO_CODE_SYSTEM = (
    "Terminology_",
    "TERMINOLOGY_TX_SYSTEM_UNSUPPORTED",
    "UNKNOWN_CODESYSTEM",
    "NOSVC",
    "Error_validating_code_running_without",
)
YEAR_S = 365.25 * 86_400
CANCERS = {"254837009", "254632001", "254637007", "363406005", "126906006", "93761005", "109838007"}

Frames = dict[str, pd.DataFrame]


def _with_code(table: str, codes: set[str]) -> Callable[[Frames], set[int]]:
    return lambda frames: set(frames[table].loc[frames[table]["code"].isin(codes), "patient_id"])


def _of_age(low: float, high: float, *, is_alive: bool) -> Callable[[Frames], set[int]]:
    def find(frames: Frames) -> set[int]:
        patients = frames["patients"]
        age = (patients["last_time"] - patients["birth_time"]).dt.total_seconds() / YEAR_S
        fits = (age >= low) & (age < high)
        if is_alive:
            fits &= patients["death_time"].isna()
        return set(patients.loc[fits, "patient_id"])

    return find


def _died_in_hospital(frames: Frames) -> set[int]:
    stays = frames["encounters"].loc[lambda rows: rows["encounter_class"] == "inpatient"]
    both = stays.merge(frames["deaths"][["patient_id", "time"]], on="patient_id", suffixes=("", "_of_death"))
    within = (both["time_of_death"] >= both["time"]) & (both["time_of_death"] <= both["stop"].fillna(both["time"]))
    return set(both.loc[within, "patient_id"])


def _never_ill(frames: Frames) -> set[int]:
    """People with no disorder; what a visit finds of work, school or teeth is none."""
    conditions = frames["conditions"]
    is_ill = conditions["display"].astype("string").str.endswith("(disorder)")
    return set(frames["patients"]["patient_id"]) - set(conditions.loc[is_ill, "patient_id"])


SPECIAL: dict[str, Callable[[Frames], set[int]]] = {
    "infant": _of_age(0.2, 1, is_alive=True),
    "child": _of_age(5, 12, is_alive=True),
    "pregnancy": _with_code("conditions", {"72892002"}),
    "death in hospital": _died_in_hospital,
    "a hundred years": _of_age(100, 130, is_alive=False),
    "cancer": _with_code("conditions", CANCERS),
    "dialysis": _with_code("procedures", {"265764009"}),
    "transplant": _with_code("procedures", {"70536003", "175902000", "32413006"}),
    "COVID-19": _with_code("conditions", {"840539006"}),
    "never ill": _never_ill,
}


def find_special(shards: Iterator[Records], n_first: int) -> tuple[Records, dict[str, Records]]:
    """The first patients, and the first one of each special kind (the one with the fewest rows in its shard)."""
    first: list[Records] = []
    special: dict[str, Records] = {}
    for records in shards:
        have = sum(part.n_patients for part in first)
        if have < n_first:
            first += list(records.by_patient())[: n_first - have]
        frames = {
            name: records.to_pandas(name) for name in ("patients", "encounters", "conditions", "procedures", "deaths")
        }
        n_rows = frames["encounters"].groupby("patient_id").size()
        for name, find in SPECIAL.items():
            taken = {int(patient.patient_ids[0]) for patient in special.values()}
            found = sorted(find(frames) - taken, key=lambda patient: (n_rows.get(patient, 0), patient))
            if found and name not in special:
                special[name] = records.patient(found[0])
    return concat(first), special


def judge(program: Path, engine: str, version: str, place: Path, report: Path, *options: str) -> dict[str, Any]:
    """Runs a Java engine."""
    command = [str(program), engine, version, *options, "--out", str(report), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not report.is_file():
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return result


def show(title: str, report: dict[str, Any], n_judged: int) -> bool:
    """Prints a line for a report, and what is wrong; whether nothing is."""
    counts = dict.fromkeys(("error", "warning", "named"), 0)
    for message in report["messages"]:
        severity = "error" if message["severity"] == "fatal" else message["severity"]
        if severity == "error":
            print(f"    error: {message['count']} x {message.get('path')}: {message['message']}")
        if severity in counts:
            is_absent = any(part in str(message.get("id", "")) for part in NO_CODE_SYSTEM)
            counts["named" if severity == "warning" and is_absent else severity] += message["count"]
    references = report["references"]
    lost = {name: references.get(name, 0) for name in ("conditional", "dangling", "duplicateIds")}
    lost["dangling"] = lost["dangling"] or len(references.get("danglingByPath", {}))
    per = counts["warning"] / max(n_judged, 1)
    print(
        f"{title:42} {n_judged:7,} judged, {counts['error']} errors, {counts['warning']} warnings ({per:.4f} each), "
        f"{counts['named']} of absent code systems; {lost}",
        flush=True,
    )
    return not counts["error"] and not any(lost.values())


def n_judged_in(report: dict[str, Any]) -> int:
    """How many resources a report is about."""
    return sum(each["validated"] for each in report["types"].values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the gates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--modules-dir", type=Path, default=None)
    parser.add_argument("--judge", type=Path, default=None)
    parser.add_argument("--out", type=Path, help="where lives and reports are kept; a temporary folder if not given")
    parser.add_argument("-n", type=int, default=200, help="patients whose resources are drawn")
    parser.add_argument("--pool", type=int, default=8_000, help="patients among whom the special ones are sought")
    parser.add_argument("--sample", type=int, default=200, help="resources of each type")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--us-core", nargs="+", default=list(VERSIONS))
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        chosen.out = chosen.out or Path(temporary)
        return run_gates(chosen)


def run_gates(chosen: argparse.Namespace) -> int:
    """Runs the gates on what `chosen` names; 0 if every one is clean."""
    run = chosen.out / "run"
    if not run.exists():
        modules = [] if chosen.modules_dir is None else ["--modules-dir", str(chosen.modules_dir)]
        options = ["-n", str(chosen.pool), "--seed", str(chosen.seed), "--lifecycle", "synthea", "--format", "parquet"]
        if trajsim(["generate", *options, *modules, "--out", str(run)]):
            return 2
    first, special = find_special(read_parquet_shards(run / "parquet"), chosen.n)
    for name in SPECIAL.keys() - special.keys():
        print(f"no patient for {name!r} among {chosen.pool}")
    sets = {f"{chosen.sample} a type": first, "special patients whole": concat(list(special.values()))}
    is_clean = True
    for version, (title, records) in product(chosen.us_core, sets.items()):
        place = chosen.out / version / title.replace(" ", "-")
        FhirExporter(seed=chosen.seed, layout=Layout(), us_core=version).write_ndjson(records, place, shard=0)
        report = Gate(GateOptions(us_core=version)).run([place])
        is_clean &= show(f"{version} trajsim validate, all of {title}", report, n_judged_in(report))
        sample = ("--sample", str(chosen.sample if records is first else 0))
        for engine in chosen.engines if chosen.judge is not None else []:
            report = judge(chosen.judge, engine, version, place, place.with_suffix(f".{engine}.json"), *sample)
            is_clean &= show(f"{version} {engine}, {title}", report, n_judged_in(report))
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
