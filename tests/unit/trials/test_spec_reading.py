import datetime as dt
from pathlib import Path

import pytest
import yaml

from trajsim.documents import parse_document
from trajsim.errors import ConfigError, DataFileError
from trajsim.trials.spec import Rate
from trajsim.trials.spec_reading import read_spec, spec_from
from trajsim.trials.spec_template import TEMPLATE

SMALL = """
title: Small
criteria: {rules: []}
recruitment: {start: 2022-01-01, planned_end: 2022-12-31, target: 5}
sites: [{name: A, share: 0.5}]
endpoint: {per_year: 0.1}
"""


def test_the_template_is_a_spec(tmp_path: Path) -> None:
    (tmp_path / "trial.yaml").write_text(TEMPLATE)
    spec = read_spec(tmp_path / "trial.yaml")
    assert (spec.target, len(spec.sites), spec.arms[1].hazard_ratio) == (100, 2, 0.75)
    assert spec.sites[0].delay.p90 == 90
    assert set(spec.criteria) == {"code_sets", "entry", "rules"}
    assert spec.criteria_source == tmp_path / "trial.yaml"


def test_criteria_may_lie_in_a_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "criteria.yaml").write_text("rules: []\n")
    document = parse_document(SMALL, name="t")
    assert isinstance(document, dict)
    document["criteria"] = "criteria.yaml"
    spec = spec_from(document, source=tmp_path / "t.yaml")
    assert spec.criteria == {"rules": []}
    assert spec.criteria_source == tmp_path / "criteria.yaml"


def test_every_key_of_the_template_that_is_commented_out_is_known(tmp_path: Path) -> None:
    lines = []
    for line in TEMPLATE.splitlines():
        bare = line.lstrip()
        is_key = bare.startswith("# ") and ":" in bare and not bare.startswith("# A trial") and "Who may" not in bare
        lines.append(line.replace("# ", "", 1) if is_key else line)
    text = "\n".join(lines).replace("table: conditions", "").replace("counts_death: true", "")
    text = text.replace('codes: ["230690007"]', "")
    (tmp_path / "trial.yaml").write_text(text)
    spec = read_spec(tmp_path / "trial.yaml")
    assert spec.screening.labs[0].name == "eGFR"
    assert spec.competing[0].sites == ("Boston",)
    assert spec.visit_classes == ("ambulatory", "wellness")
    assert spec.follow_up.days == 730


def test_json_reads_as_yaml(tmp_path: Path) -> None:
    import json

    document = yaml.safe_load(SMALL)
    (tmp_path / "t.json").write_text(json.dumps(document, default=str))
    (tmp_path / "t.yaml").write_text(SMALL)
    first, second = read_spec(tmp_path / "t.json"), read_spec(tmp_path / "t.yaml")
    assert first.sites == second.sites
    assert first.start == second.start == dt.date(2022, 1, 1)


def test_defaults_are_the_published_quartiles() -> None:
    spec = spec_from(yaml.safe_load(SMALL), source=Path("t.yaml"))
    assert spec.funnel.consent == Rate(median=0.70, low=0.44, high=0.96)
    assert spec.funnel.completes.high == 1.0
    assert spec.horizon == spec.planned_end + dt.timedelta(days=730)
    assert [arm.name for arm in spec.arms] == ["control", "treatment"]


def test_all_faults_come_at_once_by_file_and_path() -> None:
    document = {
        "title": "",
        "criteria": {},
        "recruitment": {"start": "2022-01-01", "planned_end": "2021-01-01", "target": 0, "tarket": 5},
        "sites": [
            {"name": "A", "share": 0.7, "opens": "2022-06-01", "closes": "2022-05-01", "cap": 0},
            {"name": "A", "share": 0.7, "capacty_per_week": 3},
        ],
        "funnel": {"consent": {"low": 0.9, "median": 0.5, "high": 0.6}},
        "randomization": {"block_sizes": [3]},
        "screening": {"labs": [{"name": "x", "codes": ["1"], "low": 5, "high": 4}]},
        "endpoint": {},
        "follow_up": {"events": "many"},
    }
    with pytest.raises(ConfigError) as caught:
        spec_from(document, source=Path("bad.yaml"))
    lines = caught.value.message.splitlines()
    assert all(line.startswith("bad.yaml: $.") for line in lines[1:])
    for path, words in {
        "$.title": "expected text",
        "$.recruitment.planned_end": "later than the start",
        "$.recruitment.target": "expected 1",
        "$.recruitment.tarket": "did you mean 'target'?",
        "$.sites[0].closes": "before it opens",
        "$.sites[0].cap": "expected 1",
        "$.sites[1].name": "stands twice",
        "$.sites[1].capacty_per_week": "did you mean 'capacity_per_week'?",
        "$.sites": "sum to 1.4",
        "$.funnel.consent": "low <= median <= high",
        "$.randomization.block_sizes[0]": "multiple of 2",
        "$.screening.labs[0].low": "nobody is eligible",
        "$.endpoint.per_year": "expected a hazard",
        "$.follow_up.events": "whole number",
    }.items():
        assert any(f": {path}: " in line and words in line for line in lines), (path, lines)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(DataFileError, match="'title' stands twice"):
        parse_document("title: a\ntitle: b\n", name="t.yaml")
    with pytest.raises(DataFileError, match="'title' stands twice"):
        parse_document('{"title": 1, "title": 2}', name="t.json", is_json=True)


def test_a_table_of_sites(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text(
        "name,share,cap,opens,delay_median_days,delay_p90_days\nA,0.2,5,2022-03-01,10,30\nB,0.1,,,,\n"
    )
    document = yaml.safe_load(SMALL)
    del document["sites"]
    document["sites_file"] = "sites.csv"
    spec = spec_from(document, source=tmp_path / "t.yaml")
    assert [(site.name, site.cap, site.delay.median) for site in spec.sites] == [("A", 5, 10.0), ("B", None, 0.0)]
    (tmp_path / "sites.csv").write_text("name,share\nA,much\n")
    with pytest.raises(ConfigError, match=r"sites.csv\[0\].share: expected a number, got 'much'"):
        spec_from(document, source=tmp_path / "t.yaml")


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "trial.yaml").write_text("criteria: criteria.yaml")
    with pytest.raises(ConfigError, match=r"(?s)criteria: .*criteria\.yaml.*\$\.sites"):
        read_spec(tmp_path / "trial.yaml")
    with pytest.raises(DataFileError, match=r"nowhere\.yaml"):
        read_spec(tmp_path / "nowhere.yaml")
