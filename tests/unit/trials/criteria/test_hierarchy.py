"""Which codes stand below which, and the words of Records that codes of other systems stand for."""

from pathlib import Path

import pytest

from trajsim.errors import DataFileError
from trajsim.trials.criteria import Hierarchy, read_hierarchy
from trajsim.trials.criteria.form import CodeSet, Coding
from trajsim.trials.criteria.hierarchy import CodeBook, plain_system, words_of

HEAD = "ancestor_system,ancestor_code,system,code\n"


def _read(folder: Path, content: str | bytes) -> Hierarchy:
    file = folder / "hierarchy.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_hierarchy(file)


def test_direct_and_whole_tables_give_the_same(tmp_path: Path) -> None:
    direct = _read(tmp_path, "\ufeff" + HEAD + "SNOMED-CT,1,SNOMED-CT,2\nSNOMED,2,ICD10CM,3\n")
    whole = _read(tmp_path, HEAD + "SNOMED,1,SNOMED,2\nSNOMED,1,ICD10CM,3\nSNOMED,2,ICD10CM,3\n")
    below = {(plain_system("SNOMED"), "2"), (plain_system("ICD10CM"), "3")}
    assert direct.below(("SNOMED-CT", "1")) == whole.below(("SNOMED", "1")) == below
    assert direct.below(("ICD10CM", "3")) == set()
    assert (len(direct), len(whole), len(Hierarchy())) == (2, 2, 0)


def test_a_circle_ends(tmp_path: Path) -> None:
    circle = _read(tmp_path, HEAD + "A,1,A,2\nA,2,A,3\nA,3,A,1\n")
    assert circle.below(("A", "1")) == {("A", "1"), ("A", "2"), ("A", "3")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ancestor_system,ancestor_code,system\nA,1,A\n", ["missing: code"]),
        ("a,b\n1,2\n", ["missing: ancestor_system, ancestor_code, system, code"]),
        (HEAD, ["missing: rows"]),
        ("", ["missing: rows"]),
        (HEAD + "A,1,A,\nA,,B,2\nA,1,A,2\n", ["row 2: no code", "row 3: no ancestor_code"]),
        (HEAD + "A,1\n", ["row 2: no system", "row 2: no code"]),
        (b"\xff\xfe\x00", ["not a readable CSV file"]),
    ],
)
def test_what_is_no_table_is_refused_with_all_that_is_wrong(
    tmp_path: Path, content: str | bytes, said: list[str]
) -> None:
    with pytest.raises(DataFileError) as caught:
        _read(tmp_path, content)
    assert all(each in caught.value.message for each in said)
    assert "hierarchy.csv" in caught.value.message
    with pytest.raises(DataFileError, match="not a readable CSV file"):
        read_hierarchy(tmp_path / "none.csv")


def test_sets_are_widened_and_what_is_excluded_is_taken_out() -> None:
    book = CodeBook(Hierarchy([(("A", "1"), ("A", "2")), (("A", "2"), ("A", "3"))]))

    def keys(*codes: Coding) -> set[str]:
        numbers = {book.number(("A", each)): each for each in "1234"}
        return {numbers[each] for each in book.keys_of_set(CodeSet(name="s", codes=codes)).tolist()}

    one, below = Coding(system="A", code="1"), Coding(system="A", code="1", descendants=True)
    assert keys(one) == {"1"}
    assert keys(below) == {"1", "2", "3"}
    assert keys(below, Coding(system="A", code="2", excluded=True)) == {"1", "3"}
    assert keys(below, Coding(system="A", code="2", excluded=True, descendants=True)) == {"1"}
    assert keys() == set()


@pytest.mark.parametrize(
    ("system", "code", "words"),
    [
        ("Gender", "F", ["F"]), ("Gender", "male", ["M"]), ("Gender", "U", ["U"]),
        ("Race", "5", ["white"]), ("Race", "Asian", ["asian"]),
        ("Ethnicity", "Not Hispanic", ["nonhispanic"]), ("Ethnicity", "HISPANIC", ["hispanic"]),
        ("Visit", "IP", ["inpatient"]), ("Visit", "Inpatient", ["inpatient"]),
        ("Visit", "OP", ["ambulatory", "outpatient", "wellness", "urgentcare", "virtual", "home"]),
        ("OMB", "2106-3", ["white"]), ("OMB", "2135-2", ["hispanic"]), ("OMB", "none", []),
        ("LOINC", "4548-4", ["4548-4"]), ("Our Own List", "x", ["x"]),
    ],
)  # fmt: skip
def test_words_of_records(system: str, code: str, words: list[str]) -> None:
    assert [word for _, word in words_of(Coding(system=system, code=code))] == words


def test_spellings_of_a_system_are_one() -> None:
    assert plain_system("SNOMED-CT") == plain_system("snomed") == plain_system("http://snomed.info/sct")
    assert plain_system("Our own-list") == "OUROWNLIST"
