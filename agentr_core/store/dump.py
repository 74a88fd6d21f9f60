"""The store as text that can be compared: two runs did the same if and only if their canonical dumps are equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentr_core.hashing import canonical_json
from agentr_core.store.store import Store

#: Columns and JSON keys that differ from process to process; a tree's costs are those of its last process, and how
#: often something had to be tried again, where it was done, how far it was, and who named a setting, is no part of what
#: came of it.
VOLATILE_NAMES = frozenset(
    {"host", "pid", "executor", "shard", "sources", "stats_json", "attempts", "retried", "under_way"}
)
#: Endings of names (columns, JSON keys, metrics) of what depends on the clock.
VOLATILE_ENDINGS = ("_at", "_seconds", "_per_second")


def is_volatile(name: str) -> bool:
    """True for a name whose value depends on the clock or the process, and not on what was done."""
    return name in VOLATILE_NAMES or name.endswith(VOLATILE_ENDINGS)


def canonical_dump(store: Store) -> Iterator[str]:
    """One JSON line a row: tables sorted, rows by primary key, volatile values left out, hashes in hexadecimal.

    A run's key, or the short form of it that stands in paths, becomes ``run-ID``; the store's folder is taken off
    paths. A configuration may hold a path, so its hash is left out where the configuration itself is in the row, and
    a judge's hash becomes the rank of its first verdict.
    """
    names = {f"{store.path.absolute().parent}/": ""}
    for run in store.runs.select():
        names |= {run.key: f"run-{run.id}", run.short: f"run-{run.id}"}
    judges: dict[str, int] = {}
    for table in store.connection.counts():
        for row in store.connection.all(f'SELECT * FROM "{table}" ORDER BY {_order(store, table)}'):
            if table == "accounts" and is_volatile(row["name"]):
                continue
            values = _steady(dict(row))
            if "judge_hash" in values:
                values["judge_hash"] = judges.setdefault(values["judge_hash"], len(judges))
            line = canonical_json([table, values])
            for old, new in names.items():
                line = line.replace(old, new)
            yield line


def _order(store: Store, table: str) -> str:
    keys = store.connection.all("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,))
    return ", ".join(f'"{row["name"]}"' for row in keys) or "rowid"


def _steady(row: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for column, value in row.items():
        if is_volatile(column) or (column == "value" and is_volatile(str(row.get("name")))):
            continue
        if column == "config_hash" and "config_json" in row:
            continue
        kept[column] = _without_times(json.loads(value)) if column.endswith("_json") and value else _plain(value)
    return kept


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if not is_volatile(key)}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
