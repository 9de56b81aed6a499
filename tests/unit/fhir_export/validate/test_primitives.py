import pytest

from fhir_export.validate.invariants import is_in_order
from fhir_export.validate.primitives import CHECKS


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("base64Binary", ["eA==", "eHh4"], ["eA=", "x", "é", 1]),
        ("boolean", [True, False], [1, "true", None]),
        ("code", ["a", "a b"], ["", " a", "a  b"]),
        ("date", ["2019", "2019-02", "2020-02-29"], ["2019-02-29", "19", "2019-1-1", "2019-01-01T00:00:00Z"]),
        ("dateTime", ["2019", "2019-01-01T00:00:00.5-05:00"], ["2019-01-01T00:00Z", "2019-01-01T24:00:00Z"]),
        ("decimal", [1, 1.5, -2], [True, "1"]),
        ("id", ["a-1.B", "x" * 64], ["", "x" * 65, "a_b"]),
        ("instant", ["2019-01-01T00:00:00Z"], ["2019-01-01", "2019-02-30T00:00:00Z"]),
        ("integer", [0, -1], [1.0, True, 2**31]),
        ("oid", ["urn:oid:1.2.3"], ["1.2.3", "urn:oid:1.02"]),
        ("positiveInt", [1], [0]),
        ("string", ["a", " a"], ["", "  ", 1]),
        ("unsignedInt", [0], [-1]),
        ("uri", ["a:b"], ["", "a b"]),
        ("uuid", ["urn:uuid:00000000-0000-4000-8000-00000000000f"], ["00000000-0000-4000-8000-00000000000f"]),
        ("xhtml", ['<div xmlns="http://www.w3.org/1999/xhtml">x</div>'], ["<div>x</div>", "x"]),
    ],
)
def test_primitives(kind: str, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if not CHECKS[kind](value)] == []
    assert [value for value in bad if CHECKS[kind](value)] == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2019", "2019-05-01", True),
        ("2019-05-02", "2019-05-01", False),
        ("2019-05-01T10:00:00Z", "2019-05-01T09:00:00-05:00", True),
        ("2019-05-01T10:00:00-05:00", "2019-05-01T12:00:00Z", False),
        (None, "2019", True),
        ("2019-05-01T10:00:00Z", "2019-13-01T10:00:00Z", True),
    ],
)
def test_order(start: object, end: object, expected: bool) -> None:  # noqa: FBT001
    assert is_in_order(start, end) is expected
