"""Reading runs, revisions, datasets, checkpoints and evaluations; and all queries in one class.

Each method returns frozen rows (:mod:`agentr_core.store.rows`) or records of the core.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.records import Example, TrainingSet
from agentr_core.store.queries_trees import TreeQueries
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
    RunRow,
    RunStatus,
    Sample,
    SampleKind,
    StageRow,
)

_RUNS = "SELECT * FROM runs"
_SETS = "SELECT * FROM revision_sets"
_DATASETS = "SELECT * FROM datasets"
_CHECKPOINTS = "SELECT * FROM checkpoints"
_EVALS = "SELECT * FROM evals"
_RESULTS = "SELECT r.*, tasks.key AS task FROM eval_results r JOIN tasks ON tasks.id = r.task_id"


class Queries(TreeQueries):
    """Everything that reads the store."""

    def runs(self, *, status: RunStatus | None = None) -> list[RunRow]:
        """All runs, newest first."""
        return self._rows(RunRow, _RUNS, {"status": status}, "id DESC")

    def run(self, reference: str) -> RunRow:
        """The run of this name (the newest one), of this key or start of a key; ``last`` is the newest run.

        Raises :class:`~agentr_core.errors.NothingToDo` where there are no runs at all, and
        :class:`~agentr_core.errors.UsageError` where none is meant, or more than one.
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
        if len(matches) > 1:
            raise UsageError(f"'{reference}' is the start of several runs: {', '.join(run.key for run in matches)}")
        if not matches:
            raise UsageError(_unknown_run(reference, runs))
        return matches[0]

    def run_by_id(self, run_id: int) -> RunRow:
        """The run with this number."""
        return self._by_id(RunRow, _RUNS, run_id, "run")

    def plugins(self, run_id: int) -> list[PluginRow]:
        """What code a run used, by kind and name."""
        return self._rows(PluginRow, "SELECT * FROM run_plugins", {"run_id": run_id}, "kind, name")

    def stages(self, run_id: int) -> list[StageRow]:
        """The stages of a run by iteration, in the order they follow each other."""
        order = "iteration, instr('search revise train evaluate', stage), stage"
        return self._rows(StageRow, "SELECT * FROM stages", {"run_id": run_id}, order)

    def stage(self, run_id: int, iteration: int, stage: str) -> StageRow | None:
        """One stage, or None where it was never begun."""
        where = {"run_id": run_id, "iteration": iteration, "stage": stage}
        return next(iter(self._rows(StageRow, "SELECT * FROM stages", where, "stage")), None)

    def metrics(self, run_id: int, *, iteration: int | None = None, stage: str | None = None) -> list[MetricRow]:
        """Metrics of a run, by iteration, stage, name and step."""
        where = {"run_id": run_id, "iteration": iteration, "stage": stage}
        return self._rows(MetricRow, "SELECT * FROM metrics", where, "iteration, stage, name, step")

    def revision_sets(
        self, run_id: int | None = None, *, iteration: int | None = None, critic: str | None = None
    ) -> list[RevisionSetRow]:
        """Sets of revisions in the order they were made."""
        where = {"run_id": run_id, "iteration": iteration, "critic": critic}
        return self._rows(RevisionSetRow, _SETS, where, "id")

    def revision_set(self, set_id: int) -> RevisionSetRow:
        """One set of revisions."""
        return self._by_id(RevisionSetRow, _SETS, set_id, "revision")

    def revised_trees(self, set_id: int) -> dict[int, dict[str, Any]]:
        """The metrics of each tree that a set has revised, by tree."""
        rows = self._store.all("SELECT * FROM revised_trees WHERE set_id = ? ORDER BY tree_id", (set_id,))
        return {row["tree_id"]: json.loads(row["metrics_json"] or "{}") for row in rows}

    def samples(
        self, set_id: int, *, tree_id: int | None = None, kind: SampleKind | None = None, kept: bool | None = None
    ) -> list[Sample]:
        """The samples of a set by tree, kind and leaves; :meth:`get_conversation` gives their messages."""
        where = {"set_id": set_id, "tree_id": tree_id, "kind": kind, "kept": kept}
        return self._rows(Sample, "SELECT * FROM samples", where, "tree_id, kind, bad_leaf, good_leaf")

    def preferences(self, set_id: int) -> list[Preference]:
        """The preference pairs of a set by tree, node and leaves; :meth:`get_conversation` gives their messages."""
        order = "tree_id, node, chosen_leaf, rejected_leaf"
        return self._rows(Preference, "SELECT * FROM preferences", {"set_id": set_id}, order)

    def datasets(
        self, run_id: int | None = None, *, iteration: int | None = None, name: str | None = None
    ) -> list[DatasetRow]:
        """Datasets in the order they were made."""
        return self._rows(DatasetRow, _DATASETS, {"run_id": run_id, "iteration": iteration, "name": name}, "id")

    def dataset(self, dataset_id: int) -> DatasetRow:
        """One dataset without its examples."""
        return self._by_id(DatasetRow, _DATASETS, dataset_id, "dataset")

    def dataset_items(self, dataset_id: int) -> list[DatasetItem]:
        """The examples of a dataset in order; :meth:`get_conversation` gives their messages."""
        return self._rows(DatasetItem, "SELECT * FROM dataset_items", {"dataset_id": dataset_id}, "position")

    def training_set(self, dataset_id: int) -> TrainingSet:
        """A dataset with its examples, as trainers take it."""
        row = self.dataset(dataset_id)
        examples = tuple(
            Example(self.get_conversation(item.conversation), item.kind, item.origin)
            for item in self.dataset_items(dataset_id)
        )
        return TrainingSet(row.name, examples, row.content_hash)

    def checkpoints(
        self, run_id: int | None = None, *, iteration: int | None = None, complete: bool | None = None
    ) -> list[CheckpointRow]:
        """Checkpoints in the order they were begun."""
        where = {"run_id": run_id, "iteration": iteration, "complete": complete}
        return self._rows(CheckpointRow, _CHECKPOINTS, where, "id")

    def checkpoint(self, checkpoint_id: int) -> CheckpointRow:
        """One checkpoint."""
        return self._by_id(CheckpointRow, _CHECKPOINTS, checkpoint_id, "checkpoint")

    def evals(
        self, run_id: int | None = None, *, iteration: int | None = None, kind: EvalKind | None = None
    ) -> list[EvalRow]:
        """Evaluations in the order they were begun."""
        return self._rows(EvalRow, _EVALS, {"run_id": run_id, "iteration": iteration, "kind": kind}, "id")

    def eval(self, eval_id: int) -> EvalRow:
        """One evaluation."""
        return self._by_id(EvalRow, _EVALS, eval_id, "eval")

    def eval_results(self, eval_id: int) -> list[EvalResult]:
        """How the tasks of an evaluation went, by task and repeat."""
        return self._rows(EvalResult, _RESULTS, {"eval_id": eval_id}, "task_id, repeat")

    def counts(self) -> dict[str, int]:
        """How many rows each table has, by name."""
        tables = self._store.all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return {name: self._store.all(f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in tables}


def _unknown_run(reference: str, runs: Sequence[RunRow], shown: int = 5) -> str:
    labels = [run.name or run.short for run in runs]
    near = difflib.get_close_matches(reference, labels, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    more = f" and {len(runs) - shown} more" if len(runs) > shown else ""
    return f"no run is called '{reference}'.{hint} The last ones: {', '.join(labels[:shown])}{more}."
