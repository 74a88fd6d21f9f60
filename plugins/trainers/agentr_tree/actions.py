"""Actions as token ids with what they weigh.

A row's ids are those of the prompt as it is rendered now and those that were drawn, never the answer encoded anew. What
its weight is divided by is one number for the whole set: so each action has its due whatever batch it comes to be in.
(Divided by the weight of their own batch, actions deep in a tree, which are batched together by length and weigh
little, would count as much as its first ones.)
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentr_core import ActionRow, ActionSet, ChatPrompts, TrainingSet, derive_rng, render_example
from agentr_tree.config import TreeSettings

#: Below this an advantage is none.
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Action:
    """One row: ``ids``, of which those from ``start`` on are trained; ``old``: their log-probabilities when drawn.

    ``weight`` multiplies the objective of its tokens; ``by_ratio``: that is the clipped surrogate of ``advantage``,
    else plain log-probabilities. A conversation's row names its trained places in ``trained`` instead.
    """

    ids: array[int]
    start: int
    old: array[float]
    advantage: float
    weight: float
    by_ratio: bool
    trained: tuple[bool, ...] = ()

    def mask(self) -> list[int]:
        """1 for each token that is trained."""
        if self.trained:
            return [int(each) for each in self.trained]
        return [0] * self.start + [1] * (len(self.ids) - self.start)

    def tokens(self) -> int:
        """How many tokens are trained."""
        return sum(self.trained) if self.trained else len(self.ids) - self.start


#: A row of which nothing is trained, to fill up a step that several processes share out.
BLANK = Action(array("i", (0, 0)), 2, array("f"), 0.0, 0.0, False)


def render_actions(
    dataset: ActionSet, tokenizer: Any, settings: TreeSettings, *, max_length: int, options: Mapping[str, Any]
) -> tuple[list[Action], Counter[str]]:
    """The actions that can be learnt from, and how many could not, by reason.

    ``equal``: no better and no worse than others; ``cut_off``: the turn had become too long; ``unknown``: token ids or
    log-probabilities are not stored; ``moved``: the prompt is rendered to another length now (what it was asked with
    had been shortened, or the template is another); ``dropped``: too long; ``over_cap``: of one tree.
    """
    prompts = ChatPrompts(tokenizer, options, "the start")
    counts, of_tree = Counter[str](), defaultdict[Any, list[Action]](list)
    for row in dataset.rows:
        made = _action(row, prompts, settings, max_length)
        if isinstance(made, str):
            counts[made] += 1
        else:
            of_tree[row.origin.get("tree")].append(made)
    found = list[Action]()
    for tree, own in of_tree.items():
        most = settings.max_rows_per_tree
        counts["over_cap"] += max(0, len(own) - most)
        found += own if len(own) <= most else derive_rng(0, "rows", str(tree)).sample(own, most)
    counts["positive"] = sum(row.advantage > 0 for row in found)
    return in_units(found), counts


def _action(row: ActionRow, prompts: ChatPrompts, settings: TreeSettings, max_length: int) -> Action | str:
    """One action as a row, or why not."""
    said, advantage = row.drawn, row.advantage(settings.whole_tree)
    by_ratio = settings.loss == "pg"
    if said.finish_reason == "length":
        return "cut_off"
    if abs(advantage) < _NOTHING:
        return "equal"
    if by_ratio and (not said.token_ids or len(said.logprobs) != len(said.token_ids)):
        return "unknown"
    prompt = prompts.ids(row.prompt)
    if said.token_ids and len(prompt) != said.prompt_tokens:
        return "moved"
    answer = said.token_ids or _encoded(row, prompts)
    if len(prompt) + len(answer) > max_length:
        return "dropped"
    weight = row.weight if by_ratio else row.weight * _exponential(advantage, settings)
    old = array("f", said.logprobs if by_ratio else ())
    return Action(array("i", (*prompt, *answer)), len(prompt), old, advantage, weight, by_ratio)


def _exponential(advantage: float, settings: TreeSettings) -> float:
    return min(settings.awr_most, math.exp(advantage / settings.awr_temperature))


def _encoded(row: ActionRow, prompts: ChatPrompts) -> list[int]:
    """The answer's tokens with the end of the turn, where what was drawn is not stored."""
    template = prompts.template
    return template.encode(template.answer(row.drawn.text) + template.after_turn().strip())


def in_units(rows: list[Action]) -> list[Action]:
    """Weights such that the mean of weight times tokens over all rows is 1: a loss is of the size of one token's."""
    whole = sum(row.weight * row.tokens() for row in rows)
    if not whole:
        return []
    unit = whole / len(rows)
    return [replace(row, weight=row.weight / unit) for row in rows]


def render_conversations(
    conversations: TrainingSet, tokenizer: Any, weight: float, *, max_length: int, options: Mapping[str, Any]
) -> list[Action]:
    """The trained turns of conversations as rows of plain log-probabilities, ``weight`` of them in all."""
    rows = []
    for example in conversations.examples:
        for made in render_example(example, tokenizer, max_length=max_length, options=options):
            trained = tuple(label == token for token, label in zip(made.input_ids, made.labels, strict=True))
            rows.append(Action(array("i", made.input_ids), 0, array("f"), 1.0, 1.0, False, trained))
    return [replace(row, weight=row.weight * weight) for row in in_units(rows)]
