"""The worked trials of the documentation are trials, and ask for codes that their modules write."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.repository import ROOT
from trajsim.cli.recruit_inputs import Inputs, read_inputs

TRIALS = sorted(path for path in (ROOT / "docs/trials").glob("*.yaml") if not path.stem.endswith("-rescue"))
PAGE = ROOT / "docs/guides/worked-trials.md"
STOCK = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "synthea/modules"
_ON_STOCK = {"lung-cancer"}


def _rescue(trial: Path) -> Path:
    return trial.with_name(f"{trial.stem}-rescue.yaml")


def _codes_below(value: object) -> Iterator[tuple[str, str]]:
    """Every code that a module names, with its system."""
    if isinstance(value, dict):
        if "system" in value and "code" in value:
            yield str(value["system"]), str(value["code"])
        for each in value.values():
            yield from _codes_below(each)
    elif isinstance(value, list):
        for each in value:
            yield from _codes_below(each)


def _asked(inputs: Inputs) -> set[tuple[str, str]]:
    return {(code.system, code.code) for each in inputs.definition.code_sets for code in each.codes}


@pytest.mark.parametrize("trial", TRIALS, ids=lambda path: path.stem)
def test_a_trial_and_its_rescues_are_without_fault_and_ask_for_codes_that_are_written(trial: Path) -> None:
    inputs = read_inputs(trial, scenario=_rescue(trial))
    assert inputs.scenarios
    modules = STOCK if trial.stem in _ON_STOCK else ROOT / "modules"
    if not modules.is_dir():
        pytest.skip("needs ../shared/synthea/modules")
    files = sorted(modules.glob("lung_cancer*.json") if trial.stem in _ON_STOCK else modules.rglob("*.json"))
    written = {code for file in files for code in _codes_below(json.loads(file.read_bytes()))}
    assert _asked(inputs)
    assert _asked(inputs) - written == set()
    assert set(inputs.spec.endpoint.codes) - {code for _, code in written} == set()


def test_the_page_tells_of_every_trial() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(TRIALS) >= 4
    for trial in TRIALS:
        assert f"(../trials/{trial.name})" in text
        assert f"--scenario docs/trials/{_rescue(trial).name}" in text
        assert f"trajsim recruit docs/trials/{trial.name} " in text
