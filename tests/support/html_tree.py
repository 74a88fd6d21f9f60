"""Reads a page the way a browser without scripts does, and fails where an element is not closed as it was opened."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and the rows of its tables as text.

    ``opened``: tags with attributes; ``text``: all that can be read; ``tables``: by the anchor of the section that they
    stand in, a list of rows of cells.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self.sections: list[str] = []
        self._stack: list[str] = []
        self._anchors: list[str] = []
        self.feed(source)
        self.close()
        assert self._stack == [], f"never closed: {self._stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.opened.append((tag, found))
        if tag not in VOID:
            self._stack.append(tag)
        if tag == "section":
            self._anchors.append(found.get("id") or "")
            self.sections.append(self._anchors[-1])
        if tag == "table":
            self.tables[self._anchors[-1] if self._anchors else ""] = []
        rows = self._rows()
        if tag == "tr":
            rows.append([])
        if tag in ("td", "th"):
            rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._stack and self._stack[-1] == tag, f"</{tag}> closes {self._stack[-3:]} at {self.getpos()}"
        self._stack.pop()
        if tag == "section":
            self._anchors.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._stack:
            return
        self.text += data
        if self._stack and self._stack[-1] in ("td", "th"):
            self._rows()[-1][-1] += data

    def _rows(self) -> list[list[str]]:
        return self.tables.get(self._anchors[-1] if self._anchors else "", [])
