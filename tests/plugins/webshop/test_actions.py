from __future__ import annotations

import pytest
from agentr_webshop.actions import parse_turn, read_original, read_strict


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("search[Red Shoes]", ("search", "red shoes")),
        ("click[< Prev] and more", ("click", "< prev")),
        ("search[a  b ]", ("search", "a  b ")),
        (" search[x]", (" search", "x")),
        ("Click[x]", ("Click", "x")),
        ("search", ("search", None)),
        ("search[]", ("search[]", None)),
        ("search[x", ("search[x", None)),
        ("click]x[", ("click]x[", None)),
        ("search[a] click[b]", ("search[a] click", "b")),
        ("click[x [tall]]", ("click[x ", "tall]")),
        ("thinking\nsearch[x]", ("thinking\nsearch[x]", None)),
        ("search[x]\nclick[y]", ("search", "x")),
        ("search[שלום]", ("search", "שלום")),
        ("", ("", None)),
    ],
)
def test_original_grammar(text: str, action: tuple[str, str | None]) -> None:
    assert read_original(text) == action


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (" Search [ Red Shoes ] please", ("search", "red shoes")),
        ("click[x [tall]]", ("click", "x [tall]")),
        ("search[]", ("search", "")),
        ("go to the shop", ("go to the shop", None)),
        ("search[x", ("search[x", None)),
    ],
)
def test_strict_grammar(text: str, action: tuple[str, str | None]) -> None:
    assert read_strict(text) == action


@pytest.mark.parametrize(
    ("response", "thought", "action"),
    [
        ("Thought: I look.\nAction: search[red shoes]", "I look.", "search[red shoes]"),
        ("Action: click[a]\nThought: no.\nAction: click[b]", "Action: click[a]\n no.", "click[b]"),
        ("Thought:\nI think\n\nAction: \nclick[something]</s>", "I think", "click[something]"),
        ("Action: click[a]\nObservation: a page", "", "click[a]"),
        ("search[shoes]", "", "search[shoes]"),
        ("I go\nand I think", "I go\nand I think", ""),
        ("Action:", "", ""),
        ("Thought: I was wrong.\nAction: revise", "I was wrong.", "revise"),
        ("Action: click[\x1b[31mred]", "", "click[ [31mred]"),
        ("", "", ""),
    ],
)
def test_turns_are_read_as_agentgyms_client_reads_them(response: str, thought: str, action: str) -> None:
    parsed = parse_turn(response)
    assert (parsed.thought, parsed.action, parsed.error) == (thought, action, None)


def test_too_long_an_action_is_told_to_the_agent() -> None:
    parsed = parse_turn(f"Action: search[{'x' * 100_000}]")
    assert parsed.action is None and parsed.error == "Error: The action is longer than 2000 characters."
