"""Writing what comes after the search: revisions, datasets, checkpoints and evaluations; and the whole writer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from agentr_core.hashing import canonical_json, content_hash
from agentr_core.records import Example, Message
from agentr_core.store.columns import pack_json, readable
from agentr_core.store.rows import (
    CheckpointRow,
    DatasetRow,
    EvalKind,
    EvalResult,
    EvalRow,
    Preference,
    RevisionSetRow,
    Sample,
)
from agentr_core.store.writer_runs import now
from agentr_core.store.writer_trees import TreePlan, TreeWriter

__all__ = ["TreePlan", "Writer"]

_SAMPLE_COLUMNS = (
    "set_id, tree_id, kind, bad_leaf, good_leaf, divergence, cut, judged, verified, reward, bad_reward, good_reward,"
    " mismatches, kept, conversation, origin_json"
)


class Writer(TreeWriter):
    """Everything that changes the store. Each method is one transaction, or part of the caller's."""

    def put_conversation(self, messages: Sequence[Message]) -> bytes:
        """Store a conversation; its hash, under which :meth:`Queries.get_conversation` finds it."""
        with self._store.transaction():
            return self._interner.conversation(messages)

    def open_revision_set(
        self, run_id: int, iteration: int, critic: str, config: Mapping[str, Any], *, model: str, config_hash: str = ""
    ) -> RevisionSetRow:
        """The set of revisions of one critic and configuration; made where it does not exist yet.

        ``config_hash`` is that of ``config`` unless given. A set that is not done is running from now on.
        """
        key = (run_id, iteration, critic, config_hash or content_hash(config))
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO revision_sets (run_id, iteration, critic, config_hash, config_json, model, status)"
                " VALUES (?, ?, ?, ?, ?, ?, 'running')"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (*key, canonical_json(config), model),
            )
            row = self._store.one(
                "SELECT * FROM revision_sets WHERE run_id = ? AND iteration = ? AND critic = ? AND config_hash = ?", key
            )
        assert row is not None
        return RevisionSetRow.read(row)

    def save_revised_tree(
        self,
        set_id: int,
        tree_id: int,
        samples: Iterable[Sample],
        metrics: Mapping[str, Any] | None = None,
        preferences: Iterable[Preference] = (),
    ) -> None:
        """Mark a tree as revised and keep what came out of it, in place of what an earlier attempt left."""
        with self._store.transaction():
            for table in ("samples", "preferences"):
                self._store.execute(f"DELETE FROM {table} WHERE set_id = ? AND tree_id = ?", (set_id, tree_id))
            self._store.execute(
                "INSERT INTO revised_trees VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET metrics_json = excluded.metrics_json",
                (set_id, tree_id, pack_json(metrics)),
            )
            self._store.executemany(
                f"INSERT INTO samples ({_SAMPLE_COLUMNS}) VALUES ({', '.join('?' * 16)})",
                [self._sample_row(set_id, sample) for sample in samples],
            )
            self._store.executemany(
                "INSERT INTO preferences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [self._preference_row(set_id, preference) for preference in preferences],
            )

    def _sample_row(self, set_id: int, s: Sample) -> tuple[Any, ...]:
        conversation = self._interner.conversation(s.messages)
        where = (set_id, s.tree_id, s.kind, s.bad_leaf, s.good_leaf, s.divergence, s.cut, s.judged, s.verified)
        rewards = (s.reward, s.bad_reward, s.good_reward)
        return (*where, *rewards, s.mismatches, s.kept, conversation, pack_json(s.origin))

    def _preference_row(self, set_id: int, p: Preference) -> tuple[Any, ...]:
        where = (set_id, p.tree_id, p.node, p.chosen_leaf, p.rejected_leaf, p.chosen_reward, p.rejected_reward)
        chosen = self._interner.conversation(p.chosen_messages)
        rejected = self._interner.conversation(p.rejected_messages)
        return (*where, chosen, rejected, pack_json(p.origin))

    def finish_revision_set(
        self, set_id: int, metrics: Mapping[str, Any], status: Literal["done", "failed"] = "done"
    ) -> None:
        """Close a set of revisions."""
        with self._store.transaction():
            self._store.execute(
                "UPDATE revision_sets SET status = ?, metrics_json = ? WHERE id = ?",
                (status, pack_json(metrics), set_id),
            )

    def save_dataset(
        self,
        run_id: int,
        iteration: int,
        name: str,
        examples: Sequence[Example],
        *,
        recipe: str,
        content_hash: str,
        config: Mapping[str, Any] | None = None,
        set_id: int | None = None,
    ) -> DatasetRow:
        """Store a dataset and its examples in order; the same content under the same name is the stored one."""
        where = (run_id, iteration, name, content_hash)
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO datasets (run_id, iteration, name, content_hash, recipe, set_id, config_json, n_examples)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET set_id = excluded.set_id",
                (*where, recipe, set_id, canonical_json(config or {}), len(examples)),
            )
            found = self._store.one(
                "SELECT * FROM datasets WHERE run_id = ? AND iteration = ? AND name = ? AND content_hash = ?", where
            )
            assert found is not None
            row = DatasetRow.read(found)
            self._store.execute("DELETE FROM dataset_items WHERE dataset_id = ?", (row.id,))
            items = [
                (
                    row.id,
                    position,
                    example.kind,
                    self._interner.conversation(example.messages),
                    pack_json(example.origin),
                )
                for position, example in enumerate(examples)
            ]
            self._store.executemany("INSERT INTO dataset_items VALUES (?, ?, ?, ?, ?)", items)
        return row

    def save_checkpoint(
        self,
        run_id: int,
        iteration: int,
        dataset_id: int,
        trainer: str,
        *,
        base_model: str,
        start_model: str,
        path: str,
        config: Mapping[str, Any] | None = None,
    ) -> CheckpointRow:
        """The checkpoint that a trainer is about to make, not complete; the stored one where it exists already.

        ``config`` is all that tells two trainings on one dataset apart.
        """
        key = (run_id, iteration, trainer, dataset_id, content_hash(config or {}))
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO checkpoints (run_id, iteration, trainer, dataset_id, config_hash, config_json, base_model,"
                " start_model, path, step, complete, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)"
                " ON CONFLICT DO UPDATE SET path = excluded.path WHERE complete = 0",
                (*key, canonical_json(config or {}), base_model, start_model, path, now()),
            )
            row = self._store.one(
                "SELECT * FROM checkpoints WHERE run_id = ? AND iteration = ? AND trainer = ? AND dataset_id = ?"
                " AND config_hash = ?",
                key,
            )
        assert row is not None
        return CheckpointRow.read(row)

    def complete_checkpoint(
        self, checkpoint_id: int, *, step: int, metrics: Mapping[str, Any], path: str | None = None
    ) -> None:
        """All of the model is on disk (in ``path``, where it is not the one announced): the last thing written."""
        with self._store.transaction():
            self._store.execute(
                "UPDATE checkpoints SET complete = 1, step = ?, metrics_json = ?, path = coalesce(?, path)"
                " WHERE id = ?",
                (step, pack_json(metrics), path, checkpoint_id),
            )

    def open_eval(
        self,
        run_id: int,
        iteration: int,
        kind: EvalKind,
        *,
        model: str,
        split: str,
        config: Mapping[str, Any],
        config_hash: str = "",
    ) -> EvalRow:
        """One evaluation; made where it does not exist yet. One that is not done is running from now on.

        ``config_hash`` (unless given, that of ``config`` and ``split``) tells evaluations of one iteration apart.
        """
        key = (run_id, iteration, kind, config_hash or content_hash([split, config]))
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO evals (run_id, iteration, kind, config_hash, model, split, config_json, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'running')"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (*key, model, split, canonical_json(config)),
            )
            row = self._store.one(
                "SELECT * FROM evals WHERE run_id = ? AND iteration = ? AND kind = ? AND config_hash = ?", key
            )
        assert row is not None
        return EvalRow.read(row)

    def save_eval_result(self, eval_id: int, result: EvalResult) -> None:
        """Keep how one task went, in place of what an earlier attempt left."""
        r = result
        with self._store.transaction():
            conversation = self._interner.conversation(r.messages) if r.messages else r.conversation
            outcome = (r.reward, r.score, r.success, r.steps, r.invalid, r.loops, r.prompt_tokens, r.completion_tokens)
            self._store.execute(
                "INSERT OR REPLACE INTO eval_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (eval_id, r.task_id, r.repeat, *outcome, r.elapsed_seconds, conversation, readable(r.error)),
            )

    def finish_eval(self, eval_id: int, metrics: Mapping[str, Any], status: Literal["done", "failed"] = "done") -> None:
        """Close an evaluation."""
        with self._store.transaction():
            self._store.execute(
                "UPDATE evals SET status = ?, metrics_json = ? WHERE id = ?", (status, pack_json(metrics), eval_id)
            )
