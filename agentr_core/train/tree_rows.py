"""One tree as rows to train on: its actions, its preferences, its values. Pure; ``number`` is the tree's, for origins.

What is evaluated is what an end was reached below: a sibling that was drawn and never visited is no failure, so it has
no row and does not enter a baseline. Values are those that the search backed up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentr_core.interfaces.credit import tree_credits
from agentr_core.interfaces.training_sets import ActionRow, PreferencePair, ValueRow
from agentr_core.interfaces.tree import KEPT, Node, Tree
from agentr_core.records import Completion, FinishReason
from agentr_core.turns import Message


def action_rows(tree: Tree, number: int) -> Iterator[ActionRow]:
    """Every evaluated action of a tree with both outcomes, by node; none of a tree without."""
    known = tree_credits(tree)
    for state in tree.nodes:
        evaluated_here = [child for child in state.children if child.index in known]
        prompt = tuple(tree.messages(state)) if evaluated_here else ()
        for child in evaluated_here:
            credit = known[child.index]
            yield ActionRow(
                prompt=prompt,
                drawn=_drawn(child) or Completion(text=child.response, finish_reason=_finish(child)),
                q=credit.q,
                baseline=credit.baseline,
                root=credit.root,
                reach=credit.reach,
                share=credit.share,
                visits=credit.visits,
                origin={"task": tree.task.key, "tree": number, "node": child.index, "siblings": credit.siblings},
            )


def _as_asked(node: Node) -> Completion | None:
    """What was drawn, None where the prompt held a searcher's note: its log-probabilities are those of that prompt."""
    return None if "note" in node.info.get(KEPT, {}) else node.completion


def _drawn(node: Node) -> Completion | None:
    """What was drawn, None also where it was at another temperature than its siblings, or chosen among more: no draw
    of the policy."""
    otherwise = {"temperature", "chosen_of"} & node.info.get(KEPT, {}).keys()
    return None if otherwise else _as_asked(node)


def _finish(node: Node) -> FinishReason:
    return node.completion.finish_reason if node.completion else "stop"


def evaluated(state: Node) -> list[Node]:
    """The actions at a state below which an end was reached."""
    return [child for child in state.children if child.visits]


def step_pairs(tree: Tree, number: int) -> Iterator[PreferencePair]:
    """At each state the action with the highest Q against each that is worse and does something else."""
    for state in tree.nodes:
        known = [child for child in evaluated(state) if not child.cut_off]
        if len(known) < 2:
            continue
        best = max(known, key=lambda child: (child.value, child.visits, -child.index))
        for other in known:
            if other.value < best.value and (other.action is None or other.action != best.action):
                yield _step_pair(tree, number, state, best, other)


def _step_pair(tree: Tree, number: int, state: Node, best: Node, other: Node) -> PreferencePair:
    open_ones = [child.visits for child in (best, other) if not child.terminal]
    return PreferencePair(
        prompt=tuple(tree.messages(state)),
        chosen=(Message("assistant", best.response, train=True),),
        rejected=(Message("assistant", other.response, train=True),),
        kind="step",
        gap=best.value - other.value,
        visits=min(open_ones, default=None),
        chosen_drawn=(_as_asked(best),),
        rejected_drawn=(_as_asked(other),),
        origin=_parting(tree, number, state, best, other),
    )


def trajectory_pairs(tree: Tree, number: int, parted: Iterable[tuple[int, int, int]]) -> Iterator[PreferencePair]:
    """Two attempts from where they part, each to its end; ``parted`` are node, better leaf and worse leaf."""
    for at, better, worse in parted:
        state, good, bad = (tree.nodes[index] for index in (at, better, worse))
        chosen, rejected = _tail(state, good), _tail(state, bad)
        if not chosen or not rejected:
            continue
        yield PreferencePair(
            prompt=tuple(tree.messages(state)),
            chosen=_said(chosen),
            rejected=_said(rejected),
            kind="trajectory",
            gap=good.reward - bad.reward,
            chosen_drawn=tuple(_as_asked(node) for node in chosen if not node.cut_off),
            rejected_drawn=tuple(_as_asked(node) for node in rejected if not node.cut_off),
            origin=_parting(tree, number, state, good, bad),
        )


def _parting(tree: Tree, number: int, state: Node, better: Node, worse: Node) -> dict[str, Any]:
    nodes = {"node": state.index, "chosen": better.index, "rejected": worse.index}
    return {"task": tree.task.key, "tree": number, **nodes}


def _tail(state: Node, leaf: Node) -> Sequence[Node]:
    return leaf.path()[state.depth :]


def _said(steps: Sequence[Node]) -> tuple[Message, ...]:
    """Responses and what was observed between them; a turn that had become too long is never trained."""
    turns = list[Message]()
    for node in steps:
        turns += (Message("assistant", node.response, train=not node.cut_off), Message("user", node.observation))
    return tuple(turns[:-1])


def value_rows(tree: Tree, number: int) -> Iterator[ValueRow]:
    """Every state that an end was reached from, or that is one, by node."""
    for node in tree.nodes:
        if node.visits:
            yield ValueRow(
                messages=tuple(tree.messages(node)),
                value=node.value,
                visits=node.visits,
                task=tree.task.key,
                before=None if node.parent is None else node.parent.value,
                ended=node.terminal,
                origin={"task": tree.task.key, "tree": number, "node": node.index, **_came_from(node)},
            )


def _came_from(node: Node) -> dict[str, int]:
    return {} if node.parent is None else {"parent": node.parent.index}
