"""What the value model is asked, in training, by the critic and by a search: one question, and how each of two answers
begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from agentr_core import Message

QUESTION = "Will this attempt succeed? Answer yes or no."
YES, NO = "yes", "no"


def asked(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation that ends with an observation, with the question behind it."""
    *before, seen = messages
    return (*before, replace(seen, content=f"{seen.content}\n\n{QUESTION}"))


def asked_before(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation that ends with an action, and the question in the place of what will be observed."""
    return (*messages, Message("user", QUESTION))


def probability(yes: float, no: float) -> float:
    """The probability of yes, of the two, by the log-probabilities of both."""
    return 1.0 / (1.0 + math.exp(min(700.0, no - yes)))
