"""Branching: bring an environment to any state of a tree, and do actions there.

An environment plays one episode at a time; a tree asks for its states in any order. A state is a :class:`Place`,
named by the executed actions that lead to it. To stand there an environment restores a snapshot where it has them;
otherwise the pooled environment that has already executed the longest prefix of those actions steps the rest; only
then is it reset and the whole path replayed. What an action brought is remembered, so a known step costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeGuard, TypeVar

from agentr_core.errors import EnvironmentFailure, boundary
from agentr_core.interfaces.tree import CONTEXT_FULL, KEPT, Node, Tree
from agentr_core.interfaces.turn_parsing import REVISION_ACTION, reaches_environment
from agentr_core.play.environment_pool import EnvironmentPool, PooledEnvironment
from agentr_core.process.gather import gather_all
from agentr_core.records import Snapshot, StepResult, Task

T = TypeVar("T")


class Outcome(NamedTuple):
    """What an action brought, and the state key after it."""

    result: StepResult
    state_key: str

    @property
    def ended(self) -> bool:
        """True where the episode is over."""
        return self.result.terminated or self.result.truncated


@dataclass(slots=True, eq=False)
class Place:
    """A state of an episode. Nodes that executed the same actions share a place, whatever the agent wrote.

    ``action`` leads here from ``parent`` and brought ``outcome``; the root's outcome is the first observation.
    ``snapshot``: the environment's own picture of the state, where there is one. ``onward``: known next places.
    """

    parent: Place | None
    action: str
    outcome: Outcome
    snapshot: Snapshot | None = None
    onward: dict[str, Place] = field(default_factory=dict)

    def ancestors(self) -> Iterator[Place]:
        """This place, its parent, and so on up to and with the root."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def actions(self) -> list[str]:
        """The executed actions from the start to here."""
        return [place.action for place in self.ancestors() if place.parent is not None][::-1]


class Mismatch(NamedTuple):
    """A replay that did not show what was recorded: after ``actions``, ``seen`` in place of ``recorded``."""

    actions: list[str]
    recorded: str
    seen: str


@dataclass(slots=True)
class EnvironmentStats:
    """What one tree asked of environments. ``seconds`` is waiting time: with threads it may exceed the wall clock."""

    steps: int = 0
    resets: int = 0
    restores: int = 0
    memo_hits: int = 0
    mismatches: int = 0
    seconds: float = 0.0


class Branches:
    """The environments of one tree. :class:`~agentr_core.errors.EnvironmentFailure` where one raises.

    Nodes whose action is None or the revision action share their parent's place: they never reach an environment.
    ``mismatches`` lists every replay that did not show what was recorded; the record stands.
    """

    def __init__(
        self,
        task: Task,
        pool: EnvironmentPool,
        tree: Tree | None = None,
        *,
        revision_action: str = REVISION_ACTION,
    ) -> None:
        self.task, self.pool, self.revision_action = task, pool, revision_action
        self.stats = EnvironmentStats()
        self.mismatches: list[Mismatch] = []
        self._root: Place | None = None
        self._places: dict[int, Place] = {}
        if tree is not None:
            self.follow(tree)

    async def start(self) -> Outcome:
        """The first observation and state key of the task."""
        if self._root is None:
            await self._use(None, self._reset)
        return self._begin.outcome

    def follow(self, tree: Tree) -> None:
        """Remember every step that ``tree`` holds."""
        if self._root is None:
            self._root = Place(None, "", _recorded(tree.root))
        for node in tree.nodes[1:]:
            if self.reaches(node.action):
                parent = self._place(node.parent or tree.root)
                parent.onward.setdefault(node.action, Place(parent, node.action, _recorded(node)))

    async def step(self, node: Node, actions: Sequence[str]) -> list[Outcome]:
        """What each of ``actions`` brings at ``node``; each distinct one is done once, known ones not at all."""
        return await self._step(self._place(node), actions)

    def close(self) -> None:
        """Drop snapshots and memory, and let the pool have its environments back."""
        self.pool.vacate(self)
        self._places.clear()
        # Taken apart, as ``take_apart`` does it: what refers to itself would wait for a collector.
        waiting = [self._root] if self._root is not None else []
        while waiting:
            place = waiting.pop()
            waiting += place.onward.values()
            place.onward.clear()
        self._root = None

    def reaches(self, action: str | None) -> TypeGuard[str]:
        """True for an action that the environment is asked to do."""
        return reaches_environment(action, self.revision_action)

    @property
    def _begin(self) -> Place:
        if self._root is None:
            raise RuntimeError("Branches.start() or follow() comes first")
        return self._root

    def _place(self, node: Node) -> Place:
        """Where ``node`` is; its parent's place where its action never reached an environment."""
        if node.parent is None:
            return self._begin
        place = self._places.get(node.index)
        if place is None:
            parent = self._place(node.parent)
            place = parent.onward[node.action] if self.reaches(node.action) else parent
            self._places[node.index] = place
        return place

    async def _step(self, here: Place, actions: Sequence[str]) -> list[Outcome]:
        unknown = [action for action in dict.fromkeys(actions) if action not in here.onward]
        self.stats.memo_hits += len(actions) - len(unknown)

        def discover(pooled: PooledEnvironment, wanted: Sequence[str]) -> None:
            for action in wanted:
                self._stand(pooled, here)
                self._discover(pooled, action)

        # Where a step blocks, siblings are worth an environment and a thread each.
        shares = [[action] for action in unknown] if self.pool.blocking else [unknown] if unknown else []
        if len(shares) == 1:
            await self._use(here, partial(discover, wanted=shares[0]))
        elif shares:
            await gather_all(self._use(here, partial(discover, wanted=share)) for share in shares)
        return [here.onward[action].outcome for action in actions]

    async def _use(self, place: Place | None, work: Callable[[PooledEnvironment], T]) -> T:
        def counted(pooled: PooledEnvironment) -> T:
            before = pooled.environment.mismatches
            try:
                return work(pooled)
            finally:
                self.stats.mismatches += pooled.environment.mismatches - before

        began = time.perf_counter()
        try:
            with boundary(EnvironmentFailure, f"the environment failed on task '{self.task.key}'"):
                return await self.pool.use(self, place, counted)
        finally:
            self.stats.seconds += time.perf_counter() - began

    def _stand(self, pooled: PooledEnvironment, target: Place) -> None:
        """Bring the environment to ``target``: from where it stands, a snapshot or the start, by replay."""
        trail, place = list[Place](), target
        while place is not pooled.place and place.snapshot is None and place.parent is not None:
            trail.append(place)
            place = place.parent
        if place is not pooled.place:
            if place.snapshot is not None:
                pooled.environment.restore(place.snapshot)
                pooled.place = place
                self.stats.restores += 1
            else:
                self._reset(pooled)
        for place in reversed(trail):
            self._replay(pooled, place)

    def _reset(self, pooled: PooledEnvironment) -> None:
        first = pooled.environment.begin(self.task)
        self.stats.resets += 1
        if self._root is None:
            self._root = Place(None, "", Outcome(first, pooled.environment.state_key()))
        self._arrive(pooled, self._root, first.observation)

    def _replay(self, pooled: PooledEnvironment, place: Place) -> None:
        result = pooled.environment.act(place.action)
        self.stats.steps += 1
        self._arrive(pooled, place, result.observation)

    def _discover(self, pooled: PooledEnvironment, action: str) -> None:
        """Do an action that is not known yet, from the place where the environment stands."""
        here: Place = pooled.place
        result = pooled.environment.act(action)
        self.stats.steps += 1
        place = Place(here, action, Outcome(result, pooled.environment.state_key()))
        # Another thread may have done the same action meanwhile: the first result is the one that stands.
        self._arrive(pooled, here.onward.setdefault(action, place), result.observation)

    def _arrive(self, pooled: PooledEnvironment, place: Place, seen: str) -> None:
        pooled.place = place
        if seen != place.outcome.result.observation:
            self.stats.mismatches += 1
            self.mismatches.append(Mismatch(place.actions(), place.outcome.result.observation, seen))
        if place.snapshot is None and pooled.environment.supports_snapshot and not place.outcome.ended:
            place.snapshot = pooled.environment.snapshot()


def _recorded(node: Node) -> Outcome:
    """What the environment brought at a stored node. Its values were checked when they were first seen.

    What the search said of the node is left out: another node may share its place.
    """
    result = StepResult.model_construct(
        observation=node.observation,
        reward=node.reward,
        score=node.score,
        terminated=node.terminated,
        truncated=node.truncated and CONTEXT_FULL not in node.info,
        info={key: value for key, value in node.info.items() if key not in (KEPT, CONTEXT_FULL)},
    )
    return Outcome(result, node.state_key)
