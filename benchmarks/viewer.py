"""How fast `agentr view` and the listings of `agentr` are over a large store, and what looking costs a run.

    python benchmarks/viewer.py [--runs 200] [--trees 20000] [--nodes 5000000] [--db FOLDER/large.db] [--repeat 7]
    python benchmarks/viewer.py --live [--tasks 400] [--repeat 3]

The first makes the database unless it is there (`--db` keeps it; some 3 GB as it stands), and prints the median
wall and CPU time of every page and listing, the memory of the server, and the CPU that it takes while nothing happens.
The second
runs one scripted run alone and with three pages open that fetch what is new at each change, by turns: nodes a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median
from typing import Any

from viewer_database import fill

from agentr_core import open_store

PYTHON = (sys.executable, "-m", "agentr_core")
LISTINGS = (
    "runs list", "runs show last", "trees list last", "trees show last", "trajectories list last",
    "revisions list last", "revisions show last", "datasets list", "datasets list last", "datasets show last",
    "checkpoints list", "evals list last", "evals show 1", "compare last", "compare --critics last", "db path",
)  # fmt: skip
#: As `tests/support/scripted_runs.py`: a policy that answers at once, so that the store's share is as large as it gets.
SCRIPTED = (
    *("run", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--policy", "flawed", "--trainer", "none"),
    *("--iterations", "1", "--eval-tasks", "1", "-o", "mcts.simulations=8"),
)


class Page:
    """Pages of a running viewer, as a browser that has opened its link gets them."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._cookie = port, ""
        answer = self._ask(f"/?token={token}")
        self._cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        answer.read()

    def get(self, path: str) -> bytes:
        answer = self._ask(path)
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def stream(self) -> HTTPResponse:
        return self._ask("/api/events")

    def _ask(self, path: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self._port)
        connection.request("GET", path, headers={"Cookie": self._cookie})
        return connection.getresponse()


@contextmanager
def viewing(db: Path) -> Iterator[tuple[int, Callable[[], Page]]]:
    """A viewer of ``db``: its process, and what opens one more page of it."""
    words = [*PYTHON, "view", "--db", str(db), "--port", "0", "--no-browser"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None

        def opened() -> Page:
            assert running.stderr is not None
            while not (found := re.search(r":(\d+)/\?token=(\S+)", running.stderr.readline())):
                pass
            return Page(int(found[1]), found[2])

        try:
            yield running.pid, opened
        finally:
            running.terminate()


def timed(work: Callable[[], object], spent: Callable[[], float], repeat: int) -> tuple[float, float]:
    """The medians of ``repeat`` wall and CPU times in milliseconds, after one that warms the caches.

    ``spent``: the CPU seconds of whoever does the work, so far. Other programs on the machine do not count there.
    """
    work()
    walls, cpus = [], []
    for _ in range(repeat):
        start, before = time.perf_counter(), spent()
        work()
        walls.append(1000 * (time.perf_counter() - start))
        cpus.append(1000 * (spent() - before))
    return median(walls), median(cpus)


def addresses(db: Path) -> list[str]:
    """An address of every page, of a run in the middle, and of its largest trees."""
    with open_store(db, read_only=True) as store:
        runs = store.runs.select()
        run = runs[len(runs) // 2]
        made = store.revisions.select(run.id)[-1]
        sample = next(s for s in store.revisions.samples(made.id) if s.kind == "revision")
        evaluation, dataset = store.evaluations.select(run.id)[0], store.datasets.select(run.id)[0]
        task = store.evaluations.results(evaluation.id)[0].task_id
        largest = [row.id for row in sorted(store.trees.select(runs[-1].id), key=lambda row: -row.n_nodes)][:2]
    key, others = run.key, ",".join(other.key for other in runs[:5])
    trees = [f"trees/{tree}" for tree in (*largest, sample.tree_id)]
    return [
        "state", "runs", "runs?limit=200", "runs?q=nothing-is-called-so", f"runs/{key}", f"runs/{key}/matrix",
        f"trees?run={key}", f"trees?run={key}&sort=-nodes&limit=200", f"trees?run={key}&outcome=mixed", *trees,
        f"trees/{sample.tree_id}/marks?set={made.id}", f"trees/{sample.tree_id}/nodes/{sample.bad_leaf}",
        f"trees/{largest[0]}/nodes/0", f"search?run={key}&q=craft", f"search?run={key}&q=nothing-is-said-so",
        f"search?run={key}&q=craft%20depth%3E5", f"revisions?run={key}", f"revisions?run={key}&kept=0",
        f"revisions/{made.id}/{sample.tree_id}/{sample.kind}/{sample.bad_leaf}/{sample.good_leaf}",
        f"preferences?set={made.id}", "datasets", f"datasets?run={key}", f"datasets/{dataset.id}/items",
        f"evals?run={key}", f"evals/{evaluation.id}/results", f"episodes/{evaluation.id}/{task}/0",
        f"critics?run={key}", f"compare?runs={others}", "events?wait=0",
    ]  # fmt: skip


def resident(pid: int) -> float:
    """Megabytes of a process that lie in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def of_children() -> float:
    """CPU seconds of the programs that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def idle_share(pid: int, seconds: float = 10.0) -> float:
    """The share of a core that a process takes while nobody asks it anything."""
    start = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - start) / seconds


def measure(db: Path, repeat: int) -> None:
    print(f"database: {db.stat().st_size / 1e9:.2f} GB\n\n| page | ms | CPU ms | kB |\n| --- | ---: | ---: | ---: |")
    with viewing(db) as (pid, opened):
        page = opened()
        begun = resident(pid)
        for path in addresses(db):
            wall, cpu = timed(partial(page.get, f"/api/{path}"), partial(cpu_seconds, pid), repeat)
            size = len(page.get(f"/api/{path}")) / 1e3
            print(f"| `{re.sub('01[0-9A-Z]{24}', 'RUN', path)}` | {wall:.0f} | {cpu:.0f} | {size:.0f} |", flush=True)
        print(f"\nserver: {begun:.0f} MB at its start, {resident(pid):.0f} MB after all pages")
        alone = idle_share(pid)
        listening = [page.stream() for _ in range(3)]
        print(f"CPU while idle: {100 * alone:.1f}%, with three open pages {100 * idle_share(pid):.1f}%")
        del listening
    print("\n| command | ms | CPU ms |\n| --- | ---: | ---: |")
    for line in ("--version", *LISTINGS):
        place = () if line == "--version" else ("--db", str(db))
        wall, cpu = timed(partial(_run, (*PYTHON, *line.split(), *place)), of_children, repeat)
        print(f"| `agentr {line}` | {wall:.0f} | {cpu:.0f} |", flush=True)


def _run(words: tuple[str, ...]) -> None:
    # As it is installed: what was compiled once is kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=kept)


class Watcher:
    """A page that stays open, as the front end keeps it: at a change, once a second at most, it asks for what it shows.

    ``shows``: the list of runs, one run, or the tree that grows.
    """

    def __init__(self, page: Page, shows: str) -> None:
        self.page, self.shows, self.asked = page, shows, 0
        self.tree, self.since = 0, None
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        stream = self.page.stream()
        while line := stream.readline():
            if line.startswith(b'data: {"change"'):
                with suppress(SystemExit, OSError):  # there is no run yet, or no tree; or the viewer has ended
                    self._refresh()
                    self.asked += 1
                time.sleep(1)

    def _refresh(self) -> None:
        if self.shows != "tree":
            self.page.get(f"/api/{self.shows}")
            return
        rows = json.loads(self.page.get("/api/trees?sort=-simulations&status=running&limit=1"))["items"]
        if rows and rows[0]["id"] != self.tree:
            self.tree, self.since = rows[0]["id"], None
        query = "" if self.since is None else f"?since={self.since}"
        self.since = json.loads(self.page.get(f"/api/trees/{self.tree}{query}"))["since"]


def speed(folder: Path, pages: int, tasks: int) -> tuple[float, float, int]:
    """Nodes a second and a CPU second of one run, and how often its pages were refreshed meanwhile."""
    db = folder / f"live-{random.getrandbits(32)}.db"
    open_store(db).close()
    with viewing(db) as (_, opened):
        watchers = [Watcher(opened(), shows) for shows in ("runs", "runs/last", "tree")[:pages]]
        before = of_children()
        _run((*PYTHON, *SCRIPTED, "--tasks", str(tasks), "--db", str(db)))
        used = of_children() - before
        asked = sum(watcher.asked for watcher in watchers)
    with open_store(db, read_only=True) as store:
        run = store.runs.find("last")
        (search,) = store.runs.stages(run.id, stage="search")
        nodes = sum(row.n_nodes for row in store.trees.select(run.id))
        times = (datetime.fromisoformat(str(at)) for at in (search.started_at, search.finished_at))
        began, ended = times
    return nodes / (ended - began).total_seconds(), nodes / used, asked


def live(repeat: int, tasks: int) -> None:
    print("| pages open | nodes/s | nodes/CPU s | refreshes |\n| ---: | ---: | ---: | ---: |")
    found: dict[int, list[tuple[float, float]]] = {0: [], 3: []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat):
            for pages, rates in found.items():
                by_second, by_cpu, asked = speed(Path(folder), pages, tasks)
                rates.append((by_second, by_cpu))
                print(f"| {pages} | {by_second:,.0f} | {by_cpu:,.0f} | {asked} |", flush=True)
    for at, name in enumerate(("nodes/s", "nodes/CPU s")):
        watched, alone = (median(rate[at] for rate in found[pages]) for pages in (3, 0))
        print(f"\n{name}, median with three pages / alone: {watched / alone:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--trees", type=int, default=20_000)
    parser.add_argument("--nodes", type=int, default=5_000_000)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--tasks", type=int, default=400, help="of the run of --live")
    chosen: Any = parser.parse_args()
    if chosen.live:
        live(chosen.repeat, chosen.tasks)
        return
    with tempfile.TemporaryDirectory() as folder:
        db = chosen.db or Path(folder) / "large.db"
        if not db.exists():
            start = time.perf_counter()
            fill(db, chosen.runs, chosen.trees, chosen.nodes)
            print(f"made in {time.perf_counter() - start:.0f} s")
        measure(db, chosen.repeat)


if __name__ == "__main__":
    main()
