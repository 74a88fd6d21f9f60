"""Every command of docs/servers.md is taken as it stands there, up to the point where it would start."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from doc_blocks import blocks, commands
from scripted_runs import command, environment

PAGE = Path(__file__).parents[3] / "docs" / "servers.md"


def runs(page: Path) -> list[list[str]]:
    """The words of each ``agentr run`` in it, without the program and what is set for it."""
    shell = [command for block in blocks(page) if block.language == "sh" for command, _ in commands(block)]
    return [shlex.split(line)[shlex.split(line).index("run") :] for line in shell if re.search(r"\bagentr run ", line)]


@pytest.mark.parametrize("words", runs(PAGE), ids=lambda words: str(len(words)))
def test_a_command_of_the_recipe(words: list[str], tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="the recipe trains")
    settings, first_line = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "llama.toml").write_text(settings)
    (tmp_path / "start-from-base.toml").write_text(first_line + settings)
    done = subprocess.run(
        command(*words, "--dry-run"),
        cwd=tmp_path,
        env=environment(HF_HUB_OFFLINE="1"),  # nothing is fetched for this, wherever it runs
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "training conversations" not in done.stdout, "the paper's caps bound nothing"
    assert "Llama-3.1-8B-Instruct" in done.stdout + done.stderr
    assert "3 iterations" in done.stdout + done.stderr


def test_there_are_commands() -> None:
    assert len(runs(PAGE)) == 2


def test_json_on_the_command_line(tmp_path: Path) -> None:
    words = (
        *("run", "--env", "textcraft", "--searcher", "mcts", "--policy", "openai", "--model", "m", "--trainer", "none"),
        *("-o", 'openai.extra_body={"top_k": 20}', "-o", "openai.omit=seed,top_p", "--dry-run"),
        *("-o", "openai.base_url=https://n.openai.azure.com/openai/deployments/d?api-version=2024-10-21"),
        *("-o", "openai.headers.api-key=${AZURE_OPENAI_API_KEY}", "-o", "openai.query.api-version=2024-10-21"),
    )

    def call(**extra: str) -> subprocess.CompletedProcess[str]:
        where = {"cwd": tmp_path, "env": environment(**extra)}
        return subprocess.run(command(*words), **where, capture_output=True, text=True, timeout=300)

    assert "AZURE_OPENAI_API_KEY is not set" in call().stderr, "a dry run finds what is missing"
    done = call(AZURE_OPENAI_API_KEY="k")
    assert done.returncode == 0, done.stderr
