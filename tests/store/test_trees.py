from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentr_core.errors import ResumeError, UsageError
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Completion, Task, Verdict
from agentr_core.store import Store, TreePlan, TreeRow
from agentr_core.turns import Message

TASK = Task(key="t", split="train", instruction="Craft.", metadata={"goal": "chest", "depth": 3}, env="textcraft")
WHO = {"searcher": "mcts", "searcher_hash": "h", "model": "m"}


def fields(node: Node) -> dict[str, Any]:
    """All of a node but its links, which become numbers."""
    values = {name: getattr(node, name) for name in Node.__slots__}
    values["parent"] = None if node.parent is None else node.parent.index
    values["children"] = [child.index for child in node.children]
    return values


def assert_same(left: Tree, right: Tree) -> None:
    assert [fields(node) for node in left.nodes] == [fields(node) for node in right.nodes]
    assert (left.task, left.head, left.seed, left.simulations) == (
        right.task,
        right.head,
        right.seed,
        right.simulations,
    )


def plan(store: Store, count: int = 1) -> list[TreeRow]:
    run = store.runs.create("search", {}, seed=1)
    tasks = [TASK.model_copy(update={"key": f"t{i}"}) for i in range(count)]
    ids = store.tasks.save("textcraft", "1", [TASK, *tasks])
    keys = [TASK.key, *(task.key for task in tasks)][:count]
    return store.trees.plan(run.id, 1, [TreePlan(ids[key], 5) for key in keys], **WHO)


# Whatever an environment may say, lone surrogates, NUL and long text included; a policy's text is valid Unicode.
any_text = st.text(st.characters(exclude_categories=())) | st.just("x" * 300)
said = st.text(st.characters(codec="utf-8")) | st.just("y" * 300)
single = st.floats(allow_nan=False, width=32)
completions = st.builds(
    Completion,
    text=said,
    token_ids=st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple),
    logprobs=st.lists(single, max_size=4).map(tuple),
    finish_reason=st.sampled_from(["stop", "length", "error"]),
    prompt_tokens=st.integers(0, 10**6),
    cached_tokens=st.integers(0, 10**6),
)
nodes = st.fixed_dictionaries(
    {
        "response": any_text,
        "action": st.none() | any_text,
        "observation": any_text,
        "reward": st.floats(0, 1),
        "score": st.floats(allow_nan=False),
        "copies": st.integers(1, 9),
        "visits": st.integers(0, 9),
        "value_sum": st.floats(0, 9),
        "state_key": any_text | st.binary(max_size=16).map(bytes.hex),
        "info": st.dictionaries(any_text, st.integers() | st.booleans() | any_text | st.none(), max_size=2),
        "completion": st.none() | completions,
        **{name: st.booleans() for name in ("terminated", "truncated", "invalid", "terminal", "exhausted", "expanded")},
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.tuples(st.integers(0, 30), nodes), max_size=12),
    root=nodes,
    head=st.lists(any_text, min_size=1, max_size=3),
)
def test_a_tree_comes_back_as_it_was(
    store: Store, values: list[tuple[int, dict[str, Any]]], root: dict[str, Any], head: list[str]
) -> None:
    (row,) = plan(store)
    tree = Tree(store.tasks.get(row.task_id).task(), tuple(Message("user", text) for text in head), seed=row.seed)
    for name, value in root.items():
        if name != "observation":
            setattr(tree.root, name, value)
    for parent, value in values:
        tree.add(tree.nodes[parent % len(tree.nodes)], **value)
    store.trees.start(row.id, tree)
    store.trees.save_simulation(row.id, tree, tree.nodes[1:], [tree.root])
    assert_same(store.trees.load(row.id), tree)


def test_a_tree_reloads_after_each_simulation_and_goes_on_as_if_never_stored(store: Store, worker: ModuleType) -> None:
    (row,) = plan(store)
    tree, straight = worker.new_tree(TASK, row.seed), worker.new_tree(TASK, row.seed)
    store.trees.start(row.id, tree)
    for _ in range(6):
        tree = store.trees.load(row.id)
        store.trees.save_simulation(row.id, tree, *worker.simulate(tree, 10))
        worker.simulate(straight, 10)
        assert_same(store.trees.load(row.id), straight)
    stored = store.trees.get(row.id)
    assert (stored.simulations, stored.n_nodes, stored.status) == (6, 61, "running")
    store.trees.finish(row.id, "done", tree, stats={"replays": 2}, elapsed=2.0)
    stored = store.trees.get(row.id)
    assert (stored.status, stored.best_reward, stored.stats) == ("done", straight.best_reward, {"replays": 2})


def test_a_score_that_is_not_a_number_comes_back(store: Store) -> None:
    (row,) = plan(store)
    tree = Tree(TASK, (Message("user", "go"),), seed=5)
    tree.add(tree.root, score=math.nan)
    store.trees.start(row.id, tree)
    store.trees.save_simulation(row.id, tree, tree.nodes[1:], [])
    assert math.isnan(store.trees.load(row.id).nodes[1].score)


def test_planning_again_gives_the_same_rows_in_the_order_asked(store: Store) -> None:
    rows = plan(store, 3)
    store.trees.finish(rows[1].id, "failed", error="boom \udc80")
    again = [TreePlan(row.task_id, row.seed) for row in reversed(rows)]
    planned = store.trees.plan(rows[0].run_id, 1, again, **WHO)
    assert [row.id for row in planned] == [3, 2, 1]
    assert [row.status for row in planned] == ["todo", "failed", "todo"]
    assert planned[1].error == "boom \\udc80"


def test_planning_with_another_searcher_is_refused_and_says_what_differs(store: Store) -> None:
    rows = plan(store)
    again = [TreePlan(rows[0].task_id, rows[0].seed)]
    with pytest.raises(ResumeError, match="searcher stored mcts now sampling; model stored m now n"):
        store.trees.plan(rows[0].run_id, 1, again, searcher="sampling", searcher_hash="h", model="n")


def test_a_tree_that_was_never_started_has_nothing_to_load(store: Store) -> None:
    (row,) = plan(store)
    with pytest.raises(UsageError, match=f"tree {row.id} was planned but never started"):
        store.trees.load(row.id)
    with pytest.raises(UsageError, match=r"there is no tree 99 .* agentr trees list"):
        store.trees.load(99)


def test_long_text_is_stored_once(store: Store) -> None:
    (row,) = plan(store)
    tree = Tree(TASK, (Message("user", "w" * 1000),), seed=5)
    for _ in range(5):
        tree.add(tree.root, response="v" * 500, observation="w" * 1000)
    store.trees.start(row.id, tree)
    store.trees.save_simulation(row.id, tree, tree.nodes[1:], [])
    assert store.connection.counts()["texts"] == 2


def test_verdicts_are_kept_apart_by_critic_and_judge(store: Store) -> None:
    (row,) = plan(store)
    verdicts = {3: Verdict(step=1, label="good"), 7: Verdict(step=2, label="bad", rationale="r" * 400)}
    store.trees.save_verdicts(row.id, "actor", "h1", verdicts)
    store.trees.save_verdicts(row.id, "actor", "h2", {3: Verdict(step=1, label="uncertain", rationale="hm")})
    store.trees.save_verdicts(row.id, "actor", "h1", {3: Verdict(step=1, label="good")})
    assert store.trees.verdicts_of(row.id, "actor", "h1") == verdicts
    assert store.trees.verdicts_of(row.id, "judge", "h1") == {}
    assert set(store.trees.verdicts(row.id)) == {("actor", "h1"), ("actor", "h2")}


def test_a_tree_of_630_nodes_takes_less_than_a_megabyte(store: Store, worker: ModuleType) -> None:
    """The issue's budget, with trees grown by turns as in a real run, and 40 tokens with logprobs a node."""
    rows = plan(store, 4)
    trees = [worker.new_tree(TASK, row.seed + row.id) for row in rows]
    for row, tree in zip(rows, trees, strict=True):
        store.trees.start(row.id, tree)
    for _ in range(8):
        for row, tree in zip(rows, trees, strict=True):
            store.trees.save_simulation(row.id, tree, *worker.simulate(tree, 79, tokens=40))
    path = store.path
    store.close()
    assert path.stat().st_size < 4 * 1_000_000
