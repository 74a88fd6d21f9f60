"""What a catalogue holds: products as the shop's pages show them, and the instructions people wrote for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Product:
    """One product, immutable, as the original environment has it after loading (webshop: ``load_products``).

    ``prices``: the numbers in its price field, two at most; none written means ``(100.0,)``. ``price_tag``: as shown,
    ``"$19.99"`` or ``"$19.99 to $27.99"``. ``options``: group name, lower-cased, to its values in page order.
    ``product_category``: a path, its parts parted by U+203A and spaces. ``instruction`` and ``instruction_attributes``
    are what the synthetic goals are made from; None and empty where the product has none.
    """

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    prices: tuple[float, ...]
    price_tag: str
    category: str
    query: str
    product_category: str
    options: Mapping[str, tuple[str, ...]]
    attributes: tuple[str, ...]
    image: str = ""
    instruction: str | None = None
    instruction_attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HumanInstruction:
    """One instruction a person wrote for a product (``items_human_ins``); ``options`` are bare values."""

    asin: str
    instruction: str
    attributes: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """Products in file order and what belongs to them; shared by all sessions of a process and never changed.

    ``source``: ``"generated"`` or the folder. ``version``: a hash of the content, the same on any machine. ``nouns``:
    by ASIN the nouns and proper nouns of the title, lower-cased, repeats kept; None where the folder has no table of
    them (the reward then takes :func:`agentr_webshop.nouns.guess`).
    """

    products: tuple[Product, ...]
    source: str
    version: str
    human: tuple[HumanInstruction, ...] = ()
    nouns: Mapping[str, tuple[str, ...]] | None = None
    positions: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positions = {product.asin: position for position, product in enumerate(self.products)}
        object.__setattr__(self, "positions", positions)

    def find(self, asin: str) -> Product | None:
        """The product with this ASIN, upper case as in the data; None where there is none."""
        position = self.positions.get(asin)
        return None if position is None else self.products[position]
