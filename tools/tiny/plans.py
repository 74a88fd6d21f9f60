"""The expert: a plan for a world, each step with the thought that leads to it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tools.tiny.worlds import GENERICS, Recipe, World, crafts, makers


@dataclass(frozen=True, slots=True)
class Frame:
    """An item being made: how many times its recipe is used, and what was asked for that moment."""

    item: str
    times: int


@dataclass(frozen=True, slots=True)
class Need:
    """One link of a thought: making ``frame`` takes ``count`` of ``item``."""

    frame: Frame
    item: str
    count: int

    def __str__(self) -> str:
        return f"{self.frame.times}x {self.frame.item} needs {self.count} {self.item}"


@dataclass(frozen=True, slots=True)
class Planned:
    """One step of a plan: the open needs from the goal down, then the action.

    ``turn`` counts repeated crafts of one recipe: (which, of how many); None for a ``get``.
    """

    needs: tuple[Need, ...]
    frame: Frame
    turn: tuple[int, int] | None
    action: str

    def thought(self, before: Planned | None) -> str:
        """The needs that were not yet open ``before``, or the craft that is due."""
        if self.turn is not None:
            return f"{self.frame.item} {self.turn[0]} of {self.turn[1]}."
        return ", ".join(map(str, self.opened(before))) + "."

    def opened(self, before: Planned | None) -> tuple[Need, ...]:
        """The needs that a thought shows: from the innermost item that was already being made ``before``."""
        shared = 0
        if before is not None:
            frames = [need.frame for need in before.needs]
            if before.turn is not None:
                frames.append(before.frame)
            for need, frame in zip(self.needs, frames, strict=False):
                if need.frame != frame:
                    break
                shared += 1
        return self.needs[max(shared - 1, 0) :]


class _Planner:
    def __init__(self, world: World, held: Counter[str], rank: dict[Recipe, float]) -> None:
        self.world, self.held, self.rank = world, held, rank
        self.steps: list[Planned] = []

    def obtain(self, item: str, count: int, needs: tuple[Need, ...]) -> str:
        """Plan until ``count`` of ``item`` are there and set them aside; returns the concrete item's name."""
        options = makers(self.world.recipes, item)
        if item in GENERICS:
            ready = [r.output for r in options if self.held[r.output] >= count]
            options = sorted(options, key=self.rank.__getitem__)
            item = ready[0] if ready else self._best(options, count).output if options else item
            options = [recipe for recipe in options if recipe.output == item]
        missing = count - self.held[item]
        if missing > 0 and options:
            self._craft(self._best(options, missing), missing, needs)
        elif missing > 0:
            self._add(Planned(needs, needs[-1].frame, None, f"get {missing} {item}"))
            self.held[item] += missing
        self.held[item] -= count
        return item

    def _best(self, options: Sequence[Recipe], count: int) -> Recipe:
        ranked = sorted(options, key=self.rank.__getitem__)
        return min(ranked, key=lambda recipe: self._cost(recipe, count)) if len(ranked) > 1 else ranked[0]

    def _cost(self, recipe: Recipe, count: int) -> int:
        trial = _Planner(self.world, self.held.copy(), self.rank)
        trial._craft(recipe, max(1, count), ())
        return len(trial.steps)

    def _craft(self, recipe: Recipe, count: int, needs: tuple[Need, ...]) -> None:
        times = crafts(count, recipe)
        frame = Frame(recipe.output, times)
        concrete = {
            name: self.obtain(name, each * times, (*needs, Need(frame, name, each * times)))
            for name, each in recipe.inputs
        }
        for turn in range(1, times + 1):
            self._add(Planned(needs, frame, (turn, times), recipe.line(concrete)))
        self.held[recipe.output] += recipe.count * times

    def _add(self, step: Planned) -> None:
        if len(self.steps) >= 200:
            raise ValueError("plan too long")
        self.steps.append(step)


def plan(world: World, rng: random.Random | None = None, held: Counter[str] | None = None) -> list[Planned]:
    """Steps from ``held`` (nothing) to the goal, by the cheapest recipes; ``rng`` breaks ties.

    ``ValueError`` where more than 200 steps would be needed.
    """
    rank = {recipe: rng.random() if rng else float(at) for at, recipe in enumerate(world.recipes)}
    planner = _Planner(world, Counter(held or ()), rank)
    planner._craft(planner._best(makers(world.recipes, world.goal), 1), 1, ())
    return planner.steps
