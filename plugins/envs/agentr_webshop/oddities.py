"""What is odd in scraped catalogues, each at a fixed interval of product numbers.

The intervals have no common factor, so in time every oddity of prices meets every oddity of options, texts and
attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agentr_webshop.grammar import NOT_SAME, SAME, Kind
from agentr_webshop.sampling import Sampler

Record = dict[str, Any]

#: Prices by number mod 20: none in two ways, ranges, three amounts, and so high that few or no ceilings lie above.
PRICES: dict[int, str | None] = {
    0: None, 1: "", 2: "$19.99 to $27.99", 3: "$8.50 - $35", 4: "$1,299.00", 5: "$965.00", 6: "$985.50",
    7: "$10.00 $12.50 $99.00", 8: "$975.00",
}  # fmt: skip


def change(number: int, record: Record, entry: Record, kind: Kind) -> Record | None:
    """Make a product odd where its number says so; returns its entry of attributes, None for none."""
    if number % 20 in PRICES:
        record["pricing"] = PRICES[number % 20]
    for interval, changes in ((23, OPTIONS), (29, TEXTS)):
        if number % interval in changes:
            changes[number % interval](record, kind)
    return _attributes(number, record, entry)


def to_be_skipped(number: int, asin: str, record: Record) -> Iterator[Record]:
    """Records that a loader leaves out: no ASIN, one that is too long, one that was there before."""
    if number % 37 == 5:
        yield {**record, "asin": "nan", "name": "A record without a number"}
    if number % 37 == 6:
        yield {**record, "asin": f"{asin}-2", "name": "A record with a long number"}
    if number % 37 == 7:
        yield {**record, "asin": asin, "name": "A record that repeats a number"}


def human(number: int, make: Sampler, noun: str, attributes: list[str], options: Record) -> list[Record]:
    """What people wrote for every eleventh product: sometimes two texts, sometimes one without attributes."""
    if number % 11 != 4:
        return []
    wanted = make.some(attributes, 1, 2)
    values = [make.pick(group)["value"].strip().replace("/", " | ").lower() for group in options.values() if group]
    text = f"i am looking for a {noun} that is {' and '.join(wanted)}" + "".join(f", in {value}" for value in values)
    rows = [_instruction(f"{text}.", wanted, values)]
    if number % 22 == 4:
        rows.append(_instruction(f"i need a {wanted[0]} {noun}", wanted[:1], []))
    if number % 33 == 4:
        rows.append(_instruction(f"show me any {noun}..", [], values))
    return rows


def _instruction(text: str, attributes: list[str], options: list[str]) -> Record:
    return {
        "instruction": text,
        "attributes": attributes,
        "options": options,
        "instruction_attributes": attributes,
        "instruction_options": options,
    }


def _attributes(number: int, record: Record, entry: Record) -> Record | None:
    """Attributes by number mod 19."""
    case, wanted = number % 19, list(entry.get("instruction_attributes", ()))
    if case == 0:
        return None
    if case == 1:
        return {"attributes": []}
    if case == 2:  # what is asked for stands in the title alone, then in a bullet, then in the description
        record["name"] += " Handmade Gift"
        return _asking(entry, record, [*wanted, "handmade gift"])
    if case == 3:
        record["small_description"] = [*_listed(record["small_description"]), "Comes with a spare part "]
        return _asking(entry, record, [*wanted, "spare part"])
    if case == 4:
        record["full_description"] = (record["full_description"] or "") + " Suits a small budget."
        return _asking(entry, record, [*wanted, "small budget"])
    pairs = {5: SAME[0], 6: SAME[1], 7: NOT_SAME[0], 8: NOT_SAME[1]}
    if case in pairs:
        entry = {**entry, "attributes": [*entry["attributes"], pairs[case]]}
        return _asking(entry, record, [*wanted, pairs[case]])
    return entry


def _asking(entry: Record, record: Record, wanted: list[str]) -> Record:
    text = f"Find me {', '.join(wanted)} {record['query']}"
    return {**entry, "instruction": text, "instruction_attributes": wanted}


def _listed(bullets: Any) -> list[str]:
    return list(bullets) if isinstance(bullets, list) else [bullets] if bullets else []


def _group(*values: str) -> list[Record]:
    return [{"value": value, "is_selected": False, "is_available": True, "image": None} for value in values]


def _set(key: str, value: Any) -> Callable[[Record, Kind], None]:
    def changed(record: Record, kind: Kind) -> None:
        record[key] = value

    return changed


def _options(**groups: list[Record] | None) -> Callable[[Record, Kind], None]:
    return _set("customization_options", {name.replace("_", " "): values for name, values in groups.items()})


#: Options by number mod 23.
OPTIONS: dict[int, Callable[[Record, Kind], None]] = {
    0: _set("customization_options", None),
    1: _set("customization_options", {}),
    2: _options(Color=_group("Red", "Blue"), Size=None),
    3: _options(Size=_group("Small/Medium", "Large/X-Large")),
    4: _options(Color=_group("Black", "White"), Trim=_group("Black", "Silver")),
    5: _options(Color=_group("Stonewashed", "Tangerine", "Embroidered")),
    6: _options(Color=_group("Navy Blue", "Light Blue", "Midnight Blue")),
    7: _options(Size=_group("10.5", "11 Wide", '28" x 28"')),
    8: _options(Style=_group("Set [2 pieces]", "Single [1 piece]")),
    9: _options(Color=_group(" Red ", "GREEN"), Size=_group("Small", "Large"), Style=_group("Plain", "Striped")),
    10: _options(Color=_group("Brown-2070", "Grey+Walnut"), Item_Package_Quantity=_group("1", "2")),
    11: _options(Size=_group("One Size", "One Size")),
}


def _rename(make: Callable[[str], str]) -> Callable[[Record, Kind], None]:
    def changed(record: Record, kind: Kind) -> None:
        record["name"] = make(record["name"])

    return changed


def _colons(record: Record, kind: Kind) -> None:
    record["full_description"] = f"Description:{kind.noun}. Size:4.5oz,Weight:1,000 g.Origin:U.S.A"


def _many_nouns(record: Record, kind: Kind) -> None:
    record["name"] += " Accessories Box Set for Travel, Kitchen, Office, Children, Music, School, Gifts, Parties, Lunch"


#: Texts by number mod 29.
TEXTS: dict[int, Callable[[Record, Kind], None]] = {
    0: _set("full_description", ""),
    1: _set("small_description", [""]),
    2: _set("small_description", "One line instead of a list"),
    3: _set("small_description", ["Only one bullet "]),
    4: _rename(lambda name: f"★ {name}™ 🎁"),
    5: _rename(lambda name: name.replace(" ", "’s ", 1) + " Women's"),
    6: _colons,
    7: _set("name", "That Is It"),
    8: _rename(lambda name: f'{name} <New & Improved> "A+"'),
    9: _many_nouns,
    10: _set("images", []),
    11: _set("full_description", "Two  spaces,\na new line\tand a tab; crème brûlée, naïve, 50 ² ½ カタカナ and 日本."),
    12: _set("small_description", []),
    13: _set("full_description", None),
    14: _rename(lambda name: f"  {name} Accessories Set "),
    15: _set("full_description", "Long story: " + "it goes on and on with more of the same fabric and thread; " * 40),
}
