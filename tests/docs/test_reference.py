"""docs/reference: every page is what the code says today (``make docs-reference`` writes them again)."""

from __future__ import annotations

import re

import pytest

import agentr_core
from tools.docs.__main__ import REFERENCE, REPOSITORY
from tools.docs.words import cell, marked

FOLDER = REPOSITORY / "docs" / "reference"


@pytest.mark.parametrize("name", REFERENCE)
def test_a_page_is_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTR_DB", raising=False)
    stored = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert stored == REFERENCE[name](), "make docs-reference"


def test_there_is_no_page_that_nothing_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(REFERENCE)


def test_every_public_name_and_every_option_of_a_run_is_there() -> None:
    headings = re.findall(r"^### (\w+)$", (FOLDER / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*headings, "__version__"]) == sorted(agentr_core.__all__)
    settings = (FOLDER / "settings.md").read_text(encoding="utf-8")
    for name in ("search.sampler", "revise.alpha", "data.eta", "evaluate.repeats", "mcts.c_uct", "webshop.data"):
        assert f"| `{name}` |" in settings


def test_what_markdown_would_take_for_its_own_is_escaped() -> None:
    assert cell("a|b <c> *d* `e|<f>` `g | h`") == r"a\|b \<c> \*d\* `e/<f>` `g or h`"
    assert marked("see :class:`~agentr_core.errors.UsageError` and ``x``") == "see `UsageError` and `x`"
