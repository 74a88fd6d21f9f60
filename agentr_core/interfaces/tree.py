"""The search tree: every attempt at one task that a searcher made, sharing what they have in common.

Plain slotted objects, no I/O; who only looks at them imports no records. Nodes are numbered in the order in which
they were made; the root is 0, has no response, and carries the first observation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

from agentr_core.turns import Message

if TYPE_CHECKING:
    from agentr_core.records import Completion, Step, Task, Trajectory

T = TypeVar("T")

#: Keys of a node's ``info`` that the environment knows nothing of: what a searcher keeps, and that the conversation has
#: filled the policy's context.
KEPT, CONTEXT_FULL = "search", "context_full"


@dataclass(slots=True, eq=False)
class Node:
    """One state of one attempt, and the step that led to it.

    ``index``: number within the tree. ``depth``: steps from the root. ``response``: the agent's whole turn.
    ``action``: what was executed (None: nothing could be taken from the turn). ``reward`` in [0, 1], ``score`` on the
    environment's scale. ``copies``: how many samples said the same and were merged. ``visits`` and ``value_sum``:
    N(s) and the sum of backed-up rewards. ``terminal``: terminated, truncated, or at the searcher's horizon.
    ``exhausted``: nothing below it is left to search.
    """

    index: int
    parent: Node | None
    depth: int
    response: str = ""
    action: str | None = None
    observation: str = ""
    reward: float = 0.0
    score: float = 0.0
    terminated: bool = False
    truncated: bool = False
    invalid: bool = False
    terminal: bool = False
    exhausted: bool = False
    expanded: bool = False
    copies: int = 1
    visits: int = 0
    value_sum: float = 0.0
    state_key: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    completion: Completion | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Q(s), the mean backed-up reward; 0 before the first visit."""
        return self.value_sum / self.visits if self.visits else 0.0

    @property
    def cut_off(self) -> bool:
        """True where the agent's turn ended because it had become too long."""
        return self.completion is not None and self.completion.finish_reason == "length"

    def path(self) -> list[Node]:
        """The nodes from the root's child down to this one; empty for the root."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        nodes.reverse()
        return nodes

    def ancestors(self) -> Iterator[Node]:
        """This node, its parent, and so on up to and with the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def step(self) -> Step:
        """The node as a step of a trajectory."""
        from agentr_core.records import Step

        return Step(
            response=self.response,
            action=self.action,
            observation=self.observation,
            reward=self.reward,
            score=self.score,
            terminated=self.terminated,
            truncated=self.truncated,
            invalid=self.invalid,
            node=self.index,
            cut_off=self.cut_off,
        )


class TreeNodes:
    """The nodes of a tree below its ``root``, whatever they are attempts at.

    ``simulations`` counts those whose nodes and values are complete; a resumed search goes on from there.
    """

    def __init__(self, root: Node) -> None:
        self.root, self.nodes = root, [root]
        self.simulations = 0

    def add(self, parent: Node, **values: Any) -> Node:
        """Append a child of ``parent``; ``values`` are fields of :class:`Node`."""
        node = Node(len(self.nodes), parent, parent.depth + 1, **values)
        parent.children.append(node)
        self.nodes.append(node)
        return node

    def leaves(self) -> list[Node]:
        """The terminal nodes, in the order they were made: the ends of all whole attempts."""
        return [node for node in self.nodes if node.terminal and not node.children]

    @property
    def best_reward(self) -> float:
        """The highest reward of any leaf; 0 where there is none."""
        return max((leaf.reward for leaf in self.leaves()), default=0.0)


class Tree(TreeNodes):
    """All attempts at ``task``. ``head`` are the turns before the first action."""

    def __init__(self, task: Task, head: tuple[Message, ...], *, seed: int, state_key: str = "") -> None:
        super().__init__(Node(0, None, 0, observation=head[-1].content if head else "", state_key=state_key))
        self.task, self.head, self.seed = task, head, seed

    def trajectory(self, leaf: Node) -> Trajectory:
        """The attempt that ends in ``leaf``."""
        from agentr_core.records import Trajectory

        return Trajectory(self.task, self.head, tuple(node.step() for node in leaf.path()))

    def messages(self, node: Node) -> list[Message]:
        """The conversation up to and with the observation of ``node``."""
        turns = list(self.head)
        for step in node.path():
            turns += (Message("assistant", step.response), Message("user", step.observation))
        return turns


def take_apart(tree: Tree) -> None:
    """Free the nodes of a tree that nobody looks at any more, at once; it cannot be used afterwards.

    Parents and children refer to each other; nothing but a walk over all objects would find that nobody else does.
    """
    for node in tree.nodes:
        node.parent = None
        node.children.clear()
    tree.nodes.clear()


def shared_start(left: Iterable[T], right: Iterable[T], same: Callable[[T, T], bool]) -> int:
    """How many leading items of two sequences are the same."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: same(*pair), pairs))
