"""``agentr trees show --watch`` on a real terminal, while another process (this one) writes to the store."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select

import pytest
from scripted_runs import command, environment

from agentr_core.interfaces.tree import Tree
from agentr_core.process.file_lock import held
from agentr_core.records import Task
from agentr_core.store import Store, TreePlan, open_store
from agentr_core.turns import Message


def _interruptible() -> None:
    """Tests in the background of a shell were told to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A program on a terminal of 100 columns, and all that it has shown."""

    def __init__(self, *arguments: str) -> None:
        self.outside, inside = pty.openpty()
        size = environment(COLUMNS="100", LINES="30", TERM="xterm")
        self.process = subprocess.Popen(
            command(*arguments), stdin=inside, stdout=inside, stderr=inside, env=size, preexec_fn=_interruptible
        )
        os.close(inside)
        self.shown = ""

    def read_until(self, wanted: str) -> None:
        """Wait for a text; the end of the program is the end of waiting."""
        while wanted not in self.shown:
            ready, _, _ = select([self.outside], [], [], 120)
            assert ready, f"nothing came for two minutes after:\n{self.shown}"
            try:
                data = os.read(self.outside, 65536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                data = b""
            assert data, f"it ended without {wanted!r}:\n{self.shown}"
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "replace"))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.outside)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


def plan(store: Store, run_id: int) -> tuple[int, Tree]:
    task = Task(key="chest", split="train", instruction="Craft a chest.")
    ids = store.tasks.save("textcraft", "1", [task])
    (row,) = store.trees.plan(run_id, 1, [TreePlan(ids["chest"], 1)], searcher="mcts", searcher_hash="x", model="m")
    return row.id, Tree(task, (Message("user", "go"),), seed=1)


def simulate(store: Store, tree_id: int, tree: Tree, action: str) -> None:
    node = tree.add(tree.nodes[-1], action=action, response=action, observation=f"seen {action}", visits=1)
    tree.simulations += 1
    store.trees.save_simulation(tree_id, tree, [node], [])


def test_a_tree_is_drawn_anew_as_it_grows_until_the_run_is_done(
    tmp_path: Path, terminal: Callable[..., Terminal]
) -> None:
    path = tmp_path / "agentr.db"
    with open_store(path) as store:
        run = store.runs.create("run", {}, seed=1, name="going")
        with held(store.runs.lock_file(run)):
            screen = terminal("trees", "show", "going", "--watch", "--db", str(path))
            screen.read_until("has not begun a tree yet")
            tree_id, tree = plan(store, run.id)
            store.trees.start(tree_id, tree)
            for action in ("get log", "craft planks", "craft chest"):
                simulate(store, tree_id, tree, action)
                screen.read_until(f"seen {action}")
            tree.nodes[-1].terminal = True
            store.trees.save_simulation(tree_id, tree, [], [tree.nodes[-1]])
            store.trees.finish(tree_id, "done", tree)
            screen.read_until("1 attempts")
            assert screen.process.poll() is None, "the run is still going"
            store.runs.set_status(run.id, "done")
            screen.read_until(f"run {run.short} is done")
    assert screen.process.wait(60) == 0
    assert "Craft a chest." in screen.shown.rpartition("tree 1")[2], "the last drawing stays"


def test_one_tree_is_followed_until_it_is_done_and_ctrl_c_ends_it_earlier(
    tmp_path: Path, terminal: Callable[..., Terminal]
) -> None:
    path = tmp_path / "agentr.db"
    with open_store(path) as store:
        run = store.runs.create("run", {}, seed=1, name="going")
        with held(store.runs.lock_file(run)):
            tree_id, tree = plan(store, run.id)
            store.trees.start(tree_id, tree)
            simulate(store, tree_id, tree, "get log")
            screens = [terminal("trees", "show", "going", "chest", "--watch", "--db", str(path)) for _ in range(2)]
            for screen in screens:
                screen.read_until("seen get log")
            screens[1].process.send_signal(signal.SIGINT)
            screens[1].read_until(f"run {run.short} is running")
            assert screens[1].process.wait(60) == 0
            store.trees.finish(tree_id, "failed", tree, error="no server")
            screens[0].read_until(f"run {run.short} is running")
    assert screens[0].process.wait(60) == 0
    assert "Traceback" not in screens[0].shown + screens[1].shown


def test_a_run_that_nobody_works_on_is_drawn_once(db: Path, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("trees", "show", "seed-0", "--watch", "--db", str(db))
    screen.read_until("is done")
    assert screen.process.wait(60) == 0 and "N=" in screen.shown
