"""Trees of a run, one tree as columns of numbers, what critics marked in it, and words in all trees of a run."""

from __future__ import annotations

import re
import threading
from array import array
from collections import Counter, OrderedDict
from typing import Any

from agentr_core import Store
from agentr_view.asked import Asked, BadRequest
from agentr_view.pages.listing import as_list, cursor
from agentr_view.pages.runs import set_items
from agentr_view.stores import identity

OUTCOMES = ("mixed", "solved", "failed", "none")
STATUSES = ("todo", "running", "done", "failed")
ORDERS = ("id", "nodes", "simulations", "best", "seconds", "task")
#: Trees whose last answer is remembered, so that the next one holds only what has changed.
REMEMBERED = 16
_FILTER = re.compile(r"(task:|reward<|reward>|depth>)(\S+)")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


def listing(store: Store, asked: Asked) -> dict[str, Any]:
    """The trees of a run, in the order they were planned or as ``sort`` says (``-nodes``: from the largest)."""
    run = store.runs.find(asked.text("run") or "last", having="trees")
    order = asked.choice("sort", [sign + name for name in ORDERS for sign in ("", "-")]) or "id"
    name = order.removeprefix("-")
    kinds = {"id": (int,), "task": (str, int), "best": (float, int), "seconds": (float, int)}.get(name, (int, int))
    after, limit, outcome = asked.cursor(*kinds), asked.limit(), asked.choice("outcome", OUTCOMES)
    status: Any = asked.choice("status", STATUSES)
    where = {"iteration": asked.number("iteration"), "env": asked.text("env") or None, "text": asked.text("q")}
    shown: list[dict[str, Any]] = []
    while True:  # how its attempts ended is no column of a tree
        page = store.pages.trees(
            run.id, after, limit, order=name, descending=order != name, status=status, **where  # type: ignore[arg-type]
        )  # fmt: skip
        ends = store.pages.ends([row.id for row, _ in page.items])
        for number, (row, words) in enumerate(page.items):
            item = _item(row, words, ends.get(row.id, (0, 0)))
            if outcome in (None, item["outcome"]):
                shown.append(item)
                if len(shown) == limit and (page.more or number < len(page.items) - 1):
                    return {"items": shown, "next": cursor(page.keys[number]), "run": run.key}
        if not page.more:
            return {"items": shown, "next": None, "run": run.key}
        after = page.next


def _item(row: Any, words: str, ends: tuple[int, int]) -> dict[str, Any]:
    attempts, solved = ends
    outcome = "none" if not attempts else "failed" if not solved else "solved" if solved == attempts else "mixed"
    said = words.strip().splitlines()
    return {
        "id": row.id, "iteration": row.iteration, "env": row.env, "task": row.task, "goal": said[-1] if said else "",
        "status": row.status, "simulations": row.simulations, "nodes": row.n_nodes, "best": row.best_reward,
        "seconds": row.elapsed_seconds, "attempts": attempts, "solved": solved, "outcome": outcome,
        "failures": row.attempts, "error": row.error,
    }  # fmt: skip


class Sent:
    """What was last sent of some trees: of each node a number that is another one when any of its numbers is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, int], array[int]] = OrderedDict()

    def before(self, key: tuple[str, int, int]) -> array[int] | None:
        """The numbers that were sent under ``key``; None where they are forgotten."""
        with self._lock:
            return self._known.get(key)

    def remember(self, key: tuple[str, int, int], marks: array[int]) -> bool:
        """Keep the numbers, unless others were sent under the same key: False then, and nobody may build on either."""
        with self._lock:
            if self._known.setdefault(key, marks) != marks:
                del self._known[key]
                return False
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return True


_sent = Sent()


def skeleton(store: Store, asked: Asked) -> dict[str, Any]:
    """A tree without its texts; with ``since`` only the nodes that are not as they were in that answer."""
    number, since = asked.path_number("tree"), asked.number("since")
    simulations, nodes = store.tree_views.shape(number)
    marks = array("q", (hash((n.flags, n.copies, n.visits, n.value_sum)) for n in nodes))
    place = f"{store.path} {identity(store.path)}"
    old = None if since is None else _sent.before((place, number, since))
    if old is not None and len(old) > len(nodes):
        old = None  # it was begun anew
    changed = nodes if old is None else [n for n, mark in zip(nodes, marks, strict=True)
                                         if n.node >= len(old) or old[n.node] != mark]  # fmt: skip
    kept = _sent.remember((place, number, simulations), marks)
    lines = store.tree_views.lines(number, [n.node for n in changed])
    return {
        **_about(store, number),
        "since": simulations if kept else None,
        "whole": old is None,
        "columns": {
            **{name: [getattr(n, name) for n in changed] for name in
               ("node", "parent", "visits", "value", "reward", "copies", "simulation", "flags")},
            "action": [lines[n.node][0] for n in changed],
            "line": [lines[n.node][1] for n in changed],
        },
    }  # fmt: skip


def _about(store: Store, number: int) -> dict[str, Any]:
    row = store.trees.get(number)
    run = store.runs.get(row.run_id)
    task = store.tasks.get(row.task_id).as_dict()
    sets = [
        {name: made[name] for name in ("id", "critic", "label", "iteration", "status")}
        for made in set_items(store, run, row.iteration)
    ]
    tree = {name: value for name, value in row.as_dict().items() if name != "head"}
    return {"tree": tree, "run": {"key": run.key, "short": run.short, "name": run.name}, "task": task, "sets": sets}


def marks(store: Store, asked: Asked) -> dict[str, Any]:
    """What one revision set says of a tree: its critic's verdicts, and where attempts were cut."""
    row = store.trees.get(asked.path_number("tree"))
    number = asked.number("set")
    if number is None:
        raise BadRequest("set: the number of a revision set is missing")
    made = store.revisions.get(number)
    verdicts = store.tree_views.verdicts_of_set(row.id, made)
    cuts = Counter(cut_nodes(store, row.id, made.id).values())
    return {
        "verdicts": [{"node": node, "label": verdict.label} for node, verdict in verdicts.items()],
        "cuts": [{"node": node, "count": count} for node, count in sorted(cuts.items())],
    }


def cut_nodes(store: Store, tree_id: int, set_id: int) -> dict[tuple[str, int, int], int]:
    """The node after which each sample of a set was cut, by its kind and leaves."""
    _, nodes = store.tree_views.shape(tree_id)
    parents = {row.node: row.parent for row in nodes}
    samples = store.revisions.samples(set_id, tree_id=tree_id)
    return {
        (sample.kind, sample.bad_leaf, sample.good_leaf): way_to(parents, sample.bad_leaf)[sample.cut]
        for sample in samples
        if sample.kind != "good"
    }


def way_to(parents: dict[int, int | None], node: int) -> list[int]:
    """The nodes from the root, which is step 0, to ``node``."""
    way: list[int] = []
    at: int | None = node
    while at is not None:
        way.append(at)
        at = parents[at]
    return way[::-1]


def search(store: Store, asked: Asked) -> dict[str, Any]:
    """Nodes of a run's trees by words, and by ``task:TEXT``, ``reward<X``, ``reward>X`` and ``depth>N`` among them.

    A page may be empty and yet be followed by another.
    """
    run = store.runs.find(asked.text("run") or "last", having="trees")
    words = asked.text("q")
    filters = dict(_FILTER.findall(words))
    text = " ".join(_FILTER.sub(" ", words).split())
    page = store.tree_views.found(
        run.id,
        asked.cursor(int, int),
        asked.limit(),
        text=text,
        task=filters.get("task:", ""),
        reward_below=_bound(filters, "reward<"),
        reward_above=_bound(filters, "reward>"),
        deeper_than=None if (depth := _bound(filters, "depth>")) is None else int(depth),
    )
    names = {"tree_id": "tree", "node": "node", "task": "task", "action": "action", "line": "line"}
    return as_list(page, lambda found: {name: getattr(found, field) for field, name in names.items()})


def _bound(filters: dict[str, str], name: str) -> float | None:
    if name not in filters:
        return None
    if not _NUMBER.fullmatch(filters[name]):
        raise BadRequest(f"{name}: a number follows, not '{filters[name][:40]}'")
    return float(filters[name])
