"""Episodes of a model, many at once, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.tiny.worlds import Game, World

MAX_TURNS = 24
MAX_TOKENS = 96


class Play(Protocol):
    """One episode: the conversation so far, and the answer to an agent's turn."""

    messages: list[dict[str, str]]
    solved: bool
    done: bool

    def answer(self, turn: str) -> None:
        """Take an agent's turn and append it and the observation."""


@dataclass
class GamePlay:
    """An episode in the tool's own game (worlds that the environment does not have)."""

    world: World
    solved: bool = False
    done: bool = False
    messages: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.game = Game(self.world)
        self.messages.append({"role": "user", "content": self.world.observation()})

    def answer(self, turn: str) -> None:
        """Do the action of ``turn``."""
        action = turn.rpartition("Action:")[2].strip()
        observation = "ok." if action == "revise" else self.game.step(action)
        self.solved = self.done = self.game.inventory[self.world.goal] > 0
        self.messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": observation}]


def play(model: Any, tokenizer: Any, plays: Sequence[Play], *, temperature: float, seed: int = 0) -> None:
    """Bring every episode to its end, all of them in one batch a turn."""
    import torch

    torch.manual_seed(seed)
    for _ in range(MAX_TURNS):
        active = [episode for episode in plays if not episode.done]
        if not active:
            return
        turns = answers(model, tokenizer, [episode.messages for episode in active], temperature)
        for episode, turn in zip(active, turns, strict=True):
            episode.answer(turn)


def answers(model: Any, tokenizer: Any, conversations: Sequence[Any], temperature: float) -> list[str]:
    """One agent's turn for each conversation; temperature 0 is greedy."""
    import torch

    tokenizer.padding_side = "left"
    batch = tokenizer.apply_chat_template(
        list(conversations), add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
    )
    drawing = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    with torch.inference_mode():
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=MAX_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            **drawing,
        )
    texts: list[str] = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def success(model: Any, tokenizer: Any, make: Callable[[], Sequence[Play]], *, temperature: float = 0.0) -> list[bool]:
    """Which of the episodes are solved."""
    plays = make()
    play(model, tokenizer, plays, temperature=temperature)
    return [episode.solved for episode in plays]
