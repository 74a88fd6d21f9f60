"""Actions as token ids with what they weigh.

A row's ids are those of the prompt as it is rendered now and those that were drawn, never the answer encoded anew. An
action whose ids are the beginning of a deeper one's is trained in that one's row: so an attempt is read once, and not
once for each of its actions. What weights are divided by is one number for the whole set: so each action has its due
whatever batch it comes to be in. (Divided by the weight of their own batch, actions deep in a tree, which are batched
together by length and weigh little, would count as much as its first ones.)
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from agentr_core import ActionRow, ActionSet, ChatPrompts, TrainingSet, derive_rng, render_example
from agentr_tree.config import TreeSettings

#: Below this an advantage is none.
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Turn:
    """What is trained of a row: its tokens from ``start`` to before ``stop``, an action or a conversation's turn.

    ``weight`` multiplies the objective of its tokens; ``by_ratio``: that is the clipped surrogate of ``advantage``,
    with the log-probabilities ``old`` at which the tokens were drawn, else plain log-probabilities.
    """

    start: int
    stop: int
    old: array[float]
    advantage: float
    weight: float
    by_ratio: bool

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids, and the turns of them that are trained, in their order."""

    ids: array[int]
    turns: tuple[Turn, ...]

    @property
    def tokens(self) -> int:
        """How many tokens are trained."""
        return sum(turn.tokens for turn in self.turns)

    def per_token(self, values: Callable[[int, Turn], Iterable[float]]) -> list[float]:
        """A value for each token: those that ``values`` gives for a turn, of the number it has from 1; 0 elsewhere."""
        found = [0.0] * len(self.ids)
        for number, turn in enumerate(self.turns, start=1):
            found[turn.start : turn.stop] = values(number, turn)
        return found


#: A row of which nothing is trained, to fill up a step that several processes share out.
BLANK = Row(array("i", (0, 0)), ())


def render_actions(
    dataset: ActionSet, tokenizer: Any, settings: TreeSettings, *, max_length: int, options: Mapping[str, Any]
) -> tuple[list[Row], Counter[str]]:
    """Rows with the actions that can be learnt from (``actions``), and how many could not, by reason.

    ``equal``: no better and no worse than others; ``cut_off``: the turn had become too long; ``unknown``: token ids or
    log-probabilities are not stored; ``moved``: the prompt is rendered to another length now (what it was asked with
    had been shortened, or the template is another); ``dropped``: too long; ``over_cap``: of one tree.
    """
    prompts = ChatPrompts(tokenizer, options, "the start")
    counts, of_tree = Counter[str](), defaultdict[Any, list[Row]](list)
    for row in dataset.rows:
        made = _action(row, prompts, settings, max_length)
        if isinstance(made, str):
            counts[made] += 1
        else:
            of_tree[row.origin.get("tree")].append(made)
    found = list[Row]()
    for tree, own in of_tree.items():
        most = settings.max_rows_per_tree
        counts["over_cap"] += max(0, len(own) - most)
        found += laid_out(own if len(own) <= most else derive_rng(0, "rows", str(tree)).sample(own, most))
    turns = [turn for row in found for turn in row.turns]
    counts["actions"], counts["positive"] = len(turns), sum(turn.advantage > 0 for turn in turns)
    return in_units(found), counts


def _action(row: ActionRow, prompts: ChatPrompts, settings: TreeSettings, max_length: int) -> Row | str:
    """One action as a row of its own, or why not."""
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
    ids = array("i", (*prompt, *answer))
    return Row(ids, (Turn(len(prompt), len(ids), old, advantage, weight, by_ratio),))


def _exponential(advantage: float, settings: TreeSettings) -> float:
    return min(settings.awr_most, math.exp(advantage / settings.awr_temperature))


def _encoded(row: ActionRow, prompts: ChatPrompts) -> list[int]:
    """The answer's tokens with the end of the turn, where what was drawn is not stored."""
    template = prompts.template
    return template.encode(template.answer(row.drawn.text) + template.after_turn().strip())


def laid_out(actions: Sequence[Row]) -> list[Row]:
    """Rows of one action each as few longer ones: each joins one that begins with its ids and does not train them yet.

    In the order of ids a beginning is followed at once by what goes on from it. Rows come in the order of their first
    actions.
    """
    rows = list[tuple[int, Row]]()
    for place, action in sorted(enumerate(actions), key=lambda each: each[1].ids, reverse=True):
        end = len(action.ids)
        if rows and rows[-1][1].ids[:end] == action.ids and rows[-1][1].turns[0].start >= end:
            first, row = rows.pop()
            rows.append((min(first, place), Row(row.ids, (*action.turns, *row.turns))))
        else:
            rows.append((place, action))
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def in_units(rows: list[Row], factor: float = 1.0) -> list[Row]:
    """Weights such that the mean of weight times tokens over all rows is ``factor``: 1 is a loss of a token's size."""
    whole = sum(turn.weight * turn.tokens for row in rows for turn in row.turns)
    if not whole:
        return []
    by = factor * len(rows) / whole
    return [Row(row.ids, tuple(replace(turn, weight=turn.weight * by) for turn in row.turns)) for row in rows]


def render_conversations(
    conversations: TrainingSet, tokenizer: Any, weight: float, *, max_length: int, options: Mapping[str, Any]
) -> list[Row]:
    """The trained turns of conversations as rows of plain log-probabilities, ``weight`` of them in all."""
    rows = []
    for example in conversations.examples:
        for made in render_example(example, tokenizer, max_length=max_length, options=options):
            trained = [label == token for token, label in zip(made.input_ids, made.labels, strict=True)]
            turns = tuple(Turn(*each, array("f"), 1.0, 1.0, False) for each in _runs(trained))
            rows.append(Row(array("i", made.input_ids), turns))
    return in_units(rows, weight)


def _runs(trained: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where the trained tokens of a row begin and end, run by run."""
    for inside, run in groupby(range(len(trained)), key=trained.__getitem__):
        if inside:
            places = list(run)
            yield places[0], places[-1] + 1
