"""Trees are revised while others still grow: the critic rides along, and nothing else changes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from interrupting import COUNTS, interrupt

FLAKY = """
from agentr_core import Critic, Cut, PluginConfig, PolicyFailure

SEEN = set()

class Flaky(Critic[PluginConfig]):
    config_class = PluginConfig
    async def judge(self, bad, good, context):
        if bad.task.key not in SEEN:
            SEEN.add(bad.task.key)
            raise PolicyFailure("not today")
        return Cut(step=len(bad.steps))
"""
NOTING = """
from agentr_core import Critic, Cut, PluginConfig

SEEN = []

class Noting(Critic[PluginConfig]):
    config_class = PluginConfig
    async def judge(self, bad, good, context):
        SEEN.append(bad.task.key)
        return Cut(step=len(bad.steps))
"""


def test_a_tree_is_revised_before_the_search_is_over(empty, settings) -> None:
    interrupt(empty, settings(concurrency=2), ("search", "revise"), "search", 6)
    with empty.store() as store:
        done, revised = (
            store.connection.one(f"SELECT COUNT(*) FROM {COUNTS[name]}")[0] for name in ("search", "revise")
        )
        stages = {row.stage: row.status for row in store.runs.stages(store.runs.find("last").id)}
    assert stages == {"search": "running"}
    assert 4 <= revised <= done < 10


@pytest.mark.parametrize("after", [4, 5, 6, 7])
def test_a_tree_that_ends_after_ctrl_c_is_not_judged_for_nothing(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    (tmp_path / "noting.py").write_text(NOTING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "noting", raising=False)
    interrupt(empty, settings(concurrency=2, critic="noting:Noting"), ("search", "revise"), "search", after)
    with empty.store() as store:
        (row,) = empty.sets(store)
        revised = {store.trees.get(tree).task for tree in store.revisions.trees(row.id)}
    judged = set(importlib.import_module("noting").SEEN)
    assert judged <= revised and judged


def test_what_failed_on_the_way_is_done_again(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "moody.py").write_text(FLAKY)
    monkeypatch.syspath_prepend(str(tmp_path))
    empty.run(settings(critic="moody:Flaky"), "search", "revise")
    with empty.store() as store:
        (row,) = empty.sets(store)
        assert store.connection.one("SELECT COUNT(*) FROM revised_trees")[0] == 10
    assert row.status == "done" and row.metrics["failed"] == 0 and row.metrics["revisions"] > 0
