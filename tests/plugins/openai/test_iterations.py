"""A run of two iterations at a server that answers to any name: no iteration is played by another one's model."""

from __future__ import annotations

import shlex
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from endpoint import Endpoint
from learning import Halver, write_model
from openai_asking import QUICK

import agentr_core
from agentr_core import Checkpoint, RunConfig, TrainingSet, UsageError, open_store
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import resume, run

MOVES = ("add 1", "add 2", "double", "stop")
QUIET = Progress(quiet=True)


SERVER = Path(__file__).with_name("served.py")


class Alone(Halver):
    """Needs the machine for itself, as a training on the GPU does."""

    port = 0

    def train(self, dataset: TrainingSet, start: Checkpoint, out: Path, **more: Any) -> Checkpoint:
        with socket.socket() as knocking:
            assert knocking.connect_ex(("127.0.0.1", self.port)), "the server has ended"
        return super().train(dataset, start, out, **more)


def configure(base: Path, trainer: str = "learning:Halver", **openai: Any) -> RunConfig:
    return agentr_core.configure(
        env="agentr_core.testing:CounterEnvironment", policy="openai", critic="value",
        trainer=trainer, searcher="mcts", iterations=2, seed=5, search={"tasks": 6},
        mcts={"simulations": 8, "depth": 6},
        evaluate={"tasks": 2, "max_turns": 4, "revision_test": False},
        openai={**QUICK, "weights": str(base), **openai},
    )  # fmt: skip


def finished(db: Path) -> list[tuple[int, str, str]]:
    with open_store(db, read_only=True) as store:
        return [(row.iteration, row.stage, row.status) for row in store.runs.stages(store.runs.find("last").id)]


def models(db: Path) -> list[tuple[str, str]]:
    """Of each checkpoint what its training started from, and where it is."""
    with open_store(db, read_only=True) as store:
        return [(row.start_model, row.path) for row in store.checkpoints.select()]


def test_the_run_stops_until_each_checkpoint_is_served(tmp_path: Path) -> None:
    base, db = write_model(tmp_path / "base", 0.6), tmp_path / "agentr.db"
    with Endpoint(lenient=True, words=MOVES) as server:
        with pytest.raises(UsageError) as stopped:
            run(configure(base, base_url=server.url), db=db, progress=QUIET)
        for iteration in (1, 2):
            start, path = models(db)[-1]
            assert start == (str(base) if iteration == 1 else models(db)[0][1])
            lines = str(stopped.value).splitlines()
            assert lines[1] == f"  vllm serve {path} --port {server.url.split(':')[2].removesuffix('/v1')}"
            assert lines[-1].startswith("go on with: agentr resume ")
            assert finished(db)[-1] == (iteration, "evaluate", "running")
            asked = Counter(body["model"] for body in server.bodies)
            server.listed = [{"id": path}]
            if iteration == 1:
                with pytest.raises(UsageError) as stopped:
                    resume("last", db=db, progress=QUIET)
            else:
                resume("last", db=db, progress=QUIET)
            now = Counter(body["model"] for body in server.bodies)
            assert now - asked == Counter({path: now[path]}), "and nothing else was asked"
            assert now[path]
    assert all(status == "done" for _, _, status in finished(db))
    assert finished(db)[-1][:2] == (2, "evaluate")


def test_a_command_serves_each_checkpoint_and_makes_room_for_training(tmp_path: Path) -> None:
    base, db = write_model(tmp_path / "base", 0.6), tmp_path / "agentr.db"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        Alone.port = free.getsockname()[1]
    command = shlex.join([sys.executable, str(SERVER)]) + " --model {model} --port {port}"
    config = configure(
        base, f"{__name__}:Alone", model=str(base), base_url=f"http://127.0.0.1:{Alone.port}/v1", serve=command
    )
    run(config, db=db, progress=QUIET)
    first, second = (path for _, path in models(db))
    with open_store(db, read_only=True) as store:
        trees = store.trees.select(store.runs.find("last").id, iteration=2)
        said = {node.response for row in trees for node in store.trees.load(row.id).nodes if node.response}
    assert said
    assert all(f"served from {first}\n" in text for text in said)
    assert Path(second).is_dir()
