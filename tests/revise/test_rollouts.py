"""Critics that play from the nodes of stored trees: the same rows whatever is in flight, stopped or killed."""

from __future__ import annotations

from typing import Any

import pytest
from interrupting import interrupt

from agentr_core.process.progress import Progress
from agentr_core.runs import report
from agentr_core.runs.start_and_resume import resume
from agentr_core.store import open_store

MEASURED: dict[str, Any] = {"critic": "unrecoverable", "unrecoverable": {"rollouts": 2}}


def rows(project: Any, reference: str = "last") -> tuple[Any, ...]:
    """What a measured set has stored: each tree's metrics, each sample's cut, each verdict."""
    with project.store() as store:
        (row,) = [each for each in project.sets(store, reference) if each.critic == "unrecoverable"]
        names = {tree.id: tree.task for tree in store.trees.select(row.run_id)}
        made = store.revisions.trees(row.id)
        cuts = sorted(
            (names[s.tree_id], s.bad_leaf, s.good_leaf, s.cut, s.kept) for s in store.revisions.samples(row.id)
        )
        verdicts = {
            names[tree]: {key[0]: found for key, found in store.trees.verdicts(tree).items()}.get("unrecoverable")
            for tree in names
        }
        return {names[tree]: metrics for tree, metrics in made.items()}, cuts, verdicts, row.metrics


@pytest.fixture(scope="module")
def whole(searched: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    import shutil

    from project_stages import Project, configure

    project = Project(shutil.copy(searched, tmp_path_factory.mktemp("measured") / "agentr.db"))
    project.revise(configure(**MEASURED))
    return project


def test_first_unrecoverable_steps_are_measured_and_what_it_took_is_counted(whole: Any) -> None:
    _, cuts, verdicts, metrics = rows(whole)
    assert cuts and metrics["rollouts"] > 0 and metrics["judge_steps"] > metrics["rollouts"]
    assert metrics["judged"] == metrics["revisions"], "a failed attempt's end is unrecoverable, if nothing before it is"
    labels = {verdict.label for found in verdicts.values() for verdict in (found or {}).values()}
    assert labels == {"good", "bad"}


def test_what_is_in_flight_changes_nothing(whole: Any, project: Any, settings: Any) -> None:
    project.revise(settings(**MEASURED, concurrency=1))
    assert rows(project) == rows(whole)


@pytest.mark.parametrize("after", [0, 3])
def test_a_stage_that_was_stopped_goes_on_to_the_same_rows(project: Any, settings: Any, after: int) -> None:
    config = settings(**MEASURED, concurrency=1, search={"tasks": 5})
    interrupt(project, config, ("search", "revise"), "revise", after)
    resume("last", db=project.path, progress=Progress(quiet=True))
    stopped = rows(project)
    project.run(config, "search", "revise", name="whole")
    assert rows(project, "whole") == stopped


def test_every_critic_is_compared_with_what_was_measured(whole: Any, settings: Any) -> None:
    for critic in ("oracle", "last"):
        whole.revise(settings(critic=critic))
    with open_store(whole.path, read_only=True) as store:
        table = report.critics(store, [store.runs.find("last")])
    assert table.columns[6:10] == ["agrees with oracle", "agrees with unrecoverable", "tokens", "env steps"]
    found = {row["critic"]: row for row in table.data}
    assert found["unrecoverable"]["unrecoverable"] == 1.0
    # Most of what the flawed expert does wrong can still be made good: the oracle's first error is earlier.
    assert 0 < found["oracle"]["unrecoverable"] < found["last"]["unrecoverable"] < 1.0
    assert found["oracle"]["cut_mean"] < found["unrecoverable"]["cut_mean"] < found["last"]["cut_mean"]
    cells = {row[0]: row for row in table.rows}
    assert cells["oracle"][9] == "-" != cells["unrecoverable"][9]


def test_without_a_measured_set_the_table_is_as_it_was(project: Any, settings: Any) -> None:
    project.revise(settings(critic="oracle"))
    with project.store() as store:
        table = report.critics(store, [store.runs.find("last")])
    assert table.columns[6:8] == ["agrees with oracle", "tokens"]
