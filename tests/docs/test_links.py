"""Links inside the repository lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.markdown import ROOT, anchors, prose

LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
EXTERNAL = re.compile(r"https?://|mailto:")
DOCUMENTS = sorted(
    {
        *ROOT.glob("*.md"),
        *ROOT.glob("*/README.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    }
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_anchors_exist(document: Path) -> None:
    broken = [target for target in LINK.findall(prose(document)) if not _leads_somewhere(document, target)]
    assert broken == []


def test_a_broken_link_and_a_broken_anchor_are_noticed() -> None:
    index = ROOT / "docs" / "README.md"
    assert _leads_somewhere(index, "../README.md#two-commands")
    assert not _leads_somewhere(index, "no-such-page.md")
    assert not _leads_somewhere(index, "../README.md#no-such-heading")


def _leads_somewhere(document: Path, target: str) -> bool:
    if EXTERNAL.match(target):
        return True
    path, _, anchor = target.partition("#")
    found = (document.parent / path).resolve() if path else document
    if not found.exists() or not found.is_relative_to(ROOT):
        return False
    return not anchor or (found.suffix == ".md" and anchor in anchors(found))
