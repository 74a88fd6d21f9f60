"""Action correction, as Agent-R's code has it from SwiftSage: do the valid action that shares most words with the text.

Off by default. It keeps the official code's habits: doors can only be opened, and without a shared word the agent's
own text is done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ROOMS = (
    *("art studio", "bathroom", "bedroom", "foundry", "greenhouse", "hallway"),
    *("kitchen", "living room", "outside", "workshop"),
)
_POINTLESS = frozenset(f"focus on {place}" for place in ("agent", "air", *ROOMS))
_OPENING = tuple(f"open door to {room}" for room in ROOMS)
_PUNCTUATION = re.compile(r"[^A-Za-z0-9 ]")


def corrected(action: str, valid: Sequence[str], surroundings: str) -> str:
    """What is done in place of ``action``: an exact match, else the largest overlap in words, the shortest first.

    ``surroundings`` is what the agent sees and carries: only what it names can be focused on.
    """
    wanted = _plain(action)
    choices = [choice for choice in dict.fromkeys([*valid, *_OPENING]) if _allowed(choice, surroundings)]
    words = frozenset(wanted.split())
    best, shared = action, 0
    for choice in sorted(choices, key=len):
        plain = _plain(choice)
        if plain == wanted:
            return choice
        overlap = len(words.intersection(plain.split()))
        if overlap > shared:
            best, shared = choice, overlap
    return best


def _allowed(choice: str, surroundings: str) -> bool:
    if choice in _POINTLESS or ("door" in choice and "open" not in choice):
        return False
    if choice.startswith("focus"):
        return all(word in surroundings for word in choice.removeprefix("focus on ").split())
    return True


def _plain(action: str) -> str:
    return _PUNCTUATION.sub("", action).replace("green house", "greenhouse").strip()
