"""The eight games, their parameters, tasks and splits. Nothing here needs Java.

A task is a game and a seed: ``coin_17``. The games' own folds are the splits: seeds 0 to 999 are ``train``, 10,000 to
10,999 ``dev``, 20,000 to 20,999 ``test``, and each fold has words and recipes that the others do not have.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agentr_core import Task, UsageError

SEEDS_OF_A_FOLD = 1000
#: The first seed of each fold.
FOLDS: Mapping[str, int] = MappingProxyType({"train": 0, "dev": 10_000, "test": 20_000})

_ROOMS = ("numLocations", "includeDoors", "limitInventorySize")
#: The games in their own order, and the names of their parameters.
PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cookingworld": (*_ROOMS, "numIngredients", "numDistractorItems"),
        "twc": (*_ROOMS, "numItemsToPutAway"),
        "coin": (*_ROOMS, "numDistractorItems"),
        "mapreader": (*_ROOMS, "maxDistanceApart", "maxDistractorItemsPerLocation"),
        "arithmetic": (),
        "sorting": (),
        "simonsays": ("gameLength", "numDistractors", "memorization", "verbose"),
        "peckingorder": (),
    }
)
#: What each game is about, for the instructions.
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "cookingworld": "You find and read a recipe, gather its ingredients, cook as it says and eat the meal.",
        "twc": "You find objects that lie around and put each where it usually belongs.",
        "coin": "You look for a coin in a house and take it.",
        "mapreader": "You take a coin from one place and put it into the box of another; a map shows the way.",
        "arithmetic": "You solve a math problem and put the item with that quantity into the box.",
        "sorting": "You put objects into the box, the smallest quantity first.",
        "simonsays": "You do exactly what Simon says.",
        "peckingorder": "You read the instructions again and again, and do what they say.",
    }
)
_KEY = re.compile(r"([a-z]+)[_/:](\d{1,6})")


def game_named(name: str) -> str:
    """``name`` itself; ``ValueError`` with the nearest name where no game is called so."""
    if name in PARAMETERS:
        return name
    near = difflib.get_close_matches(name, PARAMETERS, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"there is no game '{name}'{hint} There are: {', '.join(PARAMETERS)}, all")


class TaskTable:
    """The tasks of ``games``: seed by seed, all games of one seed side by side."""

    def __init__(self, games: Sequence[str]) -> None:
        self._games = games
        self._made: dict[str, tuple[Task, ...]] = {}

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in FOLDS:
            raise UsageError(f"textworld_express has no split '{split}'; there are: {', '.join(FOLDS)}")
        if split not in self._made:
            seeds = range(FOLDS[split], FOLDS[split] + SEEDS_OF_A_FOLD)
            self._made[split] = tuple(make_task(game, seed, split) for seed in seeds for game in self._games)
        return self._made[split]

    def task(self, key: str) -> Task:
        """The task of a key such as ``coin_17``; :class:`~agentr_core.UsageError` where there is none."""
        found = _KEY.fullmatch(key)
        split = fold_of(int(found[2])) if found else None
        if found is None or split is None or found[1] not in self._games:
            raise UsageError(
                f"textworld_express has no task '{key}'; a key is a game and a seed, such as '{self._games[0]}_17' "
                f"(games chosen: {', '.join(self._games)}; seeds 0-999 train, 10000-10999 dev, 20000-20999 test)"
            )
        return make_task(found[1], int(found[2]), split)


def fold_of(seed: int) -> str | None:
    """The fold that a seed is in; None where it is in none."""
    return next((fold for fold, first in FOLDS.items() if first <= seed < first + SEEDS_OF_A_FOLD), None)


def make_task(game: str, seed: int, split: str) -> Task:
    """The record of a task. Its words are the game's, shown with the first observation."""
    return Task(key=f"{game}_{seed}", split=split, instruction=ABOUT[game], metadata={"game": game, "seed": seed})
