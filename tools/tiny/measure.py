"""Episodes of a model, many at once, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from agentr_transformers.config import TransformersConfig

from agentr_core import BatchRequest, Message, SamplingParams, derive_seed

MAX_TURNS = 24
MAX_TOKENS = 96


class Play(Protocol):
    """One episode: the conversation so far, and the answer to an agent's turn."""

    messages: list[dict[str, str]]
    solved: bool
    done: bool

    def answer(self, turn: str) -> None:
        """Take an agent's turn and append it and the observation."""


def load(model: Path) -> Any:
    """The policy that acts with the model in this folder."""
    from agentr_transformers.policy import TransformersPolicy

    return TransformersPolicy(TransformersConfig(model=str(model), dtype="float32"))


def play(policy: Any, plays: Sequence[Play], *, temperature: float, seed: int = 0) -> None:
    """Bring every episode to its end, all of them in one batch a turn."""
    for turn in range(MAX_TURNS):
        active = [(at, episode) for at, episode in enumerate(plays) if not episode.done]
        if not active:
            return
        seeds = [derive_seed(seed, "play", at, turn) for at, _ in active]
        texts = answers(policy, [episode.messages for _, episode in active], temperature, seeds)
        for (_, episode), text in zip(active, texts, strict=True):
            episode.answer(text)


def answers(
    policy: Any, conversations: Sequence[Sequence[dict[str, str]]], temperature: float, seeds: Sequence[int]
) -> list[str]:
    """One agent's turn for each conversation; temperature 0 is greedy."""
    params = SamplingParams(temperature=temperature, max_tokens=MAX_TOKENS)
    requests = [
        BatchRequest(tuple(Message(turn["role"], turn["content"]) for turn in conversation), 1, params, "measure", seed)
        for conversation, seed in zip(conversations, seeds, strict=True)
    ]
    outcomes = policy.complete(requests)
    return [outcome[0].text if isinstance(outcome, list) else "" for outcome in outcomes]
