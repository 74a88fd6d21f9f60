from __future__ import annotations

import json
from pathlib import Path

import pytest
from agentr_webshop.goals import Goal, draw_prices, make_goals
from agentr_webshop.matching import COLORS, alike, color_family, fulfils, words_of
from agentr_webshop.nouns import guess
from agentr_webshop.product import Catalogue
from agentr_webshop.reward import Scorer, combine, type_match
from webshop_shop import SMALL, goal_of, scorer, small_shop

SHIRT_AT, TWIN_AT, KETTLE_AT = (SMALL.positions[asin] for asin in ("B000SHIRT1", "B000SHIRT2", "B000KETTLE"))


def test_colour_families() -> None:
    assert len(COLORS) == len(set(COLORS)) == 102 and list(COLORS) == sorted(COLORS)
    assert [color_family(value) for value in ("navy blue", "washed", "x-large")] == ["blue", "ash", "x-large"]
    # In a pair only a whole element is a colour.
    assert color_family(("color", "navy blue")) == ("color", "navy blue")
    assert color_family(("color", "red")) == "red" and color_family(("gold", "red")) == "gold"


def test_words_are_prepared_as_thefuzz_does() -> None:
    assert words_of("  Crème-Brûlée (2 PACK)  ") == "crme brle  2 pack"
    assert words_of("日本 ›") == "日本"
    assert words_of(("color", "r.brown2070")) == "color    r brown2070"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("machine wash", "machine washable", True),
        ("gluten free", "free gluten", True),
        ("steel", "stainless steel", True),
        ("", "", False),
        ("", "steel", False),
        ("abcdefg", "abcdefh", True),  # 6 of 7 letters: 85.71, which rounds to 86
        ("abcdef", "abcdeg", False),  # 83.3
    ],
)
def test_alike_is_a_rounded_score_above_85(one: str, other: str, same: bool) -> None:
    assert alike(words_of(one), words_of(other)) is same


def test_pairs_match_by_the_words_of_group_and_value() -> None:
    assert fulfils("small", ("size", "small")) and not fulfils("large", ("size", "small"))
    assert fulfils("light blue", ("color", "blue"))  # a family
    assert fulfils("light blue", ("color", "navy blue"))  # "blue" is one of the pair's words
    assert not fulfils("r.brown2070", ("color", "r.brown2070"))  # "brown" is not


@pytest.mark.parametrize(
    ("query", "category", "bought", "wanted", "factor"),
    [
        (True, False, "shirt", "shirt", 1.0),
        (False, True, "shirt", "shirt", 1.0),
        (False, False, "shirt", "shirt linen men", 1.0),
        (False, False, "shirt", "shirt a b c d", 0.5),  # 0.2 is not above 0.2
        (True, False, "shirt", "shirt a b c d e f g h i j", 0.1),
        (True, True, "kettle", "shirt", 0.0),
        (False, False, "shirt", "", 0.5),
        (True, False, "shirt", "shirt shirt a", 1.0),
    ],
)
def test_type_factor(query: bool, category: bool, bought: str, wanted: str, factor: float) -> None:
    assert type_match(query, category, bought.split(), wanted.split()).factor == factor


def test_repeated_nouns_count_in_the_denominator() -> None:
    assert type_match(True, True, ["a"], ["a", "a", "b"]).title_score == pytest.approx(1 / 3)


def test_reward_of_a_purchase() -> None:
    goal = goal_of("B000SHIRT1", color="light blue", size="large")
    half = scorer().reward(SHIRT_AT, {"color": "light blue", "size": "small"}, goal)
    assert (half.total, half.attributes, half.options, half.price) == (0.75, 1, 1, True)
    assert half.parts(goal) == {
        "r_type": 1.0, "r_att": 1.0, "query_match": True, "category_match": True, "title_score": 1.0,
        "r_price": True, "r_option": 0.5,
    }  # fmt: skip
    assert scorer().reward(SHIRT_AT, {"color": "light blue", "size": "large"}, goal).total == 1.0
    assert scorer().reward(TWIN_AT, {}, goal).total == 0.25  # the price alone
    assert scorer().reward(KETTLE_AT, {}, goal).total == 0.0  # another kind of thing


def test_attributes_count_where_a_text_names_them() -> None:
    kettle = goal_of("B000KETTLE", style="steel", size="3")
    assert scorer().reward(KETTLE_AT, {"style": "steel", "size": "3"}, kettle).attributes == 1


def test_values_that_no_click_reaches_lower_the_most() -> None:
    # In the original's grammar a bracket hides a value, and a value of two groups belongs to the later one.
    tall = goal_of("B000SHIRT1", color="navy blue", size="x [tall]")
    assert scorer().most(tall) == 0.75 and scorer(small_shop("strict")).most(tall) == 1.0
    both = goal_of("B000KETTLE", style="2", size="3")
    assert scorer().most(both) < 1.0


def test_fewest_clicks() -> None:
    score, goal = scorer(), goal_of("B000SHIRT1", color="navy blue", size="large")
    assert score.clicks(SHIRT_AT, {}, goal) == (("color", "navy blue"), ("size", "large"))
    assert score.clicks(SHIRT_AT, {"color": "light blue", "size": "small"}, goal) == (("size", "large"),)
    assert score.clicks(SHIRT_AT, {"color": "washed", "size": "large"}, goal) == (("color", "navy blue"),)
    assert score.clicks(KETTLE_AT, {}, goal) == ()


def test_guess_takes_words_of_letters() -> None:
    assert guess("The Best Shirt for Men 2XL - Shirt, Café") == ("shirt", "men", "xl", "shirt", "café")


def test_logged_rewards_of_people(shared: Path) -> None:
    """Each purchase that the original's site logged, from the parts that it logged with it."""
    checked = 0
    for path in sorted((shared / "human_sessions").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("page") != "done":
                continue
            logged, parts = row["goal"], row["reward_info"]
            options = tuple(logged["goal_options"])
            goal = Goal(0, "", "", tuple(logged["attributes"]), options, logged["price_upper"])
            matched = round(parts["r_att"] * len(goal.attributes)) + parts["r_price"]
            matched += round((parts.get("r_option") or 0.0) * len(options))
            assert combine(parts["r_type"], matched, goal) == row["reward"]
            assert (row["content"]["price"] <= goal.price_upper) == parts["r_price"]
            checked += 1
    assert checked == 35


def test_best_rewards_of_the_published_goals(real: Catalogue) -> None:
    goals = make_goals(real, draw_prices(real, 0), "synthetic", 233)
    score = Scorer(real, draw_prices(real, 0), lambda position: real.products[position].options)
    best = [score.most(goal) for goal in goals]
    assert sum(reward == 1.0 for reward in best) == 6_452 and min(best) == pytest.approx(2 / 3)
    assert sum(best) / len(best) == pytest.approx(0.9896, abs=5e-5)
