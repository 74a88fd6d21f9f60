from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

from agentr_webshop.goals import NO_CEILING, draw_prices, make_goals
from agentr_webshop.product import Catalogue
from webshop_shop import GOALS, KETTLE, SHIRT, SMALL


def test_published_goals_in_order_and_text(real: Catalogue, shared: Path) -> None:
    """AgentGym's 6,910 goals, with the prices drawn from seed 0."""
    prices = draw_prices(real, 0)
    known = json.loads((shared / "prices_seed0.json").read_text())
    assert {product.asin: price for product, price in zip(real.products, prices, strict=True)} == known
    goals = make_goals(real, prices, "synthetic", 233)
    expected = json.loads((shared / "goals_synth_agentgym_seed233_priceseed0.json").read_text())
    assert len(goals) == len(expected) == 6_910
    for goal, row in zip(goals, expected, strict=True):
        assert real.products[goal.position].asin == row["asin"]
        assert goal.instruction == row["instruction_text"]
        assert (list(goal.attributes), goal.price_upper) == (row["attributes"], row["price_upper"])
        assert dict(goal.options) == row["goal_options"]  # type: ignore[arg-type]


def test_goals_people_wrote(real: Catalogue, shared: Path) -> None:
    goals = make_goals(real, draw_prices(real, 0), "human", 233)
    rows = json.loads((shared / "human_goals_small_13.json").read_text())
    expected = sorted((row["asin"], row["instruction"].strip("."), row["instruction_options"]) for row in rows)
    found = sorted((real.products[goal.position].asin, goal.wish, list(goal.options)) for goal in goals)
    assert found == expected and len(found) == 13
    assert all(goal.instruction.startswith(goal.wish) for goal in goals)


def test_one_goal_for_each_combination_of_options() -> None:
    shirts = [goal for goal in GOALS if goal.position == SMALL.positions[SHIRT.asin]]
    assert len(shirts) == 9 and len(GOALS) == 9 + 6
    wanted = next(goal for goal in shirts if goal.options == (("color", "washed"), ("size", "large")))
    text = "Find me machine washable shirts with color: washed, and size: large, and price lower than "
    assert wanted.instruction == f"{text}{wanted.price_upper:.2f} dollars"
    assert wanted.price_upper in (30.0, 40.0, 50.0) and wanted.price_upper > SHIRT.prices[0]
    # One attribute that nine goals name.
    assert wanted.weight == 1 / 9
    assert len({goal.price_upper for goal in shirts}) == 1


def test_dear_products_have_no_ceiling() -> None:
    def ceilings(price: float) -> set[float]:
        catalogue = Catalogue((replace(SHIRT, prices=(price,)),), "test", "dear")
        return {make_goals(catalogue, (price,), "synthetic", seed)[0].price_upper for seed in range(40)}

    assert ceilings(985.0) == {NO_CEILING} and ceilings(1_200.0) == {NO_CEILING}
    assert ceilings(975.0) == {990.0}  # the larger of 980 and 990
    assert ceilings(970.0) == {990.0}  # the price itself is no ceiling
    assert ceilings(100.0) == {120.0, 130.0, 140.0}
    dear = make_goals(Catalogue((replace(SHIRT, prices=(985.0,)),), "test", "dear"), (985.0,), "synthetic", 0)
    assert not any("price" in goal.instruction for goal in dear)


def test_human_goals_without_attributes_are_left_out() -> None:
    goals = make_goals(SMALL, draw_prices(SMALL, 0), "human", 233)
    assert [(goal.wish, goal.options, goal.weight) for goal in goals] == [("i want a steel kettle", ("2",), 1.0)]


def test_seeds_are_their_own() -> None:
    state = random.getstate()
    one, other = draw_prices(SMALL, 0), draw_prices(SMALL, 1)
    at = SMALL.positions[KETTLE.asin]
    assert one[at] != other[at] and all(5.0 <= prices[at] <= 25.0 for prices in (one, other))
    assert one[:at] == other[:at] == (19.99, 19.99)
    orders = [[goal.options for goal in make_goals(SMALL, one, "synthetic", seed)] for seed in (233, 233, 7)]
    assert orders[0] == orders[1] != orders[2]
    assert random.getstate() == state
