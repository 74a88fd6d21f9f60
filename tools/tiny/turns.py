"""The turns of a conversation, and what can be done wrong in place of a planned step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.tiny.plans import Planned
from tools.tiny.worlds import GENERICS, Game, World, makers

#: Weight of an agent's turn in the loss: in full, or not at all where it is an error. (The training stage says how much
#: the environment's turns count.)
ACT, ERROR = 1.0, 0.0


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


def seen(game: Game, action: str) -> Turn:
    """What the environment says to an action, as a turn."""
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


def one_of(mistakes: Sequence[Mistake], rng: random.Random) -> Mistake:
    """One of them; each kind of mistake is as likely as another, however many there are of it."""
    kind = rng.choice(sorted({_kind(mistake) for mistake in mistakes}))
    return rng.choice([mistake for mistake in mistakes if _kind(mistake) == kind])


def _kind(mistake: Mistake) -> str:
    return f"{mistake.action.split()[0]} {' '.join(mistake.why.split()[-3:])}"


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
