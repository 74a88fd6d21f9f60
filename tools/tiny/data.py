"""Conversations to learn from: what a demonstrator plays, and verdicts on single actions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tools.tiny.demonstrators import Expert
from tools.tiny.plans import Planned, plan
from tools.tiny.turns import Turn, one_of, possible_mistakes
from tools.tiny.worlds import Game, Recipe, Words, World, invented, redrawn, renamed


class Demonstrator(Protocol):
    """One whose episodes are imitated."""

    def play(self, world: World, rng: random.Random) -> list[Turn]:
        """An episode, as turns; ``ValueError`` where it is not one to imitate."""
        ...


def verdict(world: World, rng: random.Random) -> list[Turn]:
    """A critic's question about one action of an episode that may hold errors, and the answer."""
    game, steps = Game(world), plan(world, rng)
    at, log = rng.randrange(len(steps)), []
    for before in range(at):
        if rng.random() < 0.15 and (mistakes := possible_mistakes(world, steps, before)):
            slip = rng.choice(mistakes).action
            log += [f"Action: {slip}", f"Observation: {game.step(slip)}"]
        log += [f"Action: {steps[before].action}", f"Observation: {game.step(steps[before].action)}"]
    action, why, label = _judged(world, steps, at, rng)
    seen = game.step(action)
    if label == "bad" and seen.startswith("Crafted"):
        raise ValueError("this craft was due")
    question = judge_question(world.observation(), "\n".join(log), action, seen)
    return [Turn("user", question), Turn("assistant", f"{why}\nJudgment: {label}")]


def judge_question(task: str, history: str, action: str, observation: str) -> str:
    """The user turn of a critic's prompt."""
    return (
        f"Task:\n{task}\n\nHistory:\n{history or 'none'}\n\nAction: {action}\nObservation: {observation}\n\n"
        "Is this action good, bad or uncertain?"
    )


def _judged(world: World, steps: Sequence[Planned], at: int, rng: random.Random) -> tuple[str, str, str]:
    draw, step = rng.random(), steps[at]
    if draw < 0.03:
        return "inventory", "It only looks.", "uncertain"
    mistakes = possible_mistakes(world, steps, at)
    if draw < 0.5 and mistakes:
        mistake = one_of(mistakes, rng)
        return mistake.action, mistake.why, "bad"
    if step.turn is not None and not step.needs:
        return step.action, f"{world.goal} is the goal.", "good"
    return step.action, f"{step.needs[-1].frame.item} needs {step.needs[-1].item}.", "good"


@dataclass(frozen=True, slots=True)
class Mix:
    """What conversations are drawn from, and how."""

    goals: tuple[World, ...]
    words: Words
    real_share: float = 0.65
    renamed_share: float = 0.65
    verdict_share: float = 0.25
    depths: tuple[int, ...] = (1, 1, 2, 2, 2, 3, 3, 4)
    distractors: int = 10
    longest: int = 24
    demonstrator: Demonstrator = field(default_factory=Expert)

    def draw(self, rng: random.Random) -> list[Turn]:
        """One conversation."""
        while True:
            world = self._world(rng)
            try:
                if len(plan(world)) > self.longest:
                    continue
                if rng.random() < self.verdict_share:
                    return verdict(world, rng)
                return self.demonstrator.play(world, rng)
            except ValueError:
                continue

    def _world(self, rng: random.Random) -> World:
        if not self.goals or rng.random() >= self.real_share:
            return invented(self.words, rng, rng.choice(self.depths), self.distractors)
        world = redrawn(rng.choice(self.goals), self._strangers(rng), rng, self.distractors)
        return renamed(world, self.words.all, rng) if rng.random() < self.renamed_share else world

    def _strangers(self, rng: random.Random) -> tuple[Recipe, ...]:
        return rng.choice(self.goals).recipes
