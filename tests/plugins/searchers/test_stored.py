"""Searches that are stopped in the middle of trees and taken up out of the store: the same nodes as in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from interrupting import interrupt
from project_stages import Project, configure

from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import resume
from agentr_core.testing.golden import tree_as_json

SEARCHERS: dict[str, dict[str, Any]] = {
    "branch": {"searcher": "branch", "branch": {"depth": 9, "choose": "spread"}},
    "beam": {"searcher": "beam", "beam": {"depth": 9, "again": 1}},
    "reflect": {"searcher": "reflect", "reflect": {"depth": 9, "reflections": 4}},
    "gumbel": {"mcts": {"simulations": 4, "depth": 9, "selection": "gumbel"}},
}


def grown(project: Project, reference: str) -> tuple[dict[str, Any], dict[str, int]]:
    with project.store() as store:
        run = store.runs.find(reference)
        trees = {row.task: tree_as_json(store.trees.load(row.id)) for row in store.trees.select(run.id)}
        return trees, store.runs.accounts(run.id)[1, "search"]


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_search_that_was_stopped_goes_on_to_the_same_trees(tmp_path: Path, name: str) -> None:
    project, config = Project(tmp_path / "agentr.db"), configure(**SEARCHERS[name], search={"tasks": 4})
    assert interrupt(project, config, ("search",), "search", 1) < 4
    with project.store() as store:
        half = [row.simulations for row in store.trees.select(store.runs.find("last").id)]
    resume("last", db=project.path, progress=Progress(quiet=True))
    project.run(config, "search", name="whole")
    trees, account = grown(project, "whole")
    assert any(0 < done < trees[task]["simulations"] for task, done in zip(trees, half, strict=True))
    with project.store() as store:
        (stopped,) = [row.key for row in store.runs.select() if row.name != "whole"]
    assert grown(project, stopped)[0] == trees
    assert account["drawn"] == account["turns"] + account["duplicates"] > account["turns"]
