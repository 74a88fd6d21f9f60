"""Datasets: the examples that a recipe took from a revision set, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentr_core.hashing import canonical_json
from agentr_core.records import Example, TrainingSet
from agentr_core.store.columns import pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import DatasetItem, DatasetRow
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.texts import Conversations

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
        """A dataset with its examples, as trainers take it."""
        row = self.get(dataset_id)
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
        key = {"run_id": run_id, "iteration": iteration, "name": name, "content_hash": content_hash}
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO datasets (run_id, iteration, name, content_hash, recipe, set_id, config_json, n_examples)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET set_id = excluded.set_id",
                (*key.values(), recipe, set_id, canonical_json(config or {}), len(examples)),
            )
            (row,) = select_rows(self._connection, DatasetRow, _DATASETS, key, "id")
            self._connection.execute("DELETE FROM dataset_items WHERE dataset_id = ?", (row.id,))
            items = [self._item_row(row.id, position, example) for position, example in enumerate(examples)]
            self._connection.executemany("INSERT INTO dataset_items VALUES (?, ?, ?, ?, ?)", items)
        return row

    def _item_row(self, dataset_id: int, position: int, example: Example) -> tuple[Any, ...]:
        conversation = self._conversations.save(example.messages)
        return (dataset_id, position, example.kind, conversation, pack_json(example.origin))
