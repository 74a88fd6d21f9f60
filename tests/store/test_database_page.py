"""docs/database.md: its queries run on a real database and find something, and its tables are those that there are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core.store.columns import FLAGS

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^(\S[^\n]*):\n\n```sql\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole iteration: searched, revised, evaluated before and after."""
    folder = tmp_path_factory.mktemp("played")
    config = agentr_core.configure(
        env={"name": "textcraft", "world": "synthetic", "depth": 3, "max_steps": 14}, policy="flawed", critic="value",
        trainer="none", iterations=1, seed=5, flawed={"rate": 0.5}, mcts={"simulations": 4, "depth": 9},
        search={"tasks": 8}, evaluate={"tasks": 12, "max_turns": 9, "temperature": 1.0},
    )  # fmt: skip
    agentr_core.run(config, db=folder / "agentr.db", name="played")
    return folder / "agentr.db"


@pytest.fixture
def shell(played: Path) -> Iterator[sqlite3.Connection]:
    """What a SQL shell sees."""
    connection = sqlite3.connect(played)
    yield connection
    connection.close()


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_runs_and_shows_text(title: str, query: str, shell: sqlite3.Connection) -> None:
    if "baseline did not" in title:  # the scripted model does not learn: one task is made to come out otherwise
        first = "(SELECT max(id) FROM evals WHERE kind = 'plain')"
        first += ", (SELECT min(task_id) FROM eval_results)"
        shell.execute(f"UPDATE eval_results SET success = 1 - success WHERE (eval_id, task_id) = ({first})")
    found = shell.execute(query).fetchall()
    assert found, "the query finds nothing"
    assert not any(isinstance(value, bytes) for row in found for value in row)


def test_the_page_names_every_table_and_column_of_a_view(shell: sqlite3.Connection) -> None:
    for name, kind in shell.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
        if name.startswith(("_", "sqlite_")):
            continue
        assert f"`{name}`" in PAGE
        if kind == "view":
            line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
            columns = [row[1] for row in shell.execute(f"PRAGMA table_info({name})")]
            assert re.findall(r"`(\w+)`", line.split("|")[3]) == columns


def test_flags_are_those_of_the_nodes(played: Path, shell: sqlite3.Connection) -> None:
    shell.row_factory = sqlite3.Row
    with agentr_core.open_store(played, read_only=True) as store:
        for tree in store.trees.select():
            nodes = store.trees.load(tree.id).nodes
            rows = shell.execute("SELECT * FROM steps WHERE tree_id = ? ORDER BY node", (tree.id,)).fetchall()
            for node, row in zip(nodes, rows, strict=True):
                assert {name: bool(row[name]) for name in FLAGS} == {name: getattr(node, name) for name in FLAGS}
                assert (row["response"], row["action"], row["observation"]) == (
                    node.response, node.action, node.observation,
                )  # fmt: skip
                assert (row["value"] or 0.0) == pytest.approx(node.value)
    assert [f"{2**bit} " in PAGE.partition("**`nodes.flags`**")[2] for bit in range(len(FLAGS))] == [True] * len(FLAGS)


def test_paths_are_the_attempts_of_a_tree(played: Path, shell: sqlite3.Connection) -> None:
    with agentr_core.open_store(played, read_only=True) as store:
        for row in store.trees.select():
            tree = store.trees.load(row.id)
            wanted = {leaf.index: [node.index for node in leaf.path()] for leaf in tree.leaves() if leaf.parent}
            query = "SELECT leaf, node FROM paths WHERE tree_id = ? ORDER BY leaf, step"
            found: dict[int, list[int]] = {}
            for leaf, node in shell.execute(query, (row.id,)):
                found.setdefault(leaf, []).append(node)
            assert found == wanted


def test_turns_are_the_conversations(played: Path, shell: sqlite3.Connection) -> None:
    query = "SELECT role, train, text FROM turns WHERE conversation = ? ORDER BY turn"
    with agentr_core.open_store(played, read_only=True) as store:
        kept: list[Any] = [row.conversation for row in store.evaluations.results(store.evaluations.select()[0].id)]
        kept += [sample.conversation for sample in store.revisions.samples(store.revisions.select()[0].id)]
        for conversation in kept[:30]:
            messages = [(turn.role, int(turn.train), turn.content) for turn in store.conversations.get(conversation)]
            assert shell.execute(query, (conversation,)).fetchall() == messages
