"""Text of the code as Markdown: docstrings, table cells, sections of the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

#: Written into every generated page, above its text.
MADE = "<!-- Made from the code by `make docs-reference`; change it there. -->"


def page(title: str, about: str, sections: Iterable[str]) -> str:
    """A whole generated page."""
    return "\n\n".join([f"# {title}", MADE, about, *sections]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a cell is the text of a value, on one line."""
    lines = [head, ["---"] * len(head), *[[cell(str(value)) for value in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """One line that a table may hold: what Markdown would take for its own is escaped.

    No escape stands for a bar in code that all readers of Markdown understand, so ``a | b`` is ``a or b`` there.
    """
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    for place, part in enumerate(parts):
        is_code = place % 2
        parts[place] = (
            part.replace(" | ", " or ").replace("|", "/") if is_code else re.sub(r"([<*_\[|])", r"\\\1", part)
        )
    return "".join(parts)


def code(text: object) -> str:
    """As code, or nothing where there is nothing."""
    return f"`{text}`" if str(text) else ""


def docstring(thing: object) -> str:
    """A docstring as Markdown: roles and double backticks become code."""
    return marked(inspect.getdoc(thing) or "")


def marked(text: str) -> str:
    """Text with the marks of docstrings (``:class:`~module.Name```) as Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`").replace("::\n", ":\n")
