"""The oracle: a short plan from any inventory to the goal, and its length.

A plan settles on one way of making each item (a recipe, with a member chosen for each generic ingredient). Given the
ways, the steps follow: going down from the goal, each craft asks for ingredients, what the inventory holds is set off,
and the rest is crafted or fetched, all that is missing of a fetched item in one ``get``. Of all such plans the planner
takes one with the fewest steps (making one item in two ways at once might sometimes save a step; it never does so).

The length of a plan is the distance: a step of the plan lowers it by one, and what helps nobody does not lower it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product
from operator import or_

from agentr_textcraft.recipes import Recipe, RecipeBook, command, text_of

#: The most ways of filling one recipe's generic ingredients that are looked at.
MAX_WAYS = 256
#: More than any number of steps or items.
UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class Way:
    """One way of making an item: ``recipe``, with item ``inputs[k]`` = (position, count) for its k-th ingredient."""

    recipe: Recipe
    inputs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that can play a part in making a goal: ``items`` with the goal first and ingredients after what needs them,
    and the ``ways`` of making each (none for what is fetched). ``most``: the most of each that one step gives."""

    items: tuple[str, ...]
    ways: tuple[tuple[Way, ...], ...]
    most: tuple[int, ...]


#: The chosen way of each item that is missing (None: fetched) and how often it is done (fetched: how many).
Choice = dict[int, tuple[Way | None, int]]


class Planner:
    """Plans over one recipe book; results are remembered."""

    def __init__(self, book: RecipeBook) -> None:
        self.book = book
        self._chart_of = lru_cache(maxsize=None)(self._draw)
        self._best = lru_cache(maxsize=16_384)(self._search)

    def plan(self, goal: str, inventory: Mapping[str, int]) -> tuple[str, ...] | None:
        """The actions from ``inventory`` to the item ``goal``; None where no recipes lead there."""
        steps = self._solve(goal, inventory)
        return None if steps is None else _actions(self._chart_of(goal), steps)

    def distance(self, goal: str, inventory: Mapping[str, int]) -> int | None:
        """The number of actions :meth:`plan` gives."""
        steps = self._solve(goal, inventory)
        return None if steps is None else _length(steps)

    def _solve(self, goal: str, inventory: Mapping[str, int]) -> Choice | None:
        return self._best(goal, tuple(inventory.get(item, 0) for item in self._chart_of(goal).items))

    def _draw(self, goal: str) -> Chart:
        """Order the items below ``goal`` so that ingredients come after what they go into."""
        order: list[str] = []
        ways: dict[str, list[tuple[Recipe, tuple[str, ...]]]] = {}
        open_: set[str] = set()

        def visit(item: str) -> bool:
            """False where ``item`` is being visited: a recipe that needs what it makes is left out."""
            if item in open_ or item in ways:
                return item not in open_
            open_.add(item)
            found = [
                (recipe, chosen)
                for recipe in self.book.recipes.get(item, ())
                for chosen in self._fillings(recipe)
                if all(visit(name) for name in chosen)
            ]
            open_.discard(item)
            ways[item] = found
            order.append(item)
            return True

        visit(goal)
        order.reverse()
        place = {item: position for position, item in enumerate(order)}
        made = tuple(tuple(_way(place, *way) for way in ways[item]) for item in order)
        most = tuple(max((way.recipe.count for way in found), default=UNBOUNDED) for found in made)
        return Chart(tuple(order), made, most)

    def _fillings(self, recipe: Recipe) -> list[tuple[str, ...]]:
        """The items that may fill the recipe's ingredients, no item twice."""
        options = [self.book.members(item.name) if item.generic else (item.name,) for item in recipe.inputs]
        fillings = (chosen for chosen in product(*options) if len(set(chosen)) == len(chosen))
        return [chosen for chosen, _ in zip(fillings, range(MAX_WAYS), strict=False)]

    def _search(self, goal: str, have: tuple[int, ...]) -> Choice | None:
        """Branch and bound over the ways, from the goal down."""
        chart = self._chart_of(goal)
        needs = _needs(chart, have)
        best: Choice | None = None
        least = UNBOUNDED

        def descend(position: int, demand: list[int], cost: int, chosen: Choice) -> None:
            nonlocal best, least
            while position < len(have) and demand[position] <= have[position]:
                position += 1
            if position == len(have):
                best, least = chosen, cost
                return
            missing = demand[position] - have[position]
            item = chart.items[position]
            if not self.book.craftable(item):
                if cost + 1 < least:
                    descend(position + 1, demand, cost + 1, chosen | {position: (None, missing)})
                return
            for way in chart.ways[position]:
                times = -(-missing // way.recipe.count)
                asked = demand.copy()
                for place, count in way.inputs:
                    asked[place] += count * times
                if cost + times + _at_least(chart, needs, asked, have, position + 1) < least:
                    descend(position + 1, asked, cost + times, chosen | {position: (way, times)})

        descend(0, [1] + [0] * (len(have) - 1), 0, {})
        return best


def _needs(chart: Chart, have: tuple[int, ...]) -> list[int]:
    """For each item, as bits, the items that making one of it surely takes a step for, itself included."""
    needs = [0] * len(have)
    for position in reversed(range(len(have))):
        shared = -1
        for way in chart.ways[position]:
            shared &= reduce(or_, (needs[place] for place, _ in way.inputs if not have[place]), 0)
        needs[position] = 1 << position | (shared if chart.ways[position] else 0)
    return needs


def _at_least(chart: Chart, needs: list[int], demand: list[int], have: tuple[int, ...], start: int) -> int:
    """No plan does what is missing from position ``start`` on in fewer steps than this."""
    items = again = 0
    for position in range(start, len(have)):
        missing = demand[position] - have[position]
        if missing > 0:
            items |= needs[position]
            again += -(-missing // chart.most[position]) - 1
    return items.bit_count() + again


def _way(place: Mapping[str, int], recipe: Recipe, chosen: tuple[str, ...]) -> Way:
    return Way(recipe, tuple((place[item], slot.count) for item, slot in zip(chosen, recipe.inputs, strict=True)))


def _length(steps: Choice) -> int:
    return sum(times if way else 1 for way, times in steps.values())


def _actions(chart: Chart, steps: Choice) -> tuple[str, ...]:
    """The steps as actions: each thing is made ready just before the first craft that takes it."""
    actions: list[str] = []
    done: set[int] = set()

    def make(position: int) -> None:
        if position in done or position not in steps:
            return
        done.add(position)
        way, times = steps[position]
        if way is None:
            actions.append(f"get {times} {text_of(chart.items[position])}")
            return
        for place, _ in way.inputs:
            make(place)
        line = command(way.recipe.count, way.recipe.output, [(n, chart.items[place]) for place, n in way.inputs])
        actions.extend([line] * times)

    make(0)
    return tuple(actions)
