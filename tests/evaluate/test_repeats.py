"""Each task played several times: seeds of their own, intervals over tasks, pass@K, and what is taken up again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from interrupting import interrupt
from pydantic import ValidationError
from scripted_runs import SCRIPTED, Agentr

from agentr_core import RunConfig
from agentr_core.process.progress import Progress
from agentr_core.runs import report
from agentr_core.runs.side_by_side import side_by_side
from agentr_core.runs.single_stages import evaluate_again
from agentr_core.runs.start_and_resume import resume
from agentr_core.settings.layer import Layer, flag_layer, stored_layer
from agentr_core.settings.layers import resolve
from agentr_core.settings.run_config import EvaluateSettings
from agentr_core.store import EvalResult, EvalRow, canonical_dump

FOUR = {"tasks": 12, "max_turns": 9, "repeats": 4, "revision_turns": 3}


def asked_for(**evaluate: Any) -> Layer:
    return flag_layer({f"evaluate.{name}": (f"--{name}", value) for name, value in evaluate.items()})


def evaluations(project: Any, kind: str = "plain") -> list[tuple[EvalRow, list[EvalResult]]]:
    with project.store() as store:
        rows = store.evaluations.select(store.runs.find("last").id, kind=kind)
        return [(row, store.evaluations.results(row.id)) for row in rows]


def test_each_task_is_played_so_often_and_each_time_with_a_seed_of_its_own(empty, settings) -> None:
    empty.run(settings(evaluate=FOUR), "evaluate")
    [(row, results)] = evaluations(empty)
    tasks = {result.task for result in results}
    assert sorted((r.task, r.repeat) for r in results) == sorted((task, n) for task in tasks for n in range(4))
    assert len(tasks) == 12 and row.config["temperature"] == 1.0 and row.config["repeats"] == 4
    differing = {result.conversation for result in results}
    assert len(differing) > 3 * len(tasks), "hardly two repeats are the same episode"
    solved = {task: [r.success for r in results if r.task == task] for task in tasks}
    assert row.metrics["success"] == pytest.approx(sum(map(sum, solved.values())) / 48)
    assert row.metrics["pass_at_k"] == pytest.approx(sum(map(any, solved.values())) / 12)
    assert row.metrics["success"] < row.metrics["pass_at_k"] and row.metrics["tasks"] == 12


def test_the_first_repeat_is_what_a_task_that_is_played_once_is(empty, settings) -> None:
    empty.run(settings(evaluate={**FOUR, "repeats": 1, "temperature": 1.0}), "evaluate")
    once = {result.task: result.conversation for result in evaluations(empty)[0][1]}
    empty.run(settings(evaluate=FOUR, concurrency=3), "evaluate")
    assert once == {r.task: r.conversation for r in evaluations(empty)[0][1] if r.repeat == 0}


def test_the_revision_test_continues_every_failed_repeat_from_a_cut_of_its_own(empty, settings) -> None:
    empty.run(settings(evaluate=FOUR), "evaluate")
    failed = {(r.task, r.repeat) for r in evaluations(empty)[0][1] if r.reward == 0}
    [(row, results)] = evaluations(empty, "revision_test")
    assert {(r.task, r.repeat) for r in results} == failed != set()
    assert row.metrics["tasks"] == len({task for task, _ in failed}) and "pass_at_k" not in row.metrics


@pytest.mark.parametrize("after", [5, 30])
def test_what_is_missing_of_the_repeats_is_played_and_nothing_else(empty, tmp_path, settings, after: int) -> None:
    config = settings(evaluate=FOUR, concurrency=2)
    straight = type(empty)(tmp_path / "straight.db")
    straight.run(config, "evaluate")
    played = interrupt(empty, config, ("evaluate",), "evaluate", after)
    assert after <= played < after + 3
    with empty.store() as store:
        kept = {(r.task, r.repeat): r.elapsed_seconds for r in store.evaluations.results(1)}
    resume("last", db=empty.path)
    again = {(r.task, r.repeat): r.elapsed_seconds for r in evaluations(empty)[0][1]}
    assert kept.items() <= again.items() and len(again) == 48, "no episode was played twice"
    with empty.store() as mine, straight.store() as theirs:
        assert list(canonical_dump(mine)) == list(canonical_dump(theirs))


def test_repeats_of_a_greedy_model_are_refused_and_said_why() -> None:
    assert EvaluateSettings().temperature == 0.0 and EvaluateSettings(repeats=2).temperature == 1.0
    assert EvaluateSettings(repeats=2, temperature=0.3).temperature == 0.3
    with pytest.raises(ValidationError, match="the same episode 2 times: give evaluate"):
        EvaluateSettings(repeats=2, temperature=0.0)


def test_repeats_over_a_stored_greedy_run_are_sampled(settings) -> None:
    """Greedy was nobody's choice there: it is what one repeat is."""
    stored = stored_layer("run R", settings().model_dump(mode="json"))
    asked = resolve([asked_for(repeats=3), stored]).config.evaluate
    assert (asked.repeats, asked.temperature) == (3, 1.0)
    back = stored_layer("run R", settings(evaluate={"repeats": 3}).model_dump(mode="json"))
    assert resolve([asked_for(repeats=1), back]).config.evaluate.temperature == 0.0
    own = stored_layer("run R", settings(evaluate={"temperature": 0.7}).model_dump(mode="json"))
    assert resolve([asked_for(repeats=3), own]).config.evaluate.temperature == 0.7


def test_an_evaluation_of_before_there_were_repeats_still_counts(empty, settings) -> None:
    """Its identity is what it was, so a run that is resumed finds its baseline."""
    empty.run(settings(), "evaluate")
    [(row, _)] = evaluations(empty)
    assert "repeats" not in row.config and row.config["temperature"] == 0.0


def again(project: Any, config: RunConfig) -> None:
    evaluate_again("last", config, db=project.path, checkpoint=None, progress=Progress(quiet=True))


def test_no_two_evaluations_in_a_table_have_one_name(empty, settings) -> None:
    empty.run(settings(), "search", "evaluate")
    again(empty, settings(evaluate=FOUR))
    again(empty, settings(evaluate={**FOUR, "repeats": 2}))
    again(empty, settings(flawed={"rate": 0.2}))
    again(empty, settings(policy="expert"))
    with empty.store() as store:
        table = report.iterations(store, store.runs.find("last"))
    names = [row[0] for row in table.rows]
    assert names[0] == "baseline" and names[-1] == "iteration 1" and len(set(names)) == len(names) == 6
    assert [name.partition(" · ")[2] for name in names[1:3]] == [
        f"repeats={k} · revision_turns=3 · temperature=1.0" for k in (4, 2)
    ]
    assert "flawed-0.2" in names[3] and "rate=0.2" in names[3] and names[4] == "expert"
    column = table.columns.index("pass@K (95%)")
    assert [row[column].split()[0] for row in table.rows] == ["-", "pass@4", "pass@2", "-", "-", "-"]
    assert table.rows[1][1].endswith(", mean of 4")


def test_a_gain_of_repeats_is_over_the_means_of_the_tasks(empty, settings) -> None:
    empty.run(settings(evaluate=FOUR), "search", "evaluate")
    with empty.store() as store:
        table = report.iterations(store, store.runs.find("last"))
        compared, *_ = side_by_side(store, [store.runs.find("last")])
    assert [row[0] for row in table.rows] == ["baseline", "iteration 1"]
    assert table.rows[1][-1] == "+0.0 ± 0.0", "the same model, the same seeds"
    assert compared.rows[0][compared.columns.index("pass@K (95%)")].startswith("pass@4 ")


def test_the_command_line_plays_repeats_and_shows_them(inside: Agentr) -> None:
    agentr = inside
    small = (*SCRIPTED, "--eval-tasks", "3", "--no-revision-test")
    done = agentr("eval", *small, "--repeats", "3")
    assert done.returncode == 0, done.stderr
    assert "9 episodes" in done.stderr and ", mean of 3 · pass@3 " in done.stderr and "pass@K (95%)" in done.stdout
    [listed] = json.loads(agentr("evals", "list", "last", "--json").stdout)
    assert listed["metrics"]["repeats"] == 3 and "pass@3" in agentr("evals", "list", "last").stdout
    rows = json.loads(agentr("evals", "show", "1", "--json").stdout)
    assert sorted({row["repeat"] for row in rows}) == [0, 1, 2] and len(rows) == 9
    one = json.loads(agentr("evals", "show", "1", rows[0]["task"], "--json").stdout)
    assert [row["repeat"] for row in one] == [0, 1, 2]
    assert "pass@3" in agentr("runs", "show", "last").stdout
    assert json.loads(agentr("compare", "last", "--json").stdout)[0]["pass_at_k"] == listed["metrics"]["pass_at_k"]
    again = agentr("eval", "--run", "last", "--repeats", "1")
    assert again.returncode == 0, again.stderr
    assert "baseline · repeats=1 · temperature=0.0" in agentr("compare", "last").stdout
    wrong = agentr("eval", *small, "--repeats", "3", "-o", "evaluate.temperature=0")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "the same episode 3 times" in wrong.stderr
