"""A catalogue of our own, grown from a seed: it ships as this program, not as data.

It is made in the form of the original's files and goes through the same loader, so whatever happens to scraped data
happens here. Product ``number`` depends on the seed and the number alone: a larger catalogue begins with the smaller
one. Ordinary products come from :mod:`agentr_webshop.grammar`; odd ones come round at fixed intervals
(:mod:`agentr_webshop.oddities`), so that a few hundred products show every rule of the shop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentr_core import derive_rng, derive_seed
from agentr_webshop import oddities
from agentr_webshop.grammar import BRAND_ENDS, BRAND_MIDDLES, BRAND_STARTS, DEPARTMENTS, NOUNS, OPTIONS
from agentr_webshop.loading import Contents, from_raw, human_instructions
from agentr_webshop.sampling import Sampler

#: Every so many numbers a product repeats the one before it in all but the ASIN.
TWINS = 31
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: ASINs are "G0" and eight characters; stepping by a number without a common factor never repeats one.
_ASINS, _STRIDE = len(_ALPHABET) ** 8, 1_580_030_168_701
_WORD = re.compile(r"[^\W_]+")


def generate(size: int, seed: int) -> Contents:
    """``size`` products with instructions, human instructions and the nouns of their titles."""
    entries: dict[str, Any] = {}
    human: dict[str, list[dict[str, Any]]] = {}
    products = tuple(from_raw(_records(size, seed, entries, human), entries, Path("generated")))
    written = tuple(row for asin, rows in human.items() for row in human_instructions(asin, rows))
    return Contents(products, written, {product.asin: title_nouns(product.title) for product in products})


def files(size: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """The same catalogue as the original's three files hold theirs: products, attributes by ASIN, human by ASIN."""
    entries: dict[str, Any] = {}
    human: dict[str, list[dict[str, Any]]] = {}
    return list(_records(size, seed, entries, human)), entries, human


def title_nouns(title: str) -> tuple[str, ...]:
    """The nouns and proper nouns of a generated title, lower-cased, in order, repeats kept."""
    words = (word.lower() for word in _WORD.findall(title))
    return tuple(word for word in words if word in NOUNS or _is_brand(word))


def asin_of(number: int, seed: int) -> str:
    """The ASIN of a product; their order has nothing to do with the numbers."""
    rest, text = (_first_asin(seed) + number * _STRIDE) % _ASINS, ""
    for _ in range(8):
        rest, digit = divmod(rest, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return "G0" + text


@lru_cache
def _first_asin(seed: int) -> int:
    return derive_seed(seed, "webshop", "asin")


def _records(
    size: int, seed: int, entries: dict[str, Any], human: dict[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Scraped records in file order, some of which the loader skips; fills ``entries`` and ``human`` as it goes."""
    for number in range(size):
        asin = asin_of(number, seed)
        record, entry, written = _product(number, seed)
        if entry is not None:
            entries[asin] = entry
        if written:
            human[asin] = [{"asin": asin, **row} for row in written]
        yield {"asin": asin, **record}
        yield from oddities.to_be_skipped(number, asin, record)


def _product(number: int, seed: int) -> tuple[dict[str, Any], dict[str, Any] | None, list[dict[str, Any]]]:
    """A record without its ASIN, its entry of attributes (None where it has none) and its human instructions."""
    if number % TWINS == TWINS - 1:
        number -= 1
    make = Sampler(derive_rng(seed, "webshop", "product", number))
    department = make.pick(DEPARTMENTS)
    kind = make.pick(department.kinds)
    brand = make.pick(BRAND_STARTS) + make.pick(BRAND_MIDDLES) + make.pick(BRAND_ENDS)
    attributes = make.some(department.attributes, 1, 6)
    material, use = make.pick(department.materials), make.pick(department.uses)
    noun = kind.noun.lower()
    title = f"{brand} {make.pick(department.adjectives)} {material} {kind.noun}"
    title += make.pick(("", f" for {use.title()}", f", {attributes[0].title()}", f" - {attributes[-1].title()} Series"))
    record: dict[str, Any] = {
        "name": title,
        "category": department.category,
        "query": kind.query,
        "product_category": kind.path,
        "full_description": _description(make, brand, noun, material, use, attributes),
        "small_description": _bullets(make, noun, material, use, attributes),
        "pricing": money(5 + 395 * make.share() ** 2),
        "customization_options": _options(make, kind.groups),
        "images": [f"https://example.org/images/{number}.jpg"],
    }
    entry: dict[str, Any] = {"attributes": attributes}
    if make.share() < 0.6:
        wanted = make.some(attributes, 1, 3)
        entry |= {"instruction": f"Find me {', '.join(wanted)} {kind.query}", "instruction_attributes": wanted}
    changed = oddities.change(number, record, entry, kind)
    written = oddities.human(number, make, noun, attributes, record["customization_options"] or {})
    return record, changed, written


def _description(make: Sampler, brand: str, noun: str, material: str, use: str, attributes: list[str]) -> str:
    first, last = attributes[0], attributes[-1]
    sentences = (
        f"This {noun} from {brand} is {first} and made with {material.lower()}.",
        f"It was designed for {use}, and customers tell us that it is {last}.",
        f"{brand} has been making every {noun} by hand since {1900 + make.below(120)}.",
        f"Whether for {use} or as a present, our {noun} is the right choice.",
        f"What you get: one {noun}, a box and the promise that it stays {first}.",
        f"Please allow {1 + make.below(9)} days for delivery and a difference of {1 + make.below(5)}% in measure.",
        f"The {material.lower()} is chosen with care; no two pieces are alike.",
        f"Don't hesitate to write to us if your {noun} isn't what you've been looking for.",
    )
    return " ".join(make.some(sentences, 4, 8))


def _bullets(make: Sampler, noun: str, material: str, use: str, attributes: list[str]) -> list[str]:
    bullets = (
        f"Material: {material}, {', '.join(attributes)} ",
        f"{attributes[0].upper()} - a {noun} that you'll use every day, at home and on the way ",
        f"Made for {use}: light, strong and easy to store ",
        f"Weighs {1 + make.below(40)}.{make.below(10)} ounces; is {2 + make.below(30)} x {2 + make.below(30)} inches ",
        "Not satisfied? Send it back within 30 days and we'll return what you paid ",
    )
    return make.some(bullets, 1, 5)


def _options(make: Sampler, groups: Iterable[str]) -> dict[str, Any]:
    """None to all of a kind's option groups, with a few values each."""
    chosen = [group for group in groups if make.share() < 0.45]
    return {OPTIONS[group][0]: [_value(value) for value in make.some(OPTIONS[group][1], 2, 5)] for group in chosen}


def _value(value: str) -> dict[str, Any]:
    return {"value": value, "is_selected": False, "is_available": True, "image": None}


def money(amount: float) -> str:
    """An amount as shops write it: ``$1,299.00``."""
    return f"${amount:,.2f}"


def _is_brand(word: str) -> bool:
    return word.startswith(_STARTS) and word.endswith(_ENDS)


_STARTS = tuple(start.lower() for start in BRAND_STARTS)
_ENDS = tuple(middle + end for middle in BRAND_MIDDLES for end in BRAND_ENDS)
