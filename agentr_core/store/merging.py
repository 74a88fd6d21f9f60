"""One database out of several: rows are the same where their natural keys are, and numbers are given anew.

Texts and turns are content, nodes and samples belong to a tree: of all tables only seven have numbers of their own.
What the target has already stays, but for trees that the other file has grown further.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentr_core.hashing import canonical_json
from agentr_core.store.places import home
from agentr_core.store.rows import TaskRow
from agentr_core.store.selecting import select_rows
from agentr_core.store.store import Store
from agentr_core.store.tasks import version_of

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table: by what its rows are told apart (none: by its primary key), and which columns name rows of which table.

    ``numbered``: it has an ``id`` that is given anew.
    """

    name: str
    key: tuple[str, ...] = ()
    refers: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        return bool(self.key)


_RUN = {"run_id": "runs"}
_OF_TREE = {"set_id": "revision_sets", "tree_id": "trees"}
#: In an order in which a row comes after those that it names. ``tasks``, ``runs`` and ``trees`` have ways of their own.
_TABLES = (
    _Table("texts"),
    _Table("messages"),
    _Table("run_plugins", refers=_RUN),
    _Table("metrics", refers=_RUN),
    _Table("accounts", refers=_RUN),
    _Table("verdicts", refers={"tree_id": "trees"}),
    _Table("revision_sets", ("run_id", "iteration", "critic", "config_hash"), _RUN),
    _Table("revised_trees", refers=_OF_TREE),
    _Table("samples", refers=_OF_TREE),
    _Table("preferences", refers=_OF_TREE),
    _Table("datasets", ("run_id", "iteration", "name", "content_hash"), {**_RUN, "set_id": "revision_sets"}),
    _Table("dataset_items", refers={"dataset_id": "datasets"}),
    _Table(
        "checkpoints",
        ("run_id", "iteration", "trainer", "dataset_id", "config_hash"),
        {**_RUN, "dataset_id": "datasets"},
    ),
    _Table("evals", ("run_id", "iteration", "kind", "config_hash"), _RUN),
    _Table("eval_results", refers={"eval_id": "evals", "task_id": "tasks"}),
    _Table("stages", refers=_RUN),
)
#: What ``stages.result_id`` is the number of.
_MADE = {"revise": "revision_sets", "train": "checkpoints", "evaluate": "evals"}
#: Columns that may name a model or a folder by its place beside the database.
_PLACES = ("path", "model", "base_model", "start_model")
#: What a row without a number that can come further is told apart by.
_ENDS = {"stages": ("run_id", "iteration", "stage")}
_TREE_KEY = ("run_id", "iteration", "task_id")


@dataclass(slots=True)
class Merged:
    """What one file brought: new rows by table, runs that are called otherwise here, and tables left alone."""

    new: dict[str, int] = field(default_factory=dict)
    #: Runs of which the file had a part of the trees.
    shared: list[int] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class Merge:
    """Puts the rows of ``source`` into ``target``, in one transaction; doing it again changes nothing."""

    def __init__(self, target: Store, source: Store) -> None:
        self._target, self._source = target, source
        self._from, self._into = source.connection, target.connection
        self._numbers: dict[str, dict[int, int]] = {}
        self._merged = Merged()
        moved = home(source.path) != home(target.path)
        self._place: Callable[[str], str] = self._moved if moved else str

    def merge(self) -> Merged:
        """Merge, and say what was new."""
        with self._into.transaction(), self._from.snapshot():
            before = self._into.counts()
            self._tasks()
            self._runs()
            self._insert_all(_TABLES[0])
            self._insert_all(_TABLES[1])
            self._trees()
            for table in _TABLES[2:]:
                self._insert_all(table)
            after = self._into.counts()
        ours = {table.name for table in _TABLES} | {"tasks", "runs", "trees", "nodes"}
        self._merged.new = {name: after[name] - before[name] for name in before if after[name] > before[name]}
        self._merged.unknown = sorted(set(self._from.counts()) - ours)
        return self._merged

    def _tasks(self) -> None:
        """Tasks are told apart by their content as well (``store/tasks.py``)."""
        found = self._numbers.setdefault("tasks", {})
        for row in select_rows(self._from, TaskRow, "SELECT * FROM tasks", {}, "id"):
            task = row.task()
            found[row.id] = self._target.tasks.save(row.env, version_of(row.env_version), [task])[task.key]

    def _runs(self) -> None:
        for row in self._rows("runs"):
            number, key, config = row.pop("id"), row["key"], row["config_json"]
            row["config_json"] = _without_shard(config)
            there = self._into.one("SELECT * FROM runs WHERE key = ?", (key,))
            if there is None:
                row["name"] = self._free_name(row["name"], key)
                there = self._insert("runs", row)
            elif row["config_json"] == config and _further(there, row):
                self._update("runs", row | {"name": there["name"]}, ("key",))
            self._numbers.setdefault("runs", {})[number] = there[0]
            if row["config_json"] != config:
                self._into.execute("UPDATE runs SET config_json = ? WHERE id = ?", (row["config_json"], there[0]))
                self._merged.shared.append(there[0])

    def _free_name(self, name: str | None, key: str) -> str | None:
        if name is None or self._into.one("SELECT 1 FROM runs WHERE name = ?", (name,)) is None:
            return name
        other = f"{name}-{key[-8:]}"
        self._merged.renamed.append((name, other))
        return other

    def _trees(self) -> None:
        """Trees that are new, and those that the source has grown further, with their nodes."""
        found = self._numbers.setdefault("trees", {})
        for row in self._rows("trees"):
            number = row.pop("id")
            row |= {"run_id": self._numbers["runs"][row["run_id"]], "task_id": self._numbers["tasks"][row["task_id"]]}
            row["model"] = self._place(row["model"])
            there = self._there("trees", _TREE_KEY, row, "id, status, simulations")
            if there is not None and _further(there, row):
                self._update("trees", row, _TREE_KEY)
                self._nodes(number, there["id"])
            elif there is None:
                there = self._insert("trees", row)
                self._nodes(number, there[0])
            found[number] = there[0]

    def _nodes(self, number: int, into: int) -> None:
        rows = self._from.all("SELECT * FROM nodes WHERE tree_id = ?", (number,))
        if rows:
            names = list(rows[0].keys())
            values = ([into if name == "tree_id" else row[name] for name in names] for row in rows)
            self._into.executemany(_insert("nodes", names, "OR REPLACE"), values)

    def _insert_all(self, table: _Table) -> None:
        """The rows of a table with the numbers that they have here; those that are there already stay."""
        found = self._numbers.setdefault(table.name, {})
        for row in self._rows(table.name):
            number = row.pop("id") if table.numbered else None
            for column, other in table.refers.items():
                row[column] = None if row[column] is None else self._numbers[other][row[column]]
            self._adapt(table.name, row)
            key = table.key or _ENDS.get(table.name, ())
            there = self._there(table.name, key, row, "*") if key else None
            if there is None:
                there = self._insert(table.name, row)
            elif _further(there, row) and not (table.name in _ENDS and row["run_id"] in self._merged.shared):
                self._update(table.name, row, key)  # but a part's end is not the whole's
            if number is not None:
                found[number] = there["id"] if "id" in there.keys() else there[0]  # noqa: SIM118 - a Row

    def _adapt(self, table: str, row: Values) -> None:
        """What of a row names other rows or folders without being a reference."""
        for column in _PLACES:
            if isinstance(row.get(column), str) and table in ("checkpoints", "evals", "revision_sets"):
                row[column] = self._place(row[column])
        if table == "stages" and row["result_id"] is not None:
            row["result_id"] = self._numbers.get(_MADE.get(row["stage"], ""), {}).get(row["result_id"])
        if table == "datasets" and row["reads"] != "conversations":
            config = json.loads(row["config_json"])
            config["origin"]["trees"] = [self._numbers["trees"][tree] for tree in config["origin"]["trees"]]
            row["config_json"] = canonical_json(config)
        if table == "dataset_items" and row["origin_json"]:
            origin = json.loads(row["origin_json"])
            if origin.get("tree") in self._numbers["trees"]:
                row["origin_json"] = canonical_json({**origin, "tree": self._numbers["trees"][origin["tree"]]})

    def _moved(self, name: str) -> str:
        """A folder beside the source's database, as the target keeps it."""
        place = home(self._source.path) / name
        return self._target.checkpoints.kept(place) if name and place.exists() else name

    def _rows(self, table: str) -> Iterator[Values]:
        """In the order of their numbers, or as they were stored: a turn comes after the one before it."""
        for row in self._from.all(f'SELECT * FROM "{table}"'):
            yield dict(row)

    def _there(self, table: str, key: tuple[str, ...], row: Values, columns: str) -> sqlite3.Row | None:
        where = " AND ".join(f'"{name}" = ?' for name in key)
        return self._into.one(f'SELECT {columns} FROM "{table}" WHERE {where}', [row[name] for name in key])

    def _update(self, table: str, row: Values, key: tuple[str, ...]) -> None:
        columns, where = ", ".join(f'"{name}" = ?' for name in row), " AND ".join(f'"{name}" = ?' for name in key)
        values = (*row.values(), *(row[name] for name in key))
        self._into.execute(f'UPDATE "{table}" SET {columns} WHERE {where}', values)

    def _insert(self, table: str, row: Values) -> Any:
        self._into.execute(_insert(table, list(row), "OR IGNORE"), tuple(row.values()))
        return self._into.one("SELECT last_insert_rowid()")


def _insert(table: str, names: list[str], conflict: str) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT {conflict} INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(names))})'


def _further(there: sqlite3.Row, row: Values) -> bool:
    """Whether what a row of the source is about has come further there than here."""
    return _progress(row) > _progress(dict(there))


def _progress(row: Values) -> tuple[int, int]:
    """How far a run, stage, tree, set, checkpoint or evaluation has come; the same for rows that do not say."""
    status, complete = row.get("status"), row.get("complete", 0)
    return (0 if status == "todo" else 2 if status == "done" else 1) + complete, row.get("simulations", 0)


def _without_shard(config_json: str) -> str:
    """A run's settings without the part of its trees that one file was to grow: the others' come as well."""
    config = json.loads(config_json)
    if "shard" not in config:
        return config_json
    return canonical_json({key: value for key, value in config.items() if key != "shard"})
