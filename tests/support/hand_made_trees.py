"""A tree whose numbers can be worked out on paper."""

from __future__ import annotations

from agentr_core import Completion, Message, Node, Task, Tree

HEAD = (Message("system", "You craft things."), Message("user", "Goal: craft a chest."))


def drawn(text: str, **known: object) -> Completion:
    return Completion(text=text, **known)  # type: ignore[arg-type]


def three_actions() -> Tree:
    """Three evaluated actions at the start, and one that was never followed.

    ``get`` (2 copies) is right: of 4 ends below it 3 are good. ``jump`` ends the task at once, with nothing. ``look``
    goes on to one end, which is half good. ``wait`` (1 copy) was drawn and not visited.
    """
    tree = Tree(Task(key="chest", split="train", instruction="craft a chest"), HEAD, seed=1)

    def act(parent: Node, name: str, *, ends: list[float], terminal: bool = False, copies: int = 1) -> Node:
        said = f"Thought: so be it.\nAction: {name}"
        return tree.add(
            parent,
            response=said,
            action=name,
            observation=f"You {name}.",
            reward=ends[0] if terminal else 0.0,
            terminal=terminal,
            copies=copies,
            visits=len(ends),
            value_sum=sum(ends),
            expanded=not terminal and bool(ends),
            completion=drawn(said),
        )

    get = act(tree.root, "get", ends=[1.0, 1.0, 0.0, 1.0], copies=2)
    act(tree.root, "jump", ends=[0.0], terminal=True)
    look = act(tree.root, "look", ends=[0.5])
    act(tree.root, "wait", ends=[])
    act(get, "craft", ends=[1.0], terminal=True, copies=3)
    act(get, "drop", ends=[0.0], terminal=True)
    act(look, "craft", ends=[0.5], terminal=True)
    tree.root.visits, tree.root.value_sum, tree.root.expanded = 6, 3.5, True
    return tree
