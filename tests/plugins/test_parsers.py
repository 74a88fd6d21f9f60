"""What each environment takes out of the same answers, by each rule that ``env.parser`` offers."""

from __future__ import annotations

from typing import Any

import pytest

import agentr_core
from agentr_core.interfaces.turn_parsing import NO_ACTION, TWO_ACTIONS

ANSWERS = {
    "the format itself": "Thought: I look.\nAction: {}",
    "bold label and code": "**Thought:** I look.\n\n**Action:** `{}`",
    "fenced": "Thought: I look.\nAction:\n```\n{}\n```",
    "final full stop": "Thought: I look.\nAction: {}.",
    "quoted": 'Thought: I look.\nAction: "{}"',
    "a label in small letters": "thought: I look.\naction: {}",
    "reasoning that names an action": "<think>Maybe Action: wait</think>\nAction: {}",
    "two actions": "Action: wait\nAction: {}",
    "a round too many": "Action: {}\nObservation: Done.",
    "the action alone": "{}",
    "a number before it": "Thought: I look.\nAction: 1. {}",
    "a step number": "Thought 1: I look.\nAction 1: {}",
    "stop text": "Thought: I look.\nAction: {}</s>",
    "no action": "I look\nand wonder.",
}
ACTION = {"textcraft": "get 1 oak log", "sciworld": "look around", "webshop": "search[oak table]"}
#: Where nothing else is said, the rule takes the action itself; ``@`` stands for it.
LENIENT = {
    "two actions": TWO_ACTIONS,
    "a number before it": "1. @",
    "no action": NO_ACTION,
}
AGENTGYM = {
    "bold label and code": "** `@`",
    "fenced": "```\n@\n```",
    "final full stop": "@.",
    "quoted": '"@"',
    "a label in small letters": "",
    "a round too many": "@\nObservation: Done.",
    "the action alone": "",
    "a number before it": "1. @",
    "a step number": "",
    "no action": "",
}
AGENT_R = {
    **AGENTGYM,
    "a label in small letters": "action: @",
    "the action alone": "@",
    "a number before it": "@",
    "a step number": "@",
    "stop text": "@</s>",
    "no action": "and wonder.",
}
ROWS: dict[tuple[str, str], dict[str, str]] = {
    ("textcraft", "lenient"): LENIENT,
    ("sciworld", "lenient"): LENIENT,
    ("webshop", "lenient"): {**LENIENT, "final full stop": "@."},
    ("textcraft", "agentgym"): {
        "fenced": "",
        "a label in small letters": "",
        "reasoning that names an action": TWO_ACTIONS,
        "two actions": TWO_ACTIONS,
        "the action alone": "",
        "a number before it": "1 @",
        "a step number": "",
        "stop text": "@s",
        "no action": "",
    },
    ("sciworld", "agentgym"): AGENTGYM,
    ("webshop", "agentgym"): {
        **AGENTGYM,
        "fenced": "```",
        "a label in small letters": "thought: I look.",
        "a round too many": "@",
        "the action alone": "@",
        "a step number": "Thought 1: I look.",
    },
    ("textcraft", "agent-r"): AGENT_R,
    ("sciworld", "agent-r"): AGENT_R,
    ("webshop", "agent-r"): AGENT_R,
}
SETTINGS: dict[str, dict[str, Any]] = {"textcraft": {"world": "synthetic"}, "webshop": {"products": 20}}


@pytest.fixture(scope="module")
def worlds() -> dict[tuple[str, str], Any]:
    """An environment for each rule; of ScienceWorld the class alone, whose Java is asked for no answer."""
    from agentr_sciworld.config import SciWorldConfig
    from agentr_sciworld.env import SciWorld

    found = {}
    for name, parser in ROWS:
        if name == "sciworld":
            world = SciWorld.__new__(SciWorld)
            world.config = SciWorldConfig(parser=parser)
        else:
            world = agentr_core.create("env", name, parser=parser, **SETTINGS[name])
        found[name, parser] = world
    return found


@pytest.mark.parametrize(("name", "parser"), ROWS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_action_of_an_answer(answer: str, name: str, parser: str, worlds: dict[tuple[str, str], Any]) -> None:
    parsed, action = worlds[name, parser].parse(ANSWERS[answer].format(ACTION[name])), ACTION[name]
    wanted = ROWS[name, parser].get(answer, "@").replace("@", action)
    assert (parsed.action if parsed.error is None else parsed.error) == wanted


@pytest.mark.parametrize("parser", ["lenient", "agentgym", "agent-r"])
def test_too_long_an_action_is_told_to_the_agent(parser: str, worlds: dict[tuple[str, str], Any]) -> None:
    for name in ACTION:
        parsed = worlds[name, parser].parse(f"Thought: a\nAction: {'x' * 100_000}")
        assert (parsed.action, parsed.error) == (None, "Error: The action is longer than 2000 characters.")


def test_the_papers_preset_reads_turns_as_the_papers_code_does() -> None:
    for name in ("textcraft", "webshop"):
        assert agentr_core.configure(preset="paper", env=name).env[0].options["parser"] == "agent-r"
    assert agentr_core.configure(env="textcraft").env[0].options["parser"] == "lenient"


def test_an_answer_that_agentgyms_client_cleans_is_done_by_the_world(worlds: dict[tuple[str, str], Any]) -> None:
    world = agentr_core.create("env", "textcraft", parser="agentgym")
    for answer in ("final full stop", "bold label and code", "quoted"):
        world.reset(world.tasks("train")[0])
        action = world.parse(ANSWERS[answer].format(ACTION["textcraft"])).action
        assert world.step(action).observation == "Got 1 oak log"
