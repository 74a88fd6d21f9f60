"""A policy is asked once whether it is ready, before the first stage that uses it, and never for training alone."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest
from scripted_runs import SCRIPTED, Agentr, dump

OURS = {"flawed": "told:Told", "flawed.rate=0.5": "policy.rate=0.5"}
PLUGIN = """
import asyncio, os, signal
from agentr_scripted.flawed import FlawedPolicy
from agentr_core import UsageError

def tell(what):
    with open("told.txt", "a") as out:
        print(what, file=out)

class Told(FlawedPolicy):
    async def ready(self):
        tell("ready")
        if os.environ.get("NOT_READY") == "usage":
            raise UsageError("serve the model with: serve m")
        if os.environ.get("NOT_READY") == "plain":
            raise OSError("no network")
        if os.environ.get("NOT_READY") == "never":
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    async def sample(self, request):
        tell("sample")
        return await super().sample(request)

    async def close(self):
        tell("close")
        await super().close()
"""


@pytest.fixture
def told(agentr: Agentr, tmp_path: Path) -> Agentr:
    (tmp_path / "told.py").write_text(PLUGIN)

    def run(*arguments: str, **extra: str) -> CompletedProcess[str]:
        shorter = ("--tasks", "2", "--eval-tasks", "1", "-o", "evaluate.revision_test=false")
        start = ("run", *(OURS.get(each, each) for each in SCRIPTED), *shorter)
        return agentr(*(arguments or start), **extra)

    return run


def lines(folder: Path) -> list[str]:
    return (folder / "told.txt").read_text().split()


def test_once_for_all_stages_of_one_model(told: Agentr, tmp_path: Path) -> None:
    assert told().returncode == 0
    seen = lines(tmp_path)
    assert seen[:2] == ["ready", "sample"]
    assert seen.count("ready") == seen.count("close") == 1


def test_a_model_that_is_not_served_stops_the_run_and_resume_goes_on(told: Agentr, tmp_path: Path) -> None:
    stopped = told(NOT_READY="usage")
    assert stopped.returncode == 2
    assert "serve the model with: serve m\ngo on with: agentr resume" in stopped.stderr
    assert lines(tmp_path) == ["ready", "close"]
    assert told("resume", "last").returncode == 0
    assert dump(tmp_path / "agentr.db")


def test_any_other_error_is_the_policys(told: Agentr) -> None:
    failed = told(NOT_READY="plain")
    assert failed.returncode == 1
    assert "did not get ready: OSError: no network" in failed.stderr


def test_waiting_can_be_interrupted(told: Agentr, tmp_path: Path) -> None:
    stopped = told(NOT_READY="never")
    assert stopped.returncode == 130
    assert lines(tmp_path) == ["ready", "close"]
