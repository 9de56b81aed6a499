"""The table of prices: every service finds one row, and a price lies between its ends."""

import numpy as np
import pytest

from trajsim.costs.prices import CODE_KINDS, INCLUDED, price_of, price_of_visit, price_table, unit_prices


def name_of(kind: str, wording: str) -> str:
    return price_table()[price_of(kind, wording)].name


def test_rows_rise_and_name_their_source() -> None:
    for price in price_table():
        assert 0 <= price.low_cents <= price.typical_cents <= price.high_cents, price
        assert price.is_included == (price.high_cents == 0), price
        assert price.is_included or price.source, price
        assert all(word == word.lower() for word in price.words), price


def test_every_kind_ends_with_a_row_for_all_the_rest() -> None:
    last = {price.kind: price for price in price_table() if price.kind != "visit"}
    assert set(last) == {"procedure", "report", "observation", "medication", "device", "supply", "vaccine"}
    assert not any(price.words or price.is_included for price in last.values())
    assert not any(price.words for price in price_table() if price.kind == "visit")


def test_no_code_stands_in_two_rows() -> None:
    codes = [word for price in price_table() if price.kind in CODE_KINDS for word in price.words]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("kind", "wording", "name"),
    [
        ("procedure", "Renal dialysis (procedure)", "dialysis"),
        ("procedure", "Coronary artery bypass grafting (procedure)", "heart.surgery"),
        ("procedure", "Plain X-ray of chest (procedure)", "imaging.xray"),
        ("procedure", "Dental plain X-ray bitewing (procedure)", "dental.simple"),
        ("procedure", "Discharge from hospital (procedure)", INCLUDED),
        ("procedure", "something that nobody has heard of", "procedure.other"),
        ("procedure", "Amputation of the foot (procedure)", "surgery.major"),
        ("procedure", "Amputation care (regime/therapy)", INCLUDED),
        ("report", "Lipid panel with direct LDL - Serum or Plasma", "laboratory.panel"),
        ("report", "Generalized anxiety disorder 7 item (GAD-7)", INCLUDED),
        ("medication", "Lisinopril 10 MG Oral Tablet", "drug.generic"),
        ("medication", "atorvastatin 40 MG Oral Tablet [Lipitor]", "drug.brand.other"),
        ("medication", "1 ML denosumab 60 MG/ML Prefilled Syringe", "drug.antibody"),
        ("medication", "Acetaminophen 160 MG Chewable Tablet", "drug.generic"),
        ("device", "Operating room (environment)", INCLUDED),
        ("device", "Implantable cardiac pacemaker (physical object)", "device.heart"),
        ("supply", "Blood lancet (physical object)", "supply.strip"),
        ("vaccine", "140", "vaccine.influenza"),
        ("vaccine", "999", "vaccine.other"),
        ("observation", "Glucose [Mass/volume] in Blood", "laboratory.simple"),
    ],
)
def test_services_find_their_row(kind: str, wording: str, name: str) -> None:
    assert name_of(kind, wording) == name


def test_an_unknown_kind_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="no price for the kind 'magic'"):
        price_of("magic", "wand")


def test_visits_go_by_their_class() -> None:
    assert price_table()[price_of_visit("inpatient")].name == "visit.inpatient"
    assert price_table()[price_of_visit("something new")].name == "visit.ambulatory"


def test_half_of_the_prices_lie_above_the_typical_one() -> None:
    row = price_of("procedure", "Colonoscopy (procedure)")
    price = price_table()[row]
    ends = unit_prices(np.full(3, row), np.array([0.0, 0.5, np.nextafter(1.0, 0.0)]))
    assert ends.tolist() == [price.low_cents, price.typical_cents, price.high_cents]
    rising = unit_prices(np.full(101, row), np.linspace(0.0, 0.99, 101))
    assert (np.diff(rising) > 0).all()
