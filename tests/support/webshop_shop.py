"""A small shop of our own, and sessions in it."""

from __future__ import annotations

from dataclasses import replace

from agentr_webshop.bm25 import search_index
from agentr_webshop.goals import Goal, draw_prices, make_goals
from agentr_webshop.pages import Mode
from agentr_webshop.product import Catalogue, HumanInstruction
from agentr_webshop.reward import Scorer
from agentr_webshop.shop import RULES, Shop, State
from webshop_products import product

CLOTHES = "Clothing › Men › Shirts"
SHIRT = replace(
    product("B000SHIRT1", "Linen Shirt for Men", bullets=("Machine wash", "", " Loose fit ")),
    description="A shirt & more <b>",
    options={"color": ("navy blue", "light blue", "washed"), "size": ("small", "large", "x [tall]")},
    attributes=("machine washable", "loose fit"),
    prices=(19.99,),
    price_tag="$19.99",
    category="fashion",
    query="men's shirts",
    product_category=CLOTHES,
    instruction="Find me machine washable shirts",
    instruction_attributes=("machine washable",),
)
TWIN = replace(SHIRT, asin="B000SHIRT2", title="Cotton Shirt for Men", instruction=None, attributes=(), bullets=())
KETTLE = replace(
    product("B000KETTLE", "Steel Kettle"),
    category="garden",
    query="kettles",
    product_category="Home › Kitchen",
    prices=(5.0, 25.0),
    price_tag="$5.0 to $25.0",
    options={"style": ("steel", "2", "buy now"), "size": ("2", "3")},
    instruction="Find me a kettle",
    instruction_attributes=("steel",),
)
FILLERS = tuple(product(f"B00FILLER{n:x}", f"Plain thing {n}") for n in range(12))
SMALL = Catalogue((SHIRT, TWIN, KETTLE, *FILLERS), "test", "small", human=(
    HumanInstruction("B000KETTLE", "i want a steel kettle.", ("steel",), ("2",)),
    HumanInstruction("B000KETTLE", "skipped: it names no attribute", (), ()),
))  # fmt: skip
PRICES = draw_prices(SMALL, 0)
GOALS = make_goals(SMALL, PRICES, "synthetic", 233)


def small_shop(rules: str = "original", mode: Mode = "text", *, show_attrs: bool = False) -> Shop:
    return Shop(SMALL, search_index(SMALL), RULES[rules], mode, show_attrs=show_attrs)


def scorer(shop: Shop | None = None) -> Scorer:
    return Scorer(SMALL, PRICES, (shop or small_shop()).choices)


START = State(0)


def goal_of(asin: str, **options: str) -> Goal:
    """The goal of a product with these options."""
    position = SMALL.positions[asin]
    return next(goal for goal in GOALS if goal.position == position and dict(goal.options) == options)  # type: ignore[arg-type]


def walk(shop: Shop, *actions: str, state: State = START) -> State:
    """The state after ``actions``, none of which may be refused."""
    for action in actions:
        move = shop.act(state, action)
        assert move.refusal is None, (action, move)
        state = move.state
    return state
