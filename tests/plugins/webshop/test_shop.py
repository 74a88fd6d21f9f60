from __future__ import annotations

import pytest
from agentr_webshop.shop import Shop, State
from webshop_shop import GOALS, SMALL, small_shop, walk

SHIRT_AT, KETTLE_AT = SMALL.positions["B000SHIRT1"], SMALL.positions["B000KETTLE"]
START = State(0)
LONG = "x" * 100_000


@pytest.fixture
def shop() -> Shop:
    return small_shop()


def on_shirt(shop: Shop, *more: str) -> State:
    return walk(shop, "search[linen shirt]", "click[b000shirt1]", *more)


def test_way_to_a_purchase(shop: Shop) -> None:
    state = on_shirt(shop, "click[navy blue]", "click[large]")
    assert state == State(0, "item", "linen shirt", 1, SHIRT_AT, (("color", "navy blue"), ("size", "large")), steps=4)
    bought = walk(shop, "click[Buy Now]", state=state)
    assert bought == State(0, "done", product=SHIRT_AT, options=state.options, steps=5)
    assert shop.clickables(bought) == ()


def test_options_are_overwritten_in_their_group_and_kept_on_sub_pages(shop: Shop) -> None:
    state = on_shirt(shop, "click[navy blue]", "click[washed]", "click[features]")
    assert (state.page, state.sub, state.options) == ("sub", "features", (("color", "washed"),))
    assert shop.clickables(state) == ("back to search", "< prev")
    back = walk(shop, "click[< prev]", state=state)
    assert (back.page, back.sub, back.options) == ("item", "", (("color", "washed"),))


def test_leaving_a_product_clears_its_options(shop: Shop) -> None:
    item = on_shirt(shop, "click[washed]")
    assert walk(shop, "click[< prev]", state=item) == State(0, "results", "linen shirt", 1, steps=4)
    assert walk(shop, "click[back to search]", state=item) == State(0, steps=4)
    assert walk(shop, "search[kettle]", state=item) == State(0, "results", "kettle", 1, steps=4)


def test_pages_of_results_never_end(shop: Shop) -> None:
    state = walk(shop, "search[thing]")
    assert shop.clickables(state)[:2] == ("back to search", "next >") and len(shop.shown(state)) == 10
    second = walk(shop, "click[next >]", state=state)
    assert shop.clickables(second)[:3] == ("back to search", "< prev", "next >") and len(shop.shown(second)) == 2
    beyond = walk(shop, *["click[next >]"] * 5, state=second)
    assert beyond.number == 7 and shop.clickables(beyond) == ("back to search", "< prev", "next >")
    assert walk(shop, *["click[< prev]"] * 6, state=beyond).number == 1


def test_item_clickables_in_order_duplicates_once(shop: Shop) -> None:
    state = walk(shop, "search[kettle]", "click[b000kettle]")
    buttons = ("back to search", "< prev", "description", "features", "reviews", "buy now")
    assert shop.clickables(state) == (*buttons, "steel", "2", "3")
    # A value of two groups belongs to the later one; an option named like a button is that button.
    assert walk(shop, "click[2]", state=state).options == (("size", "2"),)
    assert shop.choices(KETTLE_AT) == {"style": ("steel",), "size": ("2", "3")}
    assert walk(shop, "click[buy now]", state=state).page == "done"
    assert "attributes" in small_shop(show_attrs=True).clickables(state)


@pytest.mark.parametrize(
    "action",
    ["", "look", "search", "search[]", "click[]", "click[search]", "click[b000shirt1]", "Search[x]", "click[buy now]",
     "search[x", "click]x[", "click[\x00]", "\u202eclick[x]", LONG, f"click[{LONG}]", "think[hm]"],
)  # fmt: skip
def test_refused_actions_change_nothing(shop: Shop, action: str) -> None:
    move = shop.act(START, action)
    assert move.state == START._replace(steps=1) and move.refusal == ""


def test_searches_are_taken_on_every_page_and_may_be_anything(shop: Shop) -> None:
    for words in ("[", " ", "\u202eשלום", "<r>", "search_results", LONG, "\x07"):
        state = walk(shop, f"search[{words}]", state=on_shirt(shop))
        assert (state.page, state.words) == ("results", words)
        assert shop.observe(state, GOALS[0]).count("Page 1 (Total results: ") == 1


@pytest.mark.parametrize(
    ("on", "action", "refusal"),
    [
        ("index", "look around", "'look around' is not an action. Write search[words] or click[text on the page]."),
        ("index", "search[x", "'search[x' is not an action. Write search[words] or click[text on the page]."),
        ("index", "think[hm]", "'think' is not an action. Write search[words] or click[text on the page]."),
        ("index", "search[ ]", "There is nothing to search for. Write words between the brackets: search[words]."),
        ("index", "click[]", "There is nothing to click. Write a text of this page between the brackets: click[text]."),
        ("index", "click[search]", "There is no 'search' to click on this page."),
        ("item", "search[x]", "There is no search bar on this page. To search again, first do click[back to search]."),
        ("item", "click[navy]", "There is no 'navy' to click on this page. Did you mean click[navy blue]?"),
        ("item", "click[a\x00\x1b[b]", "There is no 'a  [b' to click on this page."),
        ("results", "click[next >]", "There is no 'next >' to click on this page."),
        ("results", f"click[{LONG}]", f"There is no '{'x' * 59}…' to click on this page."),
        ("index", LONG, f"'{'x' * 59}…' is not an action. Write search[words] or click[text on the page]."),
    ],
)
def test_strict_rules_say_what_was_wrong(on: str, action: str, refusal: str) -> None:
    shop = small_shop("strict")
    state = {"index": START, "results": walk(shop, "search[kettle]"), "item": on_shirt(shop)}[on]
    move = shop.act(state, action)
    assert (move.state, move.refusal) == (state._replace(steps=state.steps + 1), refusal)


def test_strict_rules_take_a_bracket_and_capitals() -> None:
    shop = small_shop("strict")
    state = on_shirt(shop, " CLICK[ X [Tall] ] now")
    assert state.options == (("size", "x [tall]"),)
    assert shop.clickables(walk(shop, "search[kettle]")) == ("back to search", "b000kettle")


def test_rich_mode_remembers_visited_products_until_the_start_page() -> None:
    shop = small_shop(mode="text_rich")
    state = on_shirt(shop, "click[< prev]")
    assert state.visited == {SHIRT_AT} and "[clicked button] B000SHIRT1" in shop.observe(state, GOALS[0])
    assert walk(shop, "search[shirt]", state=state).visited == {SHIRT_AT}
    assert walk(shop, "click[back to search]", state=state).visited == frozenset()
    assert on_shirt(small_shop()).visited == frozenset()
