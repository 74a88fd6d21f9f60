"""Revisions of a run, and one as a conversation: what is shared, bad, the signal and the good tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agentr_core import Store, UsageError, preference_row, revision_part
from agentr_view.asked import Asked
from agentr_view.pages.listing import as_list, cursor
from agentr_view.pages.trees import way_to

KINDS = ("good", "revision", "direct")


def listing(store: Store, asked: Asked) -> dict[str, Any]:
    """The samples of a run's revision sets, set by set."""
    run = store.runs.find(asked.text("run") or "last", having="revisions")
    chosen, iteration, limit = asked.number("set"), asked.number("iteration"), asked.limit()
    kind: Any = asked.choice("kind", KINDS)
    only = {"kind": kind, "verified": asked.truth("verified"), "kept": asked.truth("kept")}
    first = asked.cursor(int, int, str, int, int)
    sets = [row for row in store.revisions.select(run.id, iteration=iteration) if chosen in (None, row.id)]
    items: list[dict[str, Any]] = []
    for row in sets:
        if first is not None and row.id < first[0]:
            continue
        after = first[1:] if first is not None and row.id == first[0] else None
        page = store.pages.samples(row.id, after, limit - len(items), **only)
        items += [_item(row, sample) for sample in page.items]
        if len(items) == limit and (page.more or row is not sets[-1]):
            return _listed(store, run, items, cursor((row.id, *page.keys[-1])))
    return _listed(store, run, items, None)


def _listed(store: Store, run: Any, items: list[dict[str, Any]], following: str | None) -> dict[str, Any]:
    """The items with the keys of their tasks."""
    tasks = store.pages.tasks_of([item["tree"] for item in items])
    named = [{**item, "env": tasks[item["tree"]][0], "task": tasks[item["tree"]][1]} for item in items]
    return {"items": named, "next": following, "run": run.key}


def _item(made: Any, sample: Any) -> dict[str, Any]:
    names = ("kind", "divergence", "cut", "verified", "kept", "judged", "reward", "bad_reward", "good_reward",
             "mismatches")  # fmt: skip
    where = {"set": made.id, "critic": made.critic, "iteration": made.iteration, "tree": sample.tree_id}
    return {
        **where,
        "bad": sample.bad_leaf,
        "good": sample.good_leaf,
        **{name: getattr(sample, name) for name in names},
    }


def one(store: Store, asked: Asked) -> dict[str, Any]:
    """One sample with its conversation, band by band, beside what the tree recorded."""
    made = store.revisions.get(asked.path_number("set"))
    tree = store.trees.get(asked.path_number("tree"))
    key = (asked.path_text("kind"), asked.path_number("bad"), asked.path_number("good"))
    found = [s for s in store.revisions.samples(made.id, tree_id=tree.id) if (s.kind, s.bad_leaf, s.good_leaf) == key]
    if not found:
        raise UsageError(f"there is no such sample in revision set {made.id}; see: agentr revisions list")
    (sample,) = found
    run, task = store.runs.get(tree.run_id), store.tasks.get(tree.task_id)
    verdicts = _verdicts(store, made, tree.id, sample)
    return {
        "sample": {**_item(made, sample), "task": tree.task, "env": tree.env, "origin": dict(sample.origin)},
        "run": {"key": run.key, "short": run.short, "name": run.name},
        "goal": task.instruction,
        "turns": _turns(store, tree, sample),
        "verdicts": verdicts,
        "why": why(sample),
    }


def why(sample: Any) -> str:
    """In a sentence, what became of a sample and why."""
    if sample.kind == "good":
        return f"A good attempt as it was recorded, reward {sample.reward:.2f}."
    start = f"cut after step {sample.cut}" if sample.judged else "no step was judged bad, so the whole attempt is kept"
    if sample.verified is None:
        return f"Spliced as recorded and not executed: {start}."
    if not sample.verified:
        dropped = "" if sample.kept else ", so it is not trained"
        return f"Executed, and its reward fell to {sample.reward:.2f} ({start}){dropped}."
    return f"Executed, and its reward held at {sample.reward:.2f}: {start}."


def _turns(store: Store, tree: Any, sample: Any) -> list[dict[str, Any]]:
    """The conversation as it was seen; ``recorded`` where the tree has another text."""
    head = len(store.conversations.get(tree.head))
    messages = store.conversations.get(sample.conversation)
    recorded: dict[int, str] = {} if sample.kind == "good" else dict(_recorded(store, tree.id, sample, head))
    turns = []
    for index, message in enumerate(messages):
        turn = {"role": message.role, "text": message.content, "train": message.train}
        turn["band"] = "head" if index < head else revision_part(sample, (index - head) // 2)
        if recorded.get(index, message.content) != message.content:
            turn["recorded"] = recorded[index]
        turns.append(turn)
    return turns


def _recorded(store: Store, tree_id: int, sample: Any, head: int) -> Iterator[tuple[int, str]]:
    """By turn what the tree recorded: the bad start, nothing of the head and the signal, the good tail."""
    tree = store.trees.load(tree_id)
    bad, good = tree.nodes[sample.bad_leaf].path(), tree.nodes[sample.good_leaf].path()
    steps = [*bad[: sample.cut], None, *good[sample.divergence :]]
    for step, node in enumerate(steps):
        if node is not None:
            yield head + 2 * step, node.response
            yield head + 2 * step + 1, node.observation


def _verdicts(store: Store, made: Any, tree_id: int, sample: Any) -> list[dict[str, Any]]:
    """What the set's critic said of the steps of the bad attempt, step by step."""
    if sample.kind == "good":
        return []
    given = store.tree_views.verdicts_of_set(tree_id, made)
    _, nodes = store.tree_views.shape(tree_id)
    way = way_to({row.node: row.parent for row in nodes}, sample.bad_leaf)
    return [
        {"step": step, "node": node, "label": given[node].label, "rationale": given[node].rationale}
        for step, node in enumerate(way)
        if node in given
    ]


def preferences(store: Store, asked: Asked) -> dict[str, Any]:
    """The preference pairs of a set: what both share, and how each goes on."""
    number = asked.number("set")
    made = store.revisions.get(number) if number is not None else _newest(store, asked)
    page = store.pages.preferences(made.id, asked.cursor(int, int, int, int), asked.limit())
    tasks = store.pages.tasks_of([pair.tree_id for pair in page.items])
    return as_list(page, lambda pair: _pair(store, pair, tasks[pair.tree_id]), set=made.id)


def _newest(store: Store, asked: Asked) -> Any:
    run = store.runs.find(asked.text("run") or "last", having="revisions")
    found = store.revisions.newest(run.id)
    if found is None:
        raise UsageError(f"run {run.short} has no revisions; make some with: agentr revise --run {run.short}")
    return found


def _pair(store: Store, pair: Any, task: tuple[str, str]) -> dict[str, Any]:
    chosen, rejected = store.conversations.get(pair.chosen), store.conversations.get(pair.rejected)
    row = preference_row(chosen, rejected) or {"prompt": [], "chosen": [], "rejected": []}
    parts = {name: _plain(row[name]) for name in ("prompt", "chosen", "rejected")}
    names = ("node", "chosen_leaf", "rejected_leaf", "chosen_reward", "rejected_reward")
    where = {"tree": pair.tree_id, "env": task[0], "task": task[1]}
    return {**where, **{name: getattr(pair, name) for name in names}, **parts}


def _plain(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns of a pair, of which the trainer trains what follows the prompt."""
    return [{"role": turn["role"], "text": turn["content"], "train": False} for turn in messages]
