"""The hint of faults is one that the reader of mappings takes."""

import pytest

from trajsim.documents import parse_document
from trajsim.errors import DataFileError
from trajsim.learn.ingest.mapping import JUDGED
from trajsim.learn.ingest.report import SourceFaults


def hint_of(*names: str) -> str:
    faults = SourceFaults("visits")
    for name in names:
        faults.add(name, 1, ["'a' (b row 1)"])
    with pytest.raises(DataFileError) as caught:
        faults.require_none()
    return str(caught.value.hint)


def test_a_hint_names_every_rule_once_and_can_be_read_as_a_mapping() -> None:
    hint = hint_of("labs_without_unit", "labs_without_unit", *JUDGED)
    document = parse_document(hint.split("`")[1], name="hint")
    assert document == {"cleaning": {"labs_without_unit": "drop", **dict.fromkeys(JUDGED, "drop")}}


def test_a_hint_names_the_better_cure_where_there_is_one() -> None:
    assert "unit_if_missing" in hint_of("labs_without_unit")
    assert "unit_if_missing" not in hint_of("duplicate_rows")
    assert "docs/guides/ingesting.md" in hint_of("duplicate_rows")


def test_faults_of_a_reader_alone_have_no_hint() -> None:
    with pytest.raises(DataFileError) as caught:
        SourceFaults("visits", ["a.csv: row 1: no number"]).require_none()
    assert caught.value.hint is None
