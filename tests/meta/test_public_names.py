from tests.meta.repository import PUBLIC_NAMES, public_names


def test_public_names_are_those_of_the_list() -> None:
    """A name in the list is a promise. After a change on purpose: python .ci/update-lists."""
    assert public_names() == PUBLIC_NAMES.read_text().split()
