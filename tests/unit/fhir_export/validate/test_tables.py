import gzip
from pathlib import Path

import orjson
import pytest

from fhir_export.validate import Gate, GateOptions
from fhir_export.validate.definitions import VERSIONS, Definitions
from fhir_export.validate.generate import main, tables
from fhir_export.validate.invariants import INVARIANTS
from fhir_export.validate.packages import LICENSED_PACKAGES, US_CORE_PACKAGES
from fhir_export.validate.profiles import CompiledProfile
from fhir_export.validate.tables import DATA
from tests.unit.fhir_export.validate.resources import changed, patient
from trajsim.codes import is_display_free
from trajsim.errors import ConfigError


def test_the_committed_tables_are_what_the_packages_say(shared: Path) -> None:
    made = dict(tables(shared / "fhir"))
    assert set(made) == {path.name for path in DATA.glob("*.json.gz")}
    for name, table in made.items():
        assert orjson.loads(gzip.decompress((DATA / name).read_bytes())) == orjson.loads(orjson.dumps(table)), name


def test_tables_hold_wordings_of_hl7_alone() -> None:
    for path in DATA.glob("*.json.gz"):
        table = orjson.loads(gzip.decompress(path.read_bytes()))
        assert [system for system in table["code_systems"] if not is_display_free(system)] == []


def test_a_folder_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not hold"):
        main([str(tmp_path)])


@pytest.mark.parametrize("us_core", US_CORE_PACKAGES)
def test_every_constraint_and_slice_of_us_core_is_checked(us_core: str) -> None:
    definitions = Definitions(us_core=us_core)
    for url in definitions.us_core_profiles:
        assert CompiledProfile(definitions.profiles[url], definitions).slices_not_checked == [], url
    missing = {key for key in definitions.not_checked if key.startswith(("us-core", "pd-", "vs-"))}
    assert missing == set()
    assert not {key for key in INVARIANTS if key.startswith("us-core")} - _keys()


def _keys() -> set[str]:
    found: set[str] = set()
    for path in DATA.glob("us-core-*.json.gz"):
        found |= set(orjson.loads(gzip.decompress(path.read_bytes()))["constraints"])
    return found


@pytest.mark.parametrize("us_core", VERSIONS)
def test_licensed_value_sets_are_checked_where_they_are(us_core: str, shared: Path) -> None:
    packages = shared / "fhir"
    if not (packages / LICENSED_PACKAGES[0]).is_file():
        pytest.skip("no licensed packages")
    without, with_them = (Definitions(us_core=us_core, packages=place) for place in (None, packages))
    for url in list(without._value_sets):
        without.value_set(url)
        with_them.value_set(url)
    assert with_them.open_sets <= without.open_sets
    gate = Gate(GateOptions(us_core=us_core, packages=packages))
    race = changed(patient(), "extension.0.extension.0.valueCoding.code", "9999-9")
    assert ("binding-required" in {f.rule for f in gate.validate(race)}) == (us_core != "none")
