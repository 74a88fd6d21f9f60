"""The reward of a purchase, and the best one that a product can bring (webshop: ``engine/goal.py``)::

reward = r_type * (attributes matched + options matched + [price <= ceiling]) / (|attributes| + |options| + 1)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from agentr_webshop.goals import Goal
from agentr_webshop.matching import alike, fulfils, words_of
from agentr_webshop.nouns import guess
from agentr_webshop.product import Catalogue, Product

#: What is chosen on an item page: group to value.
Chosen = Mapping[str, str]
#: The groups of a product with the values that can be clicked in each.
Choices = Callable[[int], Mapping[str, Sequence[str]]]


class TypeMatch(NamedTuple):
    """How far a product is of the goal's kind. ``factor`` multiplies the reward: 1, 0.5, 0.1 or 0."""

    factor: float
    query_match: bool
    category_match: bool
    title_score: float


class Reward(NamedTuple):
    """A purchase's reward in [0, 1] and what it is made of: matched ``attributes`` and ``options`` are counts."""

    total: float
    type: TypeMatch
    attributes: int
    options: int
    price: bool

    def parts(self, goal: Goal) -> dict[str, object]:
        """The parts under the original's names, as fractions; ``r_option`` only where the goal has options."""
        found: dict[str, object] = {
            "r_type": self.type.factor,
            "r_att": self.attributes / len(goal.attributes),
            "query_match": self.type.query_match,
            "category_match": self.type.category_match,
            "title_score": self.type.title_score,
            "r_price": self.price,
        }
        return found | ({"r_option": self.options / len(goal.options)} if goal.options else {})


class Best(NamedTuple):
    """The most that a product can bring: the reward, and a smallest choice of options that brings it."""

    reward: float
    options: tuple[tuple[str, str], ...]


def combine(factor: float, matched: int, goal: Goal) -> float:
    """The formula; ``matched`` counts attributes, options and the price. The order of operations is the original's."""
    return matched / (len(goal.attributes) + len(goal.options) + 1) * factor


def type_match(query_match: bool, category_match: bool, bought: Iterable[str], wanted: Sequence[str]) -> TypeMatch:
    """Compare kinds, ``bought`` and ``wanted`` being the nouns of the titles (``get_type_reward``).

    Repeated nouns of the wanted title count in the denominator. Titles that share almost nothing override the matches.
    """
    score = len(set(bought) & set(wanted)) / len(wanted) if wanted else 0.2
    factor = 1.0 if query_match or category_match or score > 0.2 else 0.5
    if score < 0.1:
        factor = 0.0 if score == 0.0 else 0.1
    return TypeMatch(factor, query_match, category_match, score)


@dataclass(frozen=True)
class Facts:
    """What is compared of one product; worked out when it is first asked for."""

    product: Product
    nouns: tuple[str, ...]

    @cached_property
    def categories(self) -> frozenset[str]:
        """The steps of the category path."""
        return frozenset(step.strip() for step in self.product.product_category.split("›"))

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The attributes as they are compared."""
        return tuple(words_of(attribute) for attribute in self.product.attributes)

    @cached_property
    def texts(self) -> tuple[str, str, str]:
        """Title, bullets and description, lower-cased, in which an attribute may stand too."""
        product = self.product
        return product.title.lower(), " ".join(product.bullets).lower(), product.description.lower()

    def has(self, attribute: str) -> bool:
        """True where the product has the attribute or names it in its texts (``get_attribute_reward``)."""
        wanted = words_of(attribute)
        return any(alike(own, wanted) for own in self.attributes) or any(attribute in text for text in self.texts)


class Scorer:
    """Rewards over one catalogue with its prices; everything that repeats is remembered.

    ``choices``: the values that can be clicked, by position of the product. ``best(position, goal)``: the most that a
    product can bring; ``most(goal)``: the most that the goal's own can (``max_reward``).
    """

    def __init__(self, catalogue: Catalogue, prices: Sequence[float], choices: Choices) -> None:
        self._catalogue, self._prices, self._choices = catalogue, prices, choices
        self._facts = lru_cache(maxsize=None)(self._find_facts)
        self._type = lru_cache(maxsize=1 << 16)(self._match_type)
        self._attributes = lru_cache(maxsize=1 << 16)(self._count_attributes)
        self._gains = lru_cache(maxsize=1 << 14)(self._find_gains)
        self.best = lru_cache(maxsize=1 << 16)(self._best)
        self.most = lru_cache(maxsize=1 << 16)(self._most)

    def reward(self, position: int, chosen: Chosen, goal: Goal) -> Reward:
        """What buying the product at ``position`` with the options ``chosen`` brings for ``goal``."""
        options = sum(any(fulfils(value, wanted) for value in chosen.values()) for wanted in goal.options)
        return self._reward(position, options, goal)

    def clicks(self, position: int, chosen: Chosen, goal: Goal) -> tuple[tuple[str, str], ...]:
        """The fewest options to click, after ``chosen``, for the most that this product can bring."""
        ways: dict[int, tuple[tuple[str, str], ...]] = {0: ()}
        for group, gains in self._gains(position, goal):
            kept = _mask(chosen[group], goal) if group in chosen else 0
            onward: dict[int, tuple[tuple[str, str], ...]] = {}
            for mask, way in ways.items():
                _keep_shorter(onward, mask | kept, way)
                for gained, value in gains.items():
                    _keep_shorter(onward, mask | gained, (*way, (group, value)))
            ways = onward
        return ways[max(ways, key=lambda mask: (mask.bit_count(), -len(ways[mask])))]

    def _most(self, goal: Goal) -> float:
        choices, asked = self._choices(goal.position), dict(pair for pair in goal.options if isinstance(pair, tuple))
        if all(value in choices.get(group, ()) for group, value in asked.items()):
            plain = self.reward(goal.position, asked, goal)
            if plain.options == len(goal.options):  # most goals: what is asked for is what brings most
                return plain.total
        return self.best(goal.position, goal).reward

    def reaches(self, position: int, goal: Goal) -> bool:
        """True where the product, rightly chosen, brings as much as the goal's own."""
        most = self.most(goal)
        bound = self._reward(position, len(goal.options), goal).total  # cheap, and too low for nearly all products
        return bound >= most and self.best(position, goal).reward >= most

    def _best(self, position: int, goal: Goal) -> Best:
        options = self.clicks(position, {}, goal)
        return Best(self.reward(position, dict(options), goal).total, options)

    def _find_gains(self, position: int, goal: Goal) -> tuple[tuple[str, Mapping[int, str]], ...]:
        """By group, for each set of goal options that one value fulfils, such a value: the goal's own if it can."""
        found = []
        for group, values in self._choices(position).items():
            own = [value for value in values if (group, value) in goal.options or value in goal.options]
            gains: dict[int, str] = {}
            for value in [*own, *values]:
                gains.setdefault(_mask(value, goal), value)
            gains.pop(0, None)
            found.append((group, gains))
        return tuple(found)

    def _reward(self, position: int, options: int, goal: Goal) -> Reward:
        kind = self._type(position, goal.position)
        attributes = self._attributes(position, goal.attributes)
        price = self._prices[position] <= goal.price_upper
        total = combine(kind.factor, attributes + options + price, goal)
        return Reward(total, kind, attributes, options, price)

    def _match_type(self, bought: int, wanted: int) -> TypeMatch:
        one, other = self._facts(bought), self._facts(wanted)
        same_query = one.product.query == other.product.query
        return type_match(same_query, len(one.categories & other.categories) >= 2, one.nouns, other.nouns)

    def _count_attributes(self, position: int, attributes: tuple[str, ...]) -> int:
        facts = self._facts(position)
        return sum(facts.has(attribute) for attribute in attributes)

    def _find_facts(self, position: int) -> Facts:
        product, table = self._catalogue.products[position], self._catalogue.nouns
        nouns = table.get(product.asin) if table is not None else None
        return Facts(product, guess(product.title) if nouns is None else nouns)


def _mask(value: str, goal: Goal) -> int:
    """Bit k is set where ``value`` fulfils the goal's k-th option."""
    mask = 0
    for bit, wanted in enumerate(goal.options):
        if fulfils(value, wanted):
            mask |= 1 << bit
    return mask


def _keep_shorter(ways: dict[int, tuple[tuple[str, str], ...]], mask: int, way: tuple[tuple[str, str], ...]) -> None:
    if mask not in ways or len(way) < len(ways[mask]):
        ways[mask] = way
