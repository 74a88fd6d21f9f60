"""Every sentence that the code can say: its string literals, with an ellipsis for what is filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@cache
def sentences() -> frozenset[str]:
    """The literals of the core and of all plugins; neighbours that Python joins are one."""
    files = [*(REPOSITORY / "agentr_core").rglob("*.py"), *(REPOSITORY / "plugins").rglob("*.py")]
    return frozenset(text for file in files for text in _literals(ast.parse(file.read_text(encoding="utf-8"))))


def _literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield _one_line("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _one_line(node.value)


def _one_line(text: str) -> str:
    return re.sub(r"…+", "…", " ".join(text.replace("%s", "…").split()))
