"""What can be known at the start fails at the start: before a token is paid for, in one sentence."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from scripted_runs import SCRIPTED, Agentr


@pytest.fixture
def agentr(inside: Agentr) -> Agentr:
    """In this process: what is said and what is kept is the same."""
    return inside


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--split", "tset"), "tset"),
        (("--eval-split", "tset"), "tset"),
        (("--trainer", "sft"), "has no weights to train"),
    ],
)
def test_a_wrong_run_ends_before_its_first_stage(
    agentr: Agentr, tmp_path: Path, flags: tuple[str, str], sentence: str
) -> None:
    refused = agentr("run", *SCRIPTED, *flags)
    assert refused.returncode == 2, refused.stderr
    assert sentence in refused.stderr and "Traceback" not in refused.stderr
    with sqlite3.connect(tmp_path / "agentr.db") as connection:
        assert connection.execute("SELECT count(*) FROM stages").fetchone()[0] == 0
        assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 0, "it was never a run"


def test_a_typo_leaves_the_last_run_the_last(agentr: Agentr) -> None:
    assert agentr("search", *SCRIPTED, "--iterations", "1", "--name", "good").returncode == 0
    assert agentr("run", *SCRIPTED, "--split", "tset", "--name", "typo").returncode == 2
    rows = json.loads(agentr("runs", "list", "--json").stdout)
    assert [row["name"] for row in rows] == ["good"]
    assert agentr("eval", *SCRIPTED, "--eval-tasks", "2", "-o", "evaluate.max_turns=2").returncode == 0
    assert json.loads(agentr("trees", "list", "last", "--json").stdout), "those of the run that has trees"
    assert agentr("compare").returncode == 0


def test_fewer_tasks_than_were_asked_for_are_said(agentr: Agentr) -> None:
    done = agentr("run", *SCRIPTED, "--iterations", "1", "--eval-tasks", "5000")
    assert done.returncode == 0, done.stderr
    assert "warning: evaluate.tasks: 5,000 were asked for and the split 'test' has" in done.stderr


def test_an_answer_that_holds_no_verdict_is_a_warning(agentr: Agentr, tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text(
        "from agentr_core import Completion, PluginConfig, Policy\n"
        "class Mute(Policy[PluginConfig]):\n"
        "    config_class = PluginConfig\n"
        "    async def sample(self, request):\n"
        "        return [Completion(text='Well, let me think about', prompt_tokens=9, token_ids=(1,))] * request.n\n"
    )
    done = agentr(
        "doctor",
        "--env",
        "textcraft",
        "--json",
        "--plugin",
        "mute.py",
        "-o",
        "policy.name=mute:Mute",
        "-o",
        "trainer.name=none",
    )
    found = {row["what"]: row for row in json.loads(done.stdout)}
    assert found["critic"]["state"] == "missing" and "holds no verdict ('Well, let me" in found["critic"]["detail"]


@pytest.mark.model
def test_doctor_says_what_a_run_with_a_model_would_begin_with(agentr: Agentr) -> None:
    done = agentr("doctor", "--model", "tiny", "--env", "textcraft", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["what"]: row["detail"] for row in json.loads(done.stdout)}
    assert "tokens of instructions" in found["chat template"]
    assert "of 2,048" in found["context"] and "'actor' was asked once" in found["critic"]
