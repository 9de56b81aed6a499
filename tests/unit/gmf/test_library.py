"""Folders of module files: what is found, what is chosen, what is refused, and with which words."""

import os
from pathlib import Path

import pytest

import trajsim
from trajsim.errors import ConfigError, ModuleError
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.testing.modules import Json, module_json, write_modules

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared"))
STOCK = SHARED / "synthea" / "modules"
CONFORMANCE = SHARED / "synthea" / "reference" / "conformance"

PLAIN: Json = module_json({})
TABLE_USER: Json = module_json(
    {
        "Ill": {"type": "Simple", "direct_transition": "End"},
        "Initial": {
            "type": "Initial",
            "lookup_table_transition": [
                {"transition": "Ill", "lookup_table_name": "risk.csv", "default_probability": 0.5},
                {"transition": "End", "lookup_table_name": "risk.csv", "default_probability": 0.5},
            ],
        },
    }
)


def caller(submodule: str) -> Json:
    return module_json({"Call": {"type": "CallSubmodule", "submodule": submodule, "direct_transition": "End"}})


def faults(root: Path, *, patterns: str | None = None) -> list[str]:
    """The rendered findings of the error that loading raises."""
    with pytest.raises(ModuleError) as caught:
        load_modules(root, patterns=patterns)
    return [finding.render().replace(f"{root}/", "") for finding in caught.value.findings]


def test_walk_finds_modules_by_key_and_skips_overlays(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {
        "b.json": PLAIN,
        "A.json": PLAIN,
        "deep/er/sub.json": PLAIN,
        "overlays/o.json": "not a module",
        "README.md": "text",
    }
    modules = load_modules(write_modules(tmp_path, files))
    assert list(modules.modules) == ["A", "b", "deep/er/sub"]
    assert [module.key for module in modules.top_level()] == ["A", "b"]
    assert modules.modules["deep/er/sub"].file == tmp_path / "deep" / "er" / "sub.json"


def test_tables_lie_inside_the_folder_or_beside_it(tmp_path: Path) -> None:
    table = "gender,Ill,End\nF,1,0\n"
    inside = write_modules(tmp_path / "one", {"a.json": TABLE_USER, "lookup_tables/risk.csv": table})
    beside = write_modules(tmp_path / "two", {"modules/a.json": TABLE_USER, "lookup_tables/risk.csv": table})
    for root in (inside, beside / "modules"):
        tables = load_modules(root).tables
        assert list(tables) == [("risk.csv", 2)]
        assert tables["risk.csv", 2].rows[0].probabilities == (1.0, 0.0)


def test_patterns_choose_top_level_modules_without_regard_to_case(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {"Asthma.json": PLAIN, "copd.json": PLAIN, "gout.json": PLAIN, "s/sub.json": PLAIN}
    root = write_modules(tmp_path, files)
    assert list(load_modules(root, patterns="AST*:COPD").modules) == ["Asthma", "copd", "s/sub"]
    assert list(load_modules(root, patterns="*o*, asthma").modules) == ["Asthma", "copd", "gout", "s/sub"]


def test_pattern_that_matches_nothing_lists_near_names(tmp_path: Path) -> None:
    root = write_modules(tmp_path, {"asthma.json": PLAIN, "copd.json": PLAIN, "s/sub.json": PLAIN})
    with pytest.raises(ConfigError, match=r"(?s)pattern 'astma' matches no.*near names: asthma"):
        load_modules(root, patterns="copd:astma")
    with pytest.raises(ConfigError, match="pattern 's/sub' matches no top-level module"):
        load_modules(root, patterns="s/sub")
    with pytest.raises(ConfigError, match="holds no pattern"):
        load_modules(root, patterns=" , ")


def test_folder_that_is_missing_empty_or_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere' does not exist: expected a folder"):
        load_modules(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"holds no module: expected at least one file"):
        load_modules(tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        load_modules(write_modules(tmp_path, {"a.json": PLAIN}) / "a.json")
    with pytest.raises(ConfigError, match="no top-level module"):
        load_modules(write_modules(tmp_path / "subs", {"s/sub.json": PLAIN}))


def test_later_folders_replace_equal_keys(tmp_path: Path) -> None:
    first = write_modules(tmp_path / "one", {"a.json": PLAIN, "b.json": PLAIN})
    second = write_modules(tmp_path / "two", {"b.json": module_json({}, gmf_version=2)})
    modules = load_modules([first, second]).modules
    assert [module.gmf_version for module in modules.values()] == [None, 2.0]


# --- faults, all at once ----------------------------------------------------------------------------------------------


def test_all_faults_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {
        "broken.json": '{"name": ',
        "nowhere.json": module_json({"It": {"type": "Simple", "direct_transition": "Ende"}}),
        "submodule.json": caller("labs/pannel"),
        "labs/panel.json": PLAIN,
        "table.json": TABLE_USER,
        "type.json": module_json({"It": {"type": "Simpel", "direct_transition": "Gone"}}),
    }
    assert faults(write_modules(tmp_path, files)) == [
        "broken.json: not valid JSON: expecting value at line 1, column 10 [GMF101 error]",
        "nowhere.json: $.states['It'].direct_transition: no state 'Ende', did you mean 'End'? [GMF201 error]",
        "submodule.json: $.states['Call'].submodule: no submodule 'labs/pannel', did you mean 'labs/panel'? (put it at "
        "labs/pannel.json below the modules folder) [GMF202 error]",
        "table.json: $.states['Initial'].lookup_table_transition[0].lookup_table_name: no lookup table 'risk.csv' (put "
        "it into the folder lookup_tables/ of the modules folder) [GMF203 error]",
        "type.json: $.states['It'].direct_transition: no state 'Gone' [GMF201 error]",
        "type.json: $.states['It'].type: unknown state type 'Simpel', did you mean 'Simple'? [GMF105 error]",
    ]


def test_file_without_states_and_bad_table_are_reported_once(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {
        "a.json": TABLE_USER,
        "b.json": TABLE_USER,
        "c.json": '{"name": "x"}',
        "lookup_tables/risk.csv": "gender,Ill,End\nF,1\n",
    }
    assert faults(write_modules(tmp_path, files)) == [
        "c.json: $: missing key 'states': expected an object of states by name [GMF103 error]",
        "lookup_tables/risk.csv: row 2: 2 cells, expected 3 [GMF205 error]",
    ]


def test_missing_column_is_reported_at_the_state_that_needs_it(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {"a.json": TABLE_USER, "lookup_tables/risk.csv": "gender,Sick,End\nF,1,0\n"}
    assert faults(write_modules(tmp_path, files)) == [
        "a.json: $.states['Initial'].lookup_table_transition[0].lookup_table_name: the last 2 columns of table "
        "'risk.csv' are 'Sick', 'End': 'Sick' is the target of no option, 'Ill' has no column (name the last columns "
        "after the target states) [GMF204 error]"
    ]


def test_modules_that_call_each_other_are_refused(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {
        "a.json": caller("s/one"),
        "s/one.json": caller("s/two"),
        "s/two.json": caller("s/one"),
    }
    lines = faults(write_modules(tmp_path, files))
    assert [line.split(":")[0] for line in lines] == ["s/one.json", "s/two.json"]
    assert all("GMF210" in line for line in lines)


def test_faults_of_modules_not_chosen_do_not_matter(tmp_path: Path) -> None:
    root = write_modules(tmp_path, {"good.json": PLAIN, "bad.json": "{"})
    assert list(load_modules(root, patterns="good").modules) == ["good"]
    assert len(faults(root)) == 1


def test_unreadable_file_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_modules(tmp_path, {"good.json": PLAIN, "closed.json": PLAIN})
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "closed.json":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert faults(root) == ["closed.json: cannot be read: Permission denied [GMF101 error]"]


# --- overrides --------------------------------------------------------------------------------------------------------

RISKY: Json = module_json(
    {
        "Ill Now": {"type": "Simple", "direct_transition": "End"},
        "Initial": {
            "type": "Initial",
            "distributed_transition": [
                {"transition": "Ill Now", "distribution": 0.1},
                {"transition": "End", "distribution": 0.9},
            ],
        },
    }
)


def test_overrides_by_bare_name_and_by_path_in_both_spellings(tmp_path: Path) -> None:
    root = write_modules(tmp_path / "m", {"a.json": RISKY, "s/b.json": RISKY, "t/b.json": RISKY})
    file = tmp_path / "o.properties"
    file.write_text(
        "# a comment\n"
        "a.json\\:\\:$['states']['Initial']['distributed_transition'][0]['distribution'] = 0.25\n"
        "b.json::$.states.Initial.distributed_transition[1].distribution=0.5\n"
        "s/b.json::$.states['Initial'].distributed_transition[*]\\\n"
        "   .distribution = 0.125\n",
        encoding="utf-8",
    )
    plain, changed = load_modules(root).modules, load_modules(root, overrides=file).modules

    def chances(key: str) -> list[object]:
        transition = changed[key].states["Initial"].transition
        return [option.distribution for option in getattr(transition, "options", ())]

    assert chances("a") == [0.25, 0.9]
    assert chances("s/b") == [0.125, 0.125]
    assert chances("t/b") == [0.1, 0.5]
    assert all(changed[key].digest != plain[key].digest for key in changed)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("b.json::$.states = 1", "line 1: no module file 'b.json'"),
        ("a.json::$.states.Gone.x = 1", "line 1: no node '$.states.Gone.x' in 'a.json'"),
        ("a.json::$.gmf_version = many", "expected a number after '=', got 'many'"),
        ("a.json = 1", "expected 'FILE.json::JSONPATH = number'"),
        ("a.json::states = 1", "does not begin with '$'"),
        ("a.json::$..x = 1", "is not understood from '..x' on"),
    ],
)
def test_override_that_matches_nothing_is_refused(tmp_path: Path, line: str, words: str) -> None:
    root = write_modules(tmp_path / "m", {"a.json": RISKY})
    file = tmp_path / "o.properties"
    file.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_modules(root, overrides=file)
    assert words in str(caught.value)


def test_missing_override_file_is_refused(tmp_path: Path) -> None:
    root = write_modules(tmp_path / "m", {"a.json": RISKY})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_modules(root, overrides=tmp_path / "nowhere")


# --- real files -------------------------------------------------------------------------------------------------------


def test_bundled_modules_are_found() -> None:
    assert bundled_modules_root().is_dir()


def test_installation_without_modules_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajsim, "__file__", str(tmp_path / "trajsim" / "__init__.py"))
    with pytest.raises(ConfigError, match="holds no modules"):
        bundled_modules_root()


@pytest.mark.skipif(not STOCK.is_dir(), reason="Synthea's modules are not here (TRAJSIM_SHARED)")
def test_all_stock_modules_load() -> None:
    modules = load_modules(STOCK)
    assert len(list(modules.top_level())) == 85
    assert len(modules.modules) == 242
    assert len(modules.tables) == 69
    assert sum(len(module.states) for module in modules.modules.values()) == 6_970


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="conformance cases are not here (TRAJSIM_SHARED)")
def test_all_conformance_cases_load() -> None:
    cases = [folder for folder in sorted(CONFORMANCE.iterdir()) if folder.is_dir()]
    assert cases
    for case in cases:
        assert load_modules(case / "modules").modules
