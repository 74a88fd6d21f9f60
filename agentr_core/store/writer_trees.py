"""Writing trees: planned in order, grown simulation by simulation, each in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentr_core.errors import ResumeError
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Verdict
from agentr_core.store.columns import pack_completion, pack_flags, pack_json, pack_state, pack_text, readable
from agentr_core.store.rows import TreeRow
from agentr_core.store.writer_runs import RunWriter


@dataclass(frozen=True, slots=True)
class TreePlan:
    """A tree to be grown: which task, the how-manieth tree of it, and the tree's seed."""

    task_id: int
    repeat: int
    seed: int


_NODE_COLUMNS = (
    "tree_id, node, parent, response, action, observation, reward, score, flags, copies, visits, value_sum, state,"
    " simulation, info_json, completion, tokens, finish, prompt_tokens, cached_tokens"
)
_INSERT_NODE = f"INSERT OR REPLACE INTO nodes ({_NODE_COLUMNS}) VALUES ({', '.join('?' * 20)})"
_UPDATE_NODE = "UPDATE nodes SET flags = ?, copies = ?, visits = ?, value_sum = ? WHERE tree_id = ? AND node = ?"


class TreeWriter(RunWriter):
    """What a search writes."""

    def plan_trees(
        self,
        run_id: int,
        iteration: int,
        plans: Iterable[TreePlan],
        *,
        searcher: str,
        searcher_hash: str,
        model: str,
    ) -> list[TreeRow]:
        """The rows of the planned trees, in their order; made where they do not exist yet.

        Raises :class:`~agentr_core.errors.ResumeError` where such a tree was searched in another way.
        """
        plans = list(plans)
        rows = [(run_id, iteration, p.task_id, p.repeat, p.seed, searcher, searcher_hash, model) for p in plans]
        with self._store.transaction():
            self._store.executemany(
                "INSERT INTO trees (run_id, iteration, task_id, repeat, seed, searcher, searcher_hash, model)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            trees = self._store.queries.trees(run_id, iteration=iteration)
            stored = {(row.task_id, row.repeat): row for row in trees}
            planned = [stored[plan.task_id, plan.repeat] for plan in plans]
            for row, plan in zip(planned, plans, strict=True):
                _check_same(row, (searcher, searcher_hash, model, plan.seed))
        return planned

    def start_tree(self, tree_id: int, tree: Tree) -> None:
        """Store the head of the conversation and the root; the tree is running from now on."""
        with self._store.transaction():
            head = self._interner.conversation(tree.head)
            self._save_nodes(tree_id, tree, [tree.root])
            self._store.execute(
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
        with self._store.transaction():
            self._save_nodes(tree_id, tree, new_nodes)
            self._store.executemany(
                _UPDATE_NODE,
                ((pack_flags(n), n.copies, n.visits, n.value_sum, tree_id, n.index) for n in touched_nodes),
            )
            self._store.execute(
                "UPDATE trees SET simulations = ?, n_nodes = n_nodes + ? WHERE id = ?",
                (tree.simulations, len(new_nodes), tree_id),
            )

    def finish_tree(
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
        with self._store.transaction():
            self._store.execute(
                "UPDATE trees SET status = ?, best_reward = ?, stats_json = ?, error = ?,"
                " elapsed_seconds = coalesce(elapsed_seconds + ?, ?) WHERE id = ?",
                (status, tree and tree.best_reward, pack_json(stats), readable(error), elapsed, elapsed, tree_id),
            )

    def reset_tree(self, tree_id: int) -> None:
        """Forget the nodes of a tree, to grow it anew."""
        with self._store.transaction():
            self._store.execute("DELETE FROM nodes WHERE tree_id = ?", (tree_id,))
            self._store.execute(
                "UPDATE trees SET status = 'todo', simulations = 0, n_nodes = 0, best_reward = NULL, error = NULL,"
                " stats_json = NULL WHERE id = ?",
                (tree_id,),
            )

    def save_verdicts(self, tree_id: int, critic: str, judge_hash: str, verdicts: Mapping[int, Verdict]) -> None:
        """Keep verdicts by tree node. ``judge_hash`` names the critic's configuration, and its model if it has one."""
        with self._store.transaction():
            rows = [
                (tree_id, node, critic, judge_hash, v.step, v.label, self._interner.text(v.rationale))
                for node, v in verdicts.items()
            ]
            self._store.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _save_nodes(self, tree_id: int, tree: Tree, nodes: Sequence[Node]) -> None:
        # A generator: a list of rows would set off the garbage collector, which then walks all trees in flight.
        self._store.executemany(_INSERT_NODE, (self._node_row(tree_id, tree.simulations, node) for node in nodes))

    def _node_row(self, tree_id: int, simulation: int, node: Node) -> tuple[Any, ...]:
        text, said = self._interner.text, node.completion
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
