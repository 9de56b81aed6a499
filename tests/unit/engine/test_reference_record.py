"""The health record of the reference interpreter: the map of present entries, encounters, the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.engine.events import EVENT_DTYPE, EncounterClass, EventKind
from trajsim.engine.reference.health_record import (
    EncounterRecord,
    Entry,
    HealthRecord,
    Log,
    PresentMap,
    java_string_hash,
)
from trajsim.gmf.model import Code


def _entry(code: str, name: str = "Onset") -> Entry:
    return Entry(event=0, kind=EventKind.CONDITION, code=Code("S", code), name=name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("3001", 1_567_006), ("hello", 99_162_322), ("\U0001f600", 1_772_899)],
)
def test_hash_is_that_of_java_strings(text: str, expected: int) -> None:
    assert java_string_hash(text) == (expected & 0xFFFFFFFF) ^ ((expected & 0xFFFFFFFF) >> 16)


def test_present_iterates_by_bucket_then_arrival() -> None:
    present = PresentMap()
    for code in ("3001", "3002"):
        present.put(code, _entry(code))
    assert [entry.code.code for entry in present.named("Onset")] == ["3002", "3001"]


def test_replacing_keeps_the_place_and_returning_takes_the_last() -> None:
    same_bucket = [code for code in map(str, range(5_000)) if java_string_hash(code) & 15 == 3][:3]
    present = PresentMap()
    for code in same_bucket:
        present.put(code, _entry(code))
    present.put(same_bucket[0], _entry(same_bucket[0]))
    assert [entry.code.code for entry in present.named("Onset")] == same_bucket
    present.remove(same_bucket[0])
    present.put(same_bucket[0], _entry(same_bucket[0]))
    assert [entry.code.code for entry in present.named("Onset")] == [*same_bucket[1:], same_bucket[0]]


class _JavaMap:
    """`HashMap` as its source describes it: a table of chains that splits when it doubles."""

    def __init__(self) -> None:
        self.table: list[list[str]] = [[] for _ in range(16)]
        self.size = 0

    def put(self, key: str) -> None:
        chain = self.table[java_string_hash(key) & (len(self.table) - 1)]
        if key in chain:
            return
        chain.append(key)
        self.size += 1
        if self.size > len(self.table) * 3 // 4:
            doubled: list[list[str]] = [[] for _ in range(2 * len(self.table))]
            for old in self.table:
                for key_ in old:
                    doubled[java_string_hash(key_) & (len(doubled) - 1)].append(key_)
            self.table = doubled

    def remove(self, key: str) -> None:
        chain = self.table[java_string_hash(key) & (len(self.table) - 1)]
        if key in chain:
            chain.remove(key)
            self.size -= 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60).map(str)), max_size=200))
def test_present_iterates_as_a_table_of_chains(operations: list[tuple[bool, str]]) -> None:
    present, java = PresentMap(), _JavaMap()
    for is_put, code in operations:
        if is_put:
            present.put(code, _entry(code))
            java.put(code)
        elif code in present:
            present.remove(code)
            java.remove(code)
    assert [entry.code.code for entry in present.named("Onset")] == [key for chain in java.table for key in chain]


def _encounter(start: int, kind: EncounterClass = EncounterClass.AMBULATORY) -> EncounterRecord:
    return EncounterRecord(event=0, kind=kind, start=start, made_by="E", source=0, stream=0)


def test_current_encounter_is_the_newest_that_had_begun() -> None:
    record = HealthRecord()
    record.encounters = [_encounter(0), _encounter(50), _encounter(40)]
    assert record.current_encounter(60) is record.encounters[2]
    assert record.current_encounter(45) is record.encounters[2]
    assert record.current_encounter(39) is record.encounters[0]
    assert record.current_encounter(-1) is record.encounters[0]


def test_latest_observation_is_the_first_of_the_newest_encounter() -> None:
    record = HealthRecord()
    record.encounters = [_encounter(0), _encounter(50), _encounter(60)]
    record.encounters[0].observations = [("1", 5.0), ("1", 6.0)]
    record.encounters[1].observations = [("2", 9.0), ("1", 7.0), ("1", 8.0)]
    assert record.latest_observation("1") == ("1", 7.0)
    assert record.latest_observation("3") is None


def test_log_counts_ordinals_by_stream() -> None:
    log = Log()
    for stream in (0, 2, 0):
        log.write(EventKind.DEVICE, time=7, state=1, stream=stream)
    events = log.array()
    assert events.dtype == EVENT_DTYPE
    assert events["ordinal"].tolist() == [0, 0, 1]
    assert events["encounter"].tolist() == [-1, -1, -1]
