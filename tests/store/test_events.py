"""What work commits as values: packed anywhere, sent, applied by one writer, and twice as well as once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentr_core.errors import StoreError
from agentr_core.interfaces.tree import Tree
from agentr_core.records import Task, Verdict
from agentr_core.store import EvalResult, Sample, Store, TreePlan, TreeRow, canonical_dump, open_store
from agentr_core.store.events import Event, TreeGrown
from agentr_core.turns import Message

TASK = Task(key="t", split="train", instruction="Craft.")
#: Longer than what stands in the row itself.
LONG = "Because the plan forgets the sticks. " * 20


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    """The store of whoever does the work, with the same rows planned."""
    with open_store(tmp_path / "elsewhere.db") as store:
        planned(store)
        yield store


def planned(store: Store) -> TreeRow:
    run = store.runs.create("run", {}, seed=1)
    ids = store.tasks.save("textcraft", "1", [TASK])
    plans = [TreePlan(ids["t"], 5)]
    return store.trees.plan(run.id, 1, plans, searcher="mcts", searcher_hash="h", model="m")[0]


def grown(store: Store, tree: Tree, worker: ModuleType, simulations: int = 3) -> list[TreeGrown]:
    """The events of a tree's first simulations, packed with ``store`` and stored nowhere."""
    events, place = list[TreeGrown](), (0, 0)
    for number in range(simulations):
        new, touched = worker.simulate(tree, 10)
        events.append(store.trees.growth(1, place, tree, [tree.root, *new] if not number else new, touched))
        place = events[-1].after
    return events


def rest(store: Store, tree: Tree) -> list[Event]:
    """The other events of a tree's life: its end, its revision, an episode; packed with ``store``."""
    verdicts = store.trees.verdict_rows(1, "actor", "h", {3: Verdict(step=1, label="bad", rationale=LONG)})
    messages = (Message("user", LONG), Message("assistant", "get 1 log", train=True))
    sample = Sample(tree_id=1, kind="good", good_leaf=4, messages=messages, reward=1.0, good_reward=1.0)
    return [
        store.trees.ending(1, tree, {"samples": 9}, 1.5),
        store.revisions.revised(1, 1, [sample], {"pairs": 1}, verdicts=verdicts),
        store.evaluations.played(1, EvalResult(task_id=1, reward=1.0, success=True, messages=messages)),
    ]


def sent(events: list[Any]) -> list[Any]:
    loaded: list[Any] = pickle.loads(pickle.dumps(events))
    return loaded


def prepared(store: Store) -> TreeRow:
    row = planned(store)
    store.revisions.open(1, 1, "actor", {}, model="m")
    store.evaluations.open(1, 0, "plain", model="m", split="test", config={})
    return row


def everything(elsewhere: Store, worker: ModuleType) -> list[Event]:
    tree = worker.new_tree(TASK, 5)
    return sent([*grown(elsewhere, tree, worker), *rest(elsewhere, tree)])


def test_what_is_packed_elsewhere_and_sent_leaves_the_rows_of_what_is_saved_here(
    store: Store, elsewhere: Store, worker: ModuleType, tmp_path: Path
) -> None:
    prepared(store)
    store.apply(*everything(elsewhere, worker))
    with open_store(tmp_path / "here.db") as here:
        prepared(here)
        tree, straight = worker.new_tree(TASK, 5), here.trees
        for number in range(3):
            new, touched = worker.simulate(tree, 10)
            if not number:
                straight.start(1, tree)
            straight.save_simulation(1, tree, new, touched)
        here.apply(*rest(here, tree))
        assert list(canonical_dump(store)) == list(canonical_dump(here))
    assert len(store.trees.load(1).nodes) == 31
    assert store.trees.verdicts(1)["actor", "h"][3].rationale == LONG


def test_what_is_applied_twice_changes_nothing(store: Store, elsewhere: Store, worker: ModuleType) -> None:
    prepared(store)
    events = everything(elsewhere, worker)
    store.apply(*events)
    before = list(store.connection.database().conn.iterdump())
    store.apply(*events)
    for event in events:
        store.apply(event)
    assert list(store.connection.database().conn.iterdump()) == before


def test_a_gap_is_refused_and_nothing_of_its_transaction_stays(
    store: Store, elsewhere: Store, worker: ModuleType
) -> None:
    prepared(store)
    first, _, third = sent(list(grown(elsewhere, worker.new_tree(TASK, 5), worker)))
    with pytest.raises(StoreError, match=r"stored up to simulation 1 .* goes on from simulation 2"):
        store.apply(first, third)
    assert store.trees.get(1).n_nodes == 0 and store.connection.counts()["texts"] == 0
    store.apply(first)
    assert store.trees.get(1).simulations == 1


def test_events_of_which_only_values_change_leave_no_gap_unseen(
    store: Store, elsewhere: Store, worker: ModuleType
) -> None:
    prepared(store)
    tree = worker.new_tree(TASK, 5)
    (first,) = grown(elsewhere, tree, worker, 1)
    place, quiet = first.after, list[TreeGrown]()
    for _ in range(2):
        tree.simulations += 1
        tree.root.visits += 1
        quiet.append(elsewhere.trees.growth(1, place, tree, [], [tree.root]))
        place = quiet[-1].after
    store.apply(first)
    with pytest.raises(StoreError):
        store.apply(quiet[1])
    store.apply(*quiet)
    assert store.trees.load(1).root.visits == tree.root.visits


def test_a_text_is_sent_once_by_whoever_packs(elsewhere: Store) -> None:
    rows = [
        elsewhere.trees.verdict_rows(1, "actor", "h", {node: Verdict(step=1, label="bad", rationale=LONG)})
        for node in (3, 4)
    ]
    written = elsewhere.conversations.packer.written()
    assert [rows[0][0][-1], len(written.texts)] == [rows[1][0][-1], 1]
    assert elsewhere.conversations.packer.written().texts == ()
