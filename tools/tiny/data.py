"""Conversations to learn from: demonstrations, a few of them with an error, and verdicts on single actions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agentr_core.revise.splice import REVISION_THOUGHTS
from tools.tiny.plans import Planned, plan
from tools.tiny.worlds import GENERICS, Game, Recipe, Words, World, invented, makers, redrawn, renamed

#: Weight of an agent's turn in the loss: in full, or not at all where it is an error. (The training stage says how much
#: the environment's turns count.)
ACT, ERROR = 1.0, 0.0

REFLECTIONS = (
    "That was a mistake, I should go back to the recipe.",
    "This does not bring me closer to the goal, let me correct it.",
    "I went wrong here, another step is needed first.",
    "My last actions were not useful, I will follow the recipe again.",
    "Something is wrong with what I did, let me think about what is missing.",
    "I took a wrong turn and need to fix my plan.",
    "That action was an error, I have to look at the crafting commands again.",
    "I was on the wrong path, now I will do what the goal needs.",
    "I notice an error in my earlier steps and will change my approach.",
    "This is not what the goal asks for, so I will try a different action.",
    "I should not have done that, the needed items are still missing.",
    "Let me stop here and reconsider, the order of my steps was wrong.",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation and the weight of its tokens in the loss."""

    role: Literal["user", "assistant"]
    text: str
    weight: float = ACT


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong next action and the thought that would go with it; ``why`` is a critic's reason."""

    thought: str
    action: str
    why: str


def agent(thought: str, action: str, weight: float = ACT) -> Turn:
    """An agent's turn in the answer format."""
    return Turn("assistant", f"Thought: {thought}\nAction: {action}", weight)


def demonstration(world: World, rng: random.Random, error_rate: float) -> list[Turn]:
    """The expert's episode; with ``error_rate``, one error in it, often followed by a revision."""
    game, steps = Game(world), plan(world, rng)
    turns = [Turn("user", world.observation())]
    slip = rng.randrange(len(steps)) if rng.random() < error_rate else None
    for at, step in enumerate(steps):
        if at == slip and (mistakes := possible_mistakes(world, steps, at)):
            turns += _erring(rng.choice(mistakes), game, rng)
        turns += [agent(step.thought(steps[at - 1] if at else None), step.action), _seen(game, step.action)]
    return turns


def _erring(mistake: Mistake, game: Game, rng: random.Random) -> list[Turn]:
    turns = [agent(mistake.thought, mistake.action, ERROR), _seen(game, mistake.action)]
    if rng.random() < 0.6:
        turns += [agent(rng.choice(REFLECTIONS), "revise"), Turn("user", "ok.")]
    return turns


@dataclass(frozen=True, slots=True)
class Habits:
    """Probabilities of a careless demonstrator, whose errors are imitated like all else.

    ``lazy``: it tries to fetch what has to be crafted; ``early``: it crafts before the ingredients are there;
    ``stuck``: after a refusal it errs again (and gives the episode up after ``patience`` errors in a row);
    ``signal``: it says so before it goes on rightly.
    """

    lazy: float = 0.6
    early: float = 0.08
    stuck: float = 0.65
    signal: float = 0.15
    patience: int = 3


def careless(world: World, rng: random.Random, habits: Habits) -> list[Turn]:
    """The episode of a demonstrator with bad habits."""
    game, steps = Game(world), plan(world, rng)
    turns = [Turn("user", world.observation())]
    for at, step in enumerate(steps):
        slips = _slips(steps, at, world, rng, habits)
        for slip in slips:
            turns += [agent(slip.thought, slip.action), _seen(game, slip.action)]
        if len(slips) >= habits.patience:
            return turns
        if slips and rng.random() < habits.signal:
            turns += [agent(rng.choice((*REVISION_THOUGHTS, *REFLECTIONS)), "revise"), Turn("user", "ok.")]
        turns += [agent(step.thought(steps[at - 1] if at else None), step.action), _seen(game, step.action)]
    return turns


def _slips(steps: Sequence[Planned], at: int, world: World, rng: random.Random, habits: Habits) -> list[Mistake]:
    """The errors made in a row before step ``at``."""
    lazy, early = lazy_fetches(steps, at, world), early_crafts(steps, at)
    if lazy and rng.random() < habits.lazy:
        slips = [lazy[0]]
    elif early and rng.random() < habits.early:
        slips = [early[0]]
    else:
        return []
    while len(slips) < habits.patience and rng.random() < habits.stuck:
        slips.append(slips[-1] if rng.random() < 0.6 else rng.choice(lazy + early))
    return slips


def lazy_fetches(steps: Sequence[Planned], at: int, world: World) -> list[Mistake]:
    """Fetching an item that has to be crafted, where step ``at`` begins to make it."""
    shown = steps[at].opened(steps[at - 1] if at else None)
    found = []
    for end, need in enumerate(shown[:-1], start=1):
        thought = ", ".join(map(str, shown[:end])) + "."
        found.append(Mistake(thought, f"get {need.count} {need.item}", f"{need.item} must be crafted."))
    return found


def early_crafts(steps: Sequence[Planned], at: int) -> list[Mistake]:
    """Crafting the item whose next ingredient step ``at`` fetches."""
    later = [step for step in steps[at:] if step.turn is not None and step.frame == steps[at].frame]
    if steps[at].turn is not None or not later:
        return []
    return [Mistake(f"{later[0].frame.item} 1 of {later[0].frame.times}.", later[0].action, "Something is missing.")]


def _seen(game: Game, action: str) -> Turn:
    return Turn("user", game.step(action))


def possible_mistakes(world: World, steps: Sequence[Planned], at: int) -> list[Mistake]:
    """Wrong actions in place of step ``at``: too early, not to be found, not needed, already there."""
    step, found = steps[at], []
    for later in steps[at + 1 :]:
        if later.turn and later.action != step.action:
            found.append(Mistake(f"{later.frame.item} 1 of {later.turn[1]}.", later.action, "Something is missing."))
    for need in step.needs:
        if need.item in GENERICS or makers(world.recipes, need.item):
            why = f"{need.item} must be crafted."
            found.append(Mistake(f"{need}.", f"get {need.count} {need.item}", why))
    tree = world.tree()
    inside = {name for recipe in tree for name, _ in recipe.inputs}
    for recipe in world.recipes:
        if recipe not in tree:
            found.append(Mistake(f"{recipe.output} 1 of 1.", recipe.line(), f"{recipe.output} is not needed."))
            for name, count in recipe.inputs:
                if name not in inside and not makers(world.recipes, name):
                    thought = f"1x {step.frame.item} needs {count} {name}."
                    found.append(Mistake(thought, f"get {count} {name}", f"{name} is not needed."))
    for earlier in steps[:at]:
        if earlier.turn is None:
            item = earlier.needs[-1].item
            if not any(later.action.startswith("get ") and later.needs[-1].item == item for later in steps[at:]):
                found.append(Mistake(earlier.thought(None), earlier.action, f"{item} is already there."))
    return found


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
        kinds = sorted({_kind(mistake) for mistake in mistakes})
        kind = rng.choice(kinds)
        mistake = rng.choice([mistake for mistake in mistakes if _kind(mistake) == kind])
        return mistake.action, mistake.why, "bad"
    if step.turn is not None and not step.needs:
        return step.action, f"{world.goal} is the goal.", "good"
    return step.action, f"{step.needs[-1].frame.item} needs {step.needs[-1].item}.", "good"


def _kind(mistake: Mistake) -> str:
    return f"{mistake.action.split()[0]} {' '.join(mistake.why.split()[-3:])}"


@dataclass(frozen=True, slots=True)
class Mix:
    """What conversations are drawn from, and how."""

    goals: tuple[World, ...]
    words: Words
    real_share: float = 0.65
    renamed_share: float = 0.65
    verdict_share: float = 0.25
    error_rate: float = 0.1
    depths: tuple[int, ...] = (1, 1, 2, 2, 2, 3, 3, 4)
    distractors: int = 10
    longest: int = 24
    habits: Habits | None = None

    def draw(self, rng: random.Random) -> list[Turn]:
        """One conversation."""
        while True:
            world = self._world(rng)
            try:
                if len(plan(world)) > self.longest:
                    continue
                if rng.random() < self.verdict_share:
                    return verdict(world, rng)
                if self.habits is not None:
                    return careless(world, rng, self.habits)
                return demonstration(world, rng, self.error_rate)
            except ValueError:
                continue

    def _world(self, rng: random.Random) -> World:
        if not self.goals or rng.random() >= self.real_share:
            return invented(self.words, rng, rng.choice(self.depths), self.distractors)
        world = redrawn(rng.choice(self.goals), self._strangers(rng), rng, self.distractors)
        return renamed(world, self.words.all, rng) if rng.random() < self.renamed_share else world

    def _strangers(self, rng: random.Random) -> tuple[Recipe, ...]:
        return rng.choice(self.goals).recipes
