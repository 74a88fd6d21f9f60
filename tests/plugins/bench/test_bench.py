"""``agentr bench``: what it counts, never how fast it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentr_core.cli.main import main

SMALL = ["-o", "textcraft.world=synthetic", "-o", "mcts.simulations=2", "--tasks", "3"]


def bench(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, object]:
    assert main(["bench", *SMALL, *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_scripted_policy_counts_no_tokens(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = bench(capsys, "--policy", "flawed", "--trainer", "none")
    assert (found["trees"], found["model"]) == (3, "flawed-0.2-0.9")
    assert found["search_tokens_per_second"] is None and found["flat_tokens_per_second"] is None
    assert found["nodes_per_second"] > 0 and found["sequential_nodes_per_second"] > 0
    assert set(found["share"]) == {"model", "environment", "store", "framework"}
    assert sum(found["share"].values()) == pytest.approx(1.0)
    assert list(tmp_path.iterdir()) == [], "nothing is stored"


def test_the_table_says_how_busy_the_model_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *SMALL, "--policy", "flawed"]) == 0
    printed = capsys.readouterr()
    assert "flat batch" in printed.out and "time in the search: model" in printed.out
    assert "times as fast as the sequential way" in printed.err


def test_the_sequential_way_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(capsys, "--policy", "flawed", "--sequential", "0")["sequential_nodes_per_second"] is None


def test_the_policy_gets_ready_before_it_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "tardy.py").write_text(
        "from agentr_core import UsageError\n"
        "from agentr_scripted.flawed import FlawedPolicy\n"
        "class Tardy(FlawedPolicy):\n"
        "    async def ready(self):\n"
        "        raise UsageError('serve the model with: serve m')\n"
    )
    assert main(["bench", *SMALL, "--policy", "tardy:Tardy", "--trainer", "none"]) == 2
    assert "serve the model with: serve m" in capsys.readouterr().err


@pytest.mark.model
def test_the_flat_batch_generates_what_the_search_did(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    short = ("-o", "mcts.depth=5", "-o", "mcts.samples=2", "-o", "mcts.max_tokens=48")
    found = bench(capsys, "--model", "tiny", "--sequential", "0", *short)
    assert found["requests"] > 3 and found["cached_share"] > 0
    # Equal but for the rounding of batched arithmetic, which may turn a draw.
    assert found["flat_tokens"] == pytest.approx(found["generated_tokens"], rel=0.1)
