"""The oracle: finds the goal's product by searching for what the instruction says, chooses its options and buys it.

Its target is the most that the goal's own product can bring (``max_reward``; for most goals 1). The distance also sees
other products that bring as much, where they are on the page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from agentr_webshop.goals import Goal
from agentr_webshop.pages import BUY, NEXT, PAGE_SIZE
from agentr_webshop.reward import Scorer
from agentr_webshop.shop import Shop, State

_UNSEARCHABLE = re.compile(r"[\[\]\s]+")


def searches(goal: Goal) -> tuple[str, ...]:
    """What an agent would search for: the wish with the values of its options, the wish, its attributes."""
    values = [option if isinstance(option, str) else option[1] for option in goal.options]
    texts = (" ".join([goal.wish, *values]), goal.wish, " ".join(goal.attributes))
    return tuple(dict.fromkeys(query for text in texts if (query := _searchable(text))))


def _searchable(text: str) -> str:
    """``text`` as it passes through the action grammar unchanged."""
    return _UNSEARCHABLE.sub(" ", text.removeprefix("Find me ").lower()).strip()


class Oracle:
    """Plans and distances in one shop; remembers which search finds each goal's product."""

    def __init__(self, shop: Shop, scorer: Scorer, goals: Sequence[Goal]) -> None:
        self._shop, self._scorer, self._goals = shop, scorer, goals
        self._found = lru_cache(maxsize=1 << 16)(self._find)

    def plan(self, number: int) -> tuple[str, ...] | None:
        """The actions from the start of goal ``number`` to its best reward; None where no search finds its product."""
        goal = self._goals[number]
        found = self._found(number)
        if found is None:
            return None
        words, page = found
        texts = [NEXT] * page + [self._shop.catalogue.products[goal.position].asin.lower()]
        texts += [value for _, value in self._scorer.clicks(goal.position, {}, goal)] + [BUY]
        return (f"search[{words}]", *(f"click[{text}]" for text in texts))

    def distance(self, state: State) -> float:
        """The number of actions from ``state`` to the goal's best reward; infinite after a worse purchase."""
        goal = self._goals[state.goal]
        if state.page == "done":
            return 0.0 if state.reward >= self._scorer.most(goal) else math.inf
        afresh = self._afresh(state.goal)
        if state.page == "index":
            return afresh
        afresh += 0 if self._shop.rules.everywhere else 1
        if state.page == "results":
            return min(afresh, self._from_results(state, goal))
        back = 1 + self._from_results(state._replace(page="results"), goal)
        own = self._rest(state.product, goal, state.options) + (1 if state.page == "sub" else 0)
        return min(afresh, own, back + (1 if state.page == "sub" else 0))

    def _afresh(self, number: int) -> float:
        """Steps from the start page."""
        found = self._found(number)
        goal = self._goals[number]
        return math.inf if found is None else 2 + found[1] + self._rest(goal.position, goal)

    def _from_results(self, state: State, goal: Goal) -> float:
        """Steps to buy the goal's product, if these results have it, or one of the products shown."""
        hits = self._shop.hits(state.words)
        turns = abs(hits.index(goal.position) // PAGE_SIZE - (state.number - 1)) if goal.position in hits else math.inf
        shown = [self._rest(hit, goal) for hit in self._shop.shown(state)]
        return 1 + min([turns + self._rest(goal.position, goal), *shown])

    def _rest(self, position: int, goal: Goal, options: tuple[tuple[str, str], ...] = ()) -> float:
        """Steps on a product's page to the goal's best reward: options to click, and the purchase."""
        if not self._scorer.reaches(position, goal):
            return math.inf
        return len(self._scorer.clicks(position, dict(options), goal)) + 1

    def _find(self, number: int) -> tuple[str, int] | None:
        """The search that needs the fewest page turns, and how many; the product's title where no other finds it."""
        goal = self._goals[number]
        title = _searchable(self._shop.catalogue.products[goal.position].title)
        for queries in (searches(goal), (title,)):
            pages = {words: self._page(words, goal.position) for words in queries}
            best = min(pages, key=pages.__getitem__)
            if pages[best] < math.inf:
                return best, int(pages[best])
        return None

    def _page(self, words: str, position: int) -> float:
        """How many page turns after searching ``words`` the product appears; infinite where it does not."""
        hits = self._shop.hits(words) if self._shop.rules.readable("search", words) else ()
        return hits.index(position) // PAGE_SIZE if position in hits else math.inf
