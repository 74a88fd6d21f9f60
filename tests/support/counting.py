"""Small trees of a counting game, played for real: target 7, from 1, by adding 1, adding 2 or doubling, then stop."""

from __future__ import annotations

from agentr_core import Node, Tree, head
from agentr_core.testing.fakes import CounterEnvironment

#: Leaves by name. The distances to success along them (steps left, ``stop`` included):
#:   good    3 6 7 .        4 > 3 2 1 0
#:   late    3 6 x 7 .      4 > 3 2 2 1 0       (the same as good, with a useless step)
#:   over    3 6 12         4 > 3 2 inf         leaves good after 2
#:   slip    3 6 x 8        4 > 3 2 2 inf       leaves late after 3, good after 2
#:   short   3 4 x .        4 > 3 3 3 inf       leaves good after 1
#:   astray  2 x 3 6 8      4 > 4 4 3 2 inf     shares nothing
ATTEMPTS = {
    "good": ("add 2", "double", "add 1", "stop"),
    "late": ("add 2", "double", "jump", "add 1", "stop"),
    "over": ("add 2", "double", "double"),
    "slip": ("add 2", "double", "jump", "add 2"),
    "short": ("add 2", "add 1", "jump", "stop"),
    "astray": ("double", "jump", "add 1", "double", "add 2"),
}


def planted(attempts: dict[str, tuple[str, ...]] = ATTEMPTS, target: str = "count_7") -> tuple[Tree, dict[str, Node]]:
    """A tree of the attempts, and its leaves by name."""
    world = CounterEnvironment()
    task = world.task(target)
    tree = Tree(task, head(world, task, world.reset(task)), seed=0, state_key=world.state_key())
    leaves = {}
    for name, actions in attempts.items():
        world.reset(task)
        node = tree.root
        for action in actions:
            result = world.step(action)
            known = next((child for child in node.children if child.action == action), None)
            node = known or tree.add(
                node,
                response=f"Thought: I try to {action}.\nAction: {action}",
                action=action,
                observation=result.observation,
                reward=result.reward,
                score=result.score,
                terminated=result.terminated,
                invalid=bool(result.info.get("invalid")),
                state_key=world.state_key(),
            )
        node.terminal = True
        leaves[name] = node
    return tree, leaves
