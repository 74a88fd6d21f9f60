"""A scripted run from the command line, and its store as text that can be compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agentr_core import open_store
from agentr_core.store import canonical_dump

SCRIPTED = (
    *("--env", "textcraft", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3"),
    *("--searcher", "mcts", "-o", "mcts.depth=12", "-o", "mcts.simulations=3", "-o", "mcts.samples=4"),
    *("--policy", "flawed", "-o", "flawed.rate=0.5", "--trainer", "none"),
    *("--tasks", "12", "--iterations", "2", "--eval-tasks", "12", "-o", "evaluate.max_turns=10"),
)
#: Flags of one value that tests set in two places.
VALUED = frozenset(word for word in SCRIPTED if word.startswith("--"))
Agentr = Callable[..., "subprocess.CompletedProcess[str]"]


def command(*arguments: str) -> list[str]:
    """The program with arguments of which a later one takes the place of an earlier one that sets the same."""
    return [sys.executable, "-m", "agentr_core", *last_of_each(arguments)]


def last_of_each(arguments: Sequence[str]) -> list[str]:
    found: dict[str, list[str]] = {}
    words = iter(arguments)
    for number, word in enumerate(words):
        said = [word, next(words, "")] if word == "-o" or word in VALUED else [word]
        key = f"-o {said[-1].partition('=')[0]}" if word == "-o" else word if word in VALUED else f"word {number}"
        found.pop(key, None)
        found[key] = said
    return [word for said in found.values() for word in said]


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTR_")}
    return {**kept, **extra}


def dump(db: Path) -> list[str]:
    with open_store(db, read_only=True) as store:
        return list(canonical_dump(store))
