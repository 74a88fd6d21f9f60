"""The space of all texts."""

from __future__ import annotations

import string
from typing import Any

from gymnasium import spaces

_SAMPLED = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


class AnyText(spaces.Text):
    """Every text is in it, whatever its characters; samples are short and of plain ones."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(max_length=80, min_length=0, charset=_SAMPLED, seed=seed)

    def contains(self, x: Any) -> bool:
        """True for any text."""
        return isinstance(x, str)

    def __repr__(self) -> str:
        return "AnyText()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyText)

    def __hash__(self) -> int:
        return hash(AnyText)
