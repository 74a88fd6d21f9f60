"""How long a tree takes to be on the screen, and to answer a key: Chromium before `agentr view` of a large store.

    python benchmarks/viewer_browser.py DATABASE [--repeat 7]

`DATABASE` is what `benchmarks/viewer.py --db` has made: its last run has trees of 5,000 and of 700 nodes. "new tab" is
from the address to the selected row being there, in a browser that has the viewer's files already; "follow" the same
from the run's trees, in a viewer that is open; "unfold" from the key that opens everything to its rows; "step" from an
arrow key to the next row being the selected one. Needs the extra `view`, playwright, and Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from agentr_core import open_store

ACTIVE = ".tree-row.active"


def largest(db: Path) -> tuple[str, list[tuple[int, int]]]:
    """The last run, and its two largest trees: id and nodes."""
    with open_store(db, read_only=True) as store:
        run = store.runs.select()[-1]
        rows = sorted(store.trees.select(run.id), key=lambda row: -row.n_nodes)[:2]
        return run.key, [(row.id, row.n_nodes) for row in rows]


@contextmanager
def browsing(db: Path) -> Iterator[tuple[Any, str]]:
    """A page of Chromium that has opened the link of a viewer, and the viewer's address."""
    from playwright.sync_api import sync_playwright

    words = [sys.executable, "-m", "agentr_core", "view", "--db", str(db), "--port", "0", "--no-browser"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as viewer, sync_playwright() as playwright:
        assert viewer.stderr is not None
        while not (found := re.search(r"http://\S+\?token=\S+", viewer.stderr.readline())):
            pass
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(found[0])
        yield page, found[0].partition("?")[0]
        browser.close()
        viewer.terminate()


def took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def visit(page: Any, home: str, run: str, tree: int) -> dict[str, float]:
    """Open a tree, come to it from the run's trees, unfold it, and go a row down."""
    place = f"#/run/{run}/tree/{tree}"

    def opened() -> None:
        page.goto(home + place)
        page.wait_for_selector(ACTIVE)

    def followed() -> None:
        page.evaluate("(place) => location.hash = place", place)
        page.wait_for_selector(ACTIVE)

    def unfolded() -> None:
        count = page.get_attribute("[role=treegrid]", "aria-rowcount")
        page.keyboard.press("9")
        page.wait_for_function("(was) => document.querySelector('[role=treegrid]').ariaRowCount !== was", arg=count)

    def stepped() -> None:
        key = page.get_attribute(ACTIVE, "data-key")
        page.keyboard.press("ArrowDown")
        page.wait_for_selector(f"{ACTIVE}:not([data-key='{key}'])")

    page.goto("about:blank")
    found = {"new tab": took(opened)}
    page.evaluate(f"location.hash = '#/run/{run}/trees'")
    page.wait_for_selector("table a")
    page.wait_for_load_state("networkidle")
    found["follow"] = took(followed)
    page.focus(ACTIVE)
    return {**found, "unfold": took(unfolded), "step": took(stepped)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("db", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    chosen = parser.parse_args()
    run, trees = largest(chosen.db)
    names = ("new tab", "follow", "unfold", "step")
    print(f"| nodes | {' | '.join(f'{name} ms' for name in names)} |\n| ---: | ---: | ---: | ---: | ---: |")
    with browsing(chosen.db) as (page, home):
        for tree, nodes in trees:
            visits = [visit(page, home, run, tree) for _ in range(chosen.repeat + 1)][1:]  # the first fills caches
            times = " | ".join(f"{median(each[name] for each in visits):.0f}" for name in names)
            print(f"| {nodes:,} | {times} |", flush=True)


if __name__ == "__main__":
    main()
