"""Trees as JSON: to compare a search with a committed tree node for node, and to cut one where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Completion, Task
from agentr_core.turns import Message

#: The plain fields of a node and their defaults: a node's JSON leaves out what has its default.
_DEFAULTS = {
    item.name: item.default_factory() if item.default_factory is not MISSING else item.default
    for item in fields(Node)
    if item.name not in {"index", "parent", "depth", "children", "completion"}
}


def tree_as_json(tree: Tree) -> dict[str, Any]:
    """Everything a tree holds, as JSON. Nodes are in order, so that each one's number is its place in the list."""
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
        for name in _DEFAULTS.keys() & values.keys():
            setattr(node, name, values[name])
        if values["completion"] is not None:
            node.completion = Completion(**{"text": node.response, **values["completion"]})
    return tree


def _node_as_json(node: Node) -> dict[str, Any]:
    """``completion`` leaves out its defaults, and its text where that is the node's response."""
    said = None
    if node.completion is not None:
        said = node.completion.model_dump(mode="json", exclude_defaults=True)
        if said["text"] == node.response:
            del said["text"]
    plain = {name: value for name, default in _DEFAULTS.items() if (value := getattr(node, name)) != default}
    return {"parent": None if node.parent is None else node.parent.index, "completion": said, **plain}
