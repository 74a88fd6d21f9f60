"""A tree's nodes as rows of ``nodes``, and back. No SQL: what is packed here may be stored by another process."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import TYPE_CHECKING, Any

from agentr_core.store.columns import (
    pack_completion,
    pack_flags,
    pack_json,
    pack_state,
    pack_text,
    unpack_completion,
    unpack_flags,
    unpack_state,
    unpack_text,
)
from agentr_core.store.events import Values
from agentr_core.store.texts import Packer

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node
    from agentr_core.records import Completion

#: The order of :func:`node_row`.
NODE_COLUMNS = (
    "tree_id, node, parent, response, action, observation, reward, score, flags, copies, visits, value_sum, state,"
    " simulation, info_json, completion, tokens, finish, prompt_tokens, cached_tokens"
)


def node_row(packer: Packer, tree_id: int, simulation: int, node: Node) -> Values:
    """A node that is new since the commit after ``simulation`` simulations."""
    text, said = packer.text, node.completion
    return (
        tree_id,
        node.index,
        None if node.parent is None else node.parent.index,
        text(node.response),
        None if node.action is None else pack_text(node.action),
        text(node.observation),
        node.reward,
        node.score,
        pack_flags(node),
        node.copies,
        node.visits,
        node.value_sum,
        pack_state(node.state_key),
        simulation,
        pack_json(node.info),
        None if said is None or said.text == node.response else text(said.text),
        *pack_completion(said),
    )


def touched_row(tree_id: int, node: Node) -> Values:
    """What may change of a node that is stored: flags, copies, visits and the sum of values."""
    return pack_flags(node), node.copies, node.visits, node.value_sum, tree_id, node.index


def node_values(row: sqlite3.Row, *, completion: bool = True) -> dict[str, Any]:
    """The fields of a node from its row, in which ``NAME_text`` are the texts behind hashes.

    Without ``completion`` that field is None: it is a record, and most of what a tree takes to load.
    """
    response = unpack_text(row["response_text"])
    score = row["score"]
    return {
        "response": response,
        "action": None if row["action"] is None else unpack_text(row["action"]),
        "observation": unpack_text(row["observation_text"]),
        "reward": row["reward"],
        "score": math.nan if score is None else score,  # SQLite keeps a NaN as NULL
        "copies": row["copies"],
        "visits": row["visits"],
        "value_sum": row["value_sum"],
        "state_key": unpack_state(row["state"]),
        "info": json.loads(row["info_json"]) if row["info_json"] else {},
        "completion": _completion(row, response) if completion else None,
        **unpack_flags(row["flags"]),
    }


def _completion(row: sqlite3.Row, response: str) -> Completion | None:
    said = response if row["completion"] is None else unpack_text(row["completion_text"])
    return unpack_completion(said, row["tokens"], row["finish"], row["prompt_tokens"], row["cached_tokens"])
