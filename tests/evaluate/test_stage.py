"""The evaluate stage: the same tasks and seeds for every model, the revision test, tasks that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentr_core.evaluate.metrics import loop_count, summarize

BREAKS = """
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

class Breaks(TextCraft):
    config_class = TextCraftConfig
    supports_snapshot = False
    turns = 0
    def reset(self, task):
        self.turns, self.fails = 0, task.key[-1] in "13"
        return super().reset(task)
    def step(self, action):
        self.turns += 1
        if self.fails and self.turns == 2:
            raise OSError("the world is gone")
        return super().step(action)
"""
ECHO = """
from agentr_core import Completion, PluginConfig, Policy

class {name}(Policy[PluginConfig]):
    config_class = PluginConfig
    log = []
    @property
    def model(self):
        return "{name}"
    async def sample(self, request):
        self.log.append((request.task.key, len(request.messages), request.seed, request.params.temperature))
        return [Completion(text="Thought: Hm.\\nAction: inventory")] * request.n
"""


def results(project: Any, kind: str, **where: Any) -> list[Any]:
    with project.store() as store:
        run = store.runs.find("last")
        return [
            row
            for each in store.evaluations.select(run.id, kind=kind, **where)
            for row in store.evaluations.results(each.id)
        ]


def messages(project: Any, row: Any) -> list[str]:
    with project.store() as store:
        return [turn.content for turn in store.conversations.get(row.conversation)]


def test_every_model_plays_the_same_tasks_with_the_same_seeds(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    logs = []
    for name in ("One", "Two"):
        (tmp_path / f"echo_{name.lower()}.py").write_text(ECHO.format(name=name))
        empty.run(settings(policy=f"echo_{name.lower()}:{name}", concurrency=len(logs) + 1), "evaluate")
        logs.append(sorted(__import__(f"echo_{name.lower()}").__dict__[name].log))
    assert logs[0] == logs[1] and len({key for key, *_ in logs[0]}) == 12
    assert len({seed for *_, seed, _ in logs[0]}) == len(logs[0])  # no turn shares its draw with another
    assert {temperature for *_, temperature in logs[0]} == {0.0}
    with empty.store() as store:
        (plain,) = store.evaluations.select(store.runs.find("last").id)
    repeats = {name: value for name, value in plain.metrics.items() if name.startswith("repeats_")}
    assert repeats == {"repeats_1": 9.0, "repeats_2": 1.0, "repeats_3": 1.0, "repeats_4": 1.0}, "it looks nine times"


def test_rows_say_what_the_episodes_were(empty, settings) -> None:
    empty.run(settings(), "evaluate")
    rows = results(empty, "plain")
    assert len(rows) == 12 and {row.success for row in rows} == {True, False}
    for row in rows:
        turns = messages(empty, row)
        assert row.steps == (len(turns) - 2) // 2 <= 9
        actions = [turn.rpartition("Action: ")[2] for turn in turns[2::2]]
        assert row.loops == loop_count(actions)
        assert row.invalid == sum("Could not" in turn for turn in turns[3::2]) or row.invalid > 0
        assert row.success == (row.reward == 1.0)
    with empty.store() as store:
        (row,) = store.evaluations.select(store.runs.find("last").id, kind="plain")
        assert summarize(rows).items() <= row.metrics.items() and row.status == "done"


def test_the_revision_test_takes_at_most_so_many_trajectories_and_always_the_same(empty, settings) -> None:
    limits = {"tasks": 12, "max_turns": 9, "revision_turns": 3, "revision_tasks": 2, "temperature": 1.0}
    empty.run(settings(evaluate=limits), "search", "evaluate")
    first, second = ([row.task for row in results(empty, "revision_test", iteration=number)] for number in (0, 1))
    assert len(first) == 2 and first == second


def test_revision_test_goes_on_from_the_failed_baseline_trajectories(empty, settings) -> None:
    """The same cut for every model: what comes before it is the baseline's, turn for turn."""
    limits = {"tasks": 12, "max_turns": 9, "revision_turns": 3, "temperature": 1.0}
    empty.run(settings(evaluate=limits), "evaluate")
    failed = {row.task: messages(empty, row) for row in results(empty, "plain") if row.reward == 0}
    rows = results(empty, "revision_test")
    assert {row.task for row in rows} == set(failed) != set()
    for row in rows:
        before, turns = failed[row.task], messages(empty, row)
        given = (len(turns) - 2) // 2 - row.steps
        assert 1 <= given < (len(before) - 2) // 2
        assert turns[: 2 + 2 * given] == before[: 2 + 2 * given]
        assert row.steps <= 3


def test_another_iterations_model_continues_from_the_same_cuts(empty, settings) -> None:
    """Iteration 1 acts with the same scripted model here: prefix and outcome are the baseline's own."""
    empty.run(settings(evaluate={"tasks": 12, "max_turns": 9, "temperature": 1.0}), "search", "evaluate")
    base, after = (results(empty, "revision_test", iteration=iteration) for iteration in (0, 1))
    assert [(row.task, row.conversation) for row in base] == [(row.task, row.conversation) for row in after] != []


def test_a_greedy_model_is_not_tested_on_its_own_failed_attempts(empty, settings) -> None:
    """It would repeat them word for word: 0% by construction is no baseline."""
    empty.run(settings(), "search", "evaluate")
    for iteration in (0, 1):
        assert results(empty, "plain", iteration=iteration)
    with empty.store() as store:
        assert store.evaluations.select(store.runs.find("last").id, kind="revision_test") == []


def test_an_environment_that_raises_fails_its_task_and_no_other(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaking.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = dict(settings().env[0].options)
    empty.run(settings(), "evaluate")
    whole = {row.task: row for row in results(empty, "plain")}
    outcome = empty.run(settings(env={"name": "breaking:Breaks", **options}), "evaluate")
    rows = {row.task: row for row in results(empty, "plain")}
    broken = {key for key, row in rows.items() if row.error is not None}
    assert broken and broken == {key for key, row in whole.items() if key[-1] in "13" and row.steps >= 2}
    assert all("OSError: the world is gone" in rows[key].error for key in broken)
    for key in rows.keys() - broken:
        assert (rows[key].reward, rows[key].steps, rows[key].conversation) == (
            whole[key].reward,
            whole[key].steps,
            whole[key].conversation,
        )
    assert outcome.failed >= len(broken) and outcome.run.status == "done"


def test_an_answer_that_is_an_error_is_no_empty_turn(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search leaves such an answer out; an episode has no other one, so it was not played."""
    filtered = ECHO.format(name="Filtered").replace(
        'text="Thought: Hm.\\nAction: inventory")]',
        'text="Action: inventory", finish_reason="error" if request.task.key[-1] in "13" else "stop")]',
    )
    (tmp_path / "filtered.py").write_text(filtered)
    monkeypatch.syspath_prepend(str(tmp_path))
    outcome = empty.run(settings(policy="filtered:Filtered"), "evaluate")
    rows = results(empty, "plain")
    broken = [row for row in rows if row.task[-1] in "13"]
    assert broken and outcome.failed == len(broken) and all("gave no answer" in row.error for row in broken)
    assert all(row.error is None and row.steps > 0 for row in rows if row not in broken)


def test_a_broken_environment_fails_its_trees_and_no_other(
    empty, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaking_too.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = dict(settings().env[0].options)
    outcome = empty.run(settings(env={"name": "breaking_too:Breaks", **options}), "search", "revise")
    with empty.store() as store:
        rows = store.trees.select(store.runs.find("last").id)
        status = {row.task[-1] in "13": row.status for row in rows}
        assert status == {True: "failed", False: "done"}
        (row,) = store.revisions.select(rows[0].run_id)
        assert set(store.revisions.trees(row.id)) == {tree.id for tree in rows if tree.status == "done"}
    assert outcome.failed == sum(row.status == "failed" for row in rows)
