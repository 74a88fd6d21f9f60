"""Evaluations: how models did, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agentr_core.hashing import canonical_json, content_hash
from agentr_core.store.columns import pack_json, readable
from agentr_core.store.connection import Connection
from agentr_core.store.events import EpisodePlayed
from agentr_core.store.rows import EvalKind, EvalResult, EvalRow
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.texts import Conversations

_EVALS = "SELECT * FROM evals"
_RESULTS = "SELECT r.*, tasks.env, tasks.key AS task FROM eval_results r JOIN tasks ON tasks.id = r.task_id"
_SUCCESSES = """
SELECT tasks.env, r.task_id, avg(r.success) FROM eval_results r JOIN tasks ON tasks.id = r.task_id
WHERE r.eval_id = ? AND r.error IS NULL GROUP BY r.task_id ORDER BY r.task_id
"""

_ATTEMPTS = "SELECT attempts FROM eval_results WHERE eval_id = ? AND task_id = ? AND repeat = ?"
_SAVE_RESULT = (
    "INSERT OR REPLACE INTO eval_results (eval_id, task_id, repeat, reward, score, success, steps, invalid, loops,"
    " prompt_tokens, completion_tokens, elapsed_seconds, conversation, error, cut_off, context_full, shown_in_part,"
    " attempts)"
    f" VALUES ({', '.join('?' * 18)})"
)


class Evaluations:
    """The evaluations of the store and their results."""

    def __init__(self, connection: Connection, conversations: Conversations) -> None:
        self._connection, self._conversations = connection, conversations

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, kind: EvalKind | None = None
    ) -> list[EvalRow]:
        """Evaluations in the order they were begun."""
        where = {"run_id": run_id, "iteration": iteration, "kind": kind}
        return select_rows(self._connection, EvalRow, _EVALS, where, "id")

    def get(self, eval_id: int) -> EvalRow:
        """One evaluation."""
        return row_by_id(self._connection, EvalRow, _EVALS, eval_id, "eval")

    def open(
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
        digest = config_hash or content_hash([split, config])
        key = {"run_id": run_id, "iteration": iteration, "kind": kind, "config_hash": digest}
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO evals (run_id, iteration, kind, config_hash, model, split, config_json, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'running')"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (*key.values(), model, split, canonical_json(config)),
            )
            (row,) = select_rows(self._connection, EvalRow, _EVALS, key, "id")
        return row

    def finish(self, eval_id: int, metrics: Mapping[str, Any], status: Literal["done", "failed"] = "done") -> None:
        """Close an evaluation."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE evals SET status = ?, metrics_json = ? WHERE id = ?", (status, pack_json(metrics), eval_id)
            )

    def results(self, eval_id: int) -> list[EvalResult]:
        """How the tasks of an evaluation went, by task and repeat."""
        return select_rows(self._connection, EvalResult, _RESULTS, {"eval_id": eval_id}, "task_id, repeat")

    def successes(self, eval_id: int) -> dict[str, dict[int, float]]:
        """By environment, the share of successes of each task that was played: of its repeats, where it had several."""
        found: dict[str, dict[int, float]] = {}
        for env, task, share in self._connection.all(_SUCCESSES, (eval_id,)):
            found.setdefault(env, {})[task] = share
        return found

    def played(self, eval_id: int, result: EvalResult) -> EpisodePlayed:
        """How one episode went, as a value that :meth:`put_result` applies."""
        r, packer = result, self._conversations.packer
        conversation = packer.conversation(r.messages) if r.messages else r.conversation
        rewards = (r.reward, r.score, r.success, r.steps, r.invalid, r.loops, r.prompt_tokens, r.completion_tokens)
        odd = (r.cut_off, r.context_full, r.shown_in_part)
        outcome = (*rewards, r.elapsed_seconds, conversation, readable(r.error), *odd)
        attempts = r.attempts + (r.error is not None)
        return EpisodePlayed(eval_id, r.task_id, r.repeat, outcome, attempts, packer.written())

    def put_result(self, event: EpisodePlayed) -> None:
        """Keep how one episode went, in place of what an earlier attempt left, whose ``attempts`` it adds to."""
        key = (event.eval_id, event.task_id, event.repeat)
        with self._connection.transaction():
            self._conversations.insert(event.written)
            earlier = self._connection.one(_ATTEMPTS, key)
            attempts = (earlier[0] if earlier else 0) + event.attempts
            self._connection.execute(_SAVE_RESULT, (*key, *event.outcome, attempts))

    def save_result(self, eval_id: int, result: EvalResult) -> None:
        """Pack and store how one episode went; see :meth:`put_result`."""
        self.put_result(self.played(eval_id, result))

    def count_attempt(self, eval_id: int, task_id: int, repeat: int) -> None:
        """An episode had to be tried again."""
        with self._connection.transaction():
            where = "WHERE eval_id = ? AND task_id = ? AND repeat = ?"
            self._connection.execute(
                f"UPDATE eval_results SET attempts = attempts + 1 {where}", (eval_id, task_id, repeat)
            )
