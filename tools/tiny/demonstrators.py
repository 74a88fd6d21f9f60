"""Who plays the episodes that the model imitates: an expert, a careless player, players of unlike skill."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from agentr_core.revise.splice import REVISION_THOUGHTS
from tools.tiny.plans import Planned, plan
from tools.tiny.turns import ERROR, Mistake, Turn, agent, early_crafts, lazy_fetches, one_of, possible_mistakes, seen
from tools.tiny.worlds import Game, World

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
class Expert:
    """Plays by the plan; in a share ``errors`` of the episodes with one error, which is not trained."""

    errors: float = 0.1

    def play(self, world: World, rng: random.Random) -> list[Turn]:
        """An episode, as turns. ``ValueError`` where an error left the plan without what it needs."""
        game, steps = Game(world), plan(world, rng)
        turns = [Turn("user", world.observation())]
        slip = rng.randrange(len(steps)) if rng.random() < self.errors else None
        for at in range(len(steps)):
            if at == slip and (mistakes := possible_mistakes(world, steps, at)):
                turns += _erring(rng.choice(mistakes), game, rng)
            turns += _due(game, steps, at)
        return turns


def _due(game: Game, steps: Sequence[Planned], at: int) -> list[Turn]:
    """The step of the plan that is due, with its thought, and what is seen."""
    step = steps[at]
    turns = [agent(step.thought(steps[at - 1] if at else None), step.action), seen(game, step.action)]
    if not turns[-1].text.startswith(("Got", "Crafted")):
        raise ValueError("an error took what the plan needs")
    return turns


def _with_slips(
    world: World,
    steps: Sequence[Planned],
    slips: Callable[[int], list[Mistake]],
    patience: int,
    signal: float,
    rng: random.Random,
) -> list[Turn]:
    """A plan with the errors in a row, ``slips``, before each of its steps, given up after ``patience`` of them.

    Who goes on after an error says so with the probability ``signal``.
    """
    game, turns = Game(world), [Turn("user", world.observation())]
    for at in range(len(steps)):
        made = slips(at)
        for slip in made:
            turns += [agent(slip.thought, slip.action), seen(game, slip.action)]
        if len(made) >= patience:
            return turns
        if made and rng.random() < signal:
            turns += [agent(rng.choice((*REVISION_THOUGHTS, *REFLECTIONS)), "revise"), Turn("user", "ok.")]
        turns += _due(game, steps, at)
    return turns


def _erring(mistake: Mistake, game: Game, rng: random.Random) -> list[Turn]:
    turns = [agent(mistake.thought, mistake.action, ERROR), seen(game, mistake.action)]
    if rng.random() < 0.6:
        turns += [agent(rng.choice(REFLECTIONS), "revise"), Turn("user", "ok.")]
    return turns


@dataclass(frozen=True, slots=True)
class Careless:
    """A player with bad habits, whose errors are imitated like all else. All are probabilities but ``patience``.

    ``lazy``: it tries to fetch what has to be crafted; ``early``: it crafts before the ingredients are there;
    ``stuck``: after a refusal it errs again (and gives the episode up after ``patience`` errors in a row);
    ``signal``: it says so before it goes on rightly.
    """

    lazy: float = 0.6
    early: float = 0.08
    stuck: float = 0.65
    signal: float = 0.15
    patience: int = 3

    def play(self, world: World, rng: random.Random) -> list[Turn]:
        """An episode, as turns. ``ValueError`` where an error left the plan without what it needs."""
        steps = plan(world, rng)
        slips = partial(self._slips, world, steps, rng)
        return _with_slips(world, steps, slips, self.patience, self.signal, rng)

    def _slips(self, world: World, steps: Sequence[Planned], rng: random.Random, at: int) -> list[Mistake]:
        """The errors made in a row before step ``at``."""
        lazy, early = lazy_fetches(steps, at, world), early_crafts(steps, at)
        if lazy and rng.random() < self.lazy:
            slips = [lazy[0]]
        elif early and rng.random() < self.early:
            slips = [early[0]]
        else:
            return []
        while len(slips) < self.patience and rng.random() < self.stuck:
            slips.append(slips[-1] if rng.random() < 0.6 else rng.choice(lazy + early))
        return slips


@dataclass(frozen=True, slots=True)
class Crowd:
    """Players of unlike skill, one an episode, whose errors are imitated like all else.

    ``slips``: each player's probability of an error, before every step of the plan and again after every error. An
    error is any that can be made there (:func:`~tools.tiny.turns.possible_mistakes`), so none is a habit. After
    ``patience`` errors in a row an episode is given up; ``signal`` is the probability that a player who goes on says
    that it erred.
    """

    slips: tuple[float, ...] = (0.0, 0.3, 0.6)
    patience: int = 3
    signal: float = 0.3

    def play(self, world: World, rng: random.Random) -> list[Turn]:
        """An episode, as turns. ``ValueError`` where an error left the plan without what it needs."""
        steps, rate = plan(world, rng), rng.choice(self.slips)
        slips = partial(self._slips, world, steps, rate, rng)
        return _with_slips(world, steps, slips, self.patience, self.signal, rng)

    def _slips(self, world: World, steps: Sequence[Planned], rate: float, rng: random.Random, at: int) -> list[Mistake]:
        """The errors made in a row before step ``at``."""
        slips: list[Mistake] = []
        while len(slips) < self.patience and rng.random() < rate and (found := possible_mistakes(world, steps, at)):
            slips.append(one_of(found, rng))
        return slips
