"""Comparisons, text forms and expressions of the reference interpreter."""

import pytest

from trajsim.engine.reference.logic import compare, text_form
from trajsim.gmf.expression import ExpressionError, Value, evaluate, names_of, parse_expression
from trajsim.gmf.model import Code

CODE = Code("SNOMED-CT", "1", "one")
SAME = Code("SNOMED-CT", "1", "another display")
OTHER = Code("LOINC", "1", "one")


class _Coerced(Exception):
    pass


def _coerce() -> None:
    raise _Coerced


@pytest.mark.parametrize(
    ("lhs", "operator", "rhs", "expected"),
    [
        (None, "is nil", None, True),
        (0, "is nil", None, False),
        (0, "is not nil", None, True),
        (None, "!=", 3, False),
        (None, "==", None, False),
        (3, "==", 3.0, True),
        (2, ">=", 2.5, False),
        (2.5, "!=", 2, True),
        ("abc", "<", "abd", True),
        ("\uffff", ">", "\U0001f600", True),  # by code units a surrogate pair comes first
        (True, "==", True, True),
        (True, "<", False, True),
        (True, ">=", True, False),
        (True, "!=", False, True),
        (CODE, "==", SAME, True),
        (CODE, "!=", OTHER, True),
        (CODE, "<", OTHER, False),
        (3, "~", 3, False),
        (True, "~", False, False),
    ],
)
def test_comparison(lhs: object, operator: str, rhs: object, expected: bool) -> None:  # noqa: FBT001
    assert compare(lhs, operator, rhs, _coerce) is expected


@pytest.mark.parametrize(
    ("lhs", "rhs"), [(3, "3"), ("true", True), (True, 1.0), (1, True), (CODE, "1"), (3, None), (object(), 3)]
)
def test_comparison_of_different_kinds_is_coerced(lhs: object, rhs: object) -> None:
    with pytest.raises(_Coerced):
        compare(lhs, "==", rhs, _coerce)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3.0"),
        (-0.25, "-0.25"),
        (0.0, "0.0"),
        (True, "true"),
        (False, "false"),
        ("two", "two"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-1.25e9, "-1.25E9"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (CODE, None),
    ],
)
def test_text_of_an_attribute_is_that_of_java(value: float | bool | str | Code, text: str | None) -> None:  # noqa: FBT001
    assert text_form(value) == text


VALUES: dict[str, Value] = {"x": 5.0, "BMI": 30.0, "flag": True, "word": "abc"}


def _value(text: str, *, mismatches: int = 0) -> Value:
    seen: list[None] = []
    value = evaluate(parse_expression(text), lambda name, _kind: VALUES.get(name), lambda: seen.append(None))
    assert len(seen) == mismatches
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#{x} * 2 + 1", 11.0),
        ("#{BMI} * 0.497 + 56.15", 30.0 * 0.497 + 56.15),
        ("1 - 2 - 3", -4.0),
        ("2 + 3 * 4 ^ 2 / 8", 8.0),
        ("-2 ^ 2", -4.0),
        ("2 ^ -1", 0.5),
        ("(1 + 2) * 3", 9.0),
        ("if #{x} > 3 then 1 else 2", 1.0),
        ("if #{missing} > 3 then 1 else 2", 2.0),
        ("Max({1, #{x}, 3}) + Min(4, 2)", 7.0),
        ("Abs(-1.5) + Round(2.5) + Round(1.255, 1) + Ln(1) + Exp(0)", 1.5 + 3.0 + 1.3 + 0.0 + 1.0),
        ("#{flag} and not false", True),
        ("false and #{missing}", False),
        ("true or #{missing}", True),
        ("true and #{missing} > 1", None),
        ("#s{word} = 'abc'", True),
        ("'b' > 'a'", True),
        ("#{x} <> 5", False),
        ("1 / 0", None),
        ("Ln(0)", None),
        ("Exp(1000)", None),
        ("(-8) ^ 0.5", None),
        ("#{missing} + 1", None),
        ('define "a b": #{x} + 1\ndefine c: 2\n"a b" * c', 12.0),
    ],
)
def test_expression(text: str, expected: Value) -> None:
    assert _value(text) == expected


@pytest.mark.parametrize(
    "text", ["#{word} + 1", "#{flag} * 2", "'a' < 1", "true > false", "not 3", "if 'a' then 1 else 2"]
)
def test_operands_of_wrong_kinds_are_reported(text: str) -> None:
    assert _value(text, mismatches=1) in {None, 2.0}


@pytest.mark.parametrize(
    "text", ["", "1 +", "(1", "1 2", "Foo(1)", "Ln(1, 2)", "a: 1\n2", '"unknown" + 1', "if 1 then 2", "1 ? 2", "#{x"]
)
def test_faulty_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


def test_names_come_in_order() -> None:
    tree = parse_expression("define a: #{x}\nif #{flag} then Max(a, -#{BMI}) else not #{word}")
    assert list(names_of(tree)) == ["flag", "x", "BMI", "word"]
