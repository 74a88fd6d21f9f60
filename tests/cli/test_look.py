"""The commands that look at a store, over a run that was really made: data on stdout, talk on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentr_core import run_settings
from agentr_core.cli.main import main
from agentr_core.process.file_lock import held
from agentr_core.store import open_store
from agentr_core.turns import Example

if os.name == "posix":
    from typing_terminal import Terminal

RUN = ["run", "--env", "textcraft", "--searcher", "mcts", "--policy", "flawed", "--trainer", "none"]
SIZE = ["--name", "first", "--tasks", "6", "--eval-tasks", "4", "--iterations", "1"]
OPTIONS = (
    "textcraft.world=synthetic", "textcraft.max_steps=8", "flawed.rate=0.6", "mcts.samples=3", "mcts.depth=9",
    "mcts.simulations=4",
)  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run, a dataset of its samples, and a checkpoint."""
    path = tmp_path_factory.mktemp("look") / "agentr.db"
    assert main([*RUN, *SIZE, *(part for option in OPTIONS for part in ("-o", option)), "--db", str(path)]) == 0
    with open_store(path) as store:
        run = store.runs.find("last")
        samples = sorted(store.revisions.samples(1, kept=True), key=lambda sample: sample.kind == "good")
        examples = [Example(store.conversations.get(s.conversation), s.kind, {"tree": s.tree_id}) for s in samples]
        data = store.datasets.save(run.id, 1, "agent-r", examples, recipe="agent-r", content_hash="abc", set_id=1)
        folder = path.parent / "model"
        folder.mkdir()
        (folder / "weights").write_text("0")
        made = store.checkpoints.open(
            run.id, 1, data.id, "sft", base_model="tiny", start_model="tiny", path=str(folder)
        )
        store.checkpoints.finish(made.id, step=3, metrics={"loss": 0.5})
    return path


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def agentr(db: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(text: str, path: Path = db) -> Said:
        command = text.split()
        code = main([*command, *([] if command[0] == "tasks" and "--env" in command else ["--db", str(path)])])
        return Said(code, *capsys.readouterr())

    return call


LISTS = [
    "runs list", "trees list", "trajectories list --limit 1000", "revisions list", "datasets list", "checkpoints list",
    "evals list", "evals show 1", "tasks list", "tasks list --env textcraft --split test",
]  # fmt: skip


#: What takes longer to import than most listings take to answer.
HEAVY = ("pydantic", "pluggy", "numpy", "torch")
_COMMANDS_IN_A_NEW_PROCESS = """
import contextlib, io, json, sys
from agentr_core import run_settings
from agentr_core.cli.main import main
commands, heavy, said = json.loads(sys.argv[1]), json.loads(sys.argv[2]), []
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(command.split())
    said.append([command, code, [name for name in heavy if name in sys.modules]])
print(json.dumps(said))
"""


def imported_by(*commands: str) -> list[tuple[str, int, list[str]]]:
    """Of commands, one after the other in one new process: the exit code, and what was imported by then."""
    program = [sys.executable, "-c", _COMMANDS_IN_A_NEW_PROCESS, json.dumps(commands), json.dumps(HEAVY)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return [(command, code, found) for command, code, found in json.loads(done.stdout)]


def test_a_listing_imports_no_pydantic(db: Path) -> None:
    reads = [each for each in LISTS if not each.startswith("tasks")]  # a task is a record
    reads += [
        "trees show",
        "trees show --failed",
        "runs show",
        "revisions show",
        "datasets show",
        "checkpoints show last",
        "compare",
        "compare --critics",
    ]
    reads = [f"{command} --db {db}" for command in reads]
    assert imported_by(*reads) == [(command, 0, []) for command in reads]
    [(_, code, found)] = imported_by(f"trees export --db {db} --output {db.parent / 'trees.jsonl'}")  # with its records
    assert (code, found) == (0, ["pydantic"])


def test_attempts_are_listed_as_they_are_exported(agentr: Any) -> None:
    listed, exported = agentr("trajectories list --limit 1000 --json").json, agentr("trajectories export").lines
    assert listed == [{name: value for name, value in row.items() if name != "messages"} for row in exported]
    assert {row["end"] for row in listed} >= {"ended", "step cap"}
    failed = agentr("trajectories list --failed --limit 1000 --json").json
    assert 0 < len(failed) < len(listed)


def test_a_run_knows_where_its_settings_came_from(db: Path) -> None:
    with open_store(db, read_only=True) as store:
        run = store.runs.find("first")
    known = {key: source for key, _, source in run_settings(run)}
    typed = {"env.name": "--env", "search.tasks": "--tasks", "env.options.world": "-o textcraft.world"}
    typed |= {
        "searcher.name": "--searcher",
        "searcher.options.samples": "-o mcts.samples",
        "iterations": "--iterations",
    }
    typed |= {"critic.name": "preset quick", "revise.alpha": "default", "policy.options.rate": "-o flawed.rate"}
    assert {key: known[key] for key in typed} == typed
    assert not [key for key in known if key.startswith("sources")]
    kept = {key: value for key, value in run.config.items() if key != "sources"}
    of_a_script = run_settings(replace(run, config=kept))
    assert [row[:2] for row in of_a_script] == [row[:2] for row in run_settings(run)]
    assert {source for _, _, source in of_a_script} == {""}


@pytest.mark.parametrize("command", LISTS)
def test_a_listing_says_the_same_as_text_and_as_json(agentr: Any, command: str) -> None:
    text, data = agentr(command), agentr(f"{command} --json")
    assert (text.code, data.code) == (0, 0)
    assert len(text.out.splitlines()) == 1 + len(data.json) > 1


@pytest.mark.parametrize(
    "command",
    [
        *LISTS, "runs show", "checkpoints show", "trees show", "compare", "compare first first", "compare --critics",
        "db status",
    ],
)  # fmt: skip
def test_nothing_is_wider_than_80_columns_and_no_word_is_broken(
    agentr: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    whole = agentr(command)
    monkeypatch.setenv("COLUMNS", "80")
    narrow = agentr(command)
    assert [line for line in narrow.out.splitlines() if len(line) > 80] == []
    broken = {word for word in narrow.out.split() if "…" not in word} - set(whole.out.split())
    assert not broken


@pytest.mark.parametrize("command", [command for command in LISTS if "--limit" not in command])
def test_a_limit_says_on_stderr_that_there_is_more(agentr: Any, command: str) -> None:
    whole, part = agentr(f"{command} --json"), agentr(f"{command} --json --limit 1")
    assert part.json == whole.json[:1]
    assert ("more (--limit)" in part.err) == (len(whole.json) > 1)


@pytest.mark.parametrize("command", ["runs", "trees", "trajectories", "revisions", "evals", "datasets", "checkpoints"])
def test_an_empty_database_has_nothing_to_list(agentr: Any, tmp_path: Path, command: str) -> None:
    path = tmp_path / "empty.db"
    missing = agentr(f"{command} list", path)
    assert (missing.code, missing.out) == (1, "")
    assert f"error: there is no database at {path}; start a run, or name another file with --db" in missing.err
    open_store(path).close()
    empty = agentr(f"{command} list", path)
    assert (empty.code, empty.out) == (5, "")
    assert "there are no" in empty.err


def test_a_run_is_shown_with_its_stages_and_plugins(agentr: Any) -> None:
    text, data = agentr("runs show first"), agentr("runs show last --json").json
    assert text.out.startswith(f"run {data['key'][-8:]} 'first'  done")
    assert [row["stage"] for row in data["stages"]] == ["evaluate", "search", "revise", "train", "evaluate"]
    assert {row["kind"] for row in data["plugins"]} == {"env", "policy", "searcher", "critic"}
    assert (data["trees"], data["alive"]) == ({"done": 6}, False)
    assert agentr("runs export").lines[0]["id"] == data["id"]
    assert [row["name"] for row in agentr("runs list --env textcraft --json").json] == ["first"]
    assert agentr("runs list --status failed").code == 5


def test_a_run_is_called_killed_where_nobody_works_on_it(agentr: Any, tmp_path: Path) -> None:
    path = tmp_path / "owners.db"
    with open_store(path) as store:
        runs = {name: store.runs.create("run", {}, seed=1, name=name) for name in ("gone", "here")}
        with held(store.runs.lock_file(runs["here"])):
            for row in runs.values():
                store.runs.open_stage(row.id, 1, "search")
                store.runs.move_stage(row.id, 1, "search", 0.4167, 83.0)
            shown = {name: agentr(f"runs show {name}", path).out for name in runs}
            states = {name: text.split("\n")[0].split()[-1] for name, text in shown.items()}
            assert states == {"gone": "killed", "here": "running"}
            at_work = {name: re.findall(r"^1 +search +(\w+)", text, re.MULTILINE) for name, text in shown.items()}
            assert at_work == {"gone": ["killed"], "here": ["running"]}
            assert "41% · ~1:20 left" in shown["here"] and "left" not in shown["gone"]
            killed = agentr("runs list --status killed --json", path).json
            assert [row["name"] for row in killed] == ["gone"]
            assert {row["name"]: row["alive"] for row in agentr("runs list --json", path).json} == {
                "gone": False,
                "here": True,
            }


def test_an_unknown_run_and_tree_are_told_so(agentr: Any) -> None:
    assert "no run is called 'frist'. Did you mean 'first'?" in agentr("trees list frist").err
    unknown = agentr("trees show first 99")
    assert unknown.code == 2
    assert "has no tree '99'; list them with: agentr trees list" in unknown.err
    assert "the critic 'value' has not revised iteration 1" in agentr("trees show first 1 --critic value").err
    assert "'x' is no number of a tree" in agentr("trajectories show x:1").err


def test_a_tree_is_drawn_with_verdicts_and_cuts(agentr: Any) -> None:
    shown, data = agentr("trees show"), agentr("trees show --json").json
    assert "✂ cut of" in shown.out and "bad" in shown.out and "●" in shown.out
    assert len(data["nodes"]) == data["n_nodes"]
    assert sum(node["cuts"] for node in data["nodes"]) == len(
        [row for row in agentr("revisions list --json").json if row["tree_id"] == data["id"]]
    )
    assert agentr(f"trees show last {data['task']} --json").json == data
    drawn = [line for line in agentr("trees show --all").out.splitlines()[1:] if "N=" in line]
    assert len(drawn) == data["n_nodes"]


def test_trees_are_exported_whole(agentr: Any, tmp_path: Path) -> None:
    rows = agentr("trees export").lines
    assert [len(row["nodes"]) for row in rows] == [row["n_nodes"] for row in agentr("trees list --json").json]
    said = agentr(f"trees export -o {tmp_path / 'trees.jsonl'}")
    assert said.out == "" and f"6 trees written to {tmp_path / 'trees.jsonl'}" in said.err
    assert [json.loads(line) for line in (tmp_path / "trees.jsonl").read_text().splitlines()] == rows
    assert "cannot be written: No such file" in agentr(f"trees export -o {tmp_path / 'none' / 'x'}").err


def test_an_attempt_is_the_conversation_it_was(agentr: Any) -> None:
    found = agentr("trajectories list --limit 1000 --json").json
    failed = agentr("trajectories list --limit 1000 --failed --json").json
    assert failed == [row for row in found if row["reward"] < 1.0] and 0 < len(failed) < len(found)
    one = agentr(f"trajectories show {failed[0]['trajectory']} --json").json
    assert len(one["messages"]) == 2 + 2 * one["steps"]
    text = agentr(f"trajectories show {failed[0]['trajectory']}").out
    assert all(action in text for action in one["actions"] if action)
    exported = agentr("trajectories export --failed").lines
    assert exported[0] == one and len(exported) == len(failed)
    assert "is no trajectory; name one as TREE:LEAF" in agentr("trajectories show 1").err
    tree = failed[0]["tree"]
    assert agentr(f"trajectories show {tree}:1 --json").json["end"] in ("not an end", "left there")


def test_a_revision_is_shown_as_shared_bad_cut_signal_good(agentr: Any) -> None:
    rows = [row for row in agentr("revisions list --kept --json").json if row["divergence"] > 0 and row["judged"]]
    text = agentr(f"revisions show {rows[0]['revision']}").out.splitlines()
    words = [line[:11].strip() for line in text[2:] if line[:11].strip() not in ("", "→")]
    cut = next(index for index, line in enumerate(text) if line.startswith("✂ cut after step"))
    parts = list(dict.fromkeys(word for word in words if not word.startswith("✂")))
    assert parts == ["shared", "bad", "signal", "good"]
    assert not any("┃" in line for line in text[:cut])
    assert any("┃ Action: revise" in line for line in text[cut:])
    assert "judged bad: " in text[cut]


def test_preference_pairs_part_at_an_agent_turn(agentr: Any) -> None:
    for row in agentr("revisions export --preferences").lines:
        assert row["prompt"][-1]["role"] == "user"
        assert row["chosen"][0]["role"] == row["rejected"][0]["role"] == "assistant"
        assert row["chosen"][0] != row["rejected"][0]
        assert row["origin"]["chosen_reward"] > row["origin"]["rejected_reward"]


def test_a_dataset_marks_what_is_trained(agentr: Any) -> None:
    rows = agentr("datasets export").lines
    assert len(rows) == agentr("datasets list --json").json[0]["n_examples"]
    for row in rows:
        flags = [(turn["train"], turn["weight"], turn["loss"]) for turn in row["messages"]]
        assert {(False, 0, False), (True, 1, True)} == set(flags)
    shown = agentr("datasets show last 1")
    trained = "\n".join(line.partition("┃ ")[2] for line in shown.out.splitlines() if "┃" in line)
    assert trained == "\n".join(turn["content"] for turn in rows[0]["messages"] if turn["train"])
    assert f"of {len(rows[0]['messages'])} turns are trained" in shown.err
    assert "conversations (got 9999)" in agentr("datasets show 1 9999").err


def test_a_dataset_for_trl_has_a_row_for_each_trained_turn(agentr: Any) -> None:
    trained = [turn for row in agentr("datasets export").lines for turn in row["messages"] if turn["train"]]
    rows = agentr("datasets export --format trl").lines
    assert [row["completion"][0]["content"] for row in rows] == [turn["content"] for turn in trained]
    assert all(row["prompt"][-1]["role"] == "user" for row in rows)


def test_a_dataset_is_written_as_parquet(agentr: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert "parquet is not text: name a file with --output" in agentr("datasets export --format parquet").err
    assert agentr(f"datasets export --format parquet -o {tmp_path / 'd.parquet'}").code == 0
    read = parquet.read_table(tmp_path / "d.parquet").to_pylist()
    rows = agentr("datasets export").lines
    assert [{**row, "origin": json.loads(row["origin"])} for row in read] == rows


def test_a_checkpoint_is_copied_once(agentr: Any, tmp_path: Path) -> None:
    assert agentr("checkpoints show --json").json["on_disk"]
    assert agentr(f"checkpoints export last {tmp_path / 'copy'}").code == 0
    assert (tmp_path / "copy" / "weights").read_text() == "0"
    assert "exists already" in agentr(f"checkpoints export 1 {tmp_path / 'copy'}").err
    assert "there is no checkpoint 9" in agentr("checkpoints show 9").err


def test_an_evaluated_task_is_shown_with_its_conversation(agentr: Any) -> None:
    rows = agentr("evals show 1 --json").json
    one = agentr(f"evals show 1 {rows[0]['task']} --json").json
    assert len(one["messages"]) == 2 + 2 * one["steps"]
    assert f"reward {one['reward']:.2f}" in agentr(f"evals show 1 {rows[0]['task']}").out
    assert "has no task 'x'" in agentr("evals show 1 x").err
    assert agentr("evals export").lines[0]["messages"] == one["messages"]


def test_a_task_is_shown_with_its_demonstration(agentr: Any) -> None:
    key = agentr("tasks list --env textcraft --split test --json").json[0]["key"]
    data = agentr(f"tasks show {key} --env textcraft --json").json
    assert data["demonstration"]
    text = agentr(f"tasks show {key} --env textcraft").out
    assert data["observation"] in text and all(action in text for action in data["demonstration"])
    assert len(agentr("tasks export --env textcraft --split test").lines) > 1
    assert "-o rules: must be KEY=VALUE" in agentr("tasks list --env textcraft -o rules").err


def test_the_database_is_told_backed_up_and_dumped(agentr: Any, db: Path, tmp_path: Path) -> None:
    assert agentr("db path").out.strip() == str(db)
    state = agentr("db status --json").json
    assert state["rows"]["trees"] == 6
    assert f"trees          {state['rows']['trees']}" in agentr("db status").out
    copy = tmp_path / "copy.db"
    assert agentr(f"db backup {copy}").code == 0
    whole = agentr("db dump").lines
    assert agentr("db dump", copy).lines[-1] == whole[-1]
    assert {row[0] for row in whole} == {table for table, count in state["rows"].items() if count}


def test_whether_the_file_is_damaged_is_looked_into_when_asked_for(agentr: Any, db: Path, tmp_path: Path) -> None:
    """It takes a read of every page, which is most of what the command would take."""
    assert "integrity" not in agentr("db status --json").json and "integrity" not in agentr("db status").out
    assert agentr("db status --check --json").json["integrity"] == "ok"
    copy = tmp_path / "damaged.db"
    shutil.copy(db, copy)
    with sqlite3.connect(copy) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'texts'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with copy.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert agentr("db status", copy).code == 0
    assert "btreeInitPage" in agentr("db status --check --json", copy).json["integrity"]


@pytest.mark.skipif(os.name != "posix", reason="pseudo terminals are POSIX's")
def test_what_is_longer_than_the_terminal_goes_through_the_users_pager(agentr: Any, db: Path, tmp_path: Path) -> None:
    """As ``git log`` does it; what stays below the terminal's 40 lines, is piped, or has no pager is printed."""
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat > paged\necho turned the pages\n")
    pager.chmod(0o755)
    show = [sys.executable, "-m", "agentr_core", "trees", "show", "--db", str(db), "--all"]
    drawn = {}
    for name, more, chosen in (("long", [], str(pager)), ("short", ["--depth", "1"], str(pager)), ("none", [], "")):
        with closing(Terminal([*show, *more], tmp_path, PAGER=chosen)) as terminal:
            assert terminal.end() == 0
            drawn[name] = terminal.text
    paged = (tmp_path / "paged").read_text()
    assert len(paged.splitlines()) > 40
    assert "turned the pages" in drawn["long"] and paged.splitlines()[5] not in drawn["long"]
    assert "turned the pages" not in drawn["short"] + drawn["none"]
    assert [line.rstrip() for line in drawn["none"].splitlines()][: len(paged.splitlines())] == paged.splitlines()
