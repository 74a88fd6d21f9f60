"""Datasets: the examples that a recipe took from a revision set, in order; and views of trees, of which no row is kept.

The rows of a view (preferences, actions, values) follow from the trees that it names and the code that makes them: what
is kept is their number, the hash of their content, and where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentr_core.errors import UsageError
from agentr_core.hashing import canonical_json
from agentr_core.store.columns import pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import DatasetItem, DatasetRow
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.texts import Conversations
from agentr_core.turns import Example, TrainingSet

if TYPE_CHECKING:
    from agentr_core.interfaces.training_sets import Reads, TreeSet

_DATASETS = "SELECT * FROM datasets"
_ITEMS = "SELECT * FROM dataset_items"


class Datasets:
    """The datasets of the store."""

    def __init__(self, connection: Connection, conversations: Conversations) -> None:
        self._connection, self._conversations = connection, conversations

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, name: str | None = None
    ) -> list[DatasetRow]:
        """Datasets in the order they were made."""
        where = {"run_id": run_id, "iteration": iteration, "name": name}
        return select_rows(self._connection, DatasetRow, _DATASETS, where, "id")

    def get(self, dataset_id: int) -> DatasetRow:
        """One dataset without its examples."""
        return row_by_id(self._connection, DatasetRow, _DATASETS, dataset_id, "dataset")

    def load(self, dataset_id: int) -> TrainingSet:
        """A dataset of conversations with its examples, as trainers take it; :class:`UsageError` for any other."""
        row = self.get(dataset_id)
        if row.reads != "conversations":
            raise UsageError(f"dataset {dataset_id} holds {row.reads} of trees; conversations were expected here")
        examples = tuple(
            Example(self._conversations.get(item.conversation), item.kind, item.origin)
            for item in self.items(dataset_id)
        )
        return TrainingSet(row.name, examples, row.content_hash)

    def items(self, dataset_id: int) -> list[DatasetItem]:
        """The examples of a dataset in order; ``store.conversations`` has their messages."""
        return select_rows(self._connection, DatasetItem, _ITEMS, {"dataset_id": dataset_id}, "position")

    def save(
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
        with self._connection.transaction():
            row = self._open((run_id, iteration, name, content_hash), recipe, set_id, config, len(examples))
            self._connection.execute("DELETE FROM dataset_items WHERE dataset_id = ?", (row.id,))
            items = [self._item_row(row.id, position, example) for position, example in enumerate(examples)]
            self._connection.executemany("INSERT INTO dataset_items VALUES (?, ?, ?, ?, ?)", items)
        return row

    def save_view(
        self,
        run_id: int,
        iteration: int,
        made: TreeSet[Any],
        reads: Reads,
        *,
        config: Mapping[str, Any] | None = None,
        set_id: int | None = None,
    ) -> DatasetRow:
        """Store that a set of trees was trained on: its number of rows, hash, selection and origin."""
        known = {**(config or {}), "selection": dict(made.selection), "origin": dict(made.origin)}
        with self._connection.transaction():
            key = (run_id, iteration, made.name, made.content_hash)
            return self._open(key, reads, set_id, known, len(made), reads)

    def _open(
        self,
        key: tuple[int, int, str, str],
        recipe: str,
        set_id: int | None,
        config: Mapping[str, Any] | None,
        count: int,
        reads: Reads = "conversations",
    ) -> DatasetRow:
        """The row of a run, iteration, name and content; made where it is missing."""
        self._connection.execute(
            "INSERT INTO datasets (run_id, iteration, name, content_hash, recipe, set_id, config_json, n_examples,"
            " reads) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET set_id = excluded.set_id",
            (*key, recipe, set_id, canonical_json(config or {}), count, reads),
        )
        where = dict(zip(("run_id", "iteration", "name", "content_hash"), key, strict=True))
        (row,) = select_rows(self._connection, DatasetRow, _DATASETS, where, "id")
        return row

    def _item_row(self, dataset_id: int, position: int, example: Example) -> tuple[Any, ...]:
        conversation = self._conversations.save(example.messages)
        return (dataset_id, position, example.kind, conversation, pack_json(example.origin))
