"""From conversations to token ids and labels, with the loss on the ``train`` turns alone (Agent-R equation 6).

A conversation is rendered once with the model's own chat template; the text of each trained turn is located in it by
rendering its prefix, and a token is trained only if it lies wholly inside such a span. The span ends with the
end-of-turn token: a model that is not taught to stop does not stop.

The tokenizer is anything with ``apply_chat_template`` and a call that gives ``offset_mapping`` (a fast tokenizer of
transformers); no library is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.errors import AgentrError, UsageError
from agentr_core.records import Example, Message

#: The label of a token that carries no loss (PyTorch's convention).
IGNORE = -100
#: Turns before the first action: instructions and first observation.
HEAD_TURNS = 2


@dataclass(frozen=True, slots=True)
class RenderedExample:
    """Token ids and labels of one conversation, both of length L; a label is the token id or :data:`IGNORE`."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def trained(self) -> tuple[int, ...]:
        """The token ids that carry loss."""
        return tuple(label for label in self.labels if label != IGNORE)


def render_example(example: Example, tokenizer: Any, *, max_length: int) -> RenderedExample | None:
    """Render a conversation of at most ``max_length`` tokens.

    One that is longer loses its oldest untrained steps after the head, action and observation together; None where
    that is not enough: the trained part is never cut. Raises :class:`UsageError` for a chat template that renders a
    conversation's beginning differently once more turns follow.
    """
    messages = foldable(example.messages, tokenizer)
    while True:
        rendered = _render(messages, tokenizer)
        if len(rendered.input_ids) <= max_length:
            return rendered if rendered.trained else None
        shorter = _drop_oldest_step(messages)
        if shorter is None:
            return None
        messages = shorter


def foldable(messages: Sequence[Message], tokenizer: Any) -> tuple[Message, ...]:
    """The conversation as the template takes it: one without a system role gets its text in the first user turn."""
    if not messages or messages[0].role != "system":
        return tuple(messages)
    try:
        text = _text(tokenizer, messages[:2])
    except Exception:
        text = None
    if text is not None:
        return tuple(messages)
    first = messages[1]
    return (Message(first.role, f"{messages[0].content}\n\n{first.content}", first.train), *messages[2:])


def _render(messages: Sequence[Message], tokenizer: Any) -> RenderedExample:
    whole = _text(tokenizer, messages)
    spans = list(trained_spans(messages, tokenizer, whole))
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    labels, span = [], 0
    for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        while span < len(spans) and spans[span][1] <= start:
            span += 1
        inside = span < len(spans) and spans[span][0] <= start and end <= spans[span][1] and start < end
        labels.append(token if inside else IGNORE)
    return RenderedExample(tuple(encoded["input_ids"]), tuple(labels))


def trained_spans(messages: Sequence[Message], tokenizer: Any, whole: str) -> list[tuple[int, int]]:
    """Character ranges in ``whole`` of the trained turns: from after the generation prompt to the end of the turn.

    White space that the template puts after the end-of-turn token is no part of the turn: the model never writes it.
    """
    spans = []
    for index, message in enumerate(messages):
        if not message.train:
            continue
        prompt = _text(tokenizer, messages[:index], prompt=True)
        turn = _text(tokenizer, messages[: index + 1])
        if not (turn.startswith(prompt) and whole.startswith(turn)):
            raise UsageError(
                "the model's chat template renders earlier turns differently once later ones follow, so trained turns "
                "cannot be told from others; use a template that keeps what it has written"
            )
        end = len(prompt) + len(turn[len(prompt) :].rstrip())
        spans.append((len(prompt), end))
    return spans


def _text(tokenizer: Any, messages: Sequence[Message], *, prompt: bool = False) -> str:
    rendered = tokenizer.apply_chat_template(
        [message.as_dict() for message in messages], tokenize=False, add_generation_prompt=prompt
    )
    return str(rendered)


def _drop_oldest_step(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """Without the first agent turn after the head and its observation; None where that turn is trained or the last."""
    start = HEAD_TURNS if messages and messages[0].role == "system" else HEAD_TURNS - 1
    if len(messages) < start + 4 or messages[start].train or messages[start].role != "assistant":
        return None
    return (*messages[:start], *messages[start + 2 :])


def check_rendered(example: Example, rendered: RenderedExample, tokenizer: Any) -> None:
    """Prove the mask: decoded, the trained tokens are the trained turns in order, each with its end of turn.

    Raises :class:`~agentr_core.errors.AgentrError` that says what is missing or too much.
    """
    trained = [message.content.strip() for message in example.messages if message.train]
    rest = tokenizer.decode(list(rendered.trained), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    for number, content in enumerate(trained, 1):
        before, found, rest = rest.partition(content)
        if not found:
            raise AgentrError(f"the loss mask misses a part of trained turn {number}: {content[:80]!r}")
        if before and number == 1:
            raise AgentrError(f"the loss mask holds text that is no trained turn: {before[:80]!r}")
        ending, rest = _split_ending(rest, trained[number] if number < len(trained) else None)
        if not ending.strip():
            raise AgentrError(f"the loss mask misses the end-of-turn token of trained turn {number}")
        if any(message.content.strip() and message.content.strip() in ending for message in example.messages):
            raise AgentrError(f"the loss mask holds a turn that is not to be trained after trained turn {number}")
    if rest.strip():
        raise AgentrError(f"the loss mask holds text that is no trained turn: {rest[:80]!r}")


def _split_ending(rest: str, following: str | None) -> tuple[str, str]:
    """What stands between a trained turn and the next one (or the end), and what follows."""
    if following is None:
        return rest, ""
    at = rest.find(following)
    return (rest, "") if at < 0 else (rest[:at], rest[at:])
