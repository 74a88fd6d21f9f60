"""The catalogue that needs no data."""

from __future__ import annotations

from agentr_webshop.loading import Contents


def generate(size: int, seed: int) -> Contents:
    """Placeholder until the generator is in."""
    raise NotImplementedError
