"""A source of one's own with three tables, all values invented."""

from collections.abc import Callable
from pathlib import Path

import pytest

MAPPING = """
name: tiny
format: csv
about: invented
clock: entry
tables:
  - file: people.csv
    patient: id
    persons:
      sex: sex
      male: [m]
      female: [f]
      age_years: age
      bmi: bmi
      end: end
      death: {column: end, where: {dead: ["1"]}}
  - file: labs*.csv
    patient: id
    time: day
    rows:
      - {kind: lab, system: local, code_column: test, value: value, unit_column: unit}
  - file: events.csv
    patient: id
    time: day
    rows:
      - {kind: event, system: ICD10CM, code_column: code}
events:
  - {name: gout, codes: {ICD10CM: ["M10*"]}, prior_share: 0.05, prior_per_1000_years: 3}
  - {name: kidney_stone, codes: [N20.0]}
death: {prior_per_1000_years: 12}
labs:
  - name: urate
    codes: {local: [ua]}
    unit: mg/dL
    units: {umol/L: 0.01681}
    scale: log
    centre: 5
    spread: 0.3
    low: 1
    high: 20
    resolution: 0.1
  - {name: red_joint, kind: flag, codes: [joint], value: 1}
"""

FILES = {
    "people.csv": "id,sex,age,bmi,end,dead\n1,m,50,31.5,1000,1\n2,f,40,,500,0\n3,f,70,25,20,0\n",
    "labs.csv": (
        "id,test,day,value,unit\n"
        "1,ua,-20,7,mg/dL\n"
        "1,ua,-10,8,mg/dL\n"
        "1,ua,30,500,umol/L\n"
        "1,ua,30,9,mg/dL\n"
        "1,joint,31,,\n"
        "2,ua,600,5,mg/dL\n"
    ),
    "events.csv": "id,code,day\n1,M10.9,30\n1,M10.0,60\n1,N20.0,-5\n2,M10.9,0\n2,X99,4\n3,N20.0,20\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """Writes the source, with files that take the place of its own and text that is added to its mapping."""

    def write(*, mapping: str = "", replace: tuple[str, str] = ("", ""), **files: str) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        named = {f"{name}.csv": text for name, text in files.items()}
        for name, text in {**FILES, **named}.items():
            (folder / name).write_text(text)
        (tmp_path / "tiny.yaml").write_text(MAPPING.replace(*replace) + mapping)
        return folder

    return write
