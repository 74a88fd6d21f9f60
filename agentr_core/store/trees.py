"""Trees: planned in order, grown simulation by simulation, each in one transaction; and the verdicts on their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentr_core.errors import ResumeError, StoreError, UsageError
from agentr_core.hashing import content_hash
from agentr_core.store.columns import pack_json, pack_state, readable, unpack_text
from agentr_core.store.connection import Connection
from agentr_core.store.events import Place, Rows, TreeEnded, TreeGrown
from agentr_core.store.node_rows import NODE_COLUMNS, node_row, node_values, touched_row
from agentr_core.store.rows import TreeRow, VerdictRow, WorkStatus
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.tasks import Tasks
from agentr_core.store.texts import Conversations

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, Tree, TreeNodes
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
  sum(info_json LIKE '%"context_full":true%') AS context_full, sum(info_json LIKE '%"left_out":%') AS shown_in_part,
  sum(info_json LIKE '%"search":{%"value":null%') AS unvalued
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
_INSERT_NODE = f"INSERT OR REPLACE INTO nodes ({NODE_COLUMNS}) VALUES ({', '.join('?' * 20)})"
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
        tree = Tree(self._tasks.get(row.task_id).task(), self._conversations.get(_head(row)), seed=row.seed)
        self._fill(tree, row, completions=True)
        return tree

    def nodes(self, tree_id: int) -> TreeNodes:
        """The nodes of :meth:`load` without their completions: nothing is made of records that only slow a look."""
        from agentr_core.interfaces.tree import Node, TreeNodes

        row, tree = self.get(tree_id), TreeNodes(Node(0, None, 0))
        _head(row)
        self._fill(tree, row, completions=False)
        return tree

    def _fill(self, tree: TreeNodes, row: TreeRow, *, completions: bool) -> None:
        """Add the stored nodes."""
        tree.simulations = row.simulations
        for node in self._connection.all(_NODES, (row.id,)):
            values = node_values(node, completion=completions)
            if node["parent"] is None:
                for name, value in values.items():
                    setattr(tree.root, name, value)
            else:
                tree.add(tree.nodes[node["parent"]], **values)

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

    def growth(
        self, tree_id: int, before: Place, tree: Tree, new_nodes: Sequence[Node], touched_nodes: Sequence[Node]
    ) -> TreeGrown:
        """What one commit of a tree that is stored up to ``before`` brings, as a value that :meth:`grow` applies.

        ``new_nodes``: all nodes added since the last commit, of a new tree the root as well. ``touched_nodes``: older
        ones whose flags, copies, visits or values changed. ``tree.simulations`` is stored as it is: the caller has
        counted this simulation already.
        """
        packer = self._conversations.packer
        new = bool(new_nodes) and new_nodes[0].parent is None
        start = (packer.conversation(tree.head), pack_state(tree.root.state_key)) if new else None
        nodes = tuple([node_row(packer, tree_id, tree.simulations, node) for node in new_nodes])
        touched = tuple([touched_row(tree_id, node) for node in touched_nodes])
        after = (tree.simulations, before[1] + len(nodes))
        return TreeGrown(tree_id, before, after, nodes, touched, packer.written(), start)

    def grow(self, event: TreeGrown) -> None:
        """Store what :meth:`growth` packed; nothing where it is stored already.

        Raises :class:`~agentr_core.errors.StoreError` where something is missing between what is stored and the event.
        """
        with self._connection.transaction():
            self._conversations.insert(event.written)
            if not self._advance(event):
                return
            self._connection.executemany(_INSERT_NODE, event.nodes)
            self._connection.executemany(_UPDATE_NODE, event.touched)

    def _advance(self, event: TreeGrown) -> bool:
        """Move a tree from where the event takes it up to where it leaves it; False where it is there already."""
        begin = "status = 'running', head = ?, root_state = ?, " if event.start else ""
        values = (*(event.start or ()), *event.after, event.tree_id, *event.before)
        where = "WHERE id = ? AND simulations = ? AND n_nodes = ?"
        if self._connection.execute(f"UPDATE trees SET {begin}simulations = ?, n_nodes = ? {where}", values):
            return True
        row = self.get(event.tree_id)
        if (row.simulations, row.n_nodes) >= event.after:
            return False
        raise StoreError(
            f"tree {row.id} is stored up to simulation {row.simulations} ({row.n_nodes} nodes), and what is to be "
            f"stored goes on from simulation {event.before[0]} ({event.before[1]} nodes); resume the run"
        )

    def start(self, tree_id: int, tree: Tree) -> None:
        """Store the head of the conversation and the root; the tree is running from now on."""
        self.save_simulation(tree_id, tree, [tree.root], [])

    def save_simulation(
        self, tree_id: int, tree: Tree, new_nodes: Sequence[Node], touched_nodes: Sequence[Node]
    ) -> None:
        """One finished simulation in one transaction; see :meth:`growth`."""
        with self._connection.transaction():
            row = self._connection.one("SELECT simulations, n_nodes FROM trees WHERE id = ?", (tree_id,))
            before = (row["simulations"], row["n_nodes"]) if row is not None else (0, 0)
            self.grow(self.growth(tree_id, before, tree, new_nodes, touched_nodes))

    @staticmethod
    def ending(tree_id: int, tree: Tree, stats: Mapping[str, Any] | None, elapsed: float | None) -> TreeEnded:
        """A tree that is done, as a value that :meth:`end` applies. ``elapsed``: seconds of this attempt."""
        return TreeEnded(tree_id, "done", len(tree.nodes), tree.best_reward, pack_json(stats), None, elapsed)

    def end(self, event: TreeEnded) -> None:
        """Close a tree; one that is done stays as it is where it is said to be done again."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE trees SET status = ?, best_reward = ?, stats_json = ?, error = ?,"
                " attempts = attempts + ?, elapsed_seconds = coalesce(elapsed_seconds + ?, ?)"
                " WHERE id = ? AND NOT (status = 'done' AND ? = 'done')",
                (
                    event.status,
                    event.best_reward,
                    event.stats_json,
                    event.error,
                    event.status == "failed",
                    event.elapsed_seconds,
                    event.elapsed_seconds,
                    event.tree_id,
                    event.status,
                ),
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
        nodes, best = (0, None) if tree is None else (len(tree.nodes), tree.best_reward)
        self.end(TreeEnded(tree_id, status, nodes, best, pack_json(stats), readable(error), elapsed))

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
            said = {name: row[name] for name in ("node", "step", "label", "value")}
            verdict = VerdictRow(**said, rationale=unpack_text(row["reason"]))
            found.setdefault((row["critic"], row["judge_hash"]), {})[verdict.node] = verdict
        return found

    def verdicts_of(self, tree_id: int, critic: str, judge_hash: str) -> dict[int, Verdict]:
        """The verdicts of one critic, configuration and model, by node, as the critic gave them."""
        given = self.verdicts(tree_id).get((critic, judge_hash), {})
        return {node: row.verdict() for node, row in given.items()}

    def verdict_rows(self, tree_id: int, critic: str, judge_hash: str, verdicts: Mapping[int, Verdict]) -> Rows:
        """Verdicts by tree node as rows that :meth:`put_verdicts` stores, once the packer's texts are."""
        text = self._conversations.packer.text
        own = (tree_id, critic, judge_hash)
        return tuple([(*own, node, v.step, v.label, text(v.rationale), v.value) for node, v in verdicts.items()])

    def put_verdicts(self, rows: Rows) -> None:
        """Store packed verdicts. Inside a transaction."""
        columns = "tree_id, critic, judge_hash, node, step, label, rationale, value"
        self._connection.executemany(
            f"INSERT OR REPLACE INTO verdicts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
        )

    def save_verdicts(self, tree_id: int, critic: str, judge_hash: str, verdicts: Mapping[int, Verdict]) -> None:
        """Keep verdicts by tree node. ``judge_hash`` names the critic's configuration, and its model if it has one."""
        with self._connection.transaction():
            rows = self.verdict_rows(tree_id, critic, judge_hash, verdicts)
            self._conversations.insert(self._conversations.packer.written())
            self.put_verdicts(rows)


def _head(row: TreeRow) -> bytes:
    if row.head is None:
        raise UsageError(f"tree {row.id} was planned but never started")
    return row.head


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
