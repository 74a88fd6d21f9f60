"""Reading the store: each method returns frozen rows, or the records of the core."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.records import Example, Message, TrainingSet, Verdict
from agentr_core.store.database import Store
from agentr_core.store.packing import unpack_completion, unpack_flags, unpack_state, unpack_text
from agentr_core.store.rows import (
    CheckpointRow,
    DatasetItem,
    DatasetRow,
    EvalKind,
    EvalResult,
    EvalRow,
    MetricRow,
    PluginRow,
    Preference,
    RevisionSetRow,
    Row,
    RunRow,
    RunStatus,
    Sample,
    SampleKind,
    StageRow,
    TaskRow,
    TreeRow,
    WorkStatus,
)
from agentr_core.tree import Node, Tree

RowT = TypeVar("RowT", bound=Row)

_CONVERSATION = """
WITH RECURSIVE chain (hash, parent, role, train, text, back) AS (
  SELECT hash, parent, role, train, text, 0 FROM messages WHERE hash = ?
  UNION ALL
  SELECT m.hash, m.parent, m.role, m.train, m.text, back + 1 FROM messages m JOIN chain ON m.hash = chain.parent)
SELECT role, train, body FROM chain JOIN texts ON texts.hash = chain.text ORDER BY back DESC
"""
_NODES = """
SELECT n.*, r.body AS response_body, o.body AS observation_body, c.body AS completion_body
FROM nodes n JOIN texts r ON r.hash = n.response JOIN texts o ON o.hash = n.observation
LEFT JOIN texts c ON c.hash = n.completion
WHERE n.tree_id = ? ORDER BY n.node
"""


class Queries:
    """Everything that reads the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # runs ------------------------------------------------------------------------------------------------------------

    def runs(self, *, status: RunStatus | None = None) -> list[RunRow]:
        """All runs, newest first."""
        return self._rows(RunRow, "SELECT * FROM runs", {"status": status}, "id DESC")

    def run(self, reference: str) -> RunRow:
        """The run with this name (the newest one), key or start of a key; ``last`` is the newest run.

        Raises :class:`~agentr_core.errors.UsageError` where there is none, or more than one.
        """
        runs = self.runs()
        if not runs:
            raise NothingToDo(f"there are no runs in {self._store.path} yet; start one with: agentr run")
        if reference == "last":
            return runs[0]
        for run in runs:
            if reference in (run.name, run.key):
                return run
        matches = [run for run in runs if reference and run.key.startswith(reference.upper())]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UsageError(f"'{reference}' is the start of several runs: {', '.join(run.key for run in matches)}")
        raise UsageError(_unknown_run(reference, runs))

    def plugins(self, run_id: int) -> list[PluginRow]:
        """What code a run used, by kind and name."""
        return self._rows(PluginRow, "SELECT * FROM run_plugins", {"run_id": run_id}, "kind, name")

    def stages(self, run_id: int) -> list[StageRow]:
        """The stages of a run, in the order of their iterations."""
        return self._rows(StageRow, "SELECT * FROM stages", {"run_id": run_id}, "iteration, started_at")

    def stage(self, run_id: int, iteration: int, stage: str) -> StageRow | None:
        """One stage, or None where it was never begun."""
        key = {"run_id": run_id, "iteration": iteration, "stage": stage}
        return next(iter(self._rows(StageRow, "SELECT * FROM stages", key)), None)

    def metrics(self, run_id: int, *, iteration: int | None = None, stage: str | None = None) -> list[MetricRow]:
        """Metrics of a run, by iteration, stage, name and step."""
        key = {"run_id": run_id, "iteration": iteration, "stage": stage}
        return self._rows(MetricRow, "SELECT * FROM metrics", key, "iteration, stage, name, step")

    def tasks(
        self, *, env: str | None = None, env_version: str | None = None, split: str | None = None
    ) -> list[TaskRow]:
        """The tasks stored so far, by id."""
        key = {"env": env, "env_version": env_version, "split": split}
        return self._rows(TaskRow, "SELECT * FROM tasks", key, "id")

    def task(self, task_id: int) -> TaskRow:
        """One task."""
        return self._by_id(TaskRow, "tasks", "task", task_id)

    def task_ids(self, env: str, env_version: str) -> dict[str, int]:
        """The ids of the stored tasks of an environment, by key."""
        sql = "SELECT key, id FROM tasks WHERE env = ? AND env_version = ?"
        return {row["key"]: row["id"] for row in self._store.all(sql, (env, env_version))}

    # trees -----------------------------------------------------------------------------------------------------------

    def trees(
        self, run_id: int | None = None, *, iteration: int | None = None, status: WorkStatus | None = None
    ) -> list[TreeRow]:
        """Trees in the order they were planned."""
        key = {"run_id": run_id, "iteration": iteration, "trees.status": status}
        return self._rows(TreeRow, _TREES, key, "trees.id")

    def tree(self, tree_id: int) -> TreeRow:
        """One tree without its nodes."""
        found = self._rows(TreeRow, _TREES, {"trees.id": tree_id})
        if not found:
            raise UsageError(f"there is no tree {tree_id} in {self._store.path}; list them with: agentr trees list")
        return found[0]

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

    def load_verdicts(self, tree_id: int, critic: str, judge_hash: str) -> dict[int, Verdict]:
        """The verdicts of one critic, configuration and model on the nodes of a tree."""
        return self.verdicts(tree_id).get((critic, judge_hash), {})

    def verdicts(self, tree_id: int) -> dict[tuple[str, str], dict[int, Verdict]]:
        """All verdicts on the nodes of a tree, by critic and judge hash."""
        sql = (
            "SELECT v.*, body FROM verdicts v LEFT JOIN texts ON texts.hash = rationale WHERE tree_id = ? ORDER BY node"
        )
        found: dict[tuple[str, str], dict[int, Verdict]] = {}
        for row in self._store.all(sql, (tree_id,)):
            reason = unpack_text(row["body"]) if row["body"] else ""
            verdict = Verdict(step=row["step"], label=row["label"], rationale=reason)
            found.setdefault((row["critic"], row["judge_hash"]), {})[row["node"]] = verdict
        return found

    def get_conversation(self, conversation: bytes) -> tuple[Message, ...]:
        """The messages of a conversation."""
        rows = self._store.all(_CONVERSATION, (conversation,))
        if not rows:
            raise UsageError(f"there is no conversation {conversation.hex()} in {self._store.path}")
        return tuple(Message(row["role"], unpack_text(row["body"]), bool(row["train"])) for row in rows)

    # revisions and data ----------------------------------------------------------------------------------------------

    def revision_sets(
        self, run_id: int | None = None, *, iteration: int | None = None, critic: str | None = None
    ) -> list[RevisionSetRow]:
        """Sets of revisions in the order they were made."""
        key = {"run_id": run_id, "iteration": iteration, "critic": critic}
        return self._rows(RevisionSetRow, "SELECT * FROM revision_sets", key, "id")

    def revision_set(self, set_id: int) -> RevisionSetRow:
        """One set of revisions."""
        return self._by_id(RevisionSetRow, "revision_sets", "set of revisions", set_id)

    def revised_trees(self, set_id: int) -> dict[int, dict[str, Any]]:
        """The metrics of the trees that a set has revised, by tree id in order."""

        class Revised(Row):
            pass

        raise NotImplementedError

    def samples(
        self, set_id: int, *, tree_id: int | None = None, kind: SampleKind | None = None, kept: bool | None = None
    ) -> list[Sample]:
        """The samples of a set with their messages, by tree, kind and leaves."""
        raise NotImplementedError

    def preferences(self, set_id: int) -> list[Preference]:
        """The preference pairs of a set with their messages."""
        raise NotImplementedError

    def datasets(self, run_id: int | None = None, *, iteration: int | None = None) -> list[DatasetRow]:
        """Datasets in the order they were made."""
        raise NotImplementedError

    def dataset(self, dataset_id: int) -> DatasetRow:
        """One dataset without its examples."""
        raise NotImplementedError

    def dataset_items(self, dataset_id: int) -> list[DatasetItem]:
        """The examples of a dataset without their messages."""
        raise NotImplementedError

    def training_set(self, dataset_id: int) -> TrainingSet:
        """A dataset with its examples, as trainers take it."""
        raise NotImplementedError

    def checkpoints(
        self, run_id: int | None = None, *, iteration: int | None = None, complete: bool | None = None
    ) -> list[CheckpointRow]:
        """Checkpoints in the order they were begun."""
        raise NotImplementedError

    def checkpoint(self, checkpoint_id: int) -> CheckpointRow:
        """One checkpoint."""
        raise NotImplementedError

    def evals(
        self, run_id: int | None = None, *, iteration: int | None = None, kind: EvalKind | None = None
    ) -> list[EvalRow]:
        """Evaluations in the order they were begun."""
        raise NotImplementedError

    def eval(self, eval_id: int) -> EvalRow:
        """One evaluation."""
        raise NotImplementedError

    def eval_results(self, eval_id: int) -> list[EvalResult]:
        """How the tasks of an evaluation went, by task and repeat, without messages."""
        raise NotImplementedError

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        raise NotImplementedError
