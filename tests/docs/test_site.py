"""The site: every page is in its navigation, every link leads somewhere, and programs that read text find it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from doc_blocks import PAGES, REPOSITORY

from tools.docs.llms import sections, write_llms

DOCS = REPOSITORY / "docs"
CONFIG = REPOSITORY / "mkdocs.yml"
EVERY_PAGE = [*PAGES, *sorted((DOCS / "reference").glob("*.md"))]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?://)([^)\s#]*)(?:#([\w-]+))?\)")


def text_of(page: Path) -> str:
    """A page without its code, in which brackets are no links."""
    without_blocks = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", without_blocks)


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can name, as Python-Markdown calls them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for place, anchor in LINK.findall(text_of(page)):
        target = (page.parent / place).resolve() if place else page
        if target.parent == DOCS / "pictures" and not target.parent.exists():
            pytest.skip("the pictures are not made yet")
        assert target.is_file(), f"there is no {place}"
        assert not anchor or anchor in anchors(target), f"{place} has no #{anchor}"


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [page for pages in sections(navigation()).values() for page in pages]
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_the_front_page_lists_every_page() -> None:
    linked = {place for place, _ in LINK.findall((DOCS / "index.md").read_text(encoding="utf-8"))}
    assert {page for pages in sections(navigation()).values() for page in pages} - {"index.md"} <= linked


def test_the_readme_is_short_and_begins_with_two_commands() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 150
    assert re.findall(r"^(make \w+|agentr \w+)", readme, re.MULTILINE)[:2] == ["make run", "make test"]


def test_the_pages_for_programs_hold_every_page(tmp_path: Path) -> None:
    write_llms(CONFIG, tmp_path)
    short, whole = [(tmp_path / name).read_text(encoding="utf-8") for name in ("llms.txt", "llms-full.txt")]
    assert short.startswith("# agentr\n\n> Agents made of language models")
    for page in DOCS.rglob("*.md"):
        name, text = str(page.relative_to(DOCS)), page.read_text(encoding="utf-8")
        assert f"]({name})" in short
        assert text.strip() in whole
        assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_the_site_is_built_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="make docs installs it")
    (tmp_path / "mkdocs.yml").write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copytree(DOCS, tmp_path / "docs")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for page in pages:
        asked = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\"' >]+", page.read_text()
        )
        assert asked == [], page


def navigation() -> list[object]:
    found: list[object] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"]
    return found
