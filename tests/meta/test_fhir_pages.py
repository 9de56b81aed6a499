"""Every resource type that is written has a page, and the page names what is written: elements, columns, profiles."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_export.resources import KINDS
from tests.meta.fhir_elements import profiles, resource_types, shape_elements, written_elements
from tests.meta.repository import ROOT
from trajsim.records.schema import TABLES

PAGES = ROOT / "docs" / "fhir"
INDEX = PAGES / "index.md"
_CODE = re.compile(r"`([^`]+)`")
_COLUMNS = re.compile(r"([a-z_]+)\.(?:([a-z_]+)|\{([a-z_]+(?:,[a-z_]+)*)\})")

types = pytest.mark.parametrize("kind", resource_types())


def page_of(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


def rows_under(text: str, header: str) -> Iterator[list[str]]:
    """The cells of the rows of every table that begins with a header."""
    is_inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_inside = False
        elif line == header:
            is_inside = True
        elif is_inside and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def columns_named(text: str) -> set[tuple[str, str]]:
    """Columns that a page names, as `table.column` or `table.{one,other}`."""
    found = set()
    for quoted in _CODE.findall(text):
        match = _COLUMNS.fullmatch(quoted)
        if match:
            found |= {(match[1], name) for name in (match[2] or match[3]).split(",")}
    return found


def elements_named(text: str) -> set[str]:
    return {path for cells in rows_under(text, "| element | from | when |") for path in _CODE.findall(cells[0])}


def without_first_cells(text: str) -> str:
    return re.sub(r"^\|[^|]*\|", "|", text, flags=re.MULTILINE)


def with_parents(paths: set[str]) -> set[str]:
    return paths | {path.partition(".")[0] for path in paths}


def test_every_type_has_a_page_and_no_other() -> None:
    assert {kind.resource_type for kind in KINDS} <= set(resource_types())
    assert sorted(path.stem for path in PAGES.glob("*.md") if path != INDEX) == resource_types()


def test_the_navigation_and_the_index_list_every_page() -> None:
    listed = re.findall(r"^ +- fhir/(\w+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == ["index", *resource_types()]
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", INDEX.read_text(encoding="utf-8"), re.MULTILINE)) == (
        resource_types()
    )


@types
def test_a_page_names_every_element_that_is_written_and_no_other(kind: str) -> None:
    written = set(shape_elements()[kind] | written_elements().get(kind, frozenset()))
    parents = {path.partition(".")[0] for path in written if "." in path}
    parents |= {path.partition(":")[0] for path in written if ":" in path}
    named = elements_named(page_of(kind))
    assert sorted(written - parents - named) == [], "written, not in the page"
    assert sorted(named - with_parents(written)) == [], "in the page, not written"


@types
def test_a_page_names_the_profiles_by_version(kind: str) -> None:
    stated = {
        cells[0].strip("`"): tuple(cells[1].split(", ")) for cells in rows_under(page_of(kind), "| profile | US Core |")
    }
    assert stated == profiles().get(kind, {})


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_column_that_a_page_names_exists(page: Path) -> None:
    text = without_first_cells(page.read_text(encoding="utf-8")) if page != INDEX else page.read_text(encoding="utf-8")
    named = columns_named(text)
    assert sorted(f"{table}.{column}" for table, column in named if column not in TABLES.get(table, {})) == []


def test_every_column_of_records_stands_in_a_page() -> None:
    named = set().union(*(columns_named(page.read_text(encoding="utf-8")) for page in PAGES.glob("*.md")))
    of_all = {"patient_id", "row_key", "module", "state"}
    every = {(table, column) for table, columns in TABLES.items() for column in columns if column not in of_all}
    assert sorted(f"{table}.{column}" for table, column in every - named) == []
