"""docs/first-environment.md: each file keeps the contract, and each command of the page does what it says."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use
from agentr_core.store import open_store

PAGE = (Path(__file__).parents[2] / "docs" / "first-environment.md").read_text(encoding="utf-8")
STAGES = dict(re.findall(r"`(lock\d)\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
RUN = re.sub(r"<!-- not run.*?-->\n```.*?```", "", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"^agentr (.+)$", RUN, re.MULTILINE)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's files in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, code in STAGES.items():
        (tmp_path / f"{name}.py").write_text(code)
    use(None)
    yield
    use(None)
    for name in STAGES:
        sys.modules.pop(name, None)


def test_the_page_has_four_stages_that_grow() -> None:
    assert list(STAGES) == ["lock1", "lock2", "lock3", "lock4"]
    sizes = [code.count("\n") for code in STAGES.values()]
    assert sizes == sorted(sizes) and sizes[0] < 60 < sizes[3]
    assert [f"envs check {name}:Lock" in COMMANDS for name in STAGES] == [True] * 4


def test_every_command_of_the_page_works_and_finds_something(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert main(shlex.split(command)) == 0, (command, capsys.readouterr().err)
    out = capsys.readouterr().out
    assert "FAILED" not in out
    with open_store("agentr.db", read_only=True) as store:
        runs = store.runs.select()
        assert len(runs) == 2
        assert store.revisions.samples(store.revisions.select(runs[0].id)[0].id, kept=True)


def test_the_class_takes_the_place_of_the_packages_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that ``agentr new`` writes, found by ``--plugin`` in the place of an installation."""
    assert main(["new", "env", "lock"]) == 0
    package = tmp_path / "agentr-lock"
    (package / "agentr_lock" / "env.py").write_text(STAGES["lock4"])
    monkeypatch.syspath_prepend(str(package))
    named = ["--plugin", "agentr_lock", "--env", "lock", "--policy", "flawed"]
    assert main(["search", *named, "--tasks", "1", "-o", "mcts.simulations=2"]) == 0


@pytest.mark.parametrize(
    ("name", "lengths", "played"),
    [("lock1", None, False), ("lock2", None, False), ("lock3", None, True), ("lock4", [1, 8], True)],
)
def test_what_a_stage_adds_is_in_its_figures(
    name: str, lengths: list[int] | None, played: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["envs", "check", f"{name}:Lock", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    figures = found["figures"]
    assert (figures["splits"], found["failed"]) == ({"train": 32, "test": 31}, 0)
    assert (figures["lengths"] and figures["lengths"][::2], figures["steps_per_second"] is not None) == (
        lengths,
        played,
    )
    told = {row["check"]: row["told"] for row in found["checks"]}
    assert told["snapshots"].startswith("no snapshots") == (name == "lock1")
    assert told["demonstrations"].startswith("none offered") == (name != "lock4")


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("self.dials == self.code", "self.dials == self.code or not __import__('random').getrandbits(3)",
         "FAILED  determinism, replay "),
        ("float(opened)", "2.0", "FAILED  rewards "),
        ('raise RuntimeError("there is no episode: call reset first")', 'self.reset(self.tasks("train")[0])',
         "FAILED  step after the end "),
        ("return self.code, self.dials, self.left", "return self.code, [0, 0, 0], self.left", "FAILED  snapshots "),
        ("carried = needed[-1]", "carried = 0", "FAILED  demonstrations "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_its_line(
    before: str, after: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = STAGES["lock4"].replace(before, after)
    assert code != STAGES["lock4"]
    name = "broken_lock" + re.sub(r"\W+", "_", line)
    (tmp_path / f"{name}.py").write_text(code)
    assert main(["envs", "check", f"{name}:Lock"]) == 4
    out, err = capsys.readouterr()
    assert line in out and f"'{name}:Lock' breaks " in err and "Traceback" not in err
    assert all(len(each.splitlines()) == 1 for each in out.splitlines())
