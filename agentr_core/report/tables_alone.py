"""The tables of a report for other programs: JSON, Markdown, LaTeX. What is missing is said there as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import agentr_core
from agentr_core.report.chapters import Chapter, Part, chapters
from agentr_core.report.escaping import latex
from agentr_core.report.page import MADE_BY
from agentr_core.report.table_text import markdown, written
from agentr_core.store import RunRow, Store


def tables(store: Store, runs: Sequence[RunRow], form: Literal["md", "json", "latex"]) -> str:
    """The tables of the report of some runs; LaTeX needs the package booktabs."""
    return {"md": _as_markdown, "json": _as_json, "latex": _as_latex}[form](chapters(store, runs))


def _as_json(made: Sequence[Chapter]) -> str:
    found = [
        {
            "title": each.title,
            "run": each.run and each.run.key,
            "unfinished": each.unfinished or None,
            "odd": list(each.odd),
            "tables": [_table(part) for part in each.parts],
        }
        for each in made
    ]
    by = f"agentr {agentr_core.__version__}, {MADE_BY}"
    return json.dumps({"generator": by, "chapters": found}, indent=2, default=str) + "\n"


def _table(part: Part) -> dict[str, Any]:
    """A table as its cells, and as values."""
    table = part.table
    return {
        "key": part.key,
        "title": part.title,
        "columns": table.columns,
        "rows": table.rows,
        "data": table.data,
        "notes": list(table.notes),
        "missing": None if table.rows else part.missing,
    }


def _as_markdown(made: Sequence[Chapter]) -> str:
    lines = [f"<!-- {MADE_BY} -->", ""]
    for each in made:
        lines += [f"## {markdown(each.title)}", "", *([f"{markdown(each.unfinished)}\n"] if each.unfinished else [])]
        for part in each.parts:
            lines += [f"### {markdown(part.title)}", ""]
            lines += [written(part.table.columns, part.table.rows, "md")] if part.table.rows else [f"{part.missing}\n"]
            lines += [f"{markdown(note)}\n" for note in part.table.notes if part.table.rows]
        lines += [*(f"- {markdown(line)}" for line in each.odd), ""]
    return "\n".join(lines)


def _as_latex(made: Sequence[Chapter]) -> str:
    lines = [f"% {MADE_BY}; in the preamble: \\usepackage{{booktabs}}", ""]
    for each in made:
        lines += [f"% {latex(each.title)}", *(f"% {latex(line)}" for line in (each.unfinished, *each.odd) if line)]
        for part in each.parts:
            if part.table.rows and not part.long:
                notes = " ".join(f"{note[:1].upper()}{note[1:]}." for note in part.table.notes)
                lines.append(written(part.table.columns, part.table.rows, "latex", f"{part.title}. {notes}".strip()))
            elif not part.table.rows:
                lines.append(f"% {latex(part.title)}: {latex(part.missing)}\n")
    return "\n".join(lines)
