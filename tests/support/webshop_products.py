"""Small products for tests."""

from __future__ import annotations

from collections.abc import Mapping

from agentr_webshop.product import Product


def product(
    asin: str, title: str, *, bullets: tuple[str, ...] = (), options: Mapping[str, tuple[str, ...]] | None = None
) -> Product:
    """A product with nothing but a title, unless more is said."""
    return Product(
        asin=asin, title=title, description="", bullets=bullets, prices=(100.0,), price_tag="$100.0", category="",
        query="", product_category="", options=options or {}, attributes=(),
    )  # fmt: skip
