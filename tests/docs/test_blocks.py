"""Every code block of README and docs: run in a project of its own, or named below with the reason why not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import LANGUAGES, PAGES, REPOSITORY, Block, blocks, check, commands, needs_a_shell, words

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use

#: How many blocks of each page are not run, so that none is left out unseen. Each says why where it stands.
NOT_RUN = {
    "CONTRIBUTING.md": 1,
    "README.md": 3,
    "database.md": 2,
    "engines.md": 4,
    "environments.md": 5,
    "first-critic.md": 1,
    "first-environment.md": 1,
    "lab-notes.md": 2,
    "machines.md": 1,
    "looking.md": 3,
    "own-model-and-data.md": 4,
    "paper.md": 1,
    "playing.md": 3,
    "plugins.md": 2,
    "report.md": 2,
    "results.md": 2,
    "searchers.md": 1,
    "servers.md": 2,
    "serving.md": 4,
    "several-environments.md": 1,
    "start.md": 2,
    "viewer.md": 3,
    "sweeps.md": 2,
    "trainers.md": 4,
}
#: A run with a model that takes no longer than what it imports.
SMALL = (
    *("--tasks", "2", "--eval-tasks", "2", "--no-revision-test", "-o", "search.sampler=by_depth"),
    *("-o", "mcts.simulations=2", "-o", "mcts.samples=3", "-o", "mcts.depth=4", "-o", "mcts.max_tokens=32"),
    *("-o", "evaluate.max_turns=3", "-o", "evaluate.max_tokens=32", "-o", "actor.max_tokens=16"),
    *("-o", "data.max_revisions_per_tree=2", "-o", "data.max_good_per_tree=2", "-o", "sft.epochs=1"),
)
#: Pages that tests of their own follow more closely.
ELSEWHERE = {"first-environment.md": "tests/plugins/test_first_environment.py"}
#: What begins in an empty folder.
EMPTY = {"start.md"}
RUN_HERE = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE and any(each.language in ("python", "sh", "console") for each in blocks(page))
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one small run of the model ``tiny``, as somebody has it who has followed the first page."""
    folder = tmp_path_factory.mktemp("finished")
    made = ("run", "--env", "textcraft", "--searcher", "mcts", "--iterations", "1", "--name", "first", *SMALL)
    at_home = Path.cwd()
    os.chdir(folder)
    try:
        assert main(made) == 0
    finally:
        os.chdir(at_home)
    return folder


@pytest.fixture
def project(
    request: pytest.FixtureRequest, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A copy of it, which a page may change; an empty folder for a page that begins there."""
    folder = tmp_path / "project"
    if request.getfixturevalue("page").name in EMPTY:
        folder.mkdir()
    else:
        shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("AGENTR_CACHE", str(finished.parent / "cache"))
    before = set(sys.modules)
    use(None)
    yield folder
    use(None)
    for name in set(sys.modules) - before:
        if (folder / f"{name}.py").exists():
            del sys.modules[name]


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.stem)
def test_the_blocks_of_a_page(page: Path, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        try:
            _take(block, namespace, capfd)
        except BaseException as error:
            error.add_note(f"in {block}, of the text:\n{block.text}")
            raise


def test_what_is_not_run_is_counted_and_has_a_reason() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert Counter(block.page.name for block in left_out) == NOT_RUN
    assert all(len(block.not_run or "") > 8 for block in left_out)


def test_pages_that_are_run_elsewhere_are() -> None:
    for page, test in ELSEWHERE.items():
        assert page in (REPOSITORY / test).read_text(encoding="utf-8")


def test_every_block_says_what_it_is() -> None:
    assert [str(each) for page in PAGES for each in blocks(page) if each.language not in LANGUAGES] == []


def _take(block: Block, namespace: dict[str, object], capfd: pytest.CaptureFixture[str]) -> None:
    if block.file:
        Path(block.file).write_text(block.text, encoding="utf-8")
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language in ("sh", "console"):
        for command, output in commands(block):
            if block.not_run:
                check(command)
            else:
                _run(command, output, capfd)
    elif block.language == "python":
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        if not block.file and not block.not_run:
            exec(code, namespace)


def _run(command: str, expected: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    if not needs_a_shell(command) and (said := words(command))[0] in ("agentr", "pip", "make"):
        check(command)
        code = main(said[1:]) if said[0] == "agentr" else 0
    else:
        agentr = f'agentr() {{ "{sys.executable}" -m agentr_core "$@"; }}\nexport -f agentr\n'
        code = subprocess.run(["bash", "-ec", agentr + command], stdin=subprocess.DEVNULL, timeout=120).returncode
    out, err = capfd.readouterr()
    assert code == 0, f"{command}\nexit code {code}\n{err}{out}"
    told = [_plain(line) for line in (err + out).splitlines()]
    missing = [line for line in expected if line.strip() not in ("", "…") and not _is_told(line, told)]
    assert not missing, "\n".join([command, "does not say:", *missing, "but:", err, out])


def _is_told(line: str, told: list[str]) -> bool:
    wanted = _plain(line)
    if wanted.endswith("…"):
        return any(each.startswith(wanted[:-1]) for each in told)
    return wanted in told


def _plain(line: str) -> str:
    """A line without what differs from run to run: keys, times, rates, the time's shares, and the width of columns."""
    line = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", "KEY", line)
    line = re.sub(r"\d+:\d\d\b", "TIME", line)
    line = re.sub(r"[\d,]+ (nodes|tokens)/s", r"N \1/s", line)
    line = re.sub(r"(model|env|store|engine) \d+%( full)?", r"\1 N%", line)
    return " ".join(line.split())
