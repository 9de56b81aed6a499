from tests.meta.repository import BUNDLED_MODULES, ROOT, bundled_digests
from trajsim.gmf.check import RULES, check_modules


def test_bundled_modules_have_no_error() -> None:
    errors = [finding.render() for finding in check_modules(ROOT / "modules") if finding.severity == "error"]
    assert errors == []


def test_bundled_modules_are_those_of_the_list() -> None:
    """An edit of a module changes results. After a change on purpose: python .ci/update-lists, and CHANGELOG.md."""
    assert bundled_digests() == BUNDLED_MODULES.read_text().splitlines()


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("GMF*.md")}
    assert pages == set(RULES)
    for rule in RULES:
        assert (ROOT / "docs" / "rules" / f"{rule}.md").read_text().startswith(f"# {rule}: ")
