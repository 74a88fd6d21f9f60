"""Goals: what to buy, in words and as what the reward is computed from; and the prices they depend on.

The original draws prices and price ceilings without a seed, so that one id is another task in another run. Here each
has a seed of its own: the same seeds give the same goals in any process. With ``goal_seed`` 233 they are AgentGym's.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Literal

from agentr_webshop.matching import Option
from agentr_webshop.product import Catalogue, HumanInstruction, Product

GoalKind = Literal["synthetic", "human"]

#: Ceilings are multiples of ten dollars below 1,000; one of the first four above the price is taken.
CEILINGS = tuple(10.0 * step for step in range(1, 100))
NEAREST_CEILINGS = 4
NO_CEILING = 1_000_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """One instruction; compared by identity, since rewards are remembered by goal.

    ``position``: of the goal's product in the catalogue. ``wish``: the text without options and price, ``instruction``
    the whole. ``price_upper``: in dollars. ``options``: pairs (group, value) of a synthetic goal, bare values of a
    human one. ``weight``: the share with which the original draws it.
    """

    position: int
    instruction: str
    wish: str
    attributes: tuple[str, ...]
    options: tuple[Option, ...]
    price_upper: float
    weight: float = 1.0


def draw_prices(catalogue: Catalogue, seed: int) -> tuple[float, ...]:
    """The price of each product, in file order; that of a range is drawn uniformly (``generate_product_prices``)."""
    rng = random.Random(seed)
    return tuple(
        rng.uniform(*product.prices) if len(product.prices) > 1 else product.prices[0] for product in catalogue.products
    )


def make_goals(catalogue: Catalogue, prices: Sequence[float], kind: GoalKind, seed: int) -> tuple[Goal, ...]:
    """All goals in the order that goal ids count: made product by product, then shuffled (``SimServer``)."""
    make = _synthetic if kind == "synthetic" else _human
    goals = list(make(catalogue, prices, random.Random(seed)))
    random.Random(seed).shuffle(goals)
    return tuple(goals)


def _synthetic(catalogue: Catalogue, prices: Sequence[float], rng: random.Random) -> Iterator[Goal]:
    """One goal for each combination of options of each product that has an instruction (``get_synthetic_goals``)."""
    counts = _attribute_counts(catalogue)
    for position, product in enumerate(catalogue.products):
        if product.instruction is None or not product.instruction_attributes:
            continue
        upper, ceiling = _ceiling(prices[position], rng)
        attributes = product.instruction_attributes
        weight = sum(1 / counts[attribute] for attribute in attributes) / len(attributes)
        for options in _combinations(product):
            asked = ", and ".join(f"{group}: {value}" for group, value in options)
            instruction = f"{product.instruction}{' with ' + asked if asked else ''}{ceiling}"
            yield Goal(position, instruction, product.instruction, attributes, options, upper, weight)


def _human(catalogue: Catalogue, prices: Sequence[float], rng: random.Random) -> Iterator[Goal]:
    """One goal for each instruction that a person wrote and that names an attribute (``get_human_goals``)."""
    written: defaultdict[str, list[HumanInstruction]] = defaultdict(list)
    for instruction in catalogue.human:
        written[instruction.asin].append(instruction)
    for position, product in enumerate(catalogue.products):
        for item in written.get(product.asin, ()):
            if item.attributes:
                upper, ceiling = _ceiling(prices[position], rng)
                wish = item.instruction.strip(".")
                yield Goal(position, wish + ceiling, wish, item.attributes, item.options, upper)


def _ceiling(price: float, rng: random.Random) -> tuple[float, str]:
    """A price ceiling drawn for ``price``, and the words for it; none where fewer than two lie above the price."""
    above = [ceiling for ceiling in CEILINGS if ceiling > price][:NEAREST_CEILINGS]
    if len(above) < 2:
        return NO_CEILING, ""
    upper = max(rng.sample(above, 2))
    return upper, f", and price lower than {upper:.2f} dollars"


def _combinations(product: Product) -> Iterator[tuple[tuple[str, str], ...]]:
    """The ways of choosing one value in each group, groups sorted by name; one empty way where there are none."""
    groups = sorted(product.options)
    for values in combinations(*(product.options[group] for group in groups)):
        yield tuple(zip(groups, values, strict=True))


def _attribute_counts(catalogue: Catalogue) -> Counter[str]:
    """How many synthetic goals name each attribute."""
    counts: Counter[str] = Counter()
    for product in catalogue.products:
        if product.instruction is not None:
            goals = 1
            for values in product.options.values():
                goals *= len(values)
            for attribute in product.instruction_attributes:
                counts[attribute] += goals
    return counts
