import json
from pathlib import Path

import pytest

ANKLE = {
    "name": "Ankle",
    "states": {
        "Initial": {"type": "Initial", "direct_transition": "Wait"},
        "Wait": {
            "type": "Delay",
            "distribution": {"kind": "EXPONENTIAL", "parameters": {"mean": 5}},
            "unit": "years",
            "direct_transition": "Visit",
        },
        "Visit": {
            "type": "Encounter",
            "encounter_class": "urgentcare",
            "codes": [{"system": "SNOMED-CT", "code": "702927004", "display": "Urgent care clinic (environment)"}],
            "direct_transition": "Sprain",
        },
        "Sprain": {
            "type": "ConditionOnset",
            "target_encounter": "Visit",
            "codes": [{"system": "SNOMED-CT", "code": "44465007", "display": "Sprain of ankle (disorder)"}],
            "direct_transition": "Leave",
        },
        "Leave": {"type": "EncounterEnd", "direct_transition": "Heal"},
        "Heal": {"type": "Delay", "range": {"low": 3, "high": 8, "unit": "weeks"}, "direct_transition": "Healed"},
        "Healed": {"type": "ConditionEnd", "condition_onset": "Sprain", "direct_transition": "Wait"},
    },
}


def write_module(folder: Path, name: str, module: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(module))
    return path


@pytest.fixture(name="modules")
def modules_fixture(tmp_path: Path) -> Path:
    """A folder with one small module, in which every patient sprains an ankle now and then."""
    write_module(tmp_path / "modules", "ankle", ANKLE)
    return tmp_path / "modules"


@pytest.fixture(name="spinning")
def spinning_fixture(tmp_path: Path) -> Path:
    """A folder with a module in which time does not pass."""
    states = {
        "Initial": {"type": "Initial", "direct_transition": "Adult"},
        "Adult": {
            "type": "Guard",
            "allow": {"condition_type": "Age", "operator": ">=", "quantity": 1, "unit": "years"},
            "direct_transition": "Round",
        },
        "Round": {"type": "Simple", "direct_transition": "And Round"},
        "And Round": {"type": "Simple", "direct_transition": "Round"},
    }
    write_module(tmp_path / "spinning", "spins", {"name": "Spins", "states": states})
    return tmp_path / "spinning"
