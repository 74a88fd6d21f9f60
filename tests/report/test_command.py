"""``agentr report`` and the exports of trees: names of files, formats, what is never written over, in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from html_tree import Page

from agentr_core.report.page import MADE_BY


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_page_without_a_file_name_says_which_it_took(agentr: Any, db: Path, hostile_db: Path, tmp_path: Path) -> None:
    code, out, err = agentr("report", "seed-1", "--trees", 0, "--db", db)
    assert (code, out, err) == (0, "", "report of seed-1 written to report-seed-1.html\n")
    assert agentr("report", "seed-1", "seed-2", "seed-1", "--trees", 0, "--db", db)[0] == 0
    assert agentr("report", "last", "--trees", 0, "--db", hostile_db)[0] == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[1:] == ["report-seed-1-and-1-more.html", "report-seed-1.html"]
    assert names[0].startswith("report-name-script-document.title-owned")


@pytest.mark.parametrize(
    ("ending", "begins"), [("html", "<!doctype html>"), ("md", "<!-- made"), ("json", "{"), ("tex", "% made")]
)
def test_the_end_of_the_name_says_the_format(agentr: Any, db: Path, tmp_path: Path, ending: str, begins: str) -> None:
    target = tmp_path / f"r.{ending}"
    assert agentr("report", "seed-1", "--trees", 0, "-o", target, "--db", db)[0] == 0
    first = target.read_text(encoding="utf-8")
    assert first.startswith(begins) and MADE_BY in first[:1000]
    assert agentr("report", "seed-1", "--trees", 0, "-o", target, "--db", db)[0] == 0, "a report is written anew"


def test_an_end_that_no_format_has_is_refused(agentr: Any, db: Path, tmp_path: Path) -> None:
    for words, hint in (
        (
            ("report", "seed-1", "-o", "r.pdf"),
            "no format ends in '.pdf' (.html, .htm, .md, .json, .tex, .latex); a browser",
        ),
        (
            ("trees", "export", "seed-1", "-o", "t.svg"),
            "no format ends in '.svg' (.jsonl, .json, .dot, .gv, .html, .htm)",
        ),
    ):
        code, out, err = agentr(*words, "--db", db)
        assert (code, out) == (2, "") and hint in err
    assert agentr("report", "seed-1", "--format", "md", "-o", "r.txt", "--db", db)[0] == 0


def test_what_is_no_report_is_not_written_over(agentr: Any, db: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("my thesis")
    code, _, err = agentr("report", "seed-1", "-o", mine, "--db", db)
    assert code == 2 and mine.read_text() == "my thesis"
    expected = f"error: '{mine}' exists and is no report of agentr; name another file with -o, or add --overwrite\n"
    assert err == expected
    assert agentr("report", "seed-1", "--trees", 0, "-o", mine, "--overwrite", "--db", db)[0] == 0
    assert MADE_BY in mine.read_text()
    assert "is a directory" in agentr("report", "seed-1", "-o", tmp_path, "--overwrite", "--db", db)[2]
    assert "cannot be written: No such file" in agentr("report", "-o", tmp_path / "a" / "b.html", "--db", db)[2]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


def test_wrong_use_is_one_sentence(agentr: Any, db: Path, tmp_path: Path) -> None:
    assert "no run is called 'seed-9'. Did you mean 'seed-" in agentr("report", "seed-9", "--db", db)[2]
    assert "there is no database at" in agentr("report", "--db", tmp_path / "none.db")[2]
    assert "--trees" in agentr("report", "--trees", "-1", "--db", db)[2]
    assert "only json has tokens" in agentr("trees", "export", "seed-0", "--format", "dot", "--tokens", "--db", db)[2]
    code, out, err = agentr("trees", "show", "seed-0", "--watch", "--db", db)
    assert (code, out) == (2, "") and "--watch draws on a terminal, and stdout is none" in err
    assert "--watch and --json: choose one" in agentr("trees", "show", "--watch", "--json", "--db", db)[2]


def test_trees_are_exported_as_json_graph_and_page(agentr: Any, db: Path, tmp_path: Path) -> None:
    _, lines, _ = agentr("trees", "export", "seed-0", "--db", db)
    trees = [json.loads(line) for line in lines.splitlines()]
    _, graphs, err = agentr("trees", "export", "seed-0", "--format", "dot", "--db", db)
    assert err == f"{len(trees)} trees\n" and graphs.count("digraph ") == len(trees) == graphs.count("\n}\n")
    played = sum(bool(node["visits"]) or node["parent"] is None for tree in trees for node in tree["nodes"])
    assert graphs.count("label=") - graphs.count("not played") == played
    one = trees[0]
    chosen = ("--tree", one["id"], "--format", "html", "-o", "t.html")
    assert agentr("trees", "export", "seed-0", *chosen, "--db", db)[0] == 0
    page = Page((tmp_path / "t.html").read_text(encoding="utf-8"))
    assert f"tree {one['id']}, task {one['task']}" in page.text
    assert page.text.count("N ") >= sum(bool(node["visits"]) for node in one["nodes"])
    for ending, begins in (("html", "<!doctype html>"), ("dot", "digraph "), ("gv", "digraph "), ("jsonl", "{")):
        assert agentr("trees", "export", "seed-0", "-o", f"by-end.{ending}", "--db", db)[0] == 0
        assert (tmp_path / f"by-end.{ending}").read_text(encoding="utf-8").startswith(begins)
    assert agentr("trees", "export", "seed-0", "--iteration", 9, "--format", "dot", "--db", db)[0] == 5


def test_a_browser_opens_a_page_from_disk_and_prints_it(
    agentr: Any, db: Path, tmp_path: Path, chromium: Callable[..., str]
) -> None:
    assert agentr("report", "seed-0", "--trees", 1, "-o", "r.html", "--db", db)[0] == 0
    shot, paper = tmp_path / "shot.png", tmp_path / "paper.pdf"
    chromium("--window-size=400,900", f"--screenshot={shot}", tmp_path / "r.html")
    assert shot.stat().st_size > 10_000
    chromium("--no-pdf-header-footer", f"--print-to-pdf={paper}", tmp_path / "r.html")
    assert paper.read_bytes().startswith(b"%PDF") and paper.read_bytes().count(b"/Type /Page\n") >= 2
