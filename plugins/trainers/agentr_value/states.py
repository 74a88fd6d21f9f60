"""States as token ids with their values, split by task: a state of a task that is trained on measures nothing."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentr_training.value_question import NO, YES, asked, asked_before

from agentr_core import ChatPrompts, UsageError, ValueRow, ValueSet, derive_rng
from agentr_value.config import ValueSettings


@dataclass(frozen=True, slots=True)
class State:
    """A prompt that ends with the question; ``value`` is the probability of yes, ``weight`` how sure it is.

    ``place`` is the state's in its tree and ``came_from`` that of the state before; ``ended``: nothing follows it;
    ``mixed``: its tree has better and worse states.
    """

    ids: array[int]
    value: float
    weight: float
    place: tuple[Any, int]
    came_from: tuple[Any, int] | None
    ended: bool
    mixed: bool


#: A state that weighs nothing, to fill up a step that several processes share out.
BLANK = State(array("i", (0,)), 0.0, 0.0, place=(None, -1), came_from=None, ended=False, mixed=False)


@dataclass(frozen=True, slots=True)
class States:
    """What is trained on, what is measured on, and the tokens that say yes and no."""

    trained: list[State]
    held_out: list[State]
    answers: tuple[int, int]


def answer_tokens(prompts: ChatPrompts) -> tuple[int, int]:
    """The first tokens of yes and of no, as a policy that is asked for their log-probabilities reads them.

    Raises :class:`~agentr_core.UsageError` where they are one.
    """
    yes, no = (prompts.encode(word)[0] for word in (YES, NO))
    if yes == no:
        raise UsageError(f"'{YES}' and '{NO}' begin with the same token of this model, so it cannot tell them apart")
    return yes, no


def held_out_tasks(tasks: Iterable[str], share: float) -> set[str]:
    """The tasks that are measured on: chosen by their names, so that they stay the same as more come."""
    return {task for task in tasks if derive_rng(0, "held out", task).random() < share}


def render_states(
    dataset: ValueSet, prompts: ChatPrompts, settings: ValueSettings, *, max_length: int
) -> tuple[States, Counter[str]]:
    """The states of both parts as rows; ``dropped`` counts those that are too long, ``over_cap`` those beyond it.

    States before a step, where they are asked for, are trained on alone.
    """
    counts, of_tree = Counter[str](dropped=0), defaultdict[Any, list[ValueRow]](list)
    for row in dataset.rows:
        of_tree[row.origin.get("tree")].append(row)
    apart = held_out_tasks({own[0].task for own in of_tree.values()}, settings.held_out)
    parts: Mapping[bool, list[State]] = {True: [], False: []}
    for tree, own in of_tree.items():
        mixed = len({row.value for row in own if row.ended}) > 1
        most = settings.max_rows_per_tree
        counts["over_cap"] += max(0, len(own) - most)
        for row in own if len(own) <= most else derive_rng(0, "rows", str(tree)).sample(own, most):
            ids = prompts.ids(asked(row.messages))
            if len(ids) >= max_length:
                counts["dropped"] += 1
                continue
            parts[row.task in apart].append(_state(row, ids, settings, mixed=mixed))
            if settings.before_step and row.before is not None and row.task not in apart:
                before = prompts.ids(asked_before(row.messages[:-1]))
                parts[False].append(_state(row, before, settings, mixed=mixed))
    return States(parts[False], parts[True], answer_tokens(prompts)), counts


def _state(row: ValueRow, ids: tuple[int, ...], settings: ValueSettings, *, mixed: bool) -> State:
    tree, node, parent = (row.origin.get(name) for name in ("tree", "node", "parent"))
    return State(
        ids=array("i", ids),
        value=row.value,
        weight=float(min(row.visits, settings.most_visits)),
        place=(tree, -1 if node is None else int(node)),
        came_from=None if parent is None else (tree, int(parent)),
        ended=row.ended,
        mixed=mixed,
    )
