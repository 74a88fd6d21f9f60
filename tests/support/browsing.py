"""Debian's Chromium before a viewer of a store, which runs in a process of its own."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import environment

#: Milliseconds that anything on a page may take on a busy machine before a test gives up.
PATIENCE = 60_000


@contextmanager
def viewing(db: Path) -> Iterator[str]:
    """``agentr view`` of a database in a process of its own; its link."""
    words = [sys.executable, "-m", "agentr_core", "view", "--db", str(db), "--port", "0", "--no-browser"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stderr is not None
        told = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+\n", told)):
            line = process.stderr.readline()
            assert line, told
            told += line
        try:
            yield found[0].strip()
        finally:
            process.kill()


class Screen:
    """A page of the viewer: where it is, what its console said, and what it asked of whom."""

    def __init__(self, page: Any, home: str, db: Path) -> None:
        self.page, self.home, self.db = page, home, db
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: request.url.startswith(home) or self.said.append(f"asked {request.url}"))

    def open(self, place: str) -> None:
        """Go to a place, and wait until nothing of it is still being read."""
        self.page.goto(self.home + place)
        self.settle()

    def settle(self) -> None:
        """Until the page has a heading and has read what it shows."""
        self.page.wait_for_selector("h1")
        self.page.wait_for_selector(".waiting", state="detached")

    def click(self, name: str) -> None:
        """Follow a link of that name."""
        self.page.get_by_role("link", name=name, exact=True).first.click()
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def shows(self, selector: str) -> Any:
        """The first element of a kind, once it is there."""
        return self.page.wait_for_selector(selector)

    def text(self, selector: str) -> str:
        found: str = self.shows(selector).inner_text()
        return found

    def api(self, path: str) -> Any:
        """What the server answers to this browser."""
        return self.page.request.get(f"{self.home}api/{path}").json()

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as connection:
            return connection.execute(query, values).fetchall()

    def audited(self) -> list[str]:
        """What axe finds on the page that is serious or critical."""
        from axe_playwright_python import sync_playwright as axe

        script = (Path(axe.__file__).parent / "axe.min.js").read_text()
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(script)
        found = self.page.evaluate(
            "() => axe.run({resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})"
        )["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in serious]


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium; tests that need it are skipped where it is not."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def screens(db: Path) -> Iterator[Any]:
    """A viewer of a database and a browser that has opened its link: makes screens."""
    with viewing(db) as link, chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        home = link.partition("?")[0]
        first = context.new_page()
        first.goto(link)
        first.close()
        yield lambda: Screen(context.new_page(), home, db)
