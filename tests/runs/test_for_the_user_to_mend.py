"""What only the user can mend (no credit, a refused field, a wrong name) stops the run; it is no task that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted_runs import Agentr, dump

from agentr_core.store import open_store

#: Answers as ``flawed`` does; while there is a file ``unpaid``, the requests that it matches are refused after two.
UNPAID = """
import os, pathlib, re
from agentr_core import Policy, PluginConfig, UsageError, create

class Unpaid(Policy[PluginConfig]):
    config_class = PluginConfig

    def __init__(self, config):
        super().__init__(config)
        self.inner, self.asked = create("policy", "flawed", rate=0.5), 0

    model = "flawed"

    def bind(self, make_environment):
        self.inner.bind(make_environment)

    async def sample(self, request):
        unpaid = pathlib.Path("unpaid")
        if unpaid.exists() and re.match(unpaid.read_text(), f"{request.purpose} {request.session}"):
            self.asked += 1
            if self.asked > 2:
                raise UsageError("the account has no credit left (HTTP 402)")
        return await self.inner.sample(request)
"""
RUN = (
    *("--plugin", "unpaid.py", "--policy", "unpaid:Unpaid", "--concurrency", "4"),
    *("--env", "textcraft", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3"),
    *(
        "--searcher",
        "mcts",
        "-o",
        "mcts.depth=9",
        "-o",
        "mcts.simulations=2",
        "-o",
        "mcts.samples=4",
        "--trainer",
        "none",
    ),
    *("--tasks", "8", "--iterations", "1", "--eval-tasks", "8", "-o", "evaluate.max_turns=8"),
)


@pytest.fixture
def agentr(inside: Agentr) -> Agentr:
    """In this process: what is said and what is kept is the same."""
    return inside


STAGES = {"evaluate": "act plain-", "search": "act [0-9]", "revise": "judge [0-9]"}


@pytest.fixture
def unpaid(tmp_path: Path) -> Path:
    (tmp_path / "unpaid.py").write_text(UNPAID)
    return tmp_path / "unpaid"


def rows(db: Path) -> list[str]:
    return [line for line in dump(db) if not line.startswith(('["runs"', '["run_plugins"'))]


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_stops_with_the_sentence_and_its_exit_code_and_goes_on_later(
    agentr: Agentr, unpaid: Path, tmp_path: Path, stage: str
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "unpaid.py").write_text(UNPAID)
    assert agentr("run", *RUN, cwd=whole).returncode == 0
    unpaid.write_text(STAGES[stage])
    stopped = agentr("run", *RUN)
    assert stopped.returncode == 2, stopped.stderr
    *_, error, advice = stopped.stderr.strip().splitlines()
    assert error == "error: the account has no credit left (HTTP 402)" and advice.startswith(
        "go on with: agentr resume "
    )
    assert "failed" not in stopped.stderr and "Traceback" not in stopped.stderr
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        run = store.runs.find("last")
        results = [result for row in store.evaluations.select(run.id) for result in store.evaluations.results(row.id)]
        assert not any(result.error for result in results) and not store.trees.select(run.id, status="failed")
        assert run.status == "failed" and "no credit left" in (run.error or "")
    assert agentr("resume", "last").returncode == 2, "it still is not paid"
    unpaid.unlink()
    done = agentr("resume", "last")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "agentr.db") == rows(whole / "agentr.db")


@pytest.mark.parametrize("command", ["revise", "eval"])
def test_a_single_stage_stops_likewise(agentr: Agentr, unpaid: Path, command: str) -> None:
    assert agentr("run", *RUN).returncode == 0
    unpaid.write_text("")
    option = {"revise": ("-o", "revise.beta=0.3", "-o", "actor.max_tokens=7"), "eval": ("-o", "evaluate.max_turns=3")}
    stopped = agentr(command, "--run", "last", "--plugin", "unpaid.py", *option[command])
    assert stopped.returncode == 2, stopped.stderr
    assert "error: the account has no credit left (HTTP 402)\nwhat is done is kept" in stopped.stderr
