"""Claim and ExplanationOfBenefit: what was billed, who pays, and that every number and reference fits."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from fhir.resources.R4B.claim import Claim
from fhir.resources.R4B.explanationofbenefit import ExplanationOfBenefit
from pydantic import BaseModel

from fhir_export import FhirExporter, Layout
from trajsim.costs import with_claims
from trajsim.errors import SchemaError
from trajsim.records.table import Records
from trajsim.records.window import keep_years

Json = dict[str, Any]
MakeRecords = Callable[..., Records]
MakeRows = Callable[[int], dict[str, list[Json]]]

COVERAGE = {
    "patient_id": 1, "row_key": 900, "time": dt.datetime(1969, 1, 1, 3, tzinfo=dt.UTC),
    "stop": dt.datetime(2020, 5, 5, 12, tzinfo=dt.UTC), "payer": "Payer", "plan": "Gold", "kind": "private",
    "module": "lifecycle", "state": "Insurance",
}  # fmt: skip
MODELS: dict[str, type[BaseModel]] = {"Claim": Claim, "ExplanationOfBenefit": ExplanationOfBenefit}


def parsed(lines: bytes) -> list[Json]:
    return [orjson.loads(line) for line in lines.splitlines()]


def written(records: Records) -> dict[str, list[Json]]:
    return {kind: parsed(lines) for kind, lines in FhirExporter(seed=7).ndjson_bytes(records).items()}


@pytest.fixture(name="insured")
def insured_fixture(make_records: MakeRecords, make_rows: MakeRows) -> Records:
    return with_claims(make_records(**make_rows(1) | {"coverages": [COVERAGE]}), seed=7)


@pytest.fixture(name="alone")
def alone_fixture(make_records: MakeRecords, make_rows: MakeRows) -> Records:
    return with_claims(make_records(**make_rows(1) | {"coverages": []}), seed=7)


def amounts(settled: list[Json]) -> dict[str, float]:
    return {each["category"]["coding"][0]["code"]: each["amount"]["value"] for each in settled}


def test_every_claim_of_the_insured_is_explained(insured: Records) -> None:
    found = written(insured)
    assert len(found["Claim"]) == insured["claims"].num_rows > 1
    by_claim = {each["claim"]["reference"]: each for each in found["ExplanationOfBenefit"]}
    assert set(by_claim) == {f"Claim/{each['id']}" for each in found["Claim"]}
    for kind, model in MODELS.items():
        for each in found[kind]:
            model.model_validate(each)
            assert each["meta"] == {"security": each["meta"]["security"]}
            assert (each["status"], each["use"]) == ("active", "claim")
    coverage, payer = found["Coverage"][0], found["Coverage"][0]["payor"][0]
    for claim in found["Claim"]:
        explanation = by_claim[f"Claim/{claim['id']}"]
        same = ("type", "patient", "provider", "insurer", "billablePeriod", "created", "careTeam")
        assert all(claim[name] == explanation[name] for name in same)
        assert claim["insurer"] == payer
        assert [each["insurance"][0]["coverage"] for each in (claim, explanation)] == [
            {"reference": f"Coverage/{coverage['id']}"}
        ] * 2
        assert claim["total"]["value"] == amounts(explanation["total"])["submitted"]


def test_amounts_are_those_of_the_records(insured: Records) -> None:
    rows = insured["claims"].to_pylist()
    for row, explanation in zip(rows, written(insured)["ExplanationOfBenefit"], strict=True):
        total = amounts(explanation["total"])
        assert total == {
            "submitted": row["billed_cents"] / 100,
            "eligible": row["billed_cents"] / 100,
            "deductible": row["deductible_cents"] / 100,
            "copay": (row["out_of_pocket_cents"] - row["deductible_cents"]) / 100,
            "benefit": row["covered_cents"] / 100,
        }
        assert ("payment" in explanation) == (row["covered_cents"] > 0)
        lines = [amounts(each["adjudication"]) for each in explanation["item"]]
        for name, value in total.items():
            assert sum(line[name] for line in lines) == pytest.approx(value)


def test_lines_are_numbered_and_name_procedure_diagnosis_and_visit(insured: Records) -> None:
    found = written(insured)
    for kind in MODELS:
        for each in found[kind]:
            assert [item["sequence"] for item in each["item"]] == list(range(1, len(each["item"]) + 1))
            for name in ("diagnosis", "procedure"):
                numbers = [child["sequence"] for child in each.get(name, [])]
                assert numbers == list(range(1, len(numbers) + 1))
            assert all(("diagnosisSequence" in item) == ("diagnosis" in each) for item in each["item"])
    visit = next(each for each in found["Claim"] if "procedure" in each)
    assert visit["type"]["coding"][0]["code"] == "institutional"
    named = {f"Procedure/{each['id']}": each["code"] for each in found["Procedure"]}
    numbered = {each["sequence"]: each["procedureReference"]["reference"] for each in visit["procedure"]}
    for item in visit["item"]:
        assert item["encounter"] == [{"reference": f"Encounter/{found['Encounter'][0]['id']}"}]
        for number in item.get("procedureSequence", []):
            assert item["productOrService"]["coding"][0] in named[numbered[number]]["coding"]
    conditions = {f"Condition/{each['id']}" for each in found["Condition"]}
    assert {each["diagnosisReference"]["reference"] for each in visit["diagnosis"]} <= conditions


def test_a_prescription_is_billed_by_the_pharmacy(insured: Records) -> None:
    found = written(insured)
    orders = {f"MedicationRequest/{each['id']}" for each in found["MedicationRequest"]}
    pharmacy = [each for each in found["Claim"] if "prescription" in each]
    assert pharmacy
    assert {each["type"]["coding"][0]["code"] for each in pharmacy} == {"pharmacy"}
    assert {each["prescription"]["reference"] for each in pharmacy} <= orders


def test_who_is_not_insured_pays_and_gets_no_explanation(alone: Records) -> None:
    found = written(alone)
    assert "ExplanationOfBenefit" not in found
    assert len(found["Claim"]) == alone["claims"].num_rows
    for claim in found["Claim"]:
        Claim.model_validate(claim)
        assert claim["insurance"] == [{"sequence": 1, "focal": True, "coverage": {"display": "Self-pay"}}]
        assert "insurer" not in claim


def test_a_payer_whose_coverage_is_not_there_is_named(insured: Records) -> None:
    claims = insured["claims"]
    place = claims.schema.get_field_index("coverage_key")
    none = pa.array([0] * claims.num_rows, pa.uint64())
    claims = claims.set_column(place, claims.schema.field(place), none)
    found = written(Records({**insured.tables, "claims": claims, "coverages": insured["coverages"].slice(0, 0)}))
    assert "ExplanationOfBenefit" not in found
    assert {each["insurance"][0]["coverage"]["display"] for each in found["Claim"]} == {"Payer"}


def references(resource: Json) -> set[str]:
    return {part.split('"')[0] for part in orjson.dumps(resource).decode().split('"reference":"')[1:]}


@pytest.mark.parametrize(("bundle", "size"), [("put", 40), ("put", 0), ("transaction", 40), ("transaction", 0)])
def test_references_of_a_bundle_and_its_pieces_resolve(
    insured: Records, tmp_path: Path, bundle: str, size: int
) -> None:
    FhirExporter(seed=7, layout=Layout(bundle=bundle, bundle_size=size)).write_bundles(insured, tmp_path)
    paths = sorted(tmp_path.glob("*.json"))
    assert (len(paths) > 1) == (size > 0)
    kinds = set()
    for path in paths:
        entries = orjson.loads(path.read_bytes())["entry"]
        resources = [entry["resource"] for entry in entries]
        known = {f"{each['resourceType']}/{each['id']}" for each in resources} | {each["fullUrl"] for each in entries}
        kinds |= {each["resourceType"] for each in resources}
        for each in resources:
            assert references(each) <= known
    assert set(MODELS) <= kinds


@pytest.mark.parametrize("is_insurance_older", [False, True])
def test_references_of_the_last_years_resolve(
    make_records: MakeRecords, make_rows: MakeRows, *, is_insurance_older: bool
) -> None:
    """The window begins within a visit: what was done before it goes, and in one case the insurance that paid."""
    stop = dt.datetime(2010, 1, 2, 10, 3, tzinfo=dt.UTC) if is_insurance_older else COVERAGE["stop"]
    records = make_records(**make_rows(1) | {"coverages": [COVERAGE | {"stop": stop}]})
    cutoff = dt.datetime(2010, 1, 2, 10, 6, tzinfo=dt.UTC)
    end_us = int((cutoff + dt.timedelta(days=365)).timestamp()) * 1_000_000
    found = written(keep_years(with_claims(records, seed=7), 1, end_us=end_us))
    known = {f"{kind}/{each['id']}" for kind, resources in found.items() for each in resources}
    for resources in found.values():
        for each in resources:
            assert references(each) <= known
    assert found["Claim"]
    assert ("ExplanationOfBenefit" in found) != is_insurance_older
    named = {"display": "Payer"}
    assert all((each["insurance"][0]["coverage"] == named) == is_insurance_older for each in found["Claim"])


def test_claims_do_not_depend_on_the_shard(make_records: MakeRecords) -> None:
    both = make_records(1, 2)
    coverages = pa.concat_tables(
        [make_records(coverages=[COVERAGE | {"patient_id": each}])["coverages"] for each in (1, 2)]
    )
    records = with_claims(Records({**both.tables, "coverages": coverages}), seed=7)
    whole = FhirExporter(seed=7).ndjson_bytes(records)
    parts = [FhirExporter(seed=7).ndjson_bytes(each) for each in records.by_patient()]
    for kind in MODELS:
        assert whole[kind] == b"".join(part[kind] for part in parts)


def test_an_unknown_type_is_refused(insured: Records) -> None:
    claims = insured["claims"]
    place = claims.schema.get_field_index("claim_type")
    odd = pa.array(["vision"] * claims.num_rows, pa.string()).dictionary_encode()
    claims = claims.set_column(place, claims.schema.field(place), odd)
    with pytest.raises(SchemaError, match="unknown claim_type 'vision'"):
        written(Records({**insured.tables, "claims": claims}))


def test_without_claims_there_is_none(make_records: MakeRecords) -> None:
    assert not set(MODELS) & set(FhirExporter(seed=7).ndjson_bytes(make_records(1)))
