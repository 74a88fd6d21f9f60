"""The code of docs/plugins.md is taken as it stands there, and keeps the contracts of its kinds."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from doc_blocks import blocks

import agentr_core
from agentr_core import Checkpoint
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.searchers import SearcherContract
from agentr_core.testing.trainers import TrainerContract

PLACE = Path(__file__).parents[2] / "docs" / "plugins.md"
PAGE = PLACE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module of all the page's code, in a file of its own."""
    folder = tmp_path_factory.mktemp("page")
    code = [block.text for block in blocks(PLACE) if block.language == "python"]
    (folder / "plugins_page.py").write_text("\n\n".join(code), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("plugins_page")


def test_the_searcher_keeps_its_contract(page: ModuleType) -> None:
    SearcherContract(lambda: page.Wander(page.WanderConfig())).verify()


def test_the_critic_keeps_its_contract(page: ModuleType) -> None:
    CriticContract(lambda: page.Hopeless(page.PluginConfig())).verify()


def test_the_trainer_keeps_its_contract(page: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    start = Checkpoint(model=str(tmp_path), base_model=str(tmp_path))
    TrainerContract(lambda: page.Notebook(page.PluginConfig()), start).verify()


def test_a_run_takes_the_searcher_and_the_critic(page: ModuleType, tmp_path: Path) -> None:
    config = agentr_core.configure(
        env={"name": "textcraft", "world": "synthetic"}, policy="flawed", trainer="none",
        searcher={"name": "plugins_page:Wander", "walks": 3}, critic="plugins_page:Hopeless",
        iterations=1, search={"tasks": 3}, evaluate={"tasks": 2, "max_turns": 3},
    )  # fmt: skip
    outcome = agentr_core.run(config, db=tmp_path / "agentr.db")
    with agentr_core.open_store(tmp_path / "agentr.db", read_only=True) as store:
        assert [row.status for row in store.trees.select(outcome.run.id)] == ["done"] * 3


@pytest.mark.parametrize(
    "name",
    ["Node", "expand", "sample", "commit", "blocking", "shares_workers", "version", "restore", "max_observation_chars",
     "parser", "stopping"],
)  # fmt: skip
def test_what_an_author_has_to_know_is_on_the_page(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE)
