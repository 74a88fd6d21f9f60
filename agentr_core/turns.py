"""Turns, and the conversations of them that are trained: slotted dataclasses, which nothing has to be imported for.

They stand apart from the checked records (:mod:`agentr_core.records`): who reads rows of a store needs no pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; ``train`` marks it as a target of the fine-tuning loss."""

    role: Role
    content: str
    train: bool = False

    def as_dict(self) -> dict[str, str]:
        """The form that chat templates take."""
        return {"role": self.role, "content": self.content}


ExampleKind = Literal["good", "revision", "direct", "general"]


@dataclass(frozen=True, slots=True)
class Example:
    """One training conversation; the messages with ``train`` set carry the loss.

    ``origin`` says where it comes from (tree, leaves, t, t', rewards, critic, model, seed), as JSON.
    """

    messages: tuple[Message, ...]
    kind: ExampleKind
    origin: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> list[tuple[str, str, bool]]:
        """What tells examples apart: role, text and ``train`` of each turn, whatever the origin."""
        return [(message.role, message.content, message.train) for message in self.messages]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a trainer of conversations gets: named examples and the hash of their content.

    ``selection`` counts how samples became examples, where they did: ``revisions`` and ``good`` of which so many were
    ``taken_...``, and why others were not: ``equal``, ``over_caps``, ``dropped`` for their length (up to ``longest``).
    """

    name: str
    examples: tuple[Example, ...]
    content_hash: str
    selection: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.examples)
