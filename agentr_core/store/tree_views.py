"""A tree for those who look at it: its shape and numbers without texts, one node with all of its own, words in a run.

:meth:`agentr_core.store.trees.Trees.load` reads a whole tree with all that was said; here is read what is shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.interfaces.credit import Credit, credits
from agentr_core.store.columns import FLAGS, unpack_flags, unpack_text, unpack_tokens
from agentr_core.store.connection import Connection
from agentr_core.store.pages import Key, Page
from agentr_core.store.rows import RevisionSetRow, VerdictRow
from agentr_core.store.trees import Trees, judge_hash

#: Of a node's action and of its observation's first line, so many characters are shown in a row.
ROW_CHARS = 120
#: So many characters of an observation are read for its first line.
_READ_CHARS = 400
_SHAPE = """
SELECT trees.simulations AS now, n.node, n.parent, n.visits, n.value_sum, n.reward, n.copies, n.simulation, n.flags
FROM trees LEFT JOIN nodes n ON n.tree_id = trees.id WHERE trees.id = ? ORDER BY n.node
"""
_LINES = f"""
SELECT n.node, substr(n.action, 1, {ROW_CHARS + 1}) AS action,
  substr(coalesce(o.body, n.observation), 1, {_READ_CHARS}) AS observation
FROM nodes n LEFT JOIN texts o ON o.hash = n.observation WHERE n.tree_id = ?
"""
_NODE = """
SELECT n.*, coalesce(r.body, n.response) AS response_text, coalesce(o.body, n.observation) AS observation_text
FROM nodes n LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation
WHERE n.tree_id = ? AND n.node = ?
"""
_PLAYED = "SELECT node, parent, action, reward, flags FROM nodes WHERE tree_id = ? ORDER BY node"
_CHILDREN = """
SELECT node, parent, action, visits, value_sum, copies, reward, simulation, flags FROM nodes
WHERE tree_id = ? AND parent = ? ORDER BY node
"""
#: What a searcher that asks a value model kept with a node.
_EXPECTED = """
SELECT node, json_extract(info_json, '$.search.value') AS value FROM nodes
WHERE tree_id = ? AND parent = ? AND json_extract(info_json, '$.search.value') IS NOT NULL
"""
_FOUND = f"""
SELECT n.node, substr(n.action, 1, {ROW_CHARS + 1}) AS action,
  substr(coalesce(o.body, n.observation), 1, {_READ_CHARS}) AS observation
FROM nodes n LEFT JOIN texts o ON o.hash = n.observation LEFT JOIN texts r ON r.hash = n.response
WHERE n.tree_id = ? AND n.parent IS NOT NULL AND n.node > ?
"""
_SAID = "coalesce(n.action, '') || ' ' || coalesce(o.body, n.observation) || ' ' || coalesce(r.body, n.response)"
#: Of the trees of a run those that may hold what is looked for, in order.
_LOOKED_IN = """
SELECT trees.id, tasks.key, trees.n_nodes FROM trees JOIN tasks ON tasks.id = trees.task_id
WHERE trees.run_id = ? AND trees.id >= ? AND (? = '' OR instr(lower(tasks.key), lower(?)) > 0) ORDER BY trees.id
"""
#: The bit of ``flags`` of an end.
_TERMINAL = 1 << FLAGS.index("terminal")
#: Once so many nodes were looked at, an answer ends, with what was found so far.
LOOKED_AT = 20_000
#: In one answer at most so many nodes are named to SQLite; beyond, all are read.
_NAMED = 500


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """The numbers of a node: those that never change, and those that a search changes."""

    node: int
    parent: int | None
    visits: int
    value_sum: float
    reward: float
    copies: int
    simulation: int
    flags: int

    @property
    def value(self) -> float | None:
        """Q(s), the mean backed-up reward; None before the first visit."""
        return self.value_sum / self.visits if self.visits else None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node with its texts. ``tokens``: ids and log-probabilities, as far as they were kept."""

    shape: ShapeRow
    response: str
    action: str | None
    observation: str
    score: float | None
    flags: Mapping[str, bool]
    info: Mapping[str, Any]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: str | None
    prompt_tokens: int | None
    cached_tokens: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A whole attempt of a tree without what was said: its last node, what that came to, the actions up to there."""

    leaf: int
    reward: float
    flags: Mapping[str, bool]
    actions: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class FoundNode:
    """A node in which something was found; ``action`` and ``line`` are cut."""

    tree_id: int
    node: int
    task: str
    action: str | None
    line: str

    @property
    def key(self) -> Key:
        """By what found nodes are ordered."""
        return (self.tree_id, self.node)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What :meth:`TreeViews.found` looks for."""

    text: str
    task: str
    reward_below: float | None
    reward_above: float | None
    deeper_than: int | None

    def sql(self) -> tuple[str, list[Any]]:
        """Conditions on a node, and their values."""
        parts: dict[str, Any] = {"n.reward < ?": self.reward_below, "n.reward > ?": self.reward_above}
        parts[f"instr(lower({_SAID}), lower(?)) > 0"] = self.text or None
        given = {condition: value for condition, value in parts.items() if value is not None}
        return "".join(f" AND {condition}" for condition in given), list(given.values())


class TreeViews:
    """Trees without what is not shown."""

    def __init__(self, connection: Connection, trees: Trees) -> None:
        self._connection, self._trees = connection, trees

    def shape(self, tree_id: int) -> tuple[int, list[ShapeRow]]:
        """The simulations of a tree, and the numbers of its nodes as they were after so many."""
        rows = self._connection.all(_SHAPE, (tree_id,))
        if not rows:
            raise UsageError(f"there is no tree {tree_id} in {self._connection.path}; see: agentr trees list")
        nodes = [ShapeRow(*tuple(row)[1:]) for row in rows if row["node"] is not None]
        return rows[0]["now"], nodes

    def credits(self, tree_id: int) -> dict[int, Credit]:
        """By node, what is known of each action that trainers of actions would learn from."""
        _, nodes = self.shape(tree_id)
        inner = {row.parent for row in nodes}
        ends = [row for row in nodes if row.flags & _TERMINAL and row.node not in inner and row.parent is not None]
        return credits(nodes, [row.parent for row in nodes], [row.reward for row in ends])

    def lines(self, tree_id: int, nodes: Sequence[int]) -> dict[int, tuple[str | None, str]]:
        """By node: its action, and the first line of its observation, both cut at :data:`ROW_CHARS` characters."""
        few = len(nodes) <= _NAMED
        named = f" AND n.node IN ({', '.join('?' * len(nodes))})" if few else ""
        rows = self._connection.all(_LINES + named, (tree_id, *nodes) if few else (tree_id,))
        return {row["node"]: (_short(row["action"]), _first_line(row["observation"])) for row in rows}

    def node(self, tree_id: int, node: int) -> NodeRow:
        """One node; :class:`~agentr_core.errors.UsageError` where there is none."""
        row = self._connection.one(_NODE, (tree_id, node))
        if row is None:
            raise UsageError(f"there is no node {node} in tree {tree_id} of {self._connection.path}")
        ids, logprobs = unpack_tokens(row["tokens"])
        return NodeRow(
            shape=_shape(row),
            response=unpack_text(row["response_text"]),
            action=None if row["action"] is None else unpack_text(row["action"]),
            observation=unpack_text(row["observation_text"]),
            score=row["score"],
            flags=unpack_flags(row["flags"]),
            info=json.loads(row["info_json"]) if row["info_json"] else {},
            token_ids=ids,
            logprobs=logprobs,
            finish=row["finish"],
            prompt_tokens=row["prompt_tokens"],
            cached_tokens=row["cached_tokens"],
        )

    def expected(self, tree_id: int, node: int) -> dict[int, float]:
        """By child of a node, what the value model that guided the search thought of it; empty where none did."""
        return {row["node"]: row["value"] for row in self._connection.all(_EXPECTED, (tree_id, node))}

    def children(self, tree_id: int, node: int) -> list[tuple[ShapeRow, str | None]]:
        """The children of a node with their actions, in the order they were made."""
        rows = self._connection.all(_CHILDREN, (tree_id, node))
        return [(_shape(row), None if row["action"] is None else unpack_text(row["action"])) for row in rows]

    def attempts(self, tree_id: int) -> list[Attempt]:
        """The whole attempts of a tree, in the order their ends were made: those that ``Tree.leaves`` gives."""
        nodes = {row["node"]: row for row in self._connection.all(_PLAYED, (tree_id,))}
        inner = {row["parent"] for row in nodes.values()}
        actions: dict[int, tuple[str | None, ...]] = {}
        for row in nodes.values():  # parents come before their children
            own = () if row["parent"] is None else (None if row["action"] is None else unpack_text(row["action"]),)
            actions[row["node"]] = actions.get(row["parent"], ()) + own
        ends = [(row, unpack_flags(row["flags"])) for row in nodes.values() if row["node"] not in inner]
        return [Attempt(row["node"], row["reward"], is_, actions[row["node"]]) for row, is_ in ends if is_["terminal"]]

    def way(self, tree_id: int, node: int) -> list[int]:
        """The numbers of the nodes from the root's child down to this one; none for the root."""
        parents = {row.node: row.parent for row in self.shape(tree_id)[1]}
        found: list[int] = []
        while (parent := parents[node]) is not None:
            found.append(node)
            node = parent
        return found[::-1]

    def verdicts_of_set(self, tree_id: int, made: RevisionSetRow) -> dict[int, VerdictRow]:
        """What the critic of a revision set said of a tree's nodes, with the settings and model of that set.

        In a database of before those were kept with the set: whatever a critic of that name said.
        """
        given = self._trees.verdicts(tree_id)
        of_critic = {judge: said for (critic, judge), said in given.items() if critic == made.critic}
        own = judge_hash(made.config.get("critic"), made.config.get("actor"), made.config.get("seed"))
        if own in of_critic or len(of_critic) < 2:
            return of_critic.get(own, next(iter(of_critic.values()), {}))
        return {node: verdict for said in of_critic.values() for node, verdict in said.items()}

    def found(
        self,
        run_id: int,
        after: Key | None,
        limit: int,
        *,
        text: str = "",
        task: str = "",
        reward_below: float | None = None,
        reward_above: float | None = None,
        deeper_than: int | None = None,
    ) -> Page[FoundNode]:
        """Nodes of a run's trees by tree and node: ``text`` is part of their action, turn or observation, in letters of
        either case, ``task`` part of their task's key; rewards and depth are as they say.

        A page may have fewer than ``limit`` rows, or none, and be followed by others: one statement that looks through
        millions of nodes would hold up the log of whoever writes.
        """
        wanted = _Wanted(text, task, reward_below, reward_above, deeper_than)
        tree, node = (int(after[0]), int(after[1])) if after else (0, 0)
        found: list[FoundNode] = []
        looked = 0
        rows = self._connection.all(_LOOKED_IN, (run_id, tree, wanted.task, wanted.task))
        for number, (tree_id, task, nodes) in enumerate(rows):
            found += self._found_in(tree_id, task, node if tree_id == tree else 0, wanted)
            looked += nodes
            if len(found) > limit:
                return _page(found[:limit], found[limit - 1].key)
            if looked > LOOKED_AT and number + 1 < len(rows):
                return _page(found, (tree_id, nodes))
        return Page(found, [each.key for each in found], more=False)

    def _found_in(self, tree_id: int, task: str, after: int, wanted: _Wanted) -> list[FoundNode]:
        conditions, values = wanted.sql()
        rows = self._connection.all(_FOUND + conditions + " ORDER BY n.node", (tree_id, after, *values))
        if rows and wanted.deeper_than is not None:
            depths = self._depths(tree_id)
            rows = [row for row in rows if depths[row["node"]] > wanted.deeper_than]
        return [
            FoundNode(tree_id, row["node"], task, _short(row["action"]), _first_line(row["observation"]))
            for row in rows
        ]

    def _depths(self, tree_id: int) -> dict[int, int]:
        """How many steps each node is from the root; parents come before their children."""
        depths: dict[int, int] = {}
        for row in self.shape(tree_id)[1]:
            depths[row.node] = 0 if row.parent is None else depths[row.parent] + 1
        return depths


def _page(found: list[FoundNode], end: Key) -> Page[FoundNode]:
    """A page that is followed by another, which begins behind ``end``."""
    return Page(found, [*(each.key for each in found[:-1]), end], more=True)


def _shape(row: sqlite3.Row) -> ShapeRow:
    names = ("node", "parent", "visits", "value_sum", "reward", "copies", "simulation", "flags")
    return ShapeRow(*(row[name] for name in names))


def _short(text: str | bytes | None) -> str | None:
    """Text cut to a row, with a mark where it is; a cut may go through a letter that was kept as bytes."""
    if text is None:
        return None
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return text if len(text) <= ROW_CHARS else text[: ROW_CHARS - 1] + "…"


def _first_line(text: str | bytes) -> str:
    """The first line that says something."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return _short(next((line for line in whole.splitlines() if line.strip()), "")) or ""
