"""All that is stored of a tree as rows by table: taken out of one store, put into another that is to go on with it."""

from __future__ import annotations

from collections.abc import Mapping

from agentr_core.store.connection import Connection
from agentr_core.store.events import Rows

#: Whole rows by the name of their table.
Tables = Mapping[str, Rows]

_CHAIN = """
WITH RECURSIVE chain (hash) AS (
  SELECT head FROM trees WHERE id = :tree AND head IS NOT NULL
  UNION SELECT parent FROM messages JOIN chain USING (hash) WHERE parent IS NOT NULL)
"""
_TEXTS = f"""
{_CHAIN} SELECT * FROM texts WHERE hash IN (
  SELECT response FROM nodes WHERE tree_id = :tree UNION SELECT observation FROM nodes WHERE tree_id = :tree
  UNION SELECT completion FROM nodes WHERE tree_id = :tree UNION SELECT rationale FROM verdicts WHERE tree_id = :tree
  UNION SELECT text FROM messages JOIN chain USING (hash))
"""
_QUERIES = {
    "tasks": "SELECT * FROM tasks WHERE id = (SELECT task_id FROM trees WHERE id = :tree)",
    "trees": "SELECT * FROM trees WHERE id = :tree",
    "texts": _TEXTS,
    "messages": f"{_CHAIN} SELECT * FROM messages WHERE hash IN (SELECT hash FROM chain)",
    "nodes": "SELECT * FROM nodes WHERE tree_id = :tree",
    "verdicts": "SELECT * FROM verdicts WHERE tree_id = :tree",
}
#: What is of one tree alone.
_OWN = {"nodes": "tree_id", "verdicts": "tree_id", "trees": "id"}


def tables_of_tree(connection: Connection, tree_id: int) -> Tables:
    """The rows of a tree, its task, its nodes, their texts and the verdicts on them."""
    found = {}
    for table, query in _QUERIES.items():
        rows = connection.all(query, {"tree": tree_id})
        found[table] = tuple([tuple(row) for row in rows])
    return found


def put_tables(connection: Connection, tables: Tables) -> None:
    """Store such rows in the place of what is there of them."""
    with connection.transaction():
        for table, rows in tables.items():
            if rows:
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f'INSERT OR REPLACE INTO "{table}" VALUES ({places})', rows)


def drop_tree(connection: Connection, tree_id: int) -> None:
    """Forget a tree that was worked on here and is kept elsewhere; texts and tasks stay."""
    with connection.transaction():
        for table, column in _OWN.items():
            connection.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', (tree_id,))
