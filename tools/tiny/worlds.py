"""Crafting worlds to demonstrate in: real goals under other names, and invented recipe trees.

A world is what the first observation shows (recipes and a goal); the texts are those of TextCraft's rules.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

#: Ingredients that stand for any item whose name ends with them ("planks": "oak planks", "birch planks").
GENERICS = ("planks", "wool")

_LINE = re.compile(r"craft (\d+) (.*) using (.*)")
_CRAFT = re.compile(r"craft (.*) using (.*)")
_GET = re.compile(r"get ([0-9]+) (.*)")


@dataclass(frozen=True, slots=True)
class Recipe:
    """``count`` of ``output`` from exactly ``inputs`` (name, count)."""

    output: str
    count: int
    inputs: tuple[tuple[str, int], ...]

    def line(self, concrete: Mapping[str, str] | None = None) -> str:
        """The crafting command, with generic ingredients replaced as ``concrete`` says."""
        names = concrete or {}
        inputs = ", ".join(f"{count} {names.get(name, name)}" for name, count in self.inputs)
        return f"craft {self.count} {self.output} using {inputs}"

    @classmethod
    def parse(cls, line: str) -> Recipe:
        """Read one line of the crafting commands. ``ValueError`` where it is not one."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a crafting command: {line!r}")
        parts = [part.split(" ", 1) for part in match[3].split(", ")]
        return cls(match[2], int(match[1]), tuple((name, int(count)) for count, name in parts))


@dataclass(frozen=True, slots=True)
class World:
    """A goal and the recipes in sight, those that do not lead to it included."""

    goal: str
    recipes: tuple[Recipe, ...]

    def observation(self) -> str:
        """The first observation of an episode."""
        lines = "\n".join(recipe.line() for recipe in self.recipes)
        return f"Crafting commands:\n{lines}\n\nGoal: craft {self.goal}."

    @classmethod
    def parse(cls, observation: str) -> World:
        """Read a first observation."""
        head, goal = observation.split("\n\nGoal: craft ")
        return cls(goal.removesuffix("."), tuple(Recipe.parse(line) for line in head.split("\n")[1:] if line))

    def tree(self) -> tuple[Recipe, ...]:
        """The recipes that the goal can need, through any alternative."""
        found: dict[Recipe, None] = {}
        open_items = [self.goal]
        seen = set(open_items)
        while open_items:
            for recipe in makers(self.recipes, open_items.pop()):
                found[recipe] = None
                fresh = [name for name, _ in recipe.inputs if name not in seen]
                seen.update(fresh)
                open_items += fresh
        return tuple(found)

    def items(self) -> list[str]:
        """Every name in the recipes, sorted."""
        names = {self.goal} | {r.output for r in self.recipes} | {n for r in self.recipes for n, _ in r.inputs}
        return sorted(names)


def makers(recipes: Sequence[Recipe], item: str) -> list[Recipe]:
    """The recipes that make ``item``; for a generic name, those of each of its members."""
    if item in GENERICS:
        return [recipe for recipe in recipes if recipe.output.endswith(" " + item)]
    return [recipe for recipe in recipes if recipe.output == item]


@dataclass(slots=True)
class Game:
    """TextCraft's rules (AgentGym's texts) over one world."""

    world: World
    inventory: Counter[str] = field(default_factory=Counter)

    def step(self, action: str) -> str:
        """Do one action and return the observation."""
        if match := _CRAFT.match(action):
            return self._craft(match[1], match[2])
        if match := _GET.match(action):
            return self._get(int(match[1]), match[2])
        if action == "inventory":
            held = "".join(f"[{item}] ({count}) " for item, count in self.inventory.items() if count)
            return f"Inventory: {held or 'You are not carrying anything.'}"
        return f"Could not execute {action}"

    def _get(self, count: int, item: str) -> str:
        fetchable = any(item == name for recipe in self.world.recipes for name, _ in recipe.inputs)
        if not fetchable or makers(self.world.recipes, item):
            return f"Could not find {item}"
        self.inventory[item] += count
        return f"Got {count} {item}"

    def _craft(self, output: str, using: str) -> str:
        inputs: list[tuple[str, int]] = []
        for part in using.split(", "):
            count, _, name = part.partition(" ")
            if not count.isdigit():
                return f"Wrong item format: {part}"
            inputs.append((name, int(count)))
        made, _, item = output.partition(" ")
        identifier = "minecraft:" + item.replace(" ", "_")
        if any(self.inventory[name] < count for name, count in inputs):
            return f"Could not find enough items to craft {identifier}"
        for recipe in self.world.recipes:
            if recipe.output == item and _covers(recipe.inputs, inputs):
                self.inventory.subtract(dict(inputs))
                self.inventory[item] += recipe.count
                return f"Crafted {recipe.count} {identifier}"
        stack = f"ItemTagWithCount(item_tag=ItemTag(tag=None, item_id='{identifier}'), count={made})"
        return f"Could not find a valid recipe for {stack}"


def _covers(wanted: Sequence[tuple[str, int]], given: Sequence[tuple[str, int]]) -> bool:
    left = list(given)
    for name, count in wanted:
        fits = [g for g in left if g[1] == count and (g[0] == name or (name in GENERICS and g[0].endswith(" " + name)))]
        if not fits:
            return False
        left.remove(fits[0])
    return not left


def renamed(world: World, words: Sequence[str], rng: random.Random) -> World:
    """The same world with its item words replaced by others of ``words``, one for one; generic names stay."""
    old = sorted({word for item in world.items() for word in item.split()} - set(GENERICS))
    names = dict(zip(old, rng.sample([word for word in words if word not in GENERICS], len(old)), strict=True))

    def rename(item: str) -> str:
        return " ".join(names.get(word, word) for word in item.split())

    recipes = tuple(
        replace(recipe, output=rename(recipe.output), inputs=tuple((rename(n), c) for n, c in recipe.inputs))
        for recipe in world.recipes
    )
    return World(rename(world.goal), recipes)


def redrawn(world: World, others: Sequence[Recipe], rng: random.Random, most: int = 10) -> World:
    """The same goal with other recipes beside it that do not lead to it, and the lines in another order."""
    tree = list(world.tree())
    made = {recipe.output for recipe in tree}
    used = {name for recipe in tree for name, _ in recipe.inputs}
    own = [recipe for recipe in world.recipes if recipe not in tree]
    pool = own + rng.sample(list(others), min(len(others), most))
    strangers = [r for r in pool if r.output not in used | made and not any(r.output.endswith(" " + g) for g in used)]
    lines = list(dict.fromkeys(tree + rng.sample(strangers, min(len(strangers), rng.randint(0, most)))))
    rng.shuffle(lines)
    return World(world.goal, tuple(lines))


_NEEDS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 9)
_YIELDS = (1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 6, 6, 8, 16)


def invented(words: Words, rng: random.Random, depth: int, most: int = 10) -> World:
    """A world with a recipe tree of ``depth`` levels; names share words, as real ones do."""
    names = _Names(words, rng)
    goal = names.fresh()
    recipes = _grow(goal, depth, names, rng)
    inside = [name for recipe in recipes for name, _ in recipe.inputs if name not in GENERICS]
    for _ in range(rng.randint(0, most)):
        inputs = {rng.choice(inside)} | {names.fresh() for _ in range(rng.choice((0, 0, 1, 1, 2)))}
        recipes.append(Recipe(names.fresh(), rng.choice(_YIELDS), _counted(sorted(inputs), rng)))
    rng.shuffle(recipes)
    return World(goal, tuple(recipes))


def _grow(item: str, depth: int, names: _Names, rng: random.Random) -> list[Recipe]:
    inputs = [names.fresh() for _ in range(rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4)))]
    generic = names.generic() if depth > 1 and rng.random() < 0.35 else None
    if generic:
        inputs[0] = generic
    recipes = [Recipe(item, rng.choice(_YIELDS), _counted(inputs, rng))]
    for position, name in enumerate(inputs):
        if depth > 1 and (position == 0 or rng.random() < 0.3):
            for _ in range(1 if rng.random() < 0.8 else 2):
                made = f"{names.word()} {generic}" if name == generic else name
                recipes += _grow(made, depth - 1 if position == 0 else rng.randint(1, depth - 1), names, rng)
    rng.shuffle(inputs)
    return recipes


def _counted(inputs: Sequence[str], rng: random.Random) -> tuple[tuple[str, int], ...]:
    order = rng.sample(list(inputs), len(inputs))
    return tuple((name, rng.choice(_NEEDS)) for name in order)


class Words:
    """Words to make names of, by how often each is drawn.

    ``rarity`` 0: all as often. Else word by word 10 to the power of ``-rarity * u``, u from 0 to 1 by chance: with 3,
    some are a thousand times as frequent as others.
    """

    def __init__(self, words: Sequence[str], rarity: float = 0.0, seed: int = 0) -> None:
        rng = random.Random(seed)
        self.all = tuple(word for word in words if word not in GENERICS)
        self._sums = list(accumulate(10.0 ** (-rarity * rng.random()) for _ in self.all))

    def draw(self, rng: random.Random) -> str:
        """One word."""
        return rng.choices(self.all, cum_weights=self._sums)[0]


class _Names:
    """Item names of one to three words, never the same twice, often with a word of an earlier name."""

    def __init__(self, words: Words, rng: random.Random) -> None:
        self._words, self._rng = words, rng
        self._given: dict[str, None] = {}
        self._shared: list[str] = []
        self._generics = list(GENERICS)

    def generic(self) -> str | None:
        """A generic name, each at most once in a world (a second use could need itself)."""
        return self._generics.pop(self._rng.randrange(len(self._generics))) if self._generics else None

    def word(self) -> str:
        """A word, often one that an earlier name has."""
        if self._shared and self._rng.random() < 0.35:
            return self._rng.choice(self._shared)
        self._shared.append(self._words.draw(self._rng))
        return self._shared[-1]

    def fresh(self) -> str:
        """A new name."""
        while True:
            name = " ".join(self.word() for _ in range(self._rng.choice((1, 1, 2, 2, 2, 2, 3, 3, 4))))
            if name not in self._given and len(set(name.split())) == len(name.split()):
                self._given[name] = None
                return name


def crafts(wanted: int, recipe: Recipe) -> int:
    """How often ``recipe`` must be used to have ``wanted`` of its output."""
    return math.ceil(wanted / recipe.count)
