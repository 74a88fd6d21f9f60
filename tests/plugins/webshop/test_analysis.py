"""Index terms: Lucene's, token for token."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from agentr_webshop.analysis import tokens
from agentr_webshop.porter import stem
from agentr_webshop.postings import document
from agentr_webshop.product import Catalogue
from agentr_webshop.words import words
from hypothesis import given
from hypothesis import strategies as st


def test_texts_are_analysed_as_lucene_does(golden: dict[str, Any]) -> None:
    assert len(golden["tokens"]) > 100
    for text, expected in golden["tokens"]:
        assert tokens(text) == expected, text


def test_queries_on_real_products_are_analysed_as_lucene_does(shared: Path) -> None:
    rows = json.loads(gzip.decompress((shared / "lucene_golden.json.gz").read_bytes()))
    assert len(rows) == 4000
    assert [row["query"] for row in rows if tokens(row["query"]) != row["tokens"]] == []


def test_real_products_are_analysed_as_lucene_does(shared: Path, real: Catalogue) -> None:
    expected = json.loads(gzip.decompress((shared / "lucene_doc_tokens.json.gz").read_bytes()))
    assert len(expected) == 1000
    assert [p.asin for p in real.products if tokens(document(p)) != expected[p.asin]] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("description:solid", ["description:solid"]),
        ("4.5oz 1,000 U.S.A don't", ["4.5oz", "1,000", "u.s.a", "don't"]),
        ("x-large", ["x", "larg"]),
        ("James's children’s", ["jame", "children"]),
        ("the of a", []),
        ("us technology technologies", ["us", "technolog", "technolog"]),
        ("Lamp™ ★ ½ ②", ["lamp", "™", "★"]),
        ("a_b _ 2_", ["a_b", "2_"]),
        ("50%off", ["50", "off"]),
        ("日本 カタカナ", ["日", "本", "カタカナ"]),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_long_words_are_cut_as_lucene_cuts_them() -> None:
    assert [len(word) for word in words("x" * 600)] == [255, 255, 90]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"), ("ponies", "poni"), ("ties", "ti"), ("feed", "feed"), ("agreed", "agre"),
        ("plastered", "plaster"), ("sing", "sing"), ("conflated", "conflat"), ("hopping", "hop"), ("falling", "fall"),
        ("fizzed", "fizz"), ("filing", "file"), ("happy", "happi"), ("sky", "sky"), ("conformabli", "conform"),
        ("archaeologi", "archaeolog"), ("relational", "relat"), ("adoption", "adopt"), ("controll", "control"),
        ("roll", "roll"), ("cease", "ceas"), ("rate", "rate"), ("as", "as"), ("yoyo", "yoyo"), ("4.5oz", "4.5oz"),
    ],
)  # fmt: skip
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize("text", ["_" * 100_000, "é" + "_" * 100_000, "\u200d" * 100_000, "#" * 100_000, "a:" * 50_000])
def test_a_hundred_thousand_signs_take_no_longer_than_their_number(text: str) -> None:
    assert len(tokens(text)) <= 393


@given(st.text())
def test_any_text_has_words_that_stand_in_it_in_order(text: str) -> None:
    at = 0
    for word in words(text):
        found = text.find(word, at)
        assert found >= 0
        at = found + len(word)


@given(st.text(st.characters(max_codepoint=127)))
def test_both_patterns_agree_on_plain_text(text: str) -> None:
    assert words(f"{text} é") == [*words(text), "é"]
