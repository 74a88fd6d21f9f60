"""Strict rules (``rules=strict``): the same game with errors that say what was wrong.

Upper and lower case and extra spaces do not matter; an action is matched as a whole; the number asked for in
``craft`` must be the recipe's (it may be left out); the inventory is listed by name, so its order is no state.
"""

from __future__ import annotations

import re

from agentr_textcraft.recipes import RecipeBook, text_of
from agentr_textcraft.rules import MAX_DIGITS, Inventory, Outcome, Rules, add, match, remove

_CRAFT = re.compile(r"craft (?:([0-9]+) )?(.+?) using (.+)")
_GET = re.compile(r"get (?:([0-9]+) )?(.+)")
_COUNTED = re.compile(r"([0-9]+) (.+)")
_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
_MAX_ECHO = 60

Inputs = list[tuple[int, str]]


class _Refused(Exception):
    """The action is refused; the message is shown to the agent."""


def act(book: RecipeBook, inventory: Inventory, action: str) -> Outcome:
    """Do one action by the strict rules; never raises."""
    text = " ".join(action.split()).lower()
    try:
        if _LONG_NUMBER.search(text):
            raise _Refused("That number is too long.")
        if found := _CRAFT.fullmatch(text):
            return _craft(book, inventory, found[1], found[2], found[3])
        if found := _GET.fullmatch(text):
            return _get(book, inventory, found[1], found[2])
        if text == "inventory":
            return Outcome(_listing(inventory))
        raise _Refused(
            f"'{_short(text)}' is not an action. Use 'get N item', 'craft N item using N item, N item' or 'inventory'."
        )
    except _Refused as refusal:
        return Outcome(str(refusal), invalid=True)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_ECHO else text[: _MAX_ECHO - 3] + "..."


def _listing(inventory: Inventory) -> str:
    held = sorted((text_of(item), count) for item, count in inventory.items())
    return f"You carry {', '.join(f'{count} {name}' for name, count in held) or 'nothing'}."


def _get(book: RecipeBook, inventory: Inventory, number: str | None, name: str) -> Outcome:
    item = _item(book, name)
    if not book.fetchable(item):
        raise _Refused(f"You cannot get {name}: it has to be crafted.")
    if number is None or int(number) == 0:
        raise _Refused(f"Say how many to get, at least 1, as in 'get 2 {name}'.")
    add(inventory, item, int(number))
    return Outcome(f"You got {int(number)} {name}.")


def _craft(book: RecipeBook, inventory: Inventory, number: str | None, name: str, listed: str) -> Outcome:
    output = _item(book, name)
    if not book.craftable(output):
        raise _Refused(f"{name} cannot be crafted: fetch it with 'get 1 {name}'.")
    inputs = _inputs(book, listed)
    recipe = match(book, output, inputs)
    if recipe is None:
        raise _Refused(_no_recipe(book, output, inputs))
    if number is not None and int(number) != recipe.count:
        raise _Refused(f"This recipe makes {recipe.count} {name}, not {int(number)}.")
    for count, item in inputs:
        if inventory.get(item, 0) < count:
            raise _Refused(f"You need {count} {text_of(item)} but have {inventory.get(item, 0)}.")
    remove(inventory, inputs)
    add(inventory, output, recipe.count)
    return Outcome(f"You crafted {recipe.count} {name}.", made=output)


def _item(book: RecipeBook, name: str) -> str:
    item = book.id_of(name)
    if item in book.generic:
        such = next(iter(book.members(item)), None)
        hint = f", such as {text_of(such)}" if such else ""
        raise _Refused(f"'{name}' stands for several items: name one of them{hint}.")
    if item not in book.items:
        raise _Refused(f"There is no item called '{_short(name)}'.")
    return item


def _inputs(book: RecipeBook, listed: str) -> Inputs:
    inputs: Inputs = []
    for piece in listed.split(","):
        found = _COUNTED.fullmatch(piece.strip())
        if not found:
            raise _Refused(f"'{_short(piece.strip())}' is no ingredient: write a number and an item, as in '2 stick'.")
        inputs.append((int(found[1]), _item(book, found[2])))
    names = [item for _, item in inputs]
    twice = next((item for item in names if names.count(item) > 1), None)
    if twice:
        raise _Refused(f"{text_of(twice)} is named twice: give each ingredient once, with its whole number.")
    return inputs


def _no_recipe(book: RecipeBook, output: str, inputs: Inputs) -> str:
    """Say whether the ingredients or only their numbers are wrong."""
    for recipe in book.recipes[output]:
        counts = [next((slot.count for slot in recipe.inputs if book.fits(item, slot)), 0) for _, item in inputs]
        if len(inputs) == len(recipe.inputs) and all(counts):
            right = ", ".join(f"{count} {text_of(item)}" for count, (_, item) in zip(counts, inputs, strict=True))
            return f"The numbers are wrong: {text_of(output)} takes {right}."
    return f"No recipe makes {text_of(output)} from these ingredients."


STRICT = Rules(
    act,
    ordered=False,
    notes="The numbers in a craft command must be exactly those of the recipe; capital letters do not matter.",
)
