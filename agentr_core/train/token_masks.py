"""From conversations to token ids and labels, with the loss on the ``train`` turns alone (Agent-R equation 6).

A trained turn follows the very prompt that the search asks with, token for token, and ends with the end-of-turn token:
a model that is not taught to stop does not stop. Most templates keep what they have written: then the conversation is
one row, each trained turn is found in its text by rendering the turns before it, and a token is trained only if it lies
wholly inside such a span. A template that writes history anew (drops ``<think>`` of earlier turns, moves the system
text) gives one row for each trained turn: the prompt that asked for it, and the answer. Nothing comes after what is
trained.

The tokenizer must give ``offset_mapping`` (a fast tokenizer of transformers); no library is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from agentr_core.errors import AgentrError, UsageError
from agentr_core.prompts.chat_template import ChatTemplate
from agentr_core.prompts.conversation import fewest_left_out
from agentr_core.turns import Example, Message

#: The label of a token that carries no loss (PyTorch's convention).
IGNORE = -100

#: Stands for an observation that follows the last turn.
_LATER = Message("user", "xyzzy")

#: How many characters on either side of a boundary decide whether a token crosses it.
_NEAR = 64

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RenderedExample:
    """Token ids and labels of one row, both of length L; a label is the token id or :data:`IGNORE`.

    ``turns`` are the trained turns of the conversation that this row trains, counted from 0. ``left_out`` counts the
    oldest steps that it goes without, so that it fits.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    turns: tuple[int, ...]
    left_out: int = 0

    @property
    def trained(self) -> tuple[int, ...]:
        """The token ids that carry loss."""
        return tuple(label for label in self.labels if label != IGNORE)


def render_example(
    example: Example, tokenizer: Any, *, max_length: int, options: Mapping[str, Any] | None = None
) -> tuple[RenderedExample, ...]:
    """Render a conversation in rows of at most ``max_length`` tokens; ``options`` are those that the policy asks with.

    One row, or one for each trained turn where the template writes history anew. A row that is longer loses its oldest
    steps after the head, action and observation together (in one row the untrained ones only); it is left out where
    that is not enough: what is trained is never cut. Nothing is returned where nothing is to be trained. Raises
    :class:`~agentr_core.errors.UsageError` for a template that does not end its turns.
    """
    template = ChatTemplate(tokenizer, options or {})
    trained = [index for index, message in enumerate(example.messages) if message.train]
    whole = _one_row(example.messages, template) if trained else None
    if whole is not None:
        row = whole if len(whole.input_ids) <= max_length else _shorter(example.messages, template, max_length)
        return () if row is None else (row,)
    rows = [_turn_row(example.messages, turn, template, max_length) for turn in range(len(trained))]
    return tuple(row for row in rows if row is not None)


def _shorter(messages: Sequence[Message], template: ChatTemplate, max_length: int) -> RenderedExample | None:
    """The conversation in one row without its oldest untrained steps; None where it is still too long."""
    start, steps = _steps(messages)
    most = next((count for count, step in enumerate(steps) if any(turn.train for turn in step)), len(steps))

    def without(count: int) -> RenderedExample | None:
        return _one_row((*messages[:start], *messages[start + 2 * count :]), template)

    def fits(count: int) -> bool:
        row = without(count)
        return row is not None and len(row.input_ids) <= max_length

    least = fewest_left_out(most, fits)
    row = None if least is None else without(least)
    return None if row is None or least is None else replace(row, left_out=least)


def _steps(messages: Sequence[Message]) -> tuple[int, list[tuple[Message, Message]]]:
    """The turn after the head, and the whole steps (action, observation) that begin there."""
    start = next((index for index, message in enumerate(messages) if message.role == "assistant"), len(messages))
    pairs = zip(messages[start::2], messages[start + 1 :: 2], strict=False)
    return start, list(takewhile(lambda pair: (pair[0].role, pair[1].role) == ("assistant", "user"), pairs))


def _turn_row(
    messages: Sequence[Message], turn: int, template: ChatTemplate, max_length: int
) -> RenderedExample | None:
    """The row that trains one turn as it was asked for; None where it does not fit."""
    at = [index for index, message in enumerate(messages) if message.train][turn]
    before, answer = messages[:at], template.answer(messages[at].content) + turn_ending(template)
    start, steps = _steps(before)

    def without(count: int) -> RenderedExample:
        return _asked((*before[:start], *before[start + 2 * count :]), answer, turn, template)

    # The search, too, keeps the last step: the observation that is answered follows its own action.
    least = fewest_left_out(max(0, len(steps) - 1), lambda count: len(without(count).input_ids) <= max_length)
    return None if least is None else replace(without(least), left_out=least)


def _asked(before: Sequence[Message], answer: str, turn: int, template: ChatTemplate) -> RenderedExample:
    """The prompt after ``before``, and the answer."""
    text = template.text(before, ask=True)
    prompt, whole = template.encode(text), template.encode(text + answer)
    if whole[: len(prompt)] != prompt:  # the answer would change the prompt's last token
        whole = [*prompt, *template.encode(answer)]
    labels = [IGNORE] * len(prompt) + whole[len(prompt) :]
    return RenderedExample(tuple(whole), tuple(labels), (turn,))


def _one_row(messages: Sequence[Message], template: ChatTemplate) -> RenderedExample | None:
    """The whole conversation; None where its trained turns do not follow what the search asks with."""
    found = trained_spans(messages, template)
    if found is None:
        return None
    whole, spans = found
    ids, labels, current = [], [], 0
    for token, (start, end) in template.spans(whole[: spans[-1][1]]):
        while current < len(spans) - 1 and spans[current][1] <= start:
            current += 1
        first, last = spans[current]
        # A tokenizer may trim white space from its offsets (a space of its own is then (end, end)), or count what
        # follows a special token to it.
        inside = first <= start and first < end and (end <= last or (start < last and not whole[last:end].strip()))
        ids.append(token)
        labels.append(token if inside else IGNORE)
    return RenderedExample(tuple(ids), tuple(labels), tuple(range(len(spans))))


def trained_spans(messages: Sequence[Message], template: ChatTemplate) -> tuple[str, list[Span]] | None:
    """The conversation as text, and the ranges of characters in it that are trained, one for each trained turn.

    White space that the template puts after the end-of-turn token is no part of the turn: the model never writes it.
    None where a trained turn does not stand there as it was asked for and answered.
    """
    # Some templates render a conversation's last turn in a form that history never has (an empty <think> block).
    history = messages if messages[-1].role == "user" else (*messages, _LATER)
    whole, ending, spans = template.text(history), turn_ending(template), list[Span]()
    for index, message in enumerate(messages):
        if message.train:
            prompt, answer = template.text(messages[:index], ask=True), template.answer(message.content).strip()
            span = _span(whole, prompt, answer, ending)
            if span is None or not _stands_apart(template, prompt, whole[span[0] :]):
                return None
            spans.append(span)
    return whole, spans


def _span(whole: str, prompt: str, answer: str, ending: str) -> Span | None:
    start = _after_space(whole, len(prompt))
    end = _after_space(whole, start + len(answer))
    if not (whole.startswith(prompt) and whole.startswith(answer, start) and whole.startswith(ending, end)):
        return None
    return len(prompt), end + len(ending)


def _stands_apart(template: ChatTemplate, prompt: str, rest: str) -> bool:
    """Whether the tokens of the prompt are the same with the rest behind it; tokens reach no further than words do."""
    near = template.encode(prompt[-_NEAR:])
    return template.encode(prompt[-_NEAR:] + rest[:_NEAR])[: len(near)] == near


def turn_ending(template: ChatTemplate) -> str:
    """What the template writes after an assistant's turn, without white space around it.

    Raises :class:`~agentr_core.errors.UsageError` where that is nothing.
    """
    ending = template.after_turn().strip()
    if not ending:
        raise UsageError(
            "the model's chat template writes nothing at the end of an assistant turn, so a model cannot be taught "
            "to stop; give its tokenizer a template with an end-of-turn token"
        )
    return ending


def _after_space(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip())


def check_rendered(
    example: Example, rendered: RenderedExample, tokenizer: Any, *, options: Mapping[str, Any] | None = None
) -> None:
    """Prove the mask of a row: each run of trained tokens, decoded, is one of its turns with its end, in order.

    Raises :class:`~agentr_core.errors.AgentrError` that says what is missing or too much.
    """
    template = ChatTemplate(tokenizer, options or {})
    ending = turn_ending(template)
    trained = [template.answer(message.content) for message in example.messages if message.train]
    wanted = [trained[turn] for turn in rendered.turns]
    runs = list(_runs(rendered))
    for number, (run, answer) in enumerate(zip(runs, wanted, strict=False), 1):
        found = template.decode(run, special=True)
        # Not every tokenizer gives a text back letter by letter: what it makes of the turn is as good.
        as_read = template.decode(template.encode(answer), special=True)
        if not (_holds(found, answer, ending) or _holds(found, as_read, ending)):
            expected = answer.strip() + ending
            raise AgentrError(f"the loss mask is wrong at trained turn {number}: expected {expected!r}, got {found!r}")
    if len(runs) != len(wanted):
        raise AgentrError(f"the loss mask holds {len(runs)} turns, and the row has {len(wanted)} to train")


def _holds(found: str, content: str, ending: str) -> bool:
    """Whether trained text is a turn and its end; spaces of the template and white space of the turn's own may be."""
    said = content.strip()
    text = found.lstrip() if content[:1].isspace() else found.lstrip(" ")
    if len(text) < len(said) + len(ending) or not (text.startswith(said) and text.endswith(ending)):
        return False
    return not text[len(said) : len(text) - len(ending)].strip()


def _runs(rendered: RenderedExample) -> Iterator[list[int]]:
    """The unbroken runs of trained tokens."""
    run: list[int] = []
    for token, label in zip(rendered.input_ids, rendered.labels, strict=True):
        if label not in (token, IGNORE):
            raise AgentrError(f"the loss mask asks for token {label} where the conversation has {token}")
        if label == token:
            run.append(token)
        elif run:
            yield run
            run = []
    if run:
        yield run
