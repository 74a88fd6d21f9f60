"""Preference pairs as token ids: which are taken, the mask of each side, and the reference that is stored with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core import Completion, Example, Message, PreferencePair, RenderedExample, check_rendered, render_example
from agentr_dpo.config import DPOSettings


@dataclass(frozen=True, slots=True)
class RenderedPair:
    """Both sides as rows, masked so that the turns that count carry loss and nothing else.

    ``reference``: what the stored log-probabilities of those tokens sum to, of the better and the worse side; None
    where any is not stored, or the rendered tokens are not those that were drawn.
    """

    chosen: RenderedExample
    rejected: RenderedExample
    reference: tuple[float, float] | None

    @property
    def length(self) -> int:
        """Tokens of the longer side."""
        return max(len(self.chosen.input_ids), len(self.rejected.input_ids))


_NOTHING = RenderedExample((0, 0), (-100, -100), ())
#: What columns of crossed pairs begin with.
CROSSED = "crossed_"
#: A pair of which nothing counts, to fill up a step that several processes share out.
BLANK = RenderedPair(_NOTHING, _NOTHING, (0.0, 0.0))


def taken(pairs: Iterable[PreferencePair], settings: DPOSettings) -> list[PreferencePair]:
    """The pairs that the settings ask for, in their order; of a tree those with the largest gap."""
    of_tree = defaultdict[Any, list[tuple[int, PreferencePair]]](list)
    for place, pair in enumerate(pairs):
        if is_wanted(pair, settings):
            of_tree[pair.origin.get("tree")].append((place, pair))
    found = []
    for own in of_tree.values():
        found += sorted(own, key=lambda each: (-each[1].gap, each[0]))[: settings.max_pairs_per_tree]
    return [pair for _, pair in sorted(found, key=lambda each: each[0])]


def is_wanted(pair: PreferencePair, settings: DPOSettings) -> bool:
    """Whether a pair is of the kind that is asked for, apart far enough and known well enough."""
    if settings.pairs not in ("both", pair.kind):
        return False
    if pair.kind == "trajectory":
        longer = _turns(pair.rejected) - _turns(pair.chosen)
        return settings.max_longer is None or longer <= settings.max_longer
    return pair.gap >= settings.min_gap and (pair.visits is None or pair.visits >= settings.min_visits)


def _turns(messages: Sequence[Message]) -> int:
    return sum(message.role == "assistant" for message in messages)


def render_pair(
    pair: PreferencePair, tokenizer: Any, *, max_length: int, options: Mapping[str, Any]
) -> RenderedPair | str:
    """Both sides of a pair as rows; else why not: ``dropped`` for its length, or ``split`` by the chat template.

    A template that writes history anew gives each turn a row of its own: an attempt is then no one row.
    """
    sides = []
    for turns in (pair.chosen, pair.rejected):
        example = Example((*pair.prompt, *turns), "good")
        rows = render_example(example, tokenizer, max_length=max_length, options=options)
        if len(rows) > 1:
            return "split"
        if not rows or rows[0].left_out:
            return "dropped"
        check_rendered(example, rows[0], tokenizer, options=options)
        sides.append(rows[0])
    better, worse = _stored(sides[0], pair.chosen_drawn), _stored(sides[1], pair.rejected_drawn)
    reference = None if better is None or worse is None else (better, worse)
    return RenderedPair(sides[0], sides[1], reference)


def _stored(row: RenderedExample, drawn: Sequence[Completion | None]) -> float | None:
    """The sum of the stored log-probabilities, where the trained tokens are the very ones that were drawn."""
    ids = [token for said in drawn if said is not None for token in said.token_ids]
    logprobs = [value for said in drawn if said is not None for value in said.logprobs]
    if tuple(ids) != row.trained or len(logprobs) != len(ids):
        return None
    return float(sum(logprobs))


def crossed(pairs: Sequence[RenderedPair]) -> list[RenderedPair]:
    """KTO's mismatched rows: each pair's prompt, gone on with as in the nearest pair before it that has another one.

    They are no longer than the longest row there is. Where all have one prompt nothing is crossed: blanks.
    """
    longest = max(pair.length for pair in pairs)
    starts = [_prompt(pair.chosen) for pair in pairs]
    found = []
    for place, pair in enumerate(pairs):
        others = (pairs[place - back] for back in range(1, len(pairs)) if starts[place - back] != starts[place])
        other = next(others, BLANK)
        found.append(
            RenderedPair(
                _gone_on(pair.chosen, other.chosen, longest), _gone_on(pair.rejected, other.rejected, longest), None
            )
        )
    return found


def _prompt(row: RenderedExample) -> tuple[int, ...]:
    return row.input_ids[: _first(row)]


def _first(row: RenderedExample) -> int:
    """The place of the first token that counts."""
    return next((place for place, label in enumerate(row.labels) if label != -100), len(row.labels))


def _gone_on(row: RenderedExample, other: RenderedExample, longest: int) -> RenderedExample:
    if not other.trained:
        return _NOTHING
    start = _prompt(row)
    labels = (*(-100 for _ in start), *other.labels[_first(other) :])
    return RenderedExample((*start, *other.input_ids[_first(other) :])[:longest], labels[:longest], other.trained)


def columns(pairs: Sequence[RenderedPair], *, stored: bool, prefix: str = "") -> dict[str, list[Any]]:
    """The pairs as columns of a data set: token ids and masks of both sides, with ``stored`` the reference too."""
    found: dict[str, list[Any]] = {}
    for name in ("chosen", "rejected"):
        rows = [getattr(pair, name) for pair in pairs]
        found[f"{prefix}{name}_ids"] = [list(row.input_ids) for row in rows]
        found[f"{prefix}{name}_mask"] = [[int(label == token) for token, label in _tokens(row)] for row in rows]
    if stored:
        both = [pair.reference for pair in pairs if pair.reference is not None]
        found["ref_chosen_logps"] = [better for better, _ in both]
        found["ref_rejected_logps"] = [worse for _, worse in both]
    return found


def _tokens(row: RenderedExample) -> Iterator[tuple[int, int]]:
    return zip(row.input_ids, row.labels, strict=True)
