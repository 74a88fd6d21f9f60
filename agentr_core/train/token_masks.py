"""From conversations to token ids and labels, with the loss on the ``train`` turns alone (Agent-R equation 6).

A conversation is rendered once with the model's own chat template. Each trained turn is found in that text by rendering
the turns before it, up to where the model begins to write, so what is trained follows exactly the prompt that the model
will see; a token is trained only if it lies wholly inside such a span. The span ends with the end-of-turn token: a
model that is not taught to stop does not stop. Nothing comes after the last trained turn.

The tokenizer must give ``offset_mapping`` (a fast tokenizer of transformers); no library is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentr_core.errors import AgentrError, UsageError
from agentr_core.prompts.chat_template import ChatTemplate
from agentr_core.prompts.conversation import fewest_left_out
from agentr_core.records import Example, Message

#: The label of a token that carries no loss (PyTorch's convention).
IGNORE = -100

#: Stands for an observation that follows the last turn.
_LATER = Message("user", "xyzzy")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RenderedExample:
    """Token ids and labels of one conversation, both of length L; a label is the token id or :data:`IGNORE`.

    ``left_out`` counts the oldest steps that it goes without, so that it fits.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    left_out: int = 0

    @property
    def trained(self) -> tuple[int, ...]:
        """The token ids that carry loss."""
        return tuple(label for label in self.labels if label != IGNORE)


def render_example(
    example: Example, tokenizer: Any, *, max_length: int, options: Mapping[str, Any] | None = None
) -> RenderedExample | None:
    """Render a conversation in at most ``max_length`` tokens.

    One that is longer loses its oldest untrained steps after the head, action and observation together; None where
    that is not enough, or nothing is to be trained: the trained part is never cut. ``options`` go to the chat template.
    Raises :class:`~agentr_core.errors.UsageError` for a template in which trained turns cannot be told from others.
    """
    template = ChatTemplate(tokenizer, options or {})
    messages = template.folded(example.messages)
    if not any(message.train for message in messages):
        return None
    whole = _render(messages, template)
    if len(whole.input_ids) <= max_length:
        return whole
    start, steps = _untrained_steps(messages)

    def without(count: int) -> RenderedExample:
        return _render((*messages[:start], *messages[start + 2 * count :]), template)

    least = fewest_left_out(steps, lambda count: len(without(count).input_ids) <= max_length)
    return None if least is None else replace(without(least), left_out=least)


def _untrained_steps(messages: Sequence[Message]) -> tuple[int, int]:
    """The turn after the head, and how many whole untrained steps (action, observation) begin there."""
    start = next(index for index, message in enumerate(messages) if message.role == "assistant")
    count = 0
    for action, observation in zip(messages[start::2], messages[start + 1 :: 2], strict=False):
        if action.train or observation.train or (action.role, observation.role) != ("assistant", "user"):
            break
        count += 1
    return start, count


def _render(messages: Sequence[Message], template: ChatTemplate) -> RenderedExample:
    whole, spans = trained_spans(messages, template)
    ids, labels, current = [], [], 0
    for token, (start, end) in template.spans(whole[: spans[-1][1]]):
        while current < len(spans) - 1 and spans[current][1] <= start:
            current += 1
        first, last = spans[current]
        # A tokenizer may trim white space from its offsets: a space of its own is then (end, end).
        inside = first <= start and end <= last and first < end
        ids.append(token)
        labels.append(token if inside else IGNORE)
    return RenderedExample(tuple(ids), tuple(labels))


def trained_spans(messages: Sequence[Message], template: ChatTemplate) -> tuple[str, list[Span]]:
    """The conversation as text, and the ranges of characters in it that are trained, one for each trained turn.

    White space that the template puts after the end-of-turn token is no part of the turn: the model never writes it.
    """
    # Some templates render a conversation's last turn in a form that history never has (an empty <think> block).
    history = messages if messages[-1].role == "user" else (*messages, _LATER)
    whole, ending = template.text(history), turn_ending(template)
    spans = []
    for index, message in enumerate(messages):
        if message.train:
            spans.append(_span(whole, template.text(messages[:index], ask=True), message.content.strip(), ending))
    return whole, spans


def _span(whole: str, prompt: str, content: str, ending: str) -> Span:
    if not whole.startswith(prompt):
        raise UsageError(
            "the model's chat template renders earlier turns differently once later ones follow, so trained turns "
            "cannot be told from others; use a template that keeps what it has written"
        )
    start = _after_space(whole, len(prompt))
    end = _after_space(whole, start + len(content))
    if not (whole.startswith(content, start) and whole.startswith(ending, end)):
        raise UsageError(
            f"the model's chat template changes what an assistant turn says, so it cannot be trained: "
            f"{content[:80]!r}; use a template that writes turns as they are (some drop <think> blocks)"
        )
    return len(prompt), end + len(ending)


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
    """Prove the mask: each run of trained tokens, decoded, is one trained turn with its end of turn, in order.

    Raises :class:`~agentr_core.errors.AgentrError` that says what is missing or too much.
    """
    template = ChatTemplate(tokenizer, options or {})
    ending = turn_ending(template)
    wanted = [message.content for message in example.messages if message.train]
    runs = list(_runs(rendered))
    for number, (run, content) in enumerate(zip(runs, wanted, strict=False), 1):
        found = template.decode(run, special=True)
        # Not every tokenizer gives a text back letter by letter: what it makes of the turn is as good.
        as_read = template.decode(template.encode(content), special=True)
        if not (_holds(found, content, ending) or _holds(found, as_read, ending)):
            expected = content.strip() + ending
            raise AgentrError(f"the loss mask is wrong at trained turn {number}: expected {expected!r}, got {found!r}")
    if len(runs) != len(wanted):
        raise AgentrError(f"the loss mask holds {len(runs)} turns, and the conversation has {len(wanted)} to train")


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
