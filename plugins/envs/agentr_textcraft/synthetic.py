"""A generated world: made-up materials and parts, as deep as asked, that needs nothing installed.

The recipes come out in the form of Minecraft's files and are built by the same code. Each level's items take one item
of the level below, so level k has depth k; the other ingredients lie anywhere further down. From level 2 on some
ingredients are generic: any member of a group of three items of the level below.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from agentr_core import derive_rng
from agentr_textcraft.recipes import RecipeBook

NAMESPACE = "synthetic:"
RAW_ITEMS = 24
ITEMS_PER_LEVEL = 18
GROUP_SIZE = 3

_STARTS = ("bal", "cor", "dren", "esk", "fal", "gor", "hul", "ivel", "jor", "kel", "lum", "mor", "nar", "oss", "pel",
           "quil", "ral", "sil", "tor", "ul", "vek", "wen", "yar", "zol")  # fmt: skip
_ENDS = ("a", "ane", "eth", "ic", "il", "ium", "or", "une")
_RAW_FORMS = ("ore", "sand", "fibre", "resin", "root", "shell", "crystal", "clay")
_FORMS = ("plate", "rod", "gear", "coil", "lens", "frame", "wire", "tube", "disc", "lamp", "valve", "engine", "blade",
          "bowl", "loom", "clock")  # fmt: skip


def synthetic_book(seed: int, depth: int) -> RecipeBook:
    """The world of ``seed`` with goals of every depth from 1 to ``depth``."""
    return RecipeBook.build(_recipes(derive_rng(seed, "textcraft", "synthetic"), depth))


def _recipes(rng: random.Random, depth: int) -> list[tuple[str, dict[str, Any]]]:
    names = _names(rng, RAW_ITEMS, _RAW_FORMS, taken=set())
    taken, levels = set(names), [names]
    recipes: list[tuple[str, dict[str, Any]]] = []
    for level in range(1, depth + 1):
        made = _names(rng, ITEMS_PER_LEVEL, _FORMS, taken)
        taken |= set(made)
        grouped = made[:GROUP_SIZE]
        for item in made:
            entry = _recipe(rng, levels, item)
            if item in grouped:
                entry["group"] = f"any_level_{level}_part"
            recipes.append((item, entry))
        levels.append(made)
    return recipes


def _recipe(rng: random.Random, levels: list[list[str]], item: str) -> dict[str, Any]:
    """One shapeless recipe: a main ingredient of the level below and up to two others."""
    below = len(levels) - 1
    main = _pick(rng, levels[below])
    generic = below >= 1 and rng.random() < 0.25
    first = {"tag": f"{NAMESPACE}any_level_{below}_part"} if generic else {"item": NAMESPACE + main}
    others: dict[str, None] = {}
    for _ in range(_below(rng, 3)):
        # Mostly raw items: with two deep ingredients a craft, plans would double with every level.
        source = levels[0] if rng.random() < 0.75 else levels[_below(rng, below + 1)]
        others.setdefault(_pick(rng, source))
    others.pop(main, None)
    if generic:
        for member in levels[below][:GROUP_SIZE]:
            others.pop(member, None)
    ingredients = [first] * (2 if rng.random() < 0.25 else 1)
    for name in others:
        ingredients += [{"item": NAMESPACE + name}] * (1 + _below(rng, 3))
    result = {"item": NAMESPACE + item, "count": (1, 1, 1, 2, 4)[_below(rng, 5)]}
    return {"type": "crafting_shapeless", "ingredients": ingredients, "result": result}


def _names(rng: random.Random, count: int, forms: Sequence[str], taken: set[str]) -> list[str]:
    """``count`` new names such as ``velune_gear``."""
    names: dict[str, None] = {}
    while len(names) < count:
        name = f"{_pick(rng, _STARTS)}{_pick(rng, _ENDS)}_{_pick(rng, forms)}"
        if name not in taken:
            names.setdefault(name)
    return list(names)


def _below(rng: random.Random, bound: int) -> int:
    """A number below ``bound``; of a generator's methods only ``random`` is the same in every version of Python."""
    return int(rng.random() * bound)


def _pick(rng: random.Random, options: Sequence[str]) -> str:
    return options[_below(rng, len(options))]
