"""Text that attacks whoever shows it, and a run that grows while it is looked at."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dying
import pytest
from browsing import screens
from scripted_runs import environment

MARKUP = "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"
LINK = "javascript:window.hit=3"
MARKS = "\u202egnp.exe\u202c \u2066\u200b"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x00"
LONG = "x" * 1_000_000
HOSTILE = f"{MARKUP} [{LINK}]({LINK}) {MARKS} {ESCAPES}"
#: The same as it must be read on a page.
READ = f"{MARKUP} [{LINK}]({LINK}) ‹202E›gnp.exe‹202C› ‹2066›‹200B› ␛[2J␛]0;owned␇␀"


@pytest.fixture(scope="session")
def hostile_db(run_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, with hostile text wherever the world, a model or a person wrote."""
    path = tmp_path_factory.mktemp("hostile") / "agentr.db"
    shutil.copy(run_db, path)
    with sqlite3.connect(path) as connection:
        for change in (
            "UPDATE runs SET name = :text, error = :text",
            "UPDATE tasks SET key = :text || id, instruction = :text",
            "UPDATE nodes SET observation = :text, action = :text, response = 'Action: ' || :text WHERE node > 0",
            "UPDATE nodes SET observation = :long WHERE node = 2",
            "UPDATE verdicts SET rationale = :text",
            "UPDATE messages SET text = :text",
            "UPDATE messages SET text = :long WHERE rowid % 7 = 0",
            "UPDATE datasets SET name = :text, recipe = :text",
            "UPDATE checkpoints SET path = :text",
        ):
            connection.execute(change, {"text": HOSTILE, "long": LONG})
    return path


@pytest.fixture(scope="module")
def browsing(hostile_db: Path) -> Iterator[Any]:
    with screens(hostile_db) as made:
        yield made


#: How many nodes the page says a tree has.
NODES = "Number(document.querySelector('.scrubber span').textContent.match(/, ([\\d,]+) node/)[1].replace(',', ''))"

PAGES = (
    "#/runs", "#/run/KEY", "#/run/KEY/trees", "#/run/KEY/tree/1/node/1", "#/run/KEY/revisions?kind=revision",
    "#/run/KEY/revision/SAMPLE", "#/run/KEY/datasets", "#/run/KEY/dataset/1", "#/run/KEY/preferences",
    "#/run/KEY/evals", "#/run/KEY/episodes/1?a=1&b=4", "#/run/KEY/critics", "#/compare?runs=KEY",
    "#/run/KEY/search?q=gnp",
)  # fmt: skip


def test_hostile_text_is_text_on_every_page(screen: Any, key: str) -> None:
    query = "SELECT set_id, tree_id, kind, bad_leaf, good_leaf FROM samples WHERE kind = 'revision' LIMIT 1"
    sample = "/".join(map(str, screen.sql(query)[0]))
    for place in PAGES:
        screen.open(place.replace("KEY", key).replace("SAMPLE", sample))
        screen.page.wait_for_selector(f"main :text('{MARKUP[:20]}')", state="attached")  # some of it is folded
        told = screen.page.evaluate(
            """() => ({
                hit: window.hit ?? null,
                scripts: document.scripts.length,
                images: document.images.length,
                links: [...document.links].map((link) => link.getAttribute('href')).filter((to) => !to.startsWith('#')),
                handlers: [...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())
                    .filter((name) => name.startsWith('on')),
                raw: /[\\u0000-\\u0008\\u001b\\u202a-\\u202e\\u2066-\\u2069\\u200b]/.test(document.body.innerText),
                title: /[\\u0000-\\u0008\\u001b\\u202a-\\u202e\\u2066-\\u2069\\u200b]/.test(document.title),
            })"""
        )
        nothing = {"hit": None, "scripts": 2, "images": 0, "links": [], "handlers": [], "raw": False, "title": False}
        assert told == nothing, place


def test_what_cannot_be_seen_is_shown_as_symbols(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}/tree/1/node/1")
    assert READ in screen.text(".node-panel .part:has(h3:text-is('observation')) .text")


def test_a_line_of_a_megabyte_is_cut_until_all_of_it_is_wanted(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}/tree/1/node/2")
    part = screen.shows(".node-panel .part:has(h3:text-is('observation')) .text")
    assert len(part.inner_text()) < 5000
    screen.page.get_by_role("button", name="show all 1,000,000 characters").click()
    screen.page.wait_for_function("(part) => part.textContent.trim().length === 1000000", arg=part)
    assert screen.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_run_is_followed_while_it_grows(screen: Any, hostile_db: Path) -> None:
    screen.open("#/runs")
    words = [
        *(sys.executable, "-m", "agentr_core", "run", "--env", "textcraft", "--trainer", "none"),
        *("--plugin", str(Path(dying.__file__)), "--policy", "dying:Dying", "-o", "policy.rate=0.5"),
        *("--db", str(hostile_db), "--name", "growing", "--tasks", "20", "--iterations", "1", "--concurrency", "1"),
        *("-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3", "-o", "mcts.simulations=150"),
        *("--eval-tasks", "1"),
    ]
    # Answers take their time, or a tree would be done before a page of it is there.
    slowly = environment(PYTHONPATH=os.pathsep.join(sys.path), PAUSE="0.02")
    with subprocess.Popen(words, env=slowly, stderr=subprocess.DEVNULL) as run:
        try:
            screen.click("growing")  # it comes by itself
            screen.press("g", "t")
            asked: list[str] = []
            screen.page.on("request", lambda request: asked.append(request.url))
            screen.page.locator("table[aria-label=trees] tr:has(.status-running) a").first.click()
            screen.shows(".tree-row.active")
            first = screen.page.evaluate(f"() => {NODES}")
            screen.page.wait_for_function(f"(before) => {NODES} > before", arg=first)
            since = ["since=" in url for url in asked if re.search(r"/api/trees/\d+(\?|$)", url)]
            assert since[-1] and all(since[since.index(True) :])  # the whole tree only until the first answer
            assert screen.page.evaluate("() => document.querySelector('.connection').textContent") == "live"
            screen.click("run")
            there = screen.page.locator(".at-work:has-text('left')")
            said = there.inner_text()
            assert re.fullmatch(r"at work: search of iteration 1, \d+% · ~[\d:]+ left", said)
            screen.page.wait_for_function(
                "(before) => document.querySelector('.at-work').innerText !== before", arg=said
            )
        finally:
            run.kill()
