"""Trees as JSON: to compare a search with a committed tree node for node, and to cut one where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from agentr_core.records import Completion, Message, Task
from agentr_core.tree import Node, Tree

_PLAIN = tuple(field.name for field in fields(Node) if field.name not in {"parent", "children", "completion"})


def tree_as_json(tree: Tree) -> dict[str, Any]:
    """Everything a tree holds, as JSON."""
    return {
        "task": tree.task.model_dump(),
        "head": [message.as_dict() for message in tree.head],
        "seed": tree.seed,
        "simulations": tree.simulations,
        "nodes": [_node_as_json(node) for node in tree.nodes],
    }


def tree_from_json(data: Mapping[str, Any]) -> Tree:
    """The tree of :func:`tree_as_json`."""
    head = tuple(Message(turn["role"], turn["content"]) for turn in data["head"])
    tree = Tree(Task(**data["task"]), head, seed=data["seed"])
    tree.simulations = data["simulations"]
    for values in data["nodes"]:
        node = tree.root if values["parent"] is None else tree.add(tree.nodes[values["parent"]])
        for name in _PLAIN:
            setattr(node, name, values[name])
        node.completion = Completion(**values["completion"]) if values["completion"] else None
    return tree


def _node_as_json(node: Node) -> dict[str, Any]:
    return {
        **{name: getattr(node, name) for name in _PLAIN},
        "parent": node.parent.index if node.parent is not None else None,
        "completion": node.completion.model_dump() if node.completion is not None else None,
    }
