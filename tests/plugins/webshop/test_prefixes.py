"""The hidden search commands: there when they are asked for, words like any other where they are not."""

from __future__ import annotations

import pytest
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.shop import State

from agentr_core import create


def found(words: str, **settings: object) -> list[str]:
    """The ASINs on all pages of results."""
    shop = create("env", "webshop", products=300, **settings)._world.shop
    return [shop.catalogue.products[at].asin for at in shop.hits(words)]


@pytest.fixture(scope="module")
def products():
    return load_catalogue(size=300).products


def test_a_category_lists_all_its_products_whatever_follows_the_word(products) -> None:
    category = products[0].category
    expected = [product.asin for product in products if product.category == category]
    assert found(f"<c> {category} and more", debug_prefixes=True) == expected and len(expected) > 50


def test_a_query_lists_what_is_filed_under_it(products) -> None:
    query = products[0].query
    expected = [product.asin for product in products if product.query == query]
    assert found(f"<q> {query}", debug_prefixes=True) == expected != []


def test_chance_finds_fifty_and_the_same_ones_again() -> None:
    first, again, other = (found(words, debug_prefixes=True) for words in ("<r>", "<r>", "<r> other"))
    assert first == again != other and len(set(first)) == 50


def test_an_attribute_finds_nothing() -> None:
    assert found("<a> waterproof", debug_prefixes=True) == []


def test_without_the_setting_they_are_words(products) -> None:
    category = products[0].category
    assert found(f"<c> {category}") == found(f"c {category}") != found(f"<c> {category}", debug_prefixes=True)


def test_more_than_five_pages_can_be_turned(products) -> None:
    environment = create("env", "webshop", products=300, debug_prefixes=True)
    environment.reset(environment.tasks("all")[0])
    environment.step(f"search[<c> {products[0].category}]")
    for _ in range(5):
        page = environment.step("click[next >]").observation
    state = environment.snapshot()
    assert isinstance(state, State) and state.number == 6 and "Page 6" in page
    assert any(text.startswith("g") for text in environment.clickables()), "the sixth page lists products"
