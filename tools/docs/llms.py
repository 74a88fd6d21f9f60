"""``llms.txt`` and ``llms-full.txt`` (llmstxt.org): the site for programs that read text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


def write_llms(config: Path, site: Path) -> None:
    """Write both files into ``site``, and each page's Markdown beside its HTML; ``config`` is the ``mkdocs.yml``."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    docs, lines, whole = config.parent / settings["docs_dir"], [], []
    lines += [f"# {settings['site_name']}", "", f"> {settings['site_description']}"]
    for section, pages in sections(settings["nav"]).items():
        lines += ["", f"## {section}", ""]
        for path in pages:
            text = (docs / path).read_text(encoding="utf-8")
            lines.append(f"- [{title(text)}]({path})")
            whole.append(f"<!-- {path} -->\n{text.strip()}\n")
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text, encoding="utf-8")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (site / "llms-full.txt").write_text("\n".join(whole), encoding="utf-8")


def sections(nav: list[Any]) -> Mapping[str, list[str]]:
    """The pages of a navigation by the section that they stand in; single pages make one of their own."""
    found: dict[str, list[str]] = {}
    for item in nav:
        name, below = next(iter(item.items()))
        found.setdefault(name, []).extend(_pages(below))
    return found


def _pages(below: Any) -> Iterator[str]:
    if isinstance(below, str):
        yield below
        return
    for item in below:
        yield from _pages(item if isinstance(item, str) else next(iter(item.values())))


def title(text: str) -> str:
    """The first heading of a page."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    assert found is not None, "a page begins with its heading"
    return found[1].replace("`", "")
