"""Pages as the agent reads them, composed directly: the text that the original takes out of its rendered HTML.

A page is a row of pieces (a button, an option, a product link, or plain text). In ``text`` mode the pieces are joined
by ``" [SEP] "``; in ``text_rich`` each is a line that shows what can be clicked and what has been. What does not depend
on the instruction is composed once for each product and shared by all sessions.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from agentr_webshop.product import Catalogue, Product

Mode = Literal["text", "text_rich"]
Kind = Literal["plain", "button", "option", "link"]

BACK, PREV, NEXT, BUY = "back to search", "< prev", "next >", "buy now"
DESCRIPTION, FEATURES, REVIEWS, ATTRIBUTES = "description", "features", "reviews", "attributes"
SUB_PAGES = (DESCRIPTION, FEATURES, REVIEWS, ATTRIBUTES)
PAGE_SIZE = 10
SEPARATOR = " [SEP] "
#: A text node of these alone is one space or one line break to the original's HTML parser.
_ASCII_SPACES = " \n\t\f\r"
_HTML_SAFE = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&'"})


class Style(ABC):
    """How pieces become a page; a piece whose text is empty or only a line break is nothing."""

    def piece(self, text: str, kind: Kind = "plain", *, clicked: bool = False) -> str:
        """One piece of a page."""
        if not text.strip(_ASCII_SPACES):
            if not text or "\n" in text:
                return ""
            text = " "
        return self.shape(text, kind, clicked)

    @abstractmethod
    def shape(self, text: str, kind: Kind, clicked: bool) -> str:
        """A piece that has a text."""

    @abstractmethod
    def page(self, pieces: str) -> str:
        """The page made of joined pieces."""


class TextStyle(Style):
    """``text`` mode: texts alone. Nothing shows which option is chosen."""

    def shape(self, text: str, kind: Kind, clicked: bool) -> str:
        """The stripped text, a separator before it."""
        return SEPARATOR + text.strip()

    def page(self, pieces: str) -> str:
        """Without the first separator."""
        return pieces[len(SEPARATOR) :]


class RichStyle(Style):
    """``text_rich`` mode: a line for each piece."""

    def shape(self, text: str, kind: Kind, clicked: bool) -> str:
        """The text, in ``[button]`` marks where it can be clicked; a product has an empty line above it."""
        if kind == "plain":
            return f"{text}\n"
        mark = "clicked button" if clicked else "button"
        lead = {"button": "", "option": "  ", "link": "\n"}[kind]
        return f"{lead}[{mark}] {text} [{mark}_]\n"

    def page(self, pieces: str) -> str:
        """As they are."""
        return pieces


class Pages:
    """The pages of one catalogue in one mode. ``last_page``: without ``Next >`` where no more results come."""

    def __init__(self, catalogue: Catalogue, mode: Mode, *, show_attrs: bool = False, last_page: bool = False) -> None:
        self._products = catalogue.products
        self._style: Style = TextStyle() if mode == "text" else RichStyle()
        self._rich, self._show_attrs, self._last_page = mode == "text_rich", show_attrs, last_page
        self._rows: dict[tuple[int, bool], str] = {}
        self._items: dict[int, str] = {}
        self._subs: dict[tuple[int, str], str] = {}
        piece = self._style.piece
        self._back, self._prev, self._next = (
            piece(label, "button") for label in ("Back to Search", "< Prev", "Next >")
        )

    def has_next(self, number: int, total: int) -> bool:
        """True where the ``number``-th page of ``total`` results shows ``Next >``; the original always does."""
        return not self._last_page or number * PAGE_SIZE < total

    def index(self, instruction: str) -> str:
        """The start page with its search bar."""
        piece = self._style.piece
        return self._style.page(
            piece("WebShop") + piece("Instruction: ") + piece(instruction) + piece("Search", "button")
        )

    def results(
        self, instruction: str, hits: Sequence[int], number: int, total: int, visited: frozenset[int] = frozenset()
    ) -> str:
        """A page of results: ``hits`` are the positions of its products, ``number`` counts from 1."""
        parts = [self._head(instruction), self._style.piece(f"Page {number} (Total results: {total})")]
        if number > 1:
            parts.append(self._prev)
        if self.has_next(number, total):
            parts.append(self._next)
        parts += [self._row(position, position in visited) for position in hits]
        return self._style.page("".join(parts))

    def item(self, instruction: str, position: int, chosen: Mapping[str, str], words: str) -> str:
        """A product's page. In ``text_rich`` what is chosen is marked, as far as the original sees it (see below)."""
        head = self._head(instruction) + self._prev
        if not self._rich or not (chosen or '"' in words):
            return self._style.page(head + self._middle(position))
        # The original looks for the quoted value in its URL, which holds the search words and the options as JSON. So a
        # word in quotes marks an option, and a value that JSON escapes is never marked.
        location = f"{words.replace(' ', '+')}/{json.dumps(dict(chosen))}"
        product = self._products[position]
        clicked = [
            value for values in product.options.values() for value in values if value and f'"{value}"' in location
        ]
        lines = "".join(f"You have clicked {value}.\n" for value in reversed(clicked))
        return self._style.page(lines + head + self._compose(product, frozenset(clicked)))

    def sub(self, instruction: str, position: int, sub: str) -> str:
        """The page behind one of a product's buttons ``Description``, ``Features``, ``Reviews``, ``Attributes``."""
        body = self._subs.get((position, sub))
        if body is None:
            body = self._subs[position, sub] = self._sub_body(self._products[position], sub)
        return self._style.page(self._head(instruction) + self._prev + body)

    def done(self, position: int, chosen: Mapping[str, str], reward: float) -> str:
        """The page after a purchase. The goal is not shown on it: the original's template gets none."""
        # Flask's tojson: sorted keys, and signs of HTML as \\u escapes.
        options = json.dumps(dict(chosen), sort_keys=True).translate(_HTML_SAFE)
        bought = ("Purchased", "asin", self._products[position].asin, "options", options)
        unknown = ("attrs", "None", "category", "None", "query", "None", "product category", "None")
        target = ("Target", "asin", "options", "attrs", "price upper", "instuction text", "category")
        texts = (
            *("Thank you for shopping with us!", "Your code: ", "None", " (Paste it in your MTurk interface.)"),
            *(*bought, *unknown, *target, "product category", "query", "Goal ", "None"),
            *("Reward", "Your score (min 0.0, max 1.0)", repr(reward), "Reward Details ", "None"),
        )
        return self._style.page(self._join(texts))

    def _head(self, instruction: str) -> str:
        return self._style.piece("Instruction:") + self._style.piece(instruction) + self._back

    def _join(self, texts: Iterable[str]) -> str:
        return "".join(self._style.piece(text) for text in texts)

    def _row(self, position: int, visited: bool) -> str:
        """A product among the results."""
        visited = visited and self._rich
        row = self._rows.get((position, visited))
        if row is None:
            product, piece = self._products[position], self._style.piece
            row = piece(product.asin, "link", clicked=visited) + piece(product.title) + piece(product.price_tag)
            self._rows[position, visited] = row
        return row

    def _middle(self, position: int) -> str:
        """A product's page below ``< Prev`` with nothing chosen."""
        middle = self._items.get(position)
        if middle is None:
            middle = self._items[position] = self._compose(self._products[position], frozenset())
        return middle

    def _compose(self, product: Product, clicked: frozenset[str]) -> str:
        piece = self._style.piece
        parts = []
        for group, values in product.options.items():
            parts.append(piece(group))
            parts += [piece(value, "option", clicked=value in clicked) for value in values]
        parts.append(self._join((product.title, f"Price: {product.price_tag}", "Rating: N.A.")))
        buttons = ["Description", "Features", "Reviews", *(["Attributes"] if self._show_attrs else []), "Buy Now"]
        return "".join([*parts, *(piece(button, "button") for button in buttons)])

    def _sub_body(self, product: Product, sub: str) -> str:
        if sub == DESCRIPTION:
            return self._style.piece(product.description)
        if sub == FEATURES:
            return self._join(f" {bullet}" for bullet in product.bullets)
        if sub == ATTRIBUTES:
            attributes = self._join(f" {attribute}" for attribute in product.attributes)
            return attributes + self._join((product.category, product.query, product.product_category))
        return ""  # reviews: the original never loads any
