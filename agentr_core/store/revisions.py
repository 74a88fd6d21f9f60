"""Revisions: what critics made of the trees of an iteration, set by set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from agentr_core.hashing import canonical_json, content_hash
from agentr_core.store.columns import pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.events import Rows, TreeRevised, Values
from agentr_core.store.rows import Preference, RevisionSetRow, Sample, SampleKind
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.texts import Conversations

_SETS = "SELECT * FROM revision_sets"
_SAMPLE_COLUMNS = (
    "set_id, tree_id, kind, bad_leaf, good_leaf, divergence, cut, judged, verified, reward, bad_reward, good_reward,"
    " mismatches, kept, conversation, origin_json"
)


class Revisions:
    """The revision sets of the store: which trees they have revised, their samples and preferences."""

    def __init__(self, connection: Connection, conversations: Conversations) -> None:
        self._connection, self._conversations = connection, conversations

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, critic: str | None = None
    ) -> list[RevisionSetRow]:
        """Sets of revisions in the order they were made."""
        where = {"run_id": run_id, "iteration": iteration, "critic": critic}
        return select_rows(self._connection, RevisionSetRow, _SETS, where, "id")

    def newest(self, run_id: int, *, iteration: int | None = None, critic: str | None = None) -> RevisionSetRow | None:
        """The newest set that is done, or where none is yet the newest one: one whose critic failed holds nothing."""
        sets = self.select(run_id, iteration=iteration, critic=critic)
        done = [row for row in sets if row.status == "done"]
        return next(reversed(done or sets), None)

    def get(self, set_id: int) -> RevisionSetRow:
        """One set of revisions."""
        return row_by_id(self._connection, RevisionSetRow, _SETS, set_id, "revision")

    def open(
        self, run_id: int, iteration: int, critic: str, config: Mapping[str, Any], *, model: str, config_hash: str = ""
    ) -> RevisionSetRow:
        """The set of revisions of one critic and configuration; made where it does not exist yet.

        ``config_hash`` is that of ``config`` unless given. A set that is not done is running from now on.
        """
        digest = config_hash or content_hash(config)
        key = {"run_id": run_id, "iteration": iteration, "critic": critic, "config_hash": digest}
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO revision_sets (run_id, iteration, critic, config_hash, config_json, model, status)"
                " VALUES (?, ?, ?, ?, ?, ?, 'running')"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (*key.values(), canonical_json(config), model),
            )
            (row,) = select_rows(self._connection, RevisionSetRow, _SETS, key, "id")
        return row

    def finish(self, set_id: int, metrics: Mapping[str, Any], status: Literal["done", "failed"] = "done") -> None:
        """Close a set of revisions."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE revision_sets SET status = ?, metrics_json = ? WHERE id = ?",
                (status, pack_json(metrics), set_id),
            )

    def trees(self, set_id: int) -> dict[int, dict[str, Any]]:
        """The metrics of each tree that a set has revised, by tree."""
        rows = self._connection.all("SELECT * FROM revised_trees WHERE set_id = ? ORDER BY tree_id", (set_id,))
        return {row["tree_id"]: json.loads(row["metrics_json"] or "{}") for row in rows}

    def revised(
        self,
        set_id: int,
        tree_id: int,
        samples: Iterable[Sample],
        metrics: Mapping[str, Any] | None = None,
        preferences: Iterable[Preference] = (),
        verdicts: Rows = (),
    ) -> TreeRevised:
        """All that came out of a tree, with the packed verdicts on it, as a value that :meth:`put_tree` applies."""
        packed = tuple([self._sample_row(set_id, sample) for sample in samples])
        preferred = tuple([self._preference_row(set_id, preference) for preference in preferences])
        written = self._conversations.packer.written()
        return TreeRevised(set_id, tree_id, verdicts, packed, preferred, pack_json(metrics), written)

    def put_tree(self, event: TreeRevised) -> None:
        """Mark a tree as revised and keep all that came out of it; nothing where it is marked already.

        Who does a tree again, because the first did not live to say so, finds its verdicts there and counts none.
        """
        with self._connection.transaction():
            self._conversations.insert(event.written)
            marked = "INSERT INTO revised_trees VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            if not self._connection.execute(marked, (event.set_id, event.tree_id, event.metrics_json)):
                return
            self._connection.executemany(
                f"INSERT INTO samples ({_SAMPLE_COLUMNS}) VALUES ({', '.join('?' * 16)})", event.samples
            )
            self._connection.executemany(
                "INSERT INTO preferences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", event.preferences
            )

    def save_tree(
        self,
        set_id: int,
        tree_id: int,
        samples: Iterable[Sample],
        metrics: Mapping[str, Any] | None = None,
        preferences: Iterable[Preference] = (),
    ) -> None:
        """Pack and store what came out of a tree; see :meth:`put_tree`."""
        self.put_tree(self.revised(set_id, tree_id, samples, metrics, preferences))

    def samples(
        self, set_id: int, *, tree_id: int | None = None, kind: SampleKind | None = None, kept: bool | None = None
    ) -> list[Sample]:
        """The samples of a set by tree, kind and leaves; ``store.conversations`` has their messages."""
        where = {"set_id": set_id, "tree_id": tree_id, "kind": kind, "kept": kept}
        order = "tree_id, kind, bad_leaf, good_leaf"
        return select_rows(self._connection, Sample, "SELECT * FROM samples", where, order)

    def preferences(self, set_id: int) -> list[Preference]:
        """The preference pairs of a set by tree, node and leaves; ``store.conversations`` has their messages."""
        order = "tree_id, node, chosen_leaf, rejected_leaf"
        return select_rows(self._connection, Preference, "SELECT * FROM preferences", {"set_id": set_id}, order)

    def _sample_row(self, set_id: int, s: Sample) -> Values:
        conversation = self._conversations.packer.conversation(s.messages)
        where = (set_id, s.tree_id, s.kind, s.bad_leaf, s.good_leaf, s.divergence, s.cut, s.judged, s.verified)
        rewards = (s.reward, s.bad_reward, s.good_reward)
        return (*where, *rewards, s.mismatches, s.kept, conversation, pack_json(s.origin))

    def _preference_row(self, set_id: int, p: Preference) -> Values:
        where = (set_id, p.tree_id, p.node, p.chosen_leaf, p.rejected_leaf, p.chosen_reward, p.rejected_reward)
        chosen = self._conversations.packer.conversation(p.chosen_messages)
        rejected = self._conversations.packer.conversation(p.rejected_messages)
        return (*where, chosen, rejected, pack_json(p.origin))
