"""The tables that commands print, from a store that a scripted run filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import agentr_core
from agentr_core.runs import report


@pytest.mark.parametrize("tasks", [1, 6])
def test_iterations_are_set_against_the_baseline(tmp_path: Path, tasks: int) -> None:
    config = agentr_core.configure(
        policy="flawed",
        trainer="none",
        iterations=1,
        textcraft={"world": "synthetic"},
        mcts={"simulations": 2, "depth": 8},
        search={"tasks": 2},
        evaluate={"tasks": tasks, "max_turns": 8},
    )
    outcome = agentr_core.run(config, db=tmp_path / "project.db")
    with agentr_core.open_store(tmp_path / "project.db") as store:
        table = report.iterations(store, outcome.run)
        critics = report.critics(store, [outcome.run])
    assert [row[0] for row in table.rows] == ["baseline", "iteration 1"]
    assert table.rows[0][-1] == "-"
    assert table.rows[1][-1] == ("+0.0 ± ?" if tasks == 1 else "+0.0 ± 0.0"), "the policy has not changed"
    assert "Infinity" not in json.dumps(table.data)
    assert [row[0] for row in critics.rows] == ["actor"]
