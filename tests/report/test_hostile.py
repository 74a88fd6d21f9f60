"""Text that means harm is text: in the page, in a real browser, in LaTeX, Graphviz and Markdown, in every listing."""

from __future__ import annotations

import json
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hostile import MARKUP, RIGHT_TO_LEFT, SOURCE, TERMINAL, fill
from html_tree import Page

from agentr_core.process.terminal import visible
from agentr_core.report.escaping import dot, latex
from agentr_core.report.report import report, trees_page
from agentr_core.store import open_store

#: How the harmful text reads where it is shown as text.
SHOWN = f"{MARKUP.replace('{url}', '<img src=http://127.0.0.1:9/x>')} {visible(TERMINAL)} {SOURCE} {RIGHT_TO_LEFT}"
PLACES = (
    "critic", "goal", "plugin", "dist", "version", "world", "model", "died", "why", "say wrong", "see right",
    "act shared", "said 3", "seen 0", "unplayed", "split",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(hostile_db: Path) -> str:
    with open_store(hostile_db, read_only=True) as store:
        run = store.runs.find("last")
        return report(store, [run]) + "<!-- -->" + trees_page(store, run, store.trees.select(run.id))


def test_nothing_of_it_becomes_an_element_or_an_attribute(source: str) -> None:
    page = Page(source)
    tags = {tag for tag, _ in page.opened}
    assert not tags & {"script", "img", "iframe", "object"}
    known = {"id", "class", "open", "tabindex", "role", "aria-label", "scope", "lang", "charset", "name", "content"}
    known |= {
        "http-equiv",
        "href",
        "title",
        "viewbox",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
        "rx",
        "width",
    }
    known |= {"height", "points", "text-anchor"}
    assert {name for _, attributes in page.opened for name in attributes} <= known
    assert {str(found["href"])[0] for tag, found in page.opened if tag == "a"} == {"#"}
    assert source.count("<!--") == 1, "the one between the two pages"


def test_all_of_it_can_be_read(source: str) -> None:
    page = Page(source)
    readable = re.sub(r"\s+", " ", page.text)
    beginnings = {place for place in PLACES if f"{place} <script>document.title=" in readable}
    assert set(PLACES) - beginnings == set()
    assert f"died {SHOWN}" in readable and f"see right {SHOWN}" in readable
    assert "\\udc9b" in readable, "half a character is shown as what it is"
    assert visible(source) == source and "more characters" in readable
    assert max(map(len, source.splitlines())) < 200_000, "a line of a megabyte is cut"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address, and the requests that came to it."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/x", heard
        server.shutdown()
        thread.join()


def test_a_browser_runs_nothing_of_it_and_asks_nobody(
    tmp_path: Path, listener: tuple[str, list[str]], chromium: Callable[..., str]
) -> None:
    url, heard = listener
    fill(tmp_path / "agentr.db", url)
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        (tmp_path / "page.html").write_text(report(store, [store.runs.find("last")]), encoding="utf-8")
    seen = chromium("--dump-dom", tmp_path / "page.html")
    assert "<title>agentr: name &lt;script&gt;document.title=" in seen
    assert "<script" not in seen and url in seen
    assert heard == []
    (tmp_path / "control.html").write_text(f"<img src={url}><script>document.title='owned'</script>", encoding="utf-8")
    assert "<title>owned</title>" in chromium("--dump-dom", tmp_path / "control.html")
    assert heard == ["/x"], "without the escaping it would have been heard"


def test_latex_and_graphviz_get_no_command(agentr: Callable[..., Any], hostile_db: Path) -> None:
    _, out, _ = agentr("report", "last", "--format", "latex", "--db", hostile_db)
    body = "\n".join(line for line in out.splitlines() if not line.startswith("%"))
    known = r"textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|textasciigrave"
    known += r"|cdot|pm|rightarrow|dots|times|begin|end|caption|centering|toprule|midrule|bottomrule"
    rows = body.replace(" \\\\\n", "\n")
    assert re.findall(rf"\\(?!(?:{known})\b|[{{}}$&#_%])[^\n]{{0,20}}", rows) == []
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    assert r"\textless{}script\textgreater{}" in body and r"\textbackslash{}input\{/etc/passwd\}" in body
    assert latex("[x] 50% of $a_b$") == r"{[}x] 50\% of \$a\_b\$"
    _, out, _ = agentr("trees", "export", "last", "--format", "dot", "--db", hostile_db)
    without = re.sub(r'"(?:[^"\\]|\\.)*"', "Q", out)
    line = r"digraph Q \{|\}|  rankdir=LR;|  node \[[^\]]*\];"
    line += r"|  \w+ \[(label=Q|(fillcolor|style|color)=Q|shape=plaintext|, )*\];"
    line += r"|  \w+ -> \w+ \[(penwidth=[\d.]+|style=dashed)\];"
    assert [each for each in without.splitlines() if not re.fullmatch(line, each)] == []
    assert dot('a"b\\N&lt;') == '"a\\"b\\\\N&amp;lt;"'


def test_graphviz_draws_it(agentr: Callable[..., Any], hostile_db: Path) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    _, out, _ = agentr("trees", "export", "last", "--format", "dot", "--db", hostile_db)
    drawn = subprocess.run(["dot", "-Tsvg"], input=out, capture_output=True, text=True, check=True).stdout
    assert "act wrong &lt;script&gt;" in drawn and "<script" not in drawn and "javascript:x" not in drawn


COMMANDS = [
    "runs list", "runs show last", "trees list last", "trees show last", "trees show last 1 --all",
    "trajectories list last", "trajectories show 1:2", "revisions list last", "revisions show last",
    "revisions show last --full", "datasets list", "datasets show 1 1", "evals list last", "evals show 1", "tasks list",
    "compare last", "compare --critics last", "compare last --format md", "report last --format md",
    "report last --format latex", "trees show last no-such-tree", "trees show last --critic nobody",
    "revisions show 9:9:9:9", "runs show nobody", "checkpoints list", "report last -o .", "plugins show nobody",
]  # fmt: skip


@pytest.mark.parametrize("width", ["", "80"], ids=["pipe", "80"])
def test_no_listing_hands_it_to_the_terminal(
    agentr: Callable[..., Any], hostile_db: Path, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    if width:
        monkeypatch.setenv("COLUMNS", width)
    told = {}
    for command in COMMANDS:
        where = [] if command.startswith("plugins") else ["--db", hostile_db]
        code, out, err = agentr(*command.split(), *where)
        assert visible(out + err) == out + err, command
        assert "Traceback" not in err and code in (0, 2, 5), (command, err)
        told[command] = out + err
    assert "\\x1b]0;owned\\x07" in told["runs show last"] and "\\u202eevil" in told["revisions show last"]


def test_json_keeps_every_character_and_prints_none_that_is_obeyed(
    agentr: Callable[..., Any], hostile_db: Path
) -> None:
    for command in ("runs list --json", "trees show last --json", "trees export last", "revisions export last"):
        _, out, _ = agentr(*command.split(), "--db", hostile_db)
        assert visible(out) == out, command
        values = [json.loads(out)] if "--json" in command else [json.loads(line) for line in out.splitlines()]
        assert TERMINAL in _texts(values), command
    _, out, _ = agentr("report", "last", "--format", "json", "--db", hostile_db)
    assert TERMINAL in _texts(json.loads(out))


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(map(_texts, value.values()))
    return "".join(map(_texts, value)) if isinstance(value, list) else str(value)
