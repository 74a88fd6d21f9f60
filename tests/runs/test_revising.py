"""A run revises its trees where somebody reads it: a training, a person, or whoever named a critic."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from learning import write_model

import agentr_core
from agentr_core import RunConfig
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import revise_again
from agentr_core.runs.start_and_resume import run
from agentr_core.store import open_store

STAGES: tuple[Any, ...] = ("search", "revise", "train")


def configure(folder: Path, trainer: str, **changes: Any) -> RunConfig:
    model = {"model": str(folder / "base")}
    settings: dict[str, Any] = {
        "policy": "learning:Learner", "learning:Learner": model, "trainer": trainer, "iterations": 1, "seed": 5,
        "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 14},
        "mcts": {"simulations": 4, "samples": 4, "depth": 9}, "search": {"tasks": 3},
    }  # fmt: skip
    return agentr_core.configure(**{**settings, **changes})


@pytest.mark.parametrize(
    ("trainer", "changes", "stages", "revised"),
    [
        ("learning:ActionReader", {}, STAGES, False),
        ("learning:ValueReader", {}, STAGES, False),
        ("learning:MixedReader", {}, STAGES, True),
        ("learning:PairReader", {}, STAGES, True),
        ("learning:Halver", {}, STAGES, True),
        ("none", {}, STAGES, True),
        ("learning:ActionReader", {"critic": "value"}, STAGES, True),
        ("learning:ActionReader", {"revise_unread": True}, STAGES, True),
        ("learning:ActionReader", {"critic": "value", "revise_unread": False}, STAGES, False),
        ("learning:ActionReader", {}, STAGES[:2], True),
    ],
    ids=[
        *("actions", "values", "mixed", "preferences", "conversations", "nothing trained"),
        *("critic named", "asked for", "not asked for", "no training"),
    ],
)
def test_trees_are_revised_where_it_is_read(
    tmp_path: Path, trainer: str, changes: dict[str, Any], stages: tuple[Any, ...], revised: bool
) -> None:
    write_model(tmp_path / "base", 0.5)
    config, said = configure(tmp_path, trainer, **changes), io.StringIO()
    run(config, db=tmp_path / "agentr.db", stages=stages, progress=Progress(stream=said))
    with open_store(tmp_path / "agentr.db") as store:
        (stage,) = store.runs.stages(store.runs.find("last").id, stage="revise")
        sets = store.revisions.select()
    assert stage.status == "done" and (stage.result_id is not None) is revised is bool(sets)
    told = "no revisions are made: the training by"
    assert (told in said.getvalue()) is not revised


def test_trainers_in_turn_revise_for_those_that_read_it(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 0.5)
    config = configure(tmp_path, "learning:Halver,learning:ValueReader", iterations=2)
    run(config, db=tmp_path / "agentr.db", stages=STAGES, progress=Progress(quiet=True))
    with open_store(tmp_path / "agentr.db") as store:
        assert [row.iteration for row in store.revisions.select()] == [1]
        assert [row.trainer for row in store.checkpoints.select()] == ["learning:Halver", "learning:ValueReader"]


def test_what_was_not_revised_can_be_later(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 0.5)
    config = configure(tmp_path, "learning:ActionReader")
    run(config, db=tmp_path / "agentr.db", stages=STAGES, progress=Progress(quiet=True))
    again = configure(tmp_path, "learning:ActionReader", critic="value")
    db = tmp_path / "agentr.db"
    (metrics,) = revise_again("last", again, db=db, iteration=None, progress=Progress(quiet=True))
    assert metrics["pairs"] > 0


def test_a_plan_says_so_and_counts_no_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(tmp_path / "base", 0.5)
    planned = ["run", "--dry-run", "--json", "--policy", "learning:Learner", "-o", f"policy.model={tmp_path / 'base'}"]
    planned += ["-o", "textcraft.world=synthetic", "--db", str(tmp_path / "agentr.db")]
    found = {}
    for critic in ((), ("--critic", "actor")):
        assert main([*planned, "--trainer", "learning:ActionReader", *critic]) == 0
        told = json.loads(capsys.readouterr().out)
        checks = {check["what"]: check for check in told["checks"]}
        found[critic] = ("revise" in checks, told["plan"]["verdicts_at_most"] > 0)
        assert told["settings"].get("revise_unread", False) is bool(critic)
    assert list(found.values()) == [(True, False), (False, True)]
