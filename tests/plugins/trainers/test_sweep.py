"""A sweep of the small model that ships with agentr: two trainers over trees that are grown once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentr_core import open_store
from agentr_core.cli.main import main

pytest.importorskip("torch")
pytest.importorskip("trl")

pytestmark = pytest.mark.model

STUDY = """
iterations = 1
seed = 5
critic = "value"
[transformers]
model = "careless"
dtype = "float32"
device = "cpu"
[mcts]
simulations = 6
samples = 4
depth = 9
max_tokens = 48
[search]
tasks = 3
[evaluate]
tasks = 2
max_turns = 3
max_tokens = 24
revision_test = false
[dpo]
pairs = "step"
[sweep]
trainer = ["dpo", "tree"]
"""


def test_two_trainers_learn_from_trees_that_were_grown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trees that are taken over are the model's own to the trainers: stored log-probabilities are its."""
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY)
    assert main(["sweep", "study.toml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in told["rows"]] == ["dpo", "tree"]
    assert all(row["trained_tokens"] > 0 and row["training_seconds"] > 0 for row in told["rows"])
    assert len({row["searched_tokens"] for row in told["rows"]}) == 1
    assert all("critic_tokens" in row for row in told["rows"])
    with open_store("agentr.db", read_only=True) as store:
        runs = [store.runs.find(f"study-{name}-5") for name in ("dpo", "tree")]
        dpo, tree = (store.checkpoints.select(run.id)[0] for run in runs)
        assert dpo.metrics["stored_reference"] == 1 and tree.metrics["drift"] < 1e-4
        grown = ["taken_from" not in store.runs.stage(run.id, 1, "search").metrics for run in runs]  # type: ignore[union-attr]
        assert grown == [True, False]
        hashes = {store.datasets.get(row.dataset_id).content_hash for row in (dpo, tree)}
        assert len(hashes) == 2
    assert Path(told["page"]).name == "sweep-study.html"
