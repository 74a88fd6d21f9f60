"""Files of conversations as people have them: what is read, and how what cannot be used is counted by its reason."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from shared_data import shared_data

from agentr_core import Message, UsageError, read_dataset
from agentr_core.train.conversation_files import ReadConversations, read_conversations

USER, GOOD = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}
FINE = {"messages": [USER, GOOD]}
READ = (Message("user", "hi"), Message("assistant", "hello", train=True))


def chat(*turns: tuple[str, Any] | dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation in OpenAI's form: turns as (role, content), or whole."""
    whole = [{"role": turn[0], "content": turn[1]} if isinstance(turn, tuple) else turn for turn in turns]
    return {"messages": whole, **more}


def shared(*turns: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A conversation in ShareGPT's form."""
    return {"conversations": [{"from": role, "value": text} for role, text in turns], **more}


def read(tmp_path: Path, *values: Any) -> ReadConversations:
    """What is read of a file with one conversation that is fine, and these."""
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, (FINE, *values))), encoding="utf-8")
    found = read_conversations(path)
    assert found.conversations[0] == READ
    return found


def one(tmp_path: Path, value: Any) -> tuple[Message, ...]:
    found = read(tmp_path, value)
    assert (found.skipped, len(found.conversations)) == ({}, 2)
    return found.conversations[1]


@pytest.mark.parametrize("question", ["user", "human", "Human", "tool", "observation", "function", "ipython"])
@pytest.mark.parametrize("answer", ["assistant", "gpt", "chatgpt", "bing", "bard", "model", "GPT"])
def test_roles_have_many_names(question: str, answer: str, tmp_path: Path) -> None:
    assert one(tmp_path, shared((question, "hi"), (answer, "hello"))) == READ
    assert one(tmp_path, chat((question, "hi"), (answer, "hello"))) == READ


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_have_two_names(role: str, tmp_path: Path) -> None:
    assert one(tmp_path, chat((role, "be kind"), USER, GOOD)) == (Message("system", "be kind"), *READ)


def test_instructions_beside_the_turns_are_read(tmp_path: Path) -> None:
    turns = (("human", "hi"), ("gpt", "hello"))
    assert one(tmp_path, shared(*turns, system="be kind", tools="[]")) == (Message("system", "be kind"), *READ)
    assert one(tmp_path, shared(("system", "a"), *turns, system="b")) == (Message("system", "a"), *READ)


def test_parts_of_text_are_joined(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "output_text", "text": "lo"}, "!"]
    assert one(tmp_path, chat(USER, ("assistant", parts)))[1] == Message("assistant", "hel\nlo\n!", train=True)


def test_a_call_of_a_tool_is_context_and_carries_no_loss(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "w", "arguments": '{"in": "Rome"}'}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    seen = {"role": "tool", "tool_call_id": "1", "content": "sunny"}
    turns = one(tmp_path, chat(USER, asked, seen, GOOD))
    assert turns[1:3] == (Message("assistant", '{"name": "w", "arguments": {"in": "Rome"}}'), Message("user", "sunny"))
    assert turns[3] == READ[1]
    assert one(tmp_path, chat(USER, {**asked, "train": True}))[1].train  # unless it is asked for
    called = shared(("human", "hi"), ("function_call", '{"name": "w"}'), ("observation", "sunny"), ("gpt", "hello"))
    assert [(turn.role, turn.train) for turn in one(tmp_path, called)] == [
        ("user", False),
        ("assistant", False),
        ("user", False),
        ("assistant", True),
    ]


@pytest.mark.parametrize("flag", ["train", "loss", "weight"])
@pytest.mark.parametrize(("value", "trained"), [(False, False), (0, False), (0.0, False), (1, True), (None, True)])
def test_a_flag_decides_which_answers_carry_loss(flag: str, value: Any, trained: bool, tmp_path: Path) -> None:
    turns = one(tmp_path, chat(USER, {**GOOD, flag: value}, USER, GOOD))
    assert [turn.train for turn in turns] == [False, trained, False, True]


@pytest.mark.parametrize("weight", [0.5, 2, 1e-9])
def test_any_weight_but_0_trains_and_one_that_is_not_1_is_said(weight: float, tmp_path: Path) -> None:
    found = read(tmp_path, chat(USER, {**GOOD, "weight": 0}, USER, {**GOOD, "weight": weight}))
    assert [turn.train for turn in found.conversations[1]] == [False, False, False, True]
    assert found.changed == {"with weights other than 0 and 1, trained as 1": 1}


def test_what_is_beside_the_turns_is_kept(tmp_path: Path) -> None:
    found = read(tmp_path, shared(("human", "hi"), ("gpt", "hello"), item_id="textcraft_3", reward=1))
    assert found.besides == ({}, {"item_id": "textcraft_3", "reward": 1})


def test_agentgyms_first_answer_carries_no_loss(tmp_path: Path) -> None:
    turns = [("human", "You shop.", None), ("gpt", "Ok.", False), ("human", "Buy soap", None), ("gpt", "search", True)]
    value = {"item_id": "1", "conversations": [{"from": a, "value": b, "loss": c} for a, b, c in turns]}
    assert [turn.train for turn in one(tmp_path, value)] == [False, False, False, True]


def test_turns_of_one_role_in_a_row_become_one(tmp_path: Path) -> None:
    found = read(tmp_path, chat(USER, ("user", "still there?"), GOOD, ("assistant", "  "), USER, GOOD, GOOD))
    joined = Message("user", "hi\n\nstill there?")
    twice = Message("assistant", "hello\n\nhello", train=True)
    assert found.conversations[1] == (joined, READ[1], READ[0], twice)
    assert found.changed == {"with joined turns": 1}
    assert found.describe() == "1 with joined turns"


def test_what_carries_no_loss_carries_none_when_it_is_joined(tmp_path: Path) -> None:
    turns = one(tmp_path, chat(USER, {**GOOD, "loss": False}, GOOD, USER, GOOD))
    assert [turn.train for turn in turns] == [False, False, False, True]


def test_an_answer_before_the_first_question_is_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, chat(("system", "s"), GOOD, GOOD, USER, GOOD), chat(GOOD, USER, GOOD))
    assert found.conversations[1:] == ((Message("system", "s"), *READ), READ)
    assert found.changed == {"with joined turns": 1, "without its first answer": 2}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (chat(), "empty"),
        (chat(("user", " "), ("assistant", "")), "empty"),
        (chat(USER), "no answer"),
        (chat(USER, ("assistant", " ")), "no answer"),
        (chat(GOOD), "no answer"),
        (chat(("system", "s"), GOOD), "no answer"),
        (chat(USER, {**GOOD, "weight": 0}), "no turn to train"),
        (chat(("wizard", "a"), GOOD), "unknown role 'wizard'"),
        (chat({"content": "a"}, GOOD), "a turn without a role"),
        (chat({"role": "user"}, GOOD), "a turn without content"),
        (chat(("user", 3), GOOD), "content that is no text"),
        (chat("hi"), "a turn that is no object"),  # type: ignore[arg-type]
        (chat(("user", [{"type": "image_url", "image_url": "x"}]), GOOD), "image parts"),
        (chat(("user", [{"type": "input_audio", "data": "x"}]), GOOD), "audio parts"),
        (chat(USER, GOOD, images=["a.png"]), "image parts"),
        (chat(("user", [{"type": "refusal"}]), GOOD), "a part of content of type 'refusal'"),
        (chat(USER, {**GOOD, "tool_calls": [{"id": 1}]}), "a call without a function's name"),
        (chat(USER, {**GOOD, "train": True, "weight": 0}), "flags that contradict each other"),
        (chat(USER, {**GOOD, "loss": 0.5}), "the flag 'loss' is neither 0 nor 1"),
        (chat(USER, {**GOOD, "weight": -1}), "the flag 'weight' is no number of at least 0"),
        (chat(USER, {**GOOD, "weight": "much"}), "the flag 'weight' is no number of at least 0"),
        (chat(USER, {**GOOD, "train": False, "weight": 0.5}), "flags that contradict each other"),
        (chat(USER, GOOD, ("system", "s"), USER, GOOD), "a system turn after the first"),
        (chat(USER, ("assistant", "\ud83d")), "half a character (no valid Unicode)"),
        ({"text": "a"}, "no object with 'messages' or 'conversations'"),
        ({"messages": "a"}, "no object with 'messages' or 'conversations'"),
        (7, "no object with 'messages' or 'conversations'"),
    ],
)
def test_what_cannot_be_used_is_skipped_and_counted(value: Any, reason: str, tmp_path: Path) -> None:
    found = read(tmp_path, value, FINE)
    assert found.conversations == (READ, READ)
    assert (found.skipped, found.total, found.places) == ({reason: 1}, 3, (1, 3))
    assert found.describe() == f"1 of 3 skipped (1 {reason}, line 2)"


def test_a_line_that_is_no_json_is_counted_and_the_first_one_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text(f'{json.dumps(FINE)}\n\n{{"messages": [\nnull\n{json.dumps(FINE)}\n{{"mess')
    found = read_conversations(path)
    assert found.skipped == {"not JSON": 2, "no object with 'messages' or 'conversations'": 1}
    assert "3 of 5 skipped (2 not JSON, the first in line 3; 1 no object" in found.describe()


def test_only_the_commonest_reasons_are_said(tmp_path: Path) -> None:
    found = read(tmp_path, *(chat((f"role{number % 7}", "a"), GOOD) for number in range(20)))
    assert found.describe().count("unknown role") == 5
    assert found.describe().endswith("5 for other reasons)")
    assert sum(found.skipped.values()) == 20


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(FINE).encode(),
        json.dumps([FINE]).encode(),
        json.dumps(FINE, indent=2).encode(),
        json.dumps([FINE], indent=2).encode("utf-8-sig"),
        b"\xef\xbb\xbf\r\n" + json.dumps(FINE).encode() + b"\r\n\r\n",
        b"\n" + json.dumps(FINE).encode("utf-8-sig"),
        json.dumps(FINE).encode("utf-16"),
        gzip.compress(json.dumps(FINE).encode()),
    ],
    ids=["lines", "array", "indented", "marked array", "windows", "windows files in a row", "powershell", "packed"],
)
def test_files_come_in_many_coats(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(data)
    assert [example.messages for example in read_dataset(path).examples] == [READ]


def test_a_line_holds_whatever_json_leaves_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(chat(("user", "a\u2028b"), GOOD), ensure_ascii=False), encoding="utf-8")
    assert read_conversations(path).conversations[0][0].content == "a\u2028b"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "holds no conversation; write"),
        (b"{", "is not JSON: line 1: Expecting"),
        (b"\nPK not json\n", "is not JSON: line 2: Expecting"),
        (b"[1,", "is not JSON: Expecting"),
        (b"\xff\x00\x01", "is not text in UTF-8"),
        (b"\x1f\x8bnot packed", "cannot be read: "),
        (b'{"messages": []}\n7', r"holds no conversation that can be trained on: 2 of 2 skipped \(1 empty, line 1; "),
    ],
)
def test_a_file_that_cannot_be_used_at_all_is_an_error(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=says):
        read_conversations(path)


def test_a_path_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_dataset(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_dataset(str(tmp_path))


def test_a_dataset_says_what_was_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(f"{json.dumps(FINE)}\n7")
    said: list[str] = []
    dataset = read_dataset(str(path), say=said.append)
    (line,) = said
    assert line.startswith(f"'{path}': 1 of 2 skipped (1 no object")
    assert dataset.examples[0].origin == {"file": str(path), "line": 1}
    with caplog.at_level(logging.WARNING, "agentr"):
        assert read_dataset(path) == dataset
    assert line in caplog.messages


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("agenttraj.json", ["Thought: search.\nAction: search[soap]"]),
        ("developer.jsonl", ["hello"]),
        ("openai_weight.jsonl", ["good answer"]),
        ("parts.jsonl", ["hello"]),
        ("sharegpt_obs.json", ["It is sunny."]),
        ("swift_loss.jsonl", ["good answer"]),
        ("tools.jsonl", ["It is sunny."]),
    ],
)
def test_files_that_others_reported_train_what_they_should(name: str, trained: list[str]) -> None:
    (conversation,) = read_conversations(shared_data("faults", "data", name)).conversations
    assert [turn.content for turn in conversation if turn.train] == trained
