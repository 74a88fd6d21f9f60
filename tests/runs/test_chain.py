"""A run's own checkpoints are one chain; what single stages make stands beside it."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from learning import write_model

import agentr_core
from agentr_core import RunConfig
from agentr_core.errors import NothingToDo
from agentr_core.process.progress import Progress
from agentr_core.runs import report, side_by_side
from agentr_core.runs.by_environment import paired, successes
from agentr_core.runs.single_stages import evaluate_again, revise_again, train_again
from agentr_core.runs.start_and_resume import run
from agentr_core.runs.trainers import trainers
from agentr_core.runs.yields import losses
from agentr_core.store import CheckpointRow, RunRow, open_store

QUIET = Progress(quiet=True)


@dataclass
class Trained:
    """A finished run of two iterations, and single stages over it."""

    configure: Callable[..., RunConfig]
    db: Path
    base: Path

    def checkpoints(self) -> list[CheckpointRow]:
        with open_store(self.db, read_only=True) as store:
            return store.checkpoints.select()

    def row(self) -> RunRow:
        with open_store(self.db, read_only=True) as store:
            return store.runs.find("last")

    def revise(self, **changes: Any) -> Any:
        return revise_again("last", self.configure(**changes), db=self.db, iteration=None, progress=QUIET)

    def train(self, iteration: int, **changes: Any) -> CheckpointRow:
        train_again("last", self.configure(**changes), db=self.db, iteration=iteration, out=None, progress=QUIET)
        return self.checkpoints()[-1]


@pytest.fixture
def trained(tmp_path: Path, settings: Callable[..., RunConfig]) -> Callable[..., Trained]:
    base = write_model(tmp_path / "base", 0.6)

    def configure(**changes: Any) -> RunConfig:
        learner = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": {"model": str(base)}}
        sizes = {"iterations": 2, "search": {"tasks": 4}, "evaluate": {"tasks": 6, "max_turns": 9}}
        return settings(**{**learner, **sizes, **changes})

    def make(**changes: Any) -> Trained:
        run(configure(**changes), db=tmp_path / "agentr.db", out=tmp_path / "elsewhere", progress=QUIET)
        return Trained(configure, tmp_path / "agentr.db", base)

    return make


@pytest.mark.parametrize("start_from", ["previous", "base"])
def test_an_iteration_starts_from_the_previous_model_or_the_base(trained: Any, start_from: str) -> None:
    made = trained(start_from=start_from)
    first, second = made.checkpoints()
    assert (first.start_model, first.base_model) == (str(made.base), str(made.base))
    assert (second.start_model, second.base_model) == (
        first.path if start_from == "previous" else str(made.base),
        str(made.base),
    )


def test_what_single_stages_train_is_beside_the_runs_own_chain(trained: Any) -> None:
    made = trained()
    own = made.checkpoints()
    made.revise(critic="last")
    beside = made.train(1, critic="last")
    assert Path(beside.path).is_dir() and beside.path not in {row.path for row in own}
    assert Path(beside.path).is_relative_to(Path(own[0].path).parents[1]), "the run's own folder is used"
    with pytest.raises(NothingToDo, match="no revisions by the critic 'value' with these settings in iteration 2"):
        made.train(2, critic="value")
    with open_store(made.db, read_only=True) as store:
        assert all(row.critic != "value" for row in store.revisions.select())
    made.revise(critic="last")
    later = made.train(2, critic="last")
    assert later.start_model == own[0].path, "iteration 2 starts from the run's own model, not from the newest one"


def test_other_settings_make_another_checkpoint_and_the_same_ones_do_not(trained: Any) -> None:
    made = trained()
    first = made.train(1)
    assert [row.id for row in made.checkpoints()] == [1, 2]
    other_data = made.train(1, data={"max_revisions_per_tree": 1, "max_good_per_tree": 1})
    other_trainer = made.train(1, **{"learning:Halver": {"factor": 0.25}})
    assert [row.id for row in made.checkpoints()] == [1, 2, 3, 4]
    assert len({first.path, other_data.path, other_trainer.path}) == 3
    made.train(1, **{"learning:Halver": {"factor": 0.25}})
    assert [row.id for row in made.checkpoints()] == [1, 2, 3, 4]
    assert other_data.dataset_id != other_trainer.dataset_id


def test_a_training_beside_the_run_has_a_curve_of_its_own(trained: Any) -> None:
    """It was written over the run's own, step by step, and the report drew one curve out of both."""
    choosy = {"trainer": "learning:Choosy", "learning:Choosy": {"max_length": 9000}}
    made = trained(iterations=1, **choosy)
    made.train(1, iterations=1, **{**choosy, "learning:Choosy": {"max_length": 8000}})
    with open_store(made.db, read_only=True) as store:
        rows = store.runs.metrics(1, name="max_length")
        assert [row.value for row in rows if row.stage == "train"] == [9000.0]
        (beside,) = [row for row in rows if row.stage != "train"]
        assert beside.value == 8000.0 and beside.stage == f"train-{Path(made.checkpoints()[-1].path).parent.name}"
        assert len(losses(store, made.row()).data) == 1


def test_another_model_on_the_same_data_is_another_checkpoint(trained: Any, tmp_path: Path) -> None:
    made = trained()
    made.revise(critic="last")
    first = made.train(1, critic="last")
    other = write_model(tmp_path / "other", 0.3)
    second = made.train(1, critic="last", **{"learning:Learner": {"model": str(other)}})
    assert (first.start_model, second.start_model) == (str(made.base), str(other))
    assert first.dataset_id == second.dataset_id and first.path != second.path


def test_a_set_that_another_policy_repaired_is_taken_with_a_word_and_the_own_one_is_preferred(trained: Any) -> None:
    made, said = trained(), io.StringIO()
    config = made.configure(critic="last", **{"learning:Learner": {"model": str(made.base), "judge_accuracy": 0.5}})
    made.revise(critic="last")
    for other in (True, False):
        train_again("last", config, db=made.db, iteration=1, out=None, progress=Progress(stream=said))
        with open_store(made.db, read_only=True) as store:
            sets = store.revisions.select(1, iteration=1, critic="last")
        assert (
            f"taking revision set {sets[0].id}, whose splices were repaired by {made.base.name}" in said.getvalue()
        ) is other
        said.truncate(0)
        revise_again("last", config, db=made.db, iteration=1, progress=QUIET)


def test_the_trainer_is_handed_the_policys_template_options(trained: Any) -> None:
    made, options = trained(), {"enable_thinking": False}
    (plain, _), base = made.checkpoints(), {"model": str(made.base)}
    assert json.loads((Path(plain.path).parent / "options.json").read_text()) is None
    silent = {"learning:Learner": {**base, "template_options": options}}
    made.revise(**silent)
    told = made.train(1, **silent)
    assert json.loads((Path(told.path).parent / "options.json").read_text()) == options
    assert told.path != plain.path, "other prompts make another training"


SHUTTING = """
from agentr_core import Critic, Cut, PluginConfig

MADE, CLOSED = [], []

class Shutting(Critic[PluginConfig]):
    config_class = PluginConfig
    def __init__(self, config):
        super().__init__(config)
        MADE.append(self)
    async def judge(self, bad, good, context):
        return Cut(step=len(bad.steps))
    async def close(self):
        CLOSED.append(self)
        raise OSError("the judge is gone already")
"""


def test_every_critic_is_closed_and_one_that_cannot_be_ends_no_run(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage makes one, training too, and so does the look ahead."""
    (tmp_path / "shutting.py").write_text(SHUTTING)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = trained(critic="shutting:Shutting", iterations=1)
    assert len(made.checkpoints()) == 1 and made.row().status == "done"
    critics = importlib.import_module("shutting")
    assert critics.MADE == critics.CLOSED and len(critics.MADE) == 5


def test_a_single_stage_leaves_the_state_of_the_run_alone(trained: Any) -> None:
    made = trained()
    with open_store(made.db) as store:
        store.runs.set_status(1, "interrupted")
    before = made.row()
    made.revise(critic="last")
    evaluate_again("last", made.configure(), db=made.db, checkpoint="1", progress=QUIET)
    assert made.row() == before
    with open_store(made.db, read_only=True) as store:
        assert {("critic", "last"), ("critic", "actor")} <= {(p.kind, p.name) for p in store.runs.plugins(1)}


def test_models_that_trainers_made_of_the_same_trees_are_compared(trained: Any) -> None:
    made = trained(iterations=1)
    made.train(1, **{"learning:Halver": {"factor": 0.9}})
    evaluate_again("last", made.configure(), db=made.db, checkpoint="last", progress=QUIET)
    made.train(1, trainer="learning:ActionReader")
    with agentr_core.open_store(made.db) as store:
        table, trees = trainers(store, [made.row()]), store.trees.select(1, iteration=1)
        own, other = (successes(store, store.evaluations.get(row["eval"])) for row in table.data[:2])
    assert [row[0] for row in table.rows] == [
        "learning:Halver · factor=0.5",
        "learning:Halver · factor=0.9",
        "learning:ActionReader",
    ]
    assert [row["reads"] for row in table.data] == ["conversations", "conversations", "actions"]
    assert [row["dataset"] for row in table.data] == [1, 1, 2]
    first, second, third = table.data
    assert first["searched_actions"] == sum(tree.stats["samples"] for tree in trees) == third["searched_actions"]
    assert first["environment_steps"] == sum(tree.stats["environment_steps"] for tree in trees) > 0
    assert "against_first" not in first and "success" not in third and table.rows[2][-3] == "not evaluated"
    assert (second["against_first"], second["against_first_error"]) == paired(other, own)[:2]


def test_tables_tell_the_runs_own_rows_from_others_and_trained_critics_from_untrained(trained: Any) -> None:
    made = trained()
    made.revise(critic="last")
    made.train(1, critic="last")
    evaluate_again("last", made.configure(), db=made.db, checkpoint="last", progress=QUIET)
    other = made.configure(evaluate={"tasks": 6, "max_turns": 9, "temperature": 1.0})
    evaluate_again("last", other, db=made.db, checkpoint="1", progress=QUIET)
    with agentr_core.open_store(made.db) as store:
        table, critics = report.iterations(store, made.row()), report.critics(store, [made.row()])
        (compared, *_) = side_by_side.side_by_side(store, [made.row()])
    assert [row[0] for row in table.rows] == [
        "baseline",
        "iteration 1",
        "iteration 1 · agent-r-last",
        "iteration 1 · agent-r-actor · temperature=1.0",
        "iteration 2",
    ]
    assert [row[-1] for row in table.rows].count("-") == 2, "another temperature has no baseline of its own"
    assert table.rows[1][-2] != table.rows[2][-2] != "-"
    after = {(row["critic"], row["iteration"]): row["trained"] is not None for row in critics.data}
    assert after == {("actor", 1): True, ("actor", 2): True, ("last", 1): True, ("last", 2): False}
    assert (compared.data[0]["iteration"], compared.data[0]["own"]) == (2, True)
