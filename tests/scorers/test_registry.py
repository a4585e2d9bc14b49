"""Which scorers exist, and of which version they are."""

from harness.catalog import Catalog
from harness.scorers.code.programs import CODE_RULE_CHANGES
from harness.scorers.registry import scorer_version


def test_a_changed_rule_for_programs_raises_the_version_where_it_is_used() -> None:
    catalog = Catalog.load()
    plain, chat = (scorer_version(catalog.task(f"humaneval-plus/{name}")) for name in ("evalplus-v0.1.10", "chat"))
    assert chat == (plain[0] + CODE_RULE_CHANGES["program"], None)
