"""Walking along a tree's branches, as a searcher does that draws one action at a time."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from agentr_core import Node, Tree
from agentr_core.interfaces.turn_parsing import ParsedAction, step_of
from agentr_core.play.branches import Branches

_TREES: WeakKeyDictionary[Branches, Tree] = WeakKeyDictionary()


async def walk(branches: Branches, actions: Sequence[str]) -> list[Node]:
    """Do ``actions`` from the start of the task and return the nodes; fewer where the episode ends before them."""
    await branches.start()
    tree = _TREES.setdefault(branches, Tree(branches.task, (), seed=0))
    node, nodes = tree.root, list[Node]()
    for action in actions:
        if node.terminated or node.truncated:
            break
        reached = branches.reaches(action)
        result = (await branches.step(node, [action]))[0].result if reached else None
        step = step_of(action, ParsedAction(action), result, reward=node.reward, score=node.score)
        ended = {"terminated": step.terminated, "truncated": step.truncated}
        node = tree.add(node, action=action, observation=step.observation, reward=step.reward, **ended)
        nodes.append(node)
    return nodes
