"""The machine code, slot by slot, against definitions in plain Python."""

import datetime as dt
import json
import math
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_export import writer
from fhir_export.ids import id_key, instance_keys, resource_id

pytestmark = pytest.mark.no_jit

U64 = st.integers(0, 2**64 - 1)
compiled = settings(deadline=None)  # the first example waits for the compiler
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def text_of(put: object, *arguments: object) -> str:
    """What a kernel that writes at a place wrote."""
    out = np.zeros(128, np.uint8)
    end = put(out, 0, *arguments)  # type: ignore[operator]
    assert end <= 64
    return out[:end].tobytes().decode()


def decimal_text(value: float) -> str:
    mantissa, decimals = np.zeros(1, np.int64), np.zeros(1, np.int64)
    writer.shortest_decimals(np.array([value]), mantissa, decimals)
    if decimals[0] < 0:
        return {writer.NOT_FINITE: "not finite", writer.NOT_SHORT: "not short"}[int(decimals[0])]
    return text_of(writer._put_decimal, mantissa[0], decimals[0])


@compiled
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_read_back_alike_and_are_never_longer_than_repr(value: float) -> None:
    text = decimal_text(value)
    if text != "not short":
        assert float(text) == value
        assert json.loads(text) == value
        plain = format(value, "f") if "e" in repr(value) else repr(value)
        assert len(text) <= max(len(plain), len(repr(value)), 25)


@compiled
@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_measured_values_are_short(number: int, decimals: int) -> None:
    value = number / 10**decimals
    text = decimal_text(value)
    assert float(text) == value
    assert len(text) <= len(repr(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (7.0, "7"), (-98.6, "-98.6"), (0.05, "0.05"), (1e15, "1000000000000000"),
        (5e-324, "not short"), (1e300, "not short"), (1e-20, "0.00000000000000000001"), (math.inf, "not finite"),
        (math.nan, "not finite"), (2.0**53, "9007199254740992"), (0.1 + 0.2, "not short"),
    ],
)  # fmt: skip
def test_decimals(value: float, text: str) -> None:
    assert decimal_text(value) == text


@compiled
@given(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001
def test_date_times_read_back_alike(moment: dt.datetime, offset: int) -> None:
    moment = moment.replace(tzinfo=dt.UTC)
    time_us = (moment - EPOCH) // dt.timedelta(microseconds=1)
    text = text_of(writer._put_date_time, np.int64(time_us), np.int64(offset))
    parsed = dt.datetime.fromisoformat(text)
    assert parsed == moment
    assert parsed.utcoffset() == dt.timedelta(minutes=offset)
    days = (moment.date() - EPOCH.date()).days
    assert text_of(writer._put_date, np.int64(days)) == moment.date().isoformat()


@pytest.mark.parametrize(
    ("time_us", "offset", "text"),
    [
        (0, -300, "1969-12-31T19:00:00-05:00"),
        (-1_000, 0, "1969-12-31T23:59:59.999+00:00"),
        (1, 330, "1970-01-01T05:30:00.000001+05:30"),
    ],
)
def test_date_times(time_us: int, offset: int, text: str) -> None:
    assert text_of(writer._put_date_time, np.int64(time_us), np.int64(offset)) == text


@compiled
@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_integers(value: int) -> None:
    assert text_of(writer._put_integer, np.int64(value)) == str(value)


@compiled
@given(U64, U64, U64)
def test_ids_are_those_of_the_definition(seed: int, patient: int, key: int) -> None:
    out = np.zeros(36, np.uint8)
    low, high = (np.uint64(word) for word in id_key(seed))
    writer.fill_ids(np.array([key], np.uint64), np.array([patient], np.uint64), low, high, out)
    text = out.tobytes().decode()
    assert text == resource_id(seed, patient, key)
    assert uuid.UUID(text).version == 8
    assert uuid.UUID(text).variant == uuid.RFC_4122


@compiled
@given(st.uuids())
def test_dicom_uid_is_the_uuid_as_a_number(identity: uuid.UUID) -> None:
    ids = np.frombuffer(str(identity).encode(), np.uint8)
    assert text_of(writer._put_uid, ids, np.int64(0)) == f"2.25.{identity.int}"


def test_dicom_uid_of_small_numbers() -> None:
    for number in (0, 9, 10**9, 2**128 - 1):
        ids = np.frombuffer(str(uuid.UUID(int=number)).encode(), np.uint8)
        assert text_of(writer._put_uid, ids, np.int64(0)) == f"2.25.{number}"


def test_images_of_neighbouring_series_have_ids_of_their_own() -> None:
    series = np.repeat(np.arange(2**32, 2**32 + 200, dtype=np.uint64), 300)
    keys = instance_keys(series, np.tile(np.arange(300), 200))
    assert len(np.unique(keys)) == len(keys)


def test_rows_are_found_among_their_own_patient_only() -> None:
    keys = np.array([5, 6, 7, 5, 8], np.uint64)
    starts, stops = np.array([0, 3]), np.array([3, 5])
    wanted = np.array([7, 5, 0, 8, 5, 6], np.uint64)
    out = np.zeros(6, np.int64)
    writer.find_rows(np.array([0, 0, 0, 0, 1, 1]), wanted, starts, stops, keys, out)
    assert out.tolist() == [2, 0, -1, -1, 3, -1]


def test_patients_are_found_in_any_order() -> None:
    patients = np.array([3, 1, 2], np.uint64)
    position, starts, stops = np.zeros(4, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert writer.find_patients(np.array([2, 2, 3, 1], np.uint64), patients, position, starts, stops) == -1
    assert position.tolist() == [2, 2, 0, 1]
    assert starts.tolist() == [2, 3, 0]
    assert stops.tolist() == [3, 4, 2]
    again = np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert writer.find_patients(np.array([2, 3, 2], np.uint64), patients, position, *again) == 2
    again = np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert writer.find_patients(np.array([9], np.uint64), patients, position, *again) == 0
