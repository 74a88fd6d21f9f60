"""The table of title nouns: spaCy's, as the original's, and taken up by the loader."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.generator import files
from agentr_webshop.product import Catalogue
from agentr_webshop.tagging import MODEL, TABLE, tag_titles

from agentr_core import MissingDependencyError
from agentr_core.cli.main import main

needs_spacy = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("spacy", MODEL)),
    reason="spaCy and its small English model are not installed: pip install 'agentr-core[webshop-nouns]'",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("items_shuffle_1000.json", "items_ins_v2_1000.json", "items_human_ins.json")
    shop = tmp_path / "shop"
    shop.mkdir()
    for name, content in zip(names, files(20, 3), strict=True):
        (shop / name).write_text(json.dumps(content), encoding="utf-8")
    return shop


@needs_spacy
def test_the_originals_titles_get_the_originals_nouns(real: Catalogue) -> None:
    assert real.nouns is not None
    assert {asin: tuple(nouns) for asin, nouns in tag_titles(real.products)} == real.nouns


@needs_spacy
def test_the_command_leaves_a_table_that_the_loader_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["webshop-nouns", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(folder / TABLE) and "tagged" in printed.err
    again = folder.rename(folder.with_name("again"))  # a catalogue is loaded once a process and folder
    catalogue = load_catalogue(str(again))
    assert catalogue.nouns is not None and len(catalogue.nouns) == len(catalogue.products)
    first = catalogue.products[0]
    assert set(catalogue.nouns[first.asin]) <= set(first.title.lower().replace(",", " ").split()) | {""}
    assert main(["webshop-nouns", str(again)]) == 2
    assert "has a table of nouns already" in capsys.readouterr().err


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["webshop-nouns", str(tmp_path / "nowhere")]) == 2
    assert "is no folder; name one with WebShop's files" in capsys.readouterr().err


def test_without_spacy_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'agentr-core\[webshop-nouns\]'"):
        next(tag_titles([]))
