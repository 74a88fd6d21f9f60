"""While a run works: what has changed is told and sent, and nothing else; whatever becomes of the run."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agentr_view import events, stores
from agentr_view.pages import trees as tree_pages
from scripted_runs import SCRIPTED, command, environment
from viewing import Viewed, Visitor, entered

from agentr_core import Node, Store, Tree, open_store

#: Long enough for a busy machine; a test ends as soon as what it waits for is there.
PATIENCE_SECONDS = 120

WRITES = """
import sys; from agentr_core import open_store
with open_store(sys.argv[1]) as store:
    store.runs.save_metrics(store.runs.find("first").id, 1, "train", int(sys.argv[2]), {"loss": 0.5})
"""


def written_by_another_process(db: Path, step: int = 1) -> None:
    subprocess.run([sys.executable, "-c", WRITES, str(db), str(step)], check=True)


@pytest.fixture
def own_db(viewed_db: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(viewed_db, tmp_path / "agentr.db"))


def test_an_unchanged_page_is_not_sent_again(own_db: Path) -> None:
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        answer = visitor.ask("/api/runs/first")
        mark = {"If-None-Match": answer.headers["etag"]}
        again = visitor.ask("/api/runs/first", headers=mark)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        written_by_another_process(own_db)
        later = visitor.ask("/api/runs/first", headers=mark)
        assert later.status == 200 and later.headers["etag"] != answer.headers["etag"]
        static = visitor.ask("/index.html")
        again = visitor.ask("/", headers={"If-None-Match": static.headers["etag"]})
        policy = "content-security-policy"
        assert (again.status, again.headers[policy]) == (304, static.headers[policy])


def test_files_are_asked_for_once_until_any_of_them_changes(visitor: Visitor) -> None:
    """The page names files below a version, where a browser may keep them; elsewhere it asks whether they changed."""
    page = visitor.ask("/").body.decode()
    named = re.search(r'src="([0-9a-f]{16})/main\.js"', page)
    assert named is not None and f'"./{named[1]}/vendor/preact-' in page and f'href="{named[1]}/style/base.css"' in page
    kept = visitor.ask(f"/{named[1]}/main.js")
    assert kept.status == 200 and kept.headers["cache-control"].endswith("immutable")
    plain = visitor.ask("/main.js")
    assert plain.body == kept.body and plain.headers["cache-control"] == "private, no-cache"
    for path in ("/0123456789abcdef/main.js", f"/{named[1]}/none.js", f"/{named[1]}", f"/{named[1]}/../app.py"):
        assert visitor.ask(path).status == 404, path


def test_a_mark_of_another_server_is_not_believed(own_db: Path) -> None:
    marks = []
    for _ in range(2):
        with Viewed(own_db) as viewed:
            marks.append(entered(viewed).ask("/api/runs").headers["etag"])
    assert marks[0] != marks[1]


def next_event(response: http.client.HTTPResponse) -> int:
    while True:
        line = response.readline()
        assert line, "the stream has ended"
        if line.startswith(b'data: {"change"'):
            return int(json.loads(line.removeprefix(b"data:"))["change"])


def test_a_commit_of_another_process_is_told(own_db: Path) -> None:
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        connection = visitor.send("/api/events")
        response = connection.getresponse()
        assert response.getheader("content-type", "").startswith("text/event-stream")
        before = next_event(response)
        assert before == visitor.get("events", wait=0)["change"] == visitor.get("state")["change"]
        written_by_another_process(own_db, step=1)
        assert next_event(response) == before + 1
        written_by_another_process(own_db, step=2)
        assert next_event(response) == before + 2
        connection.close()


def test_a_database_that_goes_and_comes_back_as_another_is_followed(own_db: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(own_db, tmp_path / "other.db"))
    with open_store(other) as store, store.transaction():
        store.connection.execute("UPDATE runs SET name = 'another' WHERE name = 'first'")
    names = ["another", "second"]
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        connection = visitor.send("/api/events")
        response = connection.getresponse()
        told = next_event(response)
        tree = visitor.get("trees/1")
        own_db.rename(tmp_path / "away.db")
        assert next_event(response) == told + 1
        gone = visitor.ask("/api/runs")
        assert (gone.status, gone.json["error"][:27]) == (503, f"there is no database at {own_db}"[:27])
        own_db.write_text("not a database")
        assert next_event(response) == told + 2
        assert visitor.ask("/api/runs").status == 503
        other.replace(own_db)
        assert next_event(response) > told + 2
        assert sorted(run["name"] for run in visitor.get("runs")["items"]) == names
        assert visitor.get("trees/1", since=tree["since"])["whole"]
        connection.close()


def test_a_quiet_stream_beats(own_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.05)
    with Viewed(own_db) as viewed:
        connection = entered(viewed).send("/api/events")
        response = connection.getresponse()
        next_event(response)
        assert [response.readline() for _ in range(3)][1:] == [b"event: beat\n", b"data: {}\n"]
        connection.close()


def test_nothing_is_asked_of_the_store_while_nobody_listens(own_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY_SECONDS", 0.01)
    asked: list[float] = []
    plain = stores.Changes.now

    def counted(self: stores.Changes) -> int:
        asked.append(time.monotonic())
        return plain(self)

    monkeypatch.setattr(stores.Changes, "now", counted)
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        streams = [visitor.send("/api/events") for _ in range(3)]
        for stream in streams:
            next_event(stream.getresponse())
        begun = len(asked)
        eventually(lambda: len(asked) > begun + 10)  # one watcher for all three
        for stream in streams:
            stream.sock.shutdown(2)
            stream.close()
        eventually(lambda: _pause(asked, 0.2))
        assert len(asked) > begun + 10, "it was asked while somebody listened"


def _pause(asked: list[float], seconds: float) -> bool:
    """Whether nothing has been asked for so long, which is many times as long as a watcher sleeps."""
    return time.monotonic() - asked[-1] > seconds


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it has not come to it"
        time.sleep(0.01)


class Copy:
    """A tree as a page keeps it: the whole once, then what each answer adds or changes."""

    def __init__(self, visitor: Visitor, tree: int) -> None:
        self.visitor, self.tree = visitor, tree
        self.rows: dict[int, dict[str, Any]] = {}
        self.since: int | None = None
        self.sent = 0

    def refresh(self) -> None:
        asked = {} if self.since is None else {"since": self.since}
        page = self.visitor.get(f"trees/{self.tree}", **asked)
        rows = rows_of(page)
        self.since, self.sent = page["since"], len(rows)
        self.rows |= rows


def rows_of(page: Any) -> dict[int, dict[str, Any]]:
    columns = page["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {row["node"]: row for row in rows}


def grow(tree: Tree, rng: random.Random) -> tuple[list[Node], list[Node]]:
    """Any nodes are added and any older ones change, as no searcher would do it: what is new, and what was touched."""
    old = list(tree.nodes)
    new = []
    for _ in range(rng.randrange(4)):
        parent = rng.choice(tree.nodes)
        new.append(
            tree.add(parent, response="r", action=f"go {rng.random()}", observation="o\nmore", visits=rng.randrange(2))
        )
    touched = rng.sample(old, rng.randrange(min(6, len(old)) + 1))
    for node in touched:
        change = rng.choice(["visits", "value_sum", "copies", "exhausted"])
        setattr(node, change, True if change == "exhausted" else getattr(node, change) + 1)
    tree.simulations += rng.randrange(1, 3)
    return new, touched


@pytest.mark.parametrize("seed", range(5))
def test_deltas_add_up_to_the_whole(own_db: Path, seed: int) -> None:
    rng = random.Random(seed)
    with open_store(own_db) as store, Viewed(own_db) as viewed:
        visitor = entered(viewed)
        row = store.trees.select(store.runs.find("first").id)[0]
        tree = store.trees.load(row.id)
        often, rarely = Copy(visitor, row.id), Copy(visitor, row.id)
        rarely.refresh()
        for step in range(30):
            new, touched = grow(tree, rng)
            store.trees.save_simulation(row.id, tree, new, touched)
            often.refresh()
            if step:
                assert often.sent <= len(new) + len(touched)
            assert often.rows == rows_of(visitor.get(f"trees/{row.id}"))
        rarely.refresh()
        assert rarely.rows == often.rows and len(often.rows) == len(tree.nodes)


def test_what_was_forgotten_is_sent_whole(own_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_pages, "REMEMBERED", 1)
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        first = visitor.get("trees/1")
        assert visitor.get("trees/1", since=first["since"])["columns"]["node"] == []
        visitor.get("trees/2")
        again = visitor.get("trees/1", since=first["since"])
        assert again["whole"] and again["columns"] == first["columns"]
        assert visitor.get("trees/1", since=99)["whole"]


def growing(db: Path) -> subprocess.Popen[str]:
    """A run that would go on for minutes."""
    long = command("run", *SCRIPTED, "--db", str(db), "--tasks", "4000", "--name", "long")
    return subprocess.Popen(long, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


def test_a_run_that_writes_and_is_killed_does_no_harm(own_db: Path) -> None:
    with Viewed(own_db) as viewed:
        visitor = entered(viewed)
        run = growing(own_db)
        try:
            eventually(lambda: _trees(visitor) > 3)
            mark = visitor.ask("/api/runs").headers["etag"]
            assert visitor.get("runs")["items"][0]["status"] == "running"
            copies = [
                Copy(visitor, item["id"]) for item in visitor.get("trees", run="long", sort="-nodes", limit=3)["items"]
            ]
            for _ in range(5):
                for copy in copies:
                    copy.refresh()
        finally:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        eventually(lambda: visitor.get("runs")["items"][0]["status"] == "killed")
        assert visitor.ask("/api/runs", headers={"If-None-Match": mark}).status == 200
        assert [item["name"] for item in visitor.get("runs", status="killed")["items"]] == ["long"]
        for copy in copies:
            copy.refresh()
            assert copy.rows == rows_of(visitor.get(f"trees/{copy.tree}"))
        for place in (
            "runs/long",
            "trees?run=long&outcome=mixed",
            "search?run=long&q=craft",
            "compare?runs=first,long",
        ):
            assert visitor.ask(f"/api/{place}").status == 200
    with sqlite3.connect(own_db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def _trees(visitor: Visitor) -> int:
    newest = visitor.get("runs")["items"][0]
    if newest["name"] != "long":
        return 0
    return sum(1 for item in visitor.get("trees", run="long", sort="-nodes")["items"] if item["nodes"] > 1)


def test_asking_whether_a_run_is_alive_never_keeps_one_from_being_taken_up(own_db: Path, store: Store) -> None:
    """Who asks holds the run's lock for a moment; who takes it waits that moment."""
    from agentr_core.process.file_lock import held, is_held

    lock = store.runs.lock_file(store.runs.find("first"))
    asking = subprocess.Popen(
        [sys.executable, "-c", f"from agentr_core.process.file_lock import is_held\nfrom pathlib import Path\n"
         f"print(flush=True)\nwhile True: is_held(Path({str(lock)!r}))"], stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert asking.stdout is not None
        asking.stdout.readline()
        for _ in range(2000):
            with held(lock) as ours:
                assert ours and is_held(lock)
    finally:
        asking.kill()
        asking.wait()
