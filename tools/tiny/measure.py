"""Episodes of a model in TextCraft, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core import Message, SampleRequest, SamplingParams, create, derive_seed, head, parse_response

MAX_TURNS = 24
MAX_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Done:
    """An action that reached the environment, what was seen, and the oracle's distance before and after it."""

    action: str
    seen: str
    before: float
    after: float


class Episode:
    """One episode: the conversation so far, and what was done in it."""

    def __init__(self, key: str) -> None:
        self.env = create("env", "textcraft")
        self.task, self.solved, self.over = self.env.task(key), False, False
        self.log: list[Done] = []
        self.messages = list(head(self.env, self.task, self.env.reset(self.task)))

    @property
    def first_observation(self) -> str:
        """What the environment shows at the start."""
        return self.messages[1].content

    def answer(self, turn: str) -> None:
        """Take an agent's turn: do its action, and append both the turn and what was seen."""
        self.messages += [Message("assistant", turn), Message("user", self._observe(turn))]

    def _observe(self, turn: str) -> str:
        parsed = parse_response(turn)
        if parsed.action is None:
            return parsed.error or ""
        if parsed.action == "revise":
            return "ok."
        before = self.env.distance()
        result = self.env.step(parsed.action)
        after = 0.0 if result.terminated else self.env.distance()
        self.log.append(Done(parsed.action, result.observation, before, after))
        self.solved, self.over = result.reward >= 1.0, result.terminated or result.truncated
        return str(result.observation)


def load(model: Path) -> Any:
    """The policy that acts with the model in this folder."""
    return create("policy", "transformers", model=str(model), dtype="float32")


def play(policy: Any, episodes: Sequence[Episode], *, temperature: float, seed: int = 0) -> None:
    """Bring every episode to its end, all of them in one batch a turn."""
    for turn in range(MAX_TURNS):
        active = [(at, episode) for at, episode in enumerate(episodes) if not episode.over]
        if not active:
            return
        seeds = [derive_seed(seed, "play", at, turn) for at, _ in active]
        texts = answers(policy, [episode.messages for _, episode in active], temperature, seeds)
        for (_, episode), text in zip(active, texts, strict=True):
            episode.answer(text)


def answers(
    policy: Any, conversations: Sequence[Sequence[Message]], temperature: float, seeds: Sequence[int]
) -> list[str]:
    """One turn for each conversation; temperature 0 is greedy. A conversation that is too long is answered with ""."""
    params = SamplingParams(temperature=temperature, max_tokens=MAX_TOKENS)
    requests = [
        SampleRequest(tuple(conversation), params, seed=seed, session="measure")
        for conversation, seed in zip(conversations, seeds, strict=True)
    ]
    return [outcome[0].text if isinstance(outcome, list) else "" for outcome in policy.complete(requests)]
