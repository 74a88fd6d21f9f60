from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import ClassVar

import pytest
from walking import walk

from agentr_core import Node
from agentr_core.errors import EnvironmentFailure
from agentr_core.interfaces.tree import Tree
from agentr_core.play.branches import Branches
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.records import StepResult, Task
from agentr_core.testing.fakes import BlockingCounterEnvironment, CounterEnvironment, ReplayCounterEnvironment

WORLDS = (CounterEnvironment, ReplayCounterEnvironment, BlockingCounterEnvironment)


def task(target: int = 15) -> Task:
    return Task(key=f"count_{target}", split="train", instruction=f"Count to {target}.", metadata={"target": target})


def chain(tree: Tree, *actions: str | None) -> None:
    """A tree of one path, as a store would hold it."""
    node, count = tree.root, 1
    for action in actions:
        if action == "add 1":
            count += 1
        seen = f"You are at {count}." if action else "Error"
        node = tree.add(node, action=action, observation=seen, state_key=f"15:{count}:1")


def stored_tree(*actions: str | None) -> Tree:
    from agentr_core.turns import Message

    tree = Tree(task(), (Message("user", "Count to 15. You are at 1."),), seed=0, state_key="15:1:1")
    chain(tree, *actions)
    return tree


def test_what_a_search_says_of_a_node_is_not_said_of_its_place() -> None:
    """Another node that did the same is no end, and has no note, because this one was and has."""

    async def play() -> StepResult:
        tree = stored_tree("add 1")
        said = tree.nodes[1]
        said.info, said.truncated = {"search": {"note": "hm"}, "context_full": True, "invalid": False}, True
        branches = Branches(task(), EnvironmentPool(CounterEnvironment), tree)
        return (await branches.step(tree.root, ["add 1"]))[0].result

    result = asyncio.run(play())
    assert (result.info, result.truncated) == ({"invalid": False}, False)


@pytest.mark.parametrize("world", WORLDS)
def test_actions_are_done_at_the_state_of_the_node(world) -> None:
    async def play() -> list[str]:
        tree = stored_tree("add 1", "add 1")
        branches = Branches(task(), EnvironmentPool(world, limit=2), tree)
        outcomes = await branches.step(tree.nodes[2], ["double", "add 2", "double", "fly"])
        outcomes += await branches.step(tree.nodes[1], ["double"])
        outcomes += await branches.step(tree.root, ["double", "add 1"])
        return [f"{outcome.result.observation} {outcome.state_key}" for outcome in outcomes]

    assert asyncio.run(play()) == [
        "You are at 6. 15:6:1",
        "You are at 5. 15:5:1",
        "You are at 6. 15:6:1",
        "'fly' is not an action. 15:3:1",
        "You are at 4. 15:4:1",
        "You are at 2. 15:2:1",
        "You are at 2. 15:2:1",
    ]


def test_snapshots_spare_replays() -> None:
    async def play() -> Branches:
        tree = stored_tree("add 1", "add 1")
        branches = Branches(task(), EnvironmentPool(CounterEnvironment), tree)
        await branches.step(tree.nodes[2], ["double", "add 2", "add 1"])
        return branches

    stats = asyncio.run(play()).stats
    # a stored tree has no snapshots: one reset, two steps to node 2, then three actions from it, two after a restore
    assert (stats.resets, stats.steps, stats.restores, stats.memo_hits) == (1, 5, 2, 0)


def test_without_snapshots_the_longest_executed_prefix_is_continued() -> None:
    async def play() -> list[tuple[int, int]]:
        tree = stored_tree("add 1", "add 1", "add 1")
        branches = Branches(task(), EnvironmentPool(ReplayCounterEnvironment, limit=2), tree)
        counts = []
        for index, action in ((1, "double"), (2, "double"), (2, "add 2"), (3, "double")):
            await branches.step(tree.nodes[index], [action])
            counts.append((branches.stats.resets, branches.stats.steps))
        return counts

    # Node 1 is reached by one step. From then on: a new environment replays two steps for node 2 (the first stands
    # beside the way), the older one is reset for its sibling, and again for node 3.
    assert asyncio.run(play()) == [(1, 2), (2, 5), (3, 8), (4, 12)]


def test_a_walk_down_needs_one_reset() -> None:
    async def play() -> Branches:
        branches = Branches(task(), EnvironmentPool(ReplayCounterEnvironment, limit=4))
        await branches.start()
        await walk(branches, ["add 1"] * 10)
        return branches

    stats = asyncio.run(play()).stats
    assert (stats.resets, stats.steps) == (1, 10)


def test_known_steps_are_not_done_again() -> None:
    async def play() -> Branches:
        tree = stored_tree("add 1", "add 1")
        branches = Branches(task(), EnvironmentPool(CounterEnvironment), tree)
        assert (await branches.step(tree.root, ["add 1"]))[0].result.observation == "You are at 2."
        return branches

    stats = asyncio.run(play()).stats
    assert (stats.memo_hits, stats.steps, stats.resets) == (1, 0, 0)


@pytest.mark.parametrize("world", WORLDS)
def test_what_never_reaches_the_environment_leaves_it_where_it_was(world) -> None:
    async def play() -> tuple[str, int]:
        tree = stored_tree("add 1", None, "revise", "add 1")
        branches = Branches(task(), EnvironmentPool(world), tree)
        [outcome] = await branches.step(tree.nodes[4], ["double"])
        return outcome.result.observation, branches.stats.mismatches

    assert asyncio.run(play()) == ("You are at 6.", 0)


def test_the_papers_revision_action_is_kept_back_where_it_is_chosen() -> None:
    async def play(revision_action: str) -> list[str]:
        branches = Branches(task(), EnvironmentPool(CounterEnvironment), revision_action=revision_action)
        return [result.observation for result in await walk(branches, ["wait", "revise"])]

    assert asyncio.run(play("wait")) == ["ok.", "'revise' is not an action."]
    assert asyncio.run(play("revise")) == ["'wait' is not an action.", "ok."]


@pytest.mark.parametrize("world", WORLDS)
def test_a_known_way_is_walked_without_a_step(world) -> None:
    async def play() -> tuple[list[Node], int]:
        pool = EnvironmentPool(world)
        branches = Branches(task(5), pool)
        first = await walk(branches, ["double", "double", "revise", "add 1", "stop", "add 1"])
        steps = branches.stats.steps
        again = await walk(branches, ["double", "double", "add 1", "stop"])
        assert branches.stats.steps == steps
        assert [result.reward for result in again] == [0, 0, 0, 1]
        pool.close()
        return first, steps

    results, steps = asyncio.run(play())
    assert [result.observation for result in results] == [
        "You are at 2.",
        "You are at 4.",
        "ok.",
        "You are at 5.",
        "You stopped at 5: right.",
    ]
    assert (results[-1].terminated, results[-1].reward, steps) == (True, 1.0, 4)


class Liar(ReplayCounterEnvironment):
    """Shows something else the second time it gets to a number."""

    def step(self, action: str) -> StepResult:
        result = super().step(action)
        self.told = getattr(self, "told", 0) + 1
        return result.model_copy(update={"observation": f"{result.observation} ({self.told})"})


def test_a_replay_that_shows_something_else_is_counted_and_the_record_stands() -> None:
    async def play() -> Branches:
        branches = Branches(task(), EnvironmentPool(Liar))
        await walk(branches, ["add 1", "add 1"])
        await walk(branches, ["add 1", "double"])
        results = await walk(branches, ["add 1", "add 1"])
        assert [result.observation for result in results] == ["You are at 2. (1)", "You are at 3. (2)"]
        return branches

    branches = asyncio.run(play())
    assert branches.stats.mismatches == 1
    assert branches.mismatches == [(["add 1"], "You are at 2. (1)", "You are at 2. (3)")]


def test_replays_that_an_environment_does_by_itself_are_counted_too() -> None:
    class Remembering(CounterEnvironment):
        """Behind ``restore`` it does again what it did, and sees something else."""

        def restore(self, snapshot: tuple[int, int, int, bool]) -> None:
            super().restore(snapshot)
            self.mismatches += 1

    async def play() -> Branches:
        branches = Branches(task(), EnvironmentPool(Remembering))
        await branches.start()
        tree = Tree(task(), (), seed=0)
        await branches.step(tree.root, ["add 1", "add 2", "double"])
        return branches

    stats = asyncio.run(play()).stats
    assert (stats.restores, stats.mismatches) == (2, 2)


def test_a_stored_tree_of_another_world_is_noticed() -> None:
    async def play() -> Branches:
        tree = stored_tree("add 1", "add 1")
        tree.nodes[1].observation = "You are at 20."
        branches = Branches(task(), EnvironmentPool(CounterEnvironment), tree)
        await branches.step(tree.nodes[2], ["double"])
        return branches

    assert asyncio.run(play()).mismatches == [(["add 1"], "You are at 20.", "You are at 2.")]


def breaking(world: type[CounterEnvironment]) -> type[CounterEnvironment]:
    """``world``, but it raises at the fourth step of its life; ``made`` and ``closed`` list the instances."""

    class Breaking(world):  # type: ignore[misc, valid-type]
        made: ClassVar[list[CounterEnvironment]] = []
        closed: ClassVar[list[CounterEnvironment]] = []

        def __init__(self) -> None:
            super().__init__()
            self.life = 0
            self.made.append(self)

        def step(self, action: str) -> StepResult:
            self.life += 1
            if self.life == 4:
                raise OSError("the server is gone")
            return super().step(action)

        def close(self) -> None:
            self.closed.append(self)

    return Breaking


@pytest.mark.parametrize("world", WORLDS)
def test_an_environment_that_raises_fails_the_task_and_is_replaced(world) -> None:
    broken = breaking(world)

    async def play() -> list[str]:
        pool = EnvironmentPool(broken)
        branches = Branches(task(), pool)
        with pytest.raises(EnvironmentFailure, match=r"task 'count_15': OSError: the server is gone") as caught:
            await walk(branches, ["add 1"] * 6)
        assert isinstance(caught.value.__cause__, OSError)
        assert broken.closed == broken.made[:1]
        results = await walk(Branches(task(5), pool), ["add 1", "add 2"])
        pool.close()
        pool.close()
        return [result.observation for result in results]

    assert asyncio.run(play()) == ["You are at 2.", "You are at 4."]
    assert len(broken.made) == 2
    assert set(broken.closed) == set(broken.made)


def test_stepping_after_the_end_is_an_environment_failure() -> None:
    async def play() -> None:
        branches = Branches(task(5), EnvironmentPool(ReplayCounterEnvironment))
        tree = Tree(task(5), (), seed=0)
        ended = tree.add(tree.root, action="stop", observation="You stopped at 1: wrong.", terminated=True)
        branches.follow(tree)
        await branches.step(ended, ["add 1"])

    with pytest.raises(EnvironmentFailure, match="reset"):
        asyncio.run(play())


class Watched(BlockingCounterEnvironment):
    """Notices when two threads are in it at once, and how many instances are busy at the same time."""

    everyone: ClassVar[threading.Barrier | None] = None
    threads: ClassVar[set[str]] = set()
    instances: ClassVar[list[Watched]] = []

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.instances.append(self)

    def step(self, action: str) -> StepResult:
        assert self.lock.acquire(blocking=False), "two threads in one environment"
        try:
            self.threads.add(threading.current_thread().name)
            if self.everyone is not None:
                self.everyone.wait(timeout=20)  # breaks unless so many are here at the same time
            return super().step(action)
        finally:
            self.lock.release()


def test_environments_that_block_work_side_by_side_in_threads() -> None:
    Watched.instances.clear()
    Watched.everyone = threading.Barrier(3)

    async def play() -> list[str]:
        pool = EnvironmentPool(Watched, limit=3)
        branches = Branches(task(), pool)
        await branches.start()
        tree = Tree(task(), (), seed=0)
        outcomes = await branches.step(tree.root, ["add 1", "add 2", "double"])
        pool.close()
        return [outcome.result.observation for outcome in outcomes]

    assert asyncio.run(play()) == ["You are at 2.", "You are at 3.", "You are at 2."]
    assert len(Watched.instances) == 3
    assert threading.current_thread().name not in Watched.threads


def test_environments_with_workers_of_their_own_are_in_use_beyond_the_limit() -> None:
    class Sharing(Watched):
        shares_workers = True

    Watched.everyone = threading.Barrier(3)

    async def play() -> list[str]:
        pool = EnvironmentPool(Sharing, limit=1)
        results = await asyncio.gather(*(walk(Branches(task(n), pool), ["add 1"]) for n in (11, 13, 15)))
        pool.close()
        return [result.observation for [result] in results]

    assert asyncio.run(play()) == ["You are at 2."] * 3


def test_no_more_environments_than_the_limit() -> None:
    Watched.instances.clear()
    Watched.everyone = None

    async def play() -> None:
        pool = EnvironmentPool(Watched, limit=2)
        await asyncio.gather(*(walk(Branches(task(n), pool), ["add 1"] * 4) for n in range(11, 31, 2)))
        pool.close()

    asyncio.run(play())
    assert len(Watched.instances) == 2


def test_one_environment_with_snapshots_serves_many_trees() -> None:
    made: list[CounterEnvironment] = []

    def make() -> CounterEnvironment:
        made.append(CounterEnvironment())
        return made[-1]

    async def play() -> list[str]:
        pool = EnvironmentPool(make, limit=64)
        trees = [Branches(task(n), pool) for n in (11, 13, 15)]
        for action in ("add 1", "double"):
            for branches in trees:
                await walk(branches, ["add 1", action])
        return [(await walk(branches, ["add 1", "add 1"]))[1].observation for branches in trees]

    assert asyncio.run(play()) == ["You are at 3."] * 3
    assert len(made) == 1


def test_a_closed_tree_is_freed() -> None:
    async def play() -> weakref.ref[Branches]:
        pool = EnvironmentPool(ReplayCounterEnvironment)
        branches = Branches(task(), pool)
        await walk(branches, ["add 1", "double"])
        branches.close()
        assert (await walk(Branches(task(), pool), ["add 2"]))[0].observation == "You are at 3."
        return weakref.ref(branches)

    gone = asyncio.run(play())
    gc.collect()
    assert gone() is None
