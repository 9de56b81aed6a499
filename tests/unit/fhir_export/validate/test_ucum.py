import pytest

from fhir_export.validate.ucum import is_unit


@pytest.mark.parametrize(
    "code",
    [
        "mm[Hg]",
        "10*3/uL",
        "mg/dL",
        "kg/m2",
        "/min",
        "{score}",
        "%",
        "Cel",
        "[degF]",
        "mL/min/{1.73_m2}",
        "m[IU]/L",
        "cm[H2O]",
        "1",
        "(8.h)",
        "mg/(24.h)",
        "10*-3.s",
        "meq/L",
        "mosm/kg",
        "[arb'U]/mL",
        "/[HPF]",
        "k[IU]/L",
        "mol/mol{creat}",
        "umol/L",
        "m/s2",
    ],
)
def test_units(code: str) -> None:
    assert is_unit(code)


@pytest.mark.parametrize("code", ["", " ", "cmm", "furlong", "mmHg", "mg//dL", "mg/", "(mg", "mg)", "m g", "µg", "[Hg"])
def test_what_is_no_unit(code: str) -> None:
    assert not is_unit(code)
