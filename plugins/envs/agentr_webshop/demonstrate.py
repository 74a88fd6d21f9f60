"""The oracle: searches for what the instruction says, opens a product that fits, chooses its options and buys it.

Its target is the most that the goal's own product can bring (``max_reward``; for most goals 1). Any product that brings
as much will do; of the shortest ways it takes one to the goal's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

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


class Offer(NamedTuple):
    """A product among the results of a search that brings the goal's best reward.

    ``page``: where it is listed, from 0. ``rest``: actions on its own page, the purchase included.
    """

    page: int
    rest: int
    position: int


class Oracle:
    """Plans and distances in one shop; remembers what the searches for each goal bring."""

    def __init__(self, shop: Shop, scorer: Scorer, goals: Sequence[Goal]) -> None:
        self._shop, self._scorer, self._goals = shop, scorer, goals
        self._found = lru_cache(maxsize=1 << 16)(self._find)
        self._offers = lru_cache(maxsize=1 << 12)(self._list_offers)

    def plan(self, number: int) -> tuple[str, ...] | None:
        """The actions from the start of goal ``number`` to its best reward; None where no search finds a way."""
        found = self._found(number)
        if found is None:
            return None
        words, offer = found
        texts = [NEXT] * offer.page + [self._shop.catalogue.products[offer.position].asin.lower()]
        texts += [value for _, value in self._scorer.clicks(offer.position, {}, self._goals[number])] + [BUY]
        return (f"search[{words}]", *(f"click[{text}]" for text in texts))

    def distance(self, state: State) -> float:
        """The number of actions from ``state`` to the goal's best reward; infinite after a worse purchase.

        Each action of :meth:`plan` lowers it by one. Of all possible searches only the oracle's own count.
        """
        goal = self._goals[state.goal]
        if state.page == "done":
            return 0.0 if state.reward >= self._scorer.most(goal) else math.inf
        if state.page == "index":
            return self._afresh(state.goal)
        to_search = 0 if self._shop.rules.everywhere else 1
        afresh = to_search + self._afresh(state.goal)
        results = self._from_results(state.words, state.number, state.goal)
        if state.page == "results":
            return min(afresh, results)
        here = min(1 + results, self._rest(state.product, goal, state.options))
        return min(afresh, here + (1 if state.page == "sub" else 0))

    def _afresh(self, number: int) -> float:
        """Steps from the start page."""
        found = self._found(number)
        return math.inf if found is None else 2 + found[1].page + found[1].rest

    def _from_results(self, words: str, page: int, number: int) -> float:
        """Steps from a page of results, counted from 1: turn pages, open a product and buy it."""
        ways = (abs(offer.page - (page - 1)) + offer.rest for offer in self._offers(words, number))
        return 1 + min(ways, default=math.inf)

    def _rest(self, position: int, goal: Goal, options: tuple[tuple[str, str], ...] = ()) -> float:
        """Steps on a product's page to the goal's best reward: options to click, and the purchase."""
        if not self._scorer.reaches(position, goal):
            return math.inf
        return len(self._scorer.clicks(position, dict(options), goal)) + 1

    def _find(self, number: int) -> tuple[str, Offer] | None:
        """The search and the product with the shortest way; the product's title where no other search finds any."""
        goal = self._goals[number]
        title = _searchable(self._shop.catalogue.products[goal.position].title)
        for queries in (searches(goal), (title,)):
            ways = [(words, offer) for words in queries for offer in self._offers(words, number)]
            if ways:
                return min(ways, key=lambda way: (way[1].page + way[1].rest, way[1].position != goal.position))
        return None

    def _list_offers(self, words: str, number: int) -> tuple[Offer, ...]:
        """The products found by ``words`` that bring the best reward of goal ``number``."""
        goal = self._goals[number]
        hits = self._shop.hits(words) if self._shop.rules.readable("search", words) else ()
        rests = [(rank // PAGE_SIZE, self._rest(hit, goal), hit) for rank, hit in enumerate(hits)]
        return tuple(Offer(page, int(rest), hit) for page, rest, hit in rests if rest < math.inf)
