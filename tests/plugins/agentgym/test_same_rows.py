"""A run through ``env=agentgym`` against ``agentr serve`` stores the rows of the same run in-process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from learning import write_model
from scripted_runs import command, dump, environment
from serving import Served

from agentr_core import AgentrError, configure, open_store, run

WORLDS = {"textcraft": {"world": "synthetic", "depth": 2}, "webshop": {"products": 40}}
RUN: dict[str, Any] = {
    "searcher": "mcts",
    "critic": "value",
    "policy": "learning:Learner",
    "trainer": "learning:Halver",
    "iterations": 1,
    "mcts": {"depth": 8, "simulations": 4, "samples": 3},
    "search": {"tasks": 6},
    "evaluate": {"tasks": 3, "max_turns": 8},
    "concurrency": 4,
}


def played(folder: Path, env: dict[str, Any]) -> list[str]:
    """The rows of a run in ``env``, without the environment's name, options and version, and what is a hash of them."""
    model = write_model(folder / "start", 0.5)
    run(configure(**RUN, env=env, **{"learning:Learner": {"model": str(model)}}), db=folder / "a.db")
    return list(rows(folder / "a.db"))


def rows(db: Path) -> Iterator[str]:
    for line in dump(db):
        table, values = json.loads(line)
        if table == "run_plugins" and values["kind"] == "env":
            continue
        for field in ("config_json", "preset_json", "plugins_json", "identity_json"):
            values.pop(field, None)
        for field in [field for field in values if field.endswith("_hash") or field in ("env", "env_version")]:
            values.pop(field)
        yield json.dumps([table, values], sort_keys=True)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["agentgym", "openenv"])
@pytest.mark.parametrize("world", WORLDS)
def test_the_rows_are_those_of_the_run_in_process(tmp_path: Path, world: str, protocol: str) -> None:
    inside = played(tmp_path / "inside", {"name": world, **WORLDS[world]})
    with Served(world, protocol=protocol, **WORLDS[world]) as served:
        kind = {"server": world} if protocol == "agentgym" else {}
        through = played(tmp_path / "served", {"name": protocol, "url": served.url, **kind})
        assert len(served.sessions) == 0
    assert through == inside
    found = {json.loads(line)[0] for line in inside}
    assert {"trees", "nodes", "verdicts", "samples", "datasets", "checkpoints", "eval_results"} <= found, found


def test_one_run_over_the_worlds_of_several_servers(tmp_path: Path) -> None:
    scripted: dict[str, Any] = {"searcher": "greedy", "critic": "last", "policy": "expert", "trainer": "none"}
    with Served("textcraft", **WORLDS["textcraft"]) as craft, Served("webshop", **WORLDS["webshop"]) as shop:
        worlds = [{"name": "agentgym:textcraft", "url": craft.url}, {"name": "agentgym:webshop", "url": shop.url}]
        sizes: dict[str, Any] = {"iterations": 1, "search": {"tasks": 2}, "evaluate": {"tasks": 2}}
        run(configure(**scripted, **sizes, env=worlds), db=tmp_path / "a.db")
    with open_store(tmp_path / "a.db", read_only=True) as store:
        trees = store.trees.select()
    assert [row.env for row in trees] == ["agentgym:textcraft", "agentgym:webshop"] * 2
    assert all(row.best_reward == 1.0 for row in trees)


@pytest.mark.slow
def test_a_run_whose_server_dies_stops_and_is_resumed(tmp_path: Path) -> None:
    """It ends with the rows of a run whose server never died."""
    db, flawed = tmp_path / "a.db", {**RUN, "policy": "flawed", "flawed": {"rate": 0.5}, "trainer": "none"}
    with Served("textcraft", dies_after=20, **WORLDS["textcraft"]) as served:
        env = {"name": "agentgym", "url": served.url, "wait": 0.0}
        with pytest.raises(AgentrError, match="is the server running") as stopped:
            run(configure(**flawed, env=env), db=db, name="died")
        assert stopped.value.passing
        assert "agentr resume" in str(stopped.value)
        served.stop()
        with Served("textcraft", port=served.port, **WORLDS["textcraft"]):
            done = subprocess.run(
                command("resume", "died", "--db", str(db)),
                env=environment(),
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr
            run(configure(**flawed, env=env), db=tmp_path / "b.db", name="died")
    same = [[line for line in rows(path) if '["runs"' not in line] for path in (db, tmp_path / "b.db")]
    assert same[0] == same[1]
