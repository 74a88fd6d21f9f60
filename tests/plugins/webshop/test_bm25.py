"""Rankings: Lucene's order to the last place, ties included."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agentr_webshop import bm25, index_files
from agentr_webshop.bm25 import Index, search_index
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.postings import Postings, build_postings, rounded_length
from agentr_webshop.product import Catalogue
from webshop_products import product


def index_of(*titles: str) -> Index:
    return Index(build_postings([product(f"A{number}", title) for number, title in enumerate(titles)]))


def test_the_golden_rankings_are_those_of_this_catalogue(generated: Catalogue, golden: dict[str, Any]) -> None:
    assert golden["version"] == generated.version, "the generator has changed: run golden/webshop_lucene.py"


def test_generated_catalogue_is_ranked_as_lucene_does(generated: Catalogue, golden: dict[str, Any]) -> None:
    index = search_index(generated)
    assert len(golden["rankings"]) > 300
    for query, asins in golden["rankings"]:
        assert [generated.products[hit].asin for hit in index.search(query)] == asins, query


def test_real_products_are_ranked_as_lucene_does(shared: Path, real: Catalogue) -> None:
    index = search_index(real)
    rows = json.loads(gzip.decompress((shared / "lucene_golden.json.gz").read_bytes()))
    assert len(rows) == 4000
    for row in rows:
        assert [real.products[hit].asin for hit in index.search(row["query"])] == [asin for asin, _ in row["top"]]


@pytest.mark.parametrize("query", ["", "   ", "the and of", "?!", "zeppelin"])
def test_nothing_to_look_for_finds_nothing(query: str) -> None:
    assert index_of("red lamp", "blue lamp").search(query) == ()


def test_equal_scores_go_by_asin() -> None:
    products = [product(asin, "red lamp") for asin in ("B2", "B10", "A9", "b1")]
    hits = Index(build_postings(products)).search("lamp")
    assert [products[hit].asin for hit in hits] == ["A9", "B10", "B2", "b1"]


def test_ties_at_the_end_of_the_list_go_by_asin() -> None:
    products = [product(f"P{number:03}", "red lamp") for number in reversed(range(120))]
    hits = Index(build_postings(products)).search("lamp")
    assert [products[hit].asin for hit in hits] == [f"P{number:03}" for number in range(50)]


def test_rare_words_repeated_words_and_short_documents_count_more() -> None:
    index = index_of("lamp lamp shade", "lamp shade", "lamp shade for a very long wooden table of oak", "table")
    assert index.search("lamp")[0] == 0
    assert index.search("shade")[:1] == (1,)
    assert index.search("oak lamp")[0] == 2
    assert index.search("lamp table table table")[0] == 3


def test_only_the_first_bullet_is_searched() -> None:
    index = Index(build_postings([product("A", "lamp", bullets=("of oak", "of pine"), options={"colour": ("teal",)})]))
    assert index.search("oak") == index.search("teal") == (0,)
    assert index.search("pine") == ()


def test_k_limits_the_hits() -> None:
    index = index_of(*["red lamp"] * 9)
    assert len(index.search("lamp", k=3)) == 3
    assert index.search("lamp", k=0) == ()


def test_empty_documents_do_not_count() -> None:
    with_empty, without = index_of("red lamp", "blue table", "the"), index_of("red lamp", "blue table")
    assert with_empty.postings.idfs.tolist() == without.postings.idfs.tolist()
    assert with_empty.postings.saturations.tolist() == without.postings.saturations.tolist()


def test_a_catalogue_without_a_word_can_be_searched() -> None:
    assert index_of("the", "of").search("lamp") == ()


def test_a_search_as_long_as_a_book_is_answered() -> None:
    assert index_of("red lamp", "table").search("lamp chair " * 10_000) == (0,)


def test_lengths_are_rounded_as_lucene_rounds_them() -> None:
    kept = [length for length in range(200) if rounded_length(length) == length]
    assert kept == [*range(40), *range(40, 56, 2), *range(56, 88, 4), *range(88, 152, 8), *range(152, 200, 16)]
    assert rounded_length(151) == 144


def test_one_index_for_a_catalogue(generated: Catalogue) -> None:
    assert search_index(generated) is search_index(generated)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path))
    monkeypatch.setattr(bm25, "MAPPED_FROM", 1)
    monkeypatch.setattr(bm25, "_indexes", {})
    return tmp_path


def same(first: Postings, second: Postings) -> bool:
    arrays = ("starts", "documents", "saturations", "idfs", "ranks")
    return first.vocabulary == second.vocabulary and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays
    )


def test_a_large_catalogue_is_mapped_from_the_cache(cache: Path) -> None:
    catalogue = load_catalogue(size=60, seed=5)
    index = search_index(catalogue)
    assert isinstance(index.postings.documents, np.memmap)
    assert same(index.postings, build_postings(catalogue.products))
    folder = index_files.index_folder(catalogue)
    assert folder.parent == cache / "webshop" and catalogue.version in folder.name
    assert not [path.name for path in folder.parent.iterdir() if path.name.startswith(".index-")]


def test_an_index_in_the_cache_is_not_built_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = load_catalogue(size=60, seed=5)
    before = search_index(catalogue).search("lamp table")
    monkeypatch.setattr(bm25, "_indexes", {})
    monkeypatch.setattr(index_files, "build_postings", lambda products: pytest.fail("built again"))
    assert search_index(catalogue).search("lamp table") == before


BUILDER = """
import sys
from agentr_webshop import bm25, index_files
from agentr_webshop.catalogue import load_catalogue
build, bm25.MAPPED_FROM = index_files.build_postings, 1
def counted(products):
    print("built")
    return build(products)
index_files.build_postings = counted
print(len(bm25.search_index(load_catalogue(size=60, seed=5))))
"""


def test_processes_that_start_together_build_once(cache: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", BUILDER], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [worker.communicate()[0].split() for worker in workers]
    assert sorted(said, key=len) == [["60"], ["60"], ["built", "60"]]


@pytest.mark.parametrize("damage", ["cut", "missing", "foreign", "other"])
def test_a_damaged_index_is_built_again(cache: Path, damage: str) -> None:
    catalogue = load_catalogue(size=60, seed=5)
    index_files.kept_postings(catalogue)
    file = index_files.index_folder(catalogue) / "documents.npy"
    whole = file.read_bytes()
    file.unlink()  # a new file: the old one may still be mapped
    if damage == "cut":
        file.write_bytes(whole[:-8])
    elif damage == "foreign":
        file.write_bytes(b"not an array")
    elif damage == "other":
        np.save(file, np.arange(5, dtype=np.int32))
    assert same(index_files.kept_postings(catalogue), build_postings(catalogue.products))


def test_a_cache_that_cannot_be_written_is_a_warning(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path / "file"))
    with caplog.at_level("WARNING", "agentr.webshop"):
        assert search_index(load_catalogue(size=60, seed=5)).search("lamp")
    assert "the search index cannot be kept in" in caplog.text
