"""Trees: planned in order, grown simulation by simulation, each in one transaction; and the verdicts on their nodes."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentr_core.errors import ResumeError, UsageError
from agentr_core.hashing import content_hash
from agentr_core.store.columns import (
    pack_completion,
    pack_flags,
    pack_json,
    pack_state,
    pack_text,
    readable,
    unpack_completion,
    unpack_flags,
    unpack_state,
    unpack_text,
)
from agentr_core.store.connection import Connection
from agentr_core.store.rows import TreeRow, VerdictRow, WorkStatus
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.tasks import Tasks
from agentr_core.store.texts import Conversations

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, Tree
    from agentr_core.records import Verdict

_TREES = "SELECT trees.*, tasks.env, tasks.key AS task FROM trees JOIN tasks ON tasks.id = trees.task_id"
_NODES = """
SELECT n.*, coalesce(r.body, n.response) AS response_text, coalesce(o.body, n.observation) AS observation_text,
  coalesce(c.body, n.completion) AS completion_text
FROM nodes n LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation
LEFT JOIN texts c ON c.hash = n.completion
WHERE n.tree_id = ? ORDER BY n.node
"""
#: A flag of 4 is ``invalid`` (columns.py). The root, which is no turn, has an observation.
_TURNS = """
SELECT count(parent) AS turns, sum(finish = 'length') AS cut_off, sum(flags & 4 > 0) AS refused,
  sum(copies) - count(*) AS duplicates, sum(copies) - count(*) + count(parent) AS drawn,
  sum(info_json LIKE '%"context_full":true%') AS context_full, sum(info_json LIKE '%"left_out":%') AS shown_in_part
FROM nodes JOIN trees ON trees.id = nodes.tree_id
WHERE trees.run_id = ? AND trees.iteration = ?
"""
#: An end is what ``Tree.leaves`` gives: terminal (8), nothing below it, since it was not expanded (32), not the root.
_ENDS = """
SELECT tree_id, count(*) AS attempts, sum(reward >= 1.0) AS solved FROM nodes
WHERE tree_id IN (SELECT id FROM trees WHERE run_id = ? AND iteration < ? AND status = 'done')
  AND flags & 40 = 8 AND parent IS NOT NULL GROUP BY tree_id
"""
_VERDICTS = """
SELECT v.*, coalesce(body, rationale) AS reason FROM verdicts v LEFT JOIN texts ON texts.hash = v.rationale
WHERE v.tree_id = ? ORDER BY v.node
"""
_NODE_COLUMNS = (
    "tree_id, node, parent, response, action, observation, reward, score, flags, copies, visits, value_sum, state,"
    " simulation, info_json, completion, tokens, finish, prompt_tokens, cached_tokens"
)
_INSERT_NODE = f"INSERT OR REPLACE INTO nodes ({_NODE_COLUMNS}) VALUES ({', '.join('?' * 20)})"
_UPDATE_NODE = "UPDATE nodes SET flags = ?, copies = ?, visits = ?, value_sum = ? WHERE tree_id = ? AND node = ?"


def judge_hash(critic: Mapping[str, Any] | None, actor: Mapping[str, Any] | None, seed: int | None) -> str:
    """What verdicts are found again under: the critic with its settings, who acts where it asks the actor, the seed."""
    return content_hash([critic, actor or "", seed])


@dataclass(frozen=True, slots=True)
class TreePlan:
    """A tree to be grown: of which task, and its seed."""

    task_id: int
    seed: int


class Trees:
    """The trees of the store, their nodes and the verdicts on them."""

    def __init__(self, connection: Connection, conversations: Conversations, tasks: Tasks) -> None:
        self._connection, self._conversations, self._tasks = connection, conversations, tasks

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, status: WorkStatus | None = None
    ) -> list[TreeRow]:
        """Trees in the order they were planned."""
        where = {"run_id": run_id, "iteration": iteration, "status": status}
        return select_rows(self._connection, TreeRow, _TREES, where, "trees.id")

    def get(self, tree_id: int) -> TreeRow:
        """One tree without its nodes."""
        return row_by_id(self._connection, TreeRow, _TREES, tree_id, "tree", "trees.id")

    def load(self, tree_id: int) -> Tree:
        """The tree as it was after its last stored simulation (logprobs to 32 bits)."""
        from agentr_core.interfaces.tree import Tree

        row = self.get(tree_id)
        if row.head is None:
            raise UsageError(f"tree {tree_id} was planned but never started")
        tree = Tree(self._tasks.get(row.task_id).task(), self._conversations.get(row.head), seed=row.seed)
        tree.simulations = row.simulations
        for node in self._connection.all(_NODES, (tree_id,)):
            values = _node_values(node)
            if node["parent"] is None:
                for name, value in values.items():
                    setattr(tree.root, name, value)
            else:
                tree.add(tree.nodes[node["parent"]], **values)
        return tree

    def plan(
        self,
        run_id: int,
        iteration: int,
        plans: Iterable[TreePlan],
        *,
        searcher: str,
        searcher_hash: str,
        model: str,
    ) -> list[TreeRow]:
        """The rows of the planned trees, one a task, in their order; made where they do not exist yet.

        Raises :class:`~agentr_core.errors.ResumeError` where such a tree was searched in another way.
        """
        plans = list(plans)
        rows = [(run_id, iteration, p.task_id, p.seed, searcher, searcher_hash, model) for p in plans]
        with self._connection.transaction():
            self._connection.executemany(
                "INSERT INTO trees (run_id, iteration, task_id, seed, searcher, searcher_hash, model)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            stored = {row.task_id: row for row in self.select(run_id, iteration=iteration)}
            planned = [stored[plan.task_id] for plan in plans]
            for row, plan in zip(planned, plans, strict=True):
                _check_same(row, (searcher, searcher_hash, model, plan.seed))
        return planned

    def start(self, tree_id: int, tree: Tree) -> None:
        """Store the head of the conversation and the root; the tree is running from now on."""
        with self._connection.transaction():
            head = self._conversations.save(tree.head)
            self._save_nodes(tree_id, tree, [tree.root])
            self._connection.execute(
                "UPDATE trees SET status = 'running', head = ?, root_state = ?, n_nodes = 1 WHERE id = ?",
                (head, pack_state(tree.root.state_key), tree_id),
            )

    def save_simulation(
        self, tree_id: int, tree: Tree, new_nodes: Sequence[Node], touched_nodes: Sequence[Node]
    ) -> None:
        """One finished simulation in one transaction.

        ``new_nodes``: all nodes added since the last call. ``touched_nodes``: older ones whose flags, copies, visits or
        values changed. ``tree.simulations`` is stored as it is: the caller has counted this simulation already.
        """
        with self._connection.transaction():
            self._save_nodes(tree_id, tree, new_nodes)
            self._connection.executemany(
                _UPDATE_NODE,
                ((pack_flags(n), n.copies, n.visits, n.value_sum, tree_id, n.index) for n in touched_nodes),
            )
            self._connection.execute(
                "UPDATE trees SET simulations = ?, n_nodes = n_nodes + ? WHERE id = ?",
                (tree.simulations, len(new_nodes), tree_id),
            )

    def finish(
        self,
        tree_id: int,
        status: Literal["done", "failed"],
        tree: Tree | None = None,
        *,
        stats: Mapping[str, Any] | None = None,
        elapsed: float | None = None,
        error: str | None = None,
    ) -> None:
        """Close a tree. ``elapsed`` (seconds) adds to what earlier attempts took; ``tree`` gives the best reward."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE trees SET status = ?, best_reward = ?, stats_json = ?, error = ?,"
                " attempts = attempts + ?, elapsed_seconds = coalesce(elapsed_seconds + ?, ?) WHERE id = ?",
                (
                    status,
                    tree and tree.best_reward,
                    pack_json(stats),
                    readable(error),
                    status == "failed",
                    elapsed,
                    elapsed,
                    tree_id,
                ),
            )

    def count_attempt(self, tree_id: int) -> None:
        """A tree had to be tried again."""
        with self._connection.transaction():
            self._connection.execute("UPDATE trees SET attempts = attempts + 1 WHERE id = ?", (tree_id,))

    def count_turns(self, run_id: int, iteration: int) -> dict[str, int]:
        """How the turns of an iteration's trees ended: all, cut off, refused, merged as copies, with a full context.

        ``drawn`` are all samples, those that were merged included.
        """
        row = self._connection.one(_TURNS, (run_id, iteration))
        return {} if row is None else {name: int(row[name] or 0) for name in row.keys()}  # noqa: SIM118 - a Row

    def count_ends(self, run_id: int, before: int) -> dict[int, tuple[int, int]]:
        """Whole attempts, and those of reward 1, of each tree that is done of iterations ``before`` this one, by tree.

        A tree without a whole attempt is not among them.
        """
        rows = self._connection.all(_ENDS, (run_id, before))
        return {row["tree_id"]: (row["attempts"], row["solved"]) for row in rows}

    def verdicts(self, tree_id: int) -> dict[tuple[str, str], dict[int, VerdictRow]]:
        """All verdicts on the nodes of a tree: by critic and judge hash, then by node."""
        found: dict[tuple[str, str], dict[int, VerdictRow]] = {}
        for row in self._connection.all(_VERDICTS, (tree_id,)):
            node, reason = row["node"], unpack_text(row["reason"])
            told = {"node": node, "step": row["step"], "label": row["label"], "value": row["value"]}
            verdict = VerdictRow(**told, rationale=reason)
            found.setdefault((row["critic"], row["judge_hash"]), {})[node] = verdict
        return found

    def verdicts_of(self, tree_id: int, critic: str, judge_hash: str) -> dict[int, Verdict]:
        """The verdicts of one critic, configuration and model, by node, as the critic gave them."""
        given = self.verdicts(tree_id).get((critic, judge_hash), {})
        return {node: row.verdict() for node, row in given.items()}

    def save_verdicts(self, tree_id: int, critic: str, judge_hash: str, verdicts: Mapping[int, Verdict]) -> None:
        """Keep verdicts by tree node. ``judge_hash`` names the critic's configuration, and its model if it has one."""
        with self._connection.transaction():
            rows = [
                (tree_id, node, critic, judge_hash, v.step, v.label, self._conversations.intern(v.rationale), v.value)
                for node, v in verdicts.items()
            ]
            self._connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _save_nodes(self, tree_id: int, tree: Tree, nodes: Sequence[Node]) -> None:
        # A generator: a list of rows would set off the garbage collector, which then walks all trees in flight.
        self._connection.executemany(_INSERT_NODE, (self._node_row(tree_id, tree.simulations, node) for node in nodes))

    def _node_row(self, tree_id: int, simulation: int, node: Node) -> tuple[Any, ...]:
        text, said = self._conversations.intern, node.completion
        return (
            tree_id,
            node.index,
            None if node.parent is None else node.parent.index,
            text(node.response),
            None if node.action is None else pack_text(node.action),
            text(node.observation),
            node.reward,
            node.score,
            pack_flags(node),
            node.copies,
            node.visits,
            node.value_sum,
            pack_state(node.state_key),
            simulation,
            pack_json(node.info),
            None if said is None or said.text == node.response else text(said.text),
            *pack_completion(said),
        )


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


def _check_same(row: TreeRow, wanted: tuple[str, str, str, int]) -> None:
    stored = (row.searcher, row.searcher_hash, row.model, row.seed)
    if stored == wanted:
        return
    names = ("searcher", "searcher configuration", "model", "seed")
    differences = [
        f"{name} stored {old} now {new}" for name, old, new in zip(names, stored, wanted, strict=True) if old != new
    ]
    raise ResumeError(
        f"iteration {row.iteration} was searched in another way ({'; '.join(differences)}); start a new run"
    )
