"""AgentGym's rules, to the byte: ``rules=agentgym``. The other set is in :mod:`agentr_textcraft.strict`.

The quirks are the point, because published trajectories contain them: actions are matched by their beginning, the
number asked for in ``craft`` is ignored, ids and a Python repr appear in texts, the inventory ends in a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentr_textcraft.recipes import Recipe, RecipeBook, text_of

#: What is carried: item id to count, in the order in which the items came (the ``inventory`` text shows it).
Inventory = dict[str, int]


class Outcome(NamedTuple):
    """What an action brought: the ``text`` shown, whether it was refused, and the item ``made`` by crafting."""

    text: str
    invalid: bool = False
    made: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """One set of rules. ``act`` does an action on an inventory, in place; ``ordered``: texts show the order in which
    items came, so that the order is part of the state; ``notes``: what the instructions say of these rules."""

    act: Callable[[RecipeBook, Inventory, str], Outcome]
    ordered: bool
    notes: str


#: Python refuses to read or print longer integers when it is told so (at least 640 digits); AgentGym then fails.
MAX_DIGITS = 600

_CRAFT = re.compile(r"craft (.*) using (.*)")
_GET = re.compile(r"get ([0-9]+) (.*)")
_COUNTED = re.compile(r"([0-9]+) (.*)")
_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")


def act(book: RecipeBook, inventory: Inventory, action: str) -> Outcome:
    """Do one action by AgentGym's rules; never raises."""
    if len(action) > MAX_DIGITS and _LONG_NUMBER.search(action):
        return _refused(f"Could not execute {action}")
    if found := _CRAFT.match(action):
        return _craft(book, inventory, found[1], found[2])
    if found := _GET.match(action):
        return _get(book, inventory, int(found[1]), found[2])
    if action.startswith("inventory"):
        return Outcome("Inventory: " + (_listing(inventory) or "You are not carrying anything."))
    return _refused(f"Could not execute {action}")


def add(inventory: Inventory, item: str, count: int) -> None:
    """Put ``count`` of ``item`` into ``inventory``."""
    inventory[item] = inventory.get(item, 0) + count


def remove(inventory: Inventory, inputs: Sequence[tuple[int, str]]) -> None:
    """Take ``(count, item)`` inputs out of ``inventory``, which holds them; what is used up leaves it."""
    for count, item in inputs:
        inventory[item] -= count
        if inventory[item] == 0:
            del inventory[item]


def _refused(text: str) -> Outcome:
    return Outcome(text, invalid=True)


def _listing(inventory: Inventory) -> str:
    return "".join(f"[{text_of(item)}] ({count}) " for item, count in inventory.items())


def _get(book: RecipeBook, inventory: Inventory, count: int, text: str) -> Outcome:
    item = book.id_of(text)
    if not book.fetchable(item):
        return _refused(f"Could not find {text}")
    add(inventory, item, count)
    return Outcome(f"Got {count} {text}")


def _craft(book: RecipeBook, inventory: Inventory, wanted: str, listed: str) -> Outcome:
    found = _COUNTED.match(wanted)
    asked, output = (int(found[1]), book.id_of(found[2])) if found else (1, book.id_of(wanted))
    inputs = []
    for piece in listed.split(","):
        found = _COUNTED.match(piece.strip())
        if not found:
            return _refused(f"Wrong item format: {piece.strip()}")
        inputs.append((int(found[1]), book.id_of(found[2])))
    generic = output in book.generic
    missing = f"Could not find enough items to craft {None if generic else output}"
    # One by one, as AgentGym looks: an ingredient named twice is found here even if only one of it is carried.
    if any(inventory.get(item, -1) < count for count, item in inputs):
        return _refused(missing)
    recipe = None if generic else match(book, output, inputs)
    if recipe is None:
        tag, item = (output, None) if generic else (None, output)
        shown = f"ItemTagWithCount(item_tag=ItemTag(tag={tag!r}, item_id={item!r}), count={asked})"
        return _refused(f"Could not find a valid recipe for {shown}")
    if not _holds_together(inventory, inputs):
        return _refused(missing)
    remove(inventory, inputs)
    add(inventory, output, recipe.count)
    return Outcome(f"Crafted {recipe.count} {output}", made=output)


def _holds_together(inventory: Inventory, inputs: Sequence[tuple[int, str]]) -> bool:
    """False where an item named twice is there only once: AgentGym breaks then. Minecraft has no such recipe."""
    left = dict(inventory)
    for count, item in inputs:
        left[item] -= count
    return all(left[item] >= 0 for _, item in inputs)


def match(book: RecipeBook, output: str, inputs: Sequence[tuple[int, str]]) -> Recipe | None:
    """The first recipe for ``output`` that takes exactly these ``(count, item)`` inputs."""
    return next((recipe for recipe in book.recipes.get(output, ()) if _takes(book, recipe, inputs)), None)


def _takes(book: RecipeBook, recipe: Recipe, inputs: Sequence[tuple[int, str]]) -> bool:
    """Each ingredient, in turn, takes the first input of its kind, whose count must then be right."""
    left = list(inputs)
    for slot in recipe.inputs:
        first = next((pair for pair in left if book.fits(pair[1], slot)), None)
        if first is None or first[0] != slot.count:
            return False
        left.remove(first)
    return not left


AGENTGYM = Rules(
    act,
    ordered=True,
    notes="Names are written exactly as the commands write them, in small letters and with the very same numbers.",
)
