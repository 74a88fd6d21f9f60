"""What a policy plays alone at the table is what an evaluation stores of it, and what is kept of an episode."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_fixtures import model_folder as model_folder

from agentr_core import Message, NothingToDo, UsageError, configure, open_store
from agentr_core.registry.lookup import registry
from agentr_core.runs.by_hand import PERSON, Table, at_table
from agentr_core.runs.kept import demonstration, keep, trained_turns
from agentr_core.runs.start_and_resume import run
from agentr_core.settings.run_config import RunConfig

COUNTER = "agentr_core.testing:CounterEnvironment"
SMALL = {"textcraft": {"world": "synthetic", "depth": 2, "max_observation_chars": 200}, "trainer": "none"}


def measured(config: RunConfig, db: Path) -> dict[str, tuple[Message, ...]]:
    """The conversation of each task that an evaluation plays."""
    outcome = run(config, db=db, stages=("evaluate",))
    assert outcome.failed == 0
    with open_store(db) as store:
        (evaluation,) = store.evaluations.select(outcome.run.id)
        results = store.evaluations.results(evaluation.id)
        return {store.tasks.get(row.task_id).key: store.conversations.get(row.conversation or 0) for row in results}


async def watched(table: Table, key: str) -> tuple[Message, ...]:
    """The conversation of a task that the policy plays alone."""
    episode = await table.begin(table.task(key, ""))
    while not episode.ended:
        try:
            await table.proposals(1)  # looking at what it would say changes nothing
            await table.play(await table.answer(), "policy")
        except UsageError as error:
            assert "evaluate.max_turns" in str(error) or "context" in str(error)
            break
    return tuple(episode.messages())


def assert_alike(config: RunConfig, db: Path) -> dict[str, tuple[Message, ...]]:
    async def work() -> dict[str, tuple[Message, ...]]:
        async with at_table(config, registry(), with_policy=True) as table:
            return {key: await watched(table, key) for key in expected}

    expected = measured(config, db)
    assert expected and asyncio.run(work()) == expected
    return expected


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_policy_alone_plays_what_an_evaluation_stores(temperature: float, tmp_path: Path) -> None:
    evaluate = {"tasks": 4, "max_turns": 8, "temperature": temperature, "revision_test": False}
    config = configure(env="textcraft", policy="flawed", flawed={"rate": 0.3}, evaluate=evaluate, seed=3, **SMALL)
    found = assert_alike(config, tmp_path / "a.db")
    assert {len(messages) for messages in found.values()} - {18}  # some end before the limit
    assert any("characters left out" in message.content for messages in found.values() for message in messages)


@pytest.mark.model
def test_so_does_a_model_whose_context_is_full_before_the_end(model_folder: Path, tmp_path: Path) -> None:
    evaluate = {"tasks": 2, "max_turns": 3, "max_tokens": 12, "revision_test": False}
    config = configure(env="textcraft", model=str(model_folder), evaluate=evaluate, **SMALL)
    assert_alike(config, tmp_path / "a.db")


@pytest.fixture(scope="module")
def counting() -> RunConfig:
    return configure(env=COUNTER, policy="expert", trainer="none")


def at_counter(config: RunConfig, work: Any, *, with_policy: bool = True) -> Any:
    async def seated() -> Any:
        async with at_table(config, registry(), with_policy=with_policy) as table:
            await table.begin(table.task(None, "train"))
            return await work(table)

    return asyncio.run(seated())


def test_a_task_that_is_not_there_names_the_nearest_and_the_next_one_is_found(counting: RunConfig) -> None:
    async def work(table: Table) -> None:
        with pytest.raises(UsageError, match=r"has no task 'count_8x'. Did you mean 'count_8'\?"):
            table.task("count_8x", "")
        assert table.after(table.task("count_5", "")).key == "count_7"
        assert table.after(table.task("count_43", "")).key == "count_5"

    at_counter(counting, work)


def test_nobody_plays_along_unless_asked(counting: RunConfig) -> None:
    async def work(table: Table) -> None:
        with pytest.raises(UsageError, match="--model PATH_OR_ID or --policy NAME"):
            await table.answer()
        with pytest.raises(UsageError, match="there are 0 turns to take back"):
            await table.undo(1)

    at_counter(counting, work, with_policy=False)


def test_proposals_are_of_one_state_and_may_be_taken(counting: RunConfig) -> None:
    async def work(table: Table) -> None:
        (first,) = await table.proposals(3)
        assert first.copies == 3 and first.log_probability is None
        with pytest.raises(UsageError, match="no proposal 2: there are 1"):
            table.proposed(2)
        step = await table.play(table.proposed(1), PERSON)
        assert step.response == first.completion.text and table.episode.by == [PERSON]
        with pytest.raises(UsageError, match="none for this state yet"):
            table.proposed(1)

    at_counter(counting, work)


@pytest.mark.parametrize(
    ("everyone", "refused", "expected"),
    [
        (False, False, [False, False, False, True]),
        (True, False, [True, False, True, True]),
        (True, True, [True, True, True, True]),
    ],
)
def test_a_persons_turns_are_trained_and_the_others_where_it_is_asked(
    everyone: bool, refused: bool, expected: list[bool], counting: RunConfig
) -> None:
    async def work(table: Table) -> list[bool]:
        for response, by in (("add 1", "m"), ("nonsense", PERSON), ("add 1", "m"), ("add 2", PERSON)):
            await table.play(f"Action: {response}", by)
        return trained_turns(table.episode, everyone=everyone, refused=refused)

    assert at_counter(counting, work) == expected


def test_where_no_person_has_played_all_turns_are_trained_and_nothing_is_none(counting: RunConfig) -> None:
    async def work(table: Table) -> None:
        with pytest.raises(NothingToDo, match="no turn to train"):
            await demonstration(table.world, table.episode, trained_turns(table.episode, everyone=False))
        await table.play("Action: add 1", "m")
        assert trained_turns(table.episode, everyone=False) == [True]

    at_counter(counting, work)


@pytest.fixture
def played(counting: RunConfig) -> Iterator[Any]:
    async def work(table: Table) -> Any:
        for action in ("add 2", "add 2", "stop"):
            await table.play(f"Thought: 5\nAction: {action}", PERSON)
        return await demonstration(table.world, table.episode, trained_turns(table.episode, everyone=False))

    yield at_counter(counting, work)


def test_each_that_is_kept_makes_a_set_with_those_before_and_leaves_them(
    played: Any, counting: RunConfig, tmp_path: Path
) -> None:
    example, replayed = played
    assert (replayed.outcome, example.origin["played"], example.origin["reward"]) == ("exact", "3 person", 1.0)
    db = tmp_path / "a.db"
    first = keep(example, counting, db=db, run="mine")
    again = keep(example, counting, db=db, run="mine")
    assert (first.is_new, again.is_new, again.was_there, again.dataset.id) == (True, False, True, first.dataset.id)
    other = type(example)(example.messages[:4], "good", example.origin)
    second = keep(other, counting, db=db, run="mine")
    with open_store(db) as store:
        assert [row.n_examples for row in store.datasets.select()] == [1, 2]
        assert store.datasets.load(second.dataset.id).examples == (example, other)
        assert store.runs.get(first.run.id).status == "done"


def test_a_run_of_another_world_is_refused(played: Any, counting: RunConfig, tmp_path: Path) -> None:
    keep(played[0], counting, db=tmp_path / "a.db", run="mine")
    with pytest.raises(UsageError, match="is about another environment"):
        keep(played[0], configure(env="textcraft"), db=tmp_path / "a.db", run="mine")
