"""The generated catalogue: the same everywhere, and every rule of the shop occurs in it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from agentr_webshop import generator
from agentr_webshop.bm25 import search_index
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.loading import NO_ATTRIBUTES
from agentr_webshop.product import Catalogue, Product

from agentr_core import UsageError

CEILINGS = range(10, 1000, 10)


def ceilings(product: Product) -> int:
    return sum(ceiling > product.prices[0] for ceiling in CEILINGS)


def values(product: Product) -> list[str]:
    return [value for group in product.options.values() for value in group]


RULES: dict[str, Callable[[Product], object]] = {
    "no price": lambda p: p.price_tag == "$100.0" and p.prices == (100.0,),
    "one price": lambda p: len(p.prices) == 1 and p.price_tag == f"${p.prices[0]}",
    "price range": lambda p: p.price_tag == "$19.99 to $27.99" and p.prices == (19.99, 27.99),
    "three amounts, the first two count": lambda p: p.price_tag == "$10.0 to $12.5",
    "fewer than four ceilings": lambda p: ceilings(p) == 3,
    "two ceilings": lambda p: ceilings(p) == 2,
    "one ceiling": lambda p: ceilings(p) == 1,
    "no ceiling": lambda p: ceilings(p) == 0 and p.price_tag == "$1299.0",
    "no options": lambda p: not p.options,
    "one group": lambda p: len(p.options) == 1,
    "two groups": lambda p: len(p.options) == 2,
    "three groups": lambda p: len(p.options) == 3,
    "slash in a value": lambda p: "small | medium" in values(p),
    "value in two groups": lambda p: len(set(values(p))) < len(values(p)) and len(p.options) == 2,
    "value twice in one group": lambda p: any(len(set(group)) < len(group) for group in p.options.values()),
    "colour inside a word": lambda p: "stonewashed" in values(p),
    "colour of two words": lambda p: {"navy blue", "light blue"} <= set(values(p)),
    "size with digits": lambda p: "10.5" in values(p),
    "size with inch marks": lambda p: '28" x 28"' in values(p),
    "bracket in a value": lambda p: "set [2 pieces]" in values(p),
    "value with blanks around it": lambda p: "red" in values(p) and "green" in values(p),
    "no description": lambda p: p.description == "",
    "blank bullet": lambda p: p.bullets == ("",),
    "bullets were one text": lambda p: p.bullets == ("One line instead of a list",),
    "one bullet": lambda p: len(p.bullets) == 1,
    "no bullet": lambda p: p.bullets == (),
    "no image": lambda p: p.image == "",
    "emoji and trade mark": lambda p: "★" in p.title and "™" in p.title and "🎁" in p.title,
    "possessive": lambda p: "’s " in p.title and p.title.endswith("Women's"),
    "words joined by a colon": lambda p: "Description:" in p.description,
    "characters of HTML": lambda p: "<New & Improved>" in p.title,
    "white space and other scripts": lambda p: "\n" in p.description and "日本" in p.description,
    "title of stop words": lambda p: p.title == "That Is It",
    "no entry of attributes": lambda p: p.attributes == NO_ATTRIBUTES,
    "empty entry of attributes": lambda p: p.attributes == (),
    "no instruction": lambda p: p.instruction is None,
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_occurs(generated: Catalogue, rule: str) -> None:
    assert any(map(RULES[rule], generated.products))


def test_the_loader_skips_what_the_original_skips(generated: Catalogue) -> None:
    records, _, _ = generator.files(len(generated.products), 0)
    asins = [record["asin"] for record in records]
    assert "nan" in asins
    assert any(len(asin) > 10 for asin in asins)
    assert len(set(asins)) < len(asins)
    assert any(None in (record["customization_options"] or {}).values() for record in records)
    assert [p.asin for p in generated.products] == list(
        dict.fromkeys(asin for asin in asins if asin != "nan" and len(asin) <= 10)
    )
    assert len(generated.products) == 1000


def where(product: Product, attribute: str) -> tuple[bool, ...]:
    """Whether an attribute stands in the list, the title, the bullets and the description."""
    texts = (product.title, " ".join(product.bullets), product.description)
    return (attribute in product.attributes, *(attribute in text.lower() for text in texts))


def test_attributes_are_asked_for_that_stand_in_one_place_only(generated: Catalogue) -> None:
    found = {where(p, wanted) for p in generated.products for wanted in p.instruction_attributes}
    assert {(False, True, False, False), (False, False, True, False), (False, False, False, True)} <= found


def test_attributes_that_nearly_match(generated: Catalogue) -> None:
    fuzz = pytest.importorskip("rapidfuzz.fuzz")
    attributes = {attribute for product in generated.products for attribute in product.attributes}
    scores = {round(fuzz.token_set_ratio(a, b)) for a, b in itertools.combinations(sorted(attributes), 2)}
    assert {85, 86} <= scores


def test_twins_differ_in_their_asin_alone(generated: Catalogue) -> None:
    index = search_index(generated)
    for number in (30, 61, 92):
        first, second = generated.products[number - 1], generated.products[number]
        assert first.asin != second.asin
        assert (first.title, first.description, first.options) == (second.title, second.description, second.options)
        hits = index.search(f"{first.title} {first.description}")
        assert set(hits[:2]) == {number - 1, number}
        assert generated.products[hits[0]].asin < generated.products[hits[1]].asin


def test_searches_with_many_a_few_and_no_hits(generated: Catalogue) -> None:
    index = search_index(generated)
    assert len(index.search("desk lamp made with cotton")) == 50
    assert 1 <= len(index.search(generated.products[0].title.split()[0])) <= 9
    assert index.search("xylophone") == ()


def kind_of_pair(catalogue: Catalogue, bought: Product, goal: Product) -> str:
    """Which rule of the reward's type decides."""
    assert catalogue.nouns is not None
    nouns = catalogue.nouns[goal.asin]
    title = len({*catalogue.nouns[bought.asin]} & {*nouns}) / len(nouns) if nouns else 0.2
    paths = [{part.strip() for part in product.product_category.split("›")} for product in (bought, goal)]
    if title == 0:
        return "0.0"
    if title < 0.1:
        return "0.1"
    if bought.query == goal.query:
        return "query"
    if len(paths[0] & paths[1]) >= 2:
        return "category"
    return "title" if title > 0.2 else "0.5"


def test_every_type_of_purchase_occurs(generated: Catalogue) -> None:
    pairs = itertools.product(generated.products[:300], repeat=2)
    found = {kind_of_pair(generated, bought, goal) for bought, goal in pairs}
    assert found == {"0.0", "0.1", "0.5", "query", "category", "title"}
    assert generated.nouns is not None and () in generated.nouns.values()


def test_human_instructions_are_for_products_of_the_catalogue(generated: Catalogue) -> None:
    assert len(generated.human) > 50
    assert {row.asin for row in generated.human} <= set(generated.positions)
    places = [generated.positions[row.asin] for row in generated.human]
    assert places == sorted(places)
    assert any(not row.attributes for row in generated.human), "the goals leave these out"
    for row in generated.human:
        product = generated.find(row.asin)
        assert product is not None and {*row.options} <= {*values(product)}


def test_instructions_ask_for_what_the_product_has(generated: Catalogue) -> None:
    asking = [product for product in generated.products if product.instruction]
    assert len(asking) > 500
    for product in asking:
        assert product.instruction_attributes
        assert all(any(where(product, wanted)) for wanted in product.instruction_attributes)


def test_asins_look_like_asins_and_are_in_no_order(generated: Catalogue) -> None:
    asins = [product.asin for product in generated.products]
    assert all(re.fullmatch("G0[0-9A-Z]{8}", asin) for asin in asins)
    assert sorted(asins) != asins


def test_a_larger_catalogue_begins_with_the_smaller(generated: Catalogue) -> None:
    assert load_catalogue(size=40).products == generated.products[:40]
    assert load_catalogue(size=40, seed=1).products != generated.products[:40]


def test_the_same_arguments_give_the_same_object() -> None:
    assert load_catalogue("generated", size=1000, seed=0) is load_catalogue()


@pytest.mark.parametrize("size", [0, -1, 1_000_001])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="1 to 1,000,000 products, not"):
        load_catalogue(size=size)


def test_two_processes_agree(generated: Catalogue) -> None:
    code = "from agentr_webshop.catalogue import load_catalogue; print(load_catalogue().version)"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {generated.version}
