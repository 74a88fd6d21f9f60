"""The searcher interface: grows one tree of attempts at one task."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.interfaces.turn_parsing import ParsedAction
from agentr_core.records import Completion, SamplingParams, Task

ConfigT = TypeVar("ConfigT", bound=PluginConfig)

#: Which of some turns at a node to do: their places.
Choose = Callable[["Node", Sequence[str]], Awaitable[Sequence[int]]]
#: Samples with equal keys are merged into one child before the environment is stepped.
MergeKey = Callable[[str, ParsedAction], Hashable]


def by_action(response: str, parsed: ParsedAction) -> Hashable:
    """Merge siblings that do the same, whatever they think (method choice 9)."""
    return ("action", parsed.action) if parsed.action is not None else ("response", response)


def by_response(response: str, parsed: ParsedAction) -> Hashable:
    """Merge siblings whose whole turn is the same (Agent-R's code: de-duplication by response text)."""
    return response


class SearchContext(Protocol):
    """What the core lends a searcher while it grows one tree.

    ``tree`` holds what the store already has of it: after a crash a searcher finds the finished simulations there and
    goes on from ``tree.simulations``.
    """

    tree: Tree

    @property
    def stopping(self) -> bool:
        """True once the run is being interrupted: finish the simulation at hand and return."""

    def rng(self, *names: str | int) -> random.Random:
        """A generator for one purpose of this tree, e.g. ``rng("simulation", 3)``; equal names, equal numbers."""

    def count(self, tokens: int) -> None:
        """Count tokens that a model of the searcher's own has read: they are part of what the tree costs."""

    async def sample(self, node: Node, n: int, params: SamplingParams, *, note: str = "") -> list[Completion]:
        """``n`` completions of the conversation at ``node``, trimmed to the policy's context.

        ``note`` is told at the end of the last turn, and is no part of the tree; a note that would leave no room for
        an answer is not told.
        """

    async def expand(
        self,
        node: Node,
        n: int,
        params: SamplingParams,
        *,
        merge: MergeKey = by_action,
        horizon: int | None = None,
        again: Sequence[SamplingParams] = (),
        note: str = "",
        keep: Mapping[str, Any] | None = None,
        choose: Choose | None = None,
    ) -> list[Node]:
        """Sample ``n`` actions at ``node``, merge equal ones, do each in the environment, append the children.

        Children at depth ``horizon`` are terminal. The node is marked ``expanded``. The environment stands wherever
        it stands: the core branches it by snapshot, by replay or from what it remembers. A sample that equals a child
        of an earlier call is that child, one copy more. Returns the children that this call's samples fell on, in
        the order of the samples. Calls made at once append in the order of the calls, however long each one takes.

        ``again``: sampling that knows its siblings. What is no child that is new is asked for once more with each of
        these in turn, until ``n`` are; one call at a time at a node. A child that was drawn at another temperature
        than ``params`` have says so (``keep``): its log-probabilities, which are those at temperature 1, are not those
        of its draw.

        ``note`` as in :meth:`sample`: a trajectory through the children has it not, so what is learnt is what the note
        brought and not the note. ``keep`` (JSON) stays with each new child in ``info["search"]``, and so does a note
        that was told: a searcher finds it there after a crash, and a trainer sees that these tokens were drawn from
        another prompt.

        ``choose``: of the merged samples only those are done whose places it gives, of the turns in their order; the
        others are left out before the environment is asked. Children then say of how many samples they were chosen
        (``info["search"]["chosen_of"]``): they are no draws of the policy any more.
        """

    async def commit(self, simulations: int = 1) -> None:
        """So many simulations are complete: count them, store their nodes and all changed values in one transaction."""


class Searcher(ABC, Generic[ConfigT]):
    """A way to look for good and bad attempts."""

    config_class: ClassVar[type[PluginConfig]] = PluginConfig

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @property
    @abstractmethod
    def simulations(self) -> int:
        """How many times :meth:`search` commits at the most: the budget of one tree."""

    @abstractmethod
    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Grow ``context.tree`` until the budget is spent or nothing is left to search, and return it.

        Deterministic for a given tree seed with a deterministic policy, whatever else is in flight.
        """

    def check(self) -> None:
        """See that what it needs beside its packages is there: a model of its own that is named, say.

        Asked before a run begins, so cheap: nothing is loaded. Raises :class:`~agentr_core.errors.UsageError`.
        """

    async def close(self) -> None:
        """Release what the searcher has loaded, such as a model that guides it. May be called twice."""


#: A searcher with whatever configuration.
AnySearcher = Searcher[Any]
