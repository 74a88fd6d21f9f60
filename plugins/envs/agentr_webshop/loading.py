"""Products from files: the original's raw layout, and the reduced layout of one loaded product a line.

Raw (what WebShop's setup script and ``agentr data get webshop`` leave)::

    items_shuffle.json   or items_shuffle_1000.json     products as they were scraped
    items_ins_v2.json    or items_ins_v2_1000.json      attributes and synthetic instructions by ASIN
    items_human_ins.json                                instructions that people wrote, by ASIN (optional)

Reduced::

    products*.jsonl                                     products as the original has them after loading
    items_ins_v2*.json                                  as above
    human_goals_small*.json                             a list of what people wrote, with ASINs (optional)

Both may have ``title_nouns*.json``: the nouns and proper nouns of each title by ASIN. What a record lacks is filled in
as the original's ``load_products`` does; where that would crash and no default is plain, the message names the product.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agentr_core import UsageError
from agentr_webshop.product import HumanInstruction, Product
from agentr_webshop.reading import foreign, read_array, read_json, read_lines, read_object

#: What the original puts where a product has no entry of attributes.
NO_ATTRIBUTES = ("DUMMY_ATTR",)
NO_PRICE = (100.0,)
_MONEY = re.compile(r"[^\d.]")
_LAYOUTS = "items_shuffle.json or items_shuffle_1000.json (the original files) or products*.jsonl (the reduced layout)"

Raw = Mapping[str, Any]


class Contents(NamedTuple):
    """What the files of a catalogue hold; products in file order, human instructions in the order of the products."""

    products: tuple[Product, ...]
    human: tuple[HumanInstruction, ...]
    nouns: Mapping[str, tuple[str, ...]] | None


def load_path(path: Path) -> Contents:
    """Load a folder, or the folder around a product file that is named itself.

    UsageError where there is no such place, a file is missing, cut off or foreign, or a product cannot be used.
    """
    folder, products = (path.parent, path) if path.is_file() else (path, _product_file(path))
    entries = read_object(_entry_file(products))
    reduced = products.suffix == ".jsonl"
    found = tuple(from_reduced(products, entries) if reduced else from_raw(read_array(products), entries, products))
    if not found:
        raise UsageError(f"'{products}' holds no products; {_fetch()}")
    human = (_human_list if reduced else _human_object)(folder)
    return Contents(found, tuple(_in_order(found, human)), _nouns(folder))


def from_raw(records: Iterable[Any], entries: Mapping[str, Any], origin: Path) -> Iterator[Product]:
    """Products from scraped records and their entries of attributes (webshop: ``load_products``).

    Records whose ASIN is ``nan``, longer than ten characters or repeated are skipped. ``origin`` is named in messages.
    """
    seen: set[str] = set()
    for record in records:
        asin = _asin(record, origin)
        if asin == "nan" or len(asin) > 10 or asin in seen:
            continue
        seen.add(asin)
        try:
            yield _raw_product(asin, record, _entry(entries, asin))
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise _odd(asin, origin, error) from None


def from_reduced(path: Path, entries: Mapping[str, Any]) -> Iterator[Product]:
    """Products that the original's ``load_products`` has been through, one a line."""
    for record in read_lines(path):
        asin = _asin(record, path)
        try:
            yield _reduced_product(asin, record, _entry(entries, asin))
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise _odd(asin, path, error) from None


def _raw_product(asin: str, record: Raw, entry: Raw) -> Product:
    prices, tag = parse_price(record.get("pricing"))
    images = record.get("images") or ("",)
    return Product(
        asin=asin,
        title=_title(record, "name"),
        description=record.get("full_description") or "",
        bullets=_bullets(record.get("small_description")),
        prices=prices,
        price_tag=tag,
        category=record.get("category") or "",
        query=(record.get("query") or "").lower().strip(),
        product_category=record.get("product_category") or "",
        options=_options(record.get("customization_options") or {}),
        attributes=tuple(entry["attributes"]) if "attributes" in entry else NO_ATTRIBUTES,
        image=images[0] or "",
        **_instruction(entry),
    )


def _reduced_product(asin: str, record: Raw, entry: Raw) -> Product:
    prices = tuple(float(price) for price in record.get("pricing") or NO_PRICE)[:2]
    return Product(
        asin=asin,
        title=_title(record, "Title"),
        description=record.get("Description") or "",
        bullets=_bullets(record.get("BulletPoints")),
        prices=prices,
        price_tag=record.get("Price") or price_tag(prices),
        category=record.get("category") or "",
        query=(record.get("query") or "").lower().strip(),
        product_category=record.get("product_category") or "",
        options={name: tuple(values) for name, values in (record.get("options") or {}).items()},
        attributes=tuple(record.get("Attributes", entry.get("attributes", NO_ATTRIBUTES))),
        image=record.get("MainImage") or "",
        **_instruction(entry),
    )


def parse_price(text: str | None) -> tuple[tuple[float, ...], str]:
    """A scraped price as numbers, two at most, and as the shop shows it.

    ``"$1,299.00"`` is ``((1299.0,), "$1299.0")``; nothing written, or no amount behind a dollar sign, is $100.
    ValueError for an amount that is no number.
    """
    amounts = [_MONEY.sub("", part) for part in (text or "").split("$")[1:]]
    try:
        prices = tuple(float(amount) for amount in amounts if amount)[:2] or NO_PRICE
    except ValueError:
        raise ValueError(f"its price '{text}' is no amount") from None
    return prices, price_tag(prices)


def price_tag(prices: tuple[float, ...]) -> str:
    """``"$19.99"`` or ``"$19.99 to $27.99"``; numbers as Python writes them, like the original."""
    return " to ".join(f"${price}" for price in prices)


def human_instructions(asin: str, records: Iterable[Raw]) -> Iterator[HumanInstruction]:
    """What people wrote for one product; a goal is made of the attributes and options *of the instruction*."""
    for record in records:
        yield HumanInstruction(
            asin=asin,
            instruction=record["instruction"],
            attributes=tuple(record["instruction_attributes"]),
            options=tuple(record["instruction_options"]),
        )


def _options(groups: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Groups with their values as the pages show them; a group that is null is left out."""
    try:
        return {
            name.lower(): tuple([value["value"].strip().replace("/", " | ").lower() for value in values])
            for name, values in groups.items()
            if values is not None
        }
    except (AttributeError, KeyError, TypeError):
        raise ValueError("its options are no groups of values") from None


def _bullets(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (str(value),)


def _instruction(entry: Raw) -> dict[str, Any]:
    return {
        "instruction": entry.get("instruction"),
        "instruction_attributes": tuple(entry.get("instruction_attributes") or ()),
    }


def _title(record: Raw, key: str) -> str:
    title = record.get(key)
    if not isinstance(title, str):
        raise ValueError(f"it has no title ('{key}')")
    return title


def _asin(record: Any, origin: Path) -> str:
    asin = record.get("asin") if isinstance(record, dict) else None
    if not isinstance(asin, str):
        raise foreign(origin, "products, each an object with a text 'asin'")
    return asin


def _entry(entries: Mapping[str, Any], asin: str) -> Raw:
    entry: Raw = entries.get(asin) or {}
    return entry


def _odd(asin: str, origin: Path, error: Exception) -> UsageError:
    what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return UsageError(f"product {asin} in '{origin}' cannot be used: {what}; correct or remove it")


def _human_object(folder: Path) -> Iterator[HumanInstruction]:
    path = folder / "items_human_ins.json"
    if path.is_file():
        for asin, records in read_object(path).items():
            yield from _checked(path, human_instructions(asin, records))


def _human_list(folder: Path) -> Iterator[HumanInstruction]:
    for path in sorted(folder.glob("human_goals_small*.json")):
        for record in read_json(path):
            yield from _checked(path, human_instructions(record["asin"], [record]))


def _checked(path: Path, instructions: Iterator[HumanInstruction]) -> Iterator[HumanInstruction]:
    try:
        yield from instructions
    except (KeyError, TypeError) as error:
        raise foreign(path, f"instructions with their attributes and options ({error})") from None


def _in_order(products: Iterable[Product], instructions: Iterable[HumanInstruction]) -> Iterator[HumanInstruction]:
    """The instructions for these products, product by product as the original goes through them."""
    found: dict[str, list[HumanInstruction]] = {}
    for instruction in instructions:
        found.setdefault(instruction.asin, []).append(instruction)
    for product in products:
        yield from found.get(product.asin, ())


def _nouns(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    paths = sorted(folder.glob("title_nouns*.json"))
    if not paths:
        return None
    return {asin: tuple(words) for asin, words in read_object(paths[0]).items()}


def _product_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"there is no folder '{folder}' with WebShop's files; {_fetch()}")
    found = [*sorted(folder.glob("items_shuffle*.json")), *sorted(folder.glob("products*.jsonl"))]
    if not found:
        raise UsageError(f"'{folder}' has no product file: expected {_LAYOUTS}; {_fetch()}")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(f"'{folder}' has several product files ({names}): name the one to use, '{found[0]}'")
    return found[0]


def _entry_file(products: Path) -> Path:
    """The file of attributes that goes with a product file: ``items_shuffle_1000`` has ``items_ins_v2_1000``."""
    raw = products.stem.startswith("items_shuffle")
    expected = f"items_ins_v2{products.stem.removeprefix('items_shuffle')}.json" if raw else "items_ins_v2*.json"
    found = sorted(products.parent.glob(expected))
    if not found:
        raise UsageError(
            f"'{products.parent}' has no attribute file for {products.name}: expected {expected}; {_fetch()}"
        )
    return found[0]


def _fetch() -> str:
    return "fetch them with: agentr data get webshop"
