"""A sweep: runs that share what they begin with, found again by their settings, as one table and one plot."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killing import KILLER, sqlite_is_sound
from learning import write_model
from scripted_runs import Agentr, dump

import agentr_core
from agentr_core import Interrupted, RunConfig
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run
from agentr_core.runs.sweep import plan, sweep_runs, totals
from agentr_core.runs.sweep_table import sweep_rows, sweep_table
from agentr_core.settings.sweep import Sweep, read_sweep
from agentr_core.store import RunRow, Store

#: Two seeds, three ways to learn from the same trees: the second reads no revisions, the third has settings of its own.
STUDY = """
policy = "learning:Learner"
iterations = 2
db = "study.db"
[textcraft]
world = "synthetic"
depth = 3
max_steps = 14
[mcts]
simulations = 4
samples = 4
depth = 9
[search]
tasks = 4
[evaluate]
tasks = 6
max_turns = 9
revision_turns = 9
["learning:Learner"]
model = "base"
[sweep]
seed = [5, 6]
[[sweep.ways]]
name = "half"
trainer = "learning:Halver"
[[sweep.ways]]
name = "actions"
trainer = "learning:ActionReader"
[[sweep.ways]]
name = "good"
trainer = "learning:Halver"
data.recipe = "good"
"""
QUIET = Progress(quiet=True)


class Folder:
    """An empty folder with a study in it, where the sweep is worked on."""

    def __init__(self, path: Path) -> None:
        self.path, self.file, self.db = path, path / "study.toml", path / "study.db"
        write_model(path / "base", 0.5)
        self.file.write_text(STUDY.replace('"base"', json.dumps(str(path / "base"))))

    @property
    def sweep(self) -> Sweep:
        return read_sweep(self.file)

    def work(self, sweep: Sweep | None = None) -> list[Any]:
        return sweep_runs(sweep or self.sweep, db=self.db, out=None, progress=QUIET, advice="the same command")

    def store(self) -> Store:
        return agentr_core.open_store(self.db, read_only=True)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("swept"))
    folder.work()
    return folder


def trees(store: Store, run: RunRow, iteration: int) -> list[Any]:
    """The trees of a run, node by node, whatever their rows are numbered."""
    found = []
    for row in store.trees.select(run.id, iteration=iteration):
        nodes = [(n.response, n.observation, n.visits, n.value) for n in store.trees.load(row.id).nodes]
        found.append((row.task, row.seed, row.status, row.best_reward, nodes))
    return found


def content(store: Store, run: RunRow) -> dict[str, Any]:
    """What a run came to: trees, samples, datasets, evaluations."""
    sets = store.revisions.select(run.id)
    evals = store.evaluations.select(run.id)
    return {
        "trees": [trees(store, run, iteration) for iteration in (1, 2)],
        "samples": [[(s.kind, s.cut, s.kept, s.conversation) for s in store.revisions.samples(row.id)] for row in sets],
        "datasets": [(row.iteration, row.reads, row.content_hash) for row in store.datasets.select(run.id)],
        "evals": [
            (row.iteration, row.kind, [(r.task, r.success, r.conversation) for r in store.evaluations.results(row.id)])
            for row in evals
        ],
        "stages": [(row.iteration, row.stage, row.status) for row in store.runs.stages(run.id)],
    }


def test_a_run_of_a_sweep_is_the_run_that_these_settings_make_alone(swept: Folder, tmp_path: Path) -> None:
    """The second and third runs took over trees and baseline: nothing of them is other than if they had not."""
    for number, taken in ((2, ["evaluate", "search"]), (4, ["evaluate", "revise", "search"])):
        each = swept.sweep.combinations[number]
        run(each.config, db=tmp_path / f"{number}.db", progress=QUIET)
        with swept.store() as store, agentr_core.open_store(tmp_path / f"{number}.db") as alone:
            ours = store.runs.find(f"study-{each.label}-{each.config.seed}")
            theirs = alone.runs.find("last")
            assert content(store, ours) == content(alone, theirs)
            from_others = [row.stage for row in store.runs.stages(ours.id) if "taken_from" in row.metrics]
            assert sorted(from_others) == taken


def test_first_trees_are_grown_once_for_a_seed_and_later_ones_by_each(swept: Folder) -> None:
    with swept.store() as store:
        runs = {row.name: row for row in store.runs.select()}
        assert set(runs) == {f"study-{way}-{seed}" for way in ("half", "actions", "good") for seed in (5, 6)}
        grown = [name for name, row in runs.items() if not taken(store, row, "search")]
        assert sorted(grown) == ["study-half-5", "study-half-6"]
        assert len({trees(store, row, 1)[0][1] for row in runs.values()}) == 2, "two seeds"
        models = {name: {tree.model for tree in store.trees.select(row.id, iteration=2)} for name, row in runs.items()}
        assert all(len(each) == 1 for each in models.values())
        assert len(set.union(*models.values())) == 6, "from the second iteration on each has its own model and trees"


def taken(store: Store, row: RunRow, stage: str) -> bool:
    return any("taken_from" in each.metrics for each in store.runs.stages(row.id, stage=stage))


def test_what_no_training_reads_is_not_revised(swept: Folder) -> None:
    with swept.store() as store:
        row = store.runs.find("study-actions-5")
        assert store.revisions.select(row.id) == []
        revised = store.runs.stages(row.id, stage="revise")
        assert [(each.status, each.result_id) for each in revised] == [("done", None)] * 2


def test_a_sweep_that_is_done_makes_nothing_again(swept: Folder) -> None:
    before = [(row.id, row.finished_at) for row in swept.store().runs.select()]
    ended = swept.work()
    assert [each.combination.name for each in ended] == [each.name for each in swept.sweep.combinations]
    assert [(row.id, row.finished_at) for row in swept.store().runs.select()] == before


def test_the_table_pairs_by_seed_and_adds_up_what_it_took(swept: Folder) -> None:
    runs = [(each.label, found(swept, each.config)) for each in swept.sweep.combinations]
    with swept.store() as store:
        rows = sweep_rows(store, runs)
        data = {row["label"]: row for row in rows}
        last = {row.name: store.runs.stage(row.id, 2, "evaluate") for row in store.runs.select()}
        success = {name: stage.metrics["success"] for name, stage in last.items() if stage is not None}
        actions = sum(t.stats["samples"] for t in store.trees.select(store.runs.find("study-half-5").id))
    assert list(data) == ["half", "actions", "good"] and all(row["seeds"] == [5, 6] for row in rows)
    for label in data:
        assert data[label]["success"] == pytest.approx(mean(success[f"study-{label}-{seed}"] for seed in (5, 6)))
    differences = [success[f"study-good-{seed}"] - success[f"study-half-{seed}"] for seed in (5, 6)]
    assert data["good"]["against_first"] == pytest.approx(mean(differences))
    wide = 12.706 * abs(differences[0] - differences[1]) / 2
    assert data["good"]["against_first_half"] == pytest.approx(wide), "Student's t of two"
    assert "against_first" not in data["half"] and actions > 0
    assert data["half"]["training_seconds"] > 0 and data["half"]["environment_steps"] > 0
    table = sweep_table(rows)
    assert table.columns[0] == "" and "against first (95%)" in table.columns and "pass@K" not in table.columns


def mean(values: Any) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def found(folder: Folder, config: RunConfig) -> RunRow:
    with folder.store() as store:
        return next(row for row in store.runs.select() if row.config_hash == config.hash)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.chdir(tmp_path)
    yield Folder(tmp_path)


@pytest.mark.parametrize("db", ["missing", "empty"])
def test_a_plan_writes_nothing_and_counts_what_is_left(
    here: Folder, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if db == "empty":
        (here.path / "study.db").touch()
    before = sorted((path.name, path.stat().st_size) for path in here.path.iterdir())
    assert main(["sweep", "study.toml", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert sorted((path.name, path.stat().st_size) for path in here.path.iterdir()) == before
    lines = [line.split() for line in told.out.splitlines()]
    assert [line[-1] for line in lines[1:]] == ["grown", "grown", "shared", "shared", "shared", "shared"]
    counts = "8 searches, 32 trees, 12 trainings, 14 evaluations"
    assert f"plan: 6 runs, 0 done; left at the most: {counts}" in told.err


#: Four runs of two seeds and two critics, over trees of two seeds.
SCRIPTED = """
policy = "flawed"
trainer = "none"
iterations = 1
[textcraft]
world = "synthetic"
depth = 3
max_steps = 14
[flawed]
rate = 0.5
[mcts]
simulations = 8
samples = 4
depth = 12
[search]
tasks = 40
[evaluate]
tasks = 40
max_turns = 10
revision_turns = 9
[sweep]
seed = [1, 2]
critic = ["value", "last"]
"""


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_ends_as_one_that_was_not(agentr: Agentr, tmp_path: Path) -> None:
    """Row by row, by SIGKILL at moments that are drawn in seconds of the process's own work."""
    rng, kills, killer = random.Random(3), 0, tmp_path / "killer.py"
    killer.write_text(KILLER)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        (folder / "study.toml").write_text(SCRIPTED)
    command = ("sweep", "study.toml", "--plugin", str(killer))
    done = agentr(*command, cwd=whole)
    assert done.returncode == 0, done.stderr
    while kills < 8:
        ended = agentr(*command, cwd=killed, KILL_AFTER=str(rng.uniform(0.02, 0.4)), KILL_FROM="run")
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        assert sqlite_is_sound(killed / "agentr.db")
    assert kills >= 4, "the sweep ended before it could be killed: make it longer"
    done = agentr(*command, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert dump(killed / "agentr.db") == dump(whole / "agentr.db")


def test_a_stopped_sweep_goes_on_and_ends_as_one_that_was_not(swept: Folder, here: Folder) -> None:
    """Stopped in its first run, and then after the second: the rows are the same."""
    first, second, *rest = here.sweep.combinations
    part = Sweep("study", (first,))
    stop_after(part, here, stage="train")
    left = totals(plan(here.sweep, here.db))
    assert (left["runs"], left["done"]) == (6, 0)
    here.work(Sweep("study", (first, second)))
    assert totals(plan(here.sweep, here.db))["done"] == 2
    here.work()
    assert totals(plan(here.sweep, here.db)) == {"runs": 6, "done": 6}
    with here.store() as ours, swept.store() as whole:
        for each in rest:
            name = f"study-{each.label}-{each.config.seed}"
            got, wanted = content(ours, ours.runs.find(name)), content(whole, whole.runs.find(name))
            assert got == wanted
        assert len(ours.runs.select()) == 6


def stop_after(sweep: Sweep, folder: Folder, stage: str) -> None:
    """Interrupt the sweep's work as Ctrl-C does, where a stage of its first run begins."""

    class Stopping(Progress):
        def stage(self, label: str, total: int, unit: str) -> Any:
            if stage in label:
                raise Interrupted("interrupted")
            return super().stage(label, total, unit)

    with pytest.raises(Interrupted, match="what is done is kept; go on with: the same command"):
        sweep_runs(sweep, db=folder.db, out=None, progress=Stopping(quiet=True), advice="the same command")


def test_parts_of_a_sweep_come_to_the_table_of_the_whole(
    swept: Folder, here: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each in a database of its own; runs that begin with the same trees stay together, and one is never made twice."""
    for number, seed in ((1, 5), (2, 6)):
        assert main(["sweep", "study.toml", "--shard", f"{number}/2", "--db", f"{number}.db"]) == 0
        told = capsys.readouterr().err
        assert f"agentr db merge {number}.db ... --into all.db && agentr sweep study.toml --db all.db" in told
        with agentr_core.open_store(f"{number}.db", read_only=True) as store:
            assert {row.name for row in store.runs.select()} == {
                f"study-{way}-{seed}" for way in ("half", "actions", "good")
            }
        assert Path(f"sweep-study-part-{number}.html").is_file() and not Path("sweep-study.html").exists()
    assert main(["db", "merge", "1.db", "2.db", "--into", "all.db"]) == 0
    assert [each.state for each in plan(here.sweep, "all.db")] == ["done"] * 6
    with agentr_core.open_store("all.db", read_only=True) as merged, swept.store() as whole:
        assert shown(merged, here.sweep) == shown(whole, swept.sweep) != []


def shown(store: Store, sweep: Sweep) -> list[list[str]]:
    """The table of a sweep without its seconds."""
    runs = [(each.label, store.runs.find(f"study-{each.label}-{each.config.seed}")) for each in sweep.combinations]
    return [row[:-1] for row in sweep_table(sweep_rows(store, runs)).rows]


def test_a_part_that_nothing_is_left_for_is_refused(here: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "study.toml", "--shard", "3/3"]) == 2
    assert "--shard 3/3: the sweep has 2 groups of runs that begin with the same trees" in capsys.readouterr().err
    assert main(["sweep", "study.toml", "--shard", "0/3"]) == 2
    assert "write I/N" in capsys.readouterr().err and not here.db.exists()
    assert main(["sweep", "study.toml", "--dry-run", "--shard", "2/2"]) == 0
    assert "plan: 3 runs, 0 done" in capsys.readouterr().err


def test_one_run_that_fails_stops_no_other(here: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    here.file.write_text(here.file.read_text().replace("iterations = 2", "iterations = 1\nstart_from = 'base'"))
    text = here.file.read_text().replace("seed = [5, 6]", "seed = [5]")
    here.file.write_text(text.replace('recipe = "good"', 'recipe = "demonstrations"'))
    assert main(["sweep", "study.toml", "--json"]) == 3
    told = capsys.readouterr()
    made = json.loads(told.out)
    assert [bool(each["error"]) for each in made["runs"]] == [False, False, True]
    assert "good · seed 5 failed: data.demonstrations" in told.err
    assert [row["label"] for row in made["rows"]] == ["half", "actions"] and made["sweep"] == "study"
    page = Path(made["page"]).read_text()
    assert "<svg" in page and "half" in page and "good · seed 5 failed" in page
    assert main(["sweep", "study.toml", "--format", "md"]) == 3, "tried again, and failed again"
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("|   | seeds | iterations | success (95%) |") and len(table) == 4


def test_a_page_is_not_written_over_what_is_none(here: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (here.path / "mine.html").write_text("mine")
    assert main(["sweep", "study.toml", "-o", "mine.html"]) == 2
    assert "is no report of agentr" in capsys.readouterr().err and not here.db.exists()


def test_a_run_that_somebody_works_on_is_not_taken_from_them(here: Folder, agentr: Agentr) -> None:
    from agentr_core.process.file_lock import held

    stop_after(Sweep("study", here.sweep.combinations[:1]), here, stage="train")
    with agentr_core.open_store(here.db) as store:
        (row,) = store.runs.select()
        store.runs.set_status(row.id, "running")
        lock = store.runs.lock_file(row)
    with held(lock) as mine:
        assert mine
        with pytest.raises(agentr_core.UsageError, match="is still being worked on"):
            here.work()
