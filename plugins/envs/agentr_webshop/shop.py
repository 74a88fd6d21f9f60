"""The shop as a state machine: immutable states, and pure functions from a state and an action to the next state.

index --search--> results --product--> item --option--> item --buy now--> done; an item's buttons lead to its sub pages.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from agentr_webshop.actions import Action, read_original, read_strict
from agentr_webshop.goals import Goal
from agentr_webshop.pages import ATTRIBUTES, BACK, BUY, NEXT, PAGE_SIZE, PREV, SUB_PAGES, Mode, Pages
from agentr_webshop.product import Catalogue

Page = Literal["index", "results", "item", "sub", "done"]
NOWHERE = -1
#: Results of this many searches are kept, except of searches longer than an agent's action may be.
KEPT_SEARCHES, KEPT_LENGTH = 4096, 2_000
_SHOWN = 60


class State(NamedTuple):
    """All there is of a session. What a page does not use is empty, so equal pages are equal states.

    ``goal``: its id. ``words``, ``number``: the last search and the page of its results, from 1. ``product``: position
    in the catalogue. ``options``: (group, value) sorted by group. ``sub``: which sub page. ``visited``: products seen
    since the start page (``text_rich`` shows them). ``steps``: actions done. ``reward``: of the purchase.
    """

    goal: int
    page: Page = "index"
    words: str = ""
    number: int = 0
    product: int = NOWHERE
    options: tuple[tuple[str, str], ...] = ()
    sub: str = ""
    visited: frozenset[int] = frozenset()
    steps: int = 0
    reward: float = 0.0


class Move(NamedTuple):
    """What an action brings; ``refusal`` says why it was refused (None: it was done)."""

    state: State
    refusal: str | None = None


class Searchable(Protocol):
    """What finds products."""

    def search(self, words: str, k: int = 50) -> tuple[int, ...]:
        """Positions of the best ``k`` products, best first."""


@dataclass(frozen=True)
class Rules:
    """How an action is read, and what is refused. ``everywhere``: a search is taken on every page, and the pages of
    results never end; ``explained``: a refusal is a sentence, shown above the page."""

    read: Callable[[str], Action]
    everywhere: bool
    explained: bool

    def readable(self, name: str, argument: str) -> bool:
        """True where the grammar gives back what is written with it."""
        return self.read(f"{name}[{argument}]") == (name, argument)


RULES = {"original": Rules(read_original, True, False), "strict": Rules(read_strict, False, True)}


class Shelf(NamedTuple):
    """An item page's clickables in order, the group each option value belongs to (a later group wins), and by group
    the values that an action can choose."""

    clickables: tuple[str, ...]
    groups: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]


class Shop:
    """One catalogue behind a search engine, in one mode and under one set of rules; shared by all sessions."""

    def __init__(
        self, catalogue: Catalogue, engine: Searchable, rules: Rules, mode: Mode, *, show_attrs: bool = False
    ) -> None:
        self.catalogue, self.rules = catalogue, rules
        self.pages = Pages(catalogue, mode, show_attrs=show_attrs, last_page=not rules.everywhere)
        self._engine, self._keeps_visited = engine, mode == "text_rich"
        self._buttons = (BACK, PREV, *(SUB_PAGES if show_attrs else SUB_PAGES[: SUB_PAGES.index(ATTRIBUTES)]), BUY)
        self._links = {product.asin.lower(): position for position, product in enumerate(catalogue.products)}
        self._kept_hits = lru_cache(maxsize=KEPT_SEARCHES)(engine.search)
        self._shelves: dict[int, Shelf] = {}

    def hits(self, words: str) -> tuple[int, ...]:
        """Positions of the products found, best first."""
        return self._kept_hits(words) if len(words) <= KEPT_LENGTH else self._engine.search(words)

    def shown(self, state: State) -> Sequence[int]:
        """Positions of the products on a page of results."""
        return self.hits(state.words)[(state.number - 1) * PAGE_SIZE : state.number * PAGE_SIZE]

    def choices(self, position: int) -> Mapping[str, Sequence[str]]:
        """The values of each group of a product that can be clicked: not those that a later group or a button hides,
        nor, under the original's grammar, those with a bracket."""
        return self._shelf(position).choices

    def clickables(self, state: State) -> tuple[str, ...]:
        """What can be clicked, in the original's order. It lists ``search`` on the start page, which does nothing."""
        if state.page == "index":
            return ("search",)
        if state.page == "results":
            turn = ([PREV] if state.number > 1 else []) + ([NEXT] if self._has_next(state) else [])
            return (BACK, *turn, *(self.catalogue.products[hit].asin.lower() for hit in self.shown(state)))
        if state.page == "item":
            return self._shelf(state.product).clickables
        return (BACK, PREV) if state.page == "sub" else ()

    def observe(self, state: State, goal: Goal) -> str:
        """The text of the state's page."""
        pages, text = self.pages, goal.instruction
        if state.page == "index":
            return pages.index(text)
        if state.page == "results":
            total = len(self.hits(state.words))
            return pages.results(text, self.shown(state), state.number, total, state.visited)
        if state.page == "item":
            return pages.item(text, state.product, dict(state.options), state.words)
        if state.page == "sub":
            return pages.sub(text, state.product, state.sub)
        return pages.done(state.product, dict(state.options), state.reward)

    def act(self, state: State, text: str) -> Move:
        """Do the action ``text``. A purchase leads to ``done`` with reward 0: the caller knows the goal."""
        action = self.rules.read(text)
        argument = action.argument
        if action.name == "search" and argument:
            if self.rules.everywhere or state.page == "index":
                return Move(State(state.goal, "results", argument, 1, visited=state.visited, steps=state.steps + 1))
        elif action.name == "click" and argument:
            onward = self._click(state, argument)
            if onward is not None:
                return Move(onward)
        refusal = self._explain(state, action) if self.rules.explained else ""
        return Move(state._replace(steps=state.steps + 1), refusal)

    def _click(self, state: State, text: str) -> State | None:
        """The state after clicking ``text``; None where there is no such thing to click."""
        steps = state.steps + 1
        if state.page == "index":
            return None
        if text == BACK:
            return State(state.goal, steps=steps)
        if state.page == "results":
            return self._click_results(state, text, steps)
        if state.page == "item" and text in self._shelf(state.product).clickables:
            return self._click_item(state, text, steps)
        if state.page == "sub" and text == PREV:
            return state._replace(page="item", sub="", steps=steps)
        return None

    def _click_results(self, state: State, text: str, steps: int) -> State | None:
        if text == NEXT and self._has_next(state):
            return state._replace(number=state.number + 1, steps=steps)
        if text == PREV and state.number > 1:
            return state._replace(number=state.number - 1, steps=steps)
        position = self._links.get(text, NOWHERE)
        if position not in self.shown(state):
            return None
        visited = state.visited | {position} if self._keeps_visited else state.visited
        return State(state.goal, "item", state.words, state.number, position, visited=visited, steps=steps)

    def _click_item(self, state: State, text: str, steps: int) -> State:
        """``text`` is one of the item page's clickables."""
        if text == PREV:
            return State(state.goal, "results", state.words, state.number, visited=state.visited, steps=steps)
        if text == BUY:
            return State(state.goal, "done", product=state.product, options=state.options, steps=steps)
        if text in SUB_PAGES:
            return state._replace(page="sub", sub=text, steps=steps)
        chosen = {**dict(state.options), self._shelf(state.product).groups[text]: text}
        return state._replace(options=tuple(sorted(chosen.items())), steps=steps)

    def _has_next(self, state: State) -> bool:
        return self.pages.has_next(state.number, len(self.hits(state.words)))

    def _shelf(self, position: int) -> Shelf:
        shelf = self._shelves.get(position)
        if shelf is None:
            options = self.catalogue.products[position].options
            names = dict.fromkeys((*self._buttons, *(value for values in options.values() for value in values)))
            groups = {value: group for group, values in options.items() for value in values}
            for taken in (BACK, PREV, BUY, *SUB_PAGES):  # the original acts on these names first
                groups.pop(taken, None)
            choices = {
                group: tuple(value for value in values if groups.get(value) == group and self._clickable(value))
                for group, values in options.items()
            }
            shelf = self._shelves[position] = Shelf(tuple(names), groups, choices)
        return shelf

    def _clickable(self, value: str) -> bool:
        return self.rules.readable("click", value)

    def _explain(self, state: State, action: Action) -> str:
        """What was wrong with an action, for the agent (strict rules)."""
        if action.name not in ("search", "click") or action.argument is None:
            return f"'{_short(action.name)}' is not an action. Write search[words] or click[text on the page]."
        if action.name == "search":
            if not action.argument:
                return "There is nothing to search for. Write words between the brackets: search[words]."
            return f"There is no search bar on this page. To search again, first do click[{BACK}]."
        if not action.argument:
            return "There is nothing to click. Write a text of this page between the brackets: click[text]."
        near = difflib.get_close_matches(action.argument[:200], self.clickables(state)[:200], n=1)
        hint = f" Did you mean click[{near[0]}]?" if near and near[0] != "search" else ""
        return f"There is no '{_short(action.argument)}' to click on this page.{hint}"


def _short(text: str) -> str:
    """At most 60 signs, all of them printable."""
    cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return "".join(sign if sign.isprintable() else " " for sign in cut).strip()
