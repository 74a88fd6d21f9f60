"""The shell of a page: one file without a script, that asks nothing of anybody."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files

import agentr_core
from agentr_core.report.escaping import html

#: By these words a file is known to be ours, and may be written anew.
MADE_BY = "made by agentr report"


@cache
def _style() -> str:
    return files("agentr_core.report").joinpath("page.css").read_text(encoding="utf-8")


def page(title: str, body: Iterable[str]) -> str:
    """A whole HTML document, whose policy allows its own style sheet and nothing else: no script, no request."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta name="generator" content="agentr {html(agentr_core.__version__)}, {MADE_BY}">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{html(title)}</title>",
        f"<style>{_style()}</style>",
        "</head>",
        "<body><main>",
    ]
    return "\n".join([*head, *body, "</main></body>", "</html>", ""])


def chapter(anchor: str, title: str, body: Iterable[str]) -> str:
    """A chapter with its heading; printed, it begins on a page of its own."""
    return f'<section class=chapter id="{html(anchor)}"><h2>{html(title)}</h2>{"".join(body)}</section>'


def contents(entries: Iterable[tuple[str, str]]) -> str:
    """Links to the chapters: anchors and titles."""
    links = "".join(f'<li><a href="#{html(anchor)}">{html(title)}</a></li>' for anchor, title in entries)
    return f"<nav aria-label=Contents><ul>{links}</ul></nav>"


def folded(summary: str, body: str, *, opened: bool = False) -> str:
    """Something long, folded away unless ``opened``."""
    return f"<details class=long{' open' if opened else ''}><summary>{html(summary)}</summary>{body}</details>"
