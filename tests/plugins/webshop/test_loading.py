"""Catalogues from files: both layouts, what is filled in, and what the user reads about files that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from agentr_webshop import generator
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.loading import parse_price
from agentr_webshop.product import Catalogue, Product

from agentr_core import UsageError

PRODUCTS, ENTRIES, HUMAN = "items_shuffle_1000.json", "items_ins_v2_1000.json", "items_human_ins.json"
LAMP: Mapping[str, Any] = {
    "asin": "B000000001",
    "name": "Desk Lamp",
    "full_description": "Bright.",
    "small_description": ["Of oak ", "Of pine "],
    "pricing": "$19.99 to $27.99",
    "category": "garden",
    "query": " Desk Lamps ",
    "product_category": "Home › Lamps",
    "images": ["first.jpg", "second.jpg"],
    "customization_options": {"Color": [{"value": " Red/Blue ", "image": None}], "Size": None},
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(products, entries, human)``: a folder with the original's files; None leaves one out."""

    def make(products: Any = (LAMP,), entries: Any = None, human: Any = None) -> Path:
        for name, value in ((PRODUCTS, list(products)), (ENTRIES, entries or {}), (HUMAN, human)):
            if value is not None:
                (tmp_path / name).write_text(json.dumps(value), encoding="utf-8")
        return tmp_path

    return make


def only(folder: Path) -> Product:
    (product,) = load_catalogue(str(folder)).products
    return product


def message(folder: Path) -> str:
    with pytest.raises(UsageError) as raised:
        load_catalogue(str(folder))
    return str(raised.value)


def test_a_raw_product(write: Write) -> None:
    entry = {"attributes": ["bright"], "instruction": "Find me lamps", "instruction_attributes": ["bright"]}
    assert only(write(entries={"B000000001": entry})) == Product(
        asin="B000000001",
        title="Desk Lamp",
        description="Bright.",
        bullets=("Of oak ", "Of pine "),
        prices=(19.99, 27.99),
        price_tag="$19.99 to $27.99",
        category="garden",
        query="desk lamps",
        product_category="Home › Lamps",
        options={"color": ("red | blue",)},
        attributes=("bright",),
        image="first.jpg",
        instruction="Find me lamps",
        instruction_attributes=("bright",),
    )


@pytest.mark.parametrize(
    ("text", "prices", "tag"),
    [
        (None, (100.0,), "$100.0"),
        ("", (100.0,), "$100.0"),
        ("ask us", (100.0,), "$100.0"),
        ("$35", (35.0,), "$35.0"),
        ("$1,299.00", (1299.0,), "$1299.0"),
        ("$8.50 - $35", (8.5, 35.0), "$8.5 to $35.0"),
        ("from $1 to $2 to $3", (1.0, 2.0), "$1.0 to $2.0"),
    ],
)
def test_prices(text: str | None, prices: tuple[float, ...], tag: str) -> None:
    assert parse_price(text) == (prices, tag)


def test_what_a_product_lacks_is_filled_in(write: Write) -> None:
    product = only(write([{"asin": "B1", "name": "Lamp"}]))
    assert (product.prices, product.price_tag) == ((100.0,), "$100.0")
    assert (product.description, product.bullets, product.options, product.image) == ("", (), {}, "")
    assert product.attributes == ("DUMMY_ATTR",)
    assert product.instruction is None and product.instruction_attributes == ()


@pytest.mark.parametrize("empty", [None, [], ""])
def test_null_fields_are_as_good_as_missing_ones(write: Write, empty: Any) -> None:
    fields = ("full_description", "small_description", "pricing", "images", "customization_options", "query")
    product = only(write([{"asin": "B1", "name": "Lamp", **dict.fromkeys(fields, empty)}]))
    assert (product.description, product.options, product.image, product.query) == ("", {}, "", "")
    assert product.bullets == (("",) if empty == "" else ())


def test_records_that_the_original_skips(write: Write) -> None:
    others = [{**LAMP, "asin": asin} for asin in ("nan", "B0000000012", "B000000001", "B2")]
    assert [product.asin for product in load_catalogue(str(write([LAMP, *others]))).products] == ["B000000001", "B2"]


def test_human_instructions_come_in_the_order_of_the_products(write: Write) -> None:
    def row(text: str) -> dict[str, Any]:
        return {"instruction": text, "instruction_attributes": ["bright"], "instruction_options": ["red"]}

    products = [{**LAMP, "asin": asin} for asin in ("B1", "B2")]
    human = {"B2": [row("second")], "B9": [row("no such product")], "B1": [row("first"), row("again")]}
    catalogue = load_catalogue(str(write(products, human=human)))
    assert [(item.asin, item.instruction) for item in catalogue.human] == [
        ("B1", "first"), ("B1", "again"), ("B2", "second"),
    ]  # fmt: skip
    assert catalogue.human[0].options == ("red",)


def test_the_generated_catalogue_survives_the_way_over_files(write: Write) -> None:
    products, entries, human = generator.files(900, 3)
    folder = write(products, entries, human)
    assert (folder / PRODUCTS).stat().st_size > 1 << 20, "longer than one chunk"
    loaded, grown = load_catalogue(str(folder)), load_catalogue(size=900, seed=3)
    assert loaded.products == grown.products
    assert loaded.human == grown.human
    assert loaded.nouns is None and grown.nouns is not None


def test_a_table_of_nouns_is_used(write: Write) -> None:
    folder = write()
    (folder / "title_nouns.json").write_text(json.dumps({"B000000001": ["desk", "lamp"]}))
    assert load_catalogue(str(folder)).nouns == {"B000000001": ("desk", "lamp")}


def test_the_version_is_that_of_the_content(write: Write, tmp_path: Path) -> None:
    before = load_catalogue(str(write())).version
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in (PRODUCTS, ENTRIES):
        (twin / name).write_bytes((tmp_path / name).read_bytes())
    assert load_catalogue(str(twin)).version == before
    other = tmp_path / "other"
    other.mkdir()
    (other / ENTRIES).write_text("{}")
    (other / PRODUCTS).write_text(json.dumps([{**LAMP, "pricing": "$5"}]))
    assert load_catalogue(str(other)).version != before


def test_a_product_can_be_found(write: Write) -> None:
    catalogue = load_catalogue(str(write()))
    assert catalogue.find("B000000001") is catalogue.products[0]
    assert catalogue.find("b000000001") is None


def test_the_same_folder_is_loaded_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write()
    monkeypatch.chdir(folder)
    assert load_catalogue(str(folder)) is load_catalogue(".")


def test_the_product_file_can_be_named(write: Write) -> None:
    folder = write()
    (folder / "items_shuffle.json").write_text(json.dumps([{**LAMP, "asin": "B2"}]))
    (folder / "items_ins_v2.json").write_text("{}")
    assert only(folder / PRODUCTS).asin == "B000000001"
    assert only(folder / "items_shuffle.json").asin == "B2"
    assert message(folder) == (
        f"'{folder}' has several product files (items_shuffle.json, {PRODUCTS}): "
        f"name the one to use, '{folder}/items_shuffle.json'"
    )


def test_the_reduced_layout(tmp_path: Path) -> None:
    row = {"asin": "B1", "Title": "Lamp", "Description": "Bright", "BulletPoints": [""], "pricing": [5.0],
           "Price": "$5.0", "options": {"color": ["red"]}, "Attributes": ["bright"], "query": "lamps",
           "category": "garden", "product_category": "Home", "MainImage": "a.jpg"}  # fmt: skip
    (tmp_path / "products_2.jsonl").write_text(json.dumps(row) + "\n\n" + json.dumps({"asin": "B2", "Title": "Bulb"}))
    (tmp_path / ENTRIES).write_text(json.dumps({"B1": {"attributes": ["other"], "instruction": "Find me"}}))
    first, second = load_catalogue(str(tmp_path)).products
    assert (first.options, first.attributes, first.instruction) == ({"color": ("red",)}, ("bright",), "Find me")
    assert (second.prices, second.price_tag, second.options, second.image) == ((100.0,), "$100.0", {}, "")


def test_the_real_products(real: Catalogue) -> None:
    products = real.products
    assert len(products) == 1000
    assert sum(not product.options for product in products) == 577
    assert sum(len(values) for product in products for values in product.options.values()) == 3499
    assert sum(not product.description for product in products) == 301
    assert sum(product.bullets == ("",) for product in products) == 69
    assert sum(len(product.prices) == 2 for product in products) == 93
    assert sum(product.price_tag == "$100.0" for product in products) >= 89
    assert sum(product.instruction is not None for product in products) == 415
    assert len({product.query for product in products}) == 246
    assert len(real.human) == 13
    assert real.nouns is not None and len(real.nouns) == 1000


FETCH = "fetch them with: agentr data get webshop"


def test_no_such_folder(tmp_path: Path) -> None:
    place = tmp_path / "nowhere"
    assert message(place) == f"there is no folder '{place}' with WebShop's files; {FETCH}"


def test_no_product_file(write: Write) -> None:
    folder = write()
    (folder / PRODUCTS).unlink()
    assert message(folder) == (
        f"'{folder}' has no product file: expected items_shuffle.json or items_shuffle_1000.json (the original files) "
        f"or products*.jsonl (the reduced layout); {FETCH}"
    )


def test_no_attribute_file(write: Write) -> None:
    folder = write()
    (folder / ENTRIES).unlink()
    said = f"'{folder}' has no attribute file for {PRODUCTS}: expected items_ins_v2_1000.json; {FETCH}"
    assert message(folder) == said
    (folder / "items_ins_v2.json").write_text("{}")
    assert message(folder) == said, "that of the full set knows other products"


@pytest.mark.parametrize("name", [PRODUCTS, ENTRIES, HUMAN])
@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_file_that_is_cut_off_or_no_json(write: Write, name: str, damage: str) -> None:
    folder = write(human={"B000000001": []}, entries={"B000000001": {"attributes": []}})
    body = (folder / name).read_bytes()
    (folder / name).write_bytes({"cut": body[:-3], "empty": b"", "text": b"\xff\xfe\x00 binary"}[damage])
    said = message(folder)
    assert said.startswith(f"'{folder / name}' is ")
    assert "cut off or is no JSON (" in said or said.endswith("expected a JSON array of products")
    if damage == "cut":
        assert said.endswith("; fetch it again (agentr data get webshop) or correct it")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (PRODUCTS, {"B1": {}}, "a JSON array of products"),
        (PRODUCTS, [1, 2], "products, each an object with a text 'asin'"),
        (PRODUCTS, [{"name": "Lamp"}], "products, each an object with a text 'asin'"),
        (ENTRIES, ["B1"], "a JSON object that maps ASINs to entries"),
        (HUMAN, [], "a JSON object that maps ASINs to entries"),
        (HUMAN, {"B1": [{"text": "?"}]}, "instructions with their attributes and options ('instruction')"),
    ],
)
def test_foreign_json(write: Write, name: str, content: Any, expected: str) -> None:
    folder = write()
    (folder / name).write_text(json.dumps(content))
    assert message(folder) == f"'{folder / name}' is not a WebShop file: expected {expected}"


def test_a_file_without_products(write: Write) -> None:
    folder = write([])
    assert message(folder) == f"'{folder / PRODUCTS}' holds no products; {FETCH}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": None}, "it has no title ('name')"),
        ({"pricing": "$1.2.3"}, "its price '$1.2.3' is no amount"),
        ({"customization_options": {"Color": [{"image": None}]}}, "its options are no groups of values"),
        ({"customization_options": "red"}, "its options are no groups of values"),
        ({"customization_options": {"Color": ["red"]}}, "its options are no groups of values"),
        ({"images": 5}, "TypeError: 'int' object is not subscriptable"),
    ],
)
def test_a_product_that_cannot_be_used_is_named(write: Write, change: dict[str, Any], said: str) -> None:
    folder = write([{**LAMP, **change}])
    assert message(folder) == (
        f"product B000000001 in '{folder / PRODUCTS}' cannot be used: {said}; correct or remove it"
    )


def test_a_line_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / ENTRIES).write_text("{}")
    (tmp_path / "products.jsonl").write_text(json.dumps({"asin": "B1", "Title": "Lamp"}) + "\n{\n")
    assert "products.jsonl' is cut off or is no JSON (line 2: " in message(tmp_path)
