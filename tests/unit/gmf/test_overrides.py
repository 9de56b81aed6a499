"""Override files: Java's spelling of them."""

from pathlib import Path

import pytest

from trajsim.errors import ConfigError
from trajsim.gmf.overrides import apply_overrides, read_overrides


def read(tmp_path: Path, text: str) -> list[tuple[str, tuple[str | int, ...], float, int]]:
    file = tmp_path / "o.properties"
    file.write_text(text, encoding="utf-8")
    return [(entry.target, entry.steps, entry.value, entry.line) for entry in read_overrides(file)]


def test_comments_escapes_and_continued_lines(tmp_path: Path) -> None:
    text = "\n! note\n# note\na.json\\:\\:$['A\\ B\\u0021']\\\n  [2] = 1e-3\nb.json::$.x[*].* = 2\\"
    assert read(tmp_path, text) == [
        ("a.json", ("A B!", 2), 0.001, 4),
        ("b.json", ("x", "*", "*"), 2.0, 6),
    ]


def test_quotes_inside_a_name_are_escaped(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json::$['Crohn\\'s'][\"x y\"] = 1") == [("a.json", ("Crohn's", "x y"), 1.0, 1)]


@pytest.mark.parametrize("value", ["", "nan", "inf", "1,5"])
def test_value_must_be_a_number(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="expected a number"):
        read(tmp_path, f"a.json::$.x = {value}")


def test_only_nodes_that_exist_are_set(tmp_path: Path) -> None:
    file = tmp_path / "o.properties"
    file.write_text("a.json::$.x[9] = 1\na.json::$.x.y = 1\na.json::$.n.y = 1\na.json::$ = 1\n", encoding="utf-8")
    tree = {"x": [1], "n": 3}
    with pytest.raises(ConfigError) as caught:
        apply_overrides({"a": tree}, read_overrides(file), file)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()[1:]] == [f"line {n}" for n in (1, 2, 3, 4)]
    assert tree == {"x": [1], "n": 3}


def test_star_sets_every_node(tmp_path: Path) -> None:
    file = tmp_path / "o.properties"
    file.write_text("a.json::$.*[*] = 0.5\n", encoding="utf-8")
    tree = {"x": [1, 2], "y": [3]}
    assert apply_overrides({"a": tree, "b": {}}, read_overrides(file), file) == {"a"}
    assert tree == {"x": [0.5, 0.5], "y": [0.5]}
