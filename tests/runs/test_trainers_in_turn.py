"""A run with several trainers: its iterations take them in turn, and each is what its own training is told apart by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from learning import write_model
from project_stages import configure

from agentr_core import ConfigError, RunConfig, open_store
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import resume, run, stored_config
from agentr_core.settings.layer import flag_layer, stored_layer
from agentr_core.settings.layers import resolve

HALVER, ACTIONS = "learning:Halver", "learning:ActionReader"


def config_of(folder: Path, trainer: str, **more: object) -> RunConfig:
    model = {"model": str(folder / "base")}
    changes = {"policy": "learning:Learner", "learning:Learner": model, "trainer": trainer, "iterations": 2}
    return configure(**{**changes, "search": {"tasks": 4}, **more})


def test_iterations_take_trainers_in_turn(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 0.5)
    db, config = tmp_path / "agentr.db", config_of(tmp_path, f"{HALVER},{ACTIONS}")
    assert [config.trainer_at(number).name for number in (1, 2, 3)] == [HALVER, ACTIONS, HALVER]
    run(config, db=db, stages=("search", "revise", "train"), progress=Progress(quiet=True))
    with open_store(db) as store:
        made = store.checkpoints.select()
        assert [(row.iteration, row.trainer) for row in made] == [(1, HALVER), (2, ACTIONS)]
        assert [store.datasets.get(row.dataset_id).reads for row in made] == ["conversations", "actions"]
        assert made[1].start_model == made[0].path, "one chain of checkpoints"
        assert [row.config["trainer"]["name"] for row in made] == [HALVER, ACTIONS]
        (row,) = store.runs.select()
        stored, _, _ = stored_config(row)
        assert stored == config and stored.hash == config.hash
        names = {plugin.name for plugin in store.runs.plugins(row.id) if plugin.kind == "trainer"}
        assert names == {HALVER, ACTIONS}
    resume("last", db=db, progress=Progress(quiet=True))
    with open_store(db) as store:
        assert len(store.checkpoints.select()) == 2, "all of it was done"


def test_each_trainer_has_its_own_options(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 0.5)
    config = config_of(tmp_path, f"{HALVER}, learning:Choosy", **{HALVER: {"factor": 0.25}})
    assert (config.trainer_at(1).options["factor"], config.trainer_at(2).options["factor"]) == (0.25, 0.5)
    again = resolve([stored_layer("run", config.model_dump(mode="json"))]).config
    assert again.all_trainers == config.all_trainers
    other = resolve(
        [flag_layer({"trainer": ("--trainer", HALVER)}, []), stored_layer("run", config.model_dump())]
    ).config
    assert [trainer.name for trainer in other.all_trainers] == [HALVER]


def test_what_config_show_writes_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--env", "textcraft", "--policy", "flawed", "--trainer", f"none,{HALVER}", "-o", "trainer.factor=0.25"]
    assert main(["config", "show", *given]) == 0
    (tmp_path / "run.toml").write_text(capsys.readouterr().out)
    assert main(["config", "show", "--config", str(tmp_path / "run.toml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["settings"]
    assert (told["trainer"], told[HALVER]["factor"]) == (f"none,{HALVER}", 0.25)


def test_one_trainer_is_stored_as_it_was_before_there_could_be_several() -> None:
    config = configure(trainer="none")
    assert "trainers" not in config.model_dump(mode="json") and "trainers" not in config.identity()
    assert config.hash != configure(trainer="none,learning:Halver").hash


def test_what_is_no_list_of_trainers_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must be the name of a trainer, or several: a,b \(got 'none,'\)"):
        configure(trainer="none,")
    with pytest.raises(ConfigError, match="there is no setting 'trainers'"):
        configure(trainers=["none"])
