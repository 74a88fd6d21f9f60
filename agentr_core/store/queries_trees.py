"""Reading trees: their rows, their nodes as the core's ``Tree``, and the verdicts on them."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.interfaces.tree import Tree
from agentr_core.records import Verdict
from agentr_core.store.columns import unpack_completion, unpack_flags, unpack_state, unpack_text
from agentr_core.store.queries_base import BaseQueries
from agentr_core.store.rows import TaskRow, TreeRow, WorkStatus

_TREES = "SELECT trees.*, tasks.key AS task FROM trees JOIN tasks ON tasks.id = trees.task_id"
_TASKS = "SELECT * FROM tasks"
_NODES = """
SELECT n.*, coalesce(r.body, n.response) AS response_text, coalesce(o.body, n.observation) AS observation_text,
  coalesce(c.body, n.completion) AS completion_text
FROM nodes n LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation
LEFT JOIN texts c ON c.hash = n.completion
WHERE n.tree_id = ? ORDER BY n.node
"""
_VERDICTS = """
SELECT v.*, coalesce(body, rationale) AS reason FROM verdicts v LEFT JOIN texts ON texts.hash = v.rationale
WHERE v.tree_id = ? ORDER BY v.node
"""


class TreeQueries(BaseQueries):
    """What a search has stored."""

    def tasks(
        self, *, env: str | None = None, env_version: str | None = None, split: str | None = None
    ) -> list[TaskRow]:
        """The tasks stored so far, by id."""
        return self._rows(TaskRow, _TASKS, {"env": env, "env_version": env_version, "split": split}, "id")

    def task(self, task_id: int) -> TaskRow:
        """One task."""
        return self._by_id(TaskRow, _TASKS, task_id, "task")

    def task_ids(self, env: str, env_version: str) -> dict[str, int]:
        """The ids of the stored tasks of an environment, by key."""
        rows = self._store.all("SELECT key, id FROM tasks WHERE env = ? AND env_version = ?", (env, env_version))
        return {row["key"]: row["id"] for row in rows}

    def trees(
        self, run_id: int | None = None, *, iteration: int | None = None, status: WorkStatus | None = None
    ) -> list[TreeRow]:
        """Trees in the order they were planned."""
        where = {"run_id": run_id, "iteration": iteration, "status": status}
        return self._rows(TreeRow, _TREES, where, "trees.id")

    def tree(self, tree_id: int) -> TreeRow:
        """One tree without its nodes."""
        return self._by_id(TreeRow, _TREES, tree_id, "tree", "trees.id")

    def load_tree(self, tree_id: int) -> Tree:
        """The tree as it was after its last stored simulation (logprobs to 32 bits)."""
        row = self.tree(tree_id)
        if row.head is None:
            raise UsageError(f"tree {tree_id} was planned but never started")
        tree = Tree(self.task(row.task_id).task(), self.get_conversation(row.head), seed=row.seed)
        tree.simulations = row.simulations
        for node in self._store.all(_NODES, (tree_id,)):
            values = _node_values(node)
            if node["parent"] is None:
                for name, value in values.items():
                    setattr(tree.root, name, value)
            else:
                tree.add(tree.nodes[node["parent"]], **values)
        return tree

    def verdicts(self, tree_id: int) -> dict[tuple[str, str], dict[int, Verdict]]:
        """All verdicts on the nodes of a tree: by critic and judge hash, then by node."""
        found: dict[tuple[str, str], dict[int, Verdict]] = {}
        for row in self._store.all(_VERDICTS, (tree_id,)):
            verdict = Verdict(step=row["step"], label=row["label"], rationale=unpack_text(row["reason"]))
            found.setdefault((row["critic"], row["judge_hash"]), {})[row["node"]] = verdict
        return found

    def load_verdicts(self, tree_id: int, critic: str, judge_hash: str) -> dict[int, Verdict]:
        """The verdicts of one critic, configuration and model, by node."""
        return self.verdicts(tree_id).get((critic, judge_hash), {})


def _node_values(row: sqlite3.Row) -> dict[str, Any]:
    """The fields of a node from a row of ``_NODES``."""
    response = unpack_text(row["response_text"])
    said = response if row["completion"] is None else unpack_text(row["completion_text"])
    score = row["score"]
    return {
        "response": response,
        "action": None if row["action"] is None else unpack_text(row["action"]),
        "observation": unpack_text(row["observation_text"]),
        "reward": row["reward"],
        "score": math.nan if score is None else score,  # SQLite keeps a NaN as NULL
        "copies": row["copies"],
        "visits": row["visits"],
        "value_sum": row["value_sum"],
        "state_key": unpack_state(row["state"]),
        "info": json.loads(row["info_json"]) if row["info_json"] else {},
        "completion": unpack_completion(said, row["tokens"], row["finish"], row["prompt_tokens"], row["cached_tokens"]),
        **unpack_flags(row["flags"]),
    }
