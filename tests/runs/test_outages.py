"""A policy that is away for a while: what failed is taken up again, and nothing counts because nobody played it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted_runs import Agentr, dump

from agentr_core.store import open_store

#: Answers as ``flawed`` does, but for a window of the requests that AWAY_FROM matches, which find nobody there.
AWAY = """
import dataclasses, os, pathlib, re
from agentr_core import Policy, PluginConfig, create

class Config(PluginConfig):
    rate: float = 0.5

class Away(Policy[Config]):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.inner = create("policy", "flawed", rate=config.rate)

    model = "flawed"

    def bind(self, make_environment):
        self.inner.bind(make_environment)

    async def sample(self, request):
        first, last = map(int, os.environ.get("AWAY", "0,0").split(","))
        count = pathlib.Path("asked").stat().st_size if os.path.exists("asked") else 0
        if re.match(os.environ.get("AWAY_FROM", ""), f"{request.purpose} {request.session}"):
            with open("asked", "ab") as file:
                file.write(b".")
            if first <= count < last:
                raise ConnectionError("nobody is there")
            if count >= last and "OTHERWISE" in os.environ:
                request = dataclasses.replace(request, seed=request.seed + 1)
        return await self.inner.sample(request)
"""
RUN = (
    *("--plugin", "away.py", "--policy", "away:Away", "--concurrency", "4"),
    *("--env", "textcraft", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3"),
    *(
        "--searcher",
        "mcts",
        "-o",
        "mcts.depth=12",
        "-o",
        "mcts.simulations=3",
        "-o",
        "mcts.samples=4",
        "--trainer",
        "none",
    ),
    *("--tasks", "12", "--iterations", "2", "--eval-tasks", "12", "-o", "evaluate.max_turns=10"),
)


@pytest.fixture
def agentr(inside: Agentr) -> Agentr:
    """In this process: what is said and what is kept is the same."""
    return inside


@pytest.fixture
def away(tmp_path: Path) -> Path:
    (tmp_path / "away.py").write_text(AWAY)
    return tmp_path


def rows(db: Path) -> list[str]:
    return [line for line in dump(db) if not line.startswith(('["runs"', '["run_plugins"'))]


#: What the policy is away from, from which share of those requests on, how many of them, and what is not done then.
#: What is asked for revisions is asked while trees grow, and again in the stage itself: that one outlasts the search.
OUTAGES = {
    "baseline": ("", 0, 40, "baseline evaluate: "),
    "search": ("act [0-9]", 0.3, 40, "trees of iteration "),
    "revise": ("judge", 0, 150, "are not revised"),
    "evaluation of an iteration": ("act plain-", 1 / 3, 40, "iter 1 evaluate: "),
    "never": ("", 10, 40, ""),
}


@pytest.mark.parametrize(("away_from", "share", "count", "said"), OUTAGES.values(), ids=OUTAGES)
def test_a_run_ends_with_the_same_rows_after_an_outage(
    agentr: Agentr, away: Path, away_from: str, share: float, count: int, said: str
) -> None:
    whole = away / "whole"
    whole.mkdir()
    (whole / "away.py").write_text(AWAY)
    assert agentr("run", *RUN, cwd=whole, AWAY_FROM=away_from).returncode == 0
    first = round(share * (whole / "asked").stat().st_size)
    outage = {"AWAY": f"{first},{first + count}", "AWAY_FROM": away_from}
    stopped = agentr("run", *RUN, **outage)
    tries = 0
    while stopped.returncode == 1 and tries < 40:
        assert "for a reason that may pass: " in stopped.stderr and "nobody is there" in stopped.stderr
        assert "agentr resume" in stopped.stderr and "Traceback" not in stopped.stderr and said in stopped.stderr
        stopped = agentr("resume", "last", **outage)
        tries += 1
    assert stopped.returncode == 0, stopped.stderr
    assert (tries > 0) == bool(said)
    assert rows(away / "agentr.db") == rows(whole / "agentr.db")
    with open_store(away / "agentr.db") as store:
        run = store.runs.find("last")
        assert store.trees.select(run.id, status="failed") == []


def test_a_short_outage_is_over_before_the_stage_is(agentr: Agentr, away: Path) -> None:
    done = agentr("run", *RUN, AWAY="3,8")
    assert done.returncode == 0, done.stderr
    with open_store(away / "agentr.db") as store:
        account = store.runs.accounts(store.runs.find("last").id)
    assert account[0, "evaluate"]["retried"] > 0
    assert "tried again" in done.stderr and "0% (0.0" not in done.stderr


def test_a_tree_that_is_tried_again_goes_on_after_what_it_has_committed(agentr: Agentr, away: Path) -> None:
    """Also where the policy, as most servers do, answers otherwise the second time."""
    search = ("search", *RUN[: RUN.index("--trainer")], "--tasks", "1", "--iterations", "1")
    assert agentr(*search).returncode == 0
    late = (away / "asked").stat().st_size * 2 // 3
    (away / "asked").unlink()
    done = agentr(*search, AWAY=f"{late},{late + 1}", OTHERWISE="1")
    assert done.returncode == 0, done.stderr
    with open_store(away / "agentr.db") as store:
        whole, row = (store.trees.select(run.id)[0] for run in reversed(store.runs.select()))
        assert (row.status, row.simulations, row.attempts) == ("done", 3, 1)
        before, after = store.trees.load(whole.id), store.trees.load(row.id)
        shapes = [store.tree_views.shape(tree)[1] for tree in (whole.id, row.id)]
    assert len(after.nodes) == row.n_nodes
    kept = sum(node.simulation <= 1 for node in shapes[0])
    actions = [[node.action for node in tree.nodes] for tree in (before, after)]
    assert 1 < kept < len(actions[0]) and actions[0][:kept] == actions[1][:kept] and actions[0] != actions[1]


def test_what_failed_for_good_is_counted_shown_and_retried(agentr: Agentr, away: Path) -> None:
    broken = AWAY.replace('raise ConnectionError("nobody is there")', 'raise ValueError("it is broken")')
    (away / "away.py").write_text(broken)
    done = agentr("run", *RUN, AWAY="1,3")
    assert done.returncode == 3, done.stderr
    assert "2 of 12 failed" in done.stderr and "2 not played" in done.stdout and "agentr retry" in done.stderr
    listed = json.loads(agentr("runs", "show", "last", "--json").stdout)
    assert {"iteration": 0, "stage": "evaluate", "failed": 2}.items() <= listed["accounts"][0].items()
    again = agentr("retry", "last")
    assert again.returncode == 0, again.stderr
    with open_store(away / "agentr.db") as store:
        run = store.runs.find("last")
        assert all(row.metrics["failed"] == 0 for row in store.evaluations.select(run.id))
    nothing = agentr("retry", "last")
    assert nothing.returncode == 5 and "nothing of run" in nothing.stderr
