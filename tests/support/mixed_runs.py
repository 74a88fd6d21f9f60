"""Runs over TextCraft and WebShop at once: one with a scripted expert that errs, one that trains as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from learning import write_model

import agentr_core
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run

WORLDS: dict[str, dict[str, Any]] = {
    "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 14},
    "webshop": {"products": 60, "max_steps": 14},
}


def configure(env: str, **changes: Any) -> agentr_core.RunConfig:
    settings: dict[str, Any] = {
        "env": env, "policy": "flawed", "trainer": "none", "critic": "actor", "iterations": 1, "seed": 5,
        "flawed": {"rate": 0.5}, "mcts": {"simulations": 4, "samples": 4, "depth": 9}, "search": {"tasks": 5},
        "evaluate": {"tasks": 6, "max_turns": 9, "revision_turns": 9},
    }  # fmt: skip
    own = {name: WORLDS[name] for name in env.split(",") if name in WORLDS}
    return agentr_core.configure(**{**settings, **own, **changes})


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("together") / "agentr.db"
    run(configure("textcraft,webshop"), db=path, progress=Progress(quiet=True))
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over both whose one iteration trains, beside general conversations."""
    folder = tmp_path_factory.mktemp("trained")
    general = folder / "general.jsonl"
    turn = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]}
    general.write_text("".join(json.dumps(turn) + "\n" for _ in range(50)))
    learner = {"model": str(write_model(folder / "base", 0.5))}
    changes = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": learner}
    mixed = {**changes, "data": {"eta": 0.8, "general": str(general)}}
    run(configure("textcraft,webshop", **mixed), db=folder / "agentr.db", progress=Progress(quiet=True))
    return folder / "agentr.db"
