import os
from pathlib import Path

import pytest

import fhir_export
import trajsim
from tests.meta.repository import ROOT
from trajsim.gmf.library import bundled_modules_root


@pytest.mark.skipif(not os.environ.get("TRAJSIM_TEST_INSTALLED"), reason="only CI asks for the installed package")
def test_the_tests_see_the_installed_package_and_not_the_checkout() -> None:
    for package in (trajsim, fhir_export):
        assert package.__file__ is not None
        assert ROOT not in Path(package.__file__).resolve().parents or "site-packages" in package.__file__
    assert bundled_modules_root().name == "_modules"


def test_the_package_carries_its_data() -> None:
    package = Path(trajsim.__file__ or "").parent
    assert (package / "py.typed").is_file()
    assert (package / "provenance.schema.json").is_file()
    assert list((package / "population" / "data").glob("*.csv"))
    assert list(bundled_modules_root().glob("*.json"))
    assert list((bundled_modules_root() / "lookup_tables").glob("*.csv"))
