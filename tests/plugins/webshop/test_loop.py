"""The whole loop of Agent-R over the shop, with scripted policies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import command, environment

SMALL = ("--env", "webshop", "-o", "webshop.products=300", "--searcher", "mcts", "--critic", "oracle")
RUN = (*SMALL, "--trainer", "none", "--iterations", "1", "--tasks", "8", "--eval-tasks", "8", "-o", "mcts.depth=8")


def agentr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(), capture_output=True, text=True, timeout=300
    )


def lines(folder: Path, *arguments: str) -> Any:
    done = agentr(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("rules", ["original", "strict"])
def test_flawed_attempts_are_repaired(tmp_path: Path, rules: str) -> None:
    done = agentr(tmp_path, "run", *RUN, "--policy", "flawed", "-o", f"webshop.rules={rules}")
    assert done.returncode == 0, done.stderr
    revisions = lines(tmp_path, "revisions", "list", "last", "--json")
    assert len(revisions) > 0
    trees = lines(tmp_path, "trees", "list", "last", "--json")
    assert len(trees) == 8


def test_random_clicks_make_whole_trees(tmp_path: Path) -> None:
    done = agentr(tmp_path, "run", *RUN, "--policy", "random")
    assert done.returncode == 0, done.stderr
    assert len(lines(tmp_path, "trees", "list", "last", "--json")) == 8


def test_data_that_is_not_there(tmp_path: Path) -> None:
    done = agentr(tmp_path, "run", *RUN, "--policy", "flawed", "-o", "env.data=nowhere")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "nowhere" in done.stderr
