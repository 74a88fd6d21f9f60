from __future__ import annotations

from dataclasses import replace

from agentr_webshop.pages import Pages, RichStyle, TextStyle
from agentr_webshop.product import Catalogue
from webshop_shop import KETTLE, SHIRT, SMALL

TEXT, RICH = Pages(SMALL, "text"), Pages(SMALL, "text_rich")
HEAD = "Instruction: [SEP] buy it [SEP] Back to Search [SEP] "
SHIRT_AT, KETTLE_AT = SMALL.positions["B000SHIRT1"], SMALL.positions["B000KETTLE"]


def test_nodes_of_spaces_follow_the_html_parser() -> None:
    piece = TextStyle().piece
    assert [piece(text) for text in ("", " \n ", " \t", "\u00a0", " a ")] == ["", "", " [SEP] ", " [SEP] ", " [SEP] a"]
    assert [RichStyle().piece(text) for text in ("", " \n ", " \t", " a ")] == ["", "", " \n", " a \n"]


def test_index() -> None:
    assert TEXT.index("buy it") == "WebShop [SEP] Instruction: [SEP] buy it [SEP] Search"
    assert RICH.index("buy it") == "WebShop\nInstruction: \nbuy it\n[button] Search [button_]\n"


def test_results() -> None:
    first = TEXT.results("buy it", (SHIRT_AT,), 1, 1)
    row = "B000SHIRT1 [SEP] Linen Shirt for Men [SEP] $19.99"
    assert first == f"{HEAD}Page 1 (Total results: 1) [SEP] Next > [SEP] {row}"
    assert TEXT.results("buy it", (), 6, 50) == HEAD + "Page 6 (Total results: 50) [SEP] < Prev [SEP] Next >"
    rich = RICH.results("buy it", (SHIRT_AT, KETTLE_AT), 2, 12, frozenset({KETTLE_AT}))
    assert rich.endswith(
        "Page 2 (Total results: 12)\n[button] < Prev [button_]\n[button] Next > [button_]\n"
        "\n[button] B000SHIRT1 [button_]\nLinen Shirt for Men\n$19.99\n"
        "\n[clicked button] B000KETTLE [clicked button_]\nSteel Kettle\n$5.0 to $25.0\n"
    )


def test_strict_pages_end() -> None:
    strict = Pages(SMALL, "text", last_page=True)
    assert [strict.has_next(number, 20) for number in (1, 2)] == [True, False]
    assert "Next >" not in strict.results("buy it", (), 1, 0)


def test_item() -> None:
    item = TEXT.item("buy it", SHIRT_AT, {"color": "washed"}, "")
    assert item == HEAD + (
        "< Prev [SEP] color [SEP] navy blue [SEP] light blue [SEP] washed [SEP] size [SEP] small [SEP] large [SEP] "
        "x [tall] [SEP] Linen Shirt for Men [SEP] Price: $19.99 [SEP] Rating: N.A. [SEP] Description [SEP] Features "
        "[SEP] Reviews [SEP] Buy Now"
    )
    assert "Reviews [SEP] Attributes [SEP] Buy" in Pages(SMALL, "text", show_attrs=True).item("", SHIRT_AT, {}, "")


def test_rich_item_marks_what_the_original_finds_in_its_url() -> None:
    plain = RICH.item("buy it", SHIRT_AT, {}, "shirts")
    assert "\ncolor\n  [button] navy blue [button_]\n" in plain and "clicked" not in plain
    chosen = RICH.item("buy it", SHIRT_AT, {"color": "washed", "size": "small"}, "shirts")
    assert chosen.startswith("You have clicked small.\nYou have clicked washed.\nInstruction:\n")
    assert "  [clicked button] washed [clicked button_]\n" in chosen and "  [button] navy blue [button_]\n" in chosen
    # A word in quotes looks like an option's value there; a value with a quote in it never does.
    assert "[clicked button] small" in RICH.item("buy it", SHIRT_AT, {}, 'a "small" shirt')
    inch = replace(SHIRT, options={"size": ('28" x 28"',)})
    pages = Pages(Catalogue((inch,), "test", "inch"), "text_rich")
    assert "clicked" not in pages.item("buy it", 0, {"size": '28" x 28"'}, "")


def test_sub_pages() -> None:
    assert TEXT.sub("buy it", SHIRT_AT, "description") == HEAD + "< Prev [SEP] A shirt & more <b>"
    assert TEXT.sub("buy it", KETTLE_AT, "description") == HEAD + "< Prev"
    # A blank bullet is an empty segment.
    assert TEXT.sub("buy it", SHIRT_AT, "features") == HEAD + "< Prev [SEP] Machine wash [SEP]  [SEP] Loose fit"
    assert TEXT.sub("buy it", SHIRT_AT, "reviews") == HEAD + "< Prev"
    attributes = TEXT.sub("buy it", SHIRT_AT, "attributes")
    assert attributes.endswith("loose fit [SEP] fashion [SEP] men's shirts [SEP] Clothing › Men › Shirts")
    assert RICH.sub("buy it", SHIRT_AT, "features").endswith("[button_]\n Machine wash\n \n  Loose fit \n")


def test_done_shows_the_purchase_and_not_the_goal() -> None:
    done = TEXT.done(SHIRT_AT, {"size": "<b> & 'c'", "color": "é"}, 2 / 3)
    options = '{"color": "\\u00e9", "size": "\\u003cb\\u003e \\u0026 \\u0027c\\u0027"}'
    assert f"asin [SEP] B000SHIRT1 [SEP] options [SEP] {options} [SEP] attrs" in done
    assert "[SEP] 0.6666666666666666 [SEP] Reward Details [SEP] None" in done and "buy it" not in done
    assert KETTLE.asin not in done
