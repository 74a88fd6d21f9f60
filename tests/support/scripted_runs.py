"""A scripted run from the command line, and its store as text that can be compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from agentr_core import open_store
from agentr_core.store import canonical_dump

SCRIPTED = (
    *("--env", "textcraft", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3"),
    *("--searcher", "mcts", "-o", "mcts.depth=12", "-o", "mcts.simulations=3"),
    *("--policy", "flawed", "-o", "flawed.rate=0.5", "--trainer", "none"),
    *("--tasks", "12", "--iterations", "2", "--eval-tasks", "12", "-o", "evaluate.max_turns=10"),
)
Agentr = Callable[..., "subprocess.CompletedProcess[str]"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agentr_core", *arguments]


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTR_")}
    return {**kept, **extra}


def dump(db: Path) -> list[str]:
    with open_store(db, read_only=True) as store:
        return list(canonical_dump(store))
